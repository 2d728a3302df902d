"""Replicate weights: variance by estimating again from many reweighted samples.

    V = scale * sum_r rscales_r (theta_r - centre)^2

centre is the full-sample estimate (`mse=True`) or the mean over replicates. What is stored are multiplicities by
PSU (units x replicates), never person-level weights: at a million persons and 500 replicates the difference is a
factor of thirty in memory. Calibration steps are taken again in each replicate.

| kind       | multiplicity                                     | scale, rscales                      |
| ---------- | ------------------------------------------------ | ----------------------------------- |
| JK1        | n/(n-1), 0                                       | (n-1)/n (1-f), 1                    |
| JKn        | within its stratum n_h/(n_h-1), 0; else 1        | 1, (n_h-1)/n_h (1-f_h)              |
| BRR        | 2, 0 by a Hadamard matrix                        | 1/R, 1                              |
| Fay        | 2-rho, rho                                       | 1/(R (1-rho)^2), 1                  |
| SDR        | 1 + 2^-1.5 (a_ir - a_jr), successive differences | 4/R, 1                              |
| bootstrap  | Rao-Wu with n_h - 1 draws; Canty-Davison         | 1/R; H/((H-1)(R-1)), H harmonic n_h |

Sources: Wolter 2007; Judkins 1990 (Fay); Fay and Train 1995 (SDR, as the ACS); Rao and Wu 1988; Canty and Davison
1999; Rust and Rao 1996.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy

from analysis.adjustments import CellAdjustment
from analysis.columns import BoolArray, FloatArray, IntArray, add_up, pair
from analysis.errors import DesignError, NotPossible, some
from analysis.totals import Cells

if TYPE_CHECKING:
    from analysis.design import Design

ReplicateKind = Literal["JK1", "JKn", "BRR", "Fay", "SDR", "bootstrap", "other"]
KINDS: tuple[ReplicateKind, ...] = ("JK1", "JKn", "BRR", "Fay", "SDR", "bootstrap", "other")
BLOCK = 4_000_000  # person-level replicate weights held at a time


@dataclass(frozen=True, eq=False)
class Replicates:
    """Replicate weights as multiplicities of units; `unit` gives each row's unit (None: each row is one).

    combined: `factors` are whole weights, not multiplicities of the design's weights. Negative values are accepted:
    official files hold them. from_design: made from this design's PSUs, so that degrees of freedom are counted
    there and not from the rank of the replicates.
    """

    factors: FloatArray
    kind: ReplicateKind = "other"
    scale: float | None = None
    rscales: FloatArray | Sequence[float] | None = None
    rho: float = 0.0
    mse: bool = False
    combined: bool = False
    unit: IntArray = None  # type: ignore[assignment]  # replaced by `fitted` when a design takes it
    from_design: bool = False

    def __post_init__(self) -> None:
        factors = np.ascontiguousarray(self.factors, dtype=np.float64)
        if factors.ndim != 2 or factors.shape[1] < 2:
            raise DesignError(
                "replicate weights are a table of units x replicates, with two replicates or more"
            )
        if not np.isfinite(factors).all():
            raise DesignError("replicate weights hold missing or infinite values")
        if self.kind not in KINDS:
            raise DesignError(f'kind="{self.kind}" is not one of {some(KINDS)}')
        if self.kind == "Fay" and not 0.0 <= self.rho < 1.0:
            raise DesignError(f"rho of Fay's method lies in [0, 1), not at {self.rho:g}")
        count = factors.shape[1]
        scale, rscales = self.scale, self.rscales
        if scale is None:
            scale = _default_scale(self.kind, count, self.rho)
        if rscales is None:
            if self.kind == "JKn":
                raise DesignError("JKn needs rscales: (n_h - 1) / n_h for each replicate")
            rscales = np.ones(count)
        rscales = np.broadcast_to(np.asarray(rscales, dtype=np.float64), (count,)).copy()
        for name, value in (("factors", factors), ("scale", float(scale)), ("rscales", rscales)):
            object.__setattr__(self, name, value)

    @property
    def count(self) -> int:
        return int(self.factors.shape[1])

    def fitted(self, rows: int) -> Replicates:
        """With a unit for every row, checked against the number of rows of a design."""
        if self.unit is None:
            if self.factors.shape[0] != rows:
                raise DesignError(
                    f"{self.factors.shape[0]} rows of replicate weights for {rows} rows of data"
                )
            return replace(self, unit=np.arange(rows))
        if self.unit.shape != (rows,) or self.unit.max() >= self.factors.shape[0]:
            raise DesignError(f"replicates: `unit` must give a row of the table for each of {rows} rows")
        return self

    def weights(self, design: Design, columns: slice = slice(None)) -> FloatArray:
        """Person-level replicate weights (rows x replicates), with the design's weighting steps taken in each."""
        weights = self.factors[self.unit, columns]
        if not self.combined:
            weights = weights * design.base[:, np.newaxis]
        for step in design.adjustments:
            weights = step.reweight(weights)
        return weights

    def totals(self, design: Design, parts: tuple[FloatArray, ...], cells: Cells) -> list[FloatArray]:
        """The sum of weights and the weighted total of each part: domains x replicates."""
        columns: list[FloatArray | None] = [None, *parts]
        if not design.adjustments:
            # Fold to units first: what is multiplied by the replicates is small.
            base = np.ones(design.rows) if self.combined else design.base
            result = []
            for part in columns:
                sums = cells.sums(base if part is None else base * part)
                table = scipy.sparse.csr_array(
                    (sums, (cells.domain, cells.unit)), shape=(cells.domains, self.factors.shape[0])
                )
                result.append(np.asarray(table @ self.factors))
            return result
        if all(isinstance(step, CellAdjustment) for step in design.adjustments):
            return self._totals_on_cells(design, columns, cells)
        members = np.arange(design.rows) if cells.members is None else cells.members
        domain = np.zeros(members.size, dtype=np.int64) if cells.row_domain is None else cells.row_domain
        tables = [
            scipy.sparse.csr_array(
                (
                    np.ones(members.size) if part is None else part[members],
                    (domain, members),
                ),
                shape=(cells.domains, design.rows),
            )
            for part in columns
        ]
        blocks: list[list[FloatArray]] = [[] for _ in columns]
        width = max(BLOCK // design.rows, 1)
        for start in range(0, self.count, width):
            weights = self.weights(design, slice(start, start + width))
            for table, block in zip(tables, blocks, strict=True):
                block.append(np.asarray(table @ weights))
        return [np.concatenate(block, axis=1) for block in blocks]

    def _totals_on_cells(
        self, design: Design, columns: Sequence[FloatArray | None], cells: Cells
    ) -> list[FloatArray]:
        """The same when every step works on cells: replicates meet sums by (cell, domain), never rows."""
        steps = [step for step in design.adjustments if isinstance(step, CellAdjustment)]
        joint, of_step = steps[0].cell, [np.arange(int(steps[0].cell.max()) + 1)]
        for step in steps[1:]:
            joint, earlier, own = pair(joint, step.cell, int(step.cell.max()) + 1)
            of_step = [*(codes[earlier] for codes in of_step), own]
        count = int(joint.max()) + 1
        base = np.ones(design.rows) if self.combined else design.base
        units = self.factors.shape[0]
        everybody = _sums_by(joint, count, self.unit, units, base)
        row_domain = np.zeros(joint.size, dtype=np.int64)
        members = slice(None) if cells.members is None else cells.members
        row_domain = row_domain[members] if cells.row_domain is None else cells.row_domain
        one_domain = cells.members is None and cells.row_domain is None
        place, of_joint, of_domain = pair(joint[members], row_domain, cells.domains)
        tables = [
            _sums_by(
                place,
                of_joint.size,
                self.unit[members],
                units,
                base[members] if part is None else base[members] * part[members],
            )
            for part in columns
        ]
        into_domains = scipy.sparse.csr_array(
            (np.ones(of_joint.size), (of_domain, np.arange(of_joint.size))),
            shape=(cells.domains, of_joint.size),
        )
        blocks: list[list[FloatArray]] = [[] for _ in columns]
        width = max(4 * BLOCK // max(count, of_joint.size), 1)
        for start in range(0, self.count, width):
            factors = np.ascontiguousarray(self.factors[:, start : start + width])
            weight = everybody @ factors
            gained = np.ones_like(weight)
            for step, codes in zip(steps, of_step, strict=True):
                sums = np.zeros((int(step.cell.max()) + 1, weight.shape[1]))
                np.add.at(sums, codes, weight * gained)
                gained *= step.factors(sums)[codes]
            for part, table, block in zip(columns, tables, blocks, strict=True):
                # Without domains the sums of weights by cell are those the steps just started from.
                product = weight if part is None and one_domain else table @ factors
                block.append(np.asarray(into_domains @ (product * gained[of_joint])))
        return [np.concatenate(block, axis=1) for block in blocks]

    def covariance(self, replicated: FloatArray, values: FloatArray) -> FloatArray:
        """The covariance matrix of statistics (statistics x replicates); NaN replicates are left out by pairs of rows.

        A replicate in which a domain is empty has no value there. As in R survey it is left out.
        """
        scale = float(self.scale or 0.0)
        usable = np.isfinite(replicated)
        if usable.all():
            return self._covariance(replicated, values, np.asarray(self.rscales), scale)
        result = np.full((values.size, values.size), np.nan)
        for first in range(values.size):
            for second in range(first, values.size):
                both = usable[first] & usable[second]
                if both.sum() < 2:
                    continue
                pair = [first, second]
                block = self._covariance(
                    replicated[pair][:, both], values[pair], np.asarray(self.rscales)[both], scale
                )
                result[first, second] = result[second, first] = block[0, 1]
        return result

    def variances(self, replicated: FloatArray, values: FloatArray) -> FloatArray:
        """The variance of each statistic (statistics x replicates)."""
        rscales = np.asarray(self.rscales)
        usable = np.isfinite(replicated)
        if self.mse:
            centre = values
        else:
            counted = usable & (rscales > 0)
            with np.errstate(divide="ignore", invalid="ignore"):
                centre = np.where(counted, replicated, 0.0).sum(axis=1) / counted.sum(axis=1)
        deviation = np.where(usable, np.where(usable, replicated, 0.0) - centre[:, np.newaxis], 0.0)
        spread = float(self.scale or 0.0) * (deviation * deviation) @ rscales
        return np.where(usable.sum(axis=1) >= 2, spread, np.nan)

    def _covariance(
        self, replicated: FloatArray, values: FloatArray, rscales: FloatArray, scale: float
    ) -> FloatArray:
        centre = values if self.mse else replicated[:, rscales > 0].mean(axis=1)
        deviation = replicated - centre[:, np.newaxis]
        return np.asarray(scale * (deviation * rscales) @ deviation.T, dtype=np.float64)

    def degrees_of_freedom(self, design: Design, held: BoolArray) -> float:
        """PSUs less strata that hold the rows, where known; otherwise the rank of the replicate weights less 1."""
        if self.from_design:
            first = design.stages[0]
            units = np.flatnonzero(np.bincount(first.unit[held], minlength=first.units))
            return float(units.size - np.unique(first.unit_stratum[units]).size)
        if design.adjustments and design.rows * self.count <= 5 * BLOCK:
            return _rank(self.weights(design)[held]) - 1.0
        units = np.flatnonzero(np.bincount(self.unit[held], minlength=self.factors.shape[0]))
        return _rank(self.factors[units]) - 1.0


def _sums_by(row: IntArray, rows: int, column: IntArray, columns: int, values: FloatArray) -> Any:
    """Row-level values added up by two codes, as a sparse table."""
    code, first, second = pair(row, column, columns)
    sums = add_up(code, values, first.size)
    return scipy.sparse.csr_array((sums, (first, second)), shape=(rows, columns))


def _rank(table: FloatArray) -> float:
    """How many columns, one after another, add a direction of more than 1e-5 of their length to those before.

    The count of R's pivoted QR (LINPACK's dqrdc2), from which its degrees of freedom of replicates follow; worked out on
    the columns' products, which rows do not enlarge.
    """
    length = np.sqrt((table * table).sum(axis=0))
    columns = table[:, length > 0] / length[length > 0]
    products = columns.T @ columns
    left = np.ones(columns.shape[1])
    factor = np.zeros((columns.shape[1], min(columns.shape)))
    rank = 0
    for column in range(columns.shape[1]):
        if rank == factor.shape[1] or not left[column] > 1e-10:
            continue
        added = (products[:, column] - factor[:, :rank] @ factor[column, :rank]) / math.sqrt(left[column])
        factor[:, rank] = added
        left = left - added * added
        rank += 1
    return float(rank)


def _default_scale(kind: ReplicateKind, count: int, rho: float) -> float:
    if kind == "JK1":
        return (count - 1.0) / count
    if kind == "JKn":
        return 1.0
    if kind in ("BRR", "Fay"):
        return 1.0 / (count * (1.0 - rho) ** 2)
    if kind == "SDR":
        return 4.0 / count
    raise DesignError(f'"{kind}" replicates need a scale (and rscales)')


def jackknife(design: Design, *, mse: bool = False) -> Design:
    """The design with delete-one-PSU replicates: JK1 without strata, JKn with."""
    first = design.stages[0]
    _no_lonely(design)
    size = first.sampled[first.unit_stratum]
    factors = np.ones((first.units, first.units))
    for stratum in range(first.strata):
        members = np.flatnonzero(first.unit_stratum == stratum)
        factors[np.ix_(members, members)] = members.size / (members.size - 1.0)
    np.fill_diagonal(factors, 0.0)
    shrink = (size - 1.0) / size * (1.0 - first.fraction)
    if first.strata == 1:
        kind: ReplicateKind = "JK1"
        scale, rscales = float(shrink[0]), np.ones(first.units)
    else:
        kind, scale, rscales = "JKn", 1.0, shrink
    return design.with_replicates(
        Replicates(factors, kind, scale, rscales, mse=mse, unit=first.unit, from_design=True)
    )


def balanced(design: Design, *, rho: float = 0.0, mse: bool = False) -> Design:
    """The design with balanced repeated replication (two PSUs in each stratum); `rho` above 0 is Fay's method."""
    first = design.stages[0]
    if (first.sampled != 2).any():
        wrong = [first.stratum_labels[index] for index in np.flatnonzero(first.sampled != 2).tolist()]
        raise DesignError(f"balanced replicates need two PSUs in every stratum; not so in {some(wrong)}")
    count = next(
        order for order in range(4, 8 * first.strata + 9, 4) if order > first.strata and _constructible(order)
    )
    signs = hadamard(count)[1 : first.strata + 1]
    order = np.argsort(first.unit_stratum, kind="stable")
    factors = np.empty((first.units, count))
    factors[order[0::2]] = np.where(signs > 0, 2.0 - rho, rho)
    factors[order[1::2]] = np.where(signs > 0, rho, 2.0 - rho)
    kind: ReplicateKind = "Fay" if rho > 0 else "BRR"
    return design.with_replicates(
        Replicates(factors, kind, rho=rho, mse=mse, unit=first.unit, from_design=True)
    )


def bootstrap(
    design: Design,
    replicates: int,
    generator: np.random.Generator,
    *,
    method: Literal["rao_wu", "canty_davison"] = "rao_wu",
    mse: bool = False,
) -> Design:
    """The design with bootstrap replicates of its PSUs.

    "rao_wu" draws n_h - 1 of n_h PSUs with replacement and rescales, finite population correction included;
    "canty_davison" draws n_h of n_h. Only the first stage is resampled, so with large sampling fractions and several
    stages the variance is understated; use Taylor linearisation there.
    """
    first = design.stages[0]
    _no_lonely(design)
    factors = np.empty((first.units, replicates))
    for stratum in range(first.strata):
        members = np.flatnonzero(first.unit_stratum == stratum)
        size = members.size
        draws = size - 1 if method == "rao_wu" else size
        times = generator.multinomial(draws, np.full(size, 1.0 / size), size=replicates).T
        if method == "rao_wu":
            shrink = math.sqrt(draws * (1.0 - first.stratum_fraction[stratum]) / (size - 1.0))
            factors[members] = 1.0 - shrink + shrink * size / draws * times
        else:
            factors[members] = times
    if method == "rao_wu":
        scale = 1.0 / (replicates if mse else replicates - 1.0)
    else:
        harmonic = first.strata / float((1.0 / first.sampled).sum())
        scale = harmonic / ((harmonic - 1.0) * (replicates - 1.0))
    return design.with_replicates(
        Replicates(factors, "bootstrap", scale, None, mse=mse, unit=first.unit, from_design=True)
    )


def successive_differences(design: Design, replicates: int = 80, *, mse: bool = True) -> Design:
    """The design with successive-difference replicates, for PSUs drawn systematically from a sorted list.

    PSUs are taken in the order in which they first appear in the data, which must be the order of selection.
    """
    first = design.stages[0]
    _, appeared = np.unique(first.unit, return_index=True)
    order = np.lexsort((appeared, first.unit_stratum))
    signs = hadamard(replicates)
    row = np.arange(first.units) % (replicates - 1)
    following = (np.arange(first.units) + 1) % (replicates - 1)
    factors = np.empty((first.units, replicates))
    factors[order] = 1.0 + 2.0**-1.5 * (signs[row + 1] - signs[following + 1])
    return design.with_replicates(Replicates(factors, "SDR", mse=mse, unit=first.unit, from_design=True))


def hadamard(order: int) -> FloatArray:
    """A Hadamard matrix: +1 and -1, rows orthogonal, the first row all +1 (Sylvester 1867, Paley 1933).

    Of an order that is 2, or q + 1 with q a prime and q = 3 modulo 4, or twice one of these.
    """
    if order == 1:
        return np.ones((1, 1))
    if order % 4 == 0 and _is_prime(order - 1):
        prime = order - 1
        squares = np.full(prime, -1.0)
        squares[np.unique(np.arange(1, prime) ** 2 % prime)] = 1.0
        squares[0] = 0.0
        index = np.arange(prime)
        core = squares[(index[np.newaxis, :] - index[:, np.newaxis]) % prime]
        matrix = np.ones((order, order))
        matrix[1:, 1:] = core - np.eye(prime)
        return matrix
    if not _constructible(order):
        raise NotPossible(
            f"no Hadamard matrix of order {order} is known here; take a multiple of 4 such as {order * 2}"
        )
    half = hadamard(order // 2)
    return np.block([[half, half], [half, -half]])


def _constructible(order: int) -> bool:
    if order in (1, 2) or (order % 4 == 0 and _is_prime(order - 1)):
        return True
    return order % 2 == 0 and _constructible(order // 2)


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, math.isqrt(number) + 1))


def _no_lonely(design: Design) -> None:
    first = design.stages[0]
    lonely = np.flatnonzero(first.sampled < 2)
    if lonely.size:
        names = [first.stratum_labels[index] for index in lonely.tolist()]
        raise DesignError(
            f"replicates need two PSUs or more in every stratum; merge {some(names)} with others"
        )
