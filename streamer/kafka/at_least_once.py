"""At-least-once publishing: an idempotent producer, then the offsets. A crash in between repeats the batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import confluent_kafka as ck

from streamer import errors
from streamer.config import KafkaSettings
from streamer.kafka.client_errors import ErrorLatch, classify, mapped
from streamer.kafka.clients import new_producer
from streamer.kafka.exactly_once import PRODUCER_DEFAULTS
from streamer.kafka.headers import Headers
from streamer.kafka.publisher import Message, Positions
from streamer.kafka.sending import enqueue, enqueue_batch

_DELIVERY_TIMEOUT_SECONDS = 60.0


class AtLeastOncePublisher:
    """A :class:`~streamer.kafka.publisher.Publisher` without transactions.

    Args:
        kafka: How to reach the broker.
        client_id: Shown in the broker's logs.
        commit_offsets: Commits (partition to offset, metadata) in the consumer's group.
    """

    def __init__(
        self, kafka: KafkaSettings, client_id: str, commit_offsets: Callable[[Mapping[int, int], str], None]
    ) -> None:
        self._kafka = kafka
        self._client_id = client_id
        self._commit_offsets = commit_offsets
        self._failed: ck.KafkaError | None = None

    def open(self) -> None:
        """Makes the producer."""
        self._failed = None
        self._latch = ErrorLatch()
        self._producer = new_producer(
            {
                **PRODUCER_DEFAULTS,
                **self._kafka.client_config(),
                "client.id": self._client_id,
                "enable.idempotence": True,
                "message.timeout.ms": int(_DELIVERY_TIMEOUT_SECONDS * 1000),
            },
            self._latch,
        )

    def begin(self) -> None:
        """Starts a batch."""
        self._failed = None

    def send_batch(self, topic: str, partition: int, messages: list[Message]) -> None:
        """Adds messages without headers for one partition."""
        enqueue_batch(self._producer, topic, partition, messages, self._delivered)

    def send(self, topic: str, value: bytes | None, key: bytes | None, partition: int | None, headers: Headers) -> None:
        """Adds one message with headers."""
        enqueue(self._producer, topic, value, key, partition, headers, self._delivered)

    def commit(self, positions: Positions) -> None:
        """Waits until every message is acknowledged."""
        deadline = time.monotonic() + _DELIVERY_TIMEOUT_SECONDS
        while self._producer.flush(1.0) > 0:
            if time.monotonic() > deadline:
                raise errors.ProducerLost("messages were not acknowledged in time")
        if self._failed is not None:
            if classify(self._failed) is errors.RecordRefused:
                raise mapped(self._failed, "writing the batch")
            raise errors.ProducerLost(str(mapped(self._failed, "writing the batch")))

    def finish(self, positions: Positions) -> None:
        """Commits the positions in the consumer's group."""
        self._commit_offsets(positions.offsets, positions.metadata)

    def abort(self) -> None:
        """What was sent stays: that is what at-least-once means."""
        self._producer.flush(_DELIVERY_TIMEOUT_SECONDS)

    def reopen(self) -> None:
        """A new producer."""
        self._producer.purge()
        self.open()

    def close(self) -> None:
        """Waits for what is still being sent."""
        self._producer.flush(_DELIVERY_TIMEOUT_SECONDS)

    def _delivered(self, error: ck.KafkaError | None, _message: Any) -> None:
        if error is not None and self._failed is None:
            self._failed = error
