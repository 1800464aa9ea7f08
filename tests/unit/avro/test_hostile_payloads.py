"""Payloads that would make fastavro crash, allocate or accept nonsense: each is a failure of its own row."""

from __future__ import annotations

import struct
import tracemalloc
from typing import Any

import pytest

from streamer.avro.decoder import EventDecoder
from streamer.avro.framing import Framing
from streamer.avro.limits import Limits
from streamer.avro.schema import parse_schema
from tests.unit.avro.cases import write

ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
FIXED_DECIMAL = {"type": "fixed", "name": "D", "size": 8, "logicalType": "decimal", "precision": 4, "scale": 2}
INT64_MIN = b"\xff" * 9 + b"\x01"
INT64_MAX = b"\xfe" + b"\xff" * 8 + b"\x01"


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def map_of(values: Any) -> dict[str, Any]:
    return {"type": "map", "values": values}


def schema(kind: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "a", "type": kind}]}


CASES: list[tuple[str, Any, bytes, str]] = [
    ("nothing at all", "int", b"", "truncated"),
    ("a byte too many", "int", b"\x02\x00", "trailing_bytes"),
    ("a branch of -1", ["null", "int"], b"\x01", "bad_branch"),
    ("a branch of 2", ["null", "int"], b"\x04\x02", "bad_branch"),
    ("a branch of -1 before a double", ["null", "double"], b"\x01" + bytes(8), "bad_branch"),
    ("a branch of 2 before text", ["string", "null"], b"\x04\x00", "bad_branch"),
    ("a branch written with two bytes", ["null", "int"], b"\x82\x00\x02", "bad_varint"),
    ("a branch of 64 bits", ["null", "int"], INT64_MAX, "bad_branch"),
    ("a branch of -1 of a general union", ["null", "int", "string"], b"\x01", "bad_branch"),
    ("a branch of 3 of a general union", ["null", "int", "string"], b"\x06", "bad_branch"),
    ("symbol -1", ENUM, b"\x01", "bad_symbol"),
    ("symbol 2 of 2", ENUM, b"\x04", "bad_symbol"),
    ("symbol 2**62", ENUM, INT64_MAX, "bad_symbol"),
    ("an overlong symbol", ENUM, b"\x80\x00", "bad_varint"),
    ("an overlong int", "int", b"\x80\x00", "bad_varint"),
    ("an overlong long of ten bytes", "long", b"\x80" * 9 + b"\x00", "bad_varint"),
    ("an overlong long of nine bytes", "long", b"\x80" * 8 + b"\x00", "bad_varint"),
    ("a long of eleven bytes", "long", b"\x80" * 10 + b"\x01", "bad_varint"),
    ("a long of 65 bits", "long", b"\xff" * 9 + b"\x02", "bad_varint"),
    ("a number that never ends", "long", b"\xff" * 40, "bad_varint"),
    ("an int of 33 bits", "int", b"\x80\x80\x80\x80\x10", "int_out_of_range"),
    ("an int of 64 bits", "int", INT64_MIN, "int_out_of_range"),
    ("a nullable int of 33 bits", ["null", "int"], b"\x02\x80\x80\x80\x80\x10", "int_out_of_range"),
    ("a boolean of 2", "boolean", b"\x02", "bad_boolean"),
    ("a boolean of 255", "boolean", b"\xff", "bad_boolean"),
    ("a nullable boolean of 2", ["null", "boolean"], b"\x02\x02", "bad_boolean"),
    ("text that is not UTF-8", "string", b"\x04\xc3\x28", "bad_utf8"),
    ("text with a lone surrogate", "string", b"\x06\xed\xa0\x80", "bad_utf8"),
    ("text with an overlong form", "string", b"\x04\xc0\xaf", "bad_utf8"),
    ("long text that is not UTF-8 at its end", "string", b"\xa2\x03" + b"x" * 208 + b"\xff", "bad_utf8"),
    ("nullable text that is not UTF-8", ["null", "string"], b"\x02\x02\xff", "bad_utf8"),
    ("text of length -1", "string", b"\x01", "bad_length"),
    ("nullable text of length -1", ["null", "string"], b"\x02\x01", "bad_length"),
    ("bytes of length INT64_MIN", "bytes", INT64_MIN, "bad_length"),
    ("bytes of length INT64_MAX", "bytes", INT64_MAX, "truncated"),
    ("text longer than the payload", "string", b"\x7eabc", "truncated"),
    ("text much longer than the payload", "string", b"\xfe\xff\xff\xff\x0fabc", "truncated"),
    ("half a double", "double", bytes(4), "truncated"),
    ("half a nullable double", ["null", "double"], b"\x02" + bytes(4), "truncated"),
    ("half a fixed", {"type": "fixed", "name": "F", "size": 4}, b"ab", "truncated"),
    ("10**8 nulls of a union in an array", array(["null", "int"]), b"\x80\x84\xaf\x5f", "bad_count"),
    ("INT64_MIN items", array("int"), INT64_MIN + b"\x02\x02\x00", "bad_count"),
    ("INT64_MAX items", array("int"), INT64_MAX, "bad_count"),
    ("INT64_MAX entries of a map", map_of("null"), INT64_MAX, "bad_count"),
    ("a block that lies about its size", array("int"), b"\x01\x0a\x02\x00", "bad_length"),
    ("a block without an end", array("int"), b"\x02\x02", "truncated"),
    ("a key twice", map_of("int"), b"\x04\x02k\x02\x02k\x04\x00", "duplicate_key"),
    ("a key that is not UTF-8", map_of("int"), b"\x02\x02\xff\x02\x00", "bad_utf8"),
    ("an int of 33 bits in an array", array("int"), b"\x02\x80\x80\x80\x80\x10\x00", "int_out_of_range"),
    ("a boolean of 2 in an array", array("boolean"), b"\x02\x02\x00", "bad_boolean"),
    ("a decimal without bytes", DECIMAL, b"\x00", "bad_decimal"),
    ("a decimal of too many digits", DECIMAL, b"\x04\x27\x10", "bad_decimal"),
    ("a decimal of 1000 bytes", DECIMAL, b"\xd0\x0f" + b"\x01" * 1000, "bad_decimal"),
    ("a fixed decimal of too many digits", FIXED_DECIMAL, b"\x01" * 8, "bad_decimal"),
]


@pytest.mark.parametrize(("kind", "payload", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_hostile_payload_is_refused_for_its_reason_and_its_neighbours_are_not(
    kind: Any, payload: bytes, reason: str
) -> None:
    parsed = parse_schema(schema(kind))
    good = {
        "int": b"\x02",
        "long": b"\x02",
        "boolean": b"\x01",
        "double": bytes(8),
        "string": b"\x02x",
        "bytes": b"\x02x",
    }.get(str(kind))
    decoder = EventDecoder(parsed, Framing.BARE, [parsed])
    for neighbours in ([], [good] if good else []):
        decoded = decoder.decode([*neighbours, payload, *neighbours])
        assert [(f.row, f.reason) for f in decoded.failures] == [(len(neighbours), reason)]
        assert len(decoded.good) == 2 * len(neighbours)
    assert "field a" in decoded.failures[0].message or reason == "trailing_bytes"


def test_a_truncation_at_every_byte_is_refused_and_the_whole_payload_is_not() -> None:
    kinds: list[Any] = [
        "int",
        "long",
        "float",
        "double",
        "boolean",
        "string",
        "bytes",
        ["null", "double"],
        ENUM,
        DECIMAL,
    ]
    kinds += [array("string"), map_of("long"), ["null", "string", "long"], ["string", "null"]]
    values: list[Any] = [
        300,
        -(2**60),
        1.5,
        2.5,
        True,
        "text æ",
        b"bytes",
        3.5,
        "B",
        None,
        ["a", "b"],
        {"k": 1},
        "u",
        "w",
    ]
    from decimal import Decimal

    values[9] = Decimal("12.34")
    fields = [{"name": f"f{i}", "type": kind} for i, kind in enumerate(kinds)]
    event = {"type": "record", "name": "R", "fields": fields}
    payload = write(event, {f"f{i}": value for i, value in enumerate(values)})
    parsed = parse_schema(event)
    decoded = EventDecoder(parsed, Framing.BARE, [parsed]).decode([payload[:size] for size in range(len(payload) + 1)])
    assert decoded.good.tolist() == [len(payload)]
    assert len(decoded.failures) == len(payload)


def test_extreme_numbers_are_kept_to_the_bit() -> None:
    doubles = [
        float("inf"),
        float("-inf"),
        -0.0,
        1e308,
        5e-324,
        struct.unpack("<d", b"\x01" + bytes(5) + b"\xf8\x7f")[0],
    ]
    parsed = parse_schema(schema(["null", "double"]))
    payloads = [b"\x02" + struct.pack("<d", value) for value in doubles]
    batch = EventDecoder(parsed, Framing.BARE, [parsed]).decode(payloads).batch
    assert [struct.pack("<d", value) for value in batch["a"].to_pylist()] == [payload[1:] for payload in payloads]


@pytest.mark.parametrize("logical", ["timestamp-millis", "timestamp-micros", "timestamp-nanos"])
def test_a_time_out_of_pythons_range_is_the_integer_that_it_is(logical: str) -> None:
    parsed = parse_schema(schema({"type": "long", "logicalType": logical}))
    batch = EventDecoder(parsed, Framing.BARE, [parsed]).decode([INT64_MIN, INT64_MAX]).batch
    assert batch["a"].to_pylist() == [-(2**63), 2**63 - 1]


def test_a_date_out_of_pythons_range_inside_an_array_is_the_integer_that_it_is() -> None:
    kind = array({"type": "int", "logicalType": "date"})
    parsed = parse_schema(schema(kind))
    payload = write(schema(kind), {"a": [2**31 - 1]})
    assert EventDecoder(parsed, Framing.BARE, [parsed]).decode([payload]).batch["a"].to_pylist() == [[2**31 - 1]]


def test_a_tombstone_and_a_payload_over_the_limit_are_failures() -> None:
    parsed = parse_schema(schema("string"))
    decoder = EventDecoder(parsed, Framing.BARE, [parsed], Limits(payload_bytes=3))
    decoded = decoder.decode([None, b"\x04ab", b"\x06abc", b"\x02x"])
    assert [(f.row, f.reason) for f in decoded.failures] == [(0, "tombstone"), (2, "too_large")]
    assert decoded.good.tolist() == [1, 3]
    assert decoded.batch["a"].to_pylist() == ["ab", "x"]


def test_more_items_than_the_limit_are_refused() -> None:
    parsed = parse_schema(schema(array("int")))
    decoder = EventDecoder(parsed, Framing.BARE, [parsed], Limits(items=3))
    decoded = decoder.decode([b"\x06\x02\x02\x02\x00", b"\x08\x02\x02\x02\x02\x00", b"\x04\x02\x02\x04\x02\x02\x00"])
    assert decoded.good.tolist() == [0]
    assert [f.reason for f in decoded.failures] == ["too_many_items"] * 2


def test_hostile_lengths_and_counts_allocate_no_more_than_the_payloads() -> None:
    kinds: list[Any] = ["string", array(["null", "int"]), map_of("int"), ["null", "bytes"]]
    fields = [{"name": f"f{i}", "type": kind} for i, kind in enumerate(kinds)]
    parsed = parse_schema({"type": "record", "name": "R", "fields": fields})
    decoder = EventDecoder(parsed, Framing.BARE, [parsed])
    payloads = [INT64_MAX, b"\x02x\x80\x84\xaf\x5f", b"\x02x\x00" + INT64_MAX, b"\x02x\x00\x00\x02" + INT64_MAX] * 500
    tracemalloc.start()
    decoded = decoder.decode(payloads)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(decoded.failures) == len(payloads)
    assert peak_bytes < 8_000_000


@pytest.mark.parametrize("framing", list(Framing))
def test_an_empty_batch_has_every_column_and_no_row(framing: Framing) -> None:
    parsed = parse_schema(schema("string"))

    class Nowhere:
        by_id = by_guid = None

    writers: Any = Nowhere() if framing is Framing.CONFLUENT else [parsed]
    decoded = EventDecoder(parsed, framing, writers).decode([])
    assert list(decoded.batch.columns) == ["a"]
    assert (decoded.batch.n, len(decoded.good), decoded.failures) == (0, 0, [])
