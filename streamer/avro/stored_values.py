"""Python values to what Avro stores: dates and times to integers, UUIDs to text, scalars to bytes."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from streamer.avro.avro_types import Enum, Fixed, Primitive
from streamer.avro.decimals import decimal_bytes
from streamer.avro.varints import varint_bytes

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCAL_EPOCH = datetime(1970, 1, 1)  # local timestamps have no time zone
_MICROSECOND = timedelta(microseconds=1)
_TICKS_PER_SECOND = {"millis": 10**3, "micros": 10**6, "nanos": 10**9}
_BITS = {"int": 31, "long": 63}
_FLOATS = {"float": "<f", "double": "<d"}


class Unfit(Exception):
    """A value is not one of the type; the message says why."""


def stored_value(avro_type: Primitive | Fixed | Enum, value: Any) -> Any:
    """The bool, int, float, str or bytes that stands for a value that is not None.

    Accepts what Python has for the logical types: datetime (with a time zone for timestamps, without one for
    local timestamps), date, time, UUID, Decimal; and the stored form itself.

    Raises:
        Unfit: The value is of another type, or out of range.
    """
    if isinstance(avro_type, Enum):
        if value not in avro_type.symbols:
            raise Unfit(f"{value!r:.60} is none of the enum's symbols {', '.join(avro_type.symbols):.200}")
        return value
    if avro_type.logical is not None:
        value = _logical(avro_type, avro_type.logical, value)
    if isinstance(avro_type, Fixed):
        if not isinstance(value, bytes | bytearray) or len(value) != avro_type.size:
            raise Unfit(f"{value!r:.60} is not {avro_type.size} bytes")
        return bytes(value)
    name = avro_type.name
    if name == "boolean" and isinstance(value, bool):
        return value
    if name in _BITS and isinstance(value, int) and not isinstance(value, bool):
        if -(2 ** _BITS[name]) <= value < 2 ** _BITS[name]:
            return value
        raise Unfit(f"{value} is out of the range of {name}")
    if name in _FLOATS and isinstance(value, int | float) and not isinstance(value, bool):
        return _float(name, value)
    if name == "string" and isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unfit(f"{value!r:.60} cannot be written as UTF-8") from None
        return value
    if name == "bytes" and isinstance(value, bytes | bytearray):
        return bytes(value)
    raise Unfit(f"{value!r:.60} of type {type(value).__name__} is not a value of {name}")


def _float(name: str, value: float) -> float:
    try:
        number = float(value)
        struct.pack(_FLOATS[name], number)
    except OverflowError:
        raise Unfit(f"{value!r:.60} is out of the range of {name}") from None
    return number


def _logical(avro_type: Primitive | Fixed, logical: str, value: Any) -> Any:
    """The stored form of a logical type's Python value; anything else is given back as it is."""
    if logical == "decimal" and isinstance(value, Decimal | int) and not isinstance(value, bool):
        size = avro_type.size if isinstance(avro_type, Fixed) else None
        data = decimal_bytes(value, avro_type.precision, avro_type.scale, size)
        if isinstance(data, str):
            raise Unfit(data)
        return data
    if logical == "uuid" and isinstance(value, UUID):
        return value.bytes if isinstance(avro_type, Fixed) else str(value)
    if isinstance(value, datetime) and "timestamp" in logical:
        local = logical.startswith("local-")
        if local == (value.tzinfo is not None):
            raise Unfit(f"{value} has {'a' if local else 'no'} time zone, for a {logical}")
        return _ticks((value - (_LOCAL_EPOCH if local else _EPOCH)) // _MICROSECOND, logical)
    if isinstance(value, date) and not isinstance(value, datetime) and logical == "date":
        return (value - _EPOCH.date()).days
    if isinstance(value, time) and logical.startswith("time-"):
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        return _ticks(seconds * 10**6 + value.microsecond, logical)
    return value


def _ticks(microseconds: int, logical: str) -> int:
    per_second = _TICKS_PER_SECOND[logical.rpartition("-")[2]]
    return microseconds * per_second // 10**6


def scalar_bytes(avro_type: Primitive | Fixed | Enum, value: Any) -> bytes:
    """One value that is not None as it is written.

    Raises:
        Unfit: The value is not one of the type.
    """
    stored = stored_value(avro_type, value)
    if isinstance(avro_type, Enum):
        return varint_bytes(avro_type.symbols.index(stored))
    if isinstance(avro_type, Fixed):
        return bytes(stored)
    match avro_type.name:
        case "boolean":
            return b"\x01" if stored else b"\x00"
        case "int" | "long":
            return varint_bytes(stored)
        case "float" | "double":
            return struct.pack(_FLOATS[avro_type.name], stored)
        case _:
            data = stored.encode() if isinstance(stored, str) else stored
            return varint_bytes(len(data)) + bytes(data)
