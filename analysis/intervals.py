"""Confidence intervals from a value, its standard error and its degrees of freedom.

| kind              | formula                                                                     | for       |
| ----------------- | --------------------------------------------------------------------------- | --------- |
| wald              | p -+ z se                                                                   | anything  |
| t                 | p -+ t se                                                                   | anything  |
| logit             | scipy.special.expit(logit p -+ t se / (p (1 - p)))                                        | shares    |
| asin              | sin^2(asin sqrt p -+ t se / (2 sqrt(p (1 - p))))                            | shares    |
| asin_reflected    | the same, a negative end of the arc folded back (R survey)                  | compat    |
| wilson            | score interval on the effective sample p (1 - p) / V, with t                | shares    |
| korn_graubard     | Clopper-Pearson on the effective sample corrected for degrees of freedom    | shares    |
| nchs              | the same, effective sample at most n; nominal n at 0 and 1 (NCHS 2(175))    | shares    |
| likelihood        | roots of the scaled binomial likelihood ratio (Rao-Scott)                   | shares    |

A share of exactly 0 or 1 has an estimated variance of 0, which says nothing. There "logit", "asin", "wilson",
"likelihood" and "korn_graubard" fall back on "nchs": one-sided Clopper-Pearson with the nominal sample, and the
interval says so in its `kind`. "wald" and "t" do what their formula says.

Sources: Korn and Graubard 1998 (Survey Methodology 24: 193-201); Parker et al. 2017 (Vital and Health Statistics
2(175)); Wilson 1927; Rao and Scott 1984; Franco, Little, Louis and Slud 2019 (JSSAM 7: 334-364) for when to use which.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import scipy  # its submodules load when first used, which keeps `import analysis` quick

from analysis.errors import NotPossible

IntervalKind = Literal[
    "wald",
    "t",
    "logit",
    "asin",
    "asin_reflected",
    "wilson",
    "korn_graubard",
    "nchs",
    "likelihood",
    "nchs_unadjusted",
]
SHARES_ONLY = frozenset(
    {"logit", "asin", "asin_reflected", "wilson", "korn_graubard", "nchs", "likelihood", "nchs_unadjusted"}
)
EDGE = 1e-12  # a share this near to 0 or 1 is 0 or 1


class Interval(NamedTuple):
    """Two limits, what share of such intervals covers the truth, and the formula used."""

    lower: float
    upper: float
    level: float
    kind: IntervalKind

    def __str__(self) -> str:
        return f"{self.lower:.6g} to {self.upper:.6g} ({100 * self.level:g} %, {self.kind})"


def t_quantile(probability: float, df: float) -> float:
    """The t quantile; the normal one for infinite degrees of freedom."""
    if math.isinf(df):
        return float(scipy.special.ndtri(probability))
    return float(scipy.special.stdtrit(df, probability))


def effective_sample(value: float, se: float) -> float:
    """The simple random sample that would be as precise: p (1 - p) / V."""
    return value * (1.0 - value) / (se * se) if se > 0 else math.inf


def korn_graubard_sample(
    value: float, se: float, n: float, df: float, tail: float, *, cap: bool, adjust: bool = True
) -> float:
    """The effective sample of the Korn-Graubard interval: corrected for degrees of freedom, at most n if `cap`."""
    if cap and (value <= EDGE or value >= 1.0 - EDGE or se <= 0.0):
        return n
    effective = effective_sample(value, se)
    tail = min(tail, 0.5 - 1e-6)  # at one half both quantiles are 0; their ratio has a limit
    if adjust and n > 1:
        effective *= (t_quantile(tail, n - 1.0) / t_quantile(tail, df)) ** 2
    return min(effective, n) if cap else effective


def interval(
    kind: IntervalKind, value: float, se: float, df: float, n: float, *, level: float = 0.95
) -> Interval:
    """The interval of one estimate. `n` counts the rows of the domain (used by korn_graubard, nchs, likelihood).

    Without degrees of freedom (df <= 0) nothing can be said: the limits are those of the parameter space for a
    share (0 and 1), and infinite for anything else.
    """
    if not 0.0 < level < 1.0:
        raise NotPossible(f"the level of an interval lies between 0 and 1, not at {level:g}")
    tail = (1.0 - level) / 2.0
    if kind == "wald":
        half = -float(scipy.special.ndtri(tail)) * se
        return Interval(value - half, value + half, level, kind)
    if math.isnan(value) or math.isnan(se):
        return Interval(math.nan, math.nan, level, kind)
    share = kind in SHARES_ONLY
    if share and not -EDGE <= value <= 1.0 + EDGE:
        raise NotPossible(f"a {kind} interval is for shares between 0 and 1, not for {value:g}")
    if share and kind not in ("nchs", "nchs_unadjusted") and (value <= EDGE or value >= 1.0 - EDGE):
        kind = "nchs"
    if not df > 0 and not (share and (value <= EDGE or value >= 1.0 - EDGE)):
        return Interval(*((0.0, 1.0) if share else (-math.inf, math.inf)), level, kind)
    if kind == "t":
        half = -t_quantile(tail, df) * se
        return Interval(value - half, value + half, level, kind)
    if share and se == 0.0 and EDGE < value < 1.0 - EDGE:
        return Interval(value, value, level, kind)  # a census, or a calibrated margin: known without error
    lower, upper = _share_limits(kind, value, se, df, n, tail)
    return Interval(lower, upper, level, kind)


def _share_limits(
    kind: IntervalKind, value: float, se: float, df: float, n: float, tail: float
) -> tuple[float, float]:
    if kind in ("korn_graubard", "nchs", "nchs_unadjusted"):
        size = korn_graubard_sample(
            value, se, n, df, tail, cap=kind != "korn_graubard", adjust=kind != "nchs_unadjusted"
        )
        return clopper_pearson(value, size, tail)
    if kind == "likelihood":
        return _likelihood_limits(value, se, df, n, tail)
    t = -t_quantile(tail, df)
    if kind == "logit":
        centre, half = float(scipy.special.logit(value)), t * se / (value * (1.0 - value))
        return float(scipy.special.expit(centre - half)), float(scipy.special.expit(centre + half))
    if kind in ("asin", "asin_reflected"):
        centre = math.asin(math.sqrt(value))
        half = t * se / (2.0 * math.sqrt(value * (1.0 - value)))
        if kind == "asin_reflected":
            return math.sin(centre - half) ** 2, math.sin(centre + half) ** 2
        return (
            math.sin(max(centre - half, 0.0)) ** 2,
            math.sin(min(centre + half, math.pi / 2.0)) ** 2,
        )
    size = effective_sample(value, se)
    square = t * t
    spread = t * math.sqrt(value * (1.0 - value) / size + square / (4.0 * size * size))
    centre = value + square / (2.0 * size)
    scale = 1.0 + square / size
    return max((centre - spread) / scale, 0.0), min((centre + spread) / scale, 1.0)


def clopper_pearson(value: float, size: float, tail: float) -> tuple[float, float]:
    """The exact binomial interval for a share of a (possibly not whole) number of trials."""
    if size <= 0.0:
        return 0.0, 1.0
    hits, misses = size * value, size * (1.0 - value)
    lower = 0.0 if value <= EDGE else float(scipy.special.betaincinv(hits, misses + 1.0, tail))
    upper = 1.0 if value >= 1.0 - EDGE else float(scipy.special.betaincinv(hits + 1.0, misses, 1.0 - tail))
    return lower, upper


def _likelihood_limits(value: float, se: float, df: float, n: float, tail: float) -> tuple[float, float]:
    """Roots in theta of 2 n (p log(p/theta) + (1-p) log((1-p)/(1-theta))) = t^2 n^2 V / ((n - 1) p (1 - p))."""
    t = -t_quantile(tail, df)
    scale = n * se * se / (value * (1.0 - value)) * n / (n - 1.0)
    bound = t * t * scale / (2.0 * n)

    def excess(theta: float) -> float:
        return (
            value * math.log(value / theta) + (1.0 - value) * math.log((1.0 - value) / (1.0 - theta)) - bound
        )

    return _root(excess, value, 0.0), _root(excess, value, 1.0)


def _root(excess, inside: float, edge: float) -> float:  # type: ignore[no-untyped-def]
    """The root of a deviance between the estimate (where it is negative) and an edge (where it is infinite)."""
    step = 0.5
    outside = edge + (inside - edge) * step
    while excess(outside) < 0.0:
        step *= 0.5
        outside = edge + (inside - edge) * step
        if step < 1e-300 or outside == edge:
            return edge
    low, high = sorted((outside, inside))
    return float(scipy.optimize.brentq(excess, low, high, xtol=1e-16, rtol=8.9e-16, maxiter=500))
