"""The variance of a total of linearised values under the design: once, for every statistic.

Multistage sampling without replacement, by the recursion of Särndal, Swensson and Wretman (1992), result 4.3.1:

    V = sum_h (1 - f_h) n_h / (n_h - 1) sum_i (u_hi - mean_h)^2  +  sum_hi f_h V_hi

u_hi is the total of the weighted linearised values in unit i of stratum h; V_hi is the same expression within the
unit, one stage down. Units where the domain is absent count as zeros: n_h is always that of the design. Sums of
squares are taken around the mean, in a second pass; the textbook shortcut loses all digits for totals.

With unequal probabilities and Brewer's approximation (Brewer 2002, ch. 9) f is the unit's own probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import scipy

from analysis.columns import BoolArray, FloatArray, IntArray, add_up, pair
from analysis.design import CERTAIN, CellAdjustment, Design, LonelyPolicy, Stage
from analysis.errors import LonelyPSU, some
from analysis.totals import Cells, UnitTotals, fold_rows


class Sampling(Protocol):
    """What the recursion needs to know of a design."""

    @property
    def stages(self) -> tuple[Stage, ...]: ...
    @property
    def lonely_psu(self) -> LonelyPolicy: ...
    @property
    def adjust_domain_lonely(self) -> bool: ...
    @property
    def compat(self) -> tuple[str, ...]: ...


def variances(design: Sampling, totals: UnitTotals) -> FloatArray:
    """The variance of each column of unit totals (of the last stage that the design uses)."""
    result = np.zeros(totals.columns)
    for level in range(len(design.stages) - 1, -1, -1):
        stage = design.stages[level]
        result += _Centred.of(design, stage, level, totals).variances()
        if level:
            totals = totals.raised(stage.unit_parent)
    return result


def dense_variances(design: Sampling, table: FloatArray) -> FloatArray:
    """The variance of each column of a whole table of unit totals (units of the last stage x columns).

    For calibrated designs: their residuals are not 0 outside the domain, so no unit is absent from any column.
    """
    if any((stage.sampled == 1).any() for stage in design.stages):
        # Lonely units need their policy; the general path has it.
        return variances(design, UnitTotals.dense(table))
    result = np.zeros(table.shape[1])
    for level in range(len(design.stages) - 1, -1, -1):
        stage = design.stages[level]
        order = np.argsort(stage.unit_stratum, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(stage.sampled)[:-1]]).astype(np.int64)
        sizes = stage.sampled.astype(np.int64)
        factor = _unit_factor(stage)[order]
        block = max(2_000_000 // max(stage.units, 1), 1)
        for start in range(0, table.shape[1], block):
            values = table[order, start : start + block]
            centre = np.add.reduceat(values, bounds, axis=0) / stage.sampled[:, np.newaxis]
            values -= np.repeat(centre, sizes, axis=0)
            values *= values
            result[start : start + block] += factor @ values
        if level:
            table = fold_rows(stage.unit_parent, design.stages[level - 1].units, table)
    return result


def _unit_factor(stage: Stage) -> FloatArray:
    """(1 - f) n / (n - 1) of each unit, times the fractions of the stages before; 0 in a census."""
    with np.errstate(divide="ignore", invalid="ignore"):
        bessel = np.where(stage.sampled > 1, stage.sampled / (stage.sampled - 1.0), 1.0)
    factor = (1.0 - stage.fraction) * (bessel * stage.multiplier)[stage.unit_stratum]
    return np.where(_census(stage)[stage.unit_stratum], 0.0, factor)


def _census(stage: Stage) -> BoolArray:
    return stage.stratum_fraction >= 1.0 - CERTAIN


def covariance(design: Sampling, totals: UnitTotals) -> FloatArray:
    """The covariance matrix of the columns of unit totals."""
    result = np.zeros((totals.columns, totals.columns))
    for level in range(len(design.stages) - 1, -1, -1):
        stage = design.stages[level]
        result += _Centred.of(design, stage, level, totals).covariance()
        if level:
            totals = totals.raised(stage.unit_parent)
    return result


def of_influence(design: Design, influence: FloatArray, members: BoolArray | None = None) -> FloatArray:
    """The covariance matrix of statistics given by their linearised values (rows x statistics), unweighted.

    Rows outside the domain are zeros; `members` says which those are, where a lonely-PSU policy asks which strata
    hold anybody of the domain. This is the door for statistics that are not smooth functions of a few
    totals: regression coefficients, ranks, quantiles. Calibration steps are taken into account. Designs with
    replicates have no linearised variance: use `analysis.replicates`.
    """
    return of_weighted(design, influence * design.weight[:, np.newaxis], members)


def of_weighted(design: Design, weighted: FloatArray, members: BoolArray | None = None) -> FloatArray:
    """As `of_influence`, of values already multiplied by the weights."""
    if design.phase is not None:
        return design.phase.covariance(design, weighted)
    residuals = adjusted(design, weighted)
    if design.joint is not None:
        first = design.stages[0]
        return design.joint.covariance(fold_rows(first.unit, first.units, residuals))
    last = design.stages[-1]
    table = fold_rows(last.unit, last.units, residuals)
    if members is None or design.residual_steps:  # a weighting step leaves something in every unit
        return covariance(design, UnitTotals.dense(table))
    return covariance(design, UnitTotals.of_units(table, np.unique(last.unit[members])))


def adjusted(design: Design, weighted: FloatArray) -> FloatArray:
    """Weighted linearised values less what the weighting steps account for."""
    for step in design.residual_steps:
        weighted = step.residuals(weighted)
    return weighted


def residual_totals(
    design: Design,
    cells: Cells,
    products: Sequence[FloatArray],
    sums: Sequence[FloatArray],
    slopes: FloatArray,
) -> FloatArray:
    """Unit totals (units x domains) of what the weighting steps leave of weighted linearised values.

    products: the weight, then the weight times each part, of the member rows; `sums`: the same added up by cell;
    slopes: derivatives by each of them (parts x domains). When every step works on cells, all of it is algebra on sums by
    unit, by cell and by domain, and those of the weight alone are the same for all statistics of one call; otherwise
    the rows are gone through, a block of domains at a time.
    """
    steps = design.residual_steps
    on_cells = [step for step in steps if isinstance(step, CellAdjustment) and step.on_cells]
    if len(on_cells) < len(steps):
        linear = sum(cells.spread(slope) * one for slope, one in zip(slopes, products, strict=True))
        return _residuals_by_row(design, cells, np.asarray(linear))
    last = design.stages[-1]
    table = np.zeros((last.units, cells.domains))
    table[cells.unit, cells.domain] = sum(
        slope[cells.domain] * one for slope, one in zip(slopes, sums, strict=True)
    )
    largest = max((int(step.cell.max()) + 1 for step in on_cells), default=1)
    for block in _domain_blocks(cells, products[0].size, int(BLOCK // largest)):
        taken_off: list[tuple[CellAdjustment, FloatArray]] = []
        for number, step in enumerate(on_cells):
            by_cell = _by_cell(cells, products, step, number, block)
            left = sum(slope[block.chosen] * one for slope, one in zip(slopes, by_cell, strict=True))
            for before, fitted in taken_off:
                left = left - _overlap(design, step, before) @ fitted
            fitted = step.fitted(np.asarray(left))
            table[:, block.chosen] -= _unit_overlap(design, step) @ fitted
            taken_off.append((step, fitted))
    return table


class _Block(NamedTuple):
    """Some of the domains: which columns, which member rows (None: all), the column of each, how many columns."""

    chosen: slice
    rows: IntArray | None
    domain: IntArray
    width: int


def _by_cell(
    cells: Cells, products: Sequence[FloatArray], step: CellAdjustment, number: int, block: _Block
) -> list[FloatArray]:
    """The products added up by cell of a step and domain of the block (cells x domains)."""

    def place() -> IntArray:
        code = step.cell if cells.members is None else step.cell[cells.members]
        code = code if block.rows is None else code[block.rows]
        return code if block.width == 1 else code * block.width + block.domain

    name = number, block.chosen.start
    places = cells.remembered(("place", *name), place)
    size = cells.remembered(("size", number), lambda: int(step.cell.max()) + 1) * block.width

    def added(values: FloatArray) -> FloatArray:
        chosen = values if block.rows is None else values[block.rows]
        return add_up(places, chosen, size).reshape(-1, block.width)

    weights: FloatArray = cells.remembered(("weight", *name), lambda: added(products[0]))
    return [weights, *map(added, products[1:])]


BLOCK = 8_000_000  # numbers in a table of rows, or of cells, by domains


def _domain_blocks(cells: Cells, rows: int, width: int) -> Iterator[_Block]:
    """The domains in blocks of at most `width`."""
    row_domain = np.zeros(rows, dtype=np.int64) if cells.row_domain is None else cells.row_domain
    if cells.domains <= max(width, 1):
        yield _Block(slice(None), None, row_domain, cells.domains)
        return
    width = max(width, 1)
    for start in range(0, cells.domains, width):
        stop = min(start + width, cells.domains)
        inside = np.flatnonzero((row_domain >= start) & (row_domain < stop))
        yield _Block(slice(start, stop), inside, row_domain[inside] - start, stop - start)


def _residuals_by_row(design: Design, cells: Cells, linear: FloatArray) -> FloatArray:
    last = design.stages[-1]
    table = np.empty((last.units, cells.domains))
    members = np.arange(design.rows) if cells.members is None else cells.members
    for block in _domain_blocks(cells, linear.size, BLOCK // design.rows):
        weighted = np.zeros((design.rows, block.width))
        held, values = (members, linear) if block.rows is None else (members[block.rows], linear[block.rows])
        weighted[held, block.domain] = values
        table[:, block.chosen] = fold_rows(last.unit, last.units, adjusted(design, weighted))
    return table


def _unit_overlap(design: Design, step: CellAdjustment) -> Any:
    """Starting weights by sampling unit and cell of the step."""
    last = design.stages[-1]
    return design.remembered(
        ("units", id(step)),
        lambda: _overlaps(last.unit, last.units, step.cell, step.start_weight),
    )


def _overlap(design: Design, step: CellAdjustment, before: CellAdjustment) -> Any:
    """Starting weights of a step already taken off, by cell of the next step and its own."""
    return design.remembered(
        ("cells", id(step), id(before)),
        lambda: _overlaps(step.cell, int(step.cell.max()) + 1, before.cell, before.start_weight),
    )


def _overlaps(row: IntArray, count: int, column: IntArray, weight: FloatArray) -> Any:
    """Sums of weights by row and column, as a sparse table where most of it is empty."""
    width = int(column.max()) + 1
    code, rows, columns = pair(row, column, width)
    sums = add_up(code, weight, rows.size)
    if 4 * rows.size < count * width:
        return scipy.sparse.csr_array((sums, (rows, columns)), shape=(count, width))
    table = np.zeros((count, width))
    table[rows, columns] = sums
    return table


class _Centred:
    """Unit totals of one stage around their stratum means, with the factor each deviation carries.

    `present` are deviations of units that hold somebody; `absent` sums the factors of those that do not, whose
    deviation is minus the centre of their stratum.
    """

    def __init__(
        self,
        stage: Stage,
        totals: UnitTotals,
        cell: IntArray,
        cell_stratum: IntArray,
        cell_column: IntArray,
        centre: FloatArray,
        factor: FloatArray,
        stratum_factor: FloatArray,
        inflation: FloatArray | None,
        covered: BoolArray | None,
    ) -> None:
        self.stage, self.totals = stage, totals
        self.cell, self.cell_stratum, self.cell_column = cell, cell_stratum, cell_column
        self.centre, self.factor, self.stratum_factor = centre, factor, stratum_factor
        self.inflation, self.covered = inflation, covered

    @classmethod
    def of(cls, design: Sampling, stage: Stage, level: int, totals: UnitTotals) -> _Centred:
        stratum = stage.unit_stratum[totals.unit]
        cell, cell_stratum, cell_column = pair(stratum, totals.column, totals.columns)
        sums = add_up(cell, totals.values, cell_stratum.size)
        present = np.bincount(cell, minlength=cell_stratum.size).astype(np.float64)
        sampled = stage.sampled[cell_stratum]
        centre = sums / sampled
        unit_factor = _unit_factor(stage)
        census = _census(stage)
        stratum_factor = add_up(stage.unit_stratum, unit_factor, stage.strata)

        lonely = (stage.sampled == 1) & ~census
        flagged = lonely[cell_stratum]
        if flagged.any() and design.lonely_psu == "fail":
            names = [str(stage.stratum_labels[index]) for index in np.unique(cell_stratum[flagged]).tolist()]
            where = "stratum" if len(names) == 1 else "strata"
            raise LonelyPSU(
                f"{where} {some(names)} {'has' if len(names) == 1 else 'have'} only one PSU at stage {level + 1}, so the "
                "variance there cannot be estimated: merge it with a similar stratum, or choose a policy "
                "(lonely_psu: adjust, average, certainty or remove)"
            )
        if design.adjust_domain_lonely and design.lonely_psu in ("adjust", "average"):
            flagged = flagged | ((present == 1) & (sampled > 1) & ~census[cell_stratum])
        inflation, covered = None, None
        if flagged.any():
            if design.lonely_psu == "adjust":
                centre = np.where(
                    flagged, _grand_mean(design, stage, totals, cell_stratum, cell_column), centre
                )
            elif design.lonely_psu == "average":
                covered = ~flagged
                inflation = _inflation(stage, cell_stratum, cell_column, covered, totals.columns)
            # "certainty" and "remove": the single unit is its own centre and adds nothing.
        return cls(
            stage,
            totals,
            cell,
            cell_stratum,
            cell_column,
            centre,
            unit_factor[totals.unit],
            stratum_factor,
            inflation,
            covered,
        )

    def variances(self) -> FloatArray:
        deviation = self.totals.values - self.centre[self.cell]
        terms = add_up(self.cell, self.factor * deviation * deviation, self.centre.size)
        held = add_up(self.cell, self.factor, self.centre.size)
        absent = np.maximum(self.stratum_factor[self.cell_stratum] - held, 0.0)
        # What is left of subtracting equal factors is rounding, not a unit.
        absent[absent < 1e-9 * self.stratum_factor[self.cell_stratum]] = 0.0
        terms += absent * self.centre * self.centre
        if self.covered is not None and self.inflation is not None:
            unknown = np.isnan(self.inflation)
            terms = np.where(unknown, np.nan, np.where(self.covered, terms * self.inflation, 0.0))
        return add_up(self.cell_column, terms, self.totals.columns)

    def covariance(self) -> FloatArray:
        """By blocks of strata, each block a dense table of deviations; a small table is one block, in any order."""
        columns = self.totals.columns
        result = np.zeros((columns, columns))
        stage = self.stage
        budget = max(int(4_000_000 // max(columns, 1)), 1)
        whole = stage.units <= budget
        order = np.arange(stage.units) if whole else np.argsort(stage.unit_stratum, kind="stable")
        position = np.empty(stage.units, dtype=np.int64)
        position[order] = np.arange(stage.units)
        bounds = np.concatenate([[0], np.cumsum(np.bincount(stage.unit_stratum, minlength=stage.strata))])
        per_unit = np.zeros(stage.units)
        per_unit[self.totals.unit] = self.factor
        missing = np.ones(stage.units, dtype=bool)
        missing[self.totals.unit] = False
        if missing.any():
            sizes = np.bincount(stage.unit_stratum, minlength=stage.strata)
            known = np.bincount(stage.unit_stratum[~missing], minlength=stage.strata)
            spread = add_up(stage.unit_stratum, per_unit, stage.strata)
            with np.errstate(divide="ignore", invalid="ignore"):
                each = np.where(sizes > known, (self.stratum_factor - spread) / (sizes - known), 0.0)
            per_unit[missing] = np.maximum(each, 0.0)[stage.unit_stratum[missing]]
        by_row = (
            np.empty(0, dtype=np.int64) if whole else np.argsort(position[self.totals.unit], kind="stable")
        )
        sorted_position = position[self.totals.unit[by_row]]
        cell_order = np.argsort(self.cell_stratum, kind="stable")
        sorted_stratum = self.cell_stratum[cell_order]
        start = 0
        while start < stage.strata:
            stop = int(np.searchsorted(bounds, bounds[start] + budget, side="right")) - 1
            stop = min(max(stop, start + 1), stage.strata)
            low, high = int(bounds[start]), int(bounds[stop])
            table = np.zeros((high - low, columns))
            if whole:
                table[self.totals.unit, self.totals.column] = self.totals.values
            else:
                rows = by_row[np.searchsorted(sorted_position, low) : np.searchsorted(sorted_position, high)]
                table[position[self.totals.unit[rows]] - low, self.totals.column[rows]] = self.totals.values[
                    rows
                ]
            cells = cell_order[np.searchsorted(sorted_stratum, start) : np.searchsorted(sorted_stratum, stop)]
            centres = np.zeros((stop - start, columns))
            centres[self.cell_stratum[cells] - start, self.cell_column[cells]] = self.centre[cells]
            scale = np.ones((stop - start, columns))
            if self.covered is not None and self.inflation is not None:
                unknown = np.isnan(self.inflation[cells])
                scale[self.cell_stratum[cells] - start, self.cell_column[cells]] = np.where(
                    self.covered[cells] | unknown, np.sqrt(self.inflation[cells]), 0.0
                )
            local = stage.unit_stratum[order[low:high]] - start
            deviation = (table - centres[local]) * scale[local]
            deviation *= np.sqrt(per_unit[order[low:high]])[:, np.newaxis]
            result += deviation.T @ deviation
            start = stop
        return result


def _grand_mean(
    design: Sampling, stage: Stage, totals: UnitTotals, cell_stratum: IntArray, cell_column: IntArray
) -> FloatArray:
    """The mean of all unit totals (at later stages: within the unit of the stage before), for "adjust".

    `compat=("R.lonely",)` takes 0 instead, as R survey did up to 4.2.
    """
    if "R.lonely" in design.compat:
        return np.zeros(cell_stratum.size)
    parent = stage.stratum_parent
    units = np.bincount(parent[stage.unit_stratum], minlength=int(parent.max()) + 1).astype(np.float64)
    code, group, column = pair(parent[stage.unit_stratum[totals.unit]], totals.column, totals.columns)
    mean = add_up(code, totals.values, group.size) / units[group]
    key = group * totals.columns + column
    order = np.argsort(key)
    wanted = parent[cell_stratum] * totals.columns + cell_column
    return mean[order[np.searchsorted(key[order], wanted)]]


def _inflation(
    stage: Stage, cell_stratum: IntArray, cell_column: IntArray, covered: BoolArray, columns: int
) -> FloatArray:
    """For "average": strata in the domain over those of them whose variance is known."""
    code, _, _ = pair(stage.stratum_parent[cell_stratum], cell_column, columns)
    strata = np.bincount(code)
    known = np.bincount(code, weights=covered.astype(np.float64))
    # Where every stratum of a domain is lonely there is nothing to average: its error is unknown, not 0.
    return np.asarray(np.where(known > 0, strata / np.maximum(known, 1.0), np.nan)[code], dtype=np.float64)
