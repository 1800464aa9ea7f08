"""Sending an application's records to one topic: idempotent, in order, at the pace that the broker takes them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import confluent_kafka as ck

from streamer import errors
from streamer.config import KafkaSettings
from streamer.kafka.client_errors import ErrorLatch, from_exception, mapped
from streamer.kafka.clients import new_producer
from streamer.kafka.exactly_once import PRODUCER_DEFAULTS
from streamer.kafka.headers import Headers

# What may wait to be sent. librdkafka's own queue is far larger (PRODUCER_DEFAULTS): were it to fill up in the middle
# of a batch, a smaller message after the refused one could still fit in, and overtake it.
_MAX_WAITING_RECORDS = 100_000
_MAX_WAITING_BYTES = 256 * 1024**2
_CHUNK_RECORDS = 10_000
_CHUNK_BYTES = 16 * 1024**2
_NO_PARTITION = -1  # the partitioner decides
_TRANSACTION_STEP_SECONDS = 30.0
_LAST_CHANCE_SECONDS = 5.0


class EventSender:
    """Sends records to one topic, keys placed as Java's clients place them (murmur2).

    Sending returns before the broker has answered. The first delivery that fails is remembered and raised by the
    next ``send``, ``send_batch`` or ``flush``.

    Args:
        kafka: How to reach the broker.
        topic: An existing topic.
        transactional_id: Send in transactions under this id. No two living senders may share one.
        delivery_timeout_seconds: A record that is not acknowledged within this time has failed.
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
        transactional_id: str | None = None,
        delivery_timeout_seconds: float = 60.0,
        client_id: str = "streamer-producer",
    ) -> None:
        self.topic = topic
        self.transactional = transactional_id is not None
        self._delivery_timeout_seconds = delivery_timeout_seconds
        self._latch = ErrorLatch()
        self._failures = 0
        self._first_failure: ck.KafkaError | None = None
        self._waiting_bytes = 0
        config: dict[str, Any] = {
            **PRODUCER_DEFAULTS,
            "linger.ms": 5,
            **kafka.client_config(),
            "client.id": client_id,
            "partitioner": "murmur2_random",
            "acks": "all",
            "enable.idempotence": True,
            "message.timeout.ms": int(delivery_timeout_seconds * 1000),
            # A call of ours per acknowledged record would cost more than sending it.
            "delivery.report.only.error": True,
            "on_delivery": self._failed,
        }
        if transactional_id is not None:
            config["transactional.id"] = transactional_id
            config["transaction.timeout.ms"] = int(delivery_timeout_seconds * 1000)
        self._producer = new_producer(config, self._latch)
        self.partitions = self._count_partitions(kafka.request_timeout_seconds)
        if transactional_id is not None:
            self._step("opening a transaction", lambda: self._producer.init_transactions(_TRANSACTION_STEP_SECONDS))

    def send(
        self,
        value: bytes | None,
        key: bytes | None = None,
        *,
        headers: Headers | None = None,
        timestamp_ms: int | None = None,
        partition: int | None = None,
        topic: str | None = None,
    ) -> None:
        """Adds one record. Waits while too much is on its way.

        Args:
            value: The payload; None is a tombstone.
            key: Decides the partition, unless that is given.
            headers: The record's headers.
            timestamp_ms: The record's timestamp; by default now.
            partition: By default the partitioner decides.
            topic: Another topic than the sender's, in the same transaction.

        Raises:
            KafkaError: An earlier record was not delivered, or this one is larger than the broker takes.
        """
        self._make_room(1, len(value or b"") + len(key or b""))
        optional: dict[str, Any] = {}
        if headers:
            optional["headers"] = list[tuple[str, str | bytes | None]](headers)
        if timestamp_ms is not None:
            optional["timestamp"] = timestamp_ms
        target = _NO_PARTITION if partition is None else partition
        try:
            self._producer.produce(
                topic or self.topic, value, key, partition=target, on_delivery=self._failed, **optional
            )
        except ck.KafkaException as exception:
            raise from_exception(exception, f"writing to {topic or self.topic}") from exception
        self._producer.poll(0)

    def send_batch(self, values: Sequence[bytes | None], keys: Sequence[bytes | None] | None = None) -> None:
        """Adds records without headers, in their order, several times faster than one by one.

        Args:
            values: n payloads.
            keys: n keys; None sends every record without one.

        Raises:
            KafkaError: An earlier record was not delivered, or one is larger than the broker takes. The records
                before that one have been added.
        """
        start = 0
        while start < len(values):
            stop, size = start, 0
            while stop < len(values) and stop - start < _CHUNK_RECORDS and size < _CHUNK_BYTES:
                size += len(values[stop] or b"")
                stop += 1
            self._make_room(stop - start, size)
            messages: list[dict[str, Any]]
            if keys is None:
                messages = [{"value": value} for value in values[start:stop]]
            else:
                messages = [
                    {"value": value, "key": key}
                    for value, key in zip(values[start:stop], keys[start:stop], strict=True)
                ]
            try:
                taken = self._producer.produce_batch(self.topic, messages, on_delivery=self._failed)
            except ck.KafkaException as exception:
                raise from_exception(exception, f"writing to {self.topic}") from exception
            if taken < len(messages):
                index, error = next((i, m["_error"]) for i, m in enumerate(messages) if m.get("_error") is not None)
                raise mapped(error, f"writing to {self.topic}", f"record {start + index} of the batch")
            self._producer.poll(0)
            start = stop

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Returns when the broker has acknowledged every record.

        Args:
            timeout_seconds: How long to wait; None: the delivery time-out, after which each one has failed anyway.

        Raises:
            KafkaError: A record was not delivered, or not within the time.
        """
        timeout_seconds = self._delivery_timeout_seconds + 1 if timeout_seconds is None else timeout_seconds
        deadline = time.monotonic() + timeout_seconds
        # In short steps, so that control-C is heard.
        while len(self._producer) and time.monotonic() < deadline:
            self._producer.flush(min(0.2, max(deadline - time.monotonic(), 0)))
        self._producer.poll(0)
        self._raise_failure()
        if len(self._producer):
            raise self._latch.timed_out(f"flushing {len(self._producer)} records to {self.topic}", timeout_seconds)
        self._waiting_bytes = 0

    def begin(self) -> None:
        """Starts a transaction."""
        self._step("beginning a transaction", self._producer.begin_transaction)

    def commit(self) -> None:
        """Makes the transaction's records visible, all or none.

        Raises:
            KafkaError: A record was not delivered, or the broker refused; :meth:`abort` then.
        """
        self.flush()
        self._step("committing the transaction", lambda: self._producer.commit_transaction(_TRANSACTION_STEP_SECONDS))

    def abort(self) -> None:
        """Throws the transaction's records away, and with them their failures."""
        self._step("aborting the transaction", lambda: self._producer.abort_transaction(_TRANSACTION_STEP_SECONDS))
        self._producer.poll(0)
        self._first_failure, self._failures, self._waiting_bytes = None, 0, 0

    def finish_quietly(self) -> None:
        """Gives what is on its way a last chance, without raising: for leaving while an exception is raised."""
        self._producer.flush(_LAST_CHANCE_SECONDS)

    def _make_room(self, records: int, size_bytes: int) -> None:
        """Waits until so much more may wait to be sent; the delivery time-out bounds how long that can take."""
        self._raise_failure()
        while len(self._producer) > _MAX_WAITING_RECORDS - records or (
            # An upper bound: what has left is only known to have left when nothing waits any more.
            len(self._producer) and self._waiting_bytes + size_bytes > _MAX_WAITING_BYTES
        ):
            self._producer.poll(0.01)
            self._raise_failure()
        if not len(self._producer) or self._waiting_bytes + size_bytes > _MAX_WAITING_BYTES:
            self._waiting_bytes = 0
        self._waiting_bytes += size_bytes

    def _failed(self, error: ck.KafkaError | None, _message: Any) -> None:
        if error is None:
            return
        self._failures += 1
        if self._first_failure is None:
            self._first_failure = error

    def _raise_failure(self) -> None:
        if self._first_failure is None:
            return
        error, count = self._first_failure, self._failures
        self._first_failure, self._failures = None, 0
        denied = self._latch.denied()
        raise mapped(denied or error, f"delivering {count} record{'s' if count > 1 else ''}", self.topic)

    def _step(self, doing: str, call: Any) -> None:
        deadline = time.monotonic() + self._delivery_timeout_seconds
        while True:
            try:
                call()
                return
            except ck.KafkaException as exception:
                error = exception.args[0]
                if not error.fatal() and error.retriable() and time.monotonic() < deadline:
                    continue  # the same call with the same arguments
                raise from_exception(exception, doing, self.topic) from exception

    def _count_partitions(self, timeout_seconds: float) -> int:
        try:
            # All topics: asking for one by name may create it.
            topic = self._producer.list_topics(timeout=timeout_seconds).topics.get(self.topic)
        except ck.KafkaException as exception:
            denied = self._latch.denied()
            if denied is not None:
                raise mapped(denied, "reaching Kafka") from exception
            raise from_exception(exception, "reaching Kafka") from exception
        if topic is None or topic.error is not None:
            raise errors.TopicProblem(
                "the topic does not exist", where=self.topic, advice="Create it or check its name"
            )
        return len(topic.partitions)
