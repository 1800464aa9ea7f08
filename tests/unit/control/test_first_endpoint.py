"""A first endpoint from a CSV: types, id, time and user guessed, and said; the result is a sound document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.control.csv_columns import ColumnType, avro_name, read_columns
from streamer.control.document_files import load_documents
from streamer.control.first_endpoint import first_endpoint, write
from streamer.control.resolve import resolve
from streamer.errors import ConfigurationError
from streamer.registry.catalogue import Catalogue
from streamer.routing.admission import Admission
from streamer.routing.documents import EndpointDocument
from streamer.routing.validation import endpoint_problems

SAMPLE = """\
flight id,departed_at,tail_number,distance,dep delay,is_holiday,zip,note
1,2013-01-01T05:17:00Z,N14228,1400,2.5,true,07001,
2,2013-01-01T05:33:00Z,N24211,1416,,false,07002,
3,2013-01-01T05:42:00Z,,1089,1e1,TRUE,10001,
"""


def sample(folder: Path, text: str) -> Path:
    (folder / "sample.csv").write_text(text, encoding="utf-8")
    return folder / "sample.csv"


def fields_of(folder: Path, text: str) -> dict[str, Any]:
    drafted = first_endpoint("flights", sample(folder, text))
    schema = json.loads(drafted.files["flights.event.avsc"])
    return {field["name"]: field["type"] for field in schema["fields"]}


def test_the_draft_is_a_sound_endpoint(tmp_path: Path) -> None:
    drafted = first_endpoint("flights", sample(tmp_path, SAMPLE))
    write(drafted, tmp_path / "new")
    (authored,) = load_documents(tmp_path / "new" / "flights.yaml")
    resolved = resolve(authored, catalogue=Catalogue(), admission=Admission(), topic_prefix="p.", author="ann")
    assert isinstance(resolved, EndpointDocument)
    assert endpoint_problems(resolved) == []
    assert (resolved.events.id, resolved.events.time, resolved.events.bucket_by) == (
        "flight_id",
        "departed_at",
        "tail_number",
    )


def test_types_follow_from_the_values(tmp_path: Path) -> None:
    assert fields_of(tmp_path, SAMPLE) == {
        "flight_id": "long",
        "departed_at": {"type": "long", "logicalType": "timestamp-millis"},
        "tail_number": ["null", "string"],
        "distance": "long",
        "dep_delay": ["null", "double"],
        "is_holiday": "boolean",
        "zip": "string",
        "note": ["null", "string"],
    }


def test_what_was_guessed_is_said_in_the_document(tmp_path: Path) -> None:
    drafted = first_endpoint("flights", sample(tmp_path, SAMPLE))
    text = drafted.files["flights.yaml"]
    for part in ("id: flight_id", "time: departed_at", "bucket_by: tail_number", "'dep delay' -> dep_delay", "note"):
        assert any(part in note for note in drafted.to_check)
    assert all(f"#   - {note}" in text for note in drafted.to_check)


def test_without_a_unique_column_the_guess_is_called_one(tmp_path: Path) -> None:
    drafted = first_endpoint("x", sample(tmp_path, "a,b\n1,x\n1,x\n"))
    assert "only a guess" in drafted.to_check[0]
    assert drafted.time is None
    assert "Kafka timestamp" in drafted.to_check[1]


def test_epoch_milliseconds_are_a_time(tmp_path: Path) -> None:
    text = "id,event_ts\na,1700000000000\nb,1700000000001\n"
    assert fields_of(tmp_path, text)["event_ts"] == {"type": "long", "logicalType": "timestamp-millis"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", "+3"], ColumnType.integer),
        (["1", "2.5"], ColumnType.number),
        (["1e5", ".5", "-inf", "nan"], ColumnType.number),
        (["007", "123"], ColumnType.text),
        (["0", "1"], ColumnType.integer),
        (["true", "False"], ColumnType.boolean),
        (["2013-01-01", "2013-01-01 05:00:00"], ColumnType.timestamp),
        (["20130101", "20130102"], ColumnType.integer),
        (["12345678901234567890123"], ColumnType.number),
        (["", "NA"], ColumnType.text),
        (["1", "x"], ColumnType.text),
        (["1_000"], ColumnType.text),
    ],
)
def test_each_type_is_known_by_all_its_values(tmp_path: Path, values: list[str], expected: ColumnType) -> None:
    rows = "".join(f"{number},{value}\n" for number, value in enumerate(values))
    assert read_columns(sample(tmp_path, f"id,v\n{rows}"))[1].type is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no header"),
        (",,\n1,2,3\n", "no header"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n1,2,3\n", r"sample.csv:3: 3 values for 2 columns"),
        ("a\n1.5\n2.5\n", "can identify an event"),
    ],
)
def test_samples_that_cannot_be_read_are_refused_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        first_endpoint("x", sample(tmp_path, text))


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        first_endpoint("x", tmp_path / "b.csv")
    with pytest.raises(ConfigurationError, match="cannot read"):
        first_endpoint("x", tmp_path / "missing.csv")


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "x" * 200])
def test_names_that_cannot_be_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        first_endpoint(name, sample(tmp_path, SAMPLE))


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    drafted = first_endpoint("flights", sample(tmp_path, SAMPLE))
    write(drafted, tmp_path)
    with pytest.raises(ConfigurationError, match=r"flights\.yaml"):
        write(drafted, tmp_path)
    assert len(write(drafted, tmp_path, overwrite=True)) == 3


@given(st.lists(st.text(max_size=12), max_size=8))
def test_every_header_becomes_a_name_of_its_own(headers: list[str]) -> None:
    taken: set[str] = set()
    for header in headers:
        name = avro_name(header, taken)
        assert name not in taken
        assert name.isascii()
        assert name.isidentifier()
        taken.add(name)
