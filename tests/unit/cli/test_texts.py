from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import typer

from streamer.avro.schema import parse_schema
from streamer.cli.dead_letters import preview
from streamer.cli.event_text import from_csv, from_json, to_json
from streamer.cli.moments import parse_moment
from streamer.cli.printer import Printer, json_text
from streamer.cli.produce import _csv_rows as csv_rows
from streamer.cli.tail import nested, parse_condition
from streamer.cli.worker import default_slot
from streamer.client.row_encoder import RowEncoder
from streamer.errors import ConfigurationError, EncodeError

SCHEMA = parse_schema(
    {
        "type": "record",
        "name": "Row",
        "fields": [
            {"name": "id", "type": "string"},
            {"name": "n", "type": ["null", "long"], "default": None},
            {"name": "x", "type": "double", "default": 0.0},
            {"name": "flag", "type": "boolean", "default": False},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0},
            {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None},
            {
                "name": "price",
                "type": {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 2},
                "default": "\u0000",
            },
            {"name": "raw", "type": "bytes", "default": ""},
            {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []},
            {
                "name": "place",
                "type": {"type": "record", "name": "Place", "fields": [{"name": "city", "type": ["null", "string"]}]},
                "default": {"city": None},
            },
        ],
    }
)


@pytest.mark.parametrize(
    ("cells", "event"),
    [
        ({"id": "a", "n": "", "x": "1.5"}, {"id": "a", "n": None, "x": 1.5}),
        ({"id": "", "x": ""}, {"id": ""}),
        ({"n": "12"}, {"n": 12}),
        ({"n": "12.0"}, {"n": 12}),
        ({"flag": "TRUE"}, {"flag": True}),
        ({"flag": "0"}, {"flag": False}),
        ({"at": "1700000000000"}, {"at": 1_700_000_000_000}),
        ({"at": "2026-01-02T03:04:05"}, {"at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}),
        ({"day": "2026-01-02"}, {"day": date(2026, 1, 2)}),
        ({"price": "12.34"}, {"price": Decimal("12.34")}),
        ({"raw": "é"}, {"raw": b"\xe9"}),
        ({"tags": '["a", "b"]'}, {"tags": ["a", "b"]}),
        ({"place.city": "Oslo"}, {"place": {"city": "Oslo"}}),
        ({"place.city": ""}, {"place": {"city": None}}),
    ],
)
def test_csv_cells_become_what_the_schema_asks_for(cells: dict[str, str], event: dict[str, Any]) -> None:
    converted = from_csv(SCHEMA)(cells)
    assert converted == event
    RowEncoder(SCHEMA).encode({"id": "x"} | converted)


@pytest.mark.parametrize(
    "cells",
    [{"n": "many"}, {"n": "1.5"}, {"x": "far"}, {"flag": "maybe"}, {"at": "noon"}, {"tags": "["}, {"nope": "1"}],
)
def test_a_cell_that_does_not_fit_names_its_column(cells: dict[str, str]) -> None:
    with pytest.raises(EncodeError) as refused:
        from_csv(SCHEMA)(cells)
    assert refused.value.where == f"column {next(iter(cells))}"


@pytest.mark.parametrize(
    ("given", "event"),
    [
        ({"at": "2026-01-02T03:04:05Z"}, {"at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}),
        ({"at": 5}, {"at": 5}),
        ({"day": None}, {"day": None}),
        ({"day": "2026-01-02"}, {"day": date(2026, 1, 2)}),
        ({"price": "1.20"}, {"price": Decimal("1.20")}),
        ({"raw": "\u00ff"}, {"raw": b"\xff"}),
        ({"x": "Infinity"}, {"x": float("inf")}),
        ({"place": {"city": "Rome"}}, {"place": {"city": "Rome"}}),
        ({"unknown": 1}, {"unknown": 1}),
    ],
)
def test_json_values_become_what_the_schema_asks_for(given: dict[str, Any], event: dict[str, Any]) -> None:
    assert from_json(SCHEMA)(given) == event


@pytest.mark.parametrize("given", [{"at": "noon"}, {"price": "much"}, {"place": 5}, {"raw": "\u0100"}])
def test_json_that_does_not_fit_is_an_encode_error(given: dict[str, Any]) -> None:
    with pytest.raises(EncodeError):
        from_json(SCHEMA)(given)


def test_decoded_values_are_json() -> None:
    assert json_text(to_json({"a": b"\xff", "b": [Decimal("1.20")], "c": None}), indented=False) == (
        '{"a": "ÿ", "b": ["1.20"], "c": null}'
    )


def test_csv_headers_stand_for_the_fields_that_init_names_after_them() -> None:
    rows = list(csv_rows(io.StringIO("Dep Time,id\n5,a\n6\n"), {"Dep_Time", "id"}))
    assert rows[0] == (2, {"Dep_Time": "5", "id": "a"})
    assert rows[1][0] == 3
    assert isinstance(rows[1][1], EncodeError)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("1700000000", datetime.fromtimestamp(1_700_000_000, UTC)),
        ("15m", datetime(2026, 1, 1, 11, 45, tzinfo=UTC)),
        ("2d", datetime(2025, 12, 30, 12, tzinfo=UTC)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    assert parse_moment(text, now=datetime(2026, 1, 1, 12, tzinfo=UTC)) == moment


@pytest.mark.parametrize("text", ["", "noon", "99999999999999", "15y"])
def test_what_is_no_moment_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_moment(text)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("variant=canary", True),
        ("variant!=canary", False),
        ("score=0.5", True),
        ("score=0.50", True),
        ("score=far", False),
        ("late=true", True),
        ("note=null", True),
        ("text=a=b", True),
    ],
)
def test_filters(condition: str, holds: bool) -> None:
    record = {"variant": "canary", "score": 0.5, "late": True, "note": None, "text": "a=b"}
    assert parse_condition(condition)(record) is holds


def test_a_filter_on_a_field_that_is_not_there_lists_the_fields() -> None:
    with pytest.raises(typer.BadParameter, match="variant"):
        parse_condition("varaint=x")({"variant": "x"})
    with pytest.raises(typer.BadParameter, match="FIELD=VALUE"):
        parse_condition("variant")


def test_dotted_names_become_records() -> None:
    assert nested({"a": 1, "b.c": 2, "b.d.e": 3}) == {"a": 1, "b": {"c": 2, "d": {"e": 3}}}


@pytest.mark.parametrize(
    ("data", "text"),
    [(None, "-"), (b"abc", "abc"), (b"\xff\x00", "ff00"), (b"x" * 100, "x" * 57 + "..."), (b"\x1b[31m", "1b5b33316d")],
)
def test_previews_are_readable_and_harmless(data: bytes | None, text: str) -> None:
    assert preview(data) == text


@pytest.mark.parametrize(
    ("host", "slot"), [("flights-worker-3", 3), ("flights-0", 0), ("laptop", 0), ("node-3.example", 0), ("x-12", 12)]
)
def test_the_slot_is_the_ordinal_of_a_stateful_sets_host_name(host: str, slot: int) -> None:
    assert default_slot(host) == slot


def test_a_table_masks_what_a_terminal_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(as_json=False).table(("a",), [("\x1b[2Jboo",)])
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "boo" in printed


def test_where_nobody_can_be_asked_a_confirmation_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(ConfigurationError, match="not confirmed"):
        Printer(as_json=False).confirm("Delete it?", yes=False)
    Printer(as_json=False).confirm("Delete it?", yes=True)
