"""Encoding columns: what fits, and what is refused by field and row."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from streamer.avro import encoder as encoder_module
from streamer.avro.encoder import RecordEncoder
from streamer.avro.schema import parse_schema
from streamer.errors import EncodeError, SchemaError
from streamer.records.columns import Column, ConstantColumn, NumericColumn, ObjectColumn, TextColumn
from tests.unit.avro.cases import read, write

ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
FIXED = {"type": "fixed", "name": "F", "size": 2}


def record(*kinds: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": f"f{i}", "type": k} for i, k in enumerate(kinds)]}


def encode(kind: Any, column: Column) -> list[Any]:
    schema = record(kind)
    payloads = RecordEncoder(parse_schema(schema)).encode({"f0": column}, len(column))
    return [read(schema, payload)["f0"] for payload in payloads]


def numbers(values: list[Any], dtype: Any, valid: list[bool] | None = None) -> NumericColumn:
    return NumericColumn(np.array(values, dtype), None if valid is None else np.array(valid))


@pytest.mark.parametrize(
    ("kind", "column", "expected"),
    [
        ("int", numbers([1, -2], np.int64), [1, -2]),
        ("long", numbers([1, -2], np.int32), [1, -2]),
        ("float", numbers([1.5, np.inf], np.float64), [1.5, np.inf]),
        ("double", numbers([1.5], np.float32), [1.5]),
        ("double", numbers([3], np.int64), [3.0]),
        ("boolean", numbers([True, False], np.bool_), [True, False]),
        (["null", "long"], numbers([1, 2], np.int64, [True, False]), [1, None]),
        (["long", "null"], numbers([1, 2], np.int64, [False, True]), [None, 2]),
        (["null", "double"], numbers([1, 2], np.float64), [1.0, 2.0]),
        (["double", "null"], numbers([1, 2], np.float64, [False, False]), [None, None]),
        (ENUM, TextColumn.from_strings(["B", "A"]), ["B", "A"]),
        (["null", ENUM], TextColumn.from_strings([None, "B"]), [None, "B"]),
        (ENUM, ConstantColumn("B", 2), ["B", "B"]),
        (FIXED, TextColumn.from_bytes([b"ab", b"cd"]), [b"ab", b"cd"]),
        (["null", FIXED], TextColumn.from_bytes([b"ab", None]), [b"ab", None]),
        (["null", FIXED], TextColumn.from_bytes([b"ab", b"cd"]), [b"ab", b"cd"]),
        ("string", TextColumn.from_strings(["", "x" * 300, "æ" * 40, "y"]), ["", "x" * 300, "æ" * 40, "y"]),
        ("string", ConstantColumn("x" * 300, 1), ["x" * 300]),
        ("string", ObjectColumn.of(["a", "b"]), ["a", "b"]),
        (["null", "string"], ConstantColumn(None, 2), [None, None]),
        ("null", ConstantColumn(None, 1), [None]),
        ("null", ObjectColumn.of([None]), [None]),
        ({"type": "array", "items": "int"}, ObjectColumn.of([[1, 2], []]), [[1, 2], []]),
        ({"type": "map", "values": "int"}, ConstantColumn({"k": 1}, 1), [{"k": 1}]),
        (["null", "string", "long"], ObjectColumn.of([None, "a", 3]), [None, "a", 3]),
        (["null", {"type": "array", "items": "int"}], ObjectColumn.of([None, [1]]), [None, [1]]),
    ],
)
def test_a_column_is_written_as_its_field(kind: Any, column: Column, expected: list[Any]) -> None:
    assert encode(kind, column) == expected


@pytest.mark.parametrize("bits", range(64))
def test_numbers_of_every_length_are_written_as_fastavro_does(bits: int) -> None:
    values = [2**bits - 1, -(2**bits), 0]
    for kind in ("long", ["null", "long"], ["long", "null"]):
        expected = [write(record(kind), {"f0": value}) for value in values]
        encoder = RecordEncoder(parse_schema(record(kind)))
        assert encoder.encode({"f0": numbers(values, np.int64)}, 3) == expected
        assert encoder.encode({"f0": numbers(values[:1] * 2, np.int64)}, 2) == expected[:1] * 2
        if kind != "long":
            gap = numbers([*values, 7], np.int64, [True, True, True, False])
            assert encoder.encode({"f0": gap}, 4)[:3] == expected
            assert read(record(kind), encoder.encode({"f0": gap}, 4)[3]) == {"f0": None}


@pytest.mark.parametrize(
    ("kind", "column", "message"),
    [
        ("int", numbers([1, 2**31], np.int64), "field f0, row 1: 2147483648 is out of the range of int"),
        (["null", "int"], numbers([2**31], np.int64), "row 0"),
        ("float", numbers([1.0, 1e300], np.float64), "row 1: 1e+300 is out of the range of float"),
        ("int", numbers([1.0], np.float64), "float64 numbers for int"),
        ("int", numbers([True], np.bool_), "bool numbers for int"),
        ("boolean", numbers([1], np.int64), "int64 numbers for boolean"),
        ("double", numbers([True], np.bool_), "bool numbers for double"),
        ("double", TextColumn.from_strings(["1"]), "text for double"),
        ("string", numbers([1], np.int64), "int64 numbers for string"),
        ("string", TextColumn.from_bytes([b"x"]), "bytes for string"),
        ("bytes", TextColumn.from_strings(["x"]), "text for bytes"),
        ("long", numbers([1, 2], np.int64, [True, False]), "row 1: null in a field that is not nullable"),
        ("string", TextColumn.from_strings(["x", None]), "row 1: null"),
        ("string", ConstantColumn(None, 1), "null in a field that is not nullable"),
        ("null", ConstantColumn(1, 1), "not a value of null"),
        ("null", numbers([1], np.int64), "not null in a field of type null"),
        (ENUM, TextColumn.from_strings(["A", "C"]), "row 1: 'C' is none of the enum's symbols"),
        (ENUM, ConstantColumn("C", 1), "none of the enum's symbols A, B"),
        (FIXED, TextColumn.from_bytes([b"abc"]), "row 0: 3 bytes"),
        (["null", FIXED], TextColumn.from_bytes([None, b"a"]), "row 1: 1 bytes"),
        (FIXED, ConstantColumn(b"abc", 1), "is not 2 bytes"),
        ("long", ObjectColumn.of([1, 2**63]), "row 1: 9223372036854775808 is out of the range of long"),
        ("string", ObjectColumn.of(["\ud800"]), "cannot be written as UTF-8"),
        ("string", ObjectColumn.of([5]), "of type int is not a value of string"),
        ("double", ObjectColumn.of([10**400]), "out of the range of double"),
        (
            {"type": "array", "items": "int"},
            ObjectColumn.of([[1], ["x"]]),
            "row 1: ['x'] is not a value of array of int",
        ),
        (
            {"type": "array", "items": "int"},
            ObjectColumn.of([[2**31]]),
            "row 0: field f0[]: an int of more than 32 bits",
        ),
        ({"type": "array", "items": "int"}, ConstantColumn([2**70], 1), "not a value of array"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_field_and_row(kind: Any, column: Column, message: str) -> None:
    with pytest.raises(EncodeError) as refused:
        encode(kind, column)
    assert message in str(refused.value)
    assert str(refused.value).startswith("field f0")


def test_columns_must_be_those_of_the_schema() -> None:
    encoder = RecordEncoder(parse_schema(record("int", "int")))
    one = numbers([1], np.int32)
    with pytest.raises(EncodeError, match="no column"):
        encoder.encode({"f0": one}, 1)
    with pytest.raises(EncodeError, match="no field g"):
        encoder.encode({"f0": one, "f1": one, "g": one}, 1)
    with pytest.raises(EncodeError, match="1 rows in a batch of 2"):
        encoder.encode({"f0": one, "f1": one}, 2)
    assert encoder.encode({"f0": numbers([], np.int32), "f1": numbers([], np.int32)}, 0) == []
    assert list(encoder.leaves) == ["f0", "f1"]
    with pytest.raises(SchemaError, match="not a record"):
        RecordEncoder(parse_schema('"int"'))


INNER = {
    "type": "record",
    "name": "I",
    "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": ["null", "string"]}],
}
DEFAULTS = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "a", "type": "int"},
        {"name": "b", "type": ["null", "double"], "default": None},
        {"name": "i", "type": INNER, "default": {"x": 4, "y": None}},
        {"name": "l", "type": {"type": "array", "items": "int"}, "default": [1]},
    ],
}


def test_a_field_that_is_left_out_has_its_default() -> None:
    encoder = RecordEncoder(parse_schema(DEFAULTS))
    expected = {"a": 1, "b": None, "i": {"x": 4, "y": None}, "l": [1]}
    assert read(DEFAULTS, encoder.encode({"a": numbers([1], np.int32)}, 1)[0]) == expected
    assert read(DEFAULTS, encoder.encode_rows([{"a": 1}])[0]) == expected


def test_a_nullable_record_is_null_where_all_its_leaves_are() -> None:
    schema = record(
        ["null", INNER], [{"type": "record", "name": "J", "fields": [{"name": "z", "type": "string"}]}, "null"]
    )
    values: list[Any] = [
        {"f0": {"x": 1, "y": "a"}, "f1": None},
        {"f0": None, "f1": {"z": "q"}},
        {"f0": {"x": 2, "y": None}, "f1": {"z": "r" * 100}},
    ]
    encoder = RecordEncoder(parse_schema(schema))
    for rows in (values, values[:1], values[1:2], values[2:]):
        assert encoder.encode_rows(rows) == [write(schema, row) for row in rows]


def test_a_misfit_inside_a_nullable_record_names_the_row_of_the_batch() -> None:
    encoder = RecordEncoder(parse_schema(record(["null", INNER])))
    with pytest.raises(EncodeError, match=r"field f0\.x, row 2: null"):
        encoder.encode_rows([{"f0": None}, {"f0": {"x": 1, "y": "a"}}, {"f0": {"x": None, "y": "a"}}])


def test_dicts_with_unknown_or_misshapen_fields_are_refused() -> None:
    encoder = RecordEncoder(parse_schema(record(INNER)))
    with pytest.raises(EncodeError, match=r"no field f0\.z"):
        encoder.encode_rows([{"f0": {"z": 1}}])
    with pytest.raises(EncodeError, match="5 for a record"):
        encoder.encode_rows([{"f0": 5}])


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ({"type": "long", "logicalType": "timestamp-millis"}, datetime(1970, 1, 2, tzinfo=UTC), 86_400_000),
        (
            {"type": "long", "logicalType": "timestamp-micros"},
            datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
            -1,
        ),
        (
            {"type": "long", "logicalType": "timestamp-nanos"},
            datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1), "x")),
            0,
        ),
        ({"type": "long", "logicalType": "local-timestamp-micros"}, datetime(1970, 1, 1, 0, 0, 1), 10**6),
        ({"type": "long", "logicalType": "timestamp-micros"}, 17, 17),
        ({"type": "int", "logicalType": "date"}, date(1970, 2, 1), 31),
        ({"type": "int", "logicalType": "time-millis"}, time(0, 1, 0, 5000), 60_005),
        ({"type": "long", "logicalType": "time-micros"}, time(0, 0, 0, 5), 5),
    ],
)
def test_python_dates_and_times_are_stored_as_their_integers(kind: Any, value: Any, stored: int) -> None:
    payloads = RecordEncoder(parse_schema(record(kind))).encode({"f0": ObjectColumn.of([value])}, 1)
    assert read(record(kind), payloads[0]) == {"f0": stored}
    constant = RecordEncoder(parse_schema(record(kind))).encode({"f0": ConstantColumn(value, 1)}, 1)
    assert constant == payloads


@pytest.mark.parametrize(
    ("logical", "value", "message"),
    [
        ("timestamp-micros", datetime(2020, 1, 1), "no time zone"),
        ("local-timestamp-micros", datetime(2020, 1, 1, tzinfo=UTC), "a time zone"),
    ],
)
def test_a_datetime_must_say_its_zone_where_it_counts(logical: str, value: datetime, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        encode({"type": "long", "logicalType": logical}, ObjectColumn.of([value]))


def test_uuids_are_stored_as_text_or_16_bytes() -> None:
    uuid = UUID("6f1c3b1e-0000-4000-8000-000000000000")
    fixed = {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}
    payload = RecordEncoder(parse_schema(record({"type": "string", "logicalType": "uuid"}, fixed))).encode_rows(
        [{"f0": uuid, "f1": uuid}]
    )[0]
    assert read(record("string", {"type": "fixed", "name": "U", "size": 16}), payload) == {
        "f0": str(uuid),
        "f1": uuid.bytes,
    }


DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}


@pytest.mark.parametrize("value", [Decimal("12.34"), Decimal("-99.99"), Decimal(0), Decimal("1E+1"), 7])
def test_decimals_are_written_at_their_scale(value: Any) -> None:
    assert encode(DECIMAL, ObjectColumn.of([value])) == [Decimal(value)]


@pytest.mark.parametrize("value", ["100.00", "1.001", "NaN", "Infinity", "1E+1000000", "1E-1000000", "-100"])
def test_decimals_that_do_not_fit_are_refused(value: str) -> None:
    with pytest.raises(EncodeError, match="f0"):
        encode(DECIMAL, ObjectColumn.of([Decimal(value)]))


def test_one_long_row_does_not_make_all_rows_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "_MOST_BUFFER_BYTES", 20_000)
    texts = ["short"] * 500
    texts[123] = "long" * 5_000
    assert encode("string", TextColumn.from_strings(texts)) == texts


def test_neighbouring_constants_and_numbers_are_written_in_the_order_of_the_schema() -> None:
    schema = record("string", ENUM, "double", "int", ["null", "float"], "string", "boolean", "long")
    columns: dict[str, Column] = {
        "f0": ConstantColumn("c", 3),
        "f1": ConstantColumn("B", 3),
        "f2": numbers([0.5, -0.0, 1e308], np.float64),
        "f3": ConstantColumn(-7, 3),
        "f4": numbers([1, 2, 3], np.float32, [True, False, True]),
        "f5": TextColumn.from_strings(["a", "", "c" * 70]),
        "f6": numbers([True, False, True], np.bool_),
        "f7": ConstantColumn(2**40, 3),
    }
    expected = [{name: column.to_pylist()[row] for name, column in columns.items()} for row in range(3)]
    payloads = RecordEncoder(parse_schema(schema)).encode(columns, 3, b"\x00")
    assert payloads == [b"\x00" + write(schema, row) for row in expected]


FIXED_DECIMAL = {"type": "fixed", "name": "D", "size": 4, "logicalType": "decimal", "precision": 9, "scale": 0}


@pytest.mark.parametrize("value", [Decimal(999_999_999), Decimal(-999_999_999), Decimal(0), Decimal(-1)])
def test_a_fixed_decimal_fills_its_bytes(value: Decimal) -> None:
    schema = record(FIXED_DECIMAL, ["null", {**FIXED_DECIMAL, "name": "E"}])
    encoder = RecordEncoder(parse_schema(schema))
    assert read(schema, encoder.encode_rows([{"f0": value, "f1": value}])[0]) == {"f0": value, "f1": value}
    constant = ConstantColumn(value, 1)
    assert encoder.encode({"f0": constant, "f1": constant}, 1) == encoder.encode_rows([{"f0": value, "f1": value}])


@pytest.mark.parametrize(
    ("kind", "value"),
    [(FIXED, b"ab"), ("bytes", b"x"), ("boolean", True), ("float", 0.5), (["int", "null"], -1), (ENUM, "B")],
)
def test_a_constant_is_written_as_the_same_value_in_every_row(kind: Any, value: Any) -> None:
    encoder = RecordEncoder(parse_schema(record(kind)))
    assert encoder.encode({"f0": ConstantColumn(value, 2)}, 2) == encoder.encode_rows([{"f0": value}] * 2)


def test_every_field_of_a_batch_can_be_encoded_in_any_slice_of_it() -> None:
    schema = record("string", ["null", "long"], ["double", "null"], {"type": "map", "values": ["null", FIXED]})
    rows = [
        {"f0": "x" * row, "f1": None if row % 3 else 2**row, "f2": None if row % 2 else row / 7, "f3": {"k": b"ab"}}
        for row in range(60)
    ]
    encoder = RecordEncoder(parse_schema(schema))
    whole = encoder.encode_rows(rows)
    assert whole == [write(schema, row) for row in rows]
    assert [encoder.encode_rows([row])[0] for row in rows] == whole
