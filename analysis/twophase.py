"""Two-phase samples: a second sample drawn from the first, by strata that the first phase told.

    design = Design(first, weights="w1", second=SecondPhase("selected", strata="screened_positive"))

The data hold the whole first phase; `selected` marks the second. Weights are those of the first phase times
n1_h / n2_h in the second phase's strata, and 0 for the rest.

    full     V = sum_kl (D1 + D2 - D1 D2)_kl u_k u_l           Sarndal, Swensson and Wretman 1992, result 9.3.1
    approx   phase one from expanded totals, plus phase two    Rao 1973, as Stata and R's older method

D is 1 - pi_k pi_l / pi_kl of each phase, u the weighted linearised values. Rows are the units of the second phase;
the first phase may have clusters and strata, counted at its first stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from analysis.columns import BoolArray, FloatArray, IntArray, add_up
from analysis.errors import DesignError, rows

if TYPE_CHECKING:
    from analysis.design import Design


@dataclass(frozen=True)
class SecondPhase:
    """Which rows were drawn again (a column of truth values), within which strata, and how to estimate."""

    selected: str
    strata: str | None = None
    method: Literal["full", "approx"] = "full"

    def taken(self, design: Design) -> TwoPhase:
        """Compiled for a design of the first phase."""
        if self.method not in ("full", "approx"):
            raise DesignError(f'method="{self.method}" of two phases is not one of full, approx')
        values = design.columns.numbers(self.selected)
        unknown = np.flatnonzero(np.isnan(values))
        if unknown.size:
            raise DesignError(
                f'"{self.selected}" is missing where it must say who was selected ({rows(unknown)})'
            )
        selected = values != 0
        stratum = np.zeros(design.rows, dtype=np.int64)
        labels: tuple[object, ...] = ("the whole sample",)
        if self.strata is not None:
            stratum, labels = design.columns.codes(self.strata)
            missing = np.flatnonzero(stratum < 0)
            if missing.size:
                raise DesignError(
                    f'strata "{self.strata}": {missing.size} values are missing ({rows(missing)})'
                )
        first = np.bincount(stratum, minlength=len(labels)).astype(np.float64)
        second = np.bincount(stratum[selected], minlength=len(labels)).astype(np.float64)
        if not (second > 0).all():
            empty = labels[int(np.argmin(second))]
            raise DesignError(f"nobody of stratum {empty} was selected in the second phase")
        return TwoPhase(self, selected, stratum, first, second)


@dataclass(frozen=True, eq=False)
class TwoPhase:
    """A second phase compiled: who was selected, in which stratum, out of how many."""

    asked: SecondPhase
    selected: BoolArray
    stratum: IntArray
    first: FloatArray
    second: FloatArray

    def weights(self, first_phase: FloatArray) -> FloatArray:
        expansion = (self.first / self.second)[self.stratum]
        return np.where(self.selected, first_phase * expansion, 0.0)

    def df(self, held: BoolArray) -> float:
        """Units less strata of the second phase that hold the rows."""
        inside = held & self.selected
        return float(np.count_nonzero(inside) - np.unique(self.stratum[inside]).size)

    def covariance(self, design: Design, weighted: FloatArray) -> FloatArray:
        """The covariance matrix from weighted linearised values (rows of the first phase x statistics)."""
        residuals = weighted
        for step in design.residual_steps:
            residuals = step.residuals(residuals)
        values = residuals[self.selected]
        if self.asked.method == "full":
            return self._full(design, values)
        return self._first_phase(design, values) + self._second_phase(values)

    def _full(self, design: Design, values: FloatArray) -> FloatArray:
        stage = design.stages[0]
        if len(design.stages) > 1:
            raise DesignError('two phases with method="full" take one stage in the first phase; use "approx"')
        unit = stage.unit[self.selected]
        stratum = stage.unit_stratum[unit]
        together = unit[:, np.newaxis] == unit[np.newaxis, :]
        probability = stage.fraction[unit]
        if (probability > 0).any():
            beside = (1.0 - probability) / np.maximum(stage.sampled[stratum] - 1.0, 1.0)
            one = np.where(stratum[:, np.newaxis] == stratum[np.newaxis, :], -beside[:, np.newaxis], 0.0)
            one = np.where(together, (1.0 - probability)[:, np.newaxis], one)
        else:
            one = together.astype(np.float64)
        drawn = self.stratum[self.selected]
        share = (self.second / self.first)[drawn]
        two = np.where(
            drawn[:, np.newaxis] == drawn[np.newaxis, :],
            -((1.0 - share) / np.maximum(self.second[drawn] - 1.0, 1.0))[:, np.newaxis],
            0.0,
        )
        np.fill_diagonal(two, 1.0 - share)
        return np.asarray(values.T @ ((one + two - one * two) @ values), dtype=np.float64)

    def _first_phase(self, design: Design, values: FloatArray) -> FloatArray:
        stage = design.stages[0]
        if len(design.stages) > 1:
            raise DesignError("two phases take one stage in the first phase")
        unit = stage.unit[self.selected]
        present, code = np.unique(unit, return_inverse=True)
        totals = np.stack([add_up(code, column, present.size) for column in values.T], axis=1)
        share = np.empty(present.size)
        share[code] = (self.second / self.first)[self.stratum[self.selected]]
        stratum = stage.unit_stratum[present]
        sums = np.stack([add_up(stratum, column, stage.strata) for column in totals.T], axis=1)
        centre = sums / stage.sampled[:, np.newaxis]
        deviation = totals * share[:, np.newaxis] - centre[stratum]
        size = stage.sampled[stratum]
        factor = (1.0 - stage.fraction[present]) * size / np.maximum(size - 1.0, 1.0) / share
        return np.asarray((deviation * factor[:, np.newaxis]).T @ deviation, dtype=np.float64)

    def _second_phase(self, values: FloatArray) -> FloatArray:
        drawn = self.stratum[self.selected]
        sums = np.stack(
            [add_up(drawn, column, self.second.size) for column in values.T],
            axis=1,
        )
        deviation = values - (sums / self.second[:, np.newaxis])[drawn]
        size = self.second[drawn]
        factor = (1.0 - size / self.first[drawn]) * size / np.maximum(size - 1.0, 1.0)
        return np.asarray((deviation * factor[:, np.newaxis]).T @ deviation, dtype=np.float64)
