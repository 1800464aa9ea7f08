"""Paths into events."""

from __future__ import annotations

import pytest

from streamer.avro.schema import parse_schema
from streamer.errors import ModelInvalid
from streamer.runtimes.field_path import Key, Slice, parse_path, resolve_path, value_at
from tests.unit.runtimes.array_model import record

EVENT = parse_schema(
    record(
        distance="double",
        address=["null", record("place", city="string", position=record("point", x="double"))],
        readings={"type": "array", "items": "float"},
        legs={"type": "array", "items": record("leg", carrier="string")},
        attributes={"type": "map", "values": "int"},
        either=["null", "long", "double"],
    )
).root


@pytest.mark.parametrize(
    ("path", "column", "steps", "may_be_null", "width"),
    [
        ("distance", "distance", (), False, 1),
        ("address.city", "address.city", (), True, 1),
        ("address.position.x", "address.position.x", (), True, 1),
        ("readings[3]", "readings", (3,), True, 1),
        ("readings[0:16]", "readings", (Slice(0, 16),), True, 16),
        ('attributes["colour"]', "attributes", (Key("colour"),), True, 1),
        ("attributes['a b']", "attributes", (Key("a b"),), True, 1),
        ("legs[0].carrier", "legs", (0, "carrier"), True, 1),
        ("either", "either", (), True, 1),
    ],
)
def test_a_path_names_a_column_and_the_way_inside_it(
    path: str, column: str, steps: tuple[object, ...], may_be_null: bool, width: int
) -> None:
    source = resolve_path(path, EVENT)
    assert (source.column, source.steps, source.nullable, source.width) == (column, steps, may_be_null, width)


@pytest.mark.parametrize(
    "path", ["", ".a", "a.", "a..b", "a[", "a[]", "a[-1]", "a[1:0]", "a[0:999999999]", "a b", "a[0:2][1]", "a['x\"]"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ModelInvalid):
        parse_path(path)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("distanc", "no field 'distanc'"),
        ("address.town", "no field 'town'"),
        ("distance.x", "'x' would be a field, but there is a double"),
        ("distance[0]", "an index needs an array, and there is a double"),
        ('readings["a"]', "needs a map, and there is an array of float"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_is_there_instead(path: str, says: str) -> None:
    with pytest.raises(ModelInvalid, match=says.replace("[", r"\[")):
        resolve_path(path, EVENT)


def test_a_missing_field_is_answered_with_those_that_exist() -> None:
    with pytest.raises(ModelInvalid) as caught:
        resolve_path("address.town", EVENT)
    assert caught.value.advice == "Fields of place: city, position."


def test_values_are_followed_through_lists_and_maps_and_missing_ones_are_null() -> None:
    assert value_at([1.0, 2.0], (1,)) == 2.0
    assert value_at([1.0], (1,)) is None
    assert value_at(None, (1,)) is None
    assert value_at([1, 2, 3], (Slice(1, 9),)) == [2, 3]
    assert value_at({"a": 1}, (Key("b"),)) is None
    assert value_at([{"carrier": "UA"}], (0, "carrier")) == "UA"
