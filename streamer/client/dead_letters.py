"""Dead letters: reading why records were not answered, and sending them through again once the cause is gone.

Redriving is exactly-once: in one transaction the original record goes back to its topic and a *mark* (a record
without value, naming the dead letter) to the dead-letter topic. Whoever redrives opens the transactional id first and
reads the marks afterwards, so of two people who redrive at once the earlier one is fenced, never repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streamer.errors import TopicProblem
from streamer.kafka.event_sender import EventSender
from streamer.kafka.log import LogTail
from streamer.kafka.topics import TopicAdmin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.config import KafkaSettings
    from streamer.kafka.headers import Headers
    from streamer.kafka.log import LogRecord

PREFIX = "__streamer.errors."
OWN_PREFIX = "__streamer."
MARK = "__streamer.redriven.letter"
REDRIVEN_FROM = "__streamer.redriven.from"
_PER_TRANSACTION = 1000
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that was not answered.

    Attributes:
        partition: Its place in the dead-letter topic.
        offset: The same.
        stage: Where it failed: ``decode``, ``predict`` or ``internal``.
        reason: A short stable name of what was wrong (the header ``class``).
        message: What was wrong, for people.
        source_topic: Where the record came from; empty if the header is missing.
        source_partition: The same; None if the header is missing or no number.
        source_offset: The same.
        worker: Which worker gave it up.
        at: When; None if the header is missing.
        truncated: The value was too large to be kept whole, so it cannot be sent again.
        key: The record's own key.
        value: The record's own payload.
        headers: The record's own headers.
    """

    partition: int
    offset: int
    stage: str
    reason: str
    message: str
    source_topic: str
    source_partition: int | None
    source_offset: int | None
    worker: str
    at: datetime | None
    truncated: bool
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def place(self) -> tuple[int, int]:
        """What identifies it in its topic."""
        return self.partition, self.offset

    @classmethod
    def of(cls, record: LogRecord) -> DeadLetter:
        """The dead letter that a record of the topic is. Never raises: anybody may write to the topic."""
        about = {
            name.removeprefix(PREFIX): (content or b"").decode("utf-8", "replace")
            for name, content in record.headers
            if name.startswith(PREFIX)
        }
        at_ms = _number(about.get("at"))
        return cls(
            partition=record.partition,
            offset=record.offset,
            stage=about.get("stage", ""),
            reason=about.get("class", ""),
            message=about.get("message", ""),
            source_topic=about.get("topic", ""),
            source_partition=_number(about.get("partition")),
            source_offset=_number(about.get("offset")),
            worker=about.get("worker", ""),
            at=None if at_ms is None or at_ms > _LATEST_MS else datetime.fromtimestamp(at_ms / 1000, UTC),
            truncated="truncated" in about,
            key=record.key,
            value=record.value,
            headers=[(name, content) for name, content in record.headers if not name.startswith(PREFIX)],
        )


_LATEST_MS = 253_402_300_799_000  # the end of the year 9999, the last that datetime has


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters are meant; every condition that is given must hold.

    Attributes:
        stage: Exactly this stage.
        reason: Exactly this class.
        message: This text is part of the message, in whatever case.
        key: Exactly this key.
        source: Partition and offset of the record that was given up.
        since: Given up at this moment or later.
    """

    stage: str | None = None
    reason: str | None = None
    message: str | None = None
    key: bytes | None = None
    source: tuple[int, int] | None = None
    since: datetime | None = None

    def admits(self, letter: DeadLetter) -> bool:
        """Whether the letter is meant."""
        return (
            self.stage in (None, letter.stage)
            and self.reason in (None, letter.reason)
            and (self.message is None or self.message.lower() in letter.message.lower())
            and self.key in (None, letter.key)
            and self.source in (None, (letter.source_partition, letter.source_offset))
            and (self.since is None or (letter.at is not None and letter.at >= self.since))
        )


@dataclass(frozen=True, slots=True)
class LetterBox:
    """Dead letters of one topic.

    Attributes:
        letters: Those that were asked for, oldest first in each partition.
        redriven: Places of those, of all in the topic, that were sent again.
    """

    letters: list[DeadLetter]
    redriven: frozenset[tuple[int, int]]

    @property
    def waiting(self) -> list[DeadLetter]:
        """Those that were not sent again yet."""
        return [letter for letter in self.letters if letter.place not in self.redriven]


def read_dead_letters(kafka: KafkaSettings, topic: str, wanted: LetterFilter | None = None) -> LetterBox:
    """Reads a dead-letter topic to its end.

    Raises:
        TopicProblem: The topic does not exist.
        KafkaError: Kafka does not answer, or refuses us.
    """
    wanted = wanted or LetterFilter()
    letters: list[DeadLetter] = []
    redriven: set[tuple[int, int]] = set()
    with LogTail(kafka, topic) as tail:
        while not tail.at_end():
            for record in tail.poll(_POLL_SECONDS):
                marked = _marked(record)
                if marked is not None:
                    redriven.add(marked)
                    continue
                letter = DeadLetter.of(record)
                if wanted.admits(letter):
                    letters.append(letter)
    return LetterBox(sorted(letters, key=lambda letter: letter.place), frozenset(redriven))


def redrive(
    kafka: KafkaSettings,
    topic: str,
    wanted: LetterFilter | None = None,
    *,
    only: Iterable[tuple[int, int]] | None = None,
    default_source: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[DeadLetter]:
    """Sends records back to where they came from: the same bytes, key, headers and partition, each once.

    Args:
        kafka: How to reach the broker.
        topic: The dead-letter topic.
        wanted: Which of its letters; None: all.
        only: Of those, only the letters at these places.
        default_source: The topic for letters that do not say where they came from.
        progress: Told how many of how many are done.

    Returns:
        Those that were sent. Left out are those sent before, and those whose value was cut.

    Raises:
        ProducerFenced: Somebody else began to redrive the same topic.
        TopicProblem: A topic does not exist.
        KafkaError: Kafka does not answer, or refuses us. What was committed before stays sent, and is marked.
    """
    sender = EventSender(kafka, topic, transactional_id=f"streamer-redrive-{topic}", client_id="streamer-redrive")
    # After the transactional id is ours: nobody else can add marks from here on.
    box = read_dead_letters(kafka, topic, wanted)
    places = None if only is None else set(only)
    letters = [
        letter
        for letter in box.waiting
        if can_be_redriven(letter, default_source) and (places is None or letter.place in places)
    ]
    _check_destinations(kafka, {letter.source_topic or default_source or "" for letter in letters})
    sent = 0
    for chunk in _chunks(letters):
        sender.begin()
        try:
            for letter in chunk:
                _send(sender, letter, default_source)
            sender.commit()
        except BaseException:
            sender.abort()
            raise
        sent += len(chunk)
        progress(sent, len(letters))
    return letters


def can_be_redriven(letter: DeadLetter, default_source: str | None = None) -> bool:
    """Whether its value is whole and it is known where it belongs."""
    return not letter.truncated and bool(letter.source_topic or default_source)


def _check_destinations(kafka: KafkaSettings, topics: set[str]) -> None:
    """Refuses before anything is sent; a client would wait half a minute for a topic to appear."""
    missing = sorted(topics - set(TopicAdmin(kafka).names()))
    if missing:
        raise TopicProblem(
            "the topic that the records came from does not exist any more",
            where=missing[0],
            advice="Create it, or leave its dead letters out",
        )


def _send(sender: EventSender, letter: DeadLetter, default_source: str | None) -> None:
    place = f"{sender.topic}/{letter.partition}/{letter.offset}".encode()
    own = [(name, content) for name, content in letter.headers if not name.startswith(OWN_PREFIX)]
    sender.send(
        letter.value,
        letter.key,
        headers=[*own, (REDRIVEN_FROM, place)],
        partition=letter.source_partition,
        topic=letter.source_topic or default_source,
    )
    mark = f"{letter.partition}/{letter.offset}".encode()
    sender.send(None, letter.key, headers=[(MARK, mark)], partition=letter.partition)


def _marked(record: LogRecord) -> tuple[int, int] | None:
    """The place of the letter that this record marks as sent again; None if it is no mark."""
    if record.value is not None or any(name.startswith(PREFIX) for name, _ in record.headers):
        return None  # a letter, whatever headers its record brought along
    for name, content in record.headers:
        if name == MARK:
            partition, _, offset = (content or b"").decode("ascii", "replace").partition("/")
            if partition.isdecimal() and offset.isdecimal():
                return int(partition), int(offset)
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 19 else None


def _chunks(letters: Sequence[DeadLetter]) -> Iterator[Sequence[DeadLetter]]:
    for start in range(0, len(letters), _PER_TRANSACTION):
        yield letters[start : start + _PER_TRANSACTION]
