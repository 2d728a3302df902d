"""The draw of a two-stage sample: allocation, systematic PPS of areas, systematic draw of households.

Every function is arithmetic on arrays and takes its `numpy.random.Generator`: the same frame, order and seed give the
same sample. Sources: Madow (1949) for systematic PPS; UN, Designing Household Survey Samples (2005), ch. 3-5, for
implicit stratification and the take of households; Kish (1965), §7.5, for certainty units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.errors import DesignError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Drawn:
    """What one draw chose. `index` are positions in the frame in order of selection (int), `probability` their
    inclusion probabilities in (0, 1] and `certainty` those taken with probability 1 before the others."""

    index: Integers
    probability: Floats
    certainty: NDArray[np.bool_]


def allocate(sizes: ArrayLike, n: int, method: str = "proportional", minimum: int = 2) -> Integers:
    """Share `n` areas out to strata of these sizes (households): whole numbers, by largest remainders.

    method: "proportional" to size; "square_root" (power 1/2, Bankier 1988), between proportional and equal, for
    figures of the strata themselves; "equal". Each stratum gets at least `minimum`: with one area no variance can be
    estimated. Raises DesignError when n cannot give every stratum its minimum. Not for optimum allocation: that needs
    the strata's variances (see the planner).
    """
    size = np.asarray(sizes, dtype=np.float64)
    if (size <= 0).any():
        raise DesignError("a stratum has no households: leave it out of the frame or correct its counts")
    power = {"proportional": 1.0, "square_root": 0.5, "equal": 0.0}.get(method)
    if power is None:
        raise DesignError(f"no allocation is called {method!r}: proportional, square_root or equal")
    if n < minimum * len(size):
        raise DesignError(f"{n} areas cannot give {len(size)} strata {minimum} each")
    share = size**power
    counts = np.zeros(len(size), dtype=np.int64)
    fixed = np.zeros(len(size), dtype=bool)
    while True:
        # Strata that would fall under the minimum get it; the rest share what is left.
        free = ~fixed
        exact = (n - minimum * fixed.sum()) * share / share[free].sum()
        low = free & (exact < minimum)
        if not low.any():
            break
        fixed |= low
    counts[fixed] = minimum
    counts[free] = np.floor(exact[free]).astype(np.int64)
    remainder = np.where(free, exact - np.floor(exact), -1.0)
    order = np.argsort(-remainder, kind="stable")
    counts[order[: n - int(counts.sum())]] += 1
    return counts


def serpentine(*keys: ArrayLike) -> Integers:
    """The order in which each key runs up and down by turns within the ones before it, so that neighbours in the list
    are neighbours on the ground (implicit stratification). Keys from coarse to fine; returns positions."""
    columns = [np.unique(np.asarray(key), return_inverse=True)[1].astype(np.int64) for key in keys]
    n = len(columns[0])
    group = np.zeros(n, dtype=np.int64)
    for column in columns:
        turned = np.where(group % 2 == 0, column, column.max(initial=0) - column)
        # Dense rank of (group, turned): consecutive groups then alternate in direction.
        _, group = np.unique(group * (int(column.max(initial=0)) + 1) + turned, return_inverse=True)
        group = group.astype(np.int64)
    return np.argsort(group, kind="stable")


def systematic_pps(sizes: ArrayLike, n: int, rng: np.random.Generator) -> Drawn:
    """Draw `n` units with probability proportional to size, systematically in the order given.

    Units with n·size/total >= 1 are taken with certainty first, again and again until none is left over; the rest are
    drawn with one random start on the cumulated sizes, so no unit comes twice. Inclusion probabilities sum to n.
    Raises DesignError on sizes that are not positive and finite, and when n exceeds the number of units.
    """
    size = np.asarray(sizes, dtype=np.float64)
    if not np.isfinite(size).all() or (size <= 0).any():
        raise DesignError("every size must be positive and finite")
    if not 0 < n <= len(size):
        raise DesignError(f"cannot draw {n} of {len(size)} units")
    certain = np.zeros(len(size), dtype=bool)
    while True:
        left = n - int(certain.sum())
        rest = size[~certain].sum()
        sure = ~certain & (left * size >= rest * (1 - 1e-12))
        if left == 0 or not sure.any():
            break
        certain |= sure
    probability = np.ones(len(size))
    chosen = np.flatnonzero(certain)
    if left:
        probability[~certain] = left * size[~certain] / rest
        pool = np.flatnonzero(~certain)
        bounds = np.cumsum(size[pool])
        points = (rng.random() + np.arange(left)) * (bounds[-1] / left)
        chosen = np.concatenate(
            [chosen, pool[np.searchsorted(bounds, points, side="right").clip(max=len(pool) - 1)]]
        )
    index = np.sort(chosen).astype(np.int64)
    return Drawn(index, probability[index], certain[index])


def systematic_equal(listed: int, take: int, rng: np.random.Generator) -> Integers:
    """Positions of `take` of `listed` households, systematically with a fractional interval and random start.

    Each household has probability take/listed exactly. When fewer are listed than asked for, all are taken.
    """
    if take >= listed:
        return np.arange(listed, dtype=np.int64)
    interval = listed / take
    points = np.floor((rng.random() + np.arange(take)) * interval).astype(np.int64)
    inside: Integers = np.minimum(
        points, listed - 1
    )  # a start within rounding of 1 must not run over the end
    return inside
