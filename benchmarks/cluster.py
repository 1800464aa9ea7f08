"""The broker under the benchmark: topics, preloaded events, and when the broker stored the answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.client_settings import PARTITIONS, producer_settings
from streamer.config import KafkaSettings
from streamer.errors import KafkaError
from streamer.kafka.topics import TopicAdmin, TopicSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.events import EncodedEvents

_DRAIN_SECONDS = 60.0
_QUIET_SECONDS = 0.4


class Cluster:
    """What the benchmark does with the broker itself.

    Args:
        bootstrap_servers: Where it is.
        pid: Its process, whose CPU time is reported.
    """

    def __init__(self, bootstrap_servers: str, pid: int) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.pid = pid
        self.admin = TopicAdmin(KafkaSettings(bootstrap_servers=bootstrap_servers))

    def create(self, *names: str, partitions: int = PARTITIONS, stamped_by_broker: bool = False) -> None:
        """Makes topics; `stamped_by_broker`: a record's timestamp is the time at which the broker stored it."""
        config = {"message.timestamp.type": "LogAppendTime"} if stamped_by_broker else {}
        self.admin.create([TopicSpec(name, partitions, config=config) for name in names])
        deadline = time.monotonic() + _DRAIN_SECONDS
        for name in names:  # elected leaders refuse requests for a moment
            while True:
                try:
                    self.admin.end_offsets(name, committed_only=False)
                    break
                except KafkaError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)

    def preload(self, topic: str, events: EncodedEvents) -> None:
        """Writes events and waits until the broker has them."""
        producer = Producer(producer_settings(self.bootstrap_servers))
        messages = events.messages()
        sent = producer.produce_batch(topic, messages)
        left = producer.flush(_DRAIN_SECONDS)
        if sent != len(messages) or left:
            raise RuntimeError(f"{topic}: {len(messages) - sent + left} events could not be written")

    def count(self, topic: str) -> int:
        """Records of a topic, transaction markers included."""
        return sum(self.admin.end_offsets(topic, committed_only=False).values())

    def reached(self, topic: str, records: int) -> Reached:
        """A condition: the topic holds so many records and grows no more."""
        return Reached(self, topic, records)

    def stored_at(self, topic: str) -> NDArray[np.float64]:
        """Broker time of every committed record, seconds since 1970, ascending: shape (n,)."""
        reader = Consumer(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "group.id": "benchmark-count",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
        reader.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        times_ms: list[int] = []
        ended: set[int] = set()
        deadline = time.monotonic() + _DRAIN_SECONDS
        while len(ended) < PARTITIONS and time.monotonic() < deadline:
            for record in reader.consume(10_000, 0.2):
                if record.error() is None:
                    times_ms.append(record.timestamp()[1])
                else:
                    ended.add(record.partition() or 0)
        reader.close()
        return np.sort(np.array(times_ms, np.float64)) / 1000


class Reached:
    """Whether a topic holds at least n records and has stopped growing.

    Attributes:
        count: How many it held when last asked.
    """

    def __init__(self, cluster: Cluster, topic: str, records: int) -> None:
        self._cluster = cluster
        self._topic = topic
        self._records = records
        self.count = -1
        self._since = time.monotonic()

    def __call__(self) -> bool:
        count = self._cluster.count(self._topic)
        if count != self.count:
            self.count, self._since = count, time.monotonic()
        return count >= self._records and time.monotonic() - self._since >= _QUIET_SECONDS
