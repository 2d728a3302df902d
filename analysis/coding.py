"""The columns of a linear model: numbers as they are, categories as indicators of their levels.

Categories are coded by treatment contrasts, the first level (in sorted order) the base: the coefficient of
`sexmale` is the difference between men and the base, women. An interaction is a tuple of columns. A category whose
lower-order term is not in the model keeps all its levels, so that `intercept=False` gives every level its own
coefficient (Chambers and Hastie 1992, Statistical Models in S, 2.4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from analysis.columns import BoolArray, Columns, FloatArray, IntArray, Label
from analysis.errors import NotPossible, some

Term = str | tuple[str, ...]


@dataclass(frozen=True)
class Coding:
    """How columns become a model matrix; made on the sample, used again on other rows by `predict`.

    levels: for each categorical column the levels that have a coefficient or are the base; a number is not in it.
    names, term: for each column of the matrix its name and the index of its term (-1: the intercept).
    """

    terms: tuple[tuple[str, ...], ...]
    intercept: bool
    levels: dict[str, tuple[Label, ...]]

    @classmethod
    def of(
        cls,
        columns: Columns,
        terms: Sequence[Term],
        members: BoolArray,
        *,
        intercept: bool,
        factors: Sequence[str],
    ) -> Coding:
        """The coding of the levels that the members have. `factors` are numeric columns to be taken as categories."""
        used = dict.fromkeys(name for term in terms for name in term_of(term))
        # An interaction names its variables in the order in which the model does.
        place = {name: index for index, name in enumerate(used)}
        listed = tuple(dict.fromkeys(tuple(sorted(term_of(term), key=place.__getitem__)) for term in terms))
        unused = [name for name in factors if name not in used]
        if unused:
            raise NotPossible(f"factors {some(unused)} are in no term of the model")
        levels: dict[str, tuple[Label, ...]] = {}
        for name in used:
            if columns.is_numeric(name) and name not in factors:
                continue
            codes, labels = columns.codes(name)
            held = np.bincount(codes[members & (codes >= 0)], minlength=len(labels)) > 0
            levels[name] = tuple(label for label, here in zip(labels, held, strict=True) if here)
            if len(levels[name]) < 2:
                raise NotPossible(
                    f'"{name}" has one level only ({some(levels[name])}); leave it out of the model'
                )
        return cls(listed, intercept, levels)

    def without(self, dropped: Sequence[tuple[str, ...]]) -> Coding:
        """The same with fewer terms; what stays is coded anew where it stood on what goes."""
        return replace(self, terms=tuple(term for term in self.terms if term not in dropped))

    def find(self, term: Term) -> int:
        """The position of a term, its variables in any order."""
        wanted = set(term_of(term))
        for index, one in enumerate(self.terms):
            if set(one) == wanted:
                return index
        known = [":".join(one) for one in self.terms]
        raise NotPossible(f"there is no term {':'.join(term_of(term))} in the model; it has {some(known)}")

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for term in self.terms for name in term))

    def _coded(self, term: tuple[str, ...], name: str) -> tuple[Label, ...]:
        """The levels of a category that have a column in this term."""
        rest = tuple(other for other in term if other != name)
        lower = self.intercept if not rest else any(set(rest) == set(other) for other in self.terms)
        levels = self.levels[name]
        if rest or lower:
            return levels[1:] if lower else levels
        # Without an intercept the first category takes its place.
        first = next(one[0] for one in self.terms if len(one) == 1 and one[0] in self.levels)
        return levels if name == first else levels[1:]

    def _columns_of(self, term: tuple[str, ...]) -> list[tuple[tuple[str, Label], ...]]:
        """The columns of one term, each as (variable, level) pairs; the first variable's levels run fastest."""
        choices = [
            [(name, level) for level in self._coded(term, name)] if name in self.levels else [(name, None)]
            for name in reversed(term)
        ]
        return [tuple(reversed(one)) for one in product(*choices)]

    @property
    def names(self) -> tuple[str, ...]:
        return (
            *(("(Intercept)",) if self.intercept else ()),
            *(
                ":".join(name if level is None else f"{name}{level}" for name, level in column)
                for term in self.terms
                for column in self._columns_of(term)
            ),
        )

    @property
    def term(self) -> IntArray:
        index = [-1] if self.intercept else []
        for position, term in enumerate(self.terms):
            index += [position] * len(self._columns_of(term))
        return np.array(index, dtype=np.int64)

    def present(self, columns: Columns) -> BoolArray:
        """Rows in which no variable of the model is missing."""
        whole = np.ones(columns.rows, dtype=bool)
        for name in self.variables:
            whole &= columns.codes(name)[0] >= 0 if name in self.levels else ~np.isnan(columns.numbers(name))
        return whole

    def matrix(self, columns: Columns, rows: IntArray) -> FloatArray:
        """The model matrix of some rows: rows x columns."""
        parts: dict[tuple[str, Label], FloatArray] = {}

        def part(name: str, level: Label) -> FloatArray:
            if (name, level) not in parts:
                if name not in self.levels:
                    parts[name, level] = columns.numbers(name)[rows]
                else:
                    codes, labels = columns.codes(name)
                    unknown = [
                        labels[code]
                        for code in np.unique(codes[rows])
                        if labels[code] not in self.levels[name]
                    ]
                    if unknown:
                        raise NotPossible(
                            f'"{name}" has the level {some(unknown)}, which the model does not know; '
                            f"it knows {some(self.levels[name])}"
                        )
                    wanted = labels.index(level) if level in labels else -2
                    parts[name, level] = (codes[rows] == wanted).astype(np.float64)
            return parts[name, level]

        made = [np.ones(rows.size)] if self.intercept else []
        for term in self.terms:
            for column in self._columns_of(term):
                value = part(*column[0])
                for name, level in column[1:]:
                    value = value * part(name, level)
                made.append(value)
        if not made:
            raise NotPossible("the model has neither an intercept nor a term")
        return np.stack(made, axis=1)


def term_of(term: Term) -> tuple[str, ...]:
    """A term as the columns that it multiplies."""
    return (term,) if isinstance(term, str) else tuple(term)
