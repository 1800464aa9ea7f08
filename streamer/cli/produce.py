"""``streamer produce``: events from a file or a pipe onto a topic."""

from __future__ import annotations

import csv
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from streamer.cli.session import Session, command
from streamer.errors import ConfigurationError, EncodeError

if TYPE_CHECKING:
    from collections.abc import Callable


_TICK_SECONDS = 0.01
_AT_ONCE = 1000


class InputForm(StrEnum):
    """How events are written down."""

    auto = "auto"
    json = "json"
    csv = "csv"


def add_to(app: typer.Typer) -> None:
    """Adds the command to the root."""
    command(app, "produce")(produce)


def produce(
    session: Session,
    source: Annotated[
        str, typer.Argument(metavar="[FILE]", help="JSON lines or CSV with a header; - is standard input.")
    ] = "-",
    endpoint: Annotated[str | None, typer.Option(help="The endpoint whose events these are.")] = None,
    topic: Annotated[str | None, typer.Option(help="A topic, instead of --endpoint.")] = None,
    schema: Annotated[Path | None, typer.Option(help="The .avsc file to write with; needed with --topic.")] = None,
    framing: Annotated[str, typer.Option(help="With --topic: single_object, confluent or bare.")] = "single_object",
    key: Annotated[str | None, typer.Option(help="The field that is the key. Default: the endpoint's.")] = None,
    form: Annotated[InputForm, typer.Option("--format", help="Default: by the file's name, else JSON.")] = (
        InputForm.auto
    ),
    rate: Annotated[float | None, typer.Option(help="Events per second. Default: as fast as it goes.", min=0.001)] = (
        None
    ),
    maximum: Annotated[int | None, typer.Option("--max", help="Stop after so many.", min=1)] = None,
    ignore_extra: Annotated[
        bool, typer.Option("--ignore-extra", help="Leave out columns and keys that the schema does not have.")
    ] = False,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave out events that do not fit the schema, and count them.")
    ] = False,
) -> None:
    """Send events: JSON lines or CSV in, Avro out, with the endpoint's schema, key and partition.

    Texts become what the schema asks for: ISO 8601 moments, numbers in CSV. An empty CSV cell is null.

    \b
    Example:
      streamer produce day.csv --endpoint flights --rate 1000
      head -5 events.jsonl | streamer produce --endpoint flights
      streamer produce clicks.jsonl --topic clicks --schema click.avsc --key user
    """
    from streamer.cli.event_text import from_csv, from_json
    from streamer.client import EventProducer

    if (endpoint is None) == (topic is None):
        raise typer.BadParameter("say where to: --endpoint NAME, or --topic TOPIC with --schema FILE")
    printer = session.printer
    reads_csv = form is InputForm.csv or (form is InputForm.auto and source.lower().endswith(".csv"))
    started = time.monotonic()
    sent = invalid = 0
    with ExitStack() as stack:
        lines = stack.enter_context(_opened(source))
        producer = stack.enter_context(
            EventProducer(endpoint, settings=session.settings, topic=topic, schema=schema, framing=framing, key=key)
        )
        progress = stack.enter_context(_progress(lines, source))
        convert: Callable[[Any], dict[str, Any]] = (from_csv if reads_csv else from_json)(producer.schema)
        known = {path.partition(".")[0] for path in producer.fields} | set(producer.fields)
        records = _csv_rows(lines, known) if reads_csv else _json_objects(lines)
        for number, raw in records:
            try:
                record = _checked(raw)
                if ignore_extra:
                    record = {name: value for name, value in record.items() if name in known}
                event = convert(record)
                producer.send(event)
            except EncodeError as error:
                if skip_invalid:
                    invalid += 1
                    continue
                where = f"{_name(source)}:{number}" + (f", {error.where}" if error.where else "")
                advice = error.advice or "Correct it, or pass --skip-invalid"
                raise EncodeError(error.what, where=where, advice=advice) from error
            sent += 1
            if sent % _AT_ONCE == 0 or rate is not None:
                progress(sent)
            if rate is not None:
                _keep_pace(sent, rate, started)
            if maximum is not None and sent >= maximum:
                break
        producer.flush()
        progress(sent)
    seconds = time.monotonic() - started
    if printer.as_json:
        result = {"topic": producer.topic, "sent": sent, "invalid": invalid, "seconds": round(seconds, 3)}
        printer.document(result)
    else:
        left_out = f", left out {invalid} that do not fit the schema" if invalid else ""
        printer.text(f"sent {sent:,} events to {producer.topic} in {seconds:.1f} s{left_out}")


def _keep_pace(sent: int, rate: float, started: float) -> None:
    """Waits until event number ``sent`` + 1 is due. A late start is made up for, so that the mean rate is kept."""
    ahead_seconds = started + sent / rate - time.monotonic()
    if ahead_seconds > _TICK_SECONDS:
        threading.Event().wait(ahead_seconds)


@contextmanager
def _opened(source: str) -> Iterator[IO[str]]:
    if source == "-":
        yield sys.stdin
        return
    try:
        with Path(source).open(encoding="utf-8-sig", newline="") as file:
            yield file
    except OSError as error:
        raise ConfigurationError(
            f"the file cannot be read: {error.strerror}", where=source, advice="Check the path"
        ) from error


def _name(source: str) -> str:
    return "standard input" if source == "-" else source


def _json_objects(lines: IO[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, EncodeError(f"not a JSON object: {error}")


def _csv_rows(lines: IO[str], known: set[str]) -> Iterator[tuple[int, Any]]:
    """Rows by field. A header that is no field stands for the field that `streamer init` would have named after it."""
    from streamer.control.csv_columns import avro_name

    reader = csv.DictReader(lines)
    names: list[str] = []
    for header in reader.fieldnames or ():
        names.append(header if header in known else avro_name(header, set(names)))
    reader.fieldnames = names
    for row in reader:
        if None in row or None in row.values():
            yield reader.line_num, EncodeError("the row has more or fewer cells than the header")
        else:
            yield reader.line_num, row


def _checked(raw: Any) -> Any:
    """What was read, unless reading failed or it is no object."""
    if isinstance(raw, EncodeError):
        raise raw
    if not isinstance(raw, dict):
        raise EncodeError("not a JSON object", advice='Write one object a line: {"field": value, ...}')
    return raw


@contextmanager
def _progress(lines: IO[str], source: str) -> Iterator[Callable[[int], None]]:
    """A bar on standard error while it is a terminal; silent elsewhere."""
    if not sys.stderr.isatty():
        yield lambda sent: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    total = Path(source).stat().st_size if source != "-" else None
    columns = (TextColumn("{task.fields[sent]:,} events"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, sent=0)

        def show(sent: int) -> None:
            # The buffer below the text knows how far the file was read; text itself does not while it is iterated.
            done = lines.buffer.tell() if total is not None and hasattr(lines, "buffer") else None
            progress.update(task, sent=sent, completed=done)

        yield show
