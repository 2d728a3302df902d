"""What a design remembers of its weighting steps: what the variance takes off, and how a replicate takes them anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from analysis.columns import FloatArray, IntArray


@runtime_checkable
class Adjustment(Protocol):
    """One weighting step, remembered by the design so that the variance and every replicate can take it again.

    The variance of a calibrated estimate is the variance of residuals (Deville and Särndal 1992): `residuals` is
    applied to the weighted linearised values, the last step first. Replicates take the step anew from their own starting weights: `reweight`. A step whose residuals are the values themselves may say so
    (`takes_off_nothing = True`), which spares the variance a pass over the rows.
    """

    @property
    def name(self) -> str:
        """The step in a word or two, for reports: "rake", "post-stratify", "trim"."""

    def residuals(self, weighted: FloatArray) -> FloatArray:
        """What is left of weighted linearised values (rows x statistics) after the step's fit."""

    def reweight(self, weights: FloatArray) -> FloatArray:
        """The step taken from other starting weights (rows x replicates)."""


@runtime_checkable
class CellAdjustment(Adjustment, Protocol):
    """A step whose factor is the same throughout a cell of rows, so that everything about it follows from cell sums.

    The residual of row k is weighted_k - start_weight_k fitted(sums of weighted by cell)[cell_k]. `factors` takes
    the step anew from other cell sums of starting weights (cells x replicates). A million rows in a hundred cells
    then cost a hundred; `on_cells` is False where that does not hold after all.
    """

    cell: IntArray
    start_weight: FloatArray

    @property
    def on_cells(self) -> bool: ...

    def fitted(self, sums: FloatArray) -> FloatArray: ...

    def factors(self, start: FloatArray) -> FloatArray: ...


@dataclass(frozen=True, eq=False)
class FixedFactors:
    """A step whose factors the variance takes as given, one factor a row."""

    factor: FloatArray
    name = "fixed factors"

    @classmethod
    def between(cls, before: FloatArray, after: FloatArray) -> FixedFactors:
        with np.errstate(divide="ignore", invalid="ignore"):
            return cls(np.where(before > 0.0, after / before, 0.0))

    takes_off_nothing = True

    def residuals(self, weighted: FloatArray) -> FloatArray:
        return weighted

    def reweight(self, weights: FloatArray) -> FloatArray:
        return weights * self.factor[:, np.newaxis]
