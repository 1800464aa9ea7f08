"""Exactly-once publishing: two transactional producers that take turns.

After a commit the broker is still writing the transaction's markers, and the same producer's next transaction waits
for them. With two transactional ids used alternately, transaction k+1 starts while the markers of k are written. It
begins only after k's commit has returned, so that the committed offsets never go backwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import confluent_kafka as ck

from streamer import errors
from streamer.config import KafkaSettings
from streamer.kafka.client_errors import ErrorLatch, classify, mapped
from streamer.kafka.clients import new_producer
from streamer.kafka.headers import Headers
from streamer.kafka.publisher import Message, Positions
from streamer.kafka.sending import enqueue, enqueue_batch

TRANSACTION_TIMEOUT_SECONDS = 15.0
_STEP_TIMEOUT_SECONDS = 10.0
# A commit waits for messages behind one that has failed as long as it may; the next call says that it failed.
_COMMIT_CALL_SECONDS = 1.0
_INIT_TIMEOUT_SECONDS = 60.0
_MAX_FENCED = 3
_FENCED_WINDOW_SECONDS = 60.0

MAX_MESSAGE_BYTES = 16_777_216

PRODUCER_DEFAULTS: dict[str, Any] = {
    "acks": "all",
    "partitioner": "murmur2_random",
    "linger.ms": 1,
    "batch.num.messages": 100_000,
    "batch.size": 1_000_000,
    # A batch is bounded by what was polled; a full queue in the middle of one would break its order.
    "queue.buffering.max.messages": 10_000_000,
    "queue.buffering.max.kbytes": 2_097_151,
    "message.max.bytes": MAX_MESSAGE_BYTES,
    "delivery.report.only.error": True,
}


class _TransactionalProducer:
    """One transactional id. Every call ends as a success or as one of our errors, classified in one place."""

    def __init__(self, kafka: KafkaSettings, transactional_id: str) -> None:
        self.transactional_id = transactional_id
        self._latch = ErrorLatch()
        self._opened = False
        self._producer = new_producer(
            {
                **PRODUCER_DEFAULTS,
                **kafka.client_config(),
                "client.id": transactional_id,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": int(TRANSACTION_TIMEOUT_SECONDS * 1000),
                # Shorter than the transaction, so that a message that cannot be sent fails inside it.
                "message.timeout.ms": int(TRANSACTION_TIMEOUT_SECONDS * 1000) - 2000,
            },
            self._latch,
        )

    def init(self) -> None:
        self._step("opening", lambda: self._producer.init_transactions(_INIT_TIMEOUT_SECONDS), _INIT_TIMEOUT_SECONDS)
        self._opened = True

    def begin(self) -> None:
        self._step("beginning", self._producer.begin_transaction)

    def send_batch(self, topic: str, partition: int, messages: list[Message]) -> None:
        enqueue_batch(self._producer, topic, partition, messages)

    def send(self, topic: str, value: bytes | None, key: bytes | None, partition: int | None, headers: Headers) -> None:
        enqueue(self._producer, topic, value, key, partition, headers)

    def commit(self, positions: Positions) -> None:
        """The numbered procedure.

        1. The messages are on their way since ``send``; librdkafka sends them meanwhile.
        2. Send the positions into the transaction, with the generation captured at the assignment.
        3. Commit: waits until every message is acknowledged, fails if one was not, then ends the transaction.
        """
        offsets = [
            ck.TopicPartition(positions.topic, partition, offset, positions.metadata)
            for partition, offset in positions.offsets.items()
        ]
        self._step(
            "sending the positions of",
            lambda: self._producer.send_offsets_to_transaction(
                offsets, positions.group_metadata, _STEP_TIMEOUT_SECONDS
            ),
        )
        self._step("committing", lambda: self._producer.commit_transaction(_COMMIT_CALL_SECONDS))

    def abort(self) -> None:
        self._step("aborting", lambda: self._producer.abort_transaction(_STEP_TIMEOUT_SECONDS))

    def _step(self, doing: str, call: Callable[[], Any], deadline_seconds: float = TRANSACTION_TIMEOUT_SECONDS) -> None:
        deadline = time.monotonic() + deadline_seconds
        what = f"{doing} a transaction of {self.transactional_id}"
        while True:
            try:
                call()
                return
            except ck.KafkaException as exception:
                error = exception.args[0]
                if classify(error) is errors.ProducerFenced:
                    raise mapped(error, what) from exception
                if error.txn_requires_abort():
                    if classify(error) is errors.RecordRefused:
                        raise mapped(error, what) from exception
                    raise errors.TransactionAborted(f"{what} failed: {error.str()}") from exception
                if not error.fatal() and error.retriable() and time.monotonic() < deadline:
                    continue  # the same call with the same arguments
                if classify(error) is errors.KafkaDenied:
                    raise mapped(error, what) from exception
                denied = self._latch.denied()
                if denied is not None and not self._opened:  # once admitted, a refusal may pass
                    raise mapped(denied, what) from exception
                raise errors.ProducerLost(f"{what} failed: {error.str()} ({error.name()})") from exception


class ExactlyOncePublisher:
    """A :class:`~streamer.kafka.publisher.Publisher` on two transactional ids, ``<id>-0`` and ``<id>-1``.

    Args:
        kafka: How to reach the broker.
        transactional_id: Stable per worker slot, so that a restarted worker ends what the killed one left open.
        monotonic: The clock for counting fencings.
    """

    def __init__(
        self, kafka: KafkaSettings, transactional_id: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._kafka = kafka
        self._transactional_id = transactional_id
        self._monotonic = monotonic
        self._producers: list[_TransactionalProducer] = []
        self._turn = 0
        self._in_transaction = False
        self._fenced_at: list[float] = []

    def open(self) -> None:
        """Makes both producers; ``init_transactions`` on each, in order, ends what their predecessors left open."""
        self._producers = [_TransactionalProducer(self._kafka, f"{self._transactional_id}-{i}") for i in range(2)]
        for producer in self._producers:
            self._watching_fences(producer.init)
        self._turn = 0
        self._in_transaction = False

    def begin(self) -> None:
        """Starts a transaction on the producer whose turn it is."""
        self._watching_fences(self._producers[self._turn].begin)
        self._in_transaction = True

    def send_batch(self, topic: str, partition: int, messages: list[Message]) -> None:
        """Adds messages without headers for one partition."""
        self._producers[self._turn].send_batch(topic, partition, messages)

    def send(self, topic: str, value: bytes | None, key: bytes | None, partition: int | None, headers: Headers) -> None:
        """Adds one message with headers."""
        self._producers[self._turn].send(topic, value, key, partition, headers)

    def commit(self, positions: Positions) -> None:
        """Commits the transaction together with the positions, then passes the turn."""
        self._watching_fences(lambda: self._producers[self._turn].commit(positions))
        self._in_transaction = False
        self._turn = 1 - self._turn

    def finish(self, positions: Positions) -> None:
        """The transaction has committed the positions already."""

    def abort(self) -> None:
        """Aborts the open transaction, if there is one."""
        if self._in_transaction:
            self._in_transaction = False
            try:
                self._producers[self._turn].abort()
            except errors.ProducerFenced:
                raise
            except errors.KafkaError as failure:
                # Aborting while the first AddPartitionsToTxn is in flight turns fatal: a new producer ends it.
                raise errors.ProducerLost(f"aborting failed: {failure}") from failure

    def reopen(self) -> None:
        """New producers: their ``init_transactions`` settles what became of the old ones' transactions."""
        self.open()

    def close(self) -> None:
        """Aborts what is open."""
        try:
            self.abort()
        except errors.KafkaError:
            pass  # the next init_transactions of this id, or the transaction's time-out, ends it
        finally:
            self._producers = []

    def _watching_fences(self, call: Callable[[], None]) -> None:
        """Being fenced once can be our own doing (a slow restart); three times in a minute is another worker."""
        try:
            call()
        except errors.ProducerFenced as fenced:
            now = self._monotonic()
            self._fenced_at = [at for at in self._fenced_at if now - at < _FENCED_WINDOW_SECONDS] + [now]
            if len(self._fenced_at) >= _MAX_FENCED:
                raise errors.SlotInUse(
                    f"fenced {len(self._fenced_at)} times within a minute",
                    where=self._transactional_id,
                    advice="Another worker uses this endpoint and slot: give each worker its own --slot",
                ) from fenced
            raise
