"""Writing the values of one event field into the columns of a model's input."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.avro.avro_types import Enum, Fixed, Primitive, Union, describe
from streamer.errors import ModelInvalid
from streamer.records.columns import ConstantColumn, NumericColumn, ObjectColumn, TextColumn
from streamer.runtimes.field_path import Slice, value_at
from streamer.runtimes.tensor_check import NUMERIC_DTYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.avro.avro_types import AvroType
    from streamer.records.columns import Column, FeatureBatch
    from streamer.records.model_version import NullPolicy
    from streamer.runtimes.field_path import FieldSource
    from streamer.runtimes.rejections import Rejections

REJECT = "reject"
_NUMBERS = frozenset({"boolean", "int", "long", "float", "double"})
_AS_TEXT = frozenset({"string", "boolean", "int", "long"})


def natural_dtype(avro_type: AvroType) -> str:
    """The dtype that an input gets from its field, where the model takes any."""
    if isinstance(avro_type, Enum):
        return "string"
    if isinstance(avro_type, Primitive):
        return {"boolean": "bool", "int": "int64", "long": "int64", "float": "float64", "double": "float64"}.get(
            avro_type.name, "string"
        )
    return "float64"


class InputValues:
    """One field, written into `source.width` columns of an input.

    Args:
        source: Where the values are.
        dtype: The dtype of the input.
        null: What stands in for null.

    Raises:
        ModelInvalid: Values of the field's type cannot become the dtype, or the null policy does not fit it.
    """

    def __init__(self, source: FieldSource, dtype: str, null: NullPolicy) -> None:
        self.source = source
        self._dtype = dtype
        _check_type(source, dtype)
        self._null = _null_value(source, dtype, null)
        self._symbols = source.type.symbols if isinstance(source.type, Enum) else ()

    def fill(self, batch: FeatureBatch, out: NDArray[Any], rejections: Rejections) -> None:
        """Writes the values.

        Args:
            batch: n records.
            out: Shape (n, width), the input's dtype; rejected rows are left with a harmless value.
            rejections: Gets the rows whose values are null, or do not fit the dtype.
        """
        column = batch.columns[self.source.column]
        if self.source.steps:
            self._fill_inner(column, out, rejections)
        elif self._dtype == "string":
            self._fill_text(column, out[:, 0], rejections)
        else:
            self._fill_numbers(column, out[:, 0], rejections)

    def _fill_numbers(self, column: Column, out: NDArray[Any], rejections: Rejections) -> None:
        valid = column.valid
        if isinstance(column, NumericColumn):
            values = column.values
        elif isinstance(column, TextColumn):
            values = self._symbol_numbers(column)
        elif isinstance(column, ConstantColumn):
            values = np.full(column.n, _number(column.value, self._symbols))
        else:
            values = np.array([_number(value, self._symbols) for value in column.to_pylist()])
        self._cast(values, out, valid, rejections)
        self._stand_in(valid, out, rejections)

    def _symbol_numbers(self, column: TextColumn) -> NDArray[np.int64]:
        numbers = np.zeros(len(column), np.int64)
        for number, symbol in enumerate(self._symbols):
            numbers[column.equals(symbol.encode())] = number
        return numbers

    def _cast(
        self, values: NDArray[Any], out: NDArray[Any], valid: NDArray[np.bool_] | None, rejections: Rejections
    ) -> None:
        """Rounds to a float dtype; what an integer or boolean dtype cannot hold exactly is rejected."""
        with np.errstate(over="ignore", invalid="ignore"):
            out[...] = values
            if out.dtype.kind == "f":
                if values.dtype.itemsize <= out.dtype.itemsize or np.isfinite(out.sum()):
                    return
                wrong = np.isinf(out) & np.isfinite(values)
            elif values.dtype == out.dtype:
                return
            else:
                wrong = ~_same(values, out)
        if valid is not None:
            wrong &= valid
        if wrong.any():
            rejections.add_where(wrong, "input_range", f"{self.source.path}: the value does not fit {self._dtype}")
            out[wrong] = 0

    def _fill_text(self, column: Column, out: NDArray[Any], rejections: Rejections) -> None:
        if isinstance(column, TextColumn):
            out[...] = column.to_pylist()
        else:
            out[...] = [_text(value) for value in column.to_pylist()]
        self._stand_in(column.valid, out, rejections)

    def _fill_inner(self, column: Column, out: NDArray[Any], rejections: Rejections) -> None:
        n, width = out.shape
        rows = [value_at(value, self.source.steps) for value in column.to_pylist()]
        if not _is_slice(self.source):
            items = ObjectColumn.of(rows)
        else:
            items = ObjectColumn.of([item for row in rows for item in _padded(row, width)])
        inner_rejections = type(rejections)(n * width)
        flat = np.zeros(n * width, out.dtype) if self._dtype != "string" else np.full(n * width, "", object)
        if self._dtype == "string":
            self._fill_text(items, flat, inner_rejections)
        else:
            self._fill_numbers(items, flat, inner_rejections)
        out[...] = flat.reshape(n, width)
        for item, (code, message) in inner_rejections.reasons.items():
            rejections.add([item // width], code, message)

    def _stand_in(self, valid: NDArray[np.bool_] | None, out: NDArray[Any], rejections: Rejections) -> None:
        if valid is None:
            return
        missing = ~valid
        if not missing.any():
            return
        if self._null is None:
            rejections.add_where(
                missing, "null_input", f"{self.source.path} is null, and the model takes no null there"
            )
            out[missing] = "" if self._dtype == "string" else 0
        else:
            out[missing] = self._null


def _check_type(source: FieldSource, dtype: str) -> None:
    branches = source.type.branches if isinstance(source.type, Union) else (source.type,)
    wanted = [branch for branch in branches if describe(branch) != "null"]
    for avro_type in wanted:
        if dtype == "string":
            fits = isinstance(avro_type, Enum) or (isinstance(avro_type, Primitive) and avro_type.name in _AS_TEXT)
        elif dtype in NUMERIC_DTYPES:
            fits = (
                isinstance(avro_type, Enum)
                or (isinstance(avro_type, Primitive) and avro_type.name in _NUMBERS)
                or (isinstance(avro_type, Primitive | Fixed) and avro_type.logical == "decimal")
            )
        else:
            raise ModelInvalid(f"inputs of dtype {dtype!r} are not supported", where=source.path)
        if not fits:
            raise ModelInvalid(
                f"a field of type {describe(avro_type)} cannot become a {dtype} input",
                where=source.path,
                advice="Map another field, or export the model with an input of the field's type.",
            )


def _null_value(source: FieldSource, dtype: str, policy: NullPolicy) -> Any:
    """The stand-in as the input's dtype has it; None rejects the row."""
    if policy == REJECT:
        return None
    if dtype == "string":
        return _text(policy)
    if policy == "nan":
        if not dtype.startswith("float"):
            raise ModelInvalid(f"null cannot become NaN in a {dtype} input", where=f"nulls.{source.path}")
        return math.nan
    try:
        value = np.dtype(dtype).type(policy)
        fits = not isinstance(policy, str) and (dtype.startswith("float") or value == policy)
    except (ValueError, TypeError, OverflowError):
        fits = False
    if not fits:
        raise ModelInvalid(
            f"{policy!r} cannot stand in for null in a {dtype} input",
            where=f"nulls.{source.path}",
            advice=f"Give a {dtype} value, nan (floats only) or reject.",
        )
    return value


def _same(values: NDArray[Any], out: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a cast kept the value, without trusting what a cast out of range answers."""
    if out.dtype == np.bool_:
        return np.asarray((values == 0) | (values == 1))
    limits = np.iinfo(out.dtype)
    low, high = limits.min, limits.max
    if values.dtype.kind == "f":
        # float(high) rounds up to a power of two that the integer dtype no longer holds.
        inside = (values >= float(low)) & (values < float(high) + (0.0 if high > 2**53 else 1.0))
        return np.asarray(inside & (values == np.trunc(values)))
    if values.dtype == np.bool_:
        return np.ones(len(values), np.bool_)
    if values.dtype == object:
        return np.fromiter((low <= value <= high for value in values), np.bool_, len(values))
    return np.asarray((values >= low) & (values <= high))


def _number(value: Any, symbols: tuple[str, ...]) -> Any:
    if value is None:
        return 0
    if isinstance(value, str):
        return symbols.index(value)
    return value if isinstance(value, bool | int | float) else float(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _padded(row: Any, width: int) -> list[Any]:
    items = list(row) if row is not None else []
    return items + [None] * (width - len(items))


def _is_slice(source: FieldSource) -> bool:
    return isinstance(source.steps[-1], Slice)
