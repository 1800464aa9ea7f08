"""What happens to a record that cannot be answered: one dead letter, in the same transaction, with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.kafka.consumer import PolledBatch
    from streamer.kafka.headers import Headers
    from streamer.kafka.publisher import Publisher

PREFIX = "__streamer.errors."
_MAX_MESSAGE_BYTES = 2048
_HEADER_RESERVE_BYTES = 8192


class Stage(StrEnum):
    """Where a record failed."""

    decode = "decode"
    predict = "predict"
    publish = "publish"
    internal = "internal"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that has no answer.

    Attributes:
        row: Its index in the polled batch.
        stage: Where it failed.
        reason: A short stable name, also a metric label.
        message: What was wrong, for people.
    """

    row: int
    stage: Stage
    reason: str
    message: str


class DeadLetterWriter:
    """Sends dead letters with the raw key and value of the record.

    Args:
        topic: Where to.
        worker: Named in a header.
        max_bytes: The topic's limit for one record. A value that does not fit beside its headers is cut, and the
            header ``__streamer.errors.truncated`` says how long it was.
    """

    def __init__(self, topic: str, worker: str, max_bytes: int) -> None:
        self._topic = topic
        self._worker = worker
        self._room = max(max_bytes - _HEADER_RESERVE_BYTES, 0)

    def send(
        self, publisher: Publisher, source_topic: str, polled: PolledBatch, letter: DeadLetter, at_ms: int
    ) -> None:
        """Adds one dead letter to the publisher's open batch."""
        row = letter.row
        key, value = polled.keys[row], polled.values[row]
        headers: Headers = [
            (f"{PREFIX}{name}", _header(text))
            for name, text in (
                ("stage", letter.stage),
                ("class", letter.reason),
                ("message", letter.message),
                ("topic", source_topic),
                ("partition", str(polled.partitions[row])),
                ("offset", str(polled.offsets[row])),
                ("worker", self._worker),
                ("at", str(at_ms)),
            )
        ]
        original = list(polled.headers[row] or []) if polled.headers is not None else []
        headers_bytes = sum(len(name.encode()) + len(content or b"") + 10 for name, content in original)
        if headers_bytes + len(key or b"") + len(value or b"") > self._room:
            # The headers of the original are the first to go, then the end of the value.
            headers.append((f"{PREFIX}truncated", str(len(value or b"")).encode()))
            original = []
            key = None if key is None else key[: self._room]
            value = None if value is None else value[: max(self._room - len(key or b""), 0)]
        publisher.send(self._topic, value, key, None, [*original, *headers])


def _header(text: str) -> bytes:
    """Valid UTF-8 whatever the text, cut between two characters."""
    return text.encode(errors="backslashreplace")[:_MAX_MESSAGE_BYTES].decode(errors="ignore").encode()
