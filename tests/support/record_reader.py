"""A reader of a whole topic that runs beside the test, with librdkafka alone, and sees committed records only."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple, Self

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, OffsetSpec

from tests.support.await_condition import await_until

if TYPE_CHECKING:
    from types import TracebackType


class SeenRecord(NamedTuple):
    """One record, as it was delivered."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class RecordReader:
    """Reads every partition of a topic from its beginning, on a thread, until closed.

    Attributes:
        records: What has been seen, in the order of delivery. Only ever appended to.
    """

    def __init__(
        self, bootstrap_servers: str, topic: str, *, isolation: str = "read_committed", partitions: int | None = None
    ) -> None:
        self.records: list[SeenRecord] = []
        self.topic = topic
        self._ends_seen: dict[int, int] = {}
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers})
        self._partitions = partitions or len(self._admin.list_topics(topic, timeout=30).topics[topic].partitions)
        self._consumer = ck.Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "never-joined",
                "enable.auto.commit": False,
                "isolation.level": isolation,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "fetch.message.max.bytes": 4_000_000,
            }
        )
        self._consumer.assign([ck.TopicPartition(topic, p, ck.OFFSET_BEGINNING) for p in range(self._partitions)])
        self._thread = threading.Thread(target=self._run, name=f"reader of {topic}", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self.records)

    def await_count(self, n: int, deadline_seconds: float = 60.0) -> None:
        """Waits until at least n records have been seen."""
        await_until(lambda: self._alive() and len(self.records) >= n, deadline_seconds, f"{n} records on {self.topic}")

    def read_to_end(self, deadline_seconds: float = 60.0) -> list[SeenRecord]:
        """Waits until everything that stands on the topic now is committed or aborted, and seen; returns all."""
        ends = self._offsets(ck.IsolationLevel.READ_UNCOMMITTED)
        await_until(
            lambda: self._alive() and all(self._ends_seen.get(p, 0) >= end for p, end in ends.items()),
            deadline_seconds,
            f"the reader to reach the end of {self.topic}: {ends}",
        )
        return list(self.records)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(30)
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _alive(self) -> bool:
        if self._failure is not None:
            raise self._failure
        return True

    def _offsets(self, isolation: ck.IsolationLevel) -> dict[int, int]:
        request = {ck.TopicPartition(self.topic, p): OffsetSpec.latest() for p in range(self._partitions)}
        futures = self._admin.list_offsets(request, isolation_level=isolation, request_timeout=30)
        return {place.partition: future.result(30).offset for place, future in futures.items()}

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                for message in self._consumer.consume(1000, 0.02):
                    self._take(message)
        except BaseException as failure:
            self._failure = failure

    def _take(self, message: ck.Message) -> None:
        error = message.error()
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        if error is not None:
            if error.code() == ck.KafkaError._PARTITION_EOF:
                self._ends_seen[partition] = offset
            elif not error.retriable():
                raise ck.KafkaException(error)
            return
        headers = message.headers() or []
        self.records.append(
            SeenRecord(partition, offset, message.timestamp()[1], message.key(), message.value(), headers)
        )
