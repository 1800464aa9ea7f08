"""Defaults of fields: from the schema's JSON to Python values."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

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
    describe,
)
from streamer.avro.decimals import decimal_of
from streamer.errors import SchemaError

_RANGES = {"int": 2**31, "long": 2**63}


def default_value(avro_type: AvroType, default: Any) -> Any:
    """The Python value that a default stands for: bytes from ISO 8859-1 text, decimals as Decimal.

    A default of a union may be of any of its branches, the first that fits (Avro 1.12).

    Raises:
        SchemaError: The default is not of the type. `where` is left to the caller, who knows the field.
    """
    match avro_type:
        case Primitive():
            return _primitive(avro_type, default)
        case Fixed() if isinstance(default, str):
            data = _bytes(avro_type, default)
            if len(data) == avro_type.size:
                return _logical(avro_type, data)
        case Enum() if isinstance(default, str) and default in avro_type.symbols:
            return default
        case Array() if isinstance(default, list):
            return [default_value(avro_type.items, item) for item in default]
        case Map() if isinstance(default, dict):
            return {key: default_value(avro_type.values, value) for key, value in default.items()}
        case Union():
            for branch in avro_type.branches:
                try:
                    return default_value(branch, default)
                except SchemaError:
                    continue
        case Record() if isinstance(default, dict):
            return _record(avro_type, default)
    raise _misfit(avro_type, default)


def _record(avro_type: Record, default: dict[str, Any]) -> dict[str, Any]:
    values = {}
    for field in avro_type.fields:
        value = default.get(field.name, field.default)
        if value is NO_DEFAULT:
            raise SchemaError(f"the default of {describe(avro_type)} has no value for field {field.name}")
        values[field.name] = default_value(field.type, value)
    return values


def _primitive(avro_type: Primitive, default: Any) -> Any:
    name = avro_type.name
    if name == "null" and default is None:
        return None
    if name == "boolean" and isinstance(default, bool):
        return default
    if name in _RANGES and type(default) is int and -_RANGES[name] <= default < _RANGES[name]:
        return default
    if name in ("float", "double") and type(default) in (int, float):
        try:
            value = float(default)
        except OverflowError:
            raise _misfit(avro_type, default) from None
        if math.isfinite(value):
            return value
    if name == "string" and isinstance(default, str):
        try:
            default.encode()
        except UnicodeEncodeError:
            raise _misfit(avro_type, default) from None
        return default
    if name == "bytes" and isinstance(default, str):
        return _logical(avro_type, _bytes(avro_type, default))
    raise _misfit(avro_type, default)


def _bytes(avro_type: AvroType, default: str) -> bytes:
    try:
        return default.encode("latin-1")
    except UnicodeEncodeError:
        raise _misfit(avro_type, default) from None


def _logical(avro_type: Primitive | Fixed, data: bytes) -> bytes | Decimal:
    if avro_type.logical != "decimal":
        return data
    value = decimal_of(data, avro_type.precision, avro_type.scale)
    if isinstance(value, str):
        raise SchemaError(value)
    return value


def _misfit(avro_type: AvroType, default: Any) -> SchemaError:
    return SchemaError(f"the default {default!r:.60} is not a value of {describe(avro_type)}")
