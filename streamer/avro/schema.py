"""Reading and checking Avro schemas."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from streamer.avro.avro_types import (
    NO_DEFAULT,
    PRIMITIVES,
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
    smallest_size,
)
from streamer.avro.defaults import default_value
from streamer.avro.limits import DEFAULT_LIMITS, Limits
from streamer.avro.names import full_name, is_name
from streamer.avro.rendering import canonical_form, crc_64_avro
from streamer.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMED = ("record", "error", "enum", "fixed")
_LOGICAL_BASES = {
    "date": ("int",),
    "time-millis": ("int",),
    "time-micros": ("long",),
    "timestamp-millis": ("long",),
    "timestamp-micros": ("long",),
    "timestamp-nanos": ("long",),
    "local-timestamp-millis": ("long",),
    "local-timestamp-micros": ("long",),
    "local-timestamp-nanos": ("long",),
    "uuid": ("string", "fixed"),
    "decimal": ("bytes", "fixed"),
    "duration": ("fixed",),
}
_LOGICAL_SIZES = {"uuid": 16, "duration": 12}


@dataclass(frozen=True)
class Schema:
    """A checked Avro schema. Two are equal when their JSON is.

    Attributes:
        json: The schema as it was given: the text itself, or compact JSON of the given object.
        root: Its type, as a tree.
    """

    json: str
    root: AvroType = field(compare=False, repr=False)

    @cached_property
    def canonical(self) -> str:
        """Avro's parsing canonical form. It leaves out logical types, defaults and aliases."""
        return canonical_form(self.root)

    @cached_property
    def fingerprint(self) -> int:
        """CRC-64-AVRO of the canonical form, unsigned."""
        return crc_64_avro(self.canonical.encode())

    @property
    def name(self) -> str:
        """The full name of a named type, else the type in a few words."""
        return self.root.name if isinstance(self.root, Record | Enum | Fixed) else describe(self.root)


def parse_schema(source: str | bytes | Mapping[str, Any] | list[Any], limits: Limits = DEFAULT_LIMITS) -> Schema:
    """Reads a schema and checks it.

    Refused beyond what Avro itself forbids: recursive types, array items that take no bytes (five bytes could
    ask for a hundred million of them), and whatever exceeds `limits`.

    Args:
        source: The schema's JSON text, or the object that it stands for.
        limits: Bounds on its size.

    Raises:
        SchemaError: The schema is malformed or refused; `where` is the place inside the schema.
    """
    if isinstance(source, bytes):
        try:
            source = source.decode()
        except UnicodeDecodeError as error:
            raise SchemaError("the schema is not UTF-8 text", advice="Give its JSON as UTF-8.") from error
    text = source if isinstance(source, str) else _dump(source)
    if len(text) > limits.schema_bytes:
        raise SchemaError(
            f"the schema has {len(text)} characters, more than the {limits.schema_bytes} allowed",
            advice="Split the record into smaller ones.",
        )
    try:
        parsed = json.loads(text, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"the schema is not JSON: {error}", advice="Check the .avsc file.") from error
    return Schema(text, _Parser(limits).parse(parsed, "", "schema", 1))


def _dump(source: Any) -> str:
    try:
        return json.dumps(source, separators=(",", ":"), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(f"the schema cannot be written as JSON: {error}") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        raise ValueError("an object has the same key twice")
    return keys


def _refuse(what: str, where: str, advice: str | None = None) -> NoReturn:
    raise SchemaError(what, where=where, advice=advice)


class _Parser:
    """One pass over one schema: the named types seen so far, and how much has been read."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._named: dict[str, tuple[AvroType, int]] = {}
        self._open: set[str] = set()
        self._types = 0

    def parse(self, source: Any, namespace: str, where: str, depth: int) -> AvroType:
        """The type at `where`, with the namespace and depth it stands in."""
        if depth > self._limits.depth:
            _refuse(f"types are nested more than {self._limits.depth} deep", where, "Flatten the record.")
        if isinstance(source, str):
            return self._reference(source, namespace, where)
        self._count(1, where)
        if isinstance(source, list):
            return self._union(source, namespace, where, depth)
        if not isinstance(source, dict):
            _refuse(f"{source!r:.40} is not a type", where, "Use a name, an object or a list of types.")
        kind = source.get("type")
        if kind in ("array", "map"):
            return self._container(kind, source, namespace, where, depth)
        if kind in _NAMED:
            return self._definition(kind, source, namespace, where, depth)
        if isinstance(kind, str) and kind in PRIMITIVES:
            logical, precision, scale = self._logical(source, kind, None, where)
            return Primitive(kind, logical, precision, scale)  # type: ignore[arg-type]  # checked just above
        if kind is None:
            _refuse("a type without the key `type`", where)
        return self.parse(kind, namespace, where, depth + 1)

    def _count(self, types: int, where: str) -> None:
        self._types += types
        if self._types > self._limits.types:
            _refuse(f"the schema has more than {self._limits.types} types", where, "Split the record.")

    def _reference(self, name: str, namespace: str, where: str) -> AvroType:
        if name in PRIMITIVES:
            self._count(1, where)
            return Primitive(name)  # type: ignore[arg-type]  # a member of PRIMITIVES
        resolved = name if "." in name or not namespace else f"{namespace}.{name}"
        if resolved in self._open:
            _refuse(f"type {resolved} contains itself", where, "Recursive schemas are refused: unroll the type.")
        if resolved not in self._named:
            _refuse(f"unknown type {name}", where, "Define a named type before its first use.")
        avro_type, types = self._named[resolved]
        self._count(types, where)
        return avro_type

    def _union(self, source: list[Any], namespace: str, where: str, depth: int) -> Union:
        if not source:
            _refuse("a union without branches", where)
        branches = tuple(
            self.parse(branch, namespace, f"{where}[{index}]", depth + 1) for index, branch in enumerate(source)
        )
        kinds = set()
        for branch in branches:
            if isinstance(branch, Union):
                _refuse("a union directly inside a union", where, "Merge the two unions.")
            named = isinstance(branch, Record | Enum | Fixed | Primitive)
            kind = branch.name if named else type(branch).__name__  # type: ignore[union-attr]  # just tested
            if kind in kinds:
                _refuse(f"a union with {describe(branch)} twice", where, "Name each branch once.")
            kinds.add(kind)
        return Union(branches)

    def _container(self, kind: str, source: dict[str, Any], namespace: str, where: str, depth: int) -> Array | Map:
        key = "items" if kind == "array" else "values"
        if key not in source:
            _refuse(f"a {kind} without the key `{key}`", where)
        inner = self.parse(source[key], namespace, f"{where}.{key}", depth + 1)
        if kind == "map":
            return Map(inner)
        if smallest_size(inner) == 0:
            _refuse(
                f"array items of {describe(inner)} take no bytes, so that a tiny payload could hold millions",
                where,
                "Store the count as a long.",
            )
        return Array(inner)

    def _definition(self, kind: str, source: dict[str, Any], namespace: str, where: str, depth: int) -> AvroType:
        name, namespace = full_name(source, namespace, where)
        if name in self._named or name in self._open:
            _refuse(f"type {name} is defined twice", where, "Refer to a named type by its name.")
        aliases = _aliases(source, namespace, where)
        where = f"{where} ({name})"
        before = self._types
        self._open.add(name)
        avro_type: AvroType
        if kind == "enum":
            avro_type = _enum(name, source, aliases, where)
        elif kind == "fixed":
            avro_type = self._fixed(name, source, aliases, where)
        else:
            avro_type = Record(name, self._fields(source, namespace, where, depth), aliases)
        self._open.discard(name)
        self._named[name] = avro_type, 1 + self._types - before
        return avro_type

    def _fixed(self, name: str, source: dict[str, Any], aliases: tuple[str, ...], where: str) -> Fixed:
        size = source.get("size")
        if type(size) is not int or not 0 <= size <= self._limits.fixed_bytes:
            _refuse(f"the size of a fixed must be a number from 0 to {self._limits.fixed_bytes}", where)
        return Fixed(name, size, *self._logical(source, "fixed", size, where), aliases)

    def _fields(self, source: dict[str, Any], namespace: str, where: str, depth: int) -> tuple[Field, ...]:
        fields = source.get("fields")
        if not isinstance(fields, list):
            _refuse("a record without a list of `fields`", where)
        taken: set[str] = set()
        parsed = []
        for index, spec in enumerate(fields):
            if not isinstance(spec, dict) or not is_name(spec.get("name")) or "type" not in spec:
                _refuse(f"field {index} needs a `name` of letters, digits and _, and a `type`", where)
            place = f"{where}.{spec['name']}"
            if spec["name"] in taken:
                _refuse(f"field {spec['name']} is there twice", where)
            taken.add(spec["name"])
            avro_type = self.parse(spec["type"], namespace, place, depth + 1)
            default = spec.get("default", NO_DEFAULT)
            if default is not NO_DEFAULT:
                try:
                    default_value(avro_type, default)
                except SchemaError as error:
                    raise SchemaError(error.what, where=place, advice="Correct the default.") from error
            parsed.append(Field(spec["name"], avro_type, default, _field_aliases(spec, place)))
        return tuple(parsed)

    def _logical(self, source: dict[str, Any], base: str, size: int | None, where: str) -> tuple[str | None, int, int]:
        """(logical type, precision, scale); an unknown or misplaced logical type is ignored, as Avro says."""
        logical = source.get("logicalType")
        if not isinstance(logical, str) or base not in _LOGICAL_BASES.get(logical, ()):
            return None, 0, 0
        if base == "fixed" and size != _LOGICAL_SIZES.get(logical, size):
            return None, 0, 0
        if logical != "decimal":
            return logical, 0, 0
        precision, scale = source.get("precision"), source.get("scale", 0)
        if type(precision) is int and precision > self._limits.decimal_precision:
            _refuse(f"a decimal of {precision} digits, more than the {self._limits.decimal_precision} allowed", where)
        if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision or precision < 1:
            return None, 0, 0
        if size is not None and size * 8 - 1 < (10**precision - 1).bit_length():
            return None, 0, 0
        return "decimal", precision, scale


def _enum(name: str, source: dict[str, Any], aliases: tuple[str, ...], where: str) -> Enum:
    symbols = source.get("symbols")
    if not isinstance(symbols, list) or not symbols or not all(is_name(symbol) for symbol in symbols):
        _refuse("an enum needs a list of `symbols` made of letters, digits and _", where)
    if len(set(symbols)) < len(symbols):
        _refuse("an enum with the same symbol twice", where)
    default = source.get("default")
    if default is not None and default not in symbols:
        _refuse(f"the default {default!r:.40} of the enum is none of its symbols", where)
    return Enum(name, tuple(symbols), default, aliases)


def _aliases(source: dict[str, Any], namespace: str, where: str) -> tuple[str, ...]:
    aliases = source.get("aliases", [])
    if not isinstance(aliases, list) or not all(
        isinstance(alias, str) and all(map(is_name, alias.split("."))) for alias in aliases
    ):
        _refuse("`aliases` must be a list of names", where)
    return tuple(a if "." in a or not namespace else f"{namespace}.{a}" for a in aliases)


def _field_aliases(spec: dict[str, Any], where: str) -> tuple[str, ...]:
    aliases = spec.get("aliases", [])
    if not isinstance(aliases, list) or not all(map(is_name, aliases)):
        _refuse("`aliases` must be a list of names", where)
    return tuple(aliases)
