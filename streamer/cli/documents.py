"""``streamer resolve | get | diff | history | delete``: look at documents, and remove them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamer.cli.apply import Author, author_name, document_key_of, load
from streamer.cli.session import Session, command

if TYPE_CHECKING:
    from streamer.control.diff import Change

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="An endpoint, for its routing; or endpoint/NAME, for its document.")
]


class SchemaOf(StrEnum):
    """One of an endpoint's schemas: of its events, its output record, or the whole inference around that."""

    events = "events"
    output = "output"
    inference = "inference"


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the root."""
    command(app, "resolve")(resolve)
    command(app, "get")(get)
    command(app, "diff")(diff)
    command(app, "history")(history)
    command(app, "delete")(delete)


def resolve(
    session: Session,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="YAML or JSON; - is standard input.")],
    author: Author = None,
) -> None:
    """Print what `apply` would publish: selectors as UUIDs with hashes, schemas and model versions inlined.

    One line a document: key, tab, JSON. Published by any Kafka client to the config topic it counts the same.

    \b
    Example:
      streamer resolve flights.yaml | kcat -b $KAFKA -t streamer.config -P -K '\\t' -p 0
      streamer resolve flights.yaml --output json | jq .
    """
    import json

    from streamer.control.config_log import read_admission_or_empty
    from streamer.control.model_sources import read_catalogue
    from streamer.control.resolve import resolve as resolve_document
    from streamer.routing.documents import document_key, to_json

    kafka = session.settings.kafka
    admission, catalogue = read_admission_or_empty(kafka), read_catalogue(kafka)
    resolved = [
        resolve_document(
            document,
            catalogue=catalogue,
            admission=admission,
            topic_prefix=kafka.topic_prefix,
            author=author_name(author),
        )
        for document in load(files)
    ]
    resolved.sort(key=document_key)  # endpoints before routings
    if session.as_json:
        contents = [{"key": document_key(one), "document": json.loads(to_json(one))} for one in resolved]
        session.printer.document({"topic": kafka.config_topic, "documents": contents})
        return
    for document in resolved:
        session.printer.text(f"{document_key(document)}\t{to_json(document).decode()}")


def get(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="An endpoint, for its routing; or endpoint/NAME.")
    ] = None,
    revision: Annotated[int | None, typer.Option(help="An earlier revision.", min=1)] = None,
    schema: Annotated[
        SchemaOf | None, typer.Option(help="Print an endpoint's Avro schema instead, as an .avsc file.")
    ] = None,
) -> None:
    """Print the document that counts now, or list all.

    \b
    Example:
      streamer get
      streamer get flights > routing.yaml
      streamer get endpoint/flights --revision 1
      streamer get endpoint/flights --schema inference > flights.inference.avsc
    """
    from streamer.control.config_log import read_admission
    from streamer.control.get import current, list_documents, to_yaml
    from streamer.control.history import revision_of

    kafka, printer = session.settings.kafka, session.printer
    if name is None:
        documents = list_documents(kafka)
        if printer.as_json:
            printer.document([_admitted_json(one) for one in documents])
            return
        rows = [(one.key, one.revision, _time(one.timestamp_ms), one.author, one.reason) for one in documents]
        printer.table(("document", "revision", "since", "author", "reason"), rows, empty="no documents yet")
        return
    key = document_key_of(name) if schema is None else f"endpoint/{name.removeprefix('endpoint/')}"
    admission = read_admission(kafka)
    found = current(admission, key) if revision is None else revision_of(admission, key, revision)
    if schema is not None:
        printer.document(_schema_of(found.document, schema))
        return
    if printer.as_json:
        printer.document(_admitted_json(found) | {"document": found.document})
        return
    printer.note(f"# {key}, revision {found.revision}, by {found.author or 'unknown'} on {_time(found.timestamp_ms)}")
    printer.text(to_yaml(found.document))


def diff(
    session: Session,
    what: Annotated[str, typer.Argument(metavar="FILE|NAME", help="A file, compared with what counts now; or a name.")],
    before: Annotated[int | None, typer.Option("--from", help="With a name: the earlier revision.", min=1)] = None,
    after: Annotated[int | None, typer.Option("--to", help="With a name: the later one. Default: now.", min=1)] = None,
) -> None:
    """Show what a file would change, or what changed between two revisions.

    \b
    Example:
      streamer diff flights.yaml
      streamer diff flights --from 3 --to 5
    """
    from pathlib import Path

    changes = _between_revisions(session, what, before, after) if not Path(what).is_file() else _of_file(session, what)
    if session.as_json:
        session.printer.document(
            [
                {"key": key, "path": change.path, "before": change.before, "after": change.after}
                for key, each in changes.items()
                for change in each
            ]
        )
        return
    for key, each in changes.items():
        session.printer.text(f"{key}:" if each else f"{key}: unchanged")
        for change in each:
            session.printer.text(f"  {change}")


def history(session: Session, name: Name) -> None:
    """Show who changed what, when and why, refused attempts too.

    \b
    Example:
      streamer history flights
      streamer history endpoint/flights --output json
    """
    from streamer.control.history import history as read_history

    key = document_key_of(name)
    entries = read_history(session.settings.kafka, key)
    printer = session.printer
    if printer.as_json:
        printer.document(
            [
                {
                    "outcome": entry.outcome,
                    "revision": entry.revision,
                    "based_on": entry.based_on,
                    "offset": entry.offset,
                    "at": entry.at,
                    "author": entry.author,
                    "text": entry.text,
                }
                for entry in entries
            ]
        )
        return
    rows = [
        (entry.revision, entry.outcome, entry.at.strftime("%Y-%m-%d %H:%M:%S"), entry.author or None, entry.text)
        for entry in entries
    ]
    printer.table(("revision", "outcome", "at (UTC)", "author", "reason"), rows, empty=f"{key} has no history")


def delete(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="routing/NAME|endpoint/NAME", help="The document, with its kind.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a document: workers stop serving it. Its history, its topics and their records stay.

    Deleting an endpoint deletes its routing too.

    \b
    Example:
      streamer delete routing/flights
      streamer delete endpoint/flights --yes
    """
    from streamer.control.delete import delete as delete_document

    if not name.startswith(("routing/", "endpoint/")):
        raise typer.BadParameter(f"say which: routing/{name} or endpoint/{name}")
    session.printer.confirm(f"Delete {name}? Its workers stop serving it.", yes=yes)
    deleted = delete_document(session.settings.kafka, name)
    if session.as_json:
        session.printer.document({"key": name, "deleted": True, "revision": deleted.revision})
    else:
        session.printer.text(f"{name}: deleted (revision {deleted.revision})")


def _schema_of(document: Any, which: SchemaOf) -> Any:
    from streamer.avro.envelope import inference_schema

    if which is SchemaOf.events:
        return document.events.schema_
    if which is SchemaOf.output:
        return document.output.schema_
    return inference_schema(document.name, document.output.schema_)


def _of_file(session: Session, path: str) -> dict[str, list[Change]]:
    from streamer.control.config_log import read_admission_or_empty
    from streamer.control.diff import diff as changes_between
    from streamer.control.model_sources import read_catalogue
    from streamer.control.resolve import resolve as resolve_document

    kafka = session.settings.kafka
    admission, catalogue = read_admission_or_empty(kafka), read_catalogue(kafka)
    changes = {}
    for document in load([path]):
        resolved = resolve_document(
            document, catalogue=catalogue, admission=admission, topic_prefix=kafka.topic_prefix, author=""
        )
        now = admission.current(document.key)
        changes[document.key] = changes_between(now.document if now is not None else None, resolved)
    return changes


def _between_revisions(session: Session, name: str, before: int | None, after: int | None) -> dict[str, list[Change]]:
    from streamer.control.config_log import read_admission
    from streamer.control.diff import diff as changes_between
    from streamer.control.get import current
    from streamer.control.history import revision_of
    from streamer.control.rollback import target_of

    key = document_key_of(name)
    admission = read_admission(session.settings.kafka)
    later = current(admission, key) if after is None else revision_of(admission, key, after)
    earlier = target_of(admission, key, before)
    return {key: changes_between(earlier.document, later.document)}


def _admitted_json(admitted: Any) -> dict[str, Any]:
    return {
        "key": admitted.key,
        "revision": admitted.revision,
        "at": _time(admitted.timestamp_ms),
        "author": admitted.author,
        "reason": admitted.reason,
    }


def _time(timestamp_ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(max(timestamp_ms, 0) / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
