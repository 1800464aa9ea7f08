"""The leaves of a record: one column each, under dotted names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.avro.avro_types import (
    NULL,
    Array,
    AvroType,
    Enum,
    Fixed,
    Map,
    Primitive,
    Record,
    Union,
    nullable,
)
from streamer.errors import SchemaError
from streamer.records.columns import Column, ConstantColumn, NumericColumn, ObjectColumn, TextColumn

if TYPE_CHECKING:
    from streamer.avro.schema import Schema

DTYPES: dict[str, type[np.generic]] = {
    "boolean": np.bool_,
    "int": np.int32,
    "long": np.int64,
    "float": np.float32,
    "double": np.float64,
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One column of a record.

    Attributes:
        path: The dotted name.
        type: The type without null: never a record, and a union only if it is not just a nullable type.
        nullable: Rows may be null, for its own sake or because a record around it is.
    """

    path: str
    type: AvroType
    nullable: bool

    @property
    def is_decimal(self) -> bool:
        """Whether the values are decimals."""
        return isinstance(self.type, Primitive | Fixed) and self.type.logical == "decimal"

    @property
    def is_columnar(self) -> bool:
        """Whether the values live in arrays, not in Python objects."""
        return not (self.is_decimal or isinstance(self.type, Array | Map | Union))


def root_record(schema: Schema) -> Record:
    """The record that the schema is.

    Raises:
        SchemaError: It is no record.
    """
    if not isinstance(schema.root, Record):
        raise SchemaError(
            f"the schema is not a record but {schema.name}", advice="Wrap the value in a record with one field."
        )
    return schema.root


def leaves_of(record: Record, prefix: str = "", *, optional: bool = False) -> list[Leaf]:
    """The leaves of a record in the order of its fields, nested records flattened.

    Args:
        record: The record.
        prefix: The dotted name of the record, with a dot at its end; empty for the root.
        optional: The record itself may be null.
    """
    leaves = []
    for field in record.fields:
        leaves += leaves_of_type(field.type, prefix + field.name, optional=optional)
    return leaves


def leaves_of_type(avro_type: AvroType, path: str, *, optional: bool) -> list[Leaf]:
    """The leaves of one field: itself, or those of the record that it is."""
    branch = nullable(avro_type)
    if branch is not None:
        avro_type, optional = branch[1], True
    if isinstance(avro_type, Record):
        return leaves_of(avro_type, f"{path}.", optional=optional)
    has_null = isinstance(avro_type, Union) and NULL in avro_type.branches
    return [Leaf(path, avro_type, optional or has_null or avro_type == NULL)]


def repeat(leaf: Leaf, value: Any, n: int) -> Column:
    """A column of n times the same value, of the kind that this leaf always has."""
    match leaf.type:
        case Primitive(name="null"):
            return ConstantColumn(None, n)
        case _ if not leaf.is_columnar:
            column = ObjectColumn(np.fromiter((value for _ in range(n)), object, n))
            return column if value is not None else ObjectColumn(column.values, np.zeros(n, np.bool_))
        case Primitive(name=name) if name in DTYPES:
            valid = np.zeros(n, np.bool_) if value is None else None
            return NumericColumn(np.full(n, 0 if value is None else value, DTYPES[name]), valid)
        case _:
            return TextColumn.repeat(value, n, is_bytes=is_bytes(leaf.type))


def is_bytes(avro_type: AvroType) -> bool:
    """Whether a text column of this type holds bytes: bytes and fixed do, strings and enums do not."""
    return not (isinstance(avro_type, Enum) or (isinstance(avro_type, Primitive) and avro_type.name == "string"))


def spread(column: Column, rows: np.ndarray[Any, np.dtype[np.int64]], n: int) -> Column:
    """A column of n rows that has this column's rows at the given indices, and null elsewhere."""
    if isinstance(column, ConstantColumn):
        return ConstantColumn(None, n)
    valid = np.zeros(n, np.bool_)
    valid[rows] = True if column.valid is None else column.valid
    if isinstance(column, TextColumn):
        starts, lengths = np.zeros(n, np.int64), np.zeros(n, np.int64)
        starts[rows], lengths[rows] = column.starts, column.lengths
        return TextColumn(column.buffer, starts, lengths, valid, column.is_bytes)
    if isinstance(column, NumericColumn):
        values = np.zeros(n, column.values.dtype)
        values[rows] = column.values
        return NumericColumn(values, valid)
    objects = np.empty(n, object)
    objects[rows] = column.values
    return ObjectColumn(objects, valid)
