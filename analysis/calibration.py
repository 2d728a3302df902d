"""Calibration: weights that reproduce known population totals, moved as little as a distance allows.

    rake(design, [["sex", "age"], ["area"]], totals)         categorical margins, multiplicative factors
    poststratify(design, ["sex", "age"], totals)             one full cross
    calibrate(design, ["income"], {"income": 5e9}, "linear") any columns; "linear" | "raking" | "logit" | "truncated" | "sinh"
    rake_households(persons, "household", ...)               one weight for a household and all its members
    narrowest_bounds(design, variables, totals)              how far factors must be allowed to go

Source: Deville and Särndal (1992), Calibration estimators in survey sampling, JASA 87; Deville, Särndal and Sautory
(1993) for raking. Everything runs on cells: rows with the same calibration variables are one cell, so a million
persons in 156 cells cost one group-by and then arithmetic on 156 rows. Each step returns a new design and remembers
itself, because the variance of a calibrated estimate is the variance of regression residuals; a replicate takes the
step anew from its own weights.

Do not calibrate to totals that the sample itself estimated: their own error is then left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from analysis.columns import FloatArray, IntArray, add_up, cross, pair
from analysis.design import Design
from analysis.errors import AnalysisError, DesignError, NotConverged, NotPossible, rows, some

Distance = Literal["linear", "raking", "logit", "truncated", "sinh"]
ITERATIONS = 100
TOLERANCE = 1e-12
FEW = 1_000_000  # numbers in the cells' cross products; with more, replicates are calibrated one by one
MOST_EXPLAINED = 30_000  # cells; with more, the linear programme that explains a failure takes too long
Margin = Mapping[Any, float]
"""Population totals by category; the key is the category, or the tuple of categories of a crossed margin."""


@dataclass(frozen=True)
class Bounds:
    """Limits of the factors: lower < 1 < upper."""

    lower: float = -np.inf
    upper: float = np.inf

    def __post_init__(self) -> None:
        if not self.lower < 1.0 < self.upper:
            raise DesignError(f"bounds must lie on both sides of 1, not {self.lower:g} and {self.upper:g}")


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A calibration as the design remembers it: cells, their variables, the factors reached.

    cell: each row's cell (rows); variables: cells x totals; factor: g of each cell; start: sum of the starting weights
    of each cell; scale: q of each cell (Deville and Särndal's q_k), 1 unless a heteroscedastic linear fit was asked;
    start_weight: each row's weight before the step.
    """

    name: str
    cell: IntArray
    variables: FloatArray
    totals: FloatArray
    labels: tuple[str, ...]
    distance: Distance
    bounds: Bounds
    start: FloatArray
    factor: FloatArray
    scale: FloatArray
    start_weight: FloatArray
    trim: Bounds = Bounds()  # the factors are cut here after they reached the totals
    unweighted: tuple[IntArray, ...] = ()  # margins of R's rake(), when its standard errors are to be matched

    @property
    def on_cells(self) -> bool:
        """Whether the variance and the replicates may work on cell sums alone (`design.CellAdjustment`)."""
        return not self.unweighted

    def residuals(self, weighted: FloatArray) -> FloatArray:
        """w (z - x'B), with B the regression of z on the calibration variables weighted by the starting weights."""
        if self.unweighted:
            return self._residuals_of_r(weighted)
        fitted = self.fitted(_cell_sums(self.cell, weighted, self.factor.size))
        return weighted - fitted[self.cell] * self.start_weight[:, np.newaxis]

    def fitted(self, sums: FloatArray) -> FloatArray:
        """From the sums of weighted values in each cell, g x'B of the cell: what the residual takes off, per start weight."""
        safe = np.where(self.factor == 0.0, 1.0, self.factor)
        sums = sums * (self.scale / safe)[:, np.newaxis]
        # Columns of one length, and what the first fit leaves fitted again: normal equations lose half the digits.
        length = np.sqrt((self.start * self.scale) @ self.variables**2)
        variables = self.variables / np.where(length == 0.0, 1.0, length)
        weight = (self.start * self.scale)[:, np.newaxis]
        inverse = np.linalg.pinv((variables * weight).T @ variables, rcond=1e-13, hermitian=True)
        fitted: FloatArray = variables @ (inverse @ (variables.T @ sums))
        fitted += variables @ (inverse @ (variables.T @ (sums - weight * fitted)))
        return fitted * self.factor[:, np.newaxis]

    def _residuals_of_r(self, weighted: FloatArray) -> FloatArray:
        """What R's rake() does: ten sweeps of unweighted means of z/w within each margin (compat="R.rake")."""
        weight = self.start_weight * self.factor[self.cell]
        safe = np.where(weight == 0.0, 1.0, weight)[:, np.newaxis]
        left = np.where(weight[:, np.newaxis] == 0.0, 0.0, weighted / safe)
        present = (weight > 0.0).astype(np.float64)
        for _ in range(10):
            for margin in self.unweighted:
                levels = int(margin.max()) + 1
                count = add_up(margin, present, levels)
                mean = (
                    _cell_sums(margin, left * present[:, np.newaxis], levels)
                    / np.maximum(count, 1.0)[:, np.newaxis]
                )
                left = left - mean[margin]
        return left * weight[:, np.newaxis]

    def reweight(self, weights: FloatArray) -> FloatArray:
        """The same totals reached from other starting weights (rows x replicates)."""
        return weights * self.factors(_cell_sums(self.cell, weights, self.factor.size))[self.cell]

    def factors(self, start: FloatArray) -> FloatArray:
        """The factors that reach the totals from other sums of starting weights (cells x replicates)."""
        factor = _solve_many(
            start, self.variables, self.totals, self.labels, self.distance, self.bounds, self.scale
        )
        if self.trim == Bounds():
            return factor
        return np.stack(
            [_trimmed(factor[:, r], start[:, r], self.trim) for r in range(start.shape[1])], axis=1
        )


def _remembered(
    name: str,
    design: Design,
    cell: IntArray,
    variables: FloatArray,
    totals: FloatArray,
    labels: tuple[str, ...],
    distance: Distance,
    bounds: Bounds,
    scale: FloatArray | None = None,
    trim: Bounds | None = None,
    unweighted: tuple[IntArray, ...] = (),
) -> Design:
    start = add_up(cell, design.weight, variables.shape[0])
    scale = np.ones(start.size) if scale is None else scale
    trim = trim or Bounds()
    factor = _trimmed(_solve(start, variables, totals, labels, distance, bounds, scale), start, trim)
    step = Calibrated(
        name,
        cell,
        variables,
        totals,
        labels,
        distance,
        bounds,
        start,
        factor,
        scale,
        design.weight,
        trim,
        unweighted,
    )
    return design.with_weights(design.weight * factor[cell], step)


def _cell_sums(cell: IntArray, values: FloatArray, cells: int) -> FloatArray:
    return np.stack([add_up(cell, values[:, k], cells) for k in range(values.shape[1])], axis=1)


# --- the steps ---------------------------------------------------------------------------------------------------


def rake(
    design: Design,
    margins: Sequence[Sequence[str] | str],
    totals: Sequence[Margin],
    *,
    bounds: Bounds | None = None,
    compat: Literal["R.rake"] | None = None,
) -> Design:
    """Weights that reproduce every margin: factors exp(x'λ), the limit of iterative proportional fitting.

    margins: each a column or a list of columns to be crossed; totals: for each margin the population by category (or
    tuple of categories). The variance uses weighted calibration residuals; compat="R.rake" gives R's unweighted ones.

    Errors name the margin: a population category without sample, a sample category without a total, margins that
    disagree about the size of the population, and totals that no positive weights can meet (NotConverged).
    """
    if len(margins) != len(totals) or not margins:
        raise DesignError(f"{len(margins)} margins, {len(totals)} sets of totals")
    names = [(margin,) if isinstance(margin, str) else tuple(margin) for margin in margins]
    codes, wanted, labels = [], [], []
    for name, margin in zip(names, totals, strict=True):
        code, total, label = _margin(design, name, margin)
        codes.append(code)
        wanted.append(total)
        labels += label
    _agree(names, wanted)
    cell, first = _cells(codes)
    variables = np.concatenate(
        [np.eye(total.size)[code[first]] for code, total in zip(codes, wanted, strict=True)], axis=1
    )
    limits = bounds or Bounds(0.0, np.inf)
    return _remembered(
        "rake",
        design,
        cell,
        variables,
        np.concatenate(wanted),
        tuple(labels),
        "logit" if bounds else "raking",
        limits,
        unweighted=tuple(codes) if compat == "R.rake" else (),
    )


def poststratify(design: Design, by: Sequence[str] | str, totals: Margin) -> Design:
    """Weights that reproduce the population of each post-stratum (the full cross of `by`)."""
    names = (by,) if isinstance(by, str) else tuple(by)
    code, total, labels = _margin(design, names, totals)
    cell, first = _cells([code])
    return _remembered(
        "post-stratify",
        design,
        cell,
        np.eye(total.size)[code[first]],
        total,
        tuple(labels),
        "linear",
        Bounds(),
    )


def calibrate(
    design: Design,
    variables: Sequence[str] | FloatArray,
    totals: Sequence[float] | Mapping[str, float],
    distance: Distance = "linear",
    *,
    bounds: Bounds | None = None,
    scale: FloatArray | None = None,
    trim: Bounds | None = None,
    labels: Sequence[str] = (),
) -> Design:
    """Weights d·F(x'λ) that reproduce the totals of any columns (GREG with "linear").

    variables: column names, or a matrix (rows x totals) of calibration variables, which should hold a constant or the
    indicators of a full classification. "logit" and "truncated" need `bounds`. `scale` is q_k by row: 1/v_k for a
    working variance v_k (linear only); the ratio estimator is q_k = 1/x_k. `trim` cuts the factors afterwards and adds
    what was cut off to the others, as R does: the size of the population stays, the totals are no longer met exactly;
    prefer bounds.
    """
    matrix, target, names = _variables(design, variables, totals, labels)
    if distance == "logit" and (bounds is None or not np.isfinite([bounds.lower, bounds.upper]).all()):
        raise DesignError('the distance "logit" needs finite bounds')
    keyed = matrix if scale is None else np.column_stack([matrix, scale])
    distinct, cell = np.unique(keyed, axis=0, return_inverse=True)
    q = None if scale is None else distinct[:, -1]
    cells = distinct if scale is None else distinct[:, :-1]
    return _remembered(
        f"calibrate ({distance})", design, cell.astype(np.int64).ravel(), cells, target, names, distance,
        bounds or Bounds(), q, trim,
    )  # fmt: skip


def rake_households(
    design: Design,
    household: str,
    persons: Mapping[str | tuple[str, ...], Margin],
    households: Mapping[str | tuple[str, ...], Margin],
    *,
    distance: Distance = "raking",
    bounds: Bounds | None = None,
) -> Design:
    """One weight for a household and all its members that meets margins of people and of households together.

    The data hold one row for each person, of every member of a household or of none, and a household's rows start
    with one weight. persons, households: margins by column (or tuple of columns to be crossed) with the population
    of people, or of households, in each category. A household's columns have one value for all its members.

    Integrated weighting of Lemaître and Dufour (1987), Survey Methodology 13: each member gets the household's mean
    of the calibration variables, so all get the same factor. It costs some precision against two sets of weights and
    spares the reader two figures for one thing. Not for a sample of one person a household.
    """
    if not persons or not households:
        raise DesignError("give margins of people and of households; with one kind only, use rake")
    home, _ = design.columns.identifiers(household)
    there = design.weight > 0
    lost = np.flatnonzero(there & (home < 0))
    if lost.size:
        raise DesignError(f'the household "{household}" is missing ({rows(lost)})')
    home = np.maximum(home, 0)
    count = int(home.max()) + 1
    size = add_up(home, there.astype(np.float64), count)
    first = np.full(count, design.rows, dtype=np.int64)
    np.minimum.at(first, home[there], np.flatnonzero(there))
    first = np.minimum(first, design.rows - 1)
    of_home = first[home]
    _same(there & ~np.isclose(design.weight, design.weight[of_home], rtol=1e-9), "weight", household)
    _same(there & (design.stages[0].unit != design.stages[0].unit[of_home]), "PSU", household)
    columns, wanted, labels = [], [], []
    for margins, of_people in ((persons, True), (households, False)):
        sums = []
        for margin, totals in margins.items():
            names = (margin,) if isinstance(margin, str) else tuple(margin)
            code, total, label = _margin(design, names, totals)
            if not of_people:
                _same(there & (code != code[of_home]), " x ".join(names), household)
            for level in range(total.size):
                held = (there & (code == level)).astype(np.float64)
                columns.append(add_up(home, held, count) / np.maximum(size, 1.0) ** (1 if of_people else 2))
            sums.append(total)
            labels += [f"{'people' if of_people else 'households'}, {one}" for one in label]
        _agree([(name,) if isinstance(name, str) else tuple(name) for name in margins], sums)
        wanted += sums
    distinct, cell = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    limits = bounds or (Bounds(0.0, np.inf) if distance == "raking" else Bounds())
    return _remembered(
        "rake households", design, cell.astype(np.int64).ravel()[home], distinct, np.concatenate(wanted),
        tuple(labels), distance, limits,
    )  # fmt: skip


def _same(different: NDArray[np.bool_], what: str, household: str) -> None:
    found = np.flatnonzero(different)
    if found.size:
        raise DesignError(f'the {what} is not the same throughout a "{household}" ({rows(found)})')


def narrowest_bounds(
    design: Design,
    variables: Sequence[str] | FloatArray,
    totals: Sequence[float] | Mapping[str, float],
    *,
    labels: Sequence[str] = (),
) -> Bounds:
    """The smallest interval around 1, 1 - t to 1 + t, in which factors can reach the totals (a linear programme).

    Bounds of a calibration must be wider; a little more than t gives many factors at the limits. Raises NotPossible,
    naming the totals that stand in the way, when no factors whatever reach them.
    """
    matrix, target, names = _variables(design, variables, totals, labels)
    cells, cell = np.unique(matrix, axis=0, return_inverse=True)
    start = add_up(cell.astype(np.int64).ravel(), design.weight, cells.shape[0])
    spread = _narrowest(start, cells, target)
    if spread is None:
        raise _unreachable(start, cells, target, names, Bounds())
    return Bounds(1.0 - max(spread, 1e-12), 1.0 + max(spread, 1e-12))


def _variables(
    design: Design,
    variables: Sequence[str] | FloatArray,
    totals: Sequence[float] | Mapping[str, float],
    labels: Sequence[str],
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """The calibration variables by row (0 where the weight is), their totals and their names."""
    if isinstance(variables, np.ndarray):
        matrix, names = np.asarray(variables, dtype=np.float64), tuple(labels)
    else:
        names = tuple(variables)
        matrix = np.stack([design.columns.numbers(name) for name in names], axis=1)
    names = names or tuple(f"total {k + 1}" for k in range(matrix.shape[1]))
    target = np.array(
        [totals[n] for n in names] if isinstance(totals, Mapping) else list(totals), dtype=np.float64
    )
    if matrix.shape != (design.rows, target.size):
        raise DesignError(f"{target.size} totals for variables of shape {matrix.shape}, {design.rows} rows")
    if not np.isfinite(matrix[design.weight != 0]).all():
        raise DesignError("a calibration variable is missing where the weight is not")
    return np.where((design.weight != 0)[:, np.newaxis], matrix, 0.0), target, names


def _margin(design: Design, names: tuple[str, ...], totals: Margin) -> tuple[IntArray, FloatArray, list[str]]:
    """Each row's category, the totals in that order, and labels for messages. Rows of weight 0 join any category."""
    title = " x ".join(names)
    keys = [key if isinstance(key, tuple) else (key,) for key in totals]
    if any(len(key) != len(names) for key in keys):
        raise DesignError(f"margin {title}: every total needs {len(names)} categories")
    total = np.array([float(value) for value in totals.values()])
    if not np.isfinite(total).all() or (total < 0).any():
        raise DesignError(f"margin {title}: totals must be finite and not negative")
    place = {tuple(_label(part) for part in key): position for position, key in enumerate(keys)}
    crossed, combinations = cross(design.columns, names)
    known = [place.get(tuple(_label(part) for part in one), -1) for one in combinations]
    code = np.array([*known, -1])[crossed]
    if code.min() < 0:
        lost = np.flatnonzero((design.weight != 0) & (code < 0))
        if lost.size:
            found = {" x ".join(_label(part) for part in combinations[c]) if c >= 0 else "a missing value"
                     for c in crossed[lost].tolist()}  # fmt: skip
            raise DesignError(
                f"margin {title}: no population total for {some(sorted(found))} ({lost.size} rows)"
            )
        code = np.maximum(code, 0)
    held = add_up(code, design.present, total.size)
    empty = np.flatnonzero((held == 0) & (total > 0))
    if empty.size:
        raise NotPossible(
            f"margin {title}: the population has {some([' x '.join(map(str, keys[i])) for i in empty])}, the sample has "
            "nobody there; merge categories"
        )
    return code, total, [f"{title} = {' x '.join(map(str, key))}" for key in keys]


def _label(category: Any) -> str:
    if isinstance(category, float) and category.is_integer():
        return str(int(category))
    return str(category)


def _agree(names: Sequence[tuple[str, ...]], wanted: Sequence[FloatArray]) -> None:
    sizes = [float(total.sum()) for total in wanted]
    for name, size in zip(names[1:], sizes[1:], strict=True):
        if abs(size - sizes[0]) > 1e-6 * sizes[0]:
            raise NotPossible(
                f"the margins disagree about the population: {' x '.join(names[0])} has {sizes[0]:,.0f}, "
                f"{' x '.join(name)} has {size:,.0f}"
            )


def _cells(codes: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """Each row's cell of the full cross (only cells that occur), and one row of each cell."""
    cell = codes[0]
    for code in codes[1:]:
        cell, _, _ = pair(cell, code, int(code.max()) + 1)
    present = np.flatnonzero(np.bincount(cell))
    cell = np.searchsorted(present, cell) if present.size <= int(cell.max()) else cell
    example = np.empty(present.size, dtype=np.int64)
    example[cell] = np.arange(cell.size)
    return cell, example


# --- solving -------------------------------------------------------------------------------------------------------


def _solve(
    start: FloatArray,
    variables: FloatArray,
    totals: FloatArray,
    labels: Sequence[str],
    distance: Distance,
    bounds: Bounds,
    scale: FloatArray,
) -> FloatArray:
    """The factor of each cell: sum of start·F(q x'λ)·x equals the totals (Newton, halving steps that overshoot)."""
    force, slope = _distance(distance, bounds)
    multiplier = np.zeros(totals.size)
    size = 1.0 + np.abs(totals)
    factor = force(np.zeros(start.size))
    misfit = totals - variables.T @ (start * factor)
    best = float(np.max(np.abs(misfit) / size))
    for _ in range(ITERATIONS):
        if best < TOLERANCE:
            return factor
        argument = scale * (variables @ multiplier)
        jacobian = (variables * (start * scale * slope(argument))[:, np.newaxis]).T @ variables
        step = np.linalg.pinv(jacobian, rcond=1e-13, hermitian=True) @ misfit
        share = 1.0
        while share > 1e-10:
            trial = multiplier + share * step
            with np.errstate(over="ignore", invalid="ignore"):
                tried = force(scale * (variables @ trial))
                left = totals - variables.T @ (start * tried)
            worst = float(np.max(np.abs(left) / size)) if np.isfinite(tried).all() else np.inf
            if worst < best:
                break
            share /= 2.0
        else:
            break
        multiplier, factor, misfit, best = trial, tried, left, worst
    if best < 1e-9:  # as near as the arithmetic allows
        return factor
    if start.size > MOST_EXPLAINED:
        furthest = int(np.argmax(np.abs(misfit) / size))
        raise NotConverged(
            f"no weights were found that reach the totals: furthest off is {labels[furthest]}, "
            f"{totals[furthest] - misfit[furthest]:,.6g} reached of {totals[furthest]:,.6g} wanted"
        )
    limits = Bounds(0.0, bounds.upper) if distance in ("raking", "sinh") and bounds.lower < 0.0 else bounds
    raise _unreachable(start, variables, totals, labels, limits)


def _solve_many(
    start: FloatArray,
    variables: FloatArray,
    totals: FloatArray,
    labels: Sequence[str],
    distance: Distance,
    bounds: Bounds,
    scale: FloatArray,
) -> FloatArray:
    """`_solve` for many starting weights (cells x replicates).

    With few cells all take full Newton steps together until each reached the totals; one that a full step does not
    bring nearer is left to `_solve`, which halves steps and explains.
    """
    cells, count = start.shape
    factor = np.empty_like(start)

    def one_by_one(replicates: IntArray) -> None:
        for r in replicates.tolist():
            factor[:, r] = _solve(start[:, r], variables, totals, labels, distance, bounds, scale)

    if cells * totals.size**2 > FEW:
        one_by_one(np.arange(count))
        return factor
    force, slope = _distance(distance, bounds)
    products = (variables[:, :, np.newaxis] * variables[:, np.newaxis, :]).reshape(cells, -1)
    size, q = 1.0 + np.abs(totals)[:, np.newaxis], scale[:, np.newaxis]
    going, multiplier, best = np.arange(count), np.zeros((totals.size, count)), np.full(count, np.inf)
    while going.size:
        argument = q * (variables @ multiplier)
        with np.errstate(over="ignore", invalid="ignore"):
            reached = force(argument)
            misfit = totals[:, np.newaxis] - variables.T @ (start[:, going] * reached)
            worst = np.max(np.abs(misfit) / size, axis=0)
        there, nearer = worst < TOLERANCE, worst < best
        factor[:, going[there]] = reached[:, there]
        one_by_one(going[~there & ~nearer])
        left = ~there & nearer
        going, multiplier, best, misfit = going[left], multiplier[:, left], worst[left], misfit[:, left]
        curvature = start[:, going] * q * slope(argument[:, left])
        jacobian = (curvature.T @ products).reshape(going.size, totals.size, totals.size)
        inverse = np.linalg.pinv(jacobian, rcond=1e-13, hermitian=True)
        multiplier = multiplier + np.einsum("rij,jr->ir", inverse, misfit)
    return factor


def _unreachable(
    start: FloatArray, variables: FloatArray, totals: FloatArray, labels: Sequence[str], bounds: Bounds
) -> AnalysisError:
    """Why no factors within the bounds were found: which totals stand in the way, and which bounds would do.

    The linear programme seeks the factors that come nearest to the totals (least sum of relative misfits).
    """
    cells, k = variables.shape
    size = 1.0 + np.abs(totals)
    reached = (variables * start[:, np.newaxis]).T / size[:, np.newaxis]
    found = scipy.optimize.linprog(
        np.concatenate([np.zeros(cells), np.ones(2 * k)]),
        A_eq=np.concatenate([reached, np.eye(k), -np.eye(k)], axis=1),
        b_eq=totals / size,
        bounds=[(bounds.lower, bounds.upper)] * cells + [(0.0, None)] * (2 * k),
    )
    within = f" within the bounds {bounds.lower:g} to {bounds.upper:g}" if np.isfinite(bounds.upper) else ""
    if found.status != 0 or found.fun < 1e-9:
        return NotConverged(
            f"weights that reach the totals{within} exist only at the very edge, and were not found: "
            "widen the bounds or merge categories"
        )
    misfit = found.x[cells : cells + k] - found.x[cells + k :]
    worst = [index for index in np.argsort(-np.abs(misfit)).tolist() if abs(misfit[index]) > 1e-9]
    told = some(
        [
            f"{labels[i]} ({totals[i] - misfit[i] * size[i]:,.6g} at best, {totals[i]:,.6g} wanted)"
            for i in worst
        ]
    )
    spread = _narrowest(start, variables, totals) if within else None
    advice = f"; factors from {1 - spread:.3g} to {1 + spread:.3g} would do" if spread is not None else ""
    return NotPossible(f"no weights{within} reach the totals; in the way is {told}{advice}")


def _narrowest(start: FloatArray, variables: FloatArray, totals: FloatArray) -> float | None:
    """The least t such that factors in [1 - t, 1 + t] reach the totals, or None when none do."""
    cells, k = variables.shape
    size = 1.0 + np.abs(totals)
    reached = scipy.sparse.csr_array((variables * start[:, np.newaxis]).T / size[:, np.newaxis])
    one, t = scipy.sparse.eye_array(cells), scipy.sparse.csr_array(-np.ones((cells, 1)))
    found = scipy.optimize.linprog(
        np.concatenate([np.zeros(cells), [1.0]]),
        A_ub=scipy.sparse.vstack([scipy.sparse.hstack([one, t]), scipy.sparse.hstack([-one, t])]),
        b_ub=np.zeros(2 * cells),
        A_eq=scipy.sparse.hstack([reached, scipy.sparse.csr_array((k, 1))]),
        b_eq=(totals - variables.T @ start) / size,  # of factors less 1
        bounds=[(None, None)] * cells + [(0.0, None)],
    )
    return float(found.fun) if found.status == 0 else None


def _trimmed(factor: FloatArray, start: FloatArray, trim: Bounds) -> FloatArray:
    """Factors cut to the limits; what is cut off the weights is added to the other factors, the same to each.

    Where all lie outside, as may happen in a replicate, there are no others, and it is lost (as in R).
    """
    outside = (factor < trim.lower) | (factor > trim.upper)
    if not outside.any():
        return factor
    cut = np.clip(factor, trim.lower, trim.upper)
    if not start[~outside].any():
        return cut
    excess = float(((factor - cut) * start).sum())
    return np.where(outside, cut, factor + excess / float(start[~outside].sum()))


def _distance(
    distance: Distance, bounds: Bounds
) -> tuple[Callable[[FloatArray], FloatArray], Callable[[FloatArray], FloatArray]]:
    """F and F' of a distance (Deville and Särndal 1992, table 1; sinh: Deville, Särndal and Sautory 1993)."""
    low, high = bounds.lower, bounds.upper
    if distance == "linear":
        return (lambda u: 1.0 + u), np.ones_like
    if distance == "raking":
        if low <= 0.0 and high == np.inf:
            return np.exp, np.exp
        # Cut before the exponential, which may be too large for a number.
        least, most = (math.log(low) if low > 0.0 else -math.inf), math.log(high)
        return (lambda u: np.exp(np.clip(u, least, most))), (
            lambda u: np.where((u > least) & (u < most), np.exp(np.minimum(u, most)), 0.0)
        )
    if distance == "truncated":
        return (lambda u: np.clip(1.0 + u, low, high)), (
            lambda u: ((1.0 + u > low) & (1.0 + u < high)).astype(np.float64)
        )
    if distance == "sinh":

        def root(u: FloatArray) -> FloatArray:
            return np.sqrt(np.arcsinh(2.0 * u) ** 2 + 4.0)

        return (lambda u: (np.arcsinh(2.0 * u) + root(u)) / 2.0), (
            lambda u: (1.0 + np.arcsinh(2.0 * u) / root(u)) / np.sqrt(1.0 + 4.0 * u**2)
        )
    low = 0.0 if low == -np.inf else low
    spread = (high - low) / ((1.0 - low) * (high - 1.0))

    def logit(u: FloatArray) -> FloatArray:
        e = np.exp(-np.abs(spread * u))  # the form that cannot overflow, for either sign
        up = (low * (high - 1.0) * e + high * (1.0 - low)) / ((high - 1.0) * e + (1.0 - low))
        down = (low * (high - 1.0) + high * (1.0 - low) * e) / ((high - 1.0) + (1.0 - low) * e)
        return np.where(u > 0, up, down)

    def logit_slope(u: FloatArray) -> FloatArray:
        e = np.exp(-np.abs(spread * u))
        bottom = np.where(u > 0, (high - 1.0) * e + (1.0 - low), (high - 1.0) + (1.0 - low) * e)
        slope: FloatArray = (high - low) ** 2 * e / bottom**2
        return slope

    return logit, logit_slope
