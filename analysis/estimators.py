"""Statistics as small values: which columns to sum, the value made of the sums, and its gradient.

Every statistic here is a smooth function of weighted totals. It says what to add up over the members of a domain
(`parts`), and how the value and its derivatives follow from the totals (`evaluate`). Variance, intervals and tables
are made elsewhere, once, from the derivatives: the linearised value of person k is the gradient times k's parts
(Deville 1999, Survey Methodology 25: 193-203). A new statistic therefore needs nothing but these two methods.

Quantiles are not smooth functions of totals; they are in `analysis.quantiles`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from analysis.columns import Columns, FloatArray, Label
from analysis.errors import NotAShare, rows, some


@dataclass(frozen=True)
class Column:
    """What a row adds is the value of a column."""

    name: str


@dataclass(frozen=True)
class Category:
    """What a row adds is 1 if a column holds one of the categories, otherwise 0."""

    name: str
    categories: tuple[Label, ...]


@dataclass(frozen=True)
class Square:
    """What a row adds is the square of another expression."""

    of: Column | Category


Expression = Column | Category | Square
"""A part in words that an engine outside this process understands (see `analysis.tables`)."""


@runtime_checkable
class Statistic(Protocol):
    """What a smooth statistic must say of itself."""

    @property
    def kind(self) -> str:
        """ "total", "mean", "proportion", "ratio" or "function": which interval suits, how it is printed."""

    @property
    def label(self) -> str:
        """What it is, in the words of the field."""

    @property
    def width(self) -> int:
        """How many parts it sums."""

    def parts(self, columns: Columns) -> tuple[FloatArray, ...]:
        """What each row adds to the sums, besides its weight; NaN where missing."""

    def evaluate(self, size: FloatArray, totals: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        """Value and gradient from the sum of weights and the weighted totals of the parts.

        `size` and each total have one shape (domains, or domains x replicates). The gradient has one more leading
        axis: derivative by `size` first, then by each total.
        """


@dataclass(frozen=True)
class Total:
    """The population total of a column: how many, how much. `category` counts the members of one category."""

    column: str
    category: Label = None
    kind = "total"
    width = 1

    @property
    def label(self) -> str:
        return f"total {_named(self.column, self.category)}"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        return (_expression(self.column, self.category),)

    def parts(self, columns: Columns) -> tuple[FloatArray, ...]:
        return (_values(columns, self.column, self.category),)

    def evaluate(self, size: FloatArray, totals: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        return totals[0], np.stack([np.zeros_like(size), np.ones_like(size)])


@dataclass(frozen=True)
class Count:
    """The estimated number of units in the population or domain: the sum of the weights."""

    kind = "total"
    label = "count"
    width = 0
    expressions: ClassVar[tuple[Expression, ...]] = ()

    def parts(self, columns: Columns) -> tuple[FloatArray, ...]:
        return ()

    def evaluate(self, size: FloatArray, totals: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        return size, np.ones_like(size)[np.newaxis]


@dataclass(frozen=True)
class Mean:
    """The population mean of a numeric column (Hajek: the weighted total over the sum of the weights)."""

    column: str
    kind = "mean"
    width = 1

    @property
    def label(self) -> str:
        return f"mean {self.column}"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        return (Column(self.column),)

    def parts(self, columns: Columns) -> tuple[FloatArray, ...]:
        return (_values(columns, self.column, None),)

    def evaluate(self, size: FloatArray, totals: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        mean = totals[0] / size
        return mean, np.stack([-mean / size, 1.0 / size])


@dataclass(frozen=True)
class Proportion:
    """The share of the population for which a column is true (1), or equals `category`.

    A tuple of categories is the share in any of them. Values other than 0 and 1 are an error: use `Mean`.
    """

    column: str
    category: Label = None
    kind = "proportion"
    width = 1

    @property
    def label(self) -> str:
        return f"share {_named(self.column, self.category)}"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        return (_expression(self.column, self.category),)

    def parts(self, columns: Columns) -> tuple[FloatArray, ...]:
        values = _values(columns, self.column, self.category)
        if self.category is None:
            # For values in [0, 1] the squares add up to the values only if all are 0 or 1: no table of truth values
            # is made for the usual case. NaN (missing) is judged elsewhere.
            if (
                values.size
                and values.min() >= 0.0
                and values.max() <= 1.0
                and values @ values == values.sum()
            ):
                return (values,)
            wrong = np.flatnonzero((values != 0.0) & (values != 1.0) & (values == values))
            if wrong.size:
                raise NotAShare(
                    f'"{self.column}" holds values other than 0 and 1, for example {values[wrong[0]]:g} '
                    f"({rows(wrong)}); ask for its Mean, or for the Proportion of one category"
                )
        return (values,)

    def evaluate(self, size: FloatArray, totals: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        share = totals[0] / size
        return share, np.stack([-share / size, 1.0 / size])


@dataclass(frozen=True)
class Ratio:
    """The ratio of two totals: numerator per denominator."""

    numerator: str
    denominator: str
    kind = "ratio"
    width = 2

    @property
    def label(self) -> str:
        return f"{self.numerator} / {self.denominator}"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        return (Column(self.numerator), Column(self.denominator))

    def parts(self, columns: Columns) -> tuple[FloatArray, ...]:
        return (_values(columns, self.numerator, None), _values(columns, self.denominator, None))

    def evaluate(self, size: FloatArray, totals: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        above, below = totals
        ratio = above / below
        return ratio, np.stack([np.zeros_like(size), 1.0 / below, -ratio / below])


@dataclass(frozen=True)
class Variance:
    """The population variance of a numeric column, with the factor n / (n - 1) of the sample."""

    column: str
    kind = "variance"
    width = 2
    bessel = True  # the estimate is multiplied by n / (n - 1), n the rows behind it

    @property
    def label(self) -> str:
        return f"variance {self.column}"

    def parts(self, columns: Columns) -> tuple[FloatArray, ...]:
        values = columns.numbers(self.column)
        # Around a middle, so that the difference of squares below does not cancel.
        middle = float(np.nanmean(values)) if values.size and not np.isnan(values).all() else 0.0
        return (values - middle, (values - middle) ** 2)

    def evaluate(self, size: FloatArray, totals: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        mean, square = totals[0] / size, totals[1] / size
        return square - mean * mean, np.stack(
            [(2.0 * mean * mean - square) / size, -2.0 * mean / size, 1.0 / size]
        )


@dataclass(frozen=True)
class Difference:
    """One statistic less another of the same people: between two questions, or two treatments of one.

    For the difference between two domains or two rounds use `Estimates.contrast`.
    """

    first: Statistic
    second: Statistic
    kind = "function"

    @property
    def width(self) -> int:
        return self.first.width + self.second.width

    @property
    def label(self) -> str:
        return f"({self.first.label}) - ({self.second.label})"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        return _expressions((self.first, self.second))

    def parts(self, columns: Columns) -> tuple[FloatArray, ...]:
        return (*self.first.parts(columns), *self.second.parts(columns))

    def evaluate(self, size: FloatArray, totals: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        return _chain((self.first, self.second), lambda a, b: a - b, size, totals)


@dataclass(frozen=True)
class Smooth:
    """Any smooth function of other statistics, for example `Smooth(lambda a, b: np.log(a / b), (Mean("x"), Mean("y")))`.

    `function` takes one array for each statistic and must be analytic (NumPy arithmetic, log, exp, sqrt, powers;
    no abs, max or comparison): its derivatives are taken by the complex step, exact to rounding
    (Squire and Trapp 1998, SIAM Review 40: 110-112).
    """

    function: Callable[..., FloatArray]
    statistics: tuple[Statistic, ...]
    name: str = "function"
    kind = "function"

    @property
    def width(self) -> int:
        return sum(one.width for one in self.statistics)

    @property
    def label(self) -> str:
        return f"{self.name}({', '.join(one.label for one in self.statistics)})"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        return _expressions(self.statistics)

    def parts(self, columns: Columns) -> tuple[FloatArray, ...]:
        return tuple(part for one in self.statistics for part in one.parts(columns))

    def evaluate(self, size: FloatArray, totals: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        return _chain(self.statistics, self.function, size, totals)


def _expression(column: str, category: Label) -> Expression:
    if category is None:
        return Column(column)
    return Category(column, category if isinstance(category, tuple) else (category,))


def _expressions(statistics: Sequence[Statistic]) -> tuple[Expression, ...]:
    """The expressions of several statistics; one without (AttributeError) cannot be folded by an engine."""
    return tuple(part for one in statistics for part in one.expressions)  # type: ignore[attr-defined]


def gradient(function: Callable[..., FloatArray], at: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
    """The derivatives of an analytic function by each of its arguments, by the complex step."""
    step = 1e-100
    derivatives = []
    for index in range(len(at)):
        moved = [value + (1j * step if position == index else 0.0) for position, value in enumerate(at)]
        derivatives.append(np.asarray(np.imag(function(*moved)) / step, dtype=np.float64))
    return tuple(derivatives)


def _chain(
    statistics: Sequence[Statistic],
    function: Callable[..., FloatArray],
    size: FloatArray,
    totals: tuple[FloatArray, ...],
) -> tuple[FloatArray, FloatArray]:
    """The chain rule over statistics whose parts stand one after another in `totals`."""
    values, gradients, start = [], [], 0
    for one in statistics:
        value, inner = one.evaluate(size, totals[start : start + one.width])
        values.append(value)
        gradients.append((start, inner))
        start += one.width
    outer = gradient(function, values)
    whole = np.zeros((1 + start, *np.shape(size)))
    for derivative, (begin, inner) in zip(outer, gradients, strict=True):
        whole[0] += derivative * inner[0]
        whole[1 + begin : begin + inner.shape[0]] += derivative * inner[1:]
    return np.asarray(np.real(function(*values)), dtype=np.float64), whole


def _named(column: str, category: Label) -> str:
    if category is None:
        return column
    if isinstance(category, tuple):
        return f"{column} in {', '.join(str(one) for one in category)}"
    return f"{column} = {category}"


def _values(columns: Columns, column: str, category: Label) -> FloatArray:
    """A column as numbers, or 1 in the wanted categories and 0 in the others; NaN where missing."""
    if category is None:
        return columns.numbers(column)
    codes, labels = columns.codes(column)
    wanted = category if isinstance(category, tuple) else (category,)
    absent = [one for one in wanted if one not in labels]
    if absent:
        raise NotAShare(f'"{column}" has no category {some(absent)}; it has {some(labels)}')
    member = np.array([*(float(label in wanted) for label in labels), np.nan])
    return member[codes]
