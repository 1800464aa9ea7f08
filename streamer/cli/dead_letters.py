"""``streamer dead-letters``: look at what could not be answered, and send it through again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamer.cli.moments import parse_moment
from streamer.cli.session import Session, command

if TYPE_CHECKING:
    from streamer.client.dead_letters import DeadLetter, LetterFilter

_PREVIEW = 60

group = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Records that could not be answered, each with its reason; nothing is thrown away.

    \b
    Example:
      streamer dead-letters list --endpoint flights --stage decode
      streamer dead-letters redrive --endpoint flights --class unknown_schema --dry-run
    """,
)

Endpoint = Annotated[str | None, typer.Option(help="The endpoint whose dead letters are meant.")]
Topic = Annotated[str | None, typer.Option(help="A dead-letter topic, instead of --endpoint.")]
Stage = Annotated[str | None, typer.Option(help="Only those that failed at decode, predict or internal.")]
Reason = Annotated[str | None, typer.Option("--class", help="Only those of this class of error.")]
Message = Annotated[str | None, typer.Option(help="Only those whose message contains this text.")]
Key = Annotated[str | None, typer.Option(help="Only records with this key.")]
Source = Annotated[
    str | None, typer.Option(metavar="PARTITION:OFFSET", help="Only the record that stood here in its own topic.")
]
Since = Annotated[str | None, typer.Option(help="Only those since 2026-01-31T12:00, epoch seconds, or 15m (ago).")]


def add_to(app: typer.Typer) -> None:
    """Adds the group to the root."""
    app.add_typer(group, name="dead-letters")


@command(group, "list")
def list_(
    session: Session,
    endpoint: Endpoint = None,
    topic: Topic = None,
    stage: Stage = None,
    reason: Reason = None,
    message: Message = None,
    key: Key = None,
    source: Source = None,
    since: Since = None,
    maximum: Annotated[int, typer.Option("--max", help="Show the newest so many.", min=1)] = 50,
    redriven: Annotated[bool, typer.Option("--redriven", help="Show those that were sent again, too.")] = False,
) -> None:
    """List dead letters: why, what, and from where.

    \b
    Example:
      streamer dead-letters list --endpoint flights --since 1h
      streamer dead-letters list --endpoint flights --class bad_magic --output json
    """
    from streamer.client.dead_letters import read_dead_letters

    wanted = _filter(stage, reason, message, key, source, since)
    dead_letter_topic, _ = _topics(session, endpoint, topic)
    box = read_dead_letters(session.settings.kafka, dead_letter_topic, wanted)
    chosen = box.letters if redriven else box.waiting
    shown = sorted(chosen, key=_when)[-maximum:]
    printer = session.printer
    if printer.as_json:
        printer.document(
            {
                "topic": dead_letter_topic,
                "total": len(chosen),
                "by_class": dict(Counter(f"{letter.stage}/{letter.reason}" for letter in chosen)),
                "letters": [_as_json(letter, letter.place in box.redriven) for letter in shown],
            }
        )
        return
    rows: list[tuple[Any, ...]] = [
        (
            _clock(letter),
            f"{letter.stage}/{letter.reason}",
            letter.message,
            f"{letter.source_topic}[{letter.source_partition}]@{letter.source_offset}",
            preview(letter.key),
            preview(letter.value),
            *([letter.place in box.redriven] if redriven else []),
        )
        for letter in shown
    ]
    columns = ("at", "stage/class", "message", "from", "key", "value", *(["redriven"] if redriven else []))
    printer.table(columns, rows, empty="no dead letters")
    if len(chosen) > len(shown):
        printer.note(f"the newest {len(shown)} of {len(chosen)}; --max shows more")


@command(group, "redrive")
def redrive(
    session: Session,
    endpoint: Endpoint = None,
    topic: Topic = None,
    stage: Stage = None,
    reason: Reason = None,
    message: Message = None,
    key: Key = None,
    source: Source = None,
    since: Since = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Send dead letters back to where they came from, once their cause is gone.

    The original bytes, key and headers go to the original topic and partition. Each dead letter is sent at most once,
    whoever redrives and however often; what was sent is marked in the same transaction.

    \b
    Example:
      streamer dead-letters redrive --endpoint flights --class unknown_schema --dry-run
      streamer dead-letters redrive --endpoint flights --class unknown_schema --yes
    """
    from streamer.client import dead_letters

    wanted = _filter(stage, reason, message, key, source, since)
    dead_letter_topic, source_topic = _topics(session, endpoint, topic)
    kafka, printer = session.settings.kafka, session.printer
    box = dead_letters.read_dead_letters(kafka, dead_letter_topic, wanted)
    sendable = [letter for letter in box.waiting if dead_letters.can_be_redriven(letter, source_topic)]
    stuck = len(box.waiting) - len(sendable)
    by_class = Counter(f"{letter.stage}/{letter.reason}" for letter in sendable)
    if not printer.as_json:
        printer.table(("stage/class", "letters"), sorted(by_class.items()), empty="nothing to redrive")
        if stuck:
            printer.note(f"{stuck} cannot be sent again: their values were cut, or they do not say from where they are")
    sent: list[DeadLetter] = []
    if sendable and not dry_run:
        destinations = ", ".join(sorted({letter.source_topic or str(source_topic) for letter in sendable}))
        printer.confirm(f"Send {len(sendable)} records to {destinations}?", yes=yes)
        # Only what was shown: letters that arrived since then are not part of the answer.
        places = [letter.place for letter in sendable]
        sent = dead_letters.redrive(kafka, dead_letter_topic, wanted, only=places, default_source=source_topic)
    if printer.as_json:
        printer.document(
            {
                "topic": dead_letter_topic,
                "dry_run": dry_run,
                "selected": len(sendable),
                "by_class": dict(by_class),
                "redriven": len(sent),
                "already_redriven": len(box.letters) - len(box.waiting),
                "cannot_be_redriven": stuck,
            }
        )
    elif sendable:
        printer.text("nothing was sent (--dry-run)" if dry_run else f"sent {len(sent)} records")


def preview(data: bytes | None) -> str:
    """The beginning of some bytes, as text where they are text, else in hexadecimal."""
    if data is None:
        return "-"
    try:
        text = data.decode()
        readable = text.isprintable()
    except UnicodeDecodeError:
        readable = False
    if not readable:
        text = data[: _PREVIEW // 2].hex()
        return text + ("..." if len(data) > _PREVIEW // 2 else "")
    return text if len(text) <= _PREVIEW else text[: _PREVIEW - 3] + "..."


def _filter(
    stage: str | None,
    reason: str | None,
    message: str | None,
    key: str | None,
    source: str | None,
    since: str | None,
) -> LetterFilter:
    from streamer.client.dead_letters import LetterFilter

    place = None
    if source is not None:
        partition, _, offset = source.partition(":")
        if not (partition.isdecimal() and offset.isdecimal()):
            raise typer.BadParameter("write it as PARTITION:OFFSET, as in 3:1042", param_hint="--source")
        place = (int(partition), int(offset))
    return LetterFilter(
        stage=stage,
        reason=reason,
        message=message,
        key=None if key is None else key.encode(),
        source=place,
        since=None if since is None else parse_moment(since),
    )


def _topics(session: Session, endpoint: str | None, topic: str | None) -> tuple[str, str | None]:
    """The dead-letter topic, and the events topic if it is known."""
    from streamer.client.endpoint_lookup import find_endpoint

    if (endpoint is None) == (topic is None):
        raise typer.BadParameter("say which: --endpoint NAME or --topic TOPIC")
    if topic is not None:
        return topic, None
    assert endpoint is not None
    document = find_endpoint(session.settings.kafka, endpoint)
    assert document.topics.dead_letters is not None  # a resolved document names every topic
    return document.topics.dead_letters, document.events.topic


def _when(letter: DeadLetter) -> tuple[float, tuple[int, int]]:
    return (letter.at.timestamp() if letter.at else 0.0), letter.place


def _clock(letter: DeadLetter) -> str:
    return letter.at.strftime("%Y-%m-%d %H:%M:%S") if letter.at else "-"


def _as_json(letter: DeadLetter, redriven: bool) -> dict[str, Any]:
    return {
        "partition": letter.partition,
        "offset": letter.offset,
        "at": letter.at,
        "stage": letter.stage,
        "class": letter.reason,
        "message": letter.message,
        "worker": letter.worker,
        "source": {
            "topic": letter.source_topic,
            "partition": letter.source_partition,
            "offset": letter.source_offset,
        },
        "key": preview(letter.key) if letter.key is not None else None,
        "value_preview": preview(letter.value) if letter.value is not None else None,
        "value_bytes": len(letter.value) if letter.value is not None else None,
        "truncated": letter.truncated,
        "redriven": redriven,
    }
