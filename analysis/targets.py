"""Is a target met? One-sided, declared beforehand, and never a yes for want of evidence.

A target is a sentence of a resolution: the share is more than T (">"), or at least T (">="). With a sample the
honest answers are three:

| verdict        | for ">"                          | for ">="                         |
| -------------- | -------------------------------- | -------------------------------- |
| met            | lower limit above T              | lower limit at or above T        |
| not met        | upper limit at or below T        | upper limit below T              |
| not determined | otherwise                        | otherwise                        |

The limits are those of the two-sided interval at level 1 - 2 alpha of one family, so each is a one-sided limit at
1 - alpha, and the verdict can never contradict the interval of the same family that stands beside it. The family is
"logit" unless the caller says otherwise, the same as the default interval of a share; "t" is the usual one-sided t
test on the share itself. The probability of a false "met" is alpha (at a true share of exactly T), and the same for
a false "not met".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import scipy

from analysis.errors import NotPossible
from analysis.estimates import Estimate
from analysis.intervals import EDGE, IntervalKind

Outcome = Literal["met", "not met", "not determined"]
Comparison = Literal[">", ">="]
SMALLEST_P = 1e-15  # below this 1 - 2 alpha is 1 in floating point


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The answer, with everything needed to check it.

    lower, upper: one-sided limits at confidence 1 - alpha each. p_met: the p-value against "the share is at most T";
    p_not_met: against "the share is at least T". Both come from the same family as the limits.
    """

    outcome: Outcome
    estimate: Estimate
    comparison: Comparison
    threshold: float
    alpha: float
    family: IntervalKind
    lower: float
    upper: float
    p_met: float
    p_not_met: float

    @property
    def met(self) -> bool:
        return self.outcome == "met"


def verdict(
    estimate: Estimate,
    threshold: float,
    comparison: Comparison = ">",
    alpha: float = 0.05,
    family: IntervalKind = "logit",
) -> Verdict:
    """The verdict on one target. `threshold` is in the units of the estimate (0.5 for 50 %)."""
    if comparison not in (">", ">="):
        raise NotPossible(f'a target compares by ">" or ">=", not by "{comparison}"')
    if not 0.0 < alpha < 0.5:
        raise NotPossible(f"alpha lies between 0 and 0.5, not at {alpha:g}")
    limits = estimate.interval(family, 1.0 - 2.0 * alpha)
    outcome: Outcome = "not determined"
    if limits.lower > threshold or (comparison == ">=" and limits.lower == threshold):
        outcome = "met"
    elif limits.upper < threshold or (comparison == ">" and limits.upper == threshold):
        outcome = "not met"
    p_met = p_value(estimate, threshold, "greater", limits.kind)
    p_not_met = p_value(estimate, threshold, "less", limits.kind)
    return Verdict(
        outcome=outcome,
        estimate=estimate,
        comparison=comparison,
        threshold=threshold,
        alpha=alpha,
        family=limits.kind,
        lower=limits.lower,
        upper=limits.upper,
        p_met=p_met,
        p_not_met=p_not_met,
    )


def p_value(
    estimate: Estimate,
    threshold: float,
    alternative: Literal["greater", "less", "two_sided"],
    family: IntervalKind = "t",
) -> float:
    """The p-value of a target: the smallest alpha at which the family's limit lies beyond the threshold.

    For "greater" the alternative is that the truth is above the threshold. "wald", "t", "logit", "asin" and "wilson"
    have closed forms; the others are found by bisection on the limit itself, so they agree with it exactly.
    """
    if alternative == "two_sided":
        one = p_value(estimate, threshold, "greater", family)
        other = p_value(estimate, threshold, "less", family)
        return math.nan if math.isnan(one) else min(1.0, 2.0 * min(one, other))
    score = _score(estimate, threshold, family)
    if score is not None:
        df = math.inf if family == "wald" else estimate.df
        signed = -score if alternative == "greater" else score
        if math.isnan(signed):
            return math.nan
        return float(scipy.special.ndtr(signed)) if math.isinf(df) else float(scipy.special.stdtr(df, signed))
    return _by_bisection(estimate, threshold, alternative, family)


def statistic(estimate: Estimate, threshold: float, family: IntervalKind = "t") -> float:
    """The test statistic on estimate.df degrees of freedom ("t", "logit", "asin", "wilson"; "wald": normal)."""
    score = _score(estimate, threshold, family)
    if score is None:
        raise NotPossible(f'"{family}" has no test statistic, only a p-value')
    return score


def _score(estimate: Estimate, threshold: float, family: IntervalKind) -> float | None:
    p, se = estimate.value, estimate.se
    if math.isnan(p) or math.isnan(se) or (family != "wald" and not estimate.df > 0):
        return math.nan
    if se == 0.0 and family in ("wald", "t"):
        return math.copysign(math.inf, p - threshold) if p != threshold else 0.0
    if family in ("wald", "t"):
        return (p - threshold) / se
    inside = EDGE < p < 1.0 - EDGE and 0.0 < threshold < 1.0 and se > 0.0
    if not inside:
        return None
    if family == "logit":
        return (math.log(p / (1.0 - p)) - math.log(threshold / (1.0 - threshold))) * p * (1.0 - p) / se
    if family == "asin":
        return (
            (math.asin(math.sqrt(p)) - math.asin(math.sqrt(threshold))) * 2.0 * math.sqrt(p * (1.0 - p)) / se
        )
    if family == "wilson":
        size = p * (1.0 - p) / (se * se)
        return (p - threshold) / math.sqrt(threshold * (1.0 - threshold) / size)
    return None


def _by_bisection(
    estimate: Estimate, threshold: float, alternative: Literal["greater", "less"], family: IntervalKind
) -> float:
    """The alpha at which limit and threshold coincide; beyond one half the evidence points the other way."""

    def beyond(alpha: float) -> bool:
        limits = estimate.interval(family, 1.0 - 2.0 * alpha)
        return limits.lower > threshold if alternative == "greater" else limits.upper < threshold

    low, high = math.log(SMALLEST_P), math.log(0.5 - 1e-12)
    if not beyond(math.exp(high)):
        return 1.0 if _contradicts(estimate, threshold, alternative) else 0.5
    if beyond(SMALLEST_P):
        return SMALLEST_P
    for _ in range(100):
        middle = (low + high) / 2.0
        if beyond(math.exp(middle)):
            high = middle
        else:
            low = middle
    return math.exp(high)


def _contradicts(estimate: Estimate, threshold: float, alternative: Literal["greater", "less"]) -> bool:
    return estimate.value < threshold if alternative == "greater" else estimate.value > threshold
