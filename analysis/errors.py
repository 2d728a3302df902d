"""Every error a statistician can meet here. All say which rows, strata or margins, and what to do.

AnalysisError (a ValueError)
├── DesignError              the sample design as described cannot be
│   ├── UnknownColumn        a column that the data do not have
│   └── LonelyPSU            a stratum with one PSU, and no policy for it
├── MissingValues            a value is missing where a weight is not, and nobody said how to treat it
├── EmptyDomain              nobody of the sample is in the domain
├── NotAShare                a share was asked of values other than 0 and 1
├── NotConverged             an iteration ended without an answer; names the margin that is furthest off
└── NotPossible              no answer exists (bounds that no weights can satisfy, a test without degrees of freedom)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class AnalysisError(ValueError):
    """The root: something about the data or the request makes an honest answer impossible."""


class DesignError(AnalysisError):
    """The sample design as described cannot be; nothing was estimated."""


class UnknownColumn(DesignError):
    """A column was named that the data do not have; the nearest names are offered."""

    def __init__(self, column: str, columns: Sequence[str]) -> None:
        from difflib import get_close_matches

        near = get_close_matches(column, columns, n=3, cutoff=0.6)
        hint = f"; did you mean {', '.join(near)}?" if near else f"; the columns are {some(columns)}"
        super().__init__(f'there is no column "{column}" in the data{hint}')


class LonelyPSU(DesignError):
    """A stratum has one PSU, so its variance cannot be estimated, and no policy says what to do."""


class MissingValues(AnalysisError):
    """Weighted units have a missing value; the caller must say how to treat them."""


class EmptyDomain(AnalysisError):
    """Nobody of the sample is in the domain; an estimate of 0 would be an invention."""


class NotAShare(AnalysisError):
    """A share was asked of a column whose values are not 0 and 1 (or false and true)."""


class NotConverged(AnalysisError):
    """An iteration ended without an answer."""


class NotPossible(AnalysisError):
    """No answer exists for what was asked."""


def some(items: Iterable[object], limit: int = 5) -> str:
    """The first few of a list in words, and how many more there are."""
    listed = [str(item) for item in items]
    if len(listed) <= limit:
        return ", ".join(listed)
    return f"{', '.join(listed[:limit])} and {len(listed) - limit} more"


def rows(indices: Iterable[int], limit: int = 5) -> str:
    """Rows in words, counted from 1 as a person reading the table does."""
    listed = [int(index) + 1 for index in indices]
    return f"row{'s' if len(listed) != 1 else ''} {some(listed, limit)}"
