"""A batch of n records as one column per field.

Every kind of column has n rows, `valid` (None when no row is null), `take` and `to_pylist`:

* `NumericColumn`: booleans, integers and floats in one array;
* `TextColumn`: strings, bytes, enum symbols and fixed, as slices of one buffer;
* `ConstantColumn`: one value for every row;
* `ObjectColumn`: Python objects, for arrays, maps, general unions and decimals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

import numpy as np

from streamer.records.constant import ConstantColumn
from streamer.records.numeric import NumericColumn
from streamer.records.objects import ObjectColumn
from streamer.records.text import TextColumn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "Column",
    "ConstantColumn",
    "FeatureBatch",
    "NumericColumn",
    "ObjectColumn",
    "TextColumn",
    "column_of",
    "concat",
]

Column: TypeAlias = NumericColumn | TextColumn | ConstantColumn | ObjectColumn

_INT64 = range(-(2**63), 2**63)


def concat(columns: Sequence[Column]) -> Column:
    """The rows of columns of one kind, one below the other.

    Raises:
        TypeError: The columns are of different kinds or dtypes.
        ValueError: There are no columns.
    """
    if not columns:
        raise ValueError("no columns to concatenate")
    if len(columns) == 1:
        return columns[0]
    kinds = {type(column) for column in columns}
    if len(kinds) > 1:
        raise TypeError(f"columns of different kinds: {', '.join(sorted(kind.__name__ for kind in kinds))}")
    if isinstance(columns[0], NumericColumn):
        numeric = cast("Sequence[NumericColumn]", columns)
        if len({column.values.dtype for column in numeric}) > 1:
            raise TypeError("numeric columns of different dtypes")
        return NumericColumn(np.concatenate([column.values for column in numeric]), _concat_valid(columns))
    if isinstance(columns[0], TextColumn):
        return _concat_text(cast("Sequence[TextColumn]", columns))
    if isinstance(columns[0], ObjectColumn):
        objects = cast("Sequence[ObjectColumn]", columns)
        return ObjectColumn(np.concatenate([column.values for column in objects]), _concat_valid(columns))
    constants = cast("Sequence[ConstantColumn]", columns)
    first = constants[0].value
    if all(type(column.value) is type(first) and column.value == first for column in constants):
        return ConstantColumn(first, sum(map(len, constants)))
    return ObjectColumn.of([value for column in constants for value in column.to_pylist()])


def _concat_valid(columns: Sequence[Column]) -> NDArray[np.bool_] | None:
    valids = [column.valid for column in columns]
    if all(valid is None for valid in valids):
        return None
    pairs = zip(columns, valids, strict=True)
    return np.concatenate([np.ones(len(column), np.bool_) if v is None else v for column, v in pairs])


def _concat_text(columns: Sequence[TextColumn]) -> TextColumn:
    is_bytes = columns[0].is_bytes
    if any(column.is_bytes != is_bytes for column in columns):
        raise TypeError("columns of text and of bytes")
    buffer = columns[0].buffer
    starts = [column.starts for column in columns]
    if any(column.buffer is not buffer for column in columns):
        shifts = np.cumsum([0] + [column.buffer.size for column in columns[:-1]])
        starts = [column.starts + shift for column, shift in zip(columns, shifts, strict=True)]
        buffer = np.concatenate([column.buffer for column in columns])
    lengths = np.concatenate([column.lengths for column in columns])
    return TextColumn(buffer, np.concatenate(starts), lengths, _concat_valid(columns), is_bytes)


def column_of(values: Sequence[Any]) -> Column:
    """The narrowest kind of column that holds these Python values without changing them.

    Booleans, integers that fit 64 bits and floats become a `NumericColumn` (integers and floats together:
    float64), text and bytes a `TextColumn`, anything else an `ObjectColumn`. None is null everywhere.
    """
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {str}:
        return TextColumn.from_strings(values)
    if kinds == {bytes}:
        return TextColumn.from_bytes(values)
    dtype: type[np.generic]
    if kinds == {bool}:
        dtype = np.bool_
    elif kinds == {int} and all(value is None or value in _INT64 for value in values):
        dtype = np.int64
    elif kinds == {float} or (
        kinds == {int, float} and all(type(value) is not int or abs(value) <= 2**53 for value in values)
    ):
        dtype = np.float64
    else:
        return ObjectColumn.of(values)
    array = np.fromiter((0 if value is None else value for value in values), dtype, len(values))
    if None not in values:
        return NumericColumn(array)
    return NumericColumn(array, np.fromiter((value is not None for value in values), np.bool_, len(values)))


@dataclass(frozen=True, slots=True, eq=False)
class FeatureBatch:
    """n records as columns of n rows.

    The fields of nested records have dotted names (`address.city`); where a nested record is null, all of
    its leaves are.

    Attributes:
        n: The number of records.
        columns: The columns by field name, each of n rows.
    """

    n: int
    columns: Mapping[str, Column]

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if len(column) != self.n:
                raise ValueError(f"column {name} has {len(column)} rows in a batch of {self.n}")

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The records at these indices, in their order."""
        return type(self)(len(rows), {name: column.take(rows) for name, column in self.columns.items()})

    def row(self, index: int) -> dict[str, Any]:
        """One record as a flat dict with dotted names."""
        rows = np.array([index], np.int64)
        return {name: column.take(rows).to_pylist()[0] for name, column in self.columns.items()}

    def to_rows(self) -> list[dict[str, Any]]:
        """All records as flat dicts with dotted names."""
        names = list(self.columns)
        if not names:
            return [{} for _ in range(self.n)]
        values = zip(*(column.to_pylist() for column in self.columns.values()), strict=True)
        return [dict(zip(names, row, strict=True)) for row in values]

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]]) -> Self:
        """Columns from records as dicts; nested dicts are flattened under dotted names.

        A field that a record lacks is null there. See `column_of` for the kinds of columns.
        """
        flat = [dict(_flatten(row, "")) for row in rows]
        names = dict.fromkeys(name for row in flat for name in row)
        # A nested record that is null in one row and present in another has leaves, and no column of its own.
        parents = {name[:at] for name in names for at, letter in enumerate(name) if letter == "."}
        return cls(
            len(rows),
            {name: column_of([row.get(name) for row in flat]) for name in names if name not in parents},
        )

    @classmethod
    def concat(cls, batches: Sequence[FeatureBatch]) -> Self:
        """The records of several batches, one below the other; all must have the same columns.

        Raises:
            TypeError: The batches have different columns.
            ValueError: There are no batches.
        """
        if not batches:
            raise ValueError("no batches to concatenate")
        names = batches[0].columns.keys()
        if any(batch.columns.keys() != names for batch in batches):
            raise TypeError("batches with different columns")
        columns = {name: concat([batch.columns[name] for batch in batches]) for name in names}
        return cls(sum(batch.n for batch in batches), columns)


def _flatten(record: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
