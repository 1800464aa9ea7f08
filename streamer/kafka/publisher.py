"""What a worker needs to write one batch of answers and to commit the input that they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from streamer.kafka.headers import Headers

Message = dict[str, Any]
"""``value`` and ``key``, as ``produce_batch`` takes them."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the input of a batch ends.

    Attributes:
        topic: The input topic.
        offsets: Partition to the next offset to read.
        metadata: A short text kept beside the committed offsets, for the partition's next owner.
        group_metadata: The consumer group's generation, as captured when the partitions were assigned.
    """

    topic: str
    offsets: Mapping[int, int]
    metadata: str
    group_metadata: Any


class Publisher(Protocol):
    """Writes batches one after the other: ``begin``, any number of sends, then ``commit`` or ``abort``."""

    def open(self) -> None:
        """Gets ready; ends whatever an earlier process of this slot left open."""

    def begin(self) -> None:
        """Starts a batch. The one before must have been committed or aborted."""

    def send_batch(self, topic: str, partition: int, messages: list[Message]) -> None:
        """Adds messages without headers for one partition. Nothing is waited for.

        One partition a call: ``produce_batch`` takes a ``partition`` in each message and does not heed it.
        """

    def send(self, topic: str, value: bytes | None, key: bytes | None, partition: int | None, headers: Headers) -> None:
        """Adds one message with headers; ``partition`` None leaves it to the partitioner."""

    def commit(self, positions: Positions) -> None:
        """Returns when the messages and the positions are durable.

        Raises:
            TransactionAborted: Abort, then read the input again from its committed offsets.
            RecordRefused: The same; one of the messages will never be taken.
            ProducerLost: As above, with :meth:`reopen` before going on.
            ProducerFenced: Somebody else has taken over.
        """

    def finish(self, positions: Positions) -> None:
        """The rest of a commit: what only the thread that polls the consumer may do. Call it after :meth:`commit`.

        librdkafka's consumer is locked while it polls, so another thread's call can wait for ever.

        Raises:
            TransactionAborted: The group has moved on; the input will be read again.
        """

    def abort(self) -> None:
        """Throws the batch away. Raises ProducerLost if that did not work."""

    def reopen(self) -> None:
        """After ProducerLost: new producers, opened in order."""

    def close(self) -> None:
        """Lets go of everything; an open batch is aborted."""
