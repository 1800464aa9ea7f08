"""Reading and checking schemas."""

from __future__ import annotations

import json
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings

from streamer.avro.limits import Limits
from streamer.avro.schema import parse_schema
from streamer.errors import SchemaError
from tests.unit.avro.cases import EVENTS, Case


def record(*kinds: Any, **more: Any) -> dict[str, Any]:
    fields = [{"name": f"f{i}", "type": kind} for i, kind in enumerate(kinds)]
    return {"type": "record", "name": "R", "fields": fields, **more}


def with_default(kind: Any, default: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "f0", "type": kind, "default": default}]}


def nested(depth: int) -> Any:
    return "int" if depth == 0 else {"type": "map", "values": nested(depth - 1)}


INNER = {"type": "record", "name": "I", "fields": [{"name": "x", "type": "int"}]}
EMPTY = {"type": "record", "name": "Z", "fields": []}
ENUM = {"type": "enum", "name": "E", "symbols": ["A"]}
FIXED = {"type": "fixed", "name": "F", "size": 2}


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(EVENTS)
def test_canonical_form_and_fingerprint_are_those_of_fastavro(case: Case) -> None:
    schema = parse_schema(case.schema)
    canonical = fastavro.schema.to_parsing_canonical_form(case.schema)
    assert schema.canonical == canonical
    assert schema.fingerprint.to_bytes(8, "little").hex() == fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")


def test_the_fingerprint_of_an_int_is_the_one_in_avros_own_tests() -> None:
    assert parse_schema('"int"').fingerprint == 0x7275D51A3F395C8F


def test_namespaces_are_inherited_and_names_with_dots_have_their_own() -> None:
    source = record({**ENUM, "aliases": ["Old"]}, {**FIXED, "name": "b.F"}, "E", "b.F", namespace="a")
    schema = parse_schema(source)
    assert schema.canonical == fastavro.schema.to_parsing_canonical_form(source)
    assert '"name":"a.E"' in schema.canonical


def test_a_schema_keeps_its_text_and_equals_another_of_the_same_text() -> None:
    text = json.dumps(record("int"), indent=1)
    assert parse_schema(text).json == text
    assert parse_schema(text.encode()) == parse_schema(text)
    assert hash(parse_schema(text)) == hash(parse_schema(text))
    assert parse_schema(record("int")).json == json.dumps(record("int"), separators=(",", ":"))
    assert parse_schema(record("int")).name == "R"


REFUSED: list[tuple[str, Any, str]] = [
    ("a record inside itself", record(["null", "R"]), "contains itself"),
    ("a record inside an array inside itself", record({"type": "array", "items": "R"}), "contains itself"),
    ("an array of nulls", record({"type": "array", "items": "null"}), "take no bytes"),
    ("an array of empty records", record({"type": "array", "items": EMPTY}), "take no bytes"),
    ("an array of fixed of size 0", record({"type": "array", "items": {**FIXED, "size": 0}}), "take no bytes"),
    ("types 40 deep", record(nested(40)), "nested more than 32"),
    ("an unknown type", record("strin"), "unknown type strin"),
    ("a number for a type", record(7), "7 is not a type"),
    ("an object without type", record({"items": "int"}), "without the key `type`"),
    ("an array without items", record({"type": "array"}), "`items`"),
    ("a map without values", record({"type": "map"}), "`values`"),
    ("an empty union", record([]), "without branches"),
    ("a union in a union", record([["int"]]), "directly inside a union"),
    ("a union with one type twice", record(["int", "int"]), "twice"),
    ("a union with two arrays", record([nested(1), nested(1)]), "twice"),
    ("a type defined twice", record(ENUM, ENUM), "defined twice"),
    ("a record without fields", {"type": "record", "name": "R"}, "`fields`"),
    ("a record without a name", {"type": "record", "fields": []}, "the name None"),
    ("a name with a hyphen", {**EMPTY, "name": "a-b"}, "the name 'a-b'"),
    ("a primitive's name", {**EMPTY, "name": "int"}, "may not be named int"),
    ("a namespace with a hyphen", {**EMPTY, "namespace": "a-b"}, "the namespace 'a-b'"),
    ("a field without a type", {**EMPTY, "fields": [{"name": "a"}]}, "field 0"),
    ("a field with a dot in its name", {**EMPTY, "fields": [{"name": "a.b", "type": "int"}]}, "field 0"),
    ("a field twice", {**EMPTY, "fields": [{"name": "a", "type": "int"}] * 2}, "there twice"),
    ("aliases that are no list", {**EMPTY, "aliases": "x"}, "`aliases`"),
    (
        "field aliases that are no names",
        {**EMPTY, "fields": [{"name": "a", "type": "int", "aliases": ["-"]}]},
        "aliases",
    ),
    ("an enum without symbols", record({**ENUM, "symbols": []}), "`symbols`"),
    ("an enum with a bad symbol", record({**ENUM, "symbols": ["a b"]}), "`symbols`"),
    ("an enum with a symbol twice", record({**ENUM, "symbols": ["A", "A"]}), "same symbol twice"),
    ("an enum whose default is no symbol", record({**ENUM, "default": "B"}), "none of its symbols"),
    ("a fixed without a size", record({"type": "fixed", "name": "F"}), "the size"),
    ("a fixed of a negative size", record({**FIXED, "size": -1}), "the size"),
    ("a fixed of a gigabyte", record({**FIXED, "size": 10**9}), "the size"),
    ("a decimal of 10000 digits", record({"type": "bytes", "logicalType": "decimal", "precision": 10_000}), "digits"),
    ("a default of another type", with_default("int", "x"), "the default 'x'"),
    ("a default beyond 32 bits", with_default("int", 2**31), "the default"),
    ("a default beyond 64 bits", with_default("long", 2**63), "the default"),
    ("a boolean for an int", with_default("int", True), "the default True"),
    ("a default that is NaN", with_default("double", float("nan")), "the default"),
    ("a default beyond a double", with_default("double", 10**400), "the default"),
    ("a default that is no Latin-1", with_default("bytes", "€"), "the default"),
    ("a default with a lone surrogate", with_default("string", "\ud800"), "the default"),
    ("a default of another size", with_default(FIXED, "abc"), "the default"),
    ("a default that is no symbol", with_default(ENUM, "B"), "the default"),
    ("a default of no branch", with_default(["null", "int"], "x"), "the default"),
    ("a default item of another type", with_default({"type": "array", "items": "int"}, ["x"]), "the default"),
    ("a default record that lacks a field", with_default(INNER, {}), "no value for field x"),
]


@pytest.mark.parametrize(("source", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_schema_that_cannot_work_is_refused_with_the_place(source: Any, message: str) -> None:
    with pytest.raises(SchemaError) as refused:
        parse_schema(source)
    assert message in str(refused.value)
    assert str(refused.value.where).startswith("schema")


@pytest.mark.parametrize("text", ["", "{", "int", '{"type": "record", "type": "enum"}', "[" * 100_000])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(SchemaError, match="not JSON"):
        parse_schema(text)


def test_bytes_that_are_no_text_and_objects_that_are_no_json_are_refused() -> None:
    with pytest.raises(SchemaError, match="UTF-8"):
        parse_schema(b"\xff")
    with pytest.raises(SchemaError, match="JSON"):
        parse_schema({"type": {1, 2}})


def test_a_schema_that_is_too_long_is_refused() -> None:
    with pytest.raises(SchemaError, match="characters"):
        parse_schema(record("int"), Limits(schema_bytes=10))


def test_named_types_that_double_at_every_level_are_refused() -> None:
    kind: Any = "int"
    for level in range(30):
        name = f"L{level}"
        fields = [{"name": "a", "type": kind}, {"name": "b", "type": kind if level == 0 else f"L{level - 1}"}]
        kind = {"type": "record", "name": name, "fields": fields}
    with pytest.raises(SchemaError, match=r"more than 10000 types"):
        parse_schema(kind, Limits(depth=100))


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("null", None),
        ("boolean", True),
        ("long", -(2**63)),
        ("float", 1),
        ("bytes", "\u00ff"),
        ("string", "æ"),
        (FIXED, "ab"),
        (ENUM, "A"),
        (["null", "int"], None),
        (["null", "int"], 3),
        (["int", "null"], None),
        ({"type": "array", "items": "int"}, [1]),
        ({"type": "map", "values": "int"}, {"k": 1}),
        (INNER, {"x": 1}),
        ({"type": "bytes", "logicalType": "decimal", "precision": 3, "scale": 1}, "\u0001"),
    ],
)
def test_a_default_of_the_type_or_of_a_branch_is_accepted(kind: Any, default: Any) -> None:
    assert parse_schema(with_default(kind, default)).name == "R"


@pytest.mark.parametrize(
    "logical",
    [
        {"type": "string", "logicalType": "timestamp-micros"},
        {"type": "long", "logicalType": "unheard-of"},
        {"type": "bytes", "logicalType": "decimal"},
        {"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3},
        {"type": "fixed", "name": "F", "size": 1, "logicalType": "decimal", "precision": 9},
        {"type": "fixed", "name": "F", "size": 3, "logicalType": "duration"},
        {"type": "long", "logicalType": 7},
    ],
)
def test_an_invalid_logical_type_is_ignored_as_avro_says(logical: dict[str, Any]) -> None:
    plain = {key: value for key, value in logical.items() if key in ("type", "name", "size")}
    assert parse_schema(record(logical)).root == parse_schema(record(plain)).root


def test_a_type_may_be_wrapped_in_objects() -> None:
    wrapped = parse_schema(record({"type": {"type": "string"}}, {"type": ["null", "int"]}))
    assert wrapped.root == parse_schema(record("string", ["null", "int"])).root


def test_a_default_decimal_of_too_many_digits_is_refused() -> None:
    kind = {"type": "bytes", "logicalType": "decimal", "precision": 1}
    with pytest.raises(SchemaError, match="more than 1 digits"):
        parse_schema(with_default(kind, "\u00ff\u0000"))
