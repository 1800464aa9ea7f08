"""How large one inference is: what the pass-through must write to be a fair ceiling."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING

import fastavro

from benchmarks.documents import ENDPOINT
from benchmarks.model import OUTPUT_SCHEMA
from streamer.avro.envelope import inference_schema
from streamer.avro.framing import SINGLE_OBJECT_PREFIX_BYTES

if TYPE_CHECKING:
    from streamer.records.model_version import ModelVersion


def inference_bytes(model: ModelVersion) -> int:
    """Bytes of a typical inference with its framing."""
    now_us = 1_760_000_000_000_000
    record = {
        "event_id": "event-000000000",
        "event_time": now_us,
        "scored_at": now_us,
        "variant": "champion",
        "role": "serving",
        "bucket": 5000,
        "model_id": str(model.uuid),
        "model_name": model.name,
        "model_version": model.version,
        "routing_revision": 1,
        "learned_through": None,
        "source": {"partition": 1, "offset": 100_000},
        "output": {"probability": 0.5, "positive": 1},
    }
    body = BytesIO()
    schema = fastavro.parse_schema(json.loads(json.dumps(inference_schema(ENDPOINT, OUTPUT_SCHEMA))))
    fastavro.schemaless_writer(body, schema, record)
    return SINGLE_OBJECT_PREFIX_BYTES + len(body.getvalue())
