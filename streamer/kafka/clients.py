"""Making librdkafka's clients: with our callbacks, and with a clear error for a setting that it does not know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient

from streamer.errors import ConfigurationError
from streamer.kafka.client_errors import ErrorLatch

_Client = TypeVar("_Client")

_librdkafka_log = logging.getLogger("streamer.librdkafka")


def new_consumer(config: dict[str, Any], latch: ErrorLatch) -> ck.Consumer:
    """A consumer.

    Raises:
        ConfigurationError: librdkafka does not take the settings.
    """
    return _made(ck.Consumer, config, latch)


def new_producer(config: dict[str, Any], latch: ErrorLatch) -> ck.Producer:
    """A producer.

    Raises:
        ConfigurationError: librdkafka does not take the settings.
    """
    return _made(ck.Producer, config, latch)


def new_admin(config: dict[str, Any], latch: ErrorLatch) -> AdminClient:
    """An admin client.

    Raises:
        ConfigurationError: librdkafka does not take the settings.
    """
    return _made(AdminClient, config, latch)


def _made(kind: Callable[[dict[str, Any]], _Client], config: dict[str, Any], latch: ErrorLatch) -> _Client:
    # Its own log lines go to ``logging`` instead of standard error.
    try:
        return kind({**config, "error_cb": latch.callback, "logger": _librdkafka_log})
    except (ck.KafkaException, ValueError, TypeError) as exception:
        error = exception.args[0] if exception.args else exception
        text = error.str() if isinstance(error, ck.KafkaError) else str(error)
        raise ConfigurationError(
            f"librdkafka does not take the settings: {text}",
            where="STREAMER_KAFKA__LIBRDKAFKA",
            advice="Check the names and values of the raw settings",
        ) from exception
