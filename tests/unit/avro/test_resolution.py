"""Avro's rules for reading with another schema than the data was written with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.avro.decoder import Decoded, EventDecoder
from streamer.avro.framing import Framing
from streamer.avro.schema import parse_schema
from streamer.errors import SchemaError
from streamer.records.columns import NumericColumn
from tests.unit.avro.cases import EVENTS, Case, exact, flat, nullables, primitive, read, write

GENERATED = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def record(*fields: Any, name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def resolve(writer: Any, reader: Any, *values: Any) -> Decoded:
    decoder = EventDecoder(parse_schema(reader), Framing.BARE, [parse_schema(writer)])
    return decoder.decode([write(writer, value) for value in values])


def rows(writer: Any, reader: Any, *values: Any) -> list[dict[str, Any]]:
    decoded = resolve(writer, reader, *values)
    assert decoded.failures == []
    return decoded.batch.to_rows()


@pytest.mark.parametrize(
    ("written", "wanted", "value", "expected"),
    [
        ("int", "long", -7, -7),
        ("int", "float", 7, 7.0),
        ("int", "double", -7, -7.0),
        ("long", "float", 7, 7.0),
        ("long", "double", 2**40, float(2**40)),
        ("float", "double", 0.5, 0.5),
        ("string", "bytes", "æ", "æ".encode()),
        ("bytes", "string", "æ".encode(), "æ"),
    ],
)
@pytest.mark.parametrize("shape", ["plain", "to nullable", "nullable", "null last to null first"])
def test_a_type_is_promoted(written: str, wanted: str, value: Any, expected: Any, shape: str) -> None:
    writer: Any = {"plain": written, "to nullable": written, "nullable": ["null", written]}.get(
        shape, [written, "null"]
    )
    reader: Any = wanted if shape == "plain" else ["null", wanted]
    got = rows(record(field("a", writer)), record(field("a", reader)), {"a": value})
    assert exact(got) == exact([{"a": expected}])


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("long", "int"),
        ("double", "float"),
        ("string", "long"),
        ("boolean", "int"),
        ("null", "int"),
        ("int", "null"),
        ({"type": "array", "items": "string"}, {"type": "array", "items": "int"}),
        ({"type": "array", "items": "int"}, {"type": "map", "values": "int"}),
        ({"type": "map", "values": "string"}, {"type": "map", "values": "int"}),
        ({"type": "fixed", "name": "F", "size": 2}, {"type": "fixed", "name": "F", "size": 3}),
        ({"type": "fixed", "name": "F", "size": 2}, {"type": "fixed", "name": "G", "size": 2}),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, {"type": "enum", "name": "G", "symbols": ["A"]}),
        (record(name="A"), record(name="B")),
        (record(name="A"), "int"),
        (["null", "string", "int"], ["null", record(name="A")]),
    ],
)
def test_types_that_avro_cannot_promote_are_refused_with_the_field(written: Any, wanted: Any) -> None:
    with pytest.raises(SchemaError) as refused:
        resolve(record(field("a", written)), record(field("a", wanted)))
    assert "field a" in str(refused.value)


def test_milliseconds_are_not_read_as_microseconds() -> None:
    millis = {"type": "long", "logicalType": "timestamp-millis"}
    micros = {"type": "long", "logicalType": "timestamp-micros"}
    with pytest.raises(SchemaError, match="timestamp-millis"):
        resolve(record(field("t", millis)), record(field("t", micros)))


def test_decimals_of_another_scale_are_refused() -> None:
    kinds = [{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": scale} for scale in (2, 3)]
    with pytest.raises(SchemaError, match="decimal"):
        resolve(record(field("a", kinds[0])), record(field("a", kinds[1])))


def test_bytes_can_be_read_as_decimals() -> None:
    kind = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
    assert rows(record(field("a", "bytes")), record(field("a", kind)), {"a": b"\x04\xd2"}) == [{"a": Decimal("12.34")}]


def test_fields_are_matched_by_name_whatever_their_order() -> None:
    writer = record(field("a", "int"), field("b", "string"), field("c", "double"))
    reader = record(field("c", "double"), field("a", "int"))
    assert rows(writer, reader, {"a": 1, "b": "x", "c": 2.5}) == [{"c": 2.5, "a": 1}]


def test_a_removed_field_of_any_type_is_skipped() -> None:
    kinds: list[tuple[Any, Any]] = [
        ("null", None),
        ("boolean", True),
        ("int", -5),
        ("long", 2**50),
        ("float", 1.0),
        ("double", 1.0),
        ("bytes", b"\xff"),
        ("string", "x" * 100),
        (["null", "string"], "y"),
        (["long", "null"], None),
        (["null", "int", "string"], 3),
        ({"type": "array", "items": "int"}, [1, 2]),
        ({"type": "map", "values": "int"}, {"k": 1}),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B"),
        ({"type": "fixed", "name": "F", "size": 3}, b"abc"),
        (record(field("x", "int"), field("y", ["null", "double"]), name="Inner"), {"x": 1, "y": None}),
        (["null", record(field("x", "int"), name="Other")], {"x": 1}),
    ]
    writer = record(*(field(f"f{i}", kind) for i, (kind, _) in enumerate(kinds)), field("kept", "long"))
    value = {f"f{i}": value for i, (_, value) in enumerate(kinds)} | {"kept": 42}
    assert rows(writer, record(field("kept", "long")), value, value) == [{"kept": 42}] * 2


def test_an_added_field_has_its_default_in_a_column_of_its_usual_kind() -> None:
    reader = record(
        field("a", "int"),
        field("n", ["null", "double"], default=None),
        field("d", "double", default=1),
        field("s", "string", default="hi"),
        field("b", "bytes", default="\u00ff"),
        field("e", {"type": "enum", "name": "E", "symbols": ["A", "B"]}, default="B"),
        field("l", {"type": "array", "items": "int"}, default=[1]),
        field(
            "r",
            record(field("x", "int"), field("y", ["null", "int"], default=3), name="I"),
            default={"x": 5, "y": None},
        ),
        field("o", ["null", record(field("x", "int"), name="J")], default=None),
    )
    decoded = resolve(record(field("a", "int")), reader, {"a": 1}, {"a": 2})
    expected = {"n": None, "d": 1.0, "s": "hi", "b": b"\xff", "e": "B", "l": [1], "r.x": 5, "r.y": None, "o.x": None}
    assert decoded.batch.to_rows() == [{"a": 1} | expected, {"a": 2} | expected]
    assert isinstance(decoded.batch["n"], NumericColumn)


def test_an_added_field_without_a_default_is_refused() -> None:
    with pytest.raises(SchemaError, match="no field b and the reader no default"):
        resolve(record(field("a", "int")), record(field("a", "int"), field("b", "int")))


def test_a_renamed_field_and_record_are_found_by_alias() -> None:
    reader = record(field("new", "long", aliases=["old"]), name="New", aliases=["Old"])
    assert rows(record(field("old", "int"), name="Old"), reader, {"old": 3}) == [{"new": 3}]


def test_a_namespace_does_not_matter_to_the_match() -> None:
    assert rows(record(field("a", "int"), namespace="x"), record(field("a", "int"), namespace="y"), {"a": 1}) == [
        {"a": 1}
    ]


def test_enum_symbols_are_matched_by_name_and_unknown_ones_become_the_default() -> None:
    writer = {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}
    reader = {"type": "enum", "name": "E", "symbols": ["C", "X", "A"], "default": "X"}
    values = [{"e": symbol} for symbol in "ABC"]
    assert rows(record(field("e", writer)), record(field("e", reader)), *values) == [{"e": "A"}, {"e": "X"}, {"e": "C"}]


def test_an_unknown_symbol_without_a_default_is_a_failure_of_its_row() -> None:
    writer = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
    reader = {"type": "enum", "name": "E", "symbols": ["A"]}
    decoded = resolve(record(field("e", writer)), record(field("e", reader)), {"e": "A"}, {"e": "B"})
    assert decoded.batch.to_rows() == [{"e": "A"}]
    assert [(f.row, f.reason) for f in decoded.failures] == [(1, "bad_symbol")]


@pytest.mark.parametrize("kind", ["double", "string", "long", record(field("x", "int"), name="I")])
def test_null_for_a_reader_that_does_not_admit_it_is_a_failure_of_its_row(kind: Any) -> None:
    value: Any = {"double": 1.0, "string": "s", "long": 7}.get(kind, {"x": 1}) if isinstance(kind, str) else {"x": 1}
    decoded = resolve(record(field("a", ["null", kind])), record(field("a", kind)), {"a": value}, {"a": None})
    assert decoded.good.tolist() == [0]
    assert [(f.row, f.reason) for f in decoded.failures] == [(1, "null_not_allowed")]


def test_a_general_union_resolves_value_by_value() -> None:
    decoded = resolve(
        record(field("a", ["null", "string", "int"])),
        record(field("a", ["null", "long"])),
        {"a": 3},
        {"a": "x"},
        {"a": None},
    )
    assert decoded.batch.to_rows() == [{"a": 3}, {"a": None}]
    assert [(f.row, f.reason) for f in decoded.failures] == [(1, "unresolvable")]


def test_the_kind_of_a_column_follows_from_the_reader_alone() -> None:
    reader = record(field("a", ["null", "double"], default=None), field("s", ["null", "string"], default=None))
    writers: list[Any] = [
        record(),
        record(field("a", "int")),
        record(field("a", ["double", "null"]), field("s", "bytes")),
        record(field("a", "null"), field("s", "null")),
    ]
    decoder = EventDecoder(parse_schema(reader), Framing.SINGLE_OBJECT, [parse_schema(w) for w in writers])
    values = [{}, {"a": 4}, {"a": 2.5, "s": b"x"}, {"a": None, "s": None}]
    payloads = [
        b"\xc3\x01" + parse_schema(w).fingerprint.to_bytes(8, "little") + write(w, v)
        for w, v in zip(writers, values, strict=True)
    ]
    order = [3, 1, 2, 0, 1]
    decoded = decoder.decode([payloads[i] for i in order])
    expected = [{"a": None, "s": None}, {"a": 4.0, "s": None}, {"a": 2.5, "s": "x"}, {"a": None, "s": None}]
    assert decoded.batch.to_rows() == [expected[i] for i in order]
    assert decoded.good.tolist() == [0, 1, 2, 3, 4]
    for payload in payloads:
        single = decoder.decode([payload]).batch
        assert {name: type(single[name]) for name in ("a", "s")} == {n: type(decoded.batch[n]) for n in ("a", "s")}


@st.composite
def evolutions(draw: st.DrawFn) -> tuple[Any, Any, list[Any]]:
    """A writer schema, a later reader schema, and values of the writer's."""
    case: Case = draw(EVENTS)
    fields = []
    for spec in draw(st.permutations(case.schema["fields"])):
        kind = spec["type"]
        change = draw(st.sampled_from(["keep", "keep", "drop", "promote", "rename", "to nullable"]))
        if change == "drop":
            continue
        changed = dict(spec)
        if change == "promote":
            changed["type"] = {"int": "long", "float": "double", "long": "double"}.get(str(kind), kind)
        if change == "rename":
            changed |= {"name": f"renamed_{spec['name']}", "aliases": [spec["name"]]}
        if change == "to nullable" and not isinstance(kind, list) and kind != "null":
            changed["type"] = ["null", kind]
        fields.append(changed)
    if draw(st.booleans()):
        fields.append({"name": "added", "type": draw(nullables(st.just(primitive("int")))).schema, "default": 5})
        if fields[-1]["type"][0] == "null":
            fields[-1]["default"] = None
    return case.schema, case.schema | {"fields": fields}, draw(st.lists(case.values, max_size=6))


@GENERATED
@given(evolutions())
def test_generated_evolutions_are_read_as_fastavro_reads_them(evolution: tuple[Any, Any, list[Any]]) -> None:
    writer, reader, values = evolution
    payloads = [write(writer, value) for value in values]
    decoded = EventDecoder(parse_schema(reader), Framing.BARE, [parse_schema(writer)]).decode(payloads)
    assert decoded.failures == []
    expected = [flat(reader, read(writer, payload, reader)) for payload in payloads]
    assert exact(decoded.batch.to_rows()) == exact(expected)


def test_defaults_inside_array_items_are_python_values_of_their_types() -> None:
    fixed = {"type": "fixed", "name": "F", "size": 2}
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 3, "scale": 1}
    added = [
        field("b", "bytes", default="\u00ff"),
        field("f", fixed, default="ab"),
        field("d", decimal, default="\u0001"),
        field("u", ["null", "F"], default=None),
        field("v", ["null", "F"], default="cd"),
        field("n", record(field("q", "bytes"), name="Q"), default={"q": "\u00fe"}),
        field("m", {"type": "map", "values": "double"}, default={"k": 1}),
        field("l", {"type": "array", "items": "bytes"}, default=["\u00fd"]),
    ]
    writer = record(field("a", {"type": "array", "items": record(field("x", "int"), name="I")}))
    reader = record(field("a", {"type": "array", "items": record(field("x", "int"), *added, name="I")}))
    expected = {"b": b"\xff", "f": b"ab", "d": Decimal("0.1"), "u": None, "v": b"cd", "n": {"q": b"\xfe"}}
    expected |= {"m": {"k": 1.0}, "l": [b"\xfd"]}
    assert rows(writer, reader, {"a": [{"x": 1}]}) == [{"a": [{"x": 1} | expected]}]


def test_names_in_other_namespaces_and_aliases_are_matched_inside_arrays_too() -> None:
    def items(kind: Any) -> Any:
        return record(field("a", {"type": "array", "items": kind}))

    writer = items(record(field("x", "int"), name="I", namespace="p"))
    assert rows(writer, items(record(field("x", "int"), name="I", namespace="q")), {"a": [{"x": 1}]}) == [
        {"a": [{"x": 1}]}
    ]
    renamed = items(record(field("y", "long", aliases=["x"]), name="J", aliases=["p.I"]))
    assert rows(writer, renamed, {"a": [{"x": 1}]}) == [{"a": [{"y": 1}]}]
