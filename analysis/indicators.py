"""What is estimated: the frozen values that `analysis.yaml` is read into. Data, never code.

Expressions (`universe`, `numerator`, `value` of a domain) are SQL boolean or scalar expressions over the columns
of the frozen sample, with SQL's three-valued logic: an answer that is missing is NULL, so "has a bank account and
uses it, or has a wallet" is unknown only where the answers given cannot decide it. What an unknown numerator
counts as is declared, for "don't know" and for "refused" apart, and printed with the estimate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Text = dict[str, str]
Treatment = Literal["no", "exclude"]
Openness = Literal["dont_know", "refused", "other"]
"""Why a unit is undecided: an answer that its numerator rests on was refused; else one is "don't know"; else one was lost
or never asked."""


@dataclass(frozen=True, kw_only=True)
class Ages:
    """The first and the last age in full years, both included; None for no bound."""

    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """One share: which unit, of whom, who counts. The denominator is part of the name.

    unit: "person" rows weighted by person weights, "household" rows by household weights.
    unknown: "no" counts an undecided unit in the denominator only; "exclude" leaves it out of both.
    dont_know, refused: the same for those undecided by a "don't know" or by a refusal alone; None: as `unknown` says.
    ages: of those it counts, in addition to `universe`.
    valid_from, valid_to: ISO days between which the definition is in force, the last one included.
    series: code of the international series that it measures (SDG series, ITU core indicator), for exchange by SDMX.
    """

    id: str
    name: Text
    unit: Literal["person", "household"]
    universe: str
    numerator: str
    denominator: Text
    source: str
    edition: str
    reference_period: Text
    unknown: Treatment = "no"
    dont_know: Treatment | None = None
    refused: Treatment | None = None
    ages: Ages = Ages()
    valid_from: str = ""
    valid_to: str = ""
    note: Text = field(default_factory=dict)
    series: str = ""

    @property
    def treatments(self) -> dict[Openness, Treatment]:
        """What an undecided unit counts as, by what leaves it undecided."""
        return {
            "dont_know": self.dont_know or self.unknown,
            "refused": self.refused or self.unknown,
            "other": self.unknown,
        }

    def asked(self, age: str = "age") -> str:
        """Who is in the denominator, as one expression: the universe and the bounds of age (`age`: years, by the plan)."""
        first, last = self.ages.first, self.ages.last
        parts = [self.universe] if self.universe != "true" or (first is last is None) else []
        parts += [f"{age} >= {first}"] if first is not None else []
        parts += [f"{age} <= {last}"] if last is not None else []
        return parts[0] if len(parts) == 1 else " AND ".join(f"({part})" for part in parts)

    def in_force(self, day: str) -> bool:
        """Is the definition valid on this ISO day?"""
        return (not self.valid_from or self.valid_from <= day) and (not self.valid_to or day <= self.valid_to)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A sentence of a resolution made testable: `share` of `indicator` compared by `comparison` with `threshold`.

    comparison ">" is met only when the one-sided lower bound lies above the threshold (strictly), and ">=" when it
    is not below it. `alpha` is declared before the field work. `means` says that this is the operationalisation
    the text itself calls for; others stand beside it.
    """

    id: str
    text: Text
    instrument: str
    due: str
    indicator: str
    comparison: Literal[">", ">="]
    threshold: float
    alpha: float = 0.05
    means: bool = True
    note: Text = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A breakdown: `value` gives each unit's category; `labels` names them in order of print.

    `dimension`: the dimension of the international series that it is, for exchange by SDMX.
    """

    id: str
    name: Text
    value: str
    labels: dict[str, Text] = field(default_factory=dict)
    unit: Literal["person", "household", "both"] = "both"
    dimension: Literal["", "SEX", "AGE", "URBANISATION", "REF_AREA"] = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One weighting step, in order.

    "base" 1/probability · "unknown_eligibility" shares out unresolved cases · "nonresponse" by cells of `by`,
    cells under `minimum` respondents or over `maximum_factor` merged with the next · "selection" times the number
    eligible for the person drawn · "rake" to the margins of `totals` (CSV: columns of one margin each, `total`)
    · "trim" to [lower, upper] times the median.
    """

    step: Literal["base", "unknown_eligibility", "nonresponse", "selection", "rake", "trim"]
    unit: Literal["person", "household"] = "household"
    by: tuple[str, ...] = ()
    margins: tuple[tuple[str, ...], ...] = ()
    totals: str = ""
    minimum: int = 30
    maximum_factor: float = 3.0
    lower: float = 0.0
    upper: float = float("inf")


@dataclass(frozen=True, kw_only=True)
class ReleaseRules:
    """What may be shown: quality by a standard for proportions, confidentiality by a minimum cell.

    quality: "nchs" by the Korn-Graubard interval; "statcan" by the coefficient of variation, with E for caution.
    flags: "statcan" writes beside each figure what its coefficient of variation would say, and decides nothing.
    """

    minimum_cell: int = 10
    quality: Literal["nchs", "statcan", "none"] = "nchs"
    flags: Literal["none", "statcan"] = "none"
    level: float = 0.95
    interval: Literal["logit", "korn_graubard", "wilson"] = "logit"
    lonely_psu: Literal["fail", "adjust", "average", "certainty", "remove"] = "adjust"


@dataclass(frozen=True, kw_only=True)
class SmallArea:
    """Modelled shares where the direct ones may not be shown.

    `auxiliaries` is a CSV with `category` (the categories of the domain), `people` (of the universe), and the numeric
    `columns`, for the area-level model. Without the file the places stay "not available".

    `census` is a CSV with `category`, the domains named in `by`, and `people` (of the universe) in each combination: with
    it a model of single people (logistic on the groups and the same `columns`, with a level of each place) looks at the
    same places. `publish` says whose
    figures are shown; where the two contradict each other none are.
    """

    indicator: str
    domain: str
    auxiliaries: str
    columns: tuple[str, ...] = ()
    census: str = ""
    by: tuple[str, ...] = ()
    publish: Literal["area", "unit"] = "area"


@dataclass(frozen=True, kw_only=True)
class Microdata:
    """Public-use microdata with every release: rows by which nobody is to be found.

    `keys`: what somebody could know of a person they look for: domains of the plan, then single-choice questions, the
    most useful first. Each combination is to hold `minimum` rows. `group`: PSUs that a replicate leaves out together.
    """

    keys: tuple[str, ...] = ()
    minimum: int = 5
    group: int = 3


@dataclass(frozen=True, kw_only=True)
class AnalysisPlan:
    """The whole plan of estimation, declared before the field work.

    multiplicity: "each" target has its own alpha; "bonferroni" shares it out over all verdicts, so that the probability
    of any false one stays within alpha. It keeps each verdict in line with the limits that stand beside it, which
    methods in steps (Holm) do not.
    age: expression of a person's age in full years, for the `ages` of indicators.
    limits, modes_note: what the figures of this survey do not say; why ways of answering differ. For the method note.
    """

    id: str
    weighting: tuple[Step, ...]
    indicators: tuple[Indicator, ...]
    targets: tuple[Target, ...]
    domains: tuple[Domain, ...]
    derived: dict[str, str] = field(default_factory=dict)
    release: ReleaseRules = ReleaseRules()
    small_areas: tuple[SmallArea, ...] = ()
    microdata: Microdata | None = None  # none are published without it
    multiplicity: Literal["each", "bonferroni"] = "each"
    age: str = "age"
    limits: Text = field(default_factory=dict)
    modes_note: Text = field(default_factory=dict)
    administrative: str = ""  # CSV of series of other sources, shown beside and never merged

    def alpha_of(self, target: Target) -> float:
        """The error rate at which this target is judged: its own, or its part of it. All targets of the plan share, also
        one whose figure may come to be held back: the number is declared, not found."""
        return target.alpha / len(self.targets) if self.multiplicity == "bonferroni" else target.alpha
