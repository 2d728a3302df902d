"""The fold: records are read once and become one table of weighted totals by sampling unit and domain.

Everything smooth is algebra on this table: point estimates, Taylor variances, replicates, covariances between
domains and between statistics. Its rows are the pairs (sampling unit, domain) that occur, so its size follows the
sample and not the product of units and domains. Tables of two samples can be added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.columns import BoolArray, FloatArray, IntArray, add_up, pair


@dataclass(frozen=True, eq=False)
class Cells:
    """Which (unit, domain) each row falls in. `members` are the rows in any domain, None when all are.

    `row_domain` is None when there is one domain: then sums over it are plain sums.
    """

    unit: IntArray  # by cell
    domain: IntArray  # by cell
    code: IntArray  # cell of each member row
    row_domain: IntArray | None  # domain of each member row
    members: IntArray | None
    domains: int
    _memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    def remembered(self, name: Any, make: Callable[[], Any]) -> Any:
        """Worked out once for these cells: what many statistics of one call have in common."""
        if name not in self._memo:
            self._memo[name] = make()
        return self._memo[name]

    @classmethod
    def of(cls, unit: IntArray, domain: IntArray | None, domains: int, units: int) -> Cells:
        """Cells of rows by sampling unit and domain; a domain of -1 leaves the row out, None is one domain."""
        if domain is None:
            return cls(np.arange(units), np.zeros(units, dtype=np.int64), unit, None, None, 1)
        members: IntArray | None = None
        if domain.size and domain.min() < 0:
            members = np.flatnonzero(domain >= 0)
            unit, domain = unit[members], domain[members]
        code, cell_unit, cell_domain = pair(unit, domain, domains)
        return cls(cell_unit, cell_domain, code, None if domains == 1 else domain, members, domains)

    def sums(self, values: FloatArray) -> FloatArray:
        """The sum of a row-level value in each cell."""
        return self.members_sums(self.take(values))

    def members_sums(self, values: FloatArray) -> FloatArray:
        """The sum in each cell of a value of the member rows."""
        return add_up(self.code, values, self.unit.size)

    def by_domain(self, values: FloatArray) -> FloatArray:
        """The sum of a row-level value in each domain."""
        return self.members_by_domain(self.take(values))

    def members_by_domain(self, values: FloatArray) -> FloatArray:
        """The sum in each domain of a value of the member rows."""
        if self.row_domain is None:
            return np.array([values.sum()])
        return add_up(self.row_domain, values, self.domains)

    def take(self, values: FloatArray) -> FloatArray:
        """A row-level value of the member rows."""
        return values if self.members is None else values[self.members]

    def spread(self, by_domain: FloatArray) -> FloatArray:
        """What each domain has, given to its member rows (one number when there is one domain)."""
        return by_domain if self.row_domain is None else by_domain[self.row_domain]

    def members_of(self, domain: int, rows: int) -> BoolArray:
        """The member rows of one domain as a mask over all rows."""
        mask = np.zeros(rows, dtype=bool)
        members = np.arange(rows) if self.members is None else self.members
        mask[members if self.row_domain is None else members[self.row_domain == domain]] = True
        return mask

    def domain_totals(self, sums: FloatArray) -> FloatArray:
        """Cell sums added up to the domains."""
        return add_up(self.domain, sums, self.domains)


@dataclass(frozen=True, eq=False)
class UnitTotals:
    """Totals of linearised values by sampling unit: what every variance is made of.

    A row for each (unit, column) that occurs; a column is one statistic in one domain. Pairs that do not occur are
    zeros: the unit was sampled and holds nobody of the domain.
    """

    unit: IntArray
    column: IntArray
    values: FloatArray
    columns: int

    @classmethod
    def dense(cls, table: FloatArray) -> UnitTotals:
        """From a whole table of units x columns."""
        units, columns = table.shape
        return cls(
            np.repeat(np.arange(units), columns),
            np.tile(np.arange(columns), units),
            np.ascontiguousarray(table).ravel(),
            columns,
        )

    @classmethod
    def of_units(cls, table: FloatArray, units: IntArray) -> UnitTotals:
        """From a whole table of which only these units hold members of the domain."""
        columns = table.shape[1]
        return cls(
            np.repeat(units, columns), np.tile(np.arange(columns), units.size), table[units].ravel(), columns
        )

    @classmethod
    def joined(cls, parts: list[UnitTotals]) -> UnitTotals:
        """Several side by side: their columns are numbered on."""
        if len(parts) == 1:
            return parts[0]
        start, columns = 0, []
        for part in parts:
            columns.append(part.column + start)
            start += part.columns
        return cls(
            np.concatenate([part.unit for part in parts]),
            np.concatenate(columns),
            np.concatenate([part.values for part in parts]),
            start,
        )

    def raised(self, parent: IntArray) -> UnitTotals:
        """Added up to the units of the stage before; `parent` gives each unit's."""
        code, unit, column = pair(parent[self.unit], self.column, self.columns)
        values = add_up(code, self.values, unit.size)
        return UnitTotals(unit, column, values, self.columns)


def fold_rows(unit: IntArray, units: int, table: FloatArray) -> FloatArray:
    """Row-level values (rows x columns) added up by sampling unit."""
    out = np.empty((units, table.shape[1]))
    for column in range(table.shape[1]):
        out[:, column] = add_up(unit, table[:, column], units)
    return out
