"""Columns of any data frame as arrays: numbers as floats with NaN for missing, categories as codes and labels.

The only place that touches a data frame. A frame comes in through narwhals (pandas, Polars, PyArrow, Modin, a
mapping of arrays); what leaves is NumPy. Codes are made by hashing (PyArrow), not by sorting: at a million rows the
difference is the whole cost of a design.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from analysis.errors import DesignError, UnknownColumn

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Label = Any  # a category as the data hold it: text, number or truth value


class Columns:
    """The data behind a design, read column by column and remembered; `rows` is their number."""

    rows: int

    def __init__(self, data: Any) -> None:
        self._arrays: dict[str, NDArray[Any]] | None = None
        self._frame: nw.DataFrame[Any] | None = None
        self._numbers: dict[str, FloatArray] = {}
        self._codes: dict[str, tuple[IntArray, tuple[Label, ...]]] = {}
        if isinstance(data, Columns):
            self._arrays, self._frame, self.rows = data._arrays, data._frame, data.rows
            self._numbers, self._codes = data._numbers, data._codes
            return
        if isinstance(data, Mapping):
            self._arrays = {str(name): np.asarray(values) for name, values in data.items()}
            lengths = {len(values) for values in self._arrays.values()}
            if len(lengths) != 1:
                raise DesignError(f"the columns have different lengths: {sorted(lengths)}")
            self.rows = lengths.pop()
            return
        frame = nw.from_native(data, pass_through=True)
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect()
        if not isinstance(frame, nw.DataFrame):
            raise DesignError(
                f"a {type(data).__name__} is not a data frame (pandas, Polars, PyArrow, mapping)"
            )
        self._frame = frame
        self.rows = frame.shape[0]

    @property
    def names(self) -> tuple[str, ...]:
        if self._arrays is not None:
            return tuple(self._arrays)
        assert self._frame is not None
        return tuple(self._frame.columns)

    def _require(self, name: str) -> None:
        if name not in self.names:
            raise UnknownColumn(name, self.names)

    def numbers(self, name: str) -> FloatArray:
        """The column as floats; missing values and NaN are NaN. Text is an error, truth values are 0 and 1."""
        found = self._numbers.get(name)
        if found is None:
            self._require(name)
            found = self._numbers[name] = self._to_numbers(name)
        return found

    def _to_numbers(self, name: str) -> FloatArray:
        if self._arrays is not None:
            values: Any = self._arrays[name]
        else:
            assert self._frame is not None
            series = self._frame[name]
            kind = series.dtype
            if isinstance(kind, nw.Decimal | nw.Boolean):
                series = series.cast(nw.Float64)
            elif not (kind.is_numeric() or isinstance(kind, nw.Object | nw.Unknown)):
                raise DesignError(f'the column "{name}" holds {kind}, not numbers')
            values = series.to_numpy()
        if values.dtype == object:
            values = np.array([np.nan if _is_missing(value) else value for value in values], dtype=object)
        try:
            return np.ascontiguousarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise DesignError(f'the column "{name}" holds text, not numbers') from None

    def is_numeric(self, name: str) -> bool:
        """Whether the column holds numbers or truth values (rather than text or categories)."""
        self._require(name)
        if self._arrays is not None:
            return self._arrays[name].dtype.kind in "biuf"
        assert self._frame is not None
        kind = self._frame[name].dtype
        return bool(kind.is_numeric()) or isinstance(kind, nw.Boolean)

    def codes(self, name: str) -> tuple[IntArray, tuple[Label, ...]]:
        """The column as codes 0, 1, ... into the sorted labels; -1 where it is missing."""
        found = self._codes.get(name)
        if found is None:
            found = self._codes[name] = encode(self._values(name))
        return found

    def identifiers(self, name: str) -> tuple[IntArray, tuple[Label, ...]]:
        """As `codes`, but the labels are in any order: for clusters and strata, of which there may be many."""
        return self._codes.get(name) or encode(self._values(name), ordered=False)

    def _values(self, name: str) -> Any:
        self._require(name)
        if self._arrays is not None:
            return self._arrays[name]
        assert self._frame is not None
        return self._frame[name]


class Extended(Columns):
    """Columns with further ones beside them; the data themselves are not copied."""

    def __init__(self, base: Columns, more: Mapping[str, Any]) -> None:
        super().__init__(base)
        self._base = base
        self._more = Columns({name: np.asarray(values) for name, values in more.items()})
        self._numbers, self._codes = dict(base._numbers), dict(base._codes)
        if self._more.rows != base.rows:
            raise DesignError(f"new columns have {self._more.rows} values, the data {base.rows} rows")
        for name in more:
            self._numbers.pop(name, None)
            self._codes.pop(name, None)

    @property
    def names(self) -> tuple[str, ...]:
        return (*(name for name in self._base.names if name not in self._more.names), *self._more.names)

    def _to_numbers(self, name: str) -> FloatArray:
        return self._more.numbers(name) if name in self._more.names else self._base.numbers(name)

    def is_numeric(self, name: str) -> bool:
        return (self._more if name in self._more.names else self._base).is_numeric(name)

    def _values(self, name: str) -> Any:
        return (self._more if name in self._more.names else self._base)._values(name)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ == "NAType"


def encode(values: Any, *, ordered: bool = True) -> tuple[IntArray, tuple[Label, ...]]:
    """Codes 0, 1, ... into the distinct labels, and those labels; -1 where a value is missing.

    Labels are sorted unless `ordered` is False (identifiers of clusters, of which there are many and which are
    never printed in order).
    """
    native = values.to_numpy() if isinstance(values, nw.Series) and values.dtype.is_integer() else values
    if isinstance(native, np.ndarray) and native.dtype.kind in "iu" and native.size:
        low, high = int(native.min()), int(native.max())
        if high - low <= 4 * native.size + 1024:
            return _encode_small_integers(native, low, high)
    import pyarrow as pa
    import pyarrow.compute as pc

    array = values.to_arrow() if isinstance(values, nw.Series) else pa.array(values, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    if not pa.types.is_dictionary(array.type):
        array = pc.dictionary_encode(array)
    codes = pc.fill_null(array.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    labels = array.dictionary.to_pylist()
    present = np.bincount(codes[codes >= 0], minlength=len(labels)) > 0
    if not ordered and bool(present.all()):
        return codes, tuple(labels)
    order = sorted(
        np.flatnonzero(present).tolist(), key=lambda index: (str(type(labels[index])), labels[index])
    )
    rank = np.full(len(labels) + 1, -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], tuple(labels[index] for index in order)


def _encode_small_integers(values: NDArray[Any], low: int, high: int) -> tuple[IntArray, tuple[Label, ...]]:
    shifted = values.astype(np.int64) - low
    present = np.zeros(high - low + 1, dtype=bool)
    present[shifted] = True
    labels = np.flatnonzero(present) + low
    if labels.size == present.size:
        return shifted, tuple(labels.tolist())
    return (np.cumsum(present) - 1)[shifted], tuple(labels.tolist())


def add_up(code: IntArray, values: FloatArray, count: int) -> FloatArray:
    """The sum of the values of each code 0 .. count - 1."""
    return np.asarray(np.bincount(code, weights=values, minlength=count), dtype=np.float64)


def pair(first: IntArray, second: IntArray, width: int) -> tuple[IntArray, IntArray, IntArray]:
    """Codes for the pairs (first, second) that occur, and the two parts of each; `width` bounds `second`.

    Small tables are marked cell by cell. Of large ones, those where one of the two follows from the other (a PSU lies in
    one stratum, and in one commune) need no table, and others are hashed, so that memory follows the pairs that occur
    and not the product of the ranges.
    """
    height = int(first.max(initial=-1)) + 1
    if height * width <= max(2 * first.size, 65536):
        key = first if width == 1 else first * width + second
        codes, occurring = _ranked(key, height * width)
        return codes, occurring // width, occurring % width
    if (owner := _owner(first, second, width)) is not None:
        codes, occurring = _ranked(second, width)
        return codes, owner[occurring], occurring
    if (owner := _owner(second, first, height)) is not None:
        codes, occurring = _ranked(first, height)
        return codes, occurring, owner[occurring]
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = pc.dictionary_encode(pa.array(first * width + second))
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    occurring = encoded.dictionary.to_numpy(zero_copy_only=False)
    return codes, occurring // width, occurring % width


def _ranked(key: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """The keys that occur among 0 .. count - 1, and each key's rank among them."""
    present = np.zeros(count, dtype=bool)
    present[key] = True
    occurring = np.flatnonzero(present)
    return (key if occurring.size == count else (np.cumsum(present) - 1)[key]), occurring


def _owner(value: IntArray, key: IntArray, count: int) -> IntArray | None:
    """The one value of each key 0 .. count - 1; None if some key has several, as the first rows mostly tell."""
    owner = np.zeros(count, dtype=np.int64)
    for rows in (slice(10_000), slice(None)):
        owner[key[rows]] = value[rows]
        if not np.array_equal(owner[key[rows]], value[rows]):
            return None
    return owner


def cross(columns: Columns, names: Sequence[str]) -> tuple[IntArray, tuple[tuple[Label, ...], ...]]:
    """Codes for the combinations of several columns, sorted with the first column slowest; -1 where any is missing."""
    if not names:
        return np.zeros(columns.rows, dtype=np.int64), ((),)
    codes, labels = columns.codes(names[0])
    combined: list[tuple[Label, ...]] = [(label,) for label in labels]
    for name in names[1:]:
        more, more_labels = columns.codes(name)
        known = (codes >= 0) & (more >= 0)
        key = np.where(known, codes * len(more_labels) + more, -1)
        occurring = np.flatnonzero(
            np.bincount(key[known], minlength=len(combined) * max(len(more_labels), 1))
        )
        rank = np.full(len(combined) * max(len(more_labels), 1) + 1, -1, dtype=np.int64)
        rank[occurring] = np.arange(occurring.size)
        codes = rank[key]
        combined = [
            (*combined[index // len(more_labels)], more_labels[index % len(more_labels)])
            for index in occurring.tolist()
        ]
    return codes, tuple(combined)
