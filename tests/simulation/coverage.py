"""Does a 95 % interval cover 95 %? One invented province, a thousand samples of it, the survey's own chain for each.

    make simulate        or        python tests/simulation/coverage.py --draws 1000 --seed 1 --out out/simulation

Each draw takes a new sample by `survey.draw`, plays the field work by `survey.synthetic.behaviour`, and weights and
estimates by `survey.publication.weighting` as `analysis.yaml` declares; only the answers are looked up instead of asked. Beside
the estimates stands what one would have said without weights, and from the web answers alone.
"""

from __future__ import annotations

import argparse
import os

# Two processes on two cores: a pool of threads in each would only be in the way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import csv
import datetime
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from analysis.indicators import Indicator
from survey import draw
from survey.fieldwork.areas import areas, as_of
from survey.fieldwork.frame import FrameUnit, Listed, read_frame
from survey.folder import Folder
from survey.publication.weighting import Margins, category_of, having, inside, margins_of, shares, weigh
from survey.synthetic import LABEL
from survey.synthetic.behaviour import FIELDWORK, OUTCOMES, Fieldwork, play
from survey.synthetic.files import dwellings_of, ea_codes, write_frame
from survey.synthetic.people import EA_COUNT, MALE, Commune, make
from survey.synthetic.truth import everybody, write_population

SURVEY = Path(__file__).resolve().parents[2] / "questionnaires" / "haiduong-digital-society"
INDICATORS = ("EPAY_ANY_ALL", "SMARTPHONE_OWN_15P", "HH6")
DOMAIN = "urban_rural"
PLACES = ("", "urban", "rural")

CATEGORY = {
    "": "I", "interviewed": "I", "refused": "R", "nobody_home": "NC", "respondent_away": "NC", "unable": "O",
    "not_located": "UH", "vacant": "NE", "not_a_home": "NE",
}  # fmt: skip
"""AAPOR category of each last outcome; a test holds it against `survey.fieldwork.dispositions`."""


@dataclass(frozen=True)
class Estimated:
    """One estimate of one draw: share, standard error and 95 % interval; and what the shortcuts would have said.

    unweighted: every answer counted once · web_only: the web answers alone, with their weights.
    """

    value: float
    se: float
    lower: float
    upper: float
    unweighted: float
    web_only: float


@dataclass(frozen=True)
class Line:
    """One line of the report: coverage with its Monte Carlo standard error, bias, and what the shortcuts would say.

    `se_ratio` is the mean estimated standard error over the standard deviation of the estimates (1 is right).
    """

    indicator: str
    place: str
    truth: float
    coverage: float
    coverage_error: float
    bias: float
    bias_error: float
    deviation: float
    se_ratio: float
    unweighted_bias: float
    web_only_bias: float


class Trial:
    """Everything that stays the same from draw to draw."""

    def __init__(self, seed: int, areas_in_province: int = EA_COUNT, folder: Path = SURVEY) -> None:
        survey = Folder.read(folder)
        self.plan, self.analysis = survey.plan, survey.analysis
        self.indicators: tuple[Indicator, ...] = tuple(
            one for one in self.analysis.indicators if one.id in INDICATORS
        )
        communes = [
            Commune(code=area.code, name=area.name, urban=area.urban_rural == "urban")
            for area in areas(survey.areas)
        ]
        self.province = make(communes, seed, areas=areas_in_province)
        self.held = everybody(self.province, self.analysis, INDICATORS)
        self.urban = self.province.urban
        self.codes = ea_codes(self.province)
        self.ea = {code: number for number, code in enumerate(self.codes)}
        with tempfile.TemporaryDirectory() as temporary:
            scratch = Path(temporary)
            write_frame(self.province, scratch / "frame.csv", self.plan.frame)
            communes_now = as_of(areas(survey.areas), self.plan.territory.as_of)
            text = (scratch / "frame.csv").read_text(encoding="utf-8")
            self.frame: tuple[FrameUnit, ...] = read_frame(text, "frame.csv", self.plan, communes_now)
            write_population(self.province, self.analysis, scratch)
            self.totals: dict[str, Margins] = {
                step.totals: margins_of((scratch / step.totals).read_text(encoding="utf-8"), step.margins)
                for step in self.analysis.weighting
                if step.step == "rake"
            }

    def truth(self, indicator: Indicator, place: str) -> float:
        """The share in the whole invented province, counted by the indicator's own rule for unknown answers."""
        universe, has = self.held[indicator.id]
        where = universe & self._place(indicator, place)
        if indicator.treatments["dont_know"] == "exclude":
            where &= ~np.isnan(has)
        return float(np.nan_to_num(has[where]).mean(dtype=np.float64))

    def _place(self, indicator: Indicator, place: str) -> NDArray[np.bool_]:
        urban = self.urban if indicator.unit == "household" else self.urban[self.province.household]
        return np.ones(len(urban), dtype=bool) if place == "" else urban == (place == "urban")

    def sample(self, number: int) -> dict[tuple[str, str], Estimated]:
        """Draw, play, weight and estimate once; the same number gives the same figures."""
        drawn = draw.draw_areas(self.frame, self.plan, number)
        listed = {area.unit.psu: list(self._listing(area.unit.psu)) for area in drawn}
        units, _ = draw.draw_households(drawn, listed, self.plan, number)
        dwellings = dwellings_of(self.province, [unit.household for unit in units])
        chosen, eligible = self._respondents(dwellings, np.array([unit.respondent_draw for unit in units]))
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([number, FIELDWORK])))
        happened = play(self.province, dwellings, chosen, rng)
        households = self._households(units, dwellings, happened)
        persons = self._persons(dwellings, chosen, eligible, happened)
        weighted = weigh(households, persons, self.analysis, self.totals)
        found: dict[tuple[str, str], Estimated] = {}
        for one in self.indicators:
            estimates = shares(weighted, one) | shares(weighted, one, DOMAIN)
            rows = households if one.unit == "household" else persons
            for place in PLACES:
                estimate = estimates[place]
                limits = estimate.interval(self.analysis.release.interval, 0.95)
                found[one.id, place] = Estimated(
                    estimate.value,
                    estimate.se,
                    limits.lower,
                    limits.upper,
                    self._simple(one, rows, place, rows["answered"].astype(float)),
                    self._simple(
                        one, rows, place, weighted.design(one.unit).weight * (rows["mode"] == "self")
                    ),
                )
        return found

    def _listing(self, psu: str) -> Iterator[Listed]:
        for number in range(1, int(self.province.ea_dwellings[self.ea[psu]]) + 1):
            yield Listed(psu=psu, household=f"{psu}-{number:03d}")

    def _respondents(
        self, dwellings: NDArray[np.int64], numbers: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The person whom each household's pre-seeded number draws among those aged 15 and over, and their count."""
        province = self.province
        first, size = province.first[dwellings], province.size[dwellings].astype(np.int64)
        place = np.arange(int(size.max()))
        member = np.minimum(first[:, None] + place, province.people - 1)
        adult = (place < size[:, None]) & (province.age[member] >= 15)
        count = adult.sum(axis=1)
        wanted = np.floor(numbers * count).astype(np.int64)
        hit = adult & (np.cumsum(adult, axis=1) - 1 == wanted[:, None])
        return np.where(count > 0, first + hit.argmax(axis=1), -1), count

    def _households(
        self, units: Sequence[Any], dwellings: NDArray[np.int64], happened: Fieldwork
    ) -> dict[str, NDArray[Any]]:
        outcome = [OUTCOMES[code] for code in happened.outcome]
        columns: dict[str, NDArray[Any]] = {
            name: np.array([getattr(unit, name) for unit in units])
            for name in ("case", "stratum", "psu", "stage1_probability", "stage2_probability", "certainty")
        }
        columns["field_factor"] = np.ones(len(units))
        columns["category"] = np.array([CATEGORY[word] for word in outcome])
        columns["respondent"] = columns["answered"] = happened.complete
        columns["mode"] = np.where(happened.online, "self", "visit")
        return columns | self._measured("household", dwellings, self.urban[dwellings])

    def _persons(
        self,
        dwellings: NDArray[np.int64],
        chosen: NDArray[np.int64],
        eligible: NDArray[np.int64],
        happened: Fieldwork,
    ) -> dict[str, NDArray[Any]]:
        """The person drawn in each answering household, and every child under 15 there."""
        province = self.province
        answering = np.flatnonzero(happened.complete)
        size = province.size[dwellings[answering]].astype(np.int64)
        row = np.repeat(answering, size)
        start = np.repeat(np.cumsum(size) - size, size)
        person = np.repeat(province.first[dwellings[answering]], size) + np.arange(size.sum()) - start
        measured = (province.age[person] < 15) | (person == chosen[row])
        row, person = row[measured], person[measured]
        adult = province.age[person] >= 15
        bands = np.array(["0-14", "15-24", "25-34", "35-44", "45-54", "55-64", "65+"])
        urban = self.urban[province.household[person]]
        columns: dict[str, NDArray[Any]] = {
            "household": row,
            "from_how_many": np.where(adult, eligible[row], 1),
            "sex": np.where(province.sex[person] == MALE, "male", "female"),
            "age_band": bands[np.searchsorted([15, 25, 35, 45, 55, 65], province.age[person], side="right")],
            "urban_rural": np.where(urban, "urban", "rural"),
            "answered": np.ones(len(row), dtype=bool),
            "mode": np.where(happened.online[row], "self", "visit"),
        }
        return columns | self._measured("person", person, urban)

    def _measured(
        self, unit: str, ids: NDArray[np.int64], urban: NDArray[np.bool_]
    ) -> dict[str, NDArray[Any]]:
        columns: dict[str, NDArray[Any]] = {category_of(DOMAIN): np.where(urban, "urban", "rural")}
        for one in self.indicators:
            if one.unit == unit:
                universe, has = self.held[one.id]
                columns[inside(one.id)] = universe[ids]
                columns[having(one.id)] = has[ids].astype(np.float64)
        return columns

    def _simple(
        self, one: Indicator, rows: dict[str, NDArray[Any]], place: str, weight: NDArray[np.float64]
    ) -> float:
        """The plain weighted share, without any of what makes it an estimate."""
        where = rows[inside(one.id)]
        if place:
            where = where & (rows[category_of(DOMAIN)] == place)
        return float(np.average(np.nan_to_num(rows[having(one.id)][where]), weights=weight[where]))


def report(trial: Trial, draws: Sequence[dict[tuple[str, str], Estimated]]) -> list[Line]:
    """Coverage, bias and the shortcuts' bias over all draws."""
    lines: list[Line] = []
    n = len(draws)
    for one in trial.indicators:
        for place in PLACES:
            truth = trial.truth(one, place)
            found = [estimates[one.id, place] for estimates in draws]
            values = np.array([estimate.value for estimate in found])
            covered = float(np.mean([estimate.lower <= truth <= estimate.upper for estimate in found]))
            deviation = float(values.std(ddof=1))
            lines.append(
                Line(
                    indicator=one.id,
                    place=place or "province",
                    truth=truth,
                    coverage=covered,
                    coverage_error=float(np.sqrt(max(covered * (1 - covered), 0.25 / n) / n)),
                    bias=float(values.mean() - truth),
                    bias_error=deviation / float(np.sqrt(n)),
                    deviation=deviation,
                    se_ratio=float(np.mean([estimate.se for estimate in found])) / deviation,
                    unweighted_bias=float(np.mean([estimate.unweighted for estimate in found])) - truth,
                    web_only_bias=float(np.mean([estimate.web_only for estimate in found])) - truth,
                )
            )
    return lines


def show(lines: Sequence[Line], console: Console) -> None:
    table = Table(title="95 % intervals over repeated samples (percentage points where not said otherwise)")
    table.add_column("indicator")
    table.add_column("place")
    for heading in ("truth %", "coverage %", "bias", "sd", "se/sd", "unweighted bias", "web-only bias"):
        table.add_column(heading, justify="right")
    for line in lines:
        table.add_row(
            line.indicator,
            line.place,
            f"{100 * line.truth:.2f}",
            f"{100 * line.coverage:.1f} ± {100 * line.coverage_error:.1f}",
            f"{100 * line.bias:+.2f} ± {100 * line.bias_error:.2f}",
            f"{100 * line.deviation:.2f}",
            f"{line.se_ratio:.3f}",
            f"{100 * line.unweighted_bias:+.1f}",
            f"{100 * line.web_only_bias:+.1f}",
        )
    console.print(table)


_trial: Trial | None = None


def _one(number: int) -> dict[tuple[str, str], Estimated]:
    assert _trial is not None
    return _trial.sample(number)


def simulate(trial: Trial, draws: int, processes: int = 2) -> list[dict[tuple[str, str], Estimated]]:
    """That many independent samples, in forked processes that share the one province."""
    global _trial
    _trial = trial
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        numbers = pool.imap(_one, range(1, draws + 1), chunksize=5)
        return list(track(numbers, total=draws, description="Drawing samples"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument(
        "--seed", type=int, default=1, help="of the province; the samples are numbered from 1"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/simulation"))
    options = parser.parse_args()
    console = Console()
    console.print(LABEL["en"])
    started = time.monotonic()
    trial = Trial(options.seed)
    lines = report(trial, simulate(trial, options.draws, options.processes))
    show(lines, console)
    options.out.mkdir(parents=True, exist_ok=True)
    record = {
        "synthetic": True,
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": options.seed,
        "draws": options.draws,
        "seconds": round(time.monotonic() - started, 1),
        "lines": [asdict(line) for line in lines],
    }
    (options.out / "coverage.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    with (options.out / "coverage.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(asdict(lines[0])), lineterminator="\n")
        out.writeheader()
        out.writerows(asdict(line) for line in lines)
    console.print(
        f"{options.draws} draws in {record['seconds']} s; written to {options.out}/coverage.{{csv,json}}"
    )


if __name__ == "__main__":
    main()
