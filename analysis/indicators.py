"""What is estimated: the frozen values that `analysis.yaml` is read into. Data, never code.

Expressions (`universe`, `numerator`, `value` of a domain) are SQL boolean or scalar expressions over the columns
of the frozen sample, with SQL's three-valued logic: an answer that is missing is NULL, so "has a bank account and
uses it, or has a wallet" is unknown only where the answers given cannot decide it. What an unknown numerator
counts as is declared (`unknown`) and printed with the estimate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Text = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """One share: which unit, of whom, who counts. The denominator is part of the name.

    unit: "person" rows weighted by person weights, "household" rows by household weights.
    unknown: "no" counts an undecided unit in the denominator only; "exclude" leaves it out of both.
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
    unknown: Literal["no", "exclude"] = "no"
    valid_from: str = ""
    valid_to: str = ""
    note: Text = field(default_factory=dict)
    series: str = ""


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
    """What may be shown: quality by the NCHS standards for proportions, confidentiality by a minimum cell."""

    minimum_cell: int = 10
    quality: Literal["nchs", "none"] = "nchs"
    level: float = 0.95
    interval: Literal["logit", "korn_graubard", "wilson"] = "logit"
    lonely_psu: Literal["fail", "adjust", "average", "certainty", "remove"] = "adjust"


@dataclass(frozen=True, kw_only=True)
class SmallArea:
    """Modelled shares where the direct ones may not be shown: an area-level model with auxiliaries of every place.

    `auxiliaries` is a CSV with `category` (the categories of the domain), `people` (of the universe), and the numeric
    `columns`. Without the file the places stay "not available".
    """

    indicator: str
    domain: str
    auxiliaries: str
    columns: tuple[str, ...] = ()


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
    """The whole plan of estimation, declared before the field work."""

    id: str
    weighting: tuple[Step, ...]
    indicators: tuple[Indicator, ...]
    targets: tuple[Target, ...]
    domains: tuple[Domain, ...]
    derived: dict[str, str] = field(default_factory=dict)
    release: ReleaseRules = ReleaseRules()
    small_areas: tuple[SmallArea, ...] = ()
    microdata: Microdata | None = None  # none are published without it
    administrative: str = ""  # CSV of series of other sources, shown beside and never merged
