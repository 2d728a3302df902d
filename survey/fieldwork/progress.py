"""How field work goes, as figures that a supervisor or a statistician reads; they are worked out in `survey.oversight`."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from survey.problems import Text

CATEGORIES = ("I", "P", "R", "NC", "O", "UH", "UO", "NE")
"""AAPOR categories of outcomes, as `dispositions` has them."""
FORMULAS: dict[str, str] = {
    "RR1": "I / (I + P + R + NC + O + UH + UO)",
    "RR2": "(I + P) / (I + P + R + NC + O + UH + UO)",
    "RR3": "I / (I + P + R + NC + O + e (UH + UO))",
    "RR4": "(I + P) / (I + P + R + NC + O + e (UH + UO))",
    "RR5": "I / (I + P + R + NC + O)",
    "RR6": "(I + P) / (I + P + R + NC + O)",
    "COOP1": "I / (I + P + R + O)",
    "COOP3": "I / (I + P + R)",
    "REF1": "R / (I + P + R + NC + O + UH + UO)",
    "CON1": "(I + P + R + O) / (I + P + R + NC + O + UH + UO)",
}
"""AAPOR, Standard Definitions: the rates shown, each with its formula."""


class Rates(Struct, frozen=True, kw_only=True):
    """One commune, official or mode: cases by category, and its rates, counted and by base weight (NaN: no cases)."""

    name: str
    counts: Mapping[str, int]
    plain: Mapping[str, float]
    weighted: Mapping[str, float]

    @property
    def cases(self) -> int:
        return sum(self.counts.values())


class StratumPrecision(Struct, frozen=True, kw_only=True):
    """One stratum of one indicator: what it stands at, and how many of the further interviews would go there."""

    name: str
    n: int
    value: float
    half_width: float
    expected_half_width: float
    more: int = 0


class Precision(Struct, frozen=True, kw_only=True):
    """One indicator now and at the expected end of field work.

    half_width: of the 95 % interval now; expected_half_width: with `expected_n`. outcome: of the target as things
    stand, "" where there is none. needed: interviews in all that would decide it, None if these areas never would.
    """

    indicator: str
    name: Text
    n: int
    value: float
    half_width: float
    expected_n: int
    expected_half_width: float
    threshold: float | None = None
    outcome: str = ""
    needed: int | None = None
    strata: tuple[StratumPrecision, ...] = ()


class Report(Struct, frozen=True, kw_only=True):
    """All indicators at one moment; `complete` of `cases` households have answered, `expected` will have."""

    at: int
    cases: int
    complete: int
    expected: int
    indicators: tuple[Precision, ...]
