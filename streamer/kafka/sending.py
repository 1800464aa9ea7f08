"""Handing messages to a producer's queue, and what it means when the queue does not take one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import confluent_kafka as ck

from streamer import errors
from streamer.kafka.client_errors import classify, mapped
from streamer.kafka.headers import Headers
from streamer.kafka.publisher import Message

_PARTITIONER_DECIDES = -1

OnDelivery = Callable[[ck.KafkaError | None, Any], None]


def enqueue_batch(
    producer: ck.Producer, topic: str, partition: int, messages: list[Message], on_delivery: OnDelivery | None = None
) -> None:
    """Adds messages without headers for one partition.

    Raises:
        RecordRefused: One of them can never be sent; it is too large, say.
        TransactionAborted: They were not all taken.
    """
    try:
        sent = producer.produce_batch(topic, messages, partition, on_delivery)
    except (ck.KafkaException, BufferError) as exception:
        raise _refusal(exception, topic) from exception
    if sent < len(messages):
        error = next((message["_error"] for message in messages if message.get("_error") is not None), None)
        raise _refusal(ck.KafkaException(error) if error is not None else BufferError("queue full"), topic)


def enqueue(
    producer: ck.Producer,
    topic: str,
    value: bytes | None,
    key: bytes | None,
    partition: int | None,
    headers: Headers,
    on_delivery: OnDelivery | None = None,
) -> None:
    """Adds one message; ``partition`` None leaves it to the partitioner.

    Raises:
        RecordRefused: It can never be sent.
        TransactionAborted: It was not taken.
    """
    try:
        producer.produce(
            topic,
            value,
            key,
            partition=_PARTITIONER_DECIDES if partition is None else partition,
            headers=list[tuple[str, str | bytes | None]](headers),
            on_delivery=on_delivery,
        )
    except (ck.KafkaException, BufferError) as exception:
        raise _refusal(exception, topic) from exception


def _refusal(exception: Exception, topic: str) -> errors.KafkaError:
    error = exception.args[0] if isinstance(exception, ck.KafkaException) else None
    if error is not None and classify(error) is errors.RecordRefused:
        return mapped(error, "writing", topic)
    return errors.TransactionAborted(f"writing to {topic} failed: {exception}")
