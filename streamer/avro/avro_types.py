"""Avro's types as frozen values. Recursive schemas are refused, so a schema is a tree."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum as PythonEnum
from typing import Any, Final, Literal, TypeAlias

PrimitiveName: TypeAlias = Literal["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
PRIMITIVES: Final = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")


class NoDefault(PythonEnum):
    """Marks a field without a default: None is a default too."""

    NO_DEFAULT = "no default"


NO_DEFAULT: Final = NoDefault.NO_DEFAULT


@dataclass(frozen=True, slots=True)
class Primitive:
    """One of the eight primitive types, with its logical type if it has a valid one."""

    name: PrimitiveName
    logical: str | None = None
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True, slots=True)
class Fixed:
    """A fixed number of bytes."""

    name: str
    size: int
    logical: str | None = None
    precision: int = 0
    scale: int = 0
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Enum:
    """One of a list of symbols."""

    name: str
    symbols: tuple[str, ...]
    default: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Array:
    """Any number of items."""

    items: AvroType


@dataclass(frozen=True, slots=True)
class Map:
    """Any number of values under string keys."""

    values: AvroType


@dataclass(frozen=True, slots=True)
class Union:
    """One of several types."""

    branches: tuple[AvroType, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record.

    Attributes:
        name: The field's name.
        type: Its type.
        default: Its default as the schema's JSON has it, or NO_DEFAULT.
        aliases: Names that a writer may use for it.
    """

    name: str
    type: AvroType
    default: Any = NO_DEFAULT
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """Named fields, written one after the other."""

    name: str
    fields: tuple[Field, ...]
    aliases: tuple[str, ...] = ()


AvroType: TypeAlias = Primitive | Fixed | Enum | Array | Map | Union | Record
NULL: Final = Primitive("null")


def describe(avro_type: AvroType) -> str:
    """The type in a few words, for messages."""
    match avro_type:
        case Primitive():
            return f"{avro_type.name} ({avro_type.logical})" if avro_type.logical else avro_type.name
        case Fixed():
            return f"fixed {avro_type.name} of {avro_type.size} bytes"
        case Enum():
            return f"enum {avro_type.name}"
        case Record():
            return f"record {avro_type.name}"
        case Array():
            return f"array of {describe(avro_type.items)}"
        case Map():
            return f"map of {describe(avro_type.values)}"
        case Union():
            return f"union [{', '.join(describe(branch) for branch in avro_type.branches)}]"


def smallest_size(avro_type: AvroType) -> int:
    """The fewest bytes that a value of the type takes."""
    match avro_type:
        case Primitive():
            return {"null": 0, "float": 4, "double": 8}.get(avro_type.name, 1)
        case Fixed():
            return avro_type.size
        case Record():
            return sum(smallest_size(field.type) for field in avro_type.fields)
        case Union():
            return 1 + min(smallest_size(branch) for branch in avro_type.branches)
        case _:
            return 1


def nullable(avro_type: AvroType) -> tuple[int, AvroType] | None:
    """(index of null, the other branch) of a union of null and one other type, else None."""
    if not isinstance(avro_type, Union) or len(avro_type.branches) != 2:
        return None
    for index in (0, 1):
        if avro_type.branches[index] == NULL:
            return index, avro_type.branches[1 - index]
    return None
