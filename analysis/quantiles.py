"""Quantiles with Woodruff's interval: the interval of a share, read back through the distribution.

The value q is the inverse of the weighted distribution function F by one of twelve rules. Its interval comes from an
interval for the share of people at or below q, whose ends are sent through the same inverse; the standard error is
the interval's width over 2 t (Woodruff 1952, JASA 47: 635-646; Francisco and Fuller 1991 for "score").

| rule         | inverse of F at p (weights w, ordered values x, cumulative shares P_k)                                |
| ------------ | ------------------------------------------------------------------------------------------------------ |
| math, hf1    | smallest x_k with P_k >= p                                                                             |
| school, hf2  | the same, but the mean of two neighbours where P_k = p exactly                                         |
| hf3          | nearest even order statistic where P_k = p                                                             |
| hf4 ... hf9  | linear between points (P_k): Hyndman and Fan 1996, American Statistician 50: 361-365, weighted forms   |
| shahvaish    | Shah and Vaish 2006                                                                                    |

Cumulative shares are compared with a relative tolerance: exact comparison, as R has it, lets the order of addition
decide. A p below the first step gives the smallest value (R survey 4.1 gives the second smallest).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from analysis.columns import BoolArray, FloatArray, Label
from analysis.design import Design
from analysis.errors import NotPossible, some
from analysis.estimates import DegreesOfFreedom, Missing, domain_masks, estimate
from analysis.estimators import Mean, Proportion
from analysis.intervals import Interval, interval, t_quantile

Rule = Literal["math", "school", "shahvaish", "hf1", "hf2", "hf3", "hf4", "hf5", "hf6", "hf7", "hf8", "hf9"]
Woodruff = Literal["mean", "xlogit", "beta", "asin", "score"]
TOLERANCE = 1e-11  # of cumulative shares


@dataclass(frozen=True, kw_only=True)
class Quantile:
    """One quantile with its interval and standard error; `lower` or `upper` is NaN where the data end before it."""

    column: str
    probability: float
    value: float
    se: float
    lower: float
    upper: float
    level: float
    df: float
    n: int
    rule: Rule
    method: Woodruff
    domain: Mapping[str, Label] = field(default_factory=dict)

    @property
    def interval(self) -> Interval:
        return Interval(self.lower, self.upper, self.level, "t")


def quantiles(
    design: Design,
    column: str,
    probabilities: Sequence[float] = (0.5,),
    *,
    by: str | Sequence[str] | None = None,
    where: str | BoolArray | None = None,
    missing: Missing = "error",
    rule: Rule = "math",
    method: Woodruff = "mean",
    level: float = 0.95,
    df: DegreesOfFreedom = "domain",
    compat: Sequence[str] = (),
) -> tuple[Quantile, ...]:
    """Quantiles of a numeric column, domain by domain. `method` is the interval of the share behind the interval.

    With replicates the share's variance comes from the replicates: the quantile itself is not smooth, and the
    jackknife of a quantile is not consistent.

    compat: "R.score" places the ends of the score interval by unweighted shares, "R.shahvaish" leaves the weights
    of that rule unscaled, as R survey does (both differ from the papers as soon as weights do). "R.first_step" takes
    for a p below the first step the second smallest value ("hf4": goes on below the smallest), as R survey 4.1 does.
    "R.rows" lets the beta interval count all rows, not the domain's, as R does in a domain of a calibrated design.
    """
    if unknown := set(compat) - {"R.score", "R.shahvaish", "R.first_step", "R.rows"}:
        raise NotPossible(f"unknown compat: {some(sorted(unknown))}")
    if rule not in RULES:
        raise NotPossible(f'rule="{rule}" is not one of {some(RULES, 12)}')
    for probability in probabilities:
        if not 0.0 < probability < 1.0:
            raise NotPossible(f"a quantile's probability lies between 0 and 1, not at {probability:g}")
    values = design.columns.numbers(column)
    # Says who has no value, or counts them, exactly as for a mean.
    present = estimate(design, Mean(column), by=by, where=where, missing=missing, df=df, deff=False)
    found: list[Quantile] = []
    for mean, (label, mask) in zip(present, domain_masks(design, by, where, values), strict=True):
        inside = mask & (design.weight != 0)
        chosen = RULES[rule]
        if rule == "shahvaish" and "R.shahvaish" in compat:
            chosen = _shah_vaish_unscaled
        elif rule in _STEPS and "R.first_step" in compat:
            chosen = _second_smallest(rule)
        inverse = _Inverse(values[inside], design.weight[inside], chosen)
        found += [
            _one(
                design,
                column,
                values,
                mask,
                inverse,
                probability,
                rule,
                method,
                level,
                mean.df,
                label,
                _rows(design, design.weight != 0) if "R.rows" in compat else _rows(design, mask),
                "R.score" in compat,
            )
            for probability in probabilities
        ]
    return tuple(found)


def _one(
    design: Design,
    column: str,
    values: FloatArray,
    mask: BoolArray,
    inverse: _Inverse,
    probability: float,
    rule: Rule,
    method: Woodruff,
    level: float,
    df: float,
    label: Mapping[str, Label],
    rows: float,
    unweighted_score: bool,
) -> Quantile:
    value = inverse(probability)
    tail = (1.0 - level) / 2.0
    if method == "score":
        lower, upper = _score_interval(design, values, mask, inverse, probability, df, tail, unweighted_score)
    else:
        below = design.with_columns(at_or_below=(values <= value).astype(np.float64))
        share = estimate(below, Proportion("at_or_below"), where=mask, df=df, deff=False)[0]
        kinds = {"mean": "t", "xlogit": "logit", "beta": "korn_graubard", "asin": "asin"}
        kind = kinds[method]
        limits = interval(kind, share.value, share.se, df, rows, level=level)  # type: ignore[arg-type]
        lower = inverse(limits.lower) if limits.lower >= 0.0 else math.nan
        upper = inverse(limits.upper) if limits.upper <= 1.0 else math.nan
    return Quantile(
        column=column,
        probability=probability,
        value=value,
        se=(upper - lower) / (-2.0 * t_quantile(tail, df)),
        lower=lower,
        upper=upper,
        level=level,
        df=df,
        n=int(np.count_nonzero(mask & (design.weight != 0))),
        rule=rule,
        method=method,
        domain=label,
    )


def _rows(design: Design, mask: BoolArray) -> float:
    return float(np.count_nonzero(mask & (design.weight != 0)))


class _Inverse:
    """The inverse of a weighted distribution function by one rule; sorted once, asked often."""

    def __init__(
        self,
        values: FloatArray,
        weights: FloatArray,
        rule: Callable[[FloatArray, FloatArray, float], float],
    ) -> None:
        order = np.argsort(values, kind="stable")
        self.values, self.weights, self._rule = values[order], weights[order], rule

    def __call__(self, probability: float) -> float:
        return self._rule(self.values, self.weights, probability)


def _step(weights: FloatArray, probability: float) -> tuple[int, bool]:
    """The first position at which the cumulative share reaches p, and whether it meets it exactly."""
    cumulative = np.cumsum(weights)
    target = probability * cumulative[-1]
    margin = TOLERANCE * cumulative[-1]
    position = int(np.searchsorted(cumulative, target - margin))
    position = min(position, weights.size - 1)
    return position, bool(abs(cumulative[position] - target) <= margin)


def _math(values: FloatArray, weights: FloatArray, probability: float) -> float:
    return float(values[_step(weights, probability)[0]])


def _school(values: FloatArray, weights: FloatArray, probability: float) -> float:
    position, exact = _step(weights, probability)
    following = min(position + 1, values.size - 1)
    return float((values[position] + values[following]) / 2.0 if exact else values[position])


def _even(values: FloatArray, weights: FloatArray, probability: float) -> float:
    values, code = np.unique(values, return_inverse=True)
    position, exact = _step(np.bincount(code, weights=weights).astype(np.float64), probability)
    # Positions count from 1 in the rule; where F meets p at an odd one the next is taken.
    if exact and position % 2 == 0:
        position = min(position + 1, values.size - 1)
    return float(values[position])


def _linear(
    points: Callable[[FloatArray, FloatArray], FloatArray],
) -> Callable[[FloatArray, FloatArray, float], float]:
    def rule(values: FloatArray, weights: FloatArray, probability: float) -> float:
        if values.size == 1:
            return float(values[0])
        cumulative = np.cumsum(weights)
        return float(np.interp(probability, points(weights, cumulative), values))

    return rule


def _shah_vaish(values: FloatArray, weights: FloatArray, probability: float) -> float:
    relative = weights / weights.mean()
    points = (np.cumsum(relative) + 0.5 - relative / 2.0) / (values.size + 1.0)
    position = int(np.searchsorted(points, probability, side="right")) - 1
    return float(values[max(position, 0)])


def _shah_vaish_unscaled(values: FloatArray, weights: FloatArray, probability: float) -> float:
    points = (np.cumsum(weights / weights.mean()) + 0.5 - weights / 2.0) / (values.size + 1.0)
    order = np.argsort(points, kind="stable")
    position = int(np.searchsorted(points[order], probability, side="right")) - 1
    return float(values[order][max(position, 0)])


def _second_smallest(rule: Rule) -> Callable[[FloatArray, FloatArray, float], float]:
    """The rule as R survey 4.1 has it, which below the first step counts from the second value."""

    def of(values: FloatArray, weights: FloatArray, probability: float) -> float:
        steps, sizes = values, weights
        if rule == "hf3":
            steps, code = np.unique(values, return_inverse=True)
            sizes = np.bincount(code, weights=weights).astype(np.float64)
        first = sizes[0] / sizes.sum()
        if steps.size == 1 or probability >= first:
            return RULES[rule](values, weights, probability)
        beyond = (probability - first) * sizes.sum() / sizes[1] if rule == "hf4" else 1.0
        return float(steps[0] + beyond * (steps[1] - steps[0]))

    return of


_STEPS: tuple[Rule, ...] = ("math", "school", "hf1", "hf2", "hf3", "hf4")
RULES: dict[Rule, Callable[[FloatArray, FloatArray, float], float]] = {
    "math": _math,
    "hf1": _math,
    "school": _school,
    "hf2": _school,
    "hf3": _even,
    "hf4": _linear(lambda w, c: c / c[-1]),
    "hf5": _linear(lambda w, c: (c - w / 2.0) / c[-1]),
    "hf6": _linear(lambda w, c: c / (c[-1] + w[-1])),
    "hf7": _linear(lambda w, c: (c - w) / (c[-1] - w[-1])),
    "hf8": _linear(lambda w, c: (c - w * 2.0 / 3.0 + w / 3.0) / (c[-1] + w[-1] / 3.0)),
    "hf9": _linear(lambda w, c: (c - w * 3.0 / 8.0) / (c[-1] + w[-1] / 4.0)),
    "shahvaish": _shah_vaish,
}


def _score_interval(
    design: Design,
    values: FloatArray,
    mask: BoolArray,
    inverse: _Inverse,
    probability: float,
    df: float,
    tail: float,
    unweighted: bool,
) -> tuple[float, float]:
    """Values at which the test of "the share above is 1 - p" is just rejected (Francisco and Fuller 1991).

    The score is a step function of the value, so the limit is the value at which it steps over the quantile of t.
    `unweighted`: as R survey, take the side of the step that is nearer, and read the unweighted share below it back
    through the weighted distribution.
    """
    t = -t_quantile(tail, df)
    distinct = np.unique(inverse.values)

    def score(value: float) -> float:
        above = design.with_columns(score=(values > value) - (1.0 - probability))
        share = estimate(above, Mean("score"), where=mask, df=df, deff=False)[0]
        return share.value / share.se if share.se > 0 else math.copysign(math.inf, share.value)

    def limit(bound: float) -> float:
        low, high = 0, distinct.size
        while low < high:
            middle = (low + high) // 2
            if score(float(distinct[middle])) <= bound:
                high = middle
            else:
                low = middle + 1
        if low == distinct.size:
            return math.nan
        if not unweighted:
            return float(distinct[low])
        before = float(distinct[low - 1]) if low else -math.inf
        nearer = low > 0 and abs(score(before) - bound) < abs(score(float(distinct[low])) - bound)
        end = before if nearer else float(distinct[low])
        return inverse(float((inverse.values <= end).mean()))

    return limit(t), limit(-t)
