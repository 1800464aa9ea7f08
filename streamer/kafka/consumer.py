"""The group consumer of a worker: polls batches, and tells when partitions come and go.

The group metadata that a transaction needs is captured in ``on_assign``, once for each generation, never when the
offsets are sent: a worker that was frozen and thawed would read *fresh* metadata and commit a batch that its
successor has answered too. Captured at the assignment it is refused by the broker. (Reading it when the batch was
polled is not enough: between losing the membership and being told so, librdkafka holds generation -1 without a
member id, which a broker accepts in a transaction as the commit of an old client.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import confluent_kafka as ck
import numpy as np
from numpy.typing import NDArray

from streamer import errors
from streamer.config import KafkaSettings
from streamer.kafka.client_errors import ErrorLatch, from_exception, mapped
from streamer.kafka.clients import new_consumer
from streamer.kafka.headers import Headers, headers_of

_BEGINNING = ck.OFFSET_BEGINNING
_COMMITTED_TIMEOUT_SECONDS = 15.0
_WATERMARK_TIMEOUT_SECONDS = 1.0

CONSUMER_DEFAULTS: dict[str, Any] = {
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 1500,
    "max.poll.interval.ms": 300_000,
    "fetch.wait.max.ms": 50,
    "fetch.error.backoff.ms": 100,
    "queued.max.messages.kbytes": 65_536,
    "message.max.bytes": 16_777_216,
}


class Committed(NamedTuple):
    """Where a partition goes on.

    Attributes:
        offset: The committed offset; None before the first commit.
        metadata: The text that was committed beside it.
        removed: How many offsets after it retention has removed: events that nobody answered.
    """

    offset: int | None
    metadata: str
    removed: int = 0


class AssignmentListener(Protocol):
    """What a worker does when partitions come and go. Called from within :meth:`GroupConsumer.poll_batch`."""

    def assigned(self, committed: Mapping[int, Committed]) -> None:
        """These partitions are now this worker's."""

    def revoked(self, partitions: Iterable[int]) -> None:
        """All partitions are about to go: commit or abort what is in flight and drop every batch in hand."""

    def lost(self, partitions: Iterable[int]) -> None:
        """All partitions are gone already: abort, never commit, and drop every batch in hand."""


@dataclass(frozen=True)
class PolledBatch:
    """Records as they came from the broker, columns of n records: partition by partition, each in its order.

    Attributes:
        values: Payloads; None for a tombstone.
        keys: Record keys.
        partitions: int32 (n,).
        offsets: int64 (n,).
        headers: None if no record of the batch has headers, else one list (or None) a record.
        positions: Partition to the offset after its last record in this batch.
        group_metadata: The consumer group's generation that these records belong to.
        messages: The n messages themselves.
    """

    values: list[bytes | None]
    keys: list[bytes | None]
    partitions: NDArray[np.int32]
    offsets: NDArray[np.int64]
    headers: list[Headers | None] | None
    positions: dict[int, int]
    group_metadata: Any
    messages: list[Any]

    @cached_property
    def timestamps_ms(self) -> NDArray[np.int64]:
        """Kafka's timestamp of each record, int64 (n,); -1 where there is none. Costs a call a record."""
        return np.fromiter((message.timestamp()[1] for message in self.messages), np.int64, len(self.messages))

    def some_timestamps_ms(self, most: int) -> NDArray[np.int64]:
        """The timestamps of at most so many records, evenly spread over the batch."""
        step = -(-len(self.messages) // most)
        return np.array([message.timestamp()[1] for message in self.messages[::step]], np.int64)

    def __len__(self) -> int:
        return len(self.values)


class GroupConsumer:
    """A member of a consumer group on one topic.

    Args:
        kafka: How to reach the broker.
        topic: The topic to read.
        group: The consumer group.
        listener: Told of assignments.
        client_id: Shown in the broker's logs and in ``kafka-consumer-groups``.
    """

    def __init__(
        self, kafka: KafkaSettings, topic: str, group: str, listener: AssignmentListener, client_id: str
    ) -> None:
        self._topic = topic
        self._listener = listener
        self._latch = ErrorLatch()
        self._assignment_failure: Exception | None = None
        self._generation = 0
        self._admitted = False
        self._group_metadata: Any = None
        self._owned: list[int] = []
        self._consumer = new_consumer(
            {
                **CONSUMER_DEFAULTS,
                **kafka.client_config(),
                "client.id": client_id,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                # Topics of one endpoint are co-partitioned: range gives the same partitions of each to one
                # worker. What happens at a rebalance here rests on the eager protocol.
                "partition.assignment.strategy": "range",
            },
            self._latch,
        )
        self._consumer.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def poll_batch(self, max_records: int, wait_seconds: float, linger_seconds: float) -> PolledBatch | None:
        """The next records: waits for the first one, then for a full batch while it lingers.

        Args:
            max_records: At most so many.
            wait_seconds: How long to wait for the first.
            linger_seconds: How long to wait for the others once the first is there; 0 takes what has arrived.

        Returns:
            None if nothing came.

        Raises:
            KafkaError: The broker refuses us, or the topic is gone.
            Exception: Whatever the listener raised.
        """
        try:
            # consume(n, timeout) waits until n records or the timeout, so ask for one first.
            messages = self._consumer.consume(1, wait_seconds)
            if messages and max_records > 1:
                generation = self._generation
                more = self._consumer.consume(max_records - 1, linger_seconds)
                # A rebalance during the second call: the first record belongs to a generation that has ended.
                messages = messages + more if generation == self._generation else more
        except ck.KafkaException as exception:
            raise from_exception(exception, f"reading {self._topic}") from exception
        if self._assignment_failure is not None:
            failure, self._assignment_failure = self._assignment_failure, None
            raise failure
        if not messages:
            denied = self._latch.denied()
            if denied is not None and not self._admitted:  # once admitted, a refusal may pass: librdkafka retries
                raise mapped(denied, f"reading {self._topic}")
            return None
        if any([message.error() is not None for message in messages]):  # noqa: C419 - a list is quicker here
            messages = [message for message in messages if not self._is_report(message)]
        return self._batch(messages) if len(messages) > 0 and self._group_metadata is not None else None

    def commit(self, positions: Mapping[int, int], metadata: str) -> None:
        """Commits offsets outside a transaction (at-least-once).

        Raises:
            TransactionAborted: This member is no longer in the group, so what it read will be read again.
            KafkaError: The commit failed for another reason.
        """
        offsets = [ck.TopicPartition(self._topic, p, offset, metadata) for p, offset in positions.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except ck.KafkaException as exception:
            error = exception.args[0]
            left = {ck.KafkaError.ILLEGAL_GENERATION, ck.KafkaError.UNKNOWN_MEMBER_ID, ck.KafkaError._NO_OFFSET}
            if error.code() in left or error.code() == ck.KafkaError.REBALANCE_IN_PROGRESS:
                raise errors.TransactionAborted(f"the group has moved on: {error.str()}") from exception
            raise from_exception(exception, "committing offsets") from exception

    def rewind(self) -> None:
        """Goes back to the committed offsets of all owned partitions; what was fetched beyond them is dropped.

        The listener is told as if they had just been assigned.
        """
        self._take()

    def pause(self, partitions: Iterable[int]) -> None:
        """Delivers nothing from these partitions until :meth:`resume`."""
        self._consumer.pause([ck.TopicPartition(self._topic, p) for p in partitions])

    def resume(self, partitions: Iterable[int]) -> None:
        """Ends a pause."""
        self._consumer.resume([ck.TopicPartition(self._topic, p) for p in partitions])

    def end_offsets(self) -> dict[int, int]:
        """Partition to its end as the last fetch saw it; no request is made. Unknown ones are absent."""
        ends = {}
        for partition in self._owned:
            try:
                low_high = self._consumer.get_watermark_offsets(ck.TopicPartition(self._topic, partition), cached=True)
            except ck.KafkaException:
                continue
            if low_high[1] >= 0:
                ends[partition] = low_high[1]
        return ends

    def close(self) -> None:
        """Leaves the group, so that its partitions move on at once."""
        try:
            self._consumer.close()
        except ck.KafkaException as exception:
            raise from_exception(exception, "leaving the group") from exception

    def _committed(self, partitions: Iterable[int]) -> dict[int, Committed]:
        asked = [ck.TopicPartition(self._topic, p) for p in partitions]
        if not asked:
            return {}
        try:
            answers = self._consumer.committed(asked, timeout=_COMMITTED_TIMEOUT_SECONDS)
        except ck.KafkaException as exception:
            raise from_exception(exception, "reading the committed offsets") from exception
        for answer in answers:
            if answer.error is not None:
                raise mapped(answer.error, "reading the committed offsets", f"{self._topic}[{answer.partition}]")
        return {answer.partition: self._where(answer) for answer in answers}

    def _where(self, answer: Any) -> Committed:
        if answer.offset < 0:
            return Committed(None, "")
        try:
            oldest, _ = self._consumer.get_watermark_offsets(answer, timeout=_WATERMARK_TIMEOUT_SECONDS)
        except ck.KafkaException:  # a partition without a leader must not hold up the others
            return Committed(answer.offset, answer.metadata or "")
        return Committed(answer.offset, answer.metadata or "", max(oldest - answer.offset, 0))

    def _take(self) -> None:
        """Reads every owned partition from its committed offset."""
        if not self._owned:
            return
        committed = self._committed(self._owned)
        self._generation += 1
        self._consumer.assign(
            [
                ck.TopicPartition(self._topic, p, _BEGINNING if where.offset is None else where.offset)
                for p, where in committed.items()
            ]
        )
        self._listener.assigned(committed)

    # The three callbacks run inside consume() and close(). An exception would surface there and once more in
    # close(), with the partitions in limbo; it is kept and raised by poll_batch instead.

    def _on_assign(self, consumer: Any, partitions: list[Any]) -> None:
        try:
            self._group_metadata = consumer.consumer_group_metadata()
            if not consumer.memberid():
                self._group_metadata = None  # lost again before we were told; on_lost follows
            self._admitted = True
            self._owned = [p.partition for p in partitions]
            self._take()
        except Exception as exception:  # kept for poll_batch
            self._assignment_failure = exception

    def _on_revoke(self, consumer: Any, partitions: list[Any]) -> None:
        self._give_up(consumer, self._listener.revoked, partitions)

    def _on_lost(self, consumer: Any, partitions: list[Any]) -> None:
        self._give_up(consumer, self._listener.lost, partitions)

    def _give_up(self, consumer: Any, tell: Any, partitions: list[Any]) -> None:
        self._generation += 1
        try:
            tell([p.partition for p in partitions])
        except Exception as exception:  # kept for poll_batch
            self._assignment_failure = exception
        finally:
            self._owned = []
            self._group_metadata = None
            consumer.unassign()

    def _is_report(self, message: Any) -> bool:
        """Whether this is an event rather than a record; raises if it reports something that does not pass."""
        error = message.error()
        if error is None:
            return False
        if error.code() == ck.KafkaError._PARTITION_EOF or error.retriable():
            return True
        failure = mapped(error, f"reading {self._topic}")
        if isinstance(failure, errors.KafkaUnavailable):
            return True  # librdkafka reconnects by itself
        raise failure

    def _batch(self, messages: list[Any]) -> PolledBatch:
        partitions = np.array([m.partition() for m in messages], np.int32)
        if (partitions[1:] < partitions[:-1]).any():  # runs of one partition let what follows work on slices
            order = np.argsort(partitions, kind="stable")
            partitions = partitions[order]
            messages = [messages[row] for row in order.tolist()]
        offsets = np.array([m.offset() for m in messages], np.int64)
        last = np.flatnonzero(np.append(partitions[1:] != partitions[:-1], True))
        headers = headers_of(messages)
        return PolledBatch(
            values=[m.value() for m in messages],
            keys=[m.key() for m in messages],
            partitions=partitions,
            offsets=offsets,
            headers=headers if any(headers) else None,
            positions=dict(zip(partitions[last].tolist(), (offsets[last] + 1).tolist(), strict=True)),
            group_metadata=self._group_metadata,
            messages=messages,
        )
