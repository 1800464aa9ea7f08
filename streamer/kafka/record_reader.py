"""Reading an application's topic: in a consumer group or alone, from the beginning, the end or a moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import confluent_kafka as ck

from streamer import errors
from streamer.config import KafkaSettings
from streamer.kafka.client_errors import ErrorLatch, from_exception, mapped
from streamer.kafka.clients import new_consumer
from streamer.kafka.consumer import CONSUMER_DEFAULTS
from streamer.kafka.headers import headers_of
from streamer.kafka.log import LogRecord
from streamer.kafka.topics import TopicAdmin

Start = Literal["beginning", "end"] | datetime
"""Where to begin: the oldest record, behind the newest, or the first record not older than a moment."""


class RecordReader:
    """Reads the committed records of one topic.

    Args:
        kafka: How to reach the broker.
        topic: Its name.
        group: A consumer group: its members share the partitions, and a new member goes on at the committed
            offsets. None: every partition is read, and nothing is remembered.
        start: Where to begin in a partition without a committed offset.
        client_id: Shown in the broker's logs.

    Raises:
        TopicProblem: The topic does not exist.
        KafkaError: The broker does not answer, or refuses us.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        *,
        group: str | None = None,
        start: Start = "beginning",
        client_id: str = "streamer-consumer",
    ) -> None:
        self.topic = topic
        self.group = group
        self._start = start
        self._timeout_seconds = kafka.request_timeout_seconds
        self._latch = ErrorLatch()
        self._assignment_failure: Exception | None = None
        admin = TopicAdmin(kafka)
        self._ends = admin.end_offsets(topic)
        self._begins = admin.begin_offsets(topic)
        self._behind: set[int] | None = None
        self.assignments = 0
        """Counts how often partitions came or went: what was handed out before may be another member's now."""
        self._consumer = new_consumer(
            {
                **CONSUMER_DEFAULTS,
                **kafka.client_config(),
                "client.id": client_id,
                "group.id": group or "streamer-record-reader",  # librdkafka asks for one; alone it is not joined
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "latest" if start == "end" else "earliest",
                "enable.partition.eof": True,
            },
            self._latch,
        )
        if group is None:
            self._consumer.assign(self._first_offsets(sorted(self._ends)))
        else:
            self._consumer.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke)

    def poll(self, max_records: int, timeout_seconds: float) -> list[LogRecord]:
        """The next records, as soon as there are any.

        Args:
            max_records: At most so many.
            timeout_seconds: How long to wait for the first one.

        Returns:
            Records in the order of each partition; none if none came.

        Raises:
            KafkaError: The broker refuses us, or the topic is gone.
        """
        try:
            # consume(n, timeout) waits for n records or the time-out, so ask for one first.
            messages = self._consumer.consume(1, timeout_seconds)
            if messages and max_records > 1:
                messages += self._consumer.consume(max_records - 1, 0)
        except ck.KafkaException as exception:
            raise from_exception(exception, f"reading {self.topic}") from exception
        if self._assignment_failure is not None:
            failure, self._assignment_failure = self._assignment_failure, None
            raise failure
        records = [record for message in messages if (record := self._record(message)) is not None]
        denied = self._latch.denied()
        if not records and denied is not None:
            raise mapped(denied, f"reading {self.topic}")
        return records

    def at_end(self) -> bool:
        """Whether everything that was there when the reader was made, in the partitions it has, was delivered."""
        return self._behind is not None and not self._behind

    def commit(self, positions: Mapping[int, int]) -> None:
        """Remembers for the group where to go on.

        Args:
            positions: Partition to the offset after the last record that is done with.

        Raises:
            ConfigurationError: There is no group.
            KafkaError: The broker refused; the partition may have moved to another member, which reads it again.
        """
        if self.group is None:
            raise errors.ConfigurationError("nothing can be committed without a group", advice="Pass group=...")
        if not positions:
            return
        offsets = [ck.TopicPartition(self.topic, partition, offset) for partition, offset in positions.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except ck.KafkaException as exception:
            raise from_exception(exception, f"committing the offsets of group {self.group}", self.topic) from exception

    def close(self) -> None:
        """Leaves the group and lets go of the broker's connections."""
        self._consumer.close()

    def _on_assign(self, _consumer: Any, partitions: list[Any]) -> None:
        # What is raised in here would surface in the middle of librdkafka; it is kept for poll.
        self.assignments += 1
        try:
            self._consumer.assign(self._group_offsets([p.partition for p in partitions]))
        except Exception as failure:  # kept and raised by poll
            self._assignment_failure = failure

    def _on_revoke(self, consumer: Any, _partitions: list[Any]) -> None:
        self.assignments += 1
        consumer.unassign()

    def _group_offsets(self, partitions: list[int]) -> list[Any]:
        if not partitions:
            self._behind = set()
            return []
        asked = [ck.TopicPartition(self.topic, partition) for partition in partitions]
        try:
            committed = self._consumer.committed(asked, timeout=self._timeout_seconds)
        except ck.KafkaException as exception:
            raise from_exception(exception, f"reading the offsets of group {self.group}") from exception
        known = {p.partition: p.offset for p in committed if p.error is None and p.offset >= 0}
        fresh = self._first_offsets([p for p in partitions if p not in known])
        offsets = [ck.TopicPartition(self.topic, p, offset) for p, offset in known.items()] + fresh
        self._behind = {p.partition for p in offsets if self._is_behind(p.partition, p.offset)}
        return offsets

    def _first_offsets(self, partitions: list[int]) -> list[Any]:
        """Where ``start`` is in each partition."""
        if not partitions:
            return []
        if isinstance(self._start, datetime):
            moment_ms = int(self._start.timestamp() * 1000)
            asked = [ck.TopicPartition(self.topic, p, moment_ms) for p in partitions]
            try:
                found = self._consumer.offsets_for_times(asked, timeout=self._timeout_seconds)
            except ck.KafkaException as exception:
                raise from_exception(exception, f"looking for {self._start} in {self.topic}") from exception
            # No record as young as that: begin behind the newest.
            first = {p.partition: p.offset if p.offset >= 0 else self._ends.get(p.partition, 0) for p in found}
        elif self._start == "end":
            first = {p: self._ends.get(p, 0) for p in partitions}
        else:
            first = {p: self._begins.get(p, 0) for p in partitions}
        self._behind = {p for p, offset in first.items() if self._is_behind(p, offset)}
        return [ck.TopicPartition(self.topic, p, offset) for p, offset in first.items()]

    def _is_behind(self, partition: int, offset: int) -> bool:
        return max(offset, self._begins.get(partition, 0)) < self._ends.get(partition, 0)

    def _record(self, message: Any) -> LogRecord | None:
        error = message.error()
        partition, offset = message.partition(), message.offset()
        if error is not None:
            if error.code() == ck.KafkaError._PARTITION_EOF:
                # Transaction markers can stand between the last record and the end.
                self._passed(partition, offset)
                return None
            failure = mapped(error, f"reading {self.topic}")
            if error.retriable() or isinstance(failure, errors.KafkaUnavailable):
                return None  # librdkafka reconnects by itself
            raise failure
        self._passed(partition, offset + 1)
        return LogRecord(
            partition, offset, message.timestamp()[1], message.key(), message.value(), headers_of([message])[0] or []
        )

    def _passed(self, partition: int, position: int) -> None:
        if self._behind and position >= self._ends.get(partition, 0):
            self._behind.discard(partition)
