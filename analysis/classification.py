"""Is a commune high or low? A decision with stated error rates, for places that are too small for an estimate.

    plan = lqas(low=0.50, high=0.65, alpha=0.05, beta=0.20)
    plan.n, plan.least                                  # high when `least` or more of n have it
    sequential(observations, 0.50, 0.65, 0.05, 0.20)    # the same question, looked at after every interview

These classify, they do not measure: nothing is said about how many have it, and a place between `low` and `high`
(the grey zone) may come out either way. A classification is published under its own name with its alpha, beta and
grey zone, never as a verdict on a target.

alpha: the probability of calling a place high that has `low` or less. beta: of calling low one that has `high` or more.

Sources: Lemeshow and Taber 1991 (World Health Statistics Quarterly 44) for LQAS; Hedt, Olives, Pagano and Valadez 2008
(PLoS Medicine) and Hund and Pagano 2014 (Statistics in Medicine 33: 2746-2757) for clusters; Wald 1945 (Annals of
Mathematical Statistics 16: 117-186); Ville 1939; Waudby-Smith and Ramdas 2024 (JRSS B 86: 1-27) for bounded variables.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from numpy.typing import ArrayLike

from analysis.columns import FloatArray
from analysis.errors import NotPossible

Class = Literal["high", "low", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Lot:
    """A plan of lot quality assurance: `n` interviews in clusters of `take`; high when `least` or more have it.

    alpha and beta are the error rates that this plan has at `low` and `high`, not those that were asked for.
    """

    n: int
    least: int
    low: float
    high: float
    alpha: float
    beta: float
    take: int
    correlation: float

    def classify(self, having: int, n: int) -> Class:
        """The class of a place; undecided when not all `n` planned interviews were made."""
        if n != self.n:
            return "undecided"
        return "high" if having >= self.least else "low"

    def called_high(self, share: float) -> float:
        """The probability of calling a place high whose true share is this (operating characteristic)."""
        one = _count_in_cluster(self.take, share, self.correlation)
        at: FloatArray = np.ones(1)
        for _ in range(self.n // self.take):
            at = np.convolve(at, one)
        return float(at[self.least :].sum())


def lqas(
    low: float,
    high: float,
    alpha: float = 0.1,
    beta: float = 0.1,
    *,
    take: int = 1,
    correlation: float = 0.0,
    most: int = 2000,
) -> Lot:
    """The smallest sample (in whole clusters) whose two error rates stay within alpha and beta.

    `take` interviews in each cluster whose members resemble one another by `correlation`: the count of a cluster is
    then beta-binomial. Raises NotPossible when `most` interviews do not suffice.
    """
    _sound(low, high, alpha, beta)
    if take < 1 or not 0.0 <= correlation < 1.0:
        raise NotPossible("a cluster has at least one interview and a correlation from 0 to below 1")
    one = [_count_in_cluster(take, share, correlation) for share in (low, high)]
    at = [np.ones(1), np.ones(1)]
    for n in range(take, most + 1, take):
        at = [np.convolve(sofar, cluster) for sofar, cluster in zip(at, one, strict=True)]
        # P(X >= d) at `low` falls with d: the smallest d that keeps alpha makes beta as small as it can be.
        false_high = np.cumsum(at[0][::-1])[::-1]
        least = int(np.searchsorted(-false_high, -alpha))
        if least > n:
            continue
        false_low = float(at[1][:least].sum())
        if false_low <= beta:
            return Lot(
                n=n, least=least, low=low, high=high, alpha=float(false_high[least]), beta=false_low,
                take=take, correlation=correlation,
            )  # fmt: skip
    raise NotPossible(f"{most} interviews do not tell {low:g} from {high:g} with these error rates")


def _sound(low: float, high: float, alpha: float, beta: float) -> None:
    if not 0.0 < low < high < 1.0:
        raise NotPossible(f"low and high lie between 0 and 1, low first, not {low:g} and {high:g}")
    if not (0.0 < alpha < 0.5 and 0.0 < beta < 0.5):
        raise NotPossible("alpha and beta lie between 0 and 0.5")


def _count_in_cluster(take: int, share: float, correlation: float) -> FloatArray:
    """P(k of `take` have it), k = 0..take."""
    counts = np.arange(take + 1)
    if correlation == 0.0 or take == 1:
        found: FloatArray = scipy.stats.binom.pmf(counts, take, share)
        return found
    strength = (1.0 - correlation) / correlation
    clustered: FloatArray = scipy.stats.betabinom.pmf(
        counts, take, share * strength, (1.0 - share) * strength
    )
    return clustered


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a sequential classification stands after the observations so far.

    looked_at: how many observations had come in when it was decided (or so far). for_high, for_low: the evidence as a
    factor; "high" was declared when for_high first reached 1/alpha, "low" when for_low first reached 1/beta.
    """

    outcome: Class
    looked_at: int
    for_high: float
    for_low: float


def sequential(
    observations: ArrayLike,
    low: float,
    high: float,
    alpha: float = 0.05,
    beta: float = 0.05,
    *,
    worth: float = 1.0,
) -> Standing:
    """Classify a place, allowed to look after every observation and to stop at the first decision.

    observations: in order of arrival, each in [0, 1] and independent: a person (0 or 1) of a simple random sample, or
    the share in one cluster of a cluster sample. With persons this is Wald's sequential probability ratio test; with
    cluster shares its betting form, which needs no model of how alike the people of a cluster are.

    worth: a guess, before the data, of how many independent people one observation is worth (interviews of a cluster
    over their design effect). Only the speed depends on it, never the error rates.

    The evidence for "high" is the product of 1 + lambda (x - low) with lambda = worth (high - low) / (low (1 - low));
    its expectation never grows while the share is `low` or less, so by Ville's inequality it ever reaches 1/alpha with
    probability at most alpha, whenever and however often one looks. Likewise for "low" and beta. The bounds are
    Ville's, not Wald's approximate ones. Not for observations with unequal weights.
    """
    _sound(low, high, alpha, beta)
    x = np.asarray(observations, dtype=np.float64)
    if x.ndim != 1 or not ((x >= 0.0) & (x <= 1.0)).all():
        raise NotPossible("observations are numbers from 0 to 1, in order of arrival")
    # No bet may lose everything: 1 + lambda (x - low) stays positive for every x in [0, 1], and the other likewise.
    most = 0.9 if worth > 1.0 else 1.0
    up = min(worth * (high - low) / (low * (1.0 - low)), most / low)
    down = min(worth * (high - low) / (high * (1.0 - high)), most / (1.0 - high))
    for_high = np.cumsum(np.log1p(up * (x - low)))
    for_low = np.cumsum(np.log1p(-down * (x - high)))
    crossed_high = np.flatnonzero(for_high >= -math.log(alpha))
    crossed_low = np.flatnonzero(for_low >= -math.log(beta))
    first_high = int(crossed_high[0]) if len(crossed_high) else len(x)
    first_low = int(crossed_low[0]) if len(crossed_low) else len(x)
    outcome: Class = "undecided"
    if first_high != first_low:
        outcome = "high" if first_high < first_low else "low"
    last = min(first_high, first_low, len(x) - 1)
    return Standing(
        outcome=outcome,
        looked_at=last + 1,
        for_high=math.exp(min(for_high[last], 700.0)) if len(x) else 1.0,
        for_low=math.exp(min(for_low[last], 700.0)) if len(x) else 1.0,
    )
