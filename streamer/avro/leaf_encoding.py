"""From the column of one leaf to the parts of the encoded rows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fastavro
import numpy as np

from streamer.avro.avro_types import NULL, AvroType, Enum, Fixed, Primitive, describe
from streamer.avro.leaves import DTYPES, Leaf, is_bytes
from streamer.avro.parts import Branches, Chunk, FixedValues, OptionalFixed, Part, Slices, Varints
from streamer.avro.rendering import LEAF_FIELD, fastavro_schema
from streamer.avro.stored_values import Unfit, scalar_bytes, stored_value
from streamer.avro.walker import Malformed, Walker
from streamer.records.columns import Column, ConstantColumn, NumericColumn, ObjectColumn, TextColumn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.avro.limits import Limits

_LITTLE_ENDIAN = {"boolean": "u1", "float": "<f4", "double": "<f8"}


class Misfit(Exception):
    """A value or column does not fit its field.

    Args:
        path: The field's dotted name.
        what: What is wrong.
        row: The row of the value; None if all are concerned.
    """

    def __init__(self, path: str, what: str, row: int | None = None) -> None:
        self.path = path
        self.what = what
        self.row = row
        super().__init__(path, what, row)


@dataclass(frozen=True, slots=True)
class ColumnEncoder:
    """Turns columns of a leaf that is neither array, map nor general union into parts.

    Attributes:
        leaf: The leaf; nullable only for its own union, not for a record around it.
        null_index: The index of null in its union, None when it is not nullable.
    """

    leaf: Leaf
    null_index: int | None

    def parts(self, column: Column) -> list[Part]:
        """The bytes of the column.

        Raises:
            Misfit: A value does not fit the leaf.
        """
        if isinstance(column, ConstantColumn):
            return [Chunk(self.constant(column.value))]
        if self.leaf.type == NULL:
            if column.valid is None or column.valid.any():
                raise Misfit(self.leaf.path, "a value that is not null in a field of type null")
            return []
        present = self._present(column)
        if isinstance(column, ObjectColumn):
            column = self._stored(column)
        branches = None
        if self.null_index is not None:
            branches = Branches(2 * self.null_index, 2 - 2 * self.null_index, present)
        if isinstance(self.leaf.type, Primitive) and self.leaf.type.name in DTYPES:
            return self._numeric(self.leaf.type.name, column, branches)
        if not isinstance(column, TextColumn) or column.is_bytes != is_bytes(self.leaf.type):
            raise self._mismatch(column)
        if isinstance(self.leaf.type, Enum):
            return [self._symbols(self.leaf.type, column, branches)]
        return self._text(column, branches)

    def constant(self, value: Any) -> bytes:
        """One value as it is written, its branch included.

        Raises:
            Misfit: The value does not fit.
        """
        assert isinstance(self.leaf.type, Primitive | Fixed | Enum)
        if value is None:
            if self.null_index is not None:
                return bytes([2 * self.null_index])
            if self.leaf.type == NULL:
                return b""
            raise Misfit(self.leaf.path, "null in a field that is not nullable")
        try:
            data = scalar_bytes(self.leaf.type, value)
        except Unfit as unfit:
            raise Misfit(self.leaf.path, str(unfit)) from None
        return data if self.null_index is None else bytes([2 - 2 * self.null_index]) + data

    def _present(self, column: Column) -> NDArray[np.bool_] | None:
        valid = column.valid
        if valid is None or valid.all():
            return None
        if self.null_index is None:
            row = int(np.flatnonzero(~valid)[0])
            raise Misfit(self.leaf.path, "null in a field that is not nullable", row)
        return valid

    def _stored(self, column: ObjectColumn) -> Column:
        """Python objects as the column that the leaf has."""
        avro_type = self.leaf.type
        assert isinstance(avro_type, Primitive | Fixed | Enum)
        values = column.to_pylist()
        for row, value in enumerate(values):
            if value is not None:
                try:
                    values[row] = stored_value(avro_type, value)
                except Unfit as unfit:
                    raise Misfit(self.leaf.path, str(unfit), row) from None
        if isinstance(avro_type, Primitive) and avro_type.name in DTYPES:
            numbers = (0 if value is None else value for value in values)
            return NumericColumn(np.fromiter(numbers, DTYPES[avro_type.name], len(values)))
        if is_bytes(avro_type):
            return TextColumn.from_bytes(values)
        return TextColumn.from_strings(values)

    def _mismatch(self, column: Column) -> Misfit:
        kind = "bytes" if isinstance(column, TextColumn) and column.is_bytes else "text"
        if isinstance(column, NumericColumn):
            kind = f"{column.values.dtype} numbers"
        return Misfit(self.leaf.path, f"a column of {kind} for {describe(self.leaf.type)}")

    def _numeric(self, name: str, column: Column, branches: Branches | None) -> list[Part]:
        present = None if branches is None else branches.present
        if not isinstance(column, NumericColumn):
            raise self._mismatch(column)
        values, dtype = column.values, np.dtype(DTYPES[name])
        if (dtype == np.bool_) != (values.dtype == np.bool_) or (name in ("int", "long") and values.dtype.kind != "i"):
            raise self._mismatch(column)
        if name == "int" and values.dtype.itemsize > 4:
            self._check_fits((values < -(2**31)) | (values >= 2**31), values, present)
        if name in ("int", "long"):
            return [Varints.of(values, branches)]
        stored = values.view(np.uint8) if dtype == np.bool_ else values
        if name == "float" and values.dtype != np.float32:
            with np.errstate(over="ignore"):
                stored = values.astype(np.float32)
            self._check_fits(np.isinf(stored) & np.isfinite(values), values, present)
        stored = stored.astype(_LITTLE_ENDIAN[name], copy=False)
        if branches is None:
            return [FixedValues(stored)]
        if present is None:
            return [Chunk(bytes([branches.value])), FixedValues(stored)]
        return [OptionalFixed(stored, branches)]

    def _check_fits(self, wrong: NDArray[np.bool_], values: NDArray[Any], present: NDArray[np.bool_] | None) -> None:
        if present is not None:
            wrong = wrong & present
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise Misfit(self.leaf.path, f"{values[row]} is out of the range of {describe(self.leaf.type)}", row)

    def _symbols(self, enum: Enum, column: TextColumn, branches: Branches | None) -> Part:
        index = np.full(len(column), -1, np.int64)
        for number, symbol in enumerate(enum.symbols):
            index[column.equals(symbol.encode())] = number
        unknown = index < 0
        if column.valid is not None:
            unknown &= column.valid
        if unknown.any():
            row = int(np.flatnonzero(unknown)[0])
            value = column.take(np.array([row])).to_pylist()[0]
            raise Misfit(self.leaf.path, f"{value!r:.60} is none of the enum's symbols", row)
        return Varints.of(index, branches)

    def _text(self, column: TextColumn, branches: Branches | None) -> list[Part]:
        lengths = column.lengths
        present = None if branches is None else branches.present
        if present is not None:
            lengths = np.where(present, lengths, 0)
        slices = Slices(column.buffer, column.starts, lengths)
        if not isinstance(self.leaf.type, Fixed):
            return [Varints.of(lengths, branches), slices]
        size = self.leaf.type.size
        wrong = lengths != size
        if present is not None:
            wrong &= present
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise Misfit(self.leaf.path, f"{lengths[row]} bytes for {describe(self.leaf.type)}", row)
        if branches is None:
            return [slices]
        if present is None:
            return [Chunk(bytes([branches.value])), slices]
        return [FixedValues(np.where(present, branches.value, branches.null).astype(np.uint8)), slices]


class ComplexEncoder:
    """Writes arrays, maps and general unions value by value with fastavro.

    Args:
        path: The field's dotted name.
        avro_type: Its type, with the union it may be.
        limits: Bounds on one value.
    """

    def __init__(self, path: str, avro_type: AvroType, limits: Limits) -> None:
        self._path = path
        self._type = avro_type
        self._limits = limits
        self._schema = fastavro_schema(avro_type)

    def parts(self, column: Column) -> list[Part]:
        """The bytes of the column.

        Raises:
            Misfit: A value does not fit.
        """
        if isinstance(column, ConstantColumn):
            return [Chunk(self.constant(column.value))]
        return [raw_slices([self.constant(value, row) for row, value in enumerate(column.to_pylist())])]

    def constant(self, value: Any, row: int | None = None) -> bytes:
        """One value as it is written.

        Raises:
            Misfit: The value does not fit.
        """
        stream = io.BytesIO()
        try:
            fastavro.schemaless_writer(stream, self._schema, {LEAF_FIELD: value})
        except Exception as error:  # fastavro raises many kinds for values that do not fit
            what = f"{value!r:.60} is not a value of {describe(self._type):.200}"
            raise Misfit(self._path, what, row) from error
        data = stream.getvalue()
        try:  # fastavro writes ints of more than 32 bits without a word
            Walker(data, 0, len(data), self._limits).value(self._type, self._path)
        except Malformed as malformed:
            raise Misfit(self._path, malformed.message, row) from None
        return data


def raw_slices(rows: list[bytes]) -> Slices:
    """Rows that are encoded already."""
    column = TextColumn.from_bytes(rows)
    return Slices(column.buffer, column.starts, column.lengths)
