"""The three framings: nothing is guessed from the bytes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from streamer.avro.decoder import EventDecoder
from streamer.avro.framing import Framing, confluent_prefix, prefix_of, single_object_prefix
from streamer.avro.limits import Limits
from streamer.avro.schema import Schema, parse_schema
from streamer.errors import SchemaError, SchemaNotFound, SchemaRegistryUnavailable
from tests.unit.avro.cases import write


def record(kind: Any, name: str = "a") -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": kind}]}


INT, LONG = parse_schema(record("int")), parse_schema(record("long"))
OTHER = parse_schema(record("int", "b"))
GUID = UUID("89791762-2336-4186-9674-299b90a802e2")
INT_5, LONG_5 = write(record("int"), {"a": 5}), write(record("long"), {"a": 2**40})


class Registry:
    """Ids 1 and 2, a GUID, and a list of what was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.down = False

    def by_id(self, schema_id: int) -> Schema:
        self.asked.append(schema_id)
        if self.down:
            raise SchemaRegistryUnavailable("no answer")
        if schema_id == 3:
            return OTHER
        if schema_id == 4:
            raise SchemaError("recursive")
        if schema_id not in (1, 2):
            raise SchemaNotFound(f"no schema {schema_id}")
        return INT if schema_id == 1 else LONG

    def by_guid(self, guid: UUID) -> Schema:
        self.asked.append(guid)
        if guid != GUID:
            raise SchemaNotFound(f"no schema {guid}")
        return INT


def confluent() -> tuple[EventDecoder, Registry]:
    registry = Registry()
    return EventDecoder(LONG, Framing.CONFLUENT, registry), registry


def reasons(decoded: Any) -> dict[int, str]:
    return {failure.row: failure.reason for failure in decoded.failures}


def test_the_prefixes_are_those_of_the_specifications() -> None:
    assert prefix_of(Framing.BARE, INT) == b""
    assert prefix_of(Framing.CONFLUENT, INT, 258) == b"\x00\x00\x00\x01\x02" == confluent_prefix(258)
    assert prefix_of(Framing.SINGLE_OBJECT, INT) == b"\xc3\x01" + INT.fingerprint.to_bytes(8, "little")
    with pytest.raises(ValueError, match="id"):
        prefix_of(Framing.CONFLUENT, INT)


def test_confluent_values_of_several_schemas_come_back_in_their_order() -> None:
    decoder, registry = confluent()
    order = [1, 2, 2, 1, 2]
    decoded = decoder.decode([confluent_prefix(i) + (INT_5 if i == 1 else LONG_5) for i in order])
    assert decoded.batch["a"].to_pylist() == [5 if i == 1 else 2**40 for i in order]
    assert decoded.good.tolist() == [0, 1, 2, 3, 4]
    assert sorted(registry.asked) == [1, 2]


def test_confluent_guid_is_read() -> None:
    decoder, _ = confluent()
    values = [confluent_prefix(2) + LONG_5, b"\x01" + GUID.bytes + INT_5, b"\x01" + bytes(16) + INT_5]
    decoded = decoder.decode(values)
    assert decoded.batch["a"].to_pylist() == [2**40, 5]
    assert reasons(decoded) == {2: "unknown_schema"}


def test_confluent_schema_id_header_goes_before_the_bytes() -> None:
    decoder, _ = confluent()
    by_id, by_guid = ("__value_schema_id", confluent_prefix(2)), ("__value_schema_id", b"\x01" + GUID.bytes)
    values = [LONG_5, INT_5, confluent_prefix(1) + INT_5, INT_5, INT_5, None, INT_5, confluent_prefix(1) + INT_5]
    headers: list[Any] = [
        [("x", b""), by_id],
        [by_guid],
        [("other", b"")],
        [("__value_schema_id", None)],
        [("__value_schema_id", b"\x00\x01")],
        [by_id],
        [by_id, by_guid],
        None,
    ]
    decoded = decoder.decode(values, headers)
    assert decoded.batch["a"].to_pylist() == [2**40, 5, 5, 5, 5]
    assert decoded.good.tolist() == [0, 1, 2, 6, 7]
    assert reasons(decoded) == {3: "bad_magic", 4: "bad_magic", 5: "tombstone"}


def test_confluent_rows_without_a_usable_schema_are_failures() -> None:
    decoder, _ = confluent()
    good = confluent_prefix(1) + INT_5
    values = [
        b"",
        b"\x00",
        b"\x00\x00\x00\x00",
        b"\x02" + INT_5,
        confluent_prefix(9),
        good,
        confluent_prefix(3) + INT_5,
    ]
    values += [confluent_prefix(4) + INT_5, b"\x01" + bytes(3), b"\xc3\x01" + bytes(9), confluent_prefix(1)]
    decoded = decoder.decode(values)
    assert decoded.good.tolist() == [5]
    assert reasons(decoded) == {
        0: "bad_magic",
        1: "bad_magic",
        2: "bad_magic",
        3: "bad_magic",
        4: "unknown_schema",
        6: "schema_mismatch",
        7: "schema_mismatch",
        8: "bad_magic",
        9: "bad_magic",
        10: "truncated",
    }


def test_a_registry_that_does_not_answer_stops_the_batch() -> None:
    decoder, registry = confluent()
    registry.down = True
    with pytest.raises(SchemaRegistryUnavailable):
        decoder.decode([confluent_prefix(1) + INT_5])
    registry.down = False
    assert decoder.decode([confluent_prefix(1) + INT_5]).batch["a"].to_pylist() == [5]


def test_no_more_plans_are_kept_than_the_limit() -> None:
    registry = Registry()
    decoder = EventDecoder(LONG, Framing.CONFLUENT, registry, Limits(plans=1))
    for _ in range(2):
        decoded = decoder.decode([confluent_prefix(1) + INT_5, confluent_prefix(2) + LONG_5])
        assert decoded.batch["a"].to_pylist() == [5, 2**40]
    assert len(decoder._plans) == 1


def test_single_object_accepts_the_listed_schemas_only() -> None:
    decoder = EventDecoder(LONG, Framing.SINGLE_OBJECT, [INT, LONG])
    values = [
        single_object_prefix(LONG) + LONG_5,
        single_object_prefix(INT) + INT_5,
        single_object_prefix(OTHER) + INT_5,
        b"\xc3\x01",
        b"",
        b"\xc3\x02" + single_object_prefix(INT)[2:] + INT_5,
        single_object_prefix(INT),
        confluent_prefix(1) + INT_5 + bytes(8),
    ]
    decoded = decoder.decode(values)
    assert decoded.batch["a"].to_pylist() == [2**40, 5]
    assert reasons(decoded) == {
        2: "unknown_schema",
        3: "bad_magic",
        4: "bad_magic",
        5: "bad_magic",
        6: "truncated",
        7: "bad_magic",
    }


def test_single_object_refuses_schemas_that_the_fingerprint_cannot_tell_apart() -> None:
    kinds = [{"type": "long", "logicalType": f"timestamp-{unit}"} for unit in ("millis", "micros")]
    with pytest.raises(SchemaError, match="share the fingerprint"):
        EventDecoder(LONG, Framing.SINGLE_OBJECT, [parse_schema(record(kind)) for kind in kinds])


def test_single_object_accepts_a_schema_listed_twice_with_other_docs() -> None:
    again = parse_schema(record("long") | {"doc": "the same"})
    decoder = EventDecoder(LONG, Framing.SINGLE_OBJECT, [LONG, again])
    assert decoder.decode([single_object_prefix(again) + LONG_5]).batch["a"].to_pylist() == [2**40]


def test_bare_does_not_look_for_a_framing() -> None:
    parsed = parse_schema(record({"type": "fixed", "name": "F", "size": 11}))
    decoder = EventDecoder(parsed, Framing.BARE, [parsed])
    values = [single_object_prefix(parsed) + b"x", confluent_prefix(1) + b"abcdef"]
    assert decoder.decode(values).batch["a"].to_pylist() == values


@pytest.mark.parametrize(
    ("framing", "writers"),
    [
        (Framing.BARE, []),
        (Framing.BARE, [INT, LONG]),
        (Framing.BARE, Registry()),
        (Framing.SINGLE_OBJECT, []),
        (Framing.SINGLE_OBJECT, Registry()),
        (Framing.CONFLUENT, [INT]),
    ],
)
def test_writers_that_do_not_go_with_the_framing_are_refused(framing: Framing, writers: Any) -> None:
    with pytest.raises(ValueError, match=f"the framing {framing} needs"):
        EventDecoder(LONG, framing, writers)


def test_a_reader_that_is_no_record_is_refused() -> None:
    with pytest.raises(SchemaError, match="not a record"):
        EventDecoder(parse_schema('"long"'), Framing.BARE, [LONG])
