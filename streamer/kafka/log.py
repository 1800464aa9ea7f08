"""Reading a whole topic as a log, following it, and appending to it: for the control topics and the tools.

No consumer group is involved, so any number of readers see everything.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, Self

import confluent_kafka as ck

from streamer import errors
from streamer.config import KafkaSettings
from streamer.kafka.client_errors import ErrorLatch, from_exception, mapped
from streamer.kafka.clients import new_consumer, new_producer
from streamer.kafka.headers import Headers, headers_of
from streamer.kafka.topics import TopicAdmin

_MAX_RECORDS_PER_POLL = 1000
_MAX_RECORD_BYTES = 8 * 2**20
"""Documents with inlined models pass librdkafka's default of 1 MB; the topic's own limit decides."""


class LogRecord(NamedTuple):
    """One record of a log."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class LogTail:
    """Follows all partitions of a topic, seeing committed records only.

    Args:
        kafka: How to reach the broker.
        topic: Its name.
        start: Where to begin: ``"beginning"``, ``"end"``, or partition to offset.

    Raises:
        TopicProblem: The topic does not exist.
        KafkaUnavailable: The broker does not answer.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        *,
        start: Literal["beginning", "end"] | Mapping[int, int] = "beginning",
    ) -> None:
        self._topic = topic
        self._latch = ErrorLatch()
        admin = TopicAdmin(kafka)
        ends = admin.end_offsets(topic)
        if start == "beginning":
            self._positions = admin.begin_offsets(topic)
        elif start == "end":
            self._positions = dict(ends)
        else:
            self._positions = {partition: start.get(partition, 0) for partition in ends}
        self._behind = {p for p, end in ends.items() if self._positions[p] < end}
        self._ends = ends
        self._consumer = new_consumer(
            {
                **kafka.client_config(),
                "group.id": "streamer-log-tail",  # librdkafka asks for one; it is never joined
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 100,
                "fetch.error.backoff.ms": 100,
            },
            self._latch,
        )
        self._consumer.assign([ck.TopicPartition(topic, p, offset) for p, offset in self._positions.items()])

    def poll(self, timeout_seconds: float) -> list[LogRecord]:
        """The next records, as soon as there are any; empty after ``timeout_seconds`` without."""
        try:
            messages = self._consumer.consume(1, timeout_seconds)
            if messages:
                messages += self._consumer.consume(_MAX_RECORDS_PER_POLL, 0)
        except ck.KafkaException as exception:
            raise from_exception(exception, f"reading {self._topic}") from exception
        records = [record for message in messages if (record := self._record(message)) is not None]
        if not records and self._latch.denied() is not None:
            raise self._latch.timed_out(f"reading {self._topic}", timeout_seconds)
        return records

    def at_end(self) -> bool:
        """Whether everything that was committed when the tail was made has been delivered."""
        return not self._behind

    @property
    def positions(self) -> dict[int, int]:
        """Partition to the offset that is read next."""
        return dict(self._positions)

    def close(self) -> None:
        """Lets go of the broker's connections."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(self, message: Any) -> LogRecord | None:
        error = message.error()
        partition, offset = message.partition(), message.offset()
        if error is not None:
            if error.code() == ck.KafkaError._PARTITION_EOF:
                # Transaction markers can stand between the last record and the end.
                if offset >= self._ends.get(partition, 0):
                    self._behind.discard(partition)
                return None
            if error.retriable():
                return None
            raise mapped(error, f"reading {self._topic}", f"{self._topic}[{partition}]")
        self._positions[partition] = offset + 1
        if offset + 1 >= self._ends.get(partition, 0):
            self._behind.discard(partition)
        return LogRecord(
            partition, offset, message.timestamp()[1], message.key(), message.value(), headers_of([message])[0] or []
        )


def read_log(kafka: KafkaSettings, topic: str, *, deadline_seconds: float = 30.0) -> list[LogRecord]:
    """The committed records of a whole topic, up to its end as it is now.

    Raises:
        TopicProblem: The topic does not exist.
        KafkaUnavailable: The end was not reached within the deadline.
    """
    deadline = time.monotonic() + deadline_seconds
    records: list[LogRecord] = []
    with LogTail(kafka, topic) as tail:
        while not tail.at_end():
            if time.monotonic() > deadline:
                raise errors.KafkaUnavailable(
                    f"reading the whole of {topic} took longer than {deadline_seconds:g} s",
                    advice="Check that the broker is well, or raise the deadline",
                )
            records += tail.poll(0.1)
    return records


class LogWriter:
    """Appends records and waits until every replica in sync has them."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._timeout = kafka.request_timeout_seconds
        self._latch = ErrorLatch()
        self._producer = new_producer(
            {
                **kafka.client_config(),
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": "murmur2_random",
                "linger.ms": 0,
                "message.max.bytes": _MAX_RECORD_BYTES,
                "message.timeout.ms": int(self._timeout * 1000),
            },
            self._latch,
        )

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> tuple[int, int]:
        """Appends one record.

        Returns:
            Its partition and offset.

        Raises:
            KafkaError: It was not written within the request time-out, or the broker refused it.
        """
        return self.append_many(topic, [(key, value)], partition=partition, headers=headers)[0]

    def append_many(
        self,
        topic: str,
        records: Iterable[tuple[bytes | None, bytes | None]],
        *,
        partition: int | None = None,
        headers: Headers | None = None,
    ) -> list[tuple[int, int]]:
        """Appends (key, value) pairs in order; the partition and offset of each."""
        placed: list[tuple[int, int]] = []
        failed: list[ck.KafkaError] = []

        def delivered(error: ck.KafkaError | None, message: Any) -> None:
            if error is not None:
                failed.append(error)
            else:
                placed.append((message.partition(), message.offset()))

        expected = 0
        unassigned = -1  # librdkafka's PARTITION_UA: the partitioner decides
        target = unassigned if partition is None else partition
        sent_headers = list[tuple[str, str | bytes | None]](headers or [])
        try:
            for key, value in records:
                self._producer.produce(topic, value, key, partition=target, on_delivery=delivered, headers=sent_headers)
                expected += 1
        except ck.KafkaException as exception:
            raise from_exception(exception, f"writing to {topic}") from exception
        deadline = time.monotonic() + self._timeout
        while len(placed) + len(failed) < expected and time.monotonic() < deadline:
            self._producer.poll(0.05)
        if failed:
            raise mapped(failed[0], f"writing to {topic}")
        if len(placed) < expected:
            raise self._latch.timed_out(f"writing to {topic}", self._timeout)
        return placed

    def close(self) -> None:
        """Waits for what is still being sent."""
        self._producer.flush(self._timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
