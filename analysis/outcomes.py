"""Outcome rates of a survey by the AAPOR Standard Definitions, unweighted or weighted.

Counts by final outcome: I complete, P partial, R refusal and break-off, NC non-contact, O other eligible, UH unknown
whether a dwelling, UO unknown otherwise, NE not eligible. Always say which rate: RR5 and RR6 leave unknown cases out
and may be called a response rate only when there are none or none of them is eligible.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcomes:
    """Numbers (or sums of base weights) of cases by final outcome."""

    I: float = 0.0  # noqa: E741 - AAPOR's own letters
    P: float = 0.0
    R: float = 0.0
    NC: float = 0.0
    O: float = 0.0  # noqa: E741
    UH: float = 0.0
    UO: float = 0.0
    NE: float = 0.0

    @property
    def e(self) -> float:
        """Estimated share of eligible cases among the unknown: as among the known (proportional allocation)."""
        known = self.I + self.P + self.R + self.NC + self.O
        return known / (known + self.NE) if known + self.NE else 1.0


def rates(counts: Outcomes) -> dict[str, float]:
    """RR1-RR6, COOP1-COOP4, REF1-REF3, CON1-CON3 and the `e` used; a rate without cases is nan.

    Source: AAPOR, Standard Definitions (2016), p. 61-66; `e` by the CASRO method of the AAPOR calculator.
    """
    complete, some = counts.I, counts.I + counts.P
    known = some + counts.R + counts.NC + counts.O
    unknown = counts.UH + counts.UO
    e = counts.e
    bottoms = {1: known + unknown, 3: known + e * unknown, 5: known}
    contacted = some + counts.R + counts.O
    result = {"e": e}
    for number, bottom in bottoms.items():
        result[f"RR{number}"] = _share(complete, bottom)
        result[f"RR{number + 1}"] = _share(some, bottom)
    result["COOP1"] = _share(complete, contacted)
    result["COOP2"] = _share(some, contacted)
    result["COOP3"] = _share(complete, some + counts.R)
    result["COOP4"] = _share(some, some + counts.R)
    for number, bottom in zip((1, 2, 3), bottoms.values(), strict=True):
        result[f"REF{number}"] = _share(counts.R, bottom)
        result[f"CON{number}"] = _share(contacted, bottom)
    return result


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
