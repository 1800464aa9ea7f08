"""``streamer tail``: the records of any Avro topic, decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from streamer.cli.moments import parse_moment
from streamer.cli.session import Session, command

if TYPE_CHECKING:
    from streamer.avro.decoder import EventDecoder
    from streamer.client.avro_topic import AvroTopic
    from streamer.kafka.log import LogRecord
    from streamer.kafka.record_reader import RecordReader

_POLL_SECONDS = 0.25
_BATCH_RECORDS = 500


class Stream(StrEnum):
    """Which topic of an endpoint."""

    inferences = "inferences"
    events = "events"
    shadow = "shadow"


def add_to(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, "tail")(tail)


def tail(
    session: Session,
    endpoint: Annotated[str | None, typer.Option(help="The endpoint whose records are shown.")] = None,
    stream: Annotated[Stream, typer.Option(help="Which of the endpoint's topics.")] = Stream.inferences,
    topic: Annotated[str | None, typer.Option(help="Any Avro topic, instead of --endpoint.")] = None,
    schema: Annotated[
        Path | None, typer.Option(help="With --topic: its .avsc file. Default: the Schema Registry's newest.")
    ] = None,
    framing: Annotated[
        str | None,
        typer.Option(help="With --topic: single_object (default with --schema), bare or confluent."),
    ] = None,
    start: Annotated[
        str, typer.Option("--from", help="beginning, end, 2026-01-31T12:00, epoch seconds, or 15m (ago).")
    ] = "beginning",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more at the end.")] = False,
    maximum: Annotated[int | None, typer.Option("--max", "-n", help="Stop after so many.", min=1)] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="FIELD=VALUE", help="Only records with this value; != for other than it."),
    ] = None,
    field: Annotated[list[str] | None, typer.Option("--field", help="Show only this field; again for more.")] = None,
) -> None:
    """Show records, decoded: inferences of an endpoint, its events, or any Avro topic.

    Only committed records are shown. One line a record; with `--output json` one JSON object a line.

    \b
    Example:
      streamer tail --endpoint flights --follow --filter variant=canary
      streamer tail --endpoint flights --stream events --from 15m --max 10
      streamer tail --topic clicks --schema click.avsc --output json | jq .value.user
    """
    from streamer.kafka.record_reader import RecordReader

    conditions = [parse_condition(text) for text in where or ()]
    source = _source(session, endpoint, stream, topic, schema, framing)
    moment: Literal["beginning", "end"] | datetime
    moment = start if start in ("beginning", "end") else parse_moment(start)  # type: ignore[assignment]  # just tested
    shown = 0
    with ExitStack() as resources:
        decoder = source.decoder(session.settings, resources)
        reader = RecordReader(session.settings.kafka, source.name, start=moment)
        resources.callback(reader.close)
        for record, value, problem in _records(reader, decoder, follow):
            if value is None and conditions:
                continue
            if value is not None and not all(condition(value) for condition in conditions):
                continue
            _show(session, record, _chosen(value, field), problem)
            shown += 1
            if maximum is not None and shown >= maximum:
                break
    if not shown and not session.as_json:
        session.printer.note(f"no such record in {source.name}")


def parse_condition(text: str) -> Callable[[dict[str, Any]], bool]:
    """What ``field=value`` or ``field!=value`` asks of a decoded record.

    Numbers are compared as numbers; ``null`` is null.

    Raises:
        typer.BadParameter: There is no ``=`` in it.
    """
    name, sign, wanted = text.partition("=")
    if not sign or not name.rstrip("!"):
        raise typer.BadParameter(f"{text!r} is not FIELD=VALUE", param_hint="--filter")
    negated = name.endswith("!")
    name = name.rstrip("!")

    def holds(record: dict[str, Any]) -> bool:
        if name not in record:
            fields = ", ".join(record)
            raise typer.BadParameter(f"there is no field {name!r}; the fields are {fields}", param_hint="--filter")
        return _equals(record[name], wanted) != negated

    return holds


def _equals(value: Any, wanted: str) -> bool:
    if value is None:
        return wanted == "null"
    if isinstance(value, bool):
        return wanted.lower() == str(value).lower()
    if isinstance(value, int | float):
        try:
            return float(wanted) == value
        except ValueError:
            return False
    return str(value) == wanted


def _source(
    session: Session,
    endpoint: str | None,
    stream: Stream,
    topic: str | None,
    schema: Path | None,
    framing: str | None,
) -> AvroTopic:
    from streamer.client.avro_topic import AvroTopic, events_topic, load_schema, open_registry, parse_framing
    from streamer.client.endpoint_lookup import find_endpoint
    from streamer.client.inference_consumer import inference_topic

    if (endpoint is None) == (topic is None):
        raise typer.BadParameter("say which: --endpoint NAME or --topic TOPIC")
    if endpoint is not None:
        document = find_endpoint(session.settings.kafka, endpoint)
        if stream is Stream.events:
            return events_topic(document)
        return inference_topic(document, shadows=stream is Stream.shadow)
    assert topic is not None
    if schema is not None:
        return AvroTopic(topic, load_schema(schema), parse_framing(framing or "single_object"))
    with open_registry(session.settings, topic) as registry:
        newest = registry.version(f"{topic}-value")
    return AvroTopic(topic, load_schema(newest.schema), parse_framing(framing or "confluent"))


def _records(
    reader: RecordReader, decoder: EventDecoder, follow: bool
) -> Iterator[tuple[LogRecord, dict[str, Any] | None, str | None]]:
    """Each record with its decoded value, or with why it cannot be decoded."""
    while True:
        records = reader.poll(_BATCH_RECORDS, _POLL_SECONDS)
        if records:
            headers = [record.headers for record in records] if any(record.headers for record in records) else None
            decoded = decoder.decode([record.value for record in records], headers)
            values = dict(zip(decoded.good.tolist(), decoded.batch.to_rows(), strict=True))
            problems = {failure.row: f"{failure.reason}: {failure.message}" for failure in decoded.failures}
            for row, record in enumerate(records):
                yield record, values.get(row), problems.get(row)
        elif not follow and reader.at_end():
            return


def _chosen(value: dict[str, Any] | None, fields: list[str] | None) -> dict[str, Any] | None:
    if value is None or not fields:
        return value
    for field in fields:
        if field not in value:
            names = ", ".join(value)
            raise typer.BadParameter(f"there is no field {field!r}; the fields are {names}", param_hint="--field")
    return {field: value[field] for field in fields}


def _show(session: Session, record: LogRecord, value: dict[str, Any] | None, problem: str | None) -> None:
    from streamer.cli.dead_letters import preview
    from streamer.cli.event_text import to_json

    if session.as_json:
        session.printer.line(
            {
                "partition": record.partition,
                "offset": record.offset,
                "timestamp_ms": record.timestamp_ms,
                "key": None if record.key is None else preview(record.key),
                "headers": {name: preview(content) for name, content in record.headers},
                **({"value": nested(to_json(value))} if value is not None else {"error": problem}),
            }
        )
        return
    clock = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
    text = f"cannot be decoded: {problem}"
    if value is not None:
        text = " ".join(f"{name}={_short(cell)}" for name, cell in value.items())
    session.printer.text(f"{clock} [{record.partition}]@{record.offset} {preview(record.key)} {text}")


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """A record with dotted names as records in each other."""
    result: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, leaf = path.split(".")
        record = result
        for parent in parents:
            record = record.setdefault(parent, {})
        record[leaf] = value
    return result


def _short(cell: Any) -> str:
    if cell is None:
        return "null"
    if isinstance(cell, float):
        return f"{cell:.6g}"
    text = repr(cell) if isinstance(cell, list | dict | bytes) else str(cell)
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
