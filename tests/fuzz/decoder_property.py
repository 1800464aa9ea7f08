"""What must hold for any bytes whatever: the property that the fuzz target and the replay of its corpus check."""

from __future__ import annotations

from typing import Any

from streamer.avro.decoder import EventDecoder
from streamer.avro.encoder import RecordEncoder
from streamer.avro.explanation import check_payload
from streamer.avro.framing import Framing, single_object_prefix
from streamer.avro.limits import DEFAULT_LIMITS
from streamer.avro.resolution import resolve
from streamer.avro.schema import parse_schema
from streamer.avro.walker import Malformed

_INNER = {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": "string"}]}
FLAT: dict[str, Any] = {
    "type": "record",
    "name": "Flat",
    "fields": [
        {"name": "text", "type": "string"},
        {"name": "maybe_text", "type": ["null", "string"]},
        {"name": "int", "type": "int"},
        {"name": "maybe_long", "type": ["long", "null"]},
        {"name": "flag", "type": "boolean"},
        {"name": "a", "type": ["null", "double"]},
        {"name": "b", "type": ["double", "null"]},
        {"name": "enum", "type": {"type": "enum", "name": "Enum", "symbols": ["A", "B", "C"]}},
        {"name": "fixed", "type": ["null", {"type": "fixed", "name": "Fixed", "size": 3}]},
        {"name": "inner", "type": ["null", _INNER]},
        {"name": "last", "type": "bytes"},
    ],
}
COMPLEX: dict[str, Any] = {
    "type": "record",
    "name": "Complex",
    "fields": [
        {"name": "list", "type": {"type": "array", "items": ["null", "int"]}},
        {"name": "map", "type": {"type": "map", "values": {"type": "array", "items": _INNER}}},
        {"name": "union", "type": ["null", "string", "double", {"type": "array", "items": "boolean"}]},
        {"name": "decimal", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    ],
}
_SCHEMAS = [parse_schema(FLAT), parse_schema(COMPLEX)]


def check(data: bytes) -> None:
    """Decodes the bytes behind their first one, that chooses the schema, alone and beside other values."""
    if not data:
        return
    schema = _SCHEMAS[data[0] % len(_SCHEMAS)]
    payload = data[1:]
    framed = single_object_prefix(schema) + payload
    values = [framed, data, framed[: len(framed) // 2], None, framed]
    decoded = EventDecoder(
        schema, Framing.SINGLE_OBJECT, _SCHEMAS[:1] if schema is _SCHEMAS[0] else _SCHEMAS[1:]
    ).decode(values)
    refused = {failure.row: failure.reason for failure in decoded.failures}
    assert sorted([*decoded.good.tolist(), *refused]) == list(range(len(values))), "each value once"
    assert "undecodable" not in refused.values()
    try:
        check_payload(resolve(schema.root, schema.root), payload, DEFAULT_LIMITS)  # type: ignore[arg-type]  # records
    except Malformed as malformed:
        assert refused.get(0) == refused.get(4) == malformed.reason
    else:
        assert 0 in decoded.good
        assert 4 in decoded.good
    columns = decoded.batch.columns
    again = RecordEncoder(schema).encode(columns, decoded.batch.n)
    once_more = EventDecoder(schema, Framing.BARE, [schema]).decode(again)
    assert not once_more.failures
    assert repr(once_more.batch.to_rows()) == repr(decoded.batch.to_rows())
