"""A release as one frozen value: every figure with its error, every verdict, how the weights came about.

`survey.publish` computes it, `survey.publication.site` shows it, files are written from it and nothing else. A figure that is
held back carries no number at all: it is absent from the value, so no file and no page can leak it.

Shares are fractions (0.512), not percentages. Totals are people or households of the population.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from analysis.indicators import AnalysisPlan, Domain, Indicator, Target
from survey.problems import Text

Verdict = Literal["met", "not_met", "not_determined"]


class Cell(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One share of one indicator in one category of one domain; domain and category are "" for the whole territory.

    lower, upper: the interval of the release rules (logit unless they say otherwise); kg_lower, kg_upper: the
    Korn-Graubard interval that the presentation standard looks at. `unknown` is the weighted share of the
    universe whose answers cannot decide the numerator, `dont_know` and `refused` the parts of it that a "don't know" or a
    refusal leaves undecided (of the whole territory only). `having` and `total` are estimated people or households.
    All numbers are None when status is not "show"; the only reason given for an x is "confidential".
    """

    indicator: str
    domain: str = ""
    category: str = ""
    status: Literal["show", "F", "x"] = "show"
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    value: float | None = None
    se: float | None = None
    lower: float | None = None
    upper: float | None = None
    kg_lower: float | None = None
    kg_upper: float | None = None
    n: int | None = None
    effective_n: float | None = None
    df: float | None = None
    deff: float | None = None
    unknown: float | None = None
    dont_know: float | None = None
    refused: float | None = None
    having: float | None = None
    total: float | None = None


class Contrast(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one would have said without weights, or from one mode alone. NOT an estimate of the population.

    `mode` is "" for all respondents unweighted; else only those who answered in this mode, with their weights.
    """

    indicator: str
    mode: str = ""
    status: Literal["show", "F", "x"] = "show"
    reasons: tuple[str, ...] = ()
    value: float | None = None
    n: int | None = None


class Modelled(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A share that a model says of a place whose direct estimate may not be shown. NOT a measurement, never a verdict.

    Shares are rounded to a tenth of a point. `synthetic`: the place had no interviews that could be used. `needed`:
    interviews it would take there until a direct estimate may be shown. No value when the model is not fit to be shown.
    """

    indicator: str
    domain: str
    category: str
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    rmse: float | None = None
    synthetic: bool = False
    needed: int = 0


class SecondModel(Struct, frozen=True, kw_only=True):
    """The model of single people beside the area-level one: how alike places are after `by`, and how far the two agree.

    spread: standard deviation of the levels of places on the logit scale. agreement: share of places where the two
    shares differ by no more than 1.96 of their joint error; gap: median of the difference.
    """

    by: tuple[str, ...]
    people: int
    spread: float
    agreement: float
    gap: float


class Model(Struct, frozen=True, kw_only=True):
    """How far a small area model is to be trusted: what a reviewer looks at (`analysis.smallarea.Diagnostics`)."""

    indicator: str
    domain: str
    places: int
    interviewed: int
    shown: bool
    columns: tuple[str, ...]
    method: str
    median_gamma: float
    coverage: float
    goodness_p: float
    normality: float
    slope: float | None
    left_out: float  # share of places whose direct estimate the others predict within 1.96 standard errors
    gain: float  # median of modelled over sampling variance
    published: Literal["area", "unit"] = "area"
    second: SecondModel | None = None


class Series(Struct, frozen=True, kw_only=True):
    """One figure of another source, beside an indicator: what banks or operators count. Never merged."""

    indicator: str
    name: Text
    period: str
    value: float
    unit: Text
    source: str


class Decision(Struct, frozen=True, kw_only=True):
    """The verdict on one target: one-sided at its declared alpha, with the figures it rests on.

    `sharing`: verdicts that share the alpha declared for this target (Bonferroni); `alpha` is what is left of it.

    `bound_low` and `bound_high` are the one-sided limits at 1 - alpha: met when the lower lies above the threshold,
    not met when the upper lies below, else not determined. `p_met` is the p-value against "the share does not
    exceed it", `p_not_met` that against "it does"; all from the interval of the release rules.
    """

    target: str
    indicator: str
    verdict: Verdict
    threshold: float
    comparison: Literal[">", ">="]
    alpha: float
    value: float
    bound_low: float
    bound_high: float
    p_met: float
    p_not_met: float
    df: float
    sharing: int = 1


class Margin(Struct, frozen=True, kw_only=True):
    """One category of a population margin: what the weights said before raking, and what the population holds."""

    columns: tuple[str, ...]
    category: tuple[str, ...]
    before: float
    population: float


class StepReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The weights after one step: their sum, spread and extremes, and what had to be merged.

    `kish` is 1 + cv²: the loss of precision by unequal weights alone (Kish 1965). trimmed: how many weights were cut.
    margins: of a raking step, sorted by how far the sample was from the population.
    """

    step: str
    unit: Literal["person", "household"]
    n: int
    sum: float
    cv: float
    kish: float
    smallest: float
    largest: float
    cells: int = 0
    merged: tuple[str, ...] = ()  # "small cell → the cell it joined"
    trimmed: int = 0
    margins: tuple[Margin, ...] = ()


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One figure that differs from the release before: it is new, gone, held back, shown, or has another value.

    Values stand only where a release shows them.
    """

    indicator: str
    domain: str = ""
    category: str = ""
    kind: Literal["new", "gone", "held", "shown", "value"]
    before: float | None = None
    after: float | None = None


class Round(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Another round that this one is compared with, and what makes its release known again.

    `otherwise` are indicators that were defined in other words then: they are not compared.
    """

    survey: str
    number: int
    reference: str
    manifest: str  # SHA-256
    otherwise: tuple[str, ...] = ()


class Trend(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One share now and in an earlier round, where both releases show it (`analysis.trend`).

    before_lower, before_upper: its interval then. `change` is now less before, with its t interval at the level of the
    release rules; `p_value` is two-sided, of "nothing has changed", for this figure alone.
    """

    indicator: str
    domain: str = ""
    category: str = ""
    reference: str  # the day of the earlier round
    before: float
    before_lower: float
    before_upper: float
    change: float
    se: float
    lower: float
    upper: float
    df: float
    p_value: float


class Outcomes(Struct, frozen=True, kw_only=True):
    """Final outcomes of the sampled households and AAPOR rates, unweighted and weighted by the base weights."""

    complete: int
    counts: dict[str, int]  # disposition code → households
    by_mode: dict[str, int]
    rates: dict[str, float]
    weighted_rates: dict[str, float]
    persons: int  # people whose answers the person figures rest on
    representative: float | None = None  # R-indicator of the answers over the strata: 1 when all answer alike


class Drawing(Struct, frozen=True, kw_only=True):
    """How the sample was drawn and asked, for the method note: as planned in `survey.yaml` and the questionnaire.

    people: whom the questionnaire asks in a household: "drawn" (one at random), "all" of a list, or "none" by name.
    """

    allocation: str
    reserve: int
    modes: tuple[str, ...]
    people: Literal["drawn", "all", "none"]


class Release(Struct, frozen=True, kw_only=True):
    """Everything that is published about one round, and nothing that is not."""

    survey: str
    title: Text
    organiser: Text
    territory: Text
    reference: str  # the day the figures are about, ISO
    fieldwork: tuple[str, str]
    synthetic: bool
    frozen: dict[str, str]  # name of each frozen file → its SHA-256
    folder: str  # hash of the survey folder whose plan was followed
    questionnaire_version: str
    software: str
    plan: AnalysisPlan
    design: dict[str, int]  # strata, psus, households, communes of the sample
    names: dict[str, dict[str, Text]]  # domain → category → what to print, in order of print
    cells: tuple[Cell, ...]
    contrasts: tuple[Contrast, ...]
    decisions: tuple[Decision, ...]
    weighting: tuple[StepReport, ...]
    outcomes: Outcomes
    drawing: Drawing | None = None
    modelled: tuple[Modelled, ...] = ()
    models: tuple[Model, ...] = ()
    series: tuple[Series, ...] = ()
    regions: dict[str, str] = {}  # place → the larger area it lies in, as anybody can read on a map
    number: int = 1  # of the releases of this survey
    previous: str = ""  # SHA-256 of the manifest of the release before
    embargo: str = ""  # ISO time before which nothing is to be made public
    changes: tuple[Change, ...] = ()  # since the release before
    rows_of: int | None = (
        None  # earlier release whose microdata stand; 0: none can be given beside what was told before
    )
    rounds: tuple[Round, ...] = ()  # earlier rounds, the latest first
    trends: tuple[Trend, ...] = ()  # by indicator and place; the latest round first
    truth: dict[
        str, dict[str, float]
    ] = {}  # synthetic rounds: indicator → "" or "domain=category" → true share

    def since(self, before: Release) -> tuple[Change, ...]:
        """What differs from an earlier release, in the order of print; figures that are gone come last."""
        old = {(one.indicator, one.domain, one.category): one for one in before.cells}
        new = {(one.indicator, one.domain, one.category): one for one in self.cells}
        found = []
        for place in [*new, *(place for place in old if place not in new)]:
            was, now = old.get(place), new.get(place)
            kind: Literal["new", "gone", "held", "shown", "value"]
            if was is None:
                kind = "new"
            elif now is None:
                kind = "gone"
            elif (was.status == "show") != (now.status == "show"):
                kind = "shown" if now.status == "show" else "held"
            elif was.value != now.value:
                kind = "value"
            else:
                continue
            found.append(
                Change(
                    indicator=place[0],
                    domain=place[1],
                    category=place[2],
                    kind=kind,
                    before=was.value if was else None,
                    after=now.value if now else None,
                )
            )
        return tuple(found)

    def indicator(self, id: str) -> Indicator:
        return next(one for one in self.plan.indicators if one.id == id)

    def target(self, id: str) -> Target:
        return next(one for one in self.plan.targets if one.id == id)

    def domain(self, id: str) -> Domain:
        return next(one for one in self.plan.domains if one.id == id)

    def cell(self, indicator: str, domain: str = "", category: str = "") -> Cell:
        """The figure at this place; raises KeyError when the release has no such place."""
        for one in self.cells:
            if (one.indicator, one.domain, one.category) == (indicator, domain, category):
                return one
        raise KeyError((indicator, domain, category))

    def table(self, indicator: str, domain: str) -> tuple[Cell, ...]:
        """The figures of one indicator by one domain, in the order its categories are printed."""
        return tuple(one for one in self.cells if one.indicator == indicator and one.domain == domain)

    def true_share(self, indicator: str, domain: str = "", category: str = "") -> float | None:
        """What the synthetic population holds at this place, when it was given."""
        key = f"{domain}={category}" if domain else ""
        shares: Mapping[str, float] = self.truth.get(indicator, {})
        return shares.get(key)

    def decision(self, indicator: str) -> Decision | None:
        """The verdict that rests on this indicator, if a target does."""
        return next((one for one in self.decisions if one.indicator == indicator), None)
