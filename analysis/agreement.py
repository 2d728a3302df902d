"""Agreement between measurements: Cohen's kappa of two classifications, Cronbach's alpha of several items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.columns import BoolArray, Columns, FloatArray
from analysis.design import Design
from analysis.errors import NotPossible
from analysis.estimates import Estimate, Missing, estimate
from analysis.estimators import Proportion, Smooth, Statistic, Variance


@dataclass(frozen=True)
class _Both:
    """The share for whom two columns hold the same category."""

    first: str
    second: str
    category: object
    kind = "proportion"
    width = 1

    @property
    def label(self) -> str:
        return f"share {self.first} = {self.second} = {self.category}"

    def parts(self, columns: Columns) -> tuple[FloatArray, ...]:
        one = Proportion(self.first, self.category).parts(columns)[0]
        return (one * Proportion(self.second, self.category).parts(columns)[0],)

    def evaluate(self, size: FloatArray, totals: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        return Proportion(self.first).evaluate(size, totals)


def kappa(
    design: Design,
    first: str,
    second: str,
    *,
    where: str | BoolArray | None = None,
    missing: Missing = "error",
) -> Estimate:
    """Cohen's kappa: agreement beyond chance between two columns with the same categories (Cohen 1960)."""
    categories = design.columns.codes(first)[1]
    if categories != design.columns.codes(second)[1]:
        raise NotPossible(f'"{first}" and "{second}" do not have the same categories')
    count = len(categories)
    statistics: list[Statistic] = [Proportion(first, one) for one in categories]
    statistics += [Proportion(second, one) for one in categories]
    statistics += [_Both(first, second, one) for one in categories]

    def coefficient(*shares: FloatArray) -> FloatArray:
        by_chance = sum(shares[index] * shares[count + index] for index in range(count))
        observed = sum(shares[2 * count :])
        return np.asarray((observed - by_chance) / (1.0 - by_chance))

    statistic = Smooth(coefficient, tuple(statistics), f"kappa {first}, {second}")
    return estimate(design, statistic, where=where, missing=missing, deff=False)[0]


def cronbach(
    design: Design,
    items: Sequence[str],
    *,
    where: str | BoolArray | None = None,
    missing: Missing = "error",
) -> Estimate:
    """Cronbach's alpha: how consistently several items measure one thing (Cronbach 1951)."""
    count = len(items)
    if count < 2:
        raise NotPossible("Cronbach's alpha needs two items or more")
    whole = design.with_columns(sum_of_items=sum(design.columns.numbers(item) for item in items))

    def coefficient(total: FloatArray, *parts: FloatArray) -> FloatArray:
        return np.asarray(count / (count - 1.0) * (1.0 - sum(parts) / total))

    statistics = (Variance("sum_of_items"), *(Variance(item) for item in items))
    statistic = Smooth(coefficient, statistics, f"Cronbach's alpha of {', '.join(items)}")
    return estimate(whole, statistic, where=where, missing=missing, deff=False)[0]
