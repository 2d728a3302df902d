"""How field work goes, as figures that a supervisor or a statistician reads; they are worked out in `survey.oversight`."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from survey.fieldwork.dispositions import Disposition
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


class Reached(Struct, frozen=True, kw_only=True):
    """One stratum against its design: what was drawn, how far it is, and whether those who answered stand for it.

    areas_silent: areas drawn in which nobody has answered. needs_areas: fewer than two areas with answers, so that the
    stratum has no variance of its own yet. drawn_share and answered_share: the stratum's part of the base weight of all
    households drawn, and of those that answered; where the second is far smaller the stratum is behind the others.
    """

    name: str
    areas: int
    areas_silent: int
    needs_areas: bool
    households: int
    complete: int
    open: int
    drawn_share: float
    answered_share: float


class Way(Struct, frozen=True, kw_only=True):
    """One mode: households that answered in it and their shares, counted and by base weight; attempts made in it."""

    mode: str
    complete: int
    plain: float
    weighted: float
    attempts: int


class Ending(Struct, frozen=True, kw_only=True):
    """One outcome code as the cases stand now: how many, and their shares of all, counted and by base weight."""

    disposition: Disposition
    cases: int
    plain: float
    weighted: float


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
