"""The change of a figure between two rounds: a difference of estimates from samples drawn apart from one another.

    change(Figure(0.512, 0.014, 38.0), Figure(0.471, 0.016, 41.0))      # now, before

The variance of the difference is the sum of both. The degrees of freedom are those of Satterthwaite (1946, Biometrics
Bulletin 2: 110-114), so that two simple random samples give Welch's test. Where two rounds go to the same primary units
or the same households, their estimates hang together, as a rule in the same direction (Kish 1965, Survey Sampling,
section 12.4): the true error of the change is then smaller, and this one is on the safe side. Do not use it for two
domains of one sample, which share units: `analysis.estimate` of a contrast knows their covariance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import scipy.stats


@dataclass(frozen=True)
class Figure:
    """An estimate with its standard error and the degrees of freedom of that error."""

    value: float
    se: float
    df: float


@dataclass(frozen=True)
class Change:
    """`value` is now less before, with its t interval and the two-sided p-value against "nothing has changed"."""

    value: float
    se: float
    df: float
    lower: float
    upper: float
    p_value: float


def change(now: Figure, before: Figure, level: float = 0.95) -> Change:
    """The change from one round to the next, in the units of the figure.

    Raises ValueError for a level outside (0, 1), a negative error or degrees of freedom that are not positive.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"a confidence level lies between 0 and 1, not {level:g}")
    for one in (now, before):
        if not (one.se >= 0.0 and one.df > 0.0):
            raise ValueError(f"a change needs standard errors and degrees of freedom: {one}")
    value, squares = now.value - before.value, (now.se**2, before.se**2)
    variance = sum(squares)
    if variance == 0.0:
        return Change(value, 0.0, math.inf, value, value, 1.0 if value == 0.0 else 0.0)
    df = variance**2 / (squares[0] ** 2 / now.df + squares[1] ** 2 / before.df)
    se = math.sqrt(variance)
    reach = float(scipy.stats.t.ppf(0.5 + level / 2.0, df)) * se
    p_value = float(2.0 * scipy.stats.t.sf(abs(value) / se, df))
    return Change(value, se, df, value - reach, value + reach, p_value)
