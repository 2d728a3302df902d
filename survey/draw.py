"""The draw: frame and listing in, `sample.csv` and `sample.json` out, the same bytes for the same seed.

Two steps as in the field. Without a listing only the areas are drawn (`areas_to_list.csv`); with one, the same seed
draws the same areas again and then the households in them. A sample that was drawn is never written over: drawing
again until it suits would be no sample.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from analysis.errors import DesignError
from analysis.selection import allocate, serpentine, systematic_equal, systematic_pps
from survey import __version__
from survey.fieldwork.areas import areas, as_of
from survey.fieldwork.frame import FrameUnit, Listed, more_than_there_are, read_frame, read_listing
from survey.fieldwork.plan import SurveyPlan
from survey.fieldwork.sample import SampledUnit
from survey.folder import Folder
from survey.problems import BadDocument, Conflict, Finding, Unavailable
from survey.spreadsheet import safe, text_of

COLUMNS = (
    "case", "household", "stratum", "psu", "commune", "urban_rural", "stage1_probability", "stage2_probability",
    "psus_sampled", "psus_in_stratum", "households_sampled", "households_listed", "certainty", "reserve",
    "respondent_draw", "address", "hamlet",
)  # fmt: skip


@dataclass(frozen=True)
class DrawnArea:
    """One drawn enumeration area with its stage-one probability and the counts of its stratum."""

    unit: FrameUnit
    probability: float
    certainty: bool
    sampled: int
    in_stratum: int


@dataclass(frozen=True)
class Stratum:
    """One line of the allocation: areas and households on the frame, areas and households drawn."""

    name: str
    areas: int
    households: int
    areas_drawn: int
    households_drawn: int


@dataclass(frozen=True)
class Sample:
    """What was drawn and where it was written. `units` is empty when only the areas were drawn."""

    seed: int
    areas: tuple[DrawnArea, ...]
    units: tuple[SampledUnit, ...]
    strata: tuple[Stratum, ...]
    out: Path


def sample(folder: Folder, frame: Path, listing: Path | None, out: Path, seed: int) -> Sample:
    """Draw areas, and households if there is a listing, and write the files into `out`.

    Raises BadDocument with everything wrong in the frame or the listing (nothing is written then), and Conflict when
    `out` holds another sample.
    """
    communes = as_of(areas(folder.areas), folder.plan.territory.as_of)
    frame_text = text_of(frame)
    units = read_frame(frame_text, frame.name, folder.plan, communes)
    drawn = draw_areas(units, folder.plan, seed)
    files = {
        "survey": folder.path / "survey.yaml",
        "areas": folder.path / folder.plan.territory.areas,
        "frame": frame,
    }
    sampled: list[SampledUnit] = []
    identities: dict[str, Listed] = {}
    if listing is not None:
        files["listing"] = listing
        listed = read_listing(
            text_of(listing),
            listing.name,
            folder.plan.frame,
            {area.unit.psu for area in drawn},
            {unit.psu for unit in units},
        )
        sampled, identities = draw_households(drawn, listed, folder.plan, seed)
    result = Sample(seed, tuple(drawn), tuple(sampled), _allocation(units, drawn, sampled), out)
    name, text = (
        ("areas_to_list.csv", _areas_csv(drawn))
        if listing is None
        else ("sample.csv", _sample_csv(sampled, identities))
    )
    hashes = {what: hashlib.sha256(path.read_bytes()).hexdigest() for what, path in files.items()}
    _write(out, {name: text, "sample.json": _record(result, folder, hashes)})
    return result


def _write(out: Path, files: dict[str, str]) -> None:
    """Write the files. The same sample again changes nothing; another one in the same folder is refused."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        kept = out / "sample.csv"
        if (
            "sample.csv" in files
            and kept.exists()
            and kept.read_text(encoding="utf-8") != files["sample.csv"]
        ):
            raise Conflict(
                {
                    "vi": f"{kept} là một mẫu khác đã chọn trước đây; mẫu đã chọn thì không chọn lại. "
                    "Ghi vào thư mục khác nếu đây là một cuộc khảo sát khác.",
                    "en": f"{kept} is another sample, drawn before; a drawn sample is not drawn again. "
                    "Choose another folder if this is another survey.",
                }
            )
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise Unavailable(
            {"vi": f"không ghi được vào {out}", "en": f"cannot write into {out} ({error.strerror})"}
        ) from error


def draw_areas(units: Iterable[FrameUnit], plan: SurveyPlan, seed: int) -> list[DrawnArea]:
    """Stage one: areas by systematic PPS within strata, in serpentine order of the plan's `order` columns (in the
    order of the file without any). Raises BadDocument when the frame cannot give what the plan asks."""
    strata: dict[str, list[FrameUnit]] = {}
    for unit in units:
        strata.setdefault(unit.stratum, []).append(unit)
    names = sorted(strata)
    counts = _areas_asked(strata, plan)
    drawn: list[DrawnArea] = []
    for name in names:
        members, n = strata[name], counts[name]
        levels = [_ordered([unit.order[level] for unit in members]) for level in range(len(plan.frame.order))]
        if levels:
            members = [members[position] for position in serpentine(*levels)]
        chosen = systematic_pps([unit.size for unit in members], n, _generator(seed, "areas", name))
        drawn += [
            DrawnArea(members[position], float(probability), bool(certain), n, len(members))
            for position, probability, certain in zip(
                chosen.index, chosen.probability, chosen.certainty, strict=True
            )
        ]
    return drawn


def _areas_asked(strata: dict[str, list[FrameUnit]], plan: SurveyPlan) -> dict[str, int]:
    """The allocation by stratum; BadDocument where it cannot be had."""
    rule, names = plan.sampling, sorted(strata)
    try:
        counts = allocate(
            [sum(unit.size for unit in strata[name]) for name in names],
            rule.psus,
            rule.allocation,
            rule.minimum_psus,
        )
    except DesignError as error:
        raise BadDocument(
            [
                Finding(
                    code="few_areas",
                    where="survey.yaml, sampling",
                    message={
                        "vi": f"{rule.psus} địa bàn không đủ để {len(names)} tầng có ít nhất {rule.minimum_psus} địa bàn",
                        "en": str(error),
                    },
                    remedy={
                        "vi": "tăng psus, gộp tầng hoặc giảm minimum_psus",
                        "en": "raise psus, merge strata or lower minimum_psus",
                    },
                )
            ]
        ) from error
    asked = dict(zip(names, counts.tolist(), strict=True))
    findings = more_than_there_are(asked, {name: len(strata[name]) for name in names})
    if findings:
        raise BadDocument(findings)
    return asked


def _ordered(values: Sequence[str]) -> Sequence[str] | Sequence[int]:
    """Values to sort by: numbers by size, so that 9 comes before 10, everything else as text."""
    numbers = all(value.isascii() and value.isdigit() and len(value) <= 18 for value in values)
    return [int(value) for value in values] if numbers else values


def draw_households(
    drawn: Iterable[DrawnArea], listed: dict[str, list[Listed]], plan: SurveyPlan, seed: int
) -> tuple[list[SampledUnit], dict[str, Listed]]:
    """Stage two: `take` households of each area with equal probability, in the order of the listing.

    A household's case id is made of the seed and the household by a hash, so that it tells nothing of the address.
    Reserves are drawn together with the others and then set aside at random: whoever is released keeps a known
    probability.
    """
    units: list[SampledUnit] = []
    identities: dict[str, Listed] = {}
    for area in drawn:
        households = listed[area.unit.psu]
        rng = _generator(seed, "households", area.unit.psu)
        take = min(plan.sampling.take, len(households))
        chosen = systematic_equal(len(households), take + plan.sampling.reserve, rng)
        aside = set(rng.permutation(len(chosen))[: max(0, len(chosen) - take)].tolist())
        for position, place in enumerate(chosen.tolist()):
            household = households[place]
            case = case_id(seed, household.household)
            again = 0
            while case in identities:
                again += 1
                case = case_id(seed, f"{household.household}#{again}")
            identities[case] = household
            units.append(
                SampledUnit(
                    case=case,
                    household=household.household,
                    stratum=area.unit.stratum,
                    psu=area.unit.psu,
                    commune=area.unit.commune,
                    urban_rural=area.unit.urban_rural,
                    stage1_probability=area.probability,
                    stage2_probability=take / len(households),
                    psus_sampled=area.sampled,
                    psus_in_stratum=area.in_stratum,
                    households_sampled=take,
                    households_listed=len(households),
                    certainty=area.certainty,
                    reserve=position in aside,
                    respondent_draw=float(rng.random()),
                )
            )
    return units, identities


def case_id(seed: int, household: str) -> str:
    """A pseudonymous id: 8 letters and digits of a hash, without characters that are mistaken for one another."""
    alphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
    number = int.from_bytes(hashlib.sha256(f"case:{seed}:{household}".encode()).digest()[:8], "big")
    letters = []
    for _ in range(8):
        number, place = divmod(number, len(alphabet))
        letters.append(alphabet[place])
    return "".join(letters[:4]) + "-" + "".join(letters[4:])


def _generator(seed: int, *what: str) -> np.random.Generator:
    """A generator for one stratum or area, so that correcting one part of a frame leaves the others' draw alone."""
    key = hashlib.sha256("\0".join((str(seed), *what)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(key[:16], "big")))


def _allocation(
    units: Iterable[FrameUnit], drawn: Iterable[DrawnArea], sampled: Iterable[SampledUnit]
) -> tuple[Stratum, ...]:
    table: dict[str, list[int]] = {}
    for unit in units:
        line = table.setdefault(unit.stratum, [0, 0, 0, 0])
        line[0] += 1
        line[1] += unit.size
    for area in drawn:
        table[area.unit.stratum][2] += 1
    for household in sampled:
        table[household.stratum][3] += not household.reserve
    return tuple(Stratum(name, *line) for name, line in sorted(table.items()))


def _areas_csv(drawn: Iterable[DrawnArea]) -> str:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(("psu", "commune", "urban_rural", "stratum", "households_on_frame", "stage1_probability"))
    for area in drawn:
        unit = area.unit
        facts = (unit.psu, unit.commune, unit.urban_rural, unit.stratum, unit.size, repr(area.probability))
        out.writerow([safe(fact) for fact in facts])
    return text.getvalue()


def _sample_csv(units: Iterable[SampledUnit], identities: dict[str, Listed]) -> str:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    for unit in units:
        place = identities[unit.case]
        facts = (getattr(unit, name) for name in COLUMNS[:-2])
        out.writerow(
            [
                *(str(int(fact)) if isinstance(fact, bool) else safe(fact) for fact in facts),
                safe(place.address),
                safe(place.hamlet),
            ]
        )
    return text.getvalue()


def _record(result: Sample, folder: Folder, hashes: dict[str, str]) -> str:
    """What is needed to draw the same again: the files by hash, the seed, the order, the software."""
    record = {
        "survey": folder.plan.id,
        "seed": result.seed,
        "software": f"survey {__version__}, numpy {np.__version__}",
        "sha256": hashes,
        "order": {"method": "serpentine", "columns": list(folder.plan.frame.order)},
        "design": "systematic PPS of areas within strata; systematic equal-probability draw of households",
        "allocation": [stratum.__dict__ for stratum in result.strata],
        "cases": len(result.units),
    }
    return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


def show(result: Sample, console: Console | None = None) -> None:
    """The allocation as a table, the range of the design weights, and where the files are."""
    console = console or Console()
    table = Table(
        title=f"Mẫu đã chọn, hạt giống {result.seed} · Sample drawn, seed {result.seed}",
        title_justify="left",
        show_footer=True,
    )
    lines = [
        (stratum.areas, stratum.households, stratum.areas_drawn, stratum.households_drawn)
        for stratum in result.strata
    ]
    sums = [f"{sum(column):,}" for column in zip(*lines, strict=True)]
    headings = ["Địa bàn · Areas", "Hộ · Households", "Địa bàn chọn · Areas drawn"]
    if result.units:
        headings.append("Hộ chọn · Households drawn")
    table.add_column("Tầng · Stratum", "Cộng · Total", overflow="fold")
    for heading, total in zip(headings, sums, strict=False):
        table.add_column(heading, total, justify="right")
    for stratum, line in zip(result.strata, lines, strict=True):
        table.add_row(stratum.name, *(f"{count:,}" for count in line[: len(headings)]))
    console.print(table)
    certain = sum(area.certainty for area in result.areas)
    if certain:
        console.print(f"{certain} địa bàn chắc chắn được chọn · {certain} areas taken with certainty")
    if result.units:
        weights = [
            1 / (unit.stage1_probability * unit.stage2_probability)
            for unit in result.units
            if not unit.reserve
        ]
        console.print(
            f"Quyền số thiết kế từ {min(weights):,.1f} đến {max(weights):,.1f} · "
            f"Design weights from {min(weights):,.1f} to {max(weights):,.1f}"
        )
    written = "sample.csv, sample.json" if result.units else "areas_to_list.csv, sample.json"
    console.print(f"{result.out}: {written}")
