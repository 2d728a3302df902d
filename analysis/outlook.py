"""In the middle of field work: how precise a share is now, will be, and what would decide its target.

The variance of a share from n interviews in m sampled areas is taken as

    V(n) = p (1 - p) k [1 + (n/m - 1) rho] / n

k Kish's factor for unequal weights, rho the likeness of people in one area, both as the sample so far shows them (Kish
1965, Survey Sampling, 5.4; Kish 1987, Statistical Design for Research, 7.1). More interviews in the same areas cannot
bring it under p (1 - p) k rho / m. It looks ahead for planning only: the verdict is `analysis.targets.verdict` on the
finished sample. Looking often and stopping when the target is met would make false verdicts: see the methods page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.errors import NotPossible
from analysis.estimates import Estimate
from analysis.intervals import t_quantile


@dataclass(frozen=True)
class Outlook:
    """One share looked ahead from. `areas` is m, `kish` is k, `likeness` rho (from 0 on)."""

    value: float
    n: int
    areas: int
    kish: float
    likeness: float
    df: float

    @classmethod
    def of(cls, share: Estimate, areas: int, kish: float) -> Outlook:
        """From an estimated share, the number of sampled areas behind it, and Kish's factor of its weights.

        rho is what the estimated variance says: (V n / (p (1 - p) k) - 1) / (n/m - 1), not below 0.
        """
        if share.n < 1 or areas < 1 or kish < 1.0 - 1e-9:
            raise NotPossible("an outlook needs interviews, areas and a Kish factor of at least 1")
        spread, take = share.value * (1.0 - share.value), share.n / areas
        likeness = 0.0
        if spread > 0.0 and take > 1.0:
            likeness = max((share.variance * share.n / (spread * kish) - 1.0) / (take - 1.0), 0.0)
        return cls(share.value, share.n, areas, kish, likeness, share.df)

    def variance(self, n: float) -> float:
        """The variance expected from n interviews in the same areas."""
        spread = self.value * (1.0 - self.value) * self.kish
        return spread * (1.0 + (n / self.areas - 1.0) * self.likeness) / n

    def half_width(self, n: float, level: float = 0.95) -> float:
        """Half the width of the confidence interval expected from n interviews."""
        return t_quantile(0.5 + level / 2.0, self.df) * math.sqrt(self.variance(n))

    def needed(self, threshold: float, alpha: float) -> int | None:
        """Interviews in all with which a share like today's would decide its target; None if these areas never would."""
        distance = abs(self.value - threshold) / t_quantile(1.0 - alpha, self.df)
        spread = self.value * (1.0 - self.value) * self.kish
        rest = distance * distance - spread * self.likeness / self.areas
        if rest <= 0.0:
            return None
        return max(math.ceil(spread * (1.0 - self.likeness) / rest), 1)


def where(extra: int, shares: Sequence[float], spreads: Sequence[float]) -> list[int]:
    """How `extra` interviews are best spread over strata: in proportion to size times standard deviation.

    shares: of the population in each stratum; spreads: sqrt(p (1 - p) deff) in each (Neyman 1934). Rounded so that
    they add up, the largest remainders first.
    """
    parts = [share * spread for share, spread in zip(shares, spreads, strict=True)]
    whole = sum(parts)
    if whole <= 0.0 or extra <= 0:
        return [0] * len(parts)
    exact = [extra * part / whole for part in parts]
    found = [math.floor(one) for one in exact]
    order = sorted(range(len(exact)), key=lambda index: exact[index] - found[index], reverse=True)
    for index in order[: extra - sum(found)]:
        found[index] += 1
    return found
