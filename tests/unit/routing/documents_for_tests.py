"""Small valid documents that the routing and control tests vary."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

EVENT_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Departure",
    "fields": [
        {"name": "flight_id", "type": "string"},
        {"name": "departed_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "tail_number", "type": ["null", "string"], "default": None},
        {"name": "origin", "type": "string"},
        {"name": "dest", "type": "string"},
        {"name": "hour", "type": "int"},
        {"name": "is_holiday", "type": "boolean"},
        {"name": "distance", "type": "double"},
        {"name": "carrier", "type": {"type": "enum", "name": "Carrier", "symbols": ["AA", "UA"]}},
        {
            "name": "plane",
            "type": [
                "null",
                {"type": "record", "name": "Plane", "fields": [{"name": "maker", "type": ["null", "string"]}]},
            ],
        },
        {"name": "tags", "type": {"type": "array", "items": "string"}},
    ],
}
OUTPUT_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Lateness",
    "fields": [{"name": "late_probability", "type": "double"}],
}


def uuid_of(number: int) -> str:
    return str(UUID(int=number))


def sha256_of(number: int) -> str:
    return f"{number:064x}"


def model_version(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "model",
        "uuid": uuid_of(number),
        "name": "lateness",
        "version": number,
        "format": "onnx",
        "artifact": {"uri": f"file:///m{number}.onnx", "sha256": sha256_of(number), "size_bytes": 10},
        "signature": {
            "inputs": [{"name": "X", "dtype": "float32", "shape": [None, 2]}],
            "outputs": [{"name": "probabilities", "dtype": "float32", "shape": [None, 2]}],
        },
        "mapping": {"inputs": {"X": ["distance", "hour"]}, "outputs": {"late_probability": "probabilities[1]"}},
        "created_at": "2026-01-01T00:00:00Z",
        **changes,
    }


def endpoint(name: str = "flights", **changes: Any) -> dict[str, Any]:
    return {
        "kind": "endpoint",
        "name": name,
        "events": {
            "topic": f"{name}.events",
            "schema": EVENT_SCHEMA,
            "id": "flight_id",
            "time": "departed_at",
            "bucket_by": "tail_number",
        },
        "output": {"topic": f"{name}.inferences", "schema": OUTPUT_SCHEMA},
        "topics": {"shadow": f"{name}.shadow", "dead_letters": f"{name}.dead-letters"},
        **changes,
    }


def arm(variant: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {"variant": variant, "model": {"uuid": uuid_of(number), "sha256": sha256_of(number)}, **more}


def routing(endpoint_name: str = "flights", **changes: Any) -> dict[str, Any]:
    """A resolved routing; ``models`` follows from its arms."""
    document: dict[str, Any] = {
        "kind": "routing",
        "endpoint": endpoint_name,
        "reason": "because",
        "serve": [arm("champion", 1, weight=95), arm("canary", 2, weight=5)],
        **changes,
    }
    if "models" not in document:
        arms = [*document["serve"], *document.get("shadow", []), document.get("fallback")]
        arms += [one for segment in document.get("segments", []) for one in segment["serve"]]
        numbers = {UUID(one["model"]["uuid"]).int for one in arms if one and "uuid" in one.get("model", {})}
        document["models"] = [model_version(number) for number in sorted(numbers)]
    return document


def as_json(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document)
