"""A first endpoint from a CSV file of sample events: documents to read, correct and apply."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from streamer.control.csv_columns import ColumnType, CsvColumn, read_columns
from streamer.control.yaml_reader import needs_quotes
from streamer.errors import ConfigurationError
from streamer.records.model_version import Name

_AVRO: dict[ColumnType, Any] = {
    ColumnType.boolean: "boolean",
    ColumnType.integer: "long",
    ColumnType.number: "double",
    ColumnType.timestamp: {"type": "long", "logicalType": "timestamp-millis"},
    ColumnType.text: "string",
}
_ID_NAMES = re.compile(r"(^|_)(id|uuid|guid|key)$", re.IGNORECASE)
_TIME_NAMES = re.compile(r"(time|timestamp|date|_at|_ts)$|^(ts|at)$", re.IGNORECASE)
_USER_NAMES = re.compile(r"user|customer|account|session|device|member|client|visitor|tail", re.IGNORECASE)
_EPOCH_MS = range(946_684_800_000, 4_102_444_800_000)  # 2000 to 2100


@dataclass(frozen=True, slots=True)
class FirstEndpoint:
    """The files of a first endpoint, and what its author should look at.

    Attributes:
        files: File name to text: the endpoint document and two schemas.
        columns: What the sample's columns were taken for.
        id: The field chosen to identify events.
        time: The field chosen as event time; None: the record's Kafka timestamp.
        bucket_by: The field chosen to keep a user with a variant; None: the id.
        to_check: What was guessed, in sentences.
    """

    files: dict[str, str]
    columns: tuple[CsvColumn, ...]
    id: str
    time: str | None
    bucket_by: str | None
    to_check: tuple[str, ...]


def first_endpoint(name: str, sample: Path) -> FirstEndpoint:
    """Drafts the documents; writes nothing.

    Raises:
        ConfigurationError: The name cannot be one, or the sample cannot be read.
    """
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        advice = "Use letters, digits, '.', '_' and '-', beginning with a letter or digit"
        raise ConfigurationError(f"{name!r} cannot be the name of an endpoint", advice=advice) from error
    columns = read_columns(sample)
    id_column, id_note = _choose_id(columns)
    time_column, time_note = _choose_time(columns)
    bucket_column, bucket_note = _choose_bucket(columns, id_column)
    record = _record_name(name)
    notes = (id_note, time_note, bucket_note, *_type_notes(columns))
    fields = [_field(column, id_column, time_column) for column in columns]
    event_schema = {"type": "record", "name": f"{record}Event", "namespace": "streamer.events", "fields": fields}
    output_schema = {
        "type": "record",
        "name": f"{record}Output",
        "namespace": "streamer.outputs",
        "fields": [
            {"name": "prediction", "type": "double", "doc": "Name and type it as your model answers; add more fields."}
        ],
    }
    time = time_column.name if time_column is not None else None
    bucket_by = bucket_column.name if bucket_column is not None else None
    files = {
        f"{name}.yaml": _endpoint_yaml(name, id_column.name, time, bucket_by, notes),
        f"{name}.event.avsc": json.dumps(event_schema, indent=2, ensure_ascii=False) + "\n",
        f"{name}.output.avsc": json.dumps(output_schema, indent=2, ensure_ascii=False) + "\n",
    }
    return FirstEndpoint(files, tuple(columns), id_column.name, time, bucket_by, notes)


def write(endpoint: FirstEndpoint, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Writes the files; all of them, or none if one exists already.

    Raises:
        ConfigurationError: A file exists, or cannot be written.
    """
    paths = {folder / name: text for name, text in endpoint.files.items()}
    existing = [path.name for path in paths if path.exists()]
    if existing and not overwrite:
        advice = "Choose another folder or name, or allow overwriting"
        raise ConfigurationError(f"{', '.join(existing)} would be overwritten", where=str(folder), advice=advice)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write the files: {error.strerror}", where=str(folder)) from error
    return list(paths)


def _choose_id(columns: list[CsvColumn]) -> tuple[CsvColumn, str]:
    fit = [column for column in columns if column.type in (ColumnType.text, ColumnType.integer)]
    unique = [column for column in fit if column.is_unique]
    named = [column for column in unique if _ID_NAMES.search(column.name)]
    if named or unique:
        chosen = (named or unique)[0]
        return chosen, f"id: {chosen.name} is different in every row of the sample; is it so in all events?"
    if not fit:
        raise ConfigurationError(
            "no column of the sample can identify an event: none is text or whole numbers",
            advice="Add a column with an id of each event",
        )
    chosen = next((column for column in fit if _ID_NAMES.search(column.name)), fit[0])
    return chosen, f"id: NO column of text or whole numbers is unique; {chosen.name} is only a guess. Add an id."


def _choose_time(columns: list[CsvColumn]) -> tuple[CsvColumn | None, str]:
    stamps = [column for column in columns if column.type is ColumnType.timestamp]
    if stamps:
        chosen = next((column for column in stamps if not column.nullable), stamps[0])
        return chosen, f"time: {chosen.name}, sent as milliseconds since 1970 (timestamp-millis), UTC."
    longs = [column for column in columns if column.type is ColumnType.integer and _TIME_NAMES.search(column.name)]
    epochs = [column for column in longs if int(column.example or 0) in _EPOCH_MS]
    if epochs:
        return epochs[0], f"time: {epochs[0].name} looks like milliseconds since 1970."
    return None, "time: no column looks like a time, so the record's Kafka timestamp is taken."


def _choose_bucket(columns: list[CsvColumn], id_column: CsvColumn) -> tuple[CsvColumn | None, str]:
    fit = [
        column
        for column in columns
        if column.type in (ColumnType.text, ColumnType.integer)
        and column is not id_column
        and _USER_NAMES.search(column.name)
    ]
    if fit:
        name = fit[0].name
        return fit[0], f"bucket_by: {name} keeps each {name} with one variant; remove it to deal by event."
    return None, "bucket_by: not set, so variants are dealt by event; name the user's field to keep users together."


def _type_notes(columns: list[CsvColumn]) -> list[str]:
    notes = []
    renamed = [f"{column.header!r} -> {column.name}" for column in columns if column.header != column.name]
    if renamed:
        notes.append(f"names: Avro admits letters, digits and _ only: {', '.join(renamed)}.")
    empty = [column.name for column in columns if not column.values]
    if empty:
        notes.append(f"types: {', '.join(empty)}: no value in the sample, taken for nullable text.")
    return notes


def _field(column: CsvColumn, id_column: CsvColumn, time_column: CsvColumn | None) -> dict[str, Any]:
    avro = _AVRO[column.type]
    if column is time_column and column.type is ColumnType.integer:
        avro = _AVRO[ColumnType.timestamp]
    if column.nullable and column is not id_column:
        return {"name": column.name, "type": ["null", avro], "default": None}
    return {"name": column.name, "type": avro}


def _record_name(name: str) -> str:
    words = re.split(r"[^A-Za-z0-9]+", name)
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return joined if joined[:1].isalpha() else f"E{joined}"


def _endpoint_yaml(name: str, id: str, time: str | None, bucket_by: str | None, notes: tuple[str, ...]) -> str:
    check = "\n".join(f"#   - {note}" for note in notes)
    events = [f"  schema: {name}.event.avsc", "  framing: single_object", f"  id: {_quoted(id)}"]
    events += [f"  time: {_quoted(time)}"] if time is not None else []
    events += [f"  bucket_by: {_quoted(bucket_by)}"] if bucket_by is not None else []
    return f"""\
# The endpoint {name}, drafted from a sample. Look at what was guessed, then: streamer apply {name}.yaml
{check}
#   - output: {name}.output.avsc lists what a model of this endpoint answers; the draft has one number.
kind: endpoint
name: {_quoted(name)}
reason: first version
events:
{chr(10).join(events)}
output:
  schema: {name}.output.avsc
"""


def _quoted(text: str) -> str:
    return json.dumps(text) if needs_quotes(text) else text
