"""Columns as applications have them (lists, numpy arrays, pandas and polars frames) to columns of a schema.

What a value means follows from its library: NaN is a missing value in pandas and a number in numpy and polars;
a masked row is missing in numpy. Missing values become null where the field is nullable, and NaN in a field of
floats that is not. numpy's datetime64, and frames' moments without a time zone, count as UTC.

Neither pandas nor polars is imported: their frames and series are known by what they can do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.avro.avro_types import Primitive, describe
from streamer.avro.leaves import DTYPES, Leaf, leaves_of, root_record
from streamer.errors import EncodeError
from streamer.records.columns import Column, ConstantColumn, NumericColumn, ObjectColumn, TextColumn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.avro.schema import Schema

_COLUMN_TYPES = (NumericColumn, TextColumn, ConstantColumn, ObjectColumn)
_UNITS = {"millis": "ms", "micros": "us", "nanos": "ns"}
_RANGES = {"int": 2**31, "long": 2**63}


def is_columns(data: Any) -> bool:
    """Whether this is a frame or a mapping of columns, rather than a sequence of records."""
    return isinstance(data, Mapping) or (hasattr(data, "columns") and hasattr(data, "__getitem__"))


def to_columns(data: Any, schema: Schema) -> tuple[dict[str, Column], int]:
    """Columns that the encoder takes.

    Args:
        data: A pandas or polars frame, or a mapping of field to n values: a numpy array, a list, a series, or one
            value for all rows. The fields of nested records have dotted names.
        schema: Says what each column is to become.

    Returns:
        The columns by name, and how many rows they have.

    Raises:
        EncodeError: The lengths differ, a field is unknown, or values do not fit their field.
    """
    leaves = {leaf.path: leaf for leaf in leaves_of(root_record(schema))}
    given = dict(data) if isinstance(data, Mapping) else {str(name): data[name] for name in data.columns}
    unknown = sorted(given.keys() - leaves.keys())
    if unknown:
        raise EncodeError(
            f"the schema {schema.name} has no field {unknown[0]}",
            where=f"column {unknown[0]}",
            advice=f"Drop the column; the fields are {', '.join(leaves):.500}",
        )
    lengths = {name: len(values) for name, values in given.items() if _is_series(values)}
    if not lengths:
        raise EncodeError("no column says how many records there are", advice="Pass at least one array or list")
    n = next(iter(lengths.values()))
    for name, length in lengths.items():
        if length != n:
            raise EncodeError(
                f"{length} values beside {n} in column {next(iter(lengths))}",
                where=f"column {name}",
                advice="All columns need the same number of rows",
            )
    return {name: _column(values, leaves[name], n) for name, values in given.items()}, n


def _is_series(values: Any) -> bool:
    return hasattr(values, "__len__") and not isinstance(values, str | bytes | Mapping)


def _column(values: Any, leaf: Leaf, n: int) -> Column:
    if isinstance(values, _COLUMN_TYPES):
        return values
    if not _is_series(values):
        return ConstantColumn(values.item() if isinstance(values, np.generic) else values, n)
    array, missing = _as_array(values)
    if isinstance(leaf.type, Primitive) and leaf.type.name in DTYPES:
        if array.dtype.kind in "Mm":
            array, missing = _ticks(array, missing, leaf)
        if array.dtype.kind in "biuf":
            return _numeric(array, missing, leaf)
    objects = _objects(array, missing)
    strings = isinstance(leaf.type, Primitive) and leaf.type.name == "string"
    if strings and all(value is None or type(value) is str for value in objects):
        try:
            return TextColumn.from_strings(objects)
        except UnicodeEncodeError as error:
            raise _misfit(leaf, f"text that cannot be written as UTF-8: {error.reason}") from error
    return ObjectColumn.of(objects)


def _as_array(values: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """The values as one numpy array, and which of them are missing (None: none)."""
    if isinstance(values, np.ma.MaskedArray):
        return np.asarray(values.data), np.ma.getmaskarray(values)
    if isinstance(values, np.ndarray):
        return (values if values.ndim == 1 else _object_array(list(values))), None
    if hasattr(values, "isna") and hasattr(values, "to_numpy"):
        return _from_pandas(values)
    if hasattr(values, "is_null") and hasattr(values, "to_list"):
        return _from_polars(values)
    items = list(values)
    kinds = {type(item) for item in items}
    if kinds in ({int}, {float}, {bool}):
        try:
            return np.array(items), None
        except OverflowError:
            return _object_array(items), None
    return _object_array(items), None


def _from_pandas(series: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    missing = np.asarray(series.isna(), np.bool_)
    masked = missing if missing.any() else None
    kind = getattr(series.dtype, "kind", "O")
    if kind == "M":
        # A moment with a zone becomes UTC; dtype.unit keeps what was there from being rounded.
        return np.asarray(series.to_numpy(dtype=f"datetime64[{getattr(series.dtype, 'unit', 'ns')}]")), masked
    if kind in "biuf" and masked is not None and not isinstance(series.dtype, np.dtype):
        return np.asarray(series.to_numpy(dtype=f"{kind}8" if kind != "b" else "?", na_value=0)), masked
    if kind in "biuf":
        return np.asarray(series.to_numpy(dtype=series.dtype if isinstance(series.dtype, np.dtype) else None)), masked
    if kind == "m":
        return np.asarray(series.to_numpy()), masked
    return _object_array(series.astype(object).tolist()), masked


def _from_polars(series: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    missing = np.asarray(series.is_null().to_numpy(), np.bool_)
    if series.dtype.is_integer() or series.dtype.is_float():
        filled = series.fill_null(0) if missing.any() else series
        return np.asarray(filled.to_numpy()), missing if missing.any() else None
    if hasattr(series.dtype, "time_zone"):
        utc = series if series.dtype.time_zone is None else series.dt.convert_time_zone("UTC")
        moments = utc.dt.replace_time_zone(None).to_numpy()
        return np.asarray(moments), missing if missing.any() else None
    return _object_array(series.to_list()), None


def _object_array(items: Sequence[Any]) -> NDArray[Any]:
    # np.array(items) would turn lists of one length into a matrix.
    return np.fromiter(items, object, len(items))


def _objects(array: NDArray[Any], missing: NDArray[np.bool_] | None) -> list[Any]:
    items = [_plain(item) for item in array.tolist()]
    if missing is not None:
        for row in np.flatnonzero(missing).tolist():
            items[row] = None
    return items


def _plain(item: Any) -> Any:
    return item.tolist() if isinstance(item, np.ndarray | np.generic) else item


def _ticks(
    array: NDArray[Any], missing: NDArray[np.bool_] | None, leaf: Leaf
) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """datetime64 and timedelta64 as the integers of the leaf's logical type."""
    assert isinstance(leaf.type, Primitive)
    kind, _, unit = (leaf.type.logical or "").rpartition("-")
    nothing = np.isnat(array)
    if nothing.any():
        missing = nothing if missing is None else missing | nothing
    if array.dtype.kind == "M" and leaf.type.logical == "date":
        return array.astype("datetime64[D]").astype(np.int64), missing
    if array.dtype.kind == "M" and "timestamp" in kind:
        return array.astype(f"datetime64[{_UNITS[unit]}]").astype(np.int64), missing
    if array.dtype.kind == "m" and kind == "time":
        return array.astype(f"timedelta64[{_UNITS[unit]}]").astype(np.int64), missing
    raise _misfit(leaf, f"{array.dtype} values")


def _numeric(array: NDArray[Any], missing: NDArray[np.bool_] | None, leaf: Leaf) -> NumericColumn:
    assert isinstance(leaf.type, Primitive)
    name, kind = leaf.type.name, array.dtype.kind
    if (name == "boolean") != (kind == "b"):
        raise _misfit(leaf, f"{array.dtype} values")
    present = None if missing is None else ~missing
    if name == "boolean":
        return _with_nulls(array, present, leaf)
    if name in ("float", "double"):
        floats = array.astype(np.float64, copy=False)
        if present is not None and not leaf.nullable:
            return NumericColumn(np.where(present, floats, np.nan))
        return _with_nulls(floats, present, leaf)
    if kind == "f":
        # An integer column with a gap is floats in numpy and pandas: the gaps are its NaN.
        gaps = np.isnan(array)
        if gaps.any():
            present = ~gaps if present is None else present & ~gaps
        whole = np.where(gaps, 0, array)
        wrong = whole != np.floor(whole)
    else:
        whole, wrong = array, np.zeros(len(array), np.bool_)
    bound = _RANGES[name]
    wrong |= (whole >= bound) | (whole < -bound if kind != "u" else False)
    if present is not None:
        wrong &= present
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise _misfit(leaf, f"{array[row]}", row)
    safe = whole if present is None else np.where(present, whole, 0)
    return _with_nulls(safe.astype(np.int64), present, leaf)


def _with_nulls(array: NDArray[Any], present: NDArray[np.bool_] | None, leaf: Leaf) -> NumericColumn:
    if present is None or present.all():
        return NumericColumn(array)
    if not leaf.nullable:
        row = int(np.flatnonzero(~present)[0])
        raise EncodeError("a missing value in a field that is not nullable", where=f"field {leaf.path}, row {row}")
    return NumericColumn(np.where(present, array, np.zeros(1, array.dtype)), present)


def _misfit(leaf: Leaf, what: str, row: int | None = None) -> EncodeError:
    where = f"field {leaf.path}" + ("" if row is None else f", row {row}")
    return EncodeError(f"{what} for {describe(leaf.type)}", where=where, advice="Convert the column, or the schema")
