"""Weights for those who did not answer: unresolved cases, non-response by cells or propensity, selection within.

Each step returns a new design and a report of what it did. Factors are taken as given by the variance (they are
multiplied again in every replicate); with cells of thirty respondents and more that is usually conservative
(Valliant, Dever and Kreuter 2018, ch. 15). Sources: AAPOR Standard Definitions (unknown eligibility), Little (1986)
for cells of the propensity, Kish (1965) §9.2 for weighting within cells.

None of them repairs non-response that depends on the answer itself within a cell: choose cells that explain both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import BoolArray, FloatArray, IntArray, add_up, cross
from analysis.design import Design
from analysis.errors import DesignError, NotPossible, rows, some


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


def unknown_eligibility(
    design: Design, known: str | BoolArray, by: Sequence[str] = ()
) -> tuple[Design, Report]:
    """Share the weight of cases whose eligibility was never resolved out to the resolved ones of the same cell.

    known: rows that are resolved, eligible or not. The resolved ineligible keep their share, so unresolved cases
    count as eligible in the proportion found in their cell (AAPOR's e, by cell). Unresolved rows get weight 0.
    """
    resolved = design.domain(known)
    factor, cells = _by_cells(design, resolved, design.weight > 0, by, minimum=1, maximum_factor=np.inf)
    changed = design.with_weights(np.where(resolved, design.weight * factor, 0.0))
    return changed, Report.of("unknown eligibility", changed, cells)


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
    answered = design.domain(respondent) & design.domain(eligible)
    there = design.domain(eligible) & (design.weight > 0)
    factor, cells = _by_cells(design, answered, there, by, minimum, maximum_factor)
    changed = design.with_weights(np.where(answered, design.weight * factor, 0.0))
    return changed, Report.of("nonresponse", changed, cells)


def by_propensity(
    design: Design,
    respondent: str | BoolArray,
    eligible: str | BoolArray,
    predictors: Sequence[str],
    *,
    classes: int | None = 10,
    weighted: bool = True,
) -> tuple[Design, Report]:
    """Non-response by a logistic model of answering on the predictors (columns known for all eligible cases).

    classes: the number of classes of the fitted propensity, within each of which respondents carry all (Little 1986);
    None multiplies by the inverse propensity itself, which is less biased when the model is right and unstable when
    some propensities are small. Text columns are coded as categories (first one the base).
    """
    import statsmodels.api as sm

    there = design.domain(eligible) & (design.weight > 0)
    answered = design.domain(respondent) & there
    columns: list[FloatArray] = [np.ones(int(there.sum()))]
    for name in predictors:
        if design.columns.is_numeric(name):
            columns.append(design.columns.numbers(name)[there])
        else:
            codes, labels = design.columns.codes(name)
            columns += [(codes[there] == level).astype(np.float64) for level in range(1, len(labels))]
    matrix = np.stack(columns, axis=1)
    if not np.isfinite(matrix).all():
        raise DesignError("a predictor is missing for an eligible case")
    weight = design.weight[there] / design.weight[there].mean() if weighted else np.ones(matrix.shape[0])
    model = sm.GLM(
        answered[there].astype(np.float64), matrix, family=sm.families.Binomial(), freq_weights=weight
    )
    fitted = np.asarray(model.fit().predict(matrix), dtype=np.float64)
    if classes is None:
        factor = np.ones(design.rows)
        factor[there] = 1.0 / fitted
        changed = design.with_weights(np.where(answered, design.weight * factor, 0.0))
        return changed, Report.of("nonresponse (inverse propensity)", changed)
    cuts = np.quantile(fitted, np.linspace(0, 1, classes + 1)[1:-1])
    code = np.zeros(design.rows, dtype=np.int64)
    code[there] = np.searchsorted(np.unique(cuts), fitted, side="right")
    tabled, cells = _tabled(
        design.weight,
        code,
        [(f"propensity class {c + 1}",) for c in range(classes)],
        answered,
        there,
        1,
        np.inf,
    )
    changed = design.with_weights(np.where(answered, design.weight * tabled, 0.0))
    return changed, Report.of("nonresponse (propensity classes)", changed, cells)


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


def _by_cells(
    design: Design,
    carrying: BoolArray,
    carried: BoolArray,
    by: Sequence[str],
    minimum: int,
    maximum_factor: float,
) -> tuple[FloatArray, tuple[Cell, ...]]:
    if by:
        code, labels = cross(design.columns, by)
        lost = np.flatnonzero(carried & (code < 0))
        if lost.size:
            raise DesignError(f"an adjustment cell is missing ({', '.join(by)}; {rows(lost)})")
    else:
        code, labels = np.zeros(design.rows, dtype=np.int64), (("all",),)
    return _tabled(design.weight, np.maximum(code, 0), labels, carrying, carried, minimum, maximum_factor)


def _tabled(
    weight: FloatArray,
    code: IntArray,
    labels: Sequence[Sequence[object]],
    carrying: BoolArray,
    carried: BoolArray,
    minimum: int,
    maximum_factor: float,
) -> tuple[FloatArray, tuple[Cell, ...]]:
    """The factor of each row, and the cells after merging."""
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
    factors = np.array([factor_of(cell) if n[cell] and part[cell] > 0 else 1.0 for cell in range(size)])
    cells = tuple(
        Cell(
            label_of(labels[cell]),
            int(n[cell]),
            int(answered[cell]),
            float(factors[cell]),
            tuple(
                label_of(labels[other]) for other in np.flatnonzero(group == cell).tolist() if other != cell
            ),
        )
        for cell in sorted(live)
    )
    return factors[group[code]], cells


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
