"""Before the field work: how many interviews, where, in what clusters, and what they will be able to say.

    effect = design_effect(take=16, correlation=0.05, weight_cv=0.4)
    households(for_power(0.55, 0.50, alpha=0.05, power=0.8), effect, response=0.85)
    power(0.55, 0.50, interviews=2040, effect=effect)
    neyman(sizes, deviations, n)

All of it is arithmetic with the normal distribution on guesses; after a round, `correlation_of` turns the design
effects that were measured into the intraclass correlation of the next plan. Not for the analysis of a sample that
exists: its own variance is known (`analysis.estimates`).

Sources: Kish 1965 and 1987 (Survey Research; weighting in deft^2) for the design effect; UN, Designing Household Survey
Samples (2005), ch. 3; Lohr 2010, Sampling: Design and Analysis, §5.5 for the optimum take; Neyman 1934; Bankier 1988
(American Statistician 42: 174-177) for power allocation.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from analysis.columns import FloatArray
from analysis.errors import NotPossible
from analysis.release import nchs

# ── the design effect ────────────────────────────────────────────────────────────────────────────────────────


def design_effect(take: float, correlation: float, weight_cv: float = 0.0) -> float:
    """(1 + cv^2)(1 + (b - 1) rho): unequal weights times clustering, `take` interviews a cluster (Kish 1987)."""
    if take < 1 or not -1.0 / max(take - 1.0, 1.0) <= correlation <= 1.0:
        raise NotPossible("a take is at least 1 and an intraclass correlation at most 1")
    return (1.0 + weight_cv**2) * (1.0 + (take - 1.0) * correlation)


def correlation_of(effect: float, take: float, kish: float = 1.0) -> float:
    """The intraclass correlation behind a design effect that was measured; `kish` is 1 + cv^2 of the weights.

    It may come out a little below 0 by chance. A take of 1 says nothing of it: NaN.
    """
    return (effect / kish - 1.0) / (take - 1.0) if take > 1 else math.nan


# ── precision and power ──────────────────────────────────────────────────────────────────────────────────────


def for_margin(share: float, margin: float, level: float = 0.95) -> float:
    """Interviews of a simple random sample whose interval reaches `margin` to each side of a share."""
    z = float(ndtri(0.5 + level / 2.0))
    return z * z * share * (1.0 - share) / margin**2


def for_power(true: float, threshold: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Interviews of a simple random sample that find a true share beyond the threshold with this probability.

    One-sided at alpha. At a true share of exactly the threshold no number suffices: infinite.
    """
    if true == threshold:
        return math.inf
    spread = -float(ndtri(alpha)) * math.sqrt(threshold * (1.0 - threshold))
    spread += float(ndtri(power)) * math.sqrt(true * (1.0 - true))
    return (spread / (true - threshold)) ** 2


def power(true: float, threshold: float, interviews: float, effect: float, alpha: float = 0.05) -> float:
    """How probably these interviews show that a true share lies beyond the threshold (on its own side of it)."""
    size = interviews / effect
    gap = abs(true - threshold) + float(ndtri(alpha)) * math.sqrt(threshold * (1.0 - threshold) / size)
    return float(ndtr(gap / math.sqrt(true * (1.0 - true) / size)))


def margin(share: float, interviews: float, effect: float, level: float = 0.95) -> float:
    """Half the width of the interval of a share."""
    z = float(ndtri(0.5 + level / 2.0))
    return z * math.sqrt(effect * share * (1.0 - share) / interviews)


def households(simple: float, effect: float, response: float, population: float = math.inf) -> float:
    """Households to draw so that the interviews are worth `simple` ones of a simple random sample.

    Rounded up. `population` (households there are) applies the finite population correction.
    """
    if math.isinf(simple):
        return math.inf
    needed = simple * effect
    needed /= 1.0 + needed / population
    return float(math.ceil(needed / response - 1e-9))


def presentable(
    share: float, effect: float, df: float = 8.0, level: float = 0.95, most: int = 100_000
) -> int:
    """Interviews that it takes until a share of one place may be shown by the presentation standard (`release.nchs`).

    With `df` clusters less strata in the place. 0 when even `most` would not do, as with a share of nearly 0.
    """

    def shown(n: int) -> bool:
        error = math.sqrt(effect * share * (1.0 - share) / n)
        return nchs(share, error, n, df, level=level).shown

    if not shown(most):
        return 0
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if shown(middle) else (middle + 1, high)
    return low


# ── where the interviews go ──────────────────────────────────────────────────────────────────────────────────


def proportional(sizes: ArrayLike, n: float) -> FloatArray:
    """Interviews by stratum in proportion to size: best for the whole when strata are alike."""
    size = np.asarray(sizes, dtype=np.float64)
    return np.asarray(n * size / size.sum())


def neyman(sizes: ArrayLike, deviations: ArrayLike, n: float, costs: ArrayLike = 1.0) -> FloatArray:
    """Interviews by stratum as N_h S_h / sqrt(c_h): the least variance of the whole for the money.

    deviations: sqrt(p (1 - p)) of each stratum for a share. Not more than there are: a stratum that would get more
    than its size gets its size, and the others share what is left.
    """
    size = np.asarray(sizes, dtype=np.float64)
    pull = size * np.asarray(deviations, dtype=np.float64) / np.sqrt(np.asarray(costs, dtype=np.float64))
    return _shared_out(pull, size, n)


def power_allocation(
    sizes: ArrayLike, deviations: ArrayLike, shares: ArrayLike, n: float, power: float = 0.5
) -> FloatArray:
    """Interviews by stratum as S_h / Y_h X_h^q (Bankier 1988): between figures of the strata and of the whole.

    q = 1 with totals X_h = N_h p_h is Neyman's; q = 0 gives every stratum nearly the same relative error.
    """
    size, p = np.asarray(sizes, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    pull = np.asarray(deviations, dtype=np.float64) / p * (size * p) ** power
    return _shared_out(pull, size, n)


def _shared_out(pull: FloatArray, size: FloatArray, n: float) -> FloatArray:
    if n > size.sum():
        raise NotPossible(f"{n:g} interviews are more than the {size.sum():g} there are")
    found = np.zeros(len(size))
    full = np.zeros(len(size), dtype=bool)
    while True:
        free = ~full
        found = np.where(full, size, (n - size[full].sum()) * pull / pull[free].sum())
        over = free & (found > size)
        if not over.any():
            return found
        full |= over


def variance_of_allocation(sizes: ArrayLike, deviations: ArrayLike, allocation: ArrayLike) -> float:
    """The variance of the share of the whole under this allocation, within-stratum simple random sampling."""
    size, n = np.asarray(sizes, dtype=np.float64), np.asarray(allocation, dtype=np.float64)
    part = size / size.sum()
    return float((part**2 * np.asarray(deviations, dtype=np.float64) ** 2 / n * (1.0 - n / size)).sum())


# ── clusters and money ───────────────────────────────────────────────────────────────────────────────────────


def optimum_take(correlation: float, cost_of_cluster: float, cost_of_interview: float) -> float:
    """The interviews a cluster that give the least variance for the money: sqrt(c1/c2 (1 - rho)/rho) (Lohr §5.5).

    Infinite when clusters are no more alike than the country: then few clusters and many interviews.
    """
    if correlation <= 0:
        return math.inf
    return max(math.sqrt(cost_of_cluster / cost_of_interview * (1.0 - correlation) / correlation), 1.0)


def effective_for_cost(
    budget: float, take: float, correlation: float, cost_of_cluster: float, cost_of_interview: float
) -> float:
    """Effective interviews that a budget buys at this take a cluster."""
    clusters = budget / (cost_of_cluster + take * cost_of_interview)
    return clusters * take / design_effect(take, correlation)
