"""The draw: frame and listing in, `sample.csv` and `sample.json` out, the same bytes for the same seed.

Two steps as in the field. Without a listing only the areas are drawn (`areas_to_list.csv`); with one, the same seed
draws the same areas again and then the households in them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from analysis.selection import allocate, serpentine, systematic_equal, systematic_pps
from survey import __version__
from survey.fieldwork.areas import areas, as_of
from survey.fieldwork.frame import FrameUnit, Listed, read_frame, read_listing
from survey.fieldwork.plan import SurveyPlan
from survey.fieldwork.sample import SampledUnit
from survey.folder import Folder

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

    Raises BadDocument with everything wrong in the frame or the listing; nothing is written then.
    """
    frame_bytes = frame.read_bytes()
    communes = as_of(areas(folder.areas), folder.plan.territory.as_of)
    units = read_frame(frame_bytes.decode("utf-8-sig"), frame.name, folder.plan, communes)
    drawn = draw_areas(units, folder.plan, seed)
    listing_bytes = b""
    sampled: list[SampledUnit] = []
    identities: dict[str, Listed] = {}
    if listing is not None:
        listing_bytes = listing.read_bytes()
        listed = read_listing(
            listing_bytes.decode("utf-8-sig"),
            listing.name,
            folder.plan.frame,
            {area.unit.psu for area in drawn},
            {unit.psu for unit in units},
        )
        sampled, identities = draw_households(drawn, listed, folder.plan, seed)
    result = Sample(seed, tuple(drawn), tuple(sampled), _allocation(units, drawn, sampled), out)
    out.mkdir(parents=True, exist_ok=True)
    if listing is None:
        _write_areas(drawn, out / "areas_to_list.csv")
    else:
        _write_sample(sampled, identities, out / "sample.csv")
    hashes = {
        "frame": frame_bytes,
        "listing": listing_bytes,
        "survey": (folder.path / "survey.yaml").read_bytes(),
    }
    _write_record(result, folder, {name: hashlib.sha256(text).hexdigest() for name, text in hashes.items()})
    return result


def draw_areas(units: Iterable[FrameUnit], plan: SurveyPlan, seed: int) -> list[DrawnArea]:
    """Stage one: areas by systematic PPS within strata, in serpentine order of the plan's `order` columns."""
    strata: dict[str, list[FrameUnit]] = {}
    for unit in units:
        strata.setdefault(unit.stratum, []).append(unit)
    names = sorted(strata)
    rule = plan.sampling
    counts = allocate(
        [sum(unit.size for unit in strata[name]) for name in names],
        rule.psus,
        rule.allocation,
        rule.minimum_psus,
    )
    drawn: list[DrawnArea] = []
    for name, count in zip(names, counts.tolist(), strict=True):
        members = strata[name]
        order = serpentine(
            *([unit.order[level] for unit in members] for level in range(len(members[0].order)))
        )
        members = [members[position] for position in order]
        n = min(count, len(members))
        chosen = systematic_pps([unit.size for unit in members], n, _generator(seed, "areas", name))
        drawn += [
            DrawnArea(members[position], float(probability), bool(certain), n, len(members))
            for position, probability, certain in zip(
                chosen.index, chosen.probability, chosen.certainty, strict=True
            )
        ]
    return drawn


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


def _write_areas(drawn: Iterable[DrawnArea], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(
            ("psu", "commune", "urban_rural", "stratum", "households_on_frame", "stage1_probability")
        )
        for area in drawn:
            unit = area.unit
            out.writerow(
                (unit.psu, unit.commune, unit.urban_rural, unit.stratum, unit.size, repr(area.probability))
            )


def _write_sample(units: Iterable[SampledUnit], identities: dict[str, Listed], path: Path) -> None:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    for unit in units:
        place = identities[unit.case]
        facts = (getattr(unit, name) for name in COLUMNS[:-2])
        out.writerow(
            [
                *(str(int(fact)) if isinstance(fact, bool) else fact for fact in facts),
                place.address,
                place.hamlet,
            ]
        )
    path.write_text(text.getvalue(), encoding="utf-8")


def _write_record(result: Sample, folder: Folder, hashes: dict[str, str]) -> None:
    record = {
        "survey": folder.plan.id,
        "seed": result.seed,
        "software": f"survey {__version__}",
        "sha256": hashes,
        "order": {"method": "serpentine", "columns": list(folder.plan.frame.order)},
        "design": "systematic PPS of areas within strata; systematic equal-probability draw of households",
        "allocation": [stratum.__dict__ for stratum in result.strata],
        "cases": len(result.units),
    }
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    (result.out / "sample.json").write_text(text, encoding="utf-8")


def show(result: Sample, console: Console | None = None) -> None:
    """The allocation as a table, and where the files are."""
    console = console or Console()
    table = Table(
        title=f"Mẫu đã chọn, hạt giống {result.seed} · Sample drawn, seed {result.seed}", title_justify="left"
    )
    table.add_column("Tầng · Stratum")
    for heading in (
        "Địa bàn · Areas",
        "Hộ · Households",
        "Địa bàn chọn · Areas drawn",
        "Hộ chọn · Households drawn",
    ):
        table.add_column(heading, justify="right")
    for stratum in result.strata:
        table.add_row(
            stratum.name,
            *(f"{count:,}" for count in (
                stratum.areas, stratum.households, stratum.areas_drawn, stratum.households_drawn
            )),
        )  # fmt: skip
    console.print(table)
    written = "sample.csv, sample.json" if result.units else "areas_to_list.csv, sample.json"
    console.print(f"{result.out}: {written}")
