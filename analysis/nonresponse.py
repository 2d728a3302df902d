"""Weights for those who did not answer: unresolved cases, non-response by cells or propensity, selection within.

Each step returns a new design and a report of what it did, and the design remembers the step: factors and propensities
are estimates too, so the variance linearises them and every replicate takes them anew (in the same cells). Keep the
rows of those who did not answer in the design; they carry part of the variance although their weight becomes 0.

Sources: AAPOR Standard Definitions (unknown eligibility); Little (1986) for cells of the propensity; Kish (1965) §9.2
for weighting within cells; Kim and Kim (2007), Canadian Journal of Statistics 35, for the variance with an estimated
propensity; Valliant, Dever and Kreuter (2018), ch. 13-15.

None of them repairs non-response that depends on the answer itself within a cell: choose cells that explain both.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import BoolArray, FloatArray, IntArray, add_up, cross
from analysis.design import Design
from analysis.errors import DesignError, NotConverged, NotPossible, rows, some


@dataclass(frozen=True)
class Cell:
    """One adjustment cell: its label, rows and weight before, respondents (or known cases), the factor, and the
    labels of cells merged into it because they were too small or their factor too large."""

    label: str
    n: int
    respondents: int
    factor: float
    merged: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What a step did to the weights: their sum, coefficient of variation, Kish's design effect and extremes."""

    name: str
    n: int
    total: float
    cv: float
    kish: float
    smallest: float
    largest: float
    cells: tuple[Cell, ...] = ()

    @classmethod
    def of(cls, name: str, design: Design, cells: tuple[Cell, ...] = ()) -> Report:
        weight = design.weight[design.weight > 0]
        mean = float(weight.mean())
        cv = float(weight.std()) / mean
        return cls(
            name,
            weight.size,
            float(weight.sum()),
            cv,
            1.0 + cv**2,
            float(weight.min()),
            float(weight.max()),
            cells,
        )


@dataclass(frozen=True, eq=False)
class Carried:
    """Weight of some rows carried by others of their group, as the design remembers it.

    cell: for each row 2g if it carries in group g, 2g + 1 if it is carried there, and twice the number of groups if it
    has no part (its weight becomes 0). start: sum of the starting weights of each cell. With W_g the weight of the
    whole group, P_g of those who carry and f = W_g/P_g, a starting weight d_k adds to a total both its own part and
    its part in f, so that of weighted values Z there is left  Z_k - d_k (f r_k - e_k) (sum of Z in g)/W_g,  r and e
    being 1 for rows that carry and for all rows of the group.
    """

    name: str
    cell: IntArray
    start_weight: FloatArray
    start: FloatArray
    labels: tuple[str, ...]
    on_cells = True

    @classmethod
    def of(
        cls,
        name: str,
        weight: FloatArray,
        group: IntArray,
        labels: tuple[str, ...],
        carrying: BoolArray,
        carried: BoolArray,
    ) -> Carried:
        cell = np.where(carried, 2 * group + ~carrying, 2 * len(labels)).astype(np.int64)
        return cls(name, cell, weight, add_up(cell, weight, 2 * len(labels) + 1), labels)

    def residuals(self, weighted: FloatArray) -> FloatArray:
        sums = np.stack([add_up(self.cell, column, self.start.size) for column in weighted.T], axis=1)
        return weighted - self.fitted(sums)[self.cell] * self.start_weight[:, np.newaxis]

    def fitted(self, sums: FloatArray) -> FloatArray:
        part = self.start[:-1:2, np.newaxis]
        whole = part + self.start[1::2, np.newaxis]
        mean = self._all(sums)[:-1:2] / whole
        fitted = np.zeros((self.start.size, sums.shape[1]))
        fitted[:-1:2] = (whole / part - 1.0) * mean
        fitted[1::2] = -mean
        return fitted[: sums.shape[0]]

    def _all(self, sums: FloatArray) -> FloatArray:
        """With a row for every cell, the last of which may have nobody in the sample."""
        return np.concatenate([sums, np.zeros((self.start.size - sums.shape[0], sums.shape[1]))])

    def reweight(self, weights: FloatArray) -> FloatArray:
        sums = np.stack([add_up(self.cell, column, self.start.size) for column in weights.T], axis=1)
        return weights * self.factors(sums)[self.cell]

    def factors(self, start: FloatArray) -> FloatArray:
        everybody = self._all(start)
        part, rest = everybody[:-1:2], everybody[1::2]
        lost = (part <= 0.0) & (rest > 0.0)
        if lost.any():
            groups = [self.labels[index] for index in np.flatnonzero(lost.any(axis=1)).tolist()]
            raise NotPossible(
                f"{self.name}: in {int(lost.any(axis=0).sum())} replicates nobody is left to carry {some(groups)}; "
                "merge cells (raise `minimum`)"
            )
        factors = np.zeros_like(everybody)
        factors[:-1:2] = (part + rest) / np.where(part > 0.0, part, 1.0)
        return factors[: start.shape[0]]


@dataclass(frozen=True, eq=False)
class InversePropensity:
    """Weights over a fitted propensity, as the design remembers it.

    matrix: predictors of every row (0 for rows that have no part); there, answered: who was asked and who answered.
    The coefficients solve sum of v (r - π) x = 0 with v the starting weights (or 1): of weighted values Z there is
    left  Z_k - v_k (r_k - π_k) x_k'γ,  γ = (sum of v π (1 - π) x x')⁻¹ sum of Z (1 - π) x.
    """

    matrix: FloatArray
    there: BoolArray
    answered: BoolArray
    start_weight: FloatArray
    propensity: FloatArray
    weighted: bool
    name = "nonresponse (inverse propensity)"

    def residuals(self, weighted: FloatArray) -> FloatArray:
        pi = self.propensity
        v = np.where(self.there, self.start_weight if self.weighted else 1.0, 0.0)
        information = (self.matrix * (v * pi * (1.0 - pi))[:, np.newaxis]).T @ self.matrix
        gradient = (self.matrix * (1.0 - pi)[:, np.newaxis]).T @ weighted
        gamma = np.linalg.pinv(information, hermitian=True) @ gradient
        return weighted - (v * (self.answered - pi))[:, np.newaxis] * (self.matrix @ gamma)

    def reweight(self, weights: FloatArray) -> FloatArray:
        return np.stack([column * self._factor(column) for column in weights.T], axis=1)

    def _factor(self, weight: FloatArray) -> FloatArray:
        importance: FloatArray = weight if self.weighted else (weight > 0).astype(np.float64)
        fitted = _propensity(self.matrix, self.answered, self.there, importance)
        return np.where(self.answered, 1.0 / fitted, 0.0)


def unknown_eligibility(
    design: Design, known: str | BoolArray, by: Sequence[str] = ()
) -> tuple[Design, Report]:
    """Share the weight of cases whose eligibility was never resolved out to the resolved ones of the same cell.

    known: rows that are resolved, eligible or not. The resolved ineligible keep their share, so unresolved cases
    count as eligible in the proportion found in their cell (AAPOR's e, by cell). Unresolved rows get weight 0.
    """
    there = design.weight > 0
    resolved = design.domain(known) & there
    code, labels = _crossed(design, there, by)
    return _carry("unknown eligibility", design, code, labels, resolved, there, 1, np.inf)


def by_cells(
    design: Design,
    respondent: str | BoolArray,
    eligible: str | BoolArray,
    by: Sequence[str] = (),
    *,
    minimum: int = 30,
    maximum_factor: float = 3.0,
) -> tuple[Design, Report]:
    """Let the respondents of each cell carry the weight of all its eligible cases.

    A cell with non-respondents and fewer than `minimum` respondents, or with a factor above `maximum_factor`, is
    merged with the cell of the same first variables whose response rate is nearest (the last variable of `by` gives
    way first), and the merging is reported. Non-respondents and ineligible rows get weight 0.
    """
    there = design.domain(eligible) & (design.weight > 0)
    answered = design.domain(respondent) & there
    code, labels = _crossed(design, there, by)
    return _carry("nonresponse", design, code, labels, answered, there, minimum, maximum_factor)


def by_propensity(
    design: Design,
    respondent: str | BoolArray,
    eligible: str | BoolArray,
    predictors: Sequence[str],
    *,
    classes: int | None = 10,
    weighted: bool = True,
    minimum: int = 1,
    maximum_factor: float = np.inf,
) -> tuple[Design, Report]:
    """Non-response by a logistic model of answering on the predictors (columns known for all eligible cases).

    classes: the number of classes of the fitted propensity, within each of which respondents carry all (Little 1986);
    None multiplies by the inverse propensity itself, which is less biased when the model is right and unstable when
    some propensities are small. Text columns are coded as categories (first one the base). Classes with fewer than
    `minimum` respondents or a factor above `maximum_factor` are merged with the nearest. The variance takes classes
    as given, and with inverse propensities the coefficients as estimated. Raises NotConverged when the predictors
    separate those who answered from those who did not.
    """
    there = design.domain(eligible) & (design.weight > 0)
    answered = design.domain(respondent) & there
    columns = [np.ones(design.rows)]
    for name in predictors:
        if design.columns.is_numeric(name):
            columns.append(design.columns.numbers(name))
            continue
        codes, levels = design.columns.codes(name)
        if (codes[there] < 0).any():
            raise DesignError(f'the predictor "{name}" is missing for an eligible case')
        columns += [(codes == level).astype(np.float64) for level in range(1, len(levels))]
    matrix = np.where(there[:, np.newaxis], np.stack(columns, axis=1), 0.0)
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if bad.size:
        raise DesignError(f"a predictor is missing for an eligible case ({rows(bad)})")
    importance: FloatArray = design.weight if weighted else np.ones_like(design.weight)
    fitted = _propensity(matrix, answered, there, importance)
    if classes is None:
        step = InversePropensity(matrix, there, answered, design.weight, fitted, weighted)
        changed = design.with_weights(np.where(answered, design.weight / fitted, 0.0), step)
        return changed, Report.of(step.name, changed)
    cuts = np.unique(np.quantile(fitted[there], np.linspace(0, 1, classes + 1)[1:-1]))
    code = np.searchsorted(cuts, fitted, side="right").astype(np.int64)
    labels = [(f"propensity class {number + 1}",) for number in range(cuts.size + 1)]
    return _carry(
        "nonresponse (propensity classes)", design, code, labels, answered, there, minimum, maximum_factor
    )


def _propensity(matrix: FloatArray, answered: BoolArray, there: BoolArray, weight: FloatArray) -> FloatArray:
    """The fitted propensity of each row to answer, by logistic regression among those asked (1 for the others)."""
    import statsmodels.api as sm

    used = there & (weight > 0)
    if answered[used].all():
        return np.ones(weight.size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            model = sm.GLM(
                answered[used].astype(np.float64),
                matrix[used],
                family=sm.families.Binomial(),
                freq_weights=weight[used] / weight[used].mean(),
            ).fit(tol=1e-12, tol_criterion="params")
        except (Warning, ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
            raise NotConverged(
                "the model of answering has no solution: the predictors tell exactly who answered, or one of them "
                f"follows from the others ({error})"
            ) from error
    fitted = np.ones(weight.size)
    fitted[used] = np.asarray(model.predict(matrix[used]), dtype=np.float64)
    return fitted


def selection(design: Design, eligible_count: str | FloatArray) -> tuple[Design, Report]:
    """Times the number from whom one was drawn with equal chance within the household (1 where nobody was drawn).

    A different column from the household's weight: household figures never use this one.
    """
    count = (
        design.columns.numbers(eligible_count)
        if isinstance(eligible_count, str)
        else np.asarray(eligible_count)
    )
    bad = np.flatnonzero((design.weight > 0) & ~(count >= 1))
    if bad.size:
        raise DesignError(f"the number eligible is missing or below 1 ({rows(bad)})")
    changed = design.with_weights(np.where(design.weight > 0, design.weight * count, 0.0))
    return changed, Report.of("selection within household", changed)


def _crossed(
    design: Design, carried: BoolArray, by: Sequence[str]
) -> tuple[IntArray, Sequence[Sequence[object]]]:
    if not by:
        return np.zeros(design.rows, dtype=np.int64), (("all",),)
    code, labels = cross(design.columns, by)
    lost = np.flatnonzero(carried & (code < 0))
    if lost.size:
        raise DesignError(f"an adjustment cell is missing ({', '.join(by)}; {rows(lost)})")
    return np.maximum(code, 0), labels


def _carry(
    name: str,
    design: Design,
    code: IntArray,
    labels: Sequence[Sequence[object]],
    carrying: BoolArray,
    carried: BoolArray,
    minimum: int,
    maximum_factor: float,
) -> tuple[Design, Report]:
    group, cells = _merged(design.weight, code, labels, carrying, carried, minimum, maximum_factor)
    step = Carried.of(name, design.weight, group, tuple(cell.label for cell in cells), carrying, carried)
    factor = step.factors(step.start[:, np.newaxis])[:, 0]
    changed = design.with_weights(design.weight * factor[step.cell], step)
    return changed, Report.of(name, changed, cells)


def _merged(
    weight: FloatArray,
    code: IntArray,
    labels: Sequence[Sequence[object]],
    carrying: BoolArray,
    carried: BoolArray,
    minimum: int,
    maximum_factor: float,
) -> tuple[IntArray, tuple[Cell, ...]]:
    """Each row's group after merging (the position of its cell among those returned), and the cells."""
    size = len(labels)
    whole = add_up(code, np.where(carried, weight, 0.0), size)
    part = add_up(code, np.where(carrying, weight, 0.0), size)
    n = np.bincount(code, weights=carried, minlength=size).astype(np.int64)
    answered = np.bincount(code, weights=carrying, minlength=size).astype(np.int64)
    group = np.arange(size)
    live = set(np.flatnonzero(n > 0).tolist())

    def factor_of(cell: int) -> float:
        return float(whole[cell] / part[cell]) if part[cell] > 0 else float("inf")

    while True:
        bad = [
            cell
            for cell in sorted(live)
            if n[cell] > answered[cell] and (answered[cell] < minimum or factor_of(cell) > maximum_factor)
        ]
        if not bad:
            break
        cell = min(bad, key=lambda c: int(answered[c]))
        partner = _partner(cell, live, labels, whole, part)
        if partner is None:
            if part[cell] > 0:
                break  # everything is merged; what is left is said in the report
            raise NotPossible(
                f"nobody answered in {some([label_of(labels[cell])])} and there is no cell to merge with"
            )
        whole[partner] += whole[cell]
        part[partner] += part[cell]
        n[partner] += n[cell]
        answered[partner] += answered[cell]
        group[group == cell] = partner
        live.discard(cell)
    kept = sorted(live)
    cells = tuple(
        Cell(
            label_of(labels[cell]),
            int(n[cell]),
            int(answered[cell]),
            factor_of(cell),
            tuple(
                label_of(labels[other]) for other in np.flatnonzero(group == cell).tolist() if other != cell
            ),
        )
        for cell in kept
    )
    place = np.zeros(size, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    return place[group[code]], cells


def _partner(
    cell: int, live: set[int], labels: Sequence[Sequence[object]], whole: FloatArray, part: FloatArray
) -> int | None:
    """The cell sharing most leading categories, then most of the others, then nearest in response rate."""
    others = live - {cell}
    if not others:
        return None
    own, rate = labels[cell], part[cell] / whole[cell]

    def distance(other: int) -> tuple[int, int, float, int]:
        theirs = labels[other]
        leading = next((k for k, (a, b) in enumerate(zip(own, theirs, strict=True)) if a != b), len(own))
        shared = sum(a == b for a, b in zip(own, theirs, strict=True))
        same_last = bool(own) and own[-1] == theirs[-1]
        # A different mode or phase (the last variable) is another population: stay within it while one can.
        return (
            -int(same_last),
            -leading - shared,
            abs(float(part[other] / whole[other]) - float(rate)),
            other,
        )

    return min(others, key=distance)


def label_of(parts: Sequence[object]) -> str:
    """A cell in words: its categories joined."""
    return " x ".join(str(part) for part in parts)
