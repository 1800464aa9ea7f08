from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import numpy as np
import pytest
from pydantic import BaseModel

from streamer.avro.encoder import RecordEncoder
from streamer.avro.schema import parse_schema
from streamer.client.row_encoder import RowEncoder, value_at
from streamer.errors import EncodeError

SCHEMA = {
    "type": "record",
    "name": "Departure",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "distance", "type": ["null", "double"], "default": None},
        {"name": "seats", "type": "int", "default": 7},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}, "default": 0},
        {"name": "ref", "type": ["null", {"type": "string", "logicalType": "uuid"}], "default": None},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["on", "off"]}, "default": "on"},
        {
            "name": "price",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
            "default": "\u0000",
        },
        {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []},
        {
            "name": "place",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "Place",
                    "fields": [
                        {"name": "city", "type": "string"},
                        {"name": "lat", "type": ["null", "float"], "default": None},
                    ],
                },
            ],
            "default": None,
        },
    ],
}


def read(payload: bytes) -> dict[str, Any]:
    stream = io.BytesIO(payload)
    record: Any = fastavro.schemaless_reader(stream, fastavro.parse_schema(SCHEMA), None)
    assert stream.read() == b""
    return dict(record)


@pytest.fixture
def encoder() -> RowEncoder:
    return RowEncoder(parse_schema(SCHEMA))


FULL = {
    "id": "ab",
    "distance": 1.5,
    "seats": 180,
    "at": datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    "day": date(2026, 1, 2),
    "ref": UUID(int=5),
    "state": "off",
    "price": Decimal("12.34"),
    "tags": ["x", "y"],
    "place": {"city": "Oslo", "lat": 0.5},
}


def test_a_record_reads_back_with_a_foreign_library(encoder: RowEncoder) -> None:
    assert read(encoder.encode(FULL)) == FULL


def test_a_record_has_the_same_bytes_as_in_a_batch(encoder: RowEncoder) -> None:
    batch = RecordEncoder(parse_schema(SCHEMA))
    for record in (FULL, {"id": "only"}, FULL | {"place": None, "distance": None}):
        assert [encoder.encode(record)] == batch.encode_rows([record])


def test_the_prefix_stands_in_front() -> None:
    schema = parse_schema(SCHEMA)
    assert RowEncoder(schema, b"\xc3\x01").encode(FULL) == b"\xc3\x01" + RowEncoder(schema).encode(FULL)


def test_missing_fields_have_their_defaults(encoder: RowEncoder) -> None:
    record = read(encoder.encode({"id": "x"}))
    assert (record["seats"], record["distance"], record["place"], record["state"]) == (7, None, None, "on")


def test_dataclasses_and_pydantic_models_are_records(encoder: RowEncoder) -> None:
    @dataclass
    class Place:
        city: str

    @dataclass
    class Departure:
        id: str
        place: Place

    class Model(BaseModel):
        id: str
        seats: int

    assert read(encoder.encode(Departure("d", Place("Rome"))))["place"] == {"city": "Rome", "lat": None}  # type: ignore[arg-type]
    assert read(encoder.encode(Model(id="m", seats=3)))["seats"] == 3  # type: ignore[arg-type]


def test_numpy_scalars_and_arrays_are_values(encoder: RowEncoder) -> None:
    record = read(
        encoder.encode({"id": "x", "seats": np.int64(5), "distance": np.float32(0.5), "tags": np.array(["a"])})
    )
    assert (record["seats"], record["distance"], record["tags"]) == (5, 0.5, ["a"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"seats": 1.7}, "seats"),
        ({"seats": 2**31}, "seats"),
        ({"seats": True}, "seats"),
        ({"seats": None}, "seats"),
        ({"seats": "5"}, "seats"),
        ({"id": 5}, "id"),
        ({"id": "\ud800"}, "id"),
        ({"distance": "far"}, "distance"),
        ({"state": "broken"}, "state"),
        ({"at": datetime(2026, 1, 1)}, "at"),
        ({"price": Decimal("1.234")}, "price"),
        ({"tags": [1]}, "tags"),
        ({"place": {"lat": 1.0}}, "place.city"),
        ({"place": {"city": "x", "country": "y"}}, "place.country"),
        ({"place": 7}, "place"),
        ({"distnace": 1.0}, "distnace"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_field_named(
    encoder: RowEncoder, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(EncodeError) as refused:
        encoder.encode(FULL | change)
    assert refused.value.where == f"field {field}"
    assert refused.value.advice


def test_a_field_without_default_must_be_there(encoder: RowEncoder) -> None:
    with pytest.raises(EncodeError, match="missing"):
        encoder.encode({})


def test_something_that_is_no_record_is_refused(encoder: RowEncoder) -> None:
    with pytest.raises(EncodeError, match="int is not a record"):
        encoder.encode(5)  # type: ignore[arg-type]


def test_value_at_follows_dots_through_dicts_and_dataclasses() -> None:
    @dataclass
    class User:
        name: str | None

    assert value_at({"user": User("ann")}, "user.name") == "ann"
    assert value_at({"user": None}, "user.name") is None
    assert value_at({}, "user.name") is None
