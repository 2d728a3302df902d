"""Trimming: extreme weights are cut and what is cut off is shared out, so that their sum stays.

Trimming trades bias for variance: use it when a few weights dominate, report it, and calibrate again afterwards. The
variance takes the trimmed weights as given. Sources: Potter (1990); R `survey::trimWeights` for "equal".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.columns import FloatArray
from analysis.design import Design
from analysis.errors import DesignError, NotConverged, NotPossible
from analysis.nonresponse import Report

Sharing = Literal["equal", "proportional"]
ROUNDING = 1e-12  # a weight that is outside by less is not outside


@dataclass(frozen=True, eq=False)
class Trimmed:
    """Trimming as the design remembers it; replicates are trimmed at the same limits."""

    lower: float
    upper: float
    sharing: Sharing
    strict: bool
    name = "trim"
    takes_off_nothing = True

    def residuals(self, weighted: FloatArray) -> FloatArray:
        return weighted

    def reweight(self, weights: FloatArray) -> FloatArray:
        return np.stack([_trim(column, self) for column in weights.T], axis=1)


def trim(
    design: Design,
    lower: float = 0.0,
    upper: float = np.inf,
    *,
    sharing: Sharing = "equal",
    strict: bool = False,
) -> tuple[Design, Report]:
    """Cut weights to [lower, upper] and share the difference out among those not cut.

    sharing: the same amount to each ("equal", as R does) or in proportion to the weight (Potter). strict: repeat until
    none lies outside. Raises NotPossible when the mean weight lies outside the limits: then no sharing can help; and
    when what is taken from the others to raise small weights would make one of them negative.
    """
    if not 0.0 <= lower < upper:
        raise DesignError(f"limits must satisfy 0 <= lower < upper, not {lower:g} and {upper:g}")
    step = Trimmed(lower, upper, sharing, strict)
    changed = design.with_weights(_trim(design.weight, step), step)
    return changed, Report.of("trim", changed)


def _trim(weight: FloatArray, step: Trimmed) -> FloatArray:
    there = weight > 0
    mean = float(weight[there].mean())
    if not step.lower <= mean <= step.upper:
        raise NotPossible(f"the mean weight {mean:.6g} lies outside {step.lower:g} to {step.upper:g}")
    current = weight.copy()
    for _ in range(1000):
        outside = there & ((current < step.lower * (1 - ROUNDING)) | (current > step.upper * (1 + ROUNDING)))
        if not outside.any():
            break
        cut = np.where(there, np.clip(current, step.lower, step.upper), current)
        free = there & ~outside
        if not free.any():
            raise NotPossible("every weight lies outside the limits")
        excess = float(current.sum() - cut.sum())
        if step.sharing == "equal":
            current = np.where(free, cut + excess / int(free.sum()), cut)
        else:
            current = np.where(free, cut * (1.0 + excess / float(cut[free].sum())), cut)
        if not step.strict:
            break
    else:
        raise NotConverged(f"weights do not settle between {step.lower:g} and {step.upper:g}")
    if current[there].min() < 0.0:
        raise NotPossible(
            "raising the small weights takes more than the others have: say strict, or lower `lower`"
        )
    return current
