"""Types back to JSON: Avro's canonical form and its fingerprint, and schemas for fastavro."""

from __future__ import annotations

import json
from typing import Any

import fastavro

from streamer.avro.avro_types import (
    NO_DEFAULT,
    Array,
    AvroType,
    Enum,
    Fixed,
    Map,
    Primitive,
    Record,
    Union,
)
from streamer.avro.defaults import default_value

_EMPTY_FINGERPRINT = 0xC15D213AA4D7A795


def _fingerprint_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_EMPTY_FINGERPRINT & -(value & 1))
        table.append(value)
    return tuple(table)


_TABLE = _fingerprint_table()


def crc_64_avro(data: bytes) -> int:
    """The 64-bit Rabin fingerprint of Avro's specification."""
    fingerprint = _EMPTY_FINGERPRINT
    for byte in data:
        fingerprint = (fingerprint >> 8) ^ _TABLE[(fingerprint ^ byte) & 0xFF]
    return fingerprint


def canonical_form(avro_type: AvroType) -> str:
    """Avro's parsing canonical form: what matters for reading data, and nothing else."""
    return json.dumps(_canonical(avro_type, set()), separators=(",", ":"), ensure_ascii=False)


def _canonical(avro_type: AvroType, seen: set[str]) -> Any:
    match avro_type:
        case Primitive():
            return avro_type.name
        case Array():
            return {"type": "array", "items": _canonical(avro_type.items, seen)}
        case Map():
            return {"type": "map", "values": _canonical(avro_type.values, seen)}
        case Union():
            return [_canonical(branch, seen) for branch in avro_type.branches]
    if avro_type.name in seen:
        return avro_type.name
    seen.add(avro_type.name)
    match avro_type:
        case Fixed():
            return {"name": avro_type.name, "type": "fixed", "size": avro_type.size}
        case Enum():
            return {"name": avro_type.name, "type": "enum", "symbols": list(avro_type.symbols)}
        case Record():
            fields = [{"name": f.name, "type": _canonical(f.type, seen)} for f in avro_type.fields]
            return {"name": avro_type.name, "type": "record", "fields": fields}


LEAF_FIELD = "value"


def fastavro_schema(avro_type: AvroType) -> Any:
    """A record with the one field `LEAF_FIELD` of this type, parsed by fastavro; it adds no bytes.

    fastavro parses anything but a record anew at each call. Every rule of resolution is kept. Logical types are left
    out but for decimals: dates and times stay the integers that they are in columns, so that a date out of Python's
    range harms nobody.
    """
    field = {"name": LEAF_FIELD, "type": _full(avro_type, set())}
    # Defaults have been checked, and are Python values here, as fastavro hands them out as they are.
    return fastavro.parse_schema(
        {"type": "record", "name": "StreamerLeaf", "fields": [field]}, _ignore_default_error=True
    )


def _full(avro_type: AvroType, seen: set[str]) -> Any:
    match avro_type:
        case Primitive():
            return {"type": avro_type.name} | _decimal(avro_type)
        case Array():
            return {"type": "array", "items": _full(avro_type.items, seen)}
        case Map():
            return {"type": "map", "values": _full(avro_type.values, seen)}
        case Union():
            return [_full(branch, seen) for branch in avro_type.branches]
    if avro_type.name in seen:
        return avro_type.name
    seen.add(avro_type.name)
    named: dict[str, Any] = {"name": avro_type.name}
    if avro_type.aliases:
        named["aliases"] = list(avro_type.aliases)
    match avro_type:
        case Fixed():
            return named | {"type": "fixed", "size": avro_type.size} | _decimal(avro_type)
        case Enum():
            default = {} if avro_type.default is None else {"default": avro_type.default}
            return named | {"type": "enum", "symbols": list(avro_type.symbols)} | default
        case Record():
            fields = []
            for field in avro_type.fields:
                rendered = {"name": field.name, "type": _full(field.type, seen)}
                if field.default is not NO_DEFAULT:
                    rendered["default"] = default_value(field.type, field.default)
                if field.aliases:
                    rendered["aliases"] = list(field.aliases)
                fields.append(rendered)
            return named | {"type": "record", "fields": fields}


def _decimal(avro_type: Primitive | Fixed) -> dict[str, Any]:
    if avro_type.logical != "decimal":
        return {}
    return {"logicalType": "decimal", "precision": avro_type.precision, "scale": avro_type.scale}
