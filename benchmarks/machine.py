"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.client_settings import BASELINE_BATCH_RECORDS, PARTITIONS
from benchmarks.documents import BATCH, CANARY_WEIGHT
from benchmarks.model import DEPTH, TREES
from benchmarks.plan import Plan
from streamer.broker import KAFKA_VERSION
from streamer.kafka.consumer import CONSUMER_DEFAULTS
from streamer.kafka.exactly_once import PRODUCER_DEFAULTS

_PACKAGES = ("streamer", "confluent-kafka", "fastavro", "numpy", "onnxruntime")


def machine() -> dict[str, Any]:
    """The computer, and how busy it was with other things."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": model[0].partition(":")[2].strip() if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def versions() -> dict[str, str]:
    """Of all that matters to the numbers."""
    return {"python": platform.python_version(), "kafka": KAFKA_VERSION} | {name: version(name) for name in _PACKAGES}


def settings(plan: Plan) -> dict[str, Any]:
    """Of this run. The same librdkafka settings hold for every contestant."""
    return {
        "plan": vars(plan),
        "partitions": PARTITIONS,
        "baseline_batch_records": BASELINE_BATCH_RECORDS,
        "worker_batch": BATCH.model_dump(),
        "canary_percent": CANARY_WEIGHT,
        "model": f"{TREES} boosted trees of depth {DEPTH}, ONNX, one thread",
        "consumer": CONSUMER_DEFAULTS,
        "producer": PRODUCER_DEFAULTS,
        "broker": "one ephemeral node on the same machine",
    }
