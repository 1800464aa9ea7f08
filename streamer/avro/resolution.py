"""Avro's schema resolution: what a reader makes of each field that a writer wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from streamer.avro.avro_types import (
    NO_DEFAULT,
    NULL,
    Array,
    AvroType,
    Enum,
    Field,
    Fixed,
    Map,
    Primitive,
    Record,
    Union,
    describe,
    nullable,
)
from streamer.avro.defaults import default_value
from streamer.avro.leaves import Leaf, leaves_of_type
from streamer.avro.names import unqualified
from streamer.errors import SchemaError

_PROMOTIONS = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),
    "bytes": ("string",),
}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A primitive, enum or fixed value, read into a column, or skipped when `leaf` is None.

    Attributes:
        path: The field's dotted name, the writer's when skipped.
        writer: The type that was written.
        leaf: The reader's column.
        symbols: For an enum, the reader's symbol for each of the writer's, None where it has none.
    """

    path: str
    writer: Primitive | Enum | Fixed
    leaf: Leaf | None
    symbols: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Complex:
    """A value that is not columnar: fastavro reads it record by record, or it is walked over when skipped."""

    path: str
    writer: AvroType
    reader: AvroType | None
    leaf: Leaf | None


@dataclass(frozen=True, slots=True)
class Optional:
    """A union of null and one other type.

    Attributes:
        path: The field's dotted name.
        null_index: The index of null among the two branches.
        inner: The other branch.
        null_allowed: The reader admits null.
        leaves: The reader's leaves in the other branch: null where this is.
    """

    path: str
    null_index: int
    inner: Node
    null_allowed: bool
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Nested:
    """A record.

    Attributes:
        path: Its dotted name, empty for the root.
        fields: What was written, in the writer's order.
        missing: The reader's leaves that the writer does not have, with their defaults.
    """

    path: str
    fields: tuple[Node, ...]
    missing: tuple[tuple[Leaf, Any], ...]


Node: TypeAlias = Scalar | Complex | Optional | Nested


def resolve(writer: Record, reader: Record) -> Nested:
    """How records of one schema are read as records of another.

    Raises:
        SchemaError: They cannot be; `where` is the field.
    """
    return _record(writer, reader, "", optional=False)


def _refuse(writer: AvroType, reader: AvroType, path: str) -> SchemaError:
    return SchemaError(
        f"the writer's {describe(writer)} cannot be read as {describe(reader)}",
        where=f"field {path}" if path else f"record {reader.name if isinstance(reader, Record) else ''}",
        advice="Give the reader a type that the writer's can be promoted to, or an alias for another name.",
    )


def _record(writer: Record, reader: Record, path: str, *, optional: bool) -> Nested:
    if not _same_name(writer, reader):
        raise _refuse(writer, reader, path)
    prefix = f"{path}." if path else ""
    matches = _match_fields(writer, reader)
    fields = []
    for written in writer.fields:
        wanted = matches.get(written.name)
        if wanted is None:
            fields.append(_skip(written.type, prefix + written.name))
        else:
            fields.append(_value(written.type, wanted.type, prefix + wanted.name, optional=optional))
    matched = {field.name for field in matches.values()}
    missing: list[tuple[Leaf, Any]] = []
    for field in reader.fields:
        if field.name in matched:
            continue
        if field.default is NO_DEFAULT:
            raise SchemaError(
                f"the writer has no field {field.name} and the reader no default for it",
                where=f"field {prefix}{field.name}",
                advice="Give the field a default.",
            )
        leaves = leaves_of_type(field.type, prefix + field.name, optional=optional)
        value = default_value(field.type, field.default)
        missing += [(leaf, _inside(value, leaf.path[len(prefix + field.name) :])) for leaf in leaves]
    return Nested(path, tuple(fields), tuple(missing))


def _inside(value: Any, path: str) -> Any:
    """The part of a default that belongs to the leaf below it: path is like `.city.name`, or empty."""
    for name in path.split(".")[1:]:
        value = None if value is None else value[name]
    return value


def _match_fields(writer: Record, reader: Record) -> dict[str, Field]:
    """The reader's field for each of the writer's that it wants, by the writer's name."""
    written = {field.name for field in writer.fields}
    matches = {field.name: field for field in reader.fields if field.name in written}
    for field in reader.fields:
        if field.name in written:
            continue
        for alias in field.aliases:
            if alias in written and alias not in matches:
                matches[alias] = field
                break
    return matches


def _same_name(writer: Record | Enum | Fixed, reader: Record | Enum | Fixed) -> bool:
    return unqualified(writer.name) == unqualified(reader.name) or writer.name in reader.aliases


def _value(writer: AvroType, reader: AvroType, path: str, *, optional: bool) -> Node:
    written, wanted = nullable(writer), nullable(reader)
    leaves = tuple(leaves_of_type(reader, path, optional=optional))
    general = (isinstance(writer, Union) and written is None) or (isinstance(reader, Union) and wanted is None)
    if general or (written is not None and reader == NULL):
        return Complex(path, writer, reader, _only(leaves, writer, reader, path))
    inner_reader = reader if wanted is None else wanted[1]
    if written is None:
        if writer == NULL and (wanted is not None or reader == NULL):
            return _null(path, leaves)
        return _plain(writer, inner_reader, path, optional=optional or wanted is not None)
    inner = _plain(written[1], inner_reader, path, optional=True)
    return Optional(path, written[0], inner, wanted is not None, leaves)


def _null(path: str, leaves: tuple[Leaf, ...]) -> Nested:
    """A writer's null, that takes no bytes: all of the reader's leaves are null."""
    return Nested(path, (), tuple((leaf, None) for leaf in leaves))


def _only(leaves: tuple[Leaf, ...], writer: AvroType, reader: AvroType, path: str) -> Leaf:
    if len(leaves) != 1 or leaves[0].path != path:
        raise _refuse(writer, reader, path)  # a general union against a flattened record
    return leaves[0]


def _plain(writer: AvroType, reader: AvroType, path: str, *, optional: bool) -> Node:
    """Neither of the two is a union."""
    if isinstance(writer, Record) and isinstance(reader, Record):
        return _record(writer, reader, path, optional=optional)
    leaf = Leaf(path, reader, optional)
    if isinstance(writer, Array) and isinstance(reader, Array):
        _value(writer.items, reader.items, f"{path}[]", optional=False)  # for its SchemaError
        return Complex(path, writer, reader, leaf)
    if isinstance(writer, Map) and isinstance(reader, Map):
        _value(writer.values, reader.values, f"{path}{{}}", optional=False)
        return Complex(path, writer, reader, leaf)
    if isinstance(writer, Enum) and isinstance(reader, Enum) and _same_name(writer, reader):
        known = {symbol: symbol for symbol in reader.symbols}
        return Scalar(path, writer, leaf, tuple(known.get(s, reader.default) for s in writer.symbols))
    if isinstance(writer, Fixed) and isinstance(reader, Fixed):
        if _same_name(writer, reader) and writer.size == reader.size and _same_meaning(writer, reader):
            return Scalar(path, writer, leaf)
    elif isinstance(writer, Primitive) and isinstance(reader, Primitive) and _same_meaning(writer, reader):
        same = writer.name == reader.name
        if (same and writer != NULL) or reader.name in _PROMOTIONS.get(writer.name, ()):
            return Scalar(path, writer, leaf)
    raise _refuse(writer, reader, path)


def _same_meaning(writer: Primitive | Fixed, reader: Primitive | Fixed) -> bool:
    """Whether no two logical types clash: milliseconds read as microseconds would be wrong in silence."""
    if writer.logical is None or reader.logical is None:
        return True
    same_digits = (writer.precision, writer.scale) == (reader.precision, reader.scale)
    return writer.logical == reader.logical and same_digits


def _skip(writer: AvroType, path: str) -> Node:
    branch = nullable(writer)
    if branch is not None:
        return Optional(path, branch[0], _skip(branch[1], path), True, ())
    if writer == NULL:
        return Nested(path, (), ())
    if isinstance(writer, Record):
        return Nested(path, tuple(_skip(f.type, f"{path}.{f.name}") for f in writer.fields), ())
    if isinstance(writer, Primitive | Enum | Fixed):
        return Scalar(path, writer, None)
    return Complex(path, writer, None, None)
