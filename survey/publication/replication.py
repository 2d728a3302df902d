"""Replicate weights that point at no PSU: groups of PSUs are left out together (JKn), within strata, strata too small for
two groups joined, PSUs of one commune in different groups.

Kott (2001), The delete-a-group jackknife, Journal of Official Statistics 17: 521-526. Not for designs with a handful of
PSUs: two groups a stratum leave few degrees of freedom.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.replicates import Replicates
from survey.publication.measuring import Measured
from survey.publication.weighting import Weighted

Floats = NDArray[np.float64]


def left_out_together(
    measured: Measured, weighted: Weighted, size: int, secret: bytes
) -> tuple[NDArray[np.int64], Floats]:
    """(group of each household, scale of each group's replicate)."""
    stage = weighted.households.stages[0]
    commune = measured.households["commune"]
    first = np.unique(stage.unit, return_index=True)[1]
    chance = np.random.default_rng(list(secret))
    rank = {name: place for place, name in enumerate(chance.permutation(sorted(set(commune))))}
    strata: list[list[int]] = []
    waiting: list[int] = []
    for stratum in range(stage.strata):
        waiting += np.flatnonzero(stage.unit_stratum == stratum).tolist()
        if len(waiting) >= 2 * size:
            strata.append(waiting)
            waiting = []
    if waiting:
        strata = [*strata[:-1], [*strata[-1], *waiting]] if strata else [waiting]
    group = np.empty(stage.units, dtype=np.int64)
    rscales: list[float] = []
    for units in strata:
        # Dealt out in the order of communes, those of one commune come into different groups.
        order = sorted(units, key=lambda unit: (rank[commune[first[unit]]], unit))
        count = max(2, len(order) // size)
        group[order] = len(rscales) + np.arange(len(order)) % count
        rscales += [(count - 1.0) / count] * count
    return group[stage.unit], np.array(rscales)


def replicated(weighted: Weighted, unit: str, rows: NDArray[np.int64], rscales: Floats) -> Floats:
    """Replicate weights of every row of a design; `rows`: the group of each."""
    count = rscales.size
    # A replicate's groups of one stratum share its scale, and stand beside one another.
    size = np.rint(1.0 / (1.0 - rscales)).astype(np.int64)
    stratum = np.zeros(count, dtype=np.int64)
    place = 0
    while place < count:
        stratum[place : place + size[place]] = place
        place += int(size[place])
    factors = np.where(stratum[:, None] == stratum[None, :], (size / (size - 1.0))[None, :], 1.0)
    np.fill_diagonal(factors, 0.0)
    made = Replicates(factors, "JKn", 1.0, rscales, mse=True, unit=rows)
    return made.weights(weighted.design(unit))
