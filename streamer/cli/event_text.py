"""Events as text, in CSV and JSON, to the values that their schema asks for, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from streamer.avro.avro_types import NULL, Array, AvroType, Enum, Fixed, Map, Primitive, Record, Union
from streamer.avro.leaves import leaves_of, root_record
from streamer.avro.schema import Schema
from streamer.errors import EncodeError

_TRUE, _FALSE = {"true", "t", "yes", "1"}, {"false", "f", "no", "0"}


def from_csv(schema: Schema) -> Callable[[Mapping[str, str | None]], dict[str, Any]]:
    """What turns the cells of a row, by column name, into an event.

    An empty cell is null where the field is nullable, an empty text where it is text, and otherwise left to the
    schema's default. Columns of nested records have dotted names; arrays and maps are JSON.
    """
    record = root_record(schema)
    types = {leaf.path: leaf for leaf in leaves_of(record)}
    unknown_advice = f"The fields are {', '.join(types):.500}"

    def convert(row: Mapping[str, str | None]) -> dict[str, Any]:
        event: dict[str, Any] = {}
        for name, cell in row.items():
            leaf = types.get(name)
            if leaf is None:
                raise EncodeError("the schema has no such field", where=f"column {name}", advice=unknown_advice)
            if not cell:
                if leaf.nullable:
                    _put(event, name, None)
                elif leaf.type == Primitive("string"):
                    _put(event, name, "")
                continue
            try:
                _put(event, name, _from_cell(leaf.type, cell))
            except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
                raise EncodeError(f"{cell!r:.60} is not a value of this field", where=f"column {name}") from error
        return event

    return convert


def from_json(schema: Schema) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """What turns a JSON object into an event: texts into moments, decimals and bytes where the schema has those."""
    convert = _json_converter(root_record(schema))

    def converted(event: Mapping[str, Any]) -> dict[str, Any]:
        try:
            result: dict[str, Any] = convert(event)
            return result
        except (ValueError, TypeError, InvalidOperation, OverflowError, AttributeError) as error:
            raise EncodeError(f"the object does not fit the schema: {error}") from error

    return converted


def to_json(value: Any) -> Any:
    """Decoded values as JSON has them: bytes as latin-1 text, decimals as text."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {name: to_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    return value


def _put(event: dict[str, Any], path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    for parent in parents:
        event = event.setdefault(parent, {})
    event[leaf] = value


def _from_cell(avro_type: AvroType, cell: str) -> Any:
    match avro_type:
        case Primitive(name="boolean"):
            if cell.strip().lower() not in _TRUE | _FALSE:
                raise ValueError
            return cell.strip().lower() in _TRUE
        case Primitive(name="int" | "long"):
            return _integer(avro_type, cell.strip())
        case Primitive(name="float" | "double"):
            return float(cell)
        case Array() | Map() | Union() | Record():
            return _json_converter(avro_type)(json.loads(cell))
        case _:
            return _json_converter(avro_type)(cell)


def _integer(avro_type: Primitive, text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        if avro_type.logical is not None:
            return _moment(avro_type.logical, text)
        number = float(text)  # a column with gaps was written as 12.0 by many a tool
        if number != int(number):
            raise
        return int(number)


def _moment(logical: str, text: str) -> Any:
    if logical == "date":
        return date.fromisoformat(text[:10])
    if logical.startswith("time-"):
        return time.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    if logical.startswith("local-"):
        return moment.replace(tzinfo=None)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _json_converter(avro_type: AvroType) -> Callable[[Any], Any]:
    match avro_type:
        case Record(fields=fields):
            steps = {field.name: _json_converter(field.type) for field in fields}
            return lambda value: {
                name: steps[name](inner) if name in steps else inner for name, inner in dict(value).items()
            }
        case Array(items=items):
            item = _json_converter(items)
            return lambda value: [item(one) for one in value] if isinstance(value, list) else value
        case Map(values=values):
            inner_value = _json_converter(values)
            return lambda value: {name: inner_value(one) for name, one in dict(value).items()}
        case Union(branches=branches):
            others = [branch for branch in branches if branch != NULL]
            if len(others) != 1:
                return lambda value: value
            inner = _json_converter(others[0])
            return lambda value: None if value is None else inner(value)
        case Primitive(name="int" | "long", logical=logical) if logical is not None:
            return lambda value: _moment(logical, value) if isinstance(value, str) else value
        case Primitive(logical="decimal") | Fixed(logical="decimal"):
            return lambda value: Decimal(value) if isinstance(value, str) else value
        case Primitive(name="bytes") | Fixed():
            return lambda value: value.encode("latin-1") if isinstance(value, str) else value
        case Primitive(name="float" | "double"):
            # JSON has no NaN and no infinities; text stands in for them.
            return lambda value: float(value) if value in ("NaN", "Infinity", "-Infinity") else value
        case Enum() | Primitive():
            return lambda value: value
