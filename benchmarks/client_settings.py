"""librdkafka settings of the baselines: the very ones that the worker has, so that neither side is tuned apart."""

from __future__ import annotations

from typing import Any

from streamer.kafka.consumer import CONSUMER_DEFAULTS
from streamer.kafka.exactly_once import PRODUCER_DEFAULTS

PARTITIONS = 4
BASELINE_BATCH_RECORDS = 2000


def consumer_settings(bootstrap_servers: str, group: str) -> dict[str, Any]:
    """Of a baseline's consumer; offsets are committed by librdkafka in the background."""
    return {
        **CONSUMER_DEFAULTS,
        "bootstrap.servers": bootstrap_servers,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": True,
    }


def producer_settings(bootstrap_servers: str) -> dict[str, Any]:
    """Of a baseline's producer."""
    return {**PRODUCER_DEFAULTS, "bootstrap.servers": bootstrap_servers, "enable.idempotence": True}
