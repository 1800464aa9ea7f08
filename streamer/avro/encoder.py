"""Encoding: columns to the values of messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from streamer.avro.avro_types import NO_DEFAULT, Array, AvroType, Field, Map, Record, Union, nullable
from streamer.avro.defaults import default_value
from streamer.avro.leaf_encoding import ColumnEncoder, ComplexEncoder, Misfit, raw_slices
from streamer.avro.leaves import Leaf, leaves_of_type, root_record
from streamer.avro.limits import DEFAULT_LIMITS, Limits
from streamer.avro.parts import Chunk, Part, merged
from streamer.avro.row_writer import WIDEST_STORE_BYTES, RowWriter
from streamer.errors import EncodeError
from streamer.records.columns import Column, ConstantColumn, ObjectColumn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.avro.schema import Schema

# Rows share one stride; where a few long rows would make that wasteful, the batch is encoded in halves.
_MOST_BUFFER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _RecordNode:
    """A record inside the record.

    Attributes:
        null_index: The index of null in its union, None when it is not nullable.
        leaves: The names of all leaves below it.
    """

    null_index: int | None
    fields: tuple[_FieldNode, ...]
    leaves: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _FieldNode:
    """A field: its dotted name, what writes it, and its default or NO_DEFAULT."""

    path: str
    writer: _Writer
    default: Any


_Writer: TypeAlias = ColumnEncoder | ComplexEncoder | _RecordNode


class RecordEncoder:
    """Encodes columns as records of one schema.

    A nullable record inside the record is null in the rows in which all of its leaves are.

    Args:
        schema: A record.
        limits: Bounds on one value.

    Raises:
        SchemaError: The schema is not a record.
    """

    def __init__(self, schema: Schema, limits: Limits = DEFAULT_LIMITS) -> None:
        self._record = root_record(schema)
        self._root = _record_node(self._record, "", None, limits)
        self._names = frozenset(self._root.leaves)

    @property
    def leaves(self) -> Sequence[str]:
        """The names of the columns, in the order in which they are written."""
        return self._root.leaves

    def encode(self, columns: Mapping[str, Column], n: int, prefix: bytes = b"") -> list[bytes]:
        """Encodes n records.

        Args:
            columns: A column of n rows for each leaf, under its dotted name. A field with a default may be
                left out, and an `ObjectColumn` may hold datetimes, UUIDs and Decimals for any leaf.
            n: The number of records.
            prefix: Bytes to write in front of each record: its framing.

        Raises:
            EncodeError: A column is missing, unknown or of another length, or a value does not fit the schema.
        """
        extra = columns.keys() - self._names
        if extra:
            raise EncodeError(
                f"the schema {self._record.name} has no field {sorted(extra)[0]}",
                advice=f"Its fields are {', '.join(self._root.leaves):.500}.",
            )
        for name, column in columns.items():
            if len(column) != n:
                raise EncodeError(f"a column of {len(column)} rows in a batch of {n}", where=f"field {name}")
        if not n:
            return []
        try:
            return _encode(self._root, columns, n, prefix)
        except Misfit as misfit:
            where = f"field {misfit.path}" + ("" if misfit.row is None else f", row {misfit.row}")
            raise EncodeError(misfit.what, where=where) from misfit

    def encode_rows(self, rows: Sequence[Mapping[str, Any]], prefix: bytes = b"") -> list[bytes]:
        """Encodes records that are given as dicts, nested records as dicts in them.

        A field that a dict lacks has its default, or is null.

        Raises:
            EncodeError: A dict has a field that the schema does not know, or a value does not fit the schema.
        """
        values: dict[str, list[Any]] = {name: [] for name in self._root.leaves}
        for row, record in enumerate(rows):
            _flatten(self._record, record, "", values, row)
        columns = {name: ObjectColumn.of(column) for name, column in values.items()}
        return self.encode(columns, len(rows), prefix)


def _record_node(record: Record, prefix: str, null_index: int | None, limits: Limits) -> _RecordNode:
    fields = []
    leaves: list[str] = []
    for field in record.fields:
        path = prefix + field.name
        fields.append(_FieldNode(path, _writer(field.type, path, limits), _default(field)))
        leaves += [leaf.path for leaf in leaves_of_type(field.type, path, optional=False)]
    return _RecordNode(null_index, tuple(fields), tuple(leaves))


def _default(field: Field) -> Any:
    return NO_DEFAULT if field.default is NO_DEFAULT else default_value(field.type, field.default)


def _writer(avro_type: AvroType, path: str, limits: Limits) -> _Writer:
    branch = nullable(avro_type)
    null_index, inner = (None, avro_type) if branch is None else branch
    if isinstance(inner, Record):
        return _record_node(inner, f"{path}.", null_index, limits)
    if isinstance(inner, Array | Map | Union):
        return ComplexEncoder(path, avro_type, limits)
    return ColumnEncoder(Leaf(path, inner, null_index is not None), null_index)


def _encode(node: _RecordNode, columns: Mapping[str, Column], n: int, prefix: bytes) -> list[bytes]:
    parts = merged([Chunk(prefix), *_record_parts(node, columns, n)])
    most_bytes = sum(part.most_bytes() for part in parts)
    if n > 1 and n * (most_bytes + WIDEST_STORE_BYTES) > _MOST_BUFFER_BYTES:
        result = []
        for rows in np.array_split(np.arange(n), 2):
            half = {name: column.take(rows) for name, column in columns.items()}
            result += _encode(node, half, len(rows), prefix)
        return result
    writer = RowWriter(n, most_bytes)
    for part in parts:
        part.write(writer)
    return writer.rows()


def _record_parts(node: _RecordNode, columns: Mapping[str, Column], n: int) -> Iterator[Part]:
    for field in node.fields:
        yield from _field_parts(field, columns, n)


def _field_parts(field: _FieldNode, columns: Mapping[str, Column], n: int) -> Iterator[Part]:
    writer = field.writer
    if isinstance(writer, _RecordNode):
        if field.default is not NO_DEFAULT and not any(name in columns for name in writer.leaves):
            columns = _constants(writer, field.path, field.default, n)
        yield from _optional_record_parts(writer, columns, n)
        return
    column = columns.get(field.path)
    if column is None:
        if field.default is NO_DEFAULT:
            raise Misfit(field.path, "there is no column for it, and the schema has no default")
        column = ConstantColumn(field.default, n)
    yield from writer.parts(column)


def _constants(node: _RecordNode, path: str, value: Any, n: int) -> dict[str, Column]:
    """The leaves of a record that has the same value in every row."""
    columns: dict[str, Column] = {}
    for name in node.leaves:
        inner = value
        for step in name[len(path) + 1 :].split("."):
            inner = None if inner is None else inner[step]
        columns[name] = ConstantColumn(inner, n)
    return columns


def _optional_record_parts(node: _RecordNode, columns: Mapping[str, Column], n: int) -> Iterator[Part]:
    if node.null_index is None:
        yield from _record_parts(node, columns, n)
        return
    null, value = bytes([2 * node.null_index]), bytes([2 - 2 * node.null_index])
    present = _present(node, columns, n)
    if present.all():
        yield Chunk(value)
        yield from _record_parts(node, columns, n)
    elif not present.any():
        yield Chunk(null)
    else:
        rows = np.flatnonzero(present)
        part = {name: columns[name].take(rows) for name in node.leaves if name in columns}
        try:
            encoded = iter(_encode(node, part, len(rows), value))
        except Misfit as misfit:
            row = None if misfit.row is None else int(rows[misfit.row])
            raise Misfit(misfit.path, misfit.what, row) from misfit
        yield raw_slices([next(encoded) if there else null for there in present.tolist()])


def _present(node: _RecordNode, columns: Mapping[str, Column], n: int) -> NDArray[np.bool_]:
    present = np.zeros(n, np.bool_)
    for name in node.leaves:
        column = columns.get(name)
        if column is not None:
            present |= True if column.valid is None else column.valid
    return present


def _flatten(
    record: Record, values: Mapping[str, Any] | None, prefix: str, columns: dict[str, list[Any]], row: int
) -> None:
    """Appends the leaves of one record to the columns; all of them null for None."""
    if values is not None:
        extra = values.keys() - {field.name for field in record.fields}
        if extra:
            raise EncodeError(
                f"the schema has no field {prefix}{sorted(extra)[0]}",
                where=f"row {row}",
                advice=f"The fields of {record.name} are {', '.join(f.name for f in record.fields):.500}.",
            )
    for field in record.fields:
        path = prefix + field.name
        value = None
        if values is not None:
            value = values.get(field.name, NO_DEFAULT)
            if value is NO_DEFAULT:
                value = None if field.default is NO_DEFAULT else _default(field)
        branch = nullable(field.type)
        inner = field.type if branch is None else branch[1]
        if not isinstance(inner, Record):
            columns[path].append(value)
            continue
        if value is not None and not hasattr(value, "keys"):
            raise EncodeError(f"{value!r:.60} for a record", where=f"field {path}, row {row}")
        _flatten(inner, value, f"{path}.", columns, row)
