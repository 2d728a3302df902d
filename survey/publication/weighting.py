"""From sampled households to weighted designs: the chain that `analysis.yaml` declares, step by step.

    weighted = weigh(households, persons, folder.analysis, totals)
    estimate(weighted.persons, Proportion("has EPAY_ANY"), where="in EPAY_ANY")

Works on arrays in memory and touches no file, so a release and a simulation of a thousand draws run the same code.
Household figures use `weighted.households`, figures about people `weighted.persons`: two units, two weights.

What the variance knows: strata, PSUs (drawn with replacement, which is cautious) and the calibration; for household
figures also that the factors for eligibility and nonresponse are estimates. Figures about people take those as given,
because their rows hold only people of households that answered.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from analysis.calibration import rake
from analysis.design import Design, LonelyPolicy
from analysis.errors import AnalysisError
from analysis.estimates import Estimate, estimate
from analysis.estimators import Proportion
from analysis.indicators import AnalysisPlan, Indicator, Openness, Step
from analysis.nonresponse import Report, by_cells, selection, unknown_eligibility
from analysis.trimming import trim
from survey.problems import SurveyError
from survey.publication.results import Margin, StepReport

Arrays = Mapping[str, NDArray[Any]]
"""Columns by name, all of one length."""
Margins = Mapping[tuple[str, ...], Mapping[tuple[str, ...], float]]
"""Population totals: for each margin (its columns) the number of people or households in each category."""

UNRESOLVED = ("UH", "UO")
"""AAPOR categories of cases of which nobody knows whether an eligible household is there."""


class NotWeighted(SurveyError):
    """The sample cannot be weighted as the plan declares; the message names the step and what stands in the way."""

    code = "not_weighted"


@dataclass(frozen=True, eq=False)
class Weighted:
    """The weighted sample. `households`: one row a sampled case, weight 0 where none answered. `persons`: one row a
    measured person. `base`: the design weight of every sampled case. `steps`: what each step did to the weights."""

    households: Design
    persons: Design
    base: NDArray[np.float64]
    steps: tuple[StepReport, ...]

    def design(self, unit: str) -> Design:
        return self.persons if unit == "person" else self.households


def weigh(households: Arrays, persons: Arrays, plan: AnalysisPlan, totals: Mapping[str, Margins]) -> Weighted:
    """The weighting steps of the plan, in order.

    households: one row for each sampled case, nonrespondents too (no unreleased reserves), with
        `stratum`, `psu`, `stage1_probability`, `stage2_probability`, `field_factor` (what field work found the list
        to be, `survey.fieldwork.listing`), `certainty` (bool), `respondent` (bool: the
        answers are complete), `category` (AAPOR: I P R NC O UH UO NE), and every column named in `by` of a step.
    persons: one row for each *measured* person of the responding households: the person drawn, and those outside
        the draw (children) whom the questionnaire covers; with `household` (row number in `households`),
        `from_how_many` (number eligible for the person drawn, 1 for the others), and the columns of the margins.
    totals: by the name of the step's `totals` file, population totals for each of its margins (`margins_of`).

    All other columns pass through and can be estimated from. Raises NotWeighted.
    """
    base = households["field_factor"] / (households["stage1_probability"] * households["stage2_probability"])
    chain = _Chain(households, persons, base, plan.release.lonely_psu)
    for number, step in enumerate(plan.weighting, start=1):
        try:
            chain.take(step, totals)
        except AnalysisError as error:
            raise NotWeighted(
                {
                    "vi": f"Bước gia quyền {number} ({step.step}) không thực hiện được: {error}",
                    "en": f"Weighting step {number} ({step.step}) cannot be done: {error}",
                }
            ) from error
    return Weighted(chain.households, chain.persons, base, tuple(chain.reports))


class _Chain:
    """The two designs while the steps are taken. Persons carry their household's weight from the first person step."""

    def __init__(
        self, households: Arrays, persons: Arrays, base: NDArray[np.float64], lonely_psu: LonelyPolicy
    ) -> None:
        self._lonely_psu = lonely_psu
        # A PSU taken with certainty is a stratum of its own in which the households are the sampling units.
        certain = households["certainty"].astype(bool)
        strata, psus = households["stratum"], households["psu"]
        if certain.any():
            strata = np.where(certain, np.char.add("certain ", psus.astype(str)), strata.astype(str))
            psus = np.where(certain, households["case"].astype(str), psus.astype(str))
        self.row = persons["household"].astype(np.int64)
        self.category = households["category"]
        self.respondent = households["respondent"].astype(bool)
        self.households = self._design({**households, " stratum": strata, " psu": psus}, base)
        self.person_columns = {**persons, " stratum": strata[self.row], " psu": psus[self.row]}
        self.from_how_many = persons["from_how_many"].astype(np.float64)
        self._persons: Design | None = None
        self.reports: list[StepReport] = []

    @property
    def persons(self) -> Design:
        if self._persons is None:
            self._persons = self._design(self.person_columns, self.households.weight[self.row])
        return self._persons

    def _design(self, columns: Arrays, weight: NDArray[np.float64]) -> Design:
        return Design(
            columns, weights=weight, strata=" stratum", clusters=" psu", lonely_psu=self._lonely_psu
        )

    def take(self, step: Step, totals: Mapping[str, Margins]) -> None:
        if step.unit == "household" and self._persons is not None:
            raise AnalysisError(
                "household steps come before person steps, whose weights they would not reach"
            )
        design = self.persons if step.unit == "person" else self.households
        before = design
        design, report = self._steps[step.step](self, design, step, totals)
        if step.unit == "person":
            self._persons = design
        else:
            self.households = design
        self.reports.append(
            msgspec.structs.replace(
                _report(step, report),
                trimmed=_trimmed(before, design, step) if step.step == "trim" else 0,
                margins=_margins(before, step, totals) if step.step == "rake" else (),
            )
        )

    def _base(self, design: Design, step: Step, totals: Mapping[str, Margins]) -> tuple[Design, Report]:
        return design, Report.of("base", design)

    def _unknown(self, design: Design, step: Step, totals: Mapping[str, Margins]) -> tuple[Design, Report]:
        self._only("household", step)
        return unknown_eligibility(design, ~np.isin(self.category, UNRESOLVED), step.by)

    def _nonresponse(
        self, design: Design, step: Step, totals: Mapping[str, Margins]
    ) -> tuple[Design, Report]:
        self._only("household", step)
        eligible = ~np.isin(self.category, ("NE", *UNRESOLVED))
        return by_cells(
            design,
            self.respondent,
            eligible,
            step.by,
            minimum=step.minimum,
            maximum_factor=step.maximum_factor,
        )

    def _selection(self, design: Design, step: Step, totals: Mapping[str, Margins]) -> tuple[Design, Report]:
        self._only("person", step)
        return selection(design, self.from_how_many)

    def _rake(self, design: Design, step: Step, totals: Mapping[str, Margins]) -> tuple[Design, Report]:
        margins = totals[step.totals]
        raked = rake(
            design, [list(margin) for margin in step.margins], [margins[margin] for margin in step.margins]
        )
        return raked, Report.of("rake", raked)

    def _trim(self, design: Design, step: Step, totals: Mapping[str, Margins]) -> tuple[Design, Report]:
        middle = float(np.median(design.weight[design.weight > 0]))
        return trim(design, step.lower * middle, step.upper * middle)

    def _only(self, unit: str, step: Step) -> None:
        if step.unit != unit:
            raise AnalysisError(f"this step is taken on the unit “{unit}”")

    _steps: Mapping[str, Callable[[_Chain, Design, Step, Mapping[str, Margins]], tuple[Design, Report]]] = {
        "base": _base,
        "unknown_eligibility": _unknown,
        "nonresponse": _nonresponse,
        "selection": _selection,
        "rake": _rake,
        "trim": _trim,
    }


def _trimmed(before: Design, after: Design, step: Step) -> int:
    """How many weights were cut: outside the limits before, at or within them now."""
    middle = float(np.median(before.weight[before.weight > 0]))
    outside = (before.weight > step.upper * middle) | (before.weight < step.lower * middle)
    return int((outside & (before.weight > 0)).sum())


def _margins(before: Design, step: Step, totals: Mapping[str, Margins]) -> tuple[Margin, ...]:
    """Each category of the margins before raking, those first that were furthest from the population."""
    found = []
    for columns, wanted in totals[step.totals].items():
        labels = [_labels(before, name) for name in columns]
        for category, population in wanted.items():
            here = np.logical_and.reduce(
                [label == part for label, part in zip(labels, category, strict=True)]
            )
            sum_before = float(f"{before.weight[here].sum():.12g}")
            found.append(Margin(columns=columns, category=category, before=sum_before, population=population))
    return tuple(
        sorted(found, key=lambda one: -abs(one.before / one.population - 1.0) if one.population else 0.0)
    )


def _labels(design: Design, name: str) -> NDArray[np.str_]:
    code, labels = design.columns.codes(name)
    return np.asarray([str(label) for label in labels])[code]


def _report(step: Step, report: Report) -> StepReport:
    return StepReport(
        step=step.step,
        unit=step.unit,
        n=report.n,
        sum=report.total,
        cv=report.cv,
        kish=report.kish,
        smallest=report.smallest,
        largest=report.largest,
        cells=len(report.cells),
        merged=tuple(f"{other} → {cell.label}" for cell in report.cells for other in cell.merged),
    )


# ── estimates ────────────────────────────────────────────────────────────────────────────────────────────────


def inside(indicator: str) -> str:
    """The column that says who is in the universe of an indicator (bool)."""
    return f"in {indicator}"


def having(indicator: str) -> str:
    """The column that says who counts in its numerator (1, 0, NaN where the answers cannot decide)."""
    return f"has {indicator}"


def category_of(domain: str) -> str:
    """The column of a domain's categories (text, None for nobody's)."""
    return f"domain {domain}"


def openness(indicator: str) -> str:
    """The column of why a unit is undecided (place in OPEN + 1; 0: it is decided). Only where treatments differ is it needed."""
    return f"open {indicator}"


OPEN: tuple[Openness, ...] = ("dont_know", "refused", "other")


class Answered(NamedTuple):
    """Of every unit: is it in the universe of an indicator, is it in the denominator (undecided ones as the indicator
    says), does it have it (0 or 1; 0 where undecided), is it undecided."""

    universe: NDArray[np.bool_]
    members: NDArray[np.bool_]
    has: NDArray[np.float64]
    undecided: NDArray[np.bool_]


def answered(column: Callable[[str], NDArray[Any]], indicator: Indicator) -> Answered:
    """Who counts for an indicator and how; `column` gives those named by `inside`, `having` and `openness`."""
    universe = column(inside(indicator.id)) == 1.0
    has = column(having(indicator.id))
    undecided = np.isnan(has)
    if not undecided.any():
        return Answered(universe, universe, has, undecided)
    treatments = indicator.treatments
    if len(set(treatments.values())) == 1:
        left_out = undecided if indicator.unknown == "exclude" else np.zeros_like(undecided)
    else:
        excluded = [OPEN.index(why) + 1.0 for why, one in treatments.items() if one == "exclude"]
        left_out = undecided & np.isin(column(openness(indicator.id)), excluded)
    return Answered(universe, universe & ~left_out, np.where(undecided, 0.0, has), undecided & universe)


def shares(
    weighted: Weighted, indicator: Indicator, domain: str = "", where: NDArray[np.bool_] | None = None
) -> dict[str, Estimate]:
    """The estimates of one indicator, by category of `domain` (key "" without one), among those of `where`.

    The design's data hold the columns named by `inside`, `having` and `category_of`. An undecided unit counts as
    the indicator declares. Categories in which the sample has nobody are absent.
    """
    return tables(weighted, [indicator], domain, where)[indicator.id]


def tables(
    weighted: Weighted,
    indicators: Sequence[Indicator],
    domain: str = "",
    where: NDArray[np.bool_] | None = None,
) -> dict[str, dict[str, Estimate]]:
    """`shares` of many indicators at once: those that ask the same people are estimated in one pass."""
    alike: dict[tuple[str, bytes], list[tuple[Indicator, NDArray[np.float64]]]] = {}
    masks: dict[tuple[str, bytes], NDArray[np.bool_]] = {}
    for indicator in indicators:
        members, values, key = _asked(weighted, indicator)
        if where is not None:
            members = members & where
            key = (indicator.unit, np.packbits(members).tobytes())
        alike.setdefault(key, []).append((indicator, values))
        masks[key] = members
    found: dict[str, dict[str, Estimate]] = {indicator.id: {} for indicator in indicators}
    for key, asked in alike.items():
        design, members = weighted.design(asked[0][0].unit), masks[key]
        columns: dict[str, NDArray[Any]] = {
            f" value {place}": values for place, (_, values) in enumerate(asked)
        }
        labels: Sequence[object] = [""]
        if domain:
            codes, labels = _coded(design, domain)
            members, columns[" domain"] = members & (codes >= 0), codes
        if not members.any():
            continue
        estimates = estimate(
            design.with_columns(**columns),
            [Proportion(f" value {place}") for place in range(len(asked))],
            by=[" domain"] if domain else None,
            where=members,
        )
        size = len(estimates) // len(asked)
        for place, (indicator, _) in enumerate(asked):
            found[indicator.id] = {
                str(labels[int(one.domain[" domain"])]) if domain else "": one
                for one in estimates[place * size : (place + 1) * size]
            }
    return found


def _asked(
    weighted: Weighted, indicator: Indicator
) -> tuple[NDArray[np.bool_], NDArray[np.float64], tuple[str, bytes]]:
    """Who of those with a weight is in the denominator, who has it, and what tells one such set from another: once for
    all domains."""
    design = weighted.design(indicator.unit)

    def make() -> tuple[NDArray[np.bool_], NDArray[np.float64], tuple[str, bytes]]:
        found = answered(design.columns.numbers, indicator)
        members = found.members & (design.weight > 0)
        return members, found.has, (indicator.unit, np.packbits(members).tobytes())

    name = indicator.id, *indicator.treatments.values()
    found: tuple[NDArray[np.bool_], NDArray[np.float64], tuple[str, bytes]] = design.remembered(name, make)
    return found


def _coded(design: Design, domain: str) -> tuple[NDArray[np.int64], tuple[object, ...]]:
    """The categories of a domain as numbers, once for all indicators; -1 for nobody's."""
    found: tuple[NDArray[np.int64], tuple[object, ...]] = design.remembered(
        ("coded", domain), lambda: design.columns.codes(category_of(domain))
    )
    return found


# ── population totals ────────────────────────────────────────────────────────────────────────────────────────


def margins_of(text: str, margins: Iterable[Sequence[str]]) -> Margins:
    """The totals of each margin from a CSV of counts: category columns and `total`; finer cells are added up.

    The file holds one classification (its cells do not overlap): each margin is the sum over the columns it lacks.
    """
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    found: dict[tuple[str, ...], dict[tuple[str, ...], float]] = {}
    for margin in margins:
        sums: dict[tuple[str, ...], float] = {}
        for row in rows:
            key = tuple(row[name] for name in margin)
            sums[key] = sums.get(key, 0.0) + float(row["total"])
        found[tuple(margin)] = sums
    return found
