"""Variance under sampling with unequal probabilities without replacement, from joint inclusion probabilities.

    Horvitz-Thompson   V = sum_ij (1 - pi_i pi_j / pi_ij) u_i u_j            u = weighted linearised totals
    Yates-Grundy       V = -1/2 sum_ij (1 - pi_i pi_j / pi_ij) (u_i - u_j)^2

Where pi_ij are unknown they are approximated from the pi_i: Overton (Stehman and Overton 1994) and Hartley and Rao
(1962, with the population sum of pi^2 / n estimated by the sample mean of pi). Brewer's approximation needs no
matrix and is part of the ordinary recursion (`analysis.variance`). Only the first stage is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from analysis.columns import FloatArray, add_up
from analysis.errors import DesignError, some

if TYPE_CHECKING:
    from analysis.design import Stage


@dataclass(frozen=True, eq=False)
class JointProbabilities:
    """Joint inclusion probabilities of the sampled PSUs (in order of first appearance in the data), diagonal pi_i.

    estimator: "horvitz_thompson", or "yates_grundy", which is for samples of fixed size, where it is never negative
    if pi_ij <= pi_i pi_j.
    """

    matrix: FloatArray
    estimator: Literal["horvitz_thompson", "yates_grundy"] = "horvitz_thompson"
    kernel: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        matrix = np.asarray(self.matrix, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise DesignError(f"joint probabilities are a square matrix, not {matrix.shape}")
        if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=0.0):
            raise DesignError("joint probabilities are symmetric; these are not")
        bad = np.argwhere(~((matrix > 0.0) & (matrix <= 1.0)))
        if bad.size:
            pairs = [f"({first + 1}, {second + 1})" for first, second in bad.tolist()]
            raise DesignError(f"joint probabilities lie above 0 and at most at 1; not so for {some(pairs)}")
        single = np.diag(matrix)
        kernel = 1.0 - np.outer(single, single) / matrix
        # Differences of this size are rounding in the published probabilities, as R's pi2Dcheck has it.
        kernel[np.abs(kernel) < matrix.min() / 1e4] = 0.0
        object.__setattr__(self, "kernel", kernel)

    def covariance(self, totals: FloatArray) -> FloatArray:
        """The covariance matrix from PSU totals (PSUs x statistics) of weighted linearised values."""
        if totals.shape[0] != self.kernel.shape[0]:
            raise DesignError(
                f"joint probabilities are for {self.kernel.shape[0]} PSUs, the sample has {totals.shape[0]}"
            )
        product = totals.T @ (self.kernel @ totals)
        if self.estimator == "yates_grundy":
            product = product - (totals * self.kernel.sum(axis=1)[:, np.newaxis]).T @ totals
        return np.asarray(product, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Approximated(JointProbabilities):
    """A kernel worked out from single probabilities."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernel", self.matrix)


def joint(how: str | JointProbabilities, stage: Stage) -> JointProbabilities:
    """The kernel of a design: as given (its rows sorted into the design's order of PSUs) or approximated."""
    if isinstance(how, JointProbabilities):
        if how.kernel.shape[0] != stage.units:
            raise DesignError(
                f"joint probabilities are for {how.kernel.shape[0]} PSUs, the sample has {stage.units}"
            )
        _, first = np.unique(stage.unit, return_index=True)
        rank = np.empty(stage.units, dtype=np.int64)
        rank[np.argsort(first)] = np.arange(stage.units)
        return _Approximated(how.kernel[np.ix_(rank, rank)], how.estimator)
    if how not in ("overton", "hartley_rao"):
        raise DesignError(f'unequal="{how}" is not one of brewer, overton, hartley_rao')
    single = stage.fraction
    sampled = stage.sampled[stage.unit_stratum][:, np.newaxis]
    together = single[:, np.newaxis] + single[np.newaxis, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        if how == "overton":
            kernel = 1.0 - (sampled - together / 2.0) / (sampled - 1.0)
        else:
            mean = add_up(stage.unit_stratum, single, stage.strata) / stage.sampled
            kernel = 1.0 - (sampled - together + mean[stage.unit_stratum][:, np.newaxis]) / (sampled - 1.0)
    kernel[stage.unit_stratum[:, np.newaxis] != stage.unit_stratum[np.newaxis, :]] = 0.0
    kernel[together == 2.0] = 0.0
    np.fill_diagonal(kernel, 1.0 - single)
    return _Approximated(kernel)
