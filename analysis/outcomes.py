"""Outcome rates of a survey by the AAPOR Standard Definitions, unweighted or weighted.

Counts by final outcome: I complete, P partial, R refusal and break-off, NC non-contact, O other eligible, UH unknown
whether a dwelling, UO unknown otherwise, NE not eligible. Always say which rate: RR5 and RR6 leave unknown cases out
and may be called a response rate only when there are none or none of them is eligible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from analysis.columns import BoolArray, FloatArray
from analysis.errors import DesignError, some


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

    def __post_init__(self) -> None:
        wrong = [name for name, count in asdict(self).items() if not 0.0 <= count < float("inf")]
        if wrong:
            raise DesignError(f"outcomes are counted by numbers from 0 on; not so {some(wrong)}")

    @classmethod
    def of(cls, categories: Iterable[str], weights: Iterable[float] | None = None) -> Outcomes:
        """Cases counted by their final outcome, or their base weights added up.

        Count the households first drawn: a household that took the place of another is no case of its own, and its
        answer does not make up for the one that was lost.
        """
        counts: dict[str, float] = {}
        pairs = (
            ((name, 1.0) for name in categories) if weights is None else zip(categories, weights, strict=True)
        )
        for category, weight in pairs:
            counts[str(category)] = counts.get(str(category), 0.0) + float(weight)
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(counts) - known)
        if unknown:
            raise DesignError(
                f"no final outcome is called {some(unknown)}; there are {', '.join(sorted(known))}"
            )
        return cls(**counts)

    @property
    def e(self) -> float:
        """Estimated share of eligible cases among the unknown: as among the known (proportional allocation)."""
        known = self.I + self.P + self.R + self.NC + self.O
        return known / (known + self.NE) if known + self.NE else 1.0


def rates(counts: Outcomes, e: float | None = None) -> dict[str, float]:
    """RR1-RR6, COOP1-COOP4, REF1-REF3, CON1-CON3 and the `e` used; a rate without cases is nan.

    e: the share of eligible cases among the unknown, where something better is known of them than that they are like
    the resolved ones (None); say with the figures where it comes from. Where a person is drawn in each household the
    overall rate is the product of the households' and the persons'.

    Source: AAPOR, Standard Definitions (2016), p. 61-66; `e` by the CASRO method of the AAPOR calculator.
    """
    complete, some = counts.I, counts.I + counts.P
    known = some + counts.R + counts.NC + counts.O
    unknown = counts.UH + counts.UO
    if e is None:
        e = counts.e
    if not 0.0 <= e <= 1.0:
        raise DesignError(f"e is a share between 0 and 1, not {e:g}")
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


def r_indicator(
    answered: Sequence[bool] | BoolArray, group: Sequence[str] | NDArray[np.object_], weight: FloatArray
) -> float:
    """1 - 2 S(rho): 1 when every group of the frame answers alike, lower the more they differ.

    rho is the weighted response rate of the group of each eligible case, S its standard deviation, less the part that
    chance alone makes in groups of that size (else few cases a group would look unrepresentative). It speaks of the
    groups given and of nothing else. Schouten, Cobben and Bethlehem 2009 (Survey Methodology 35: 101-113); Shlomo,
    Skinner and Schouten 2012 (JSPI 142: 201-211) for the correction.
    """
    told = np.asarray(answered, dtype=np.float64)
    _, code = np.unique(np.asarray(group, dtype=str), return_inverse=True)
    size, cases = np.bincount(code, weight), np.bincount(code)
    rate = np.bincount(code, weight * told) / size
    whole = float((size * rate).sum() / size.sum())
    spread = float((size * (rate - whole) ** 2).sum() / size.sum())
    chance = float((size * rate * (1.0 - rate) / np.maximum(cases - 1, 1)).sum() / size.sum())
    return 1.0 - 2.0 * float(np.sqrt(max(spread - chance, 0.0)))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
