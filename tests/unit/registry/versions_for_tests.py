"""Model versions and log records, in short."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from streamer.records.model_version import Artifact, Mapping, ModelVersion, Signature, TensorSpec


class LogEntry(NamedTuple):
    """What the catalogue needs of a record."""

    offset: int
    key: bytes | None
    value: bytes | None


class Pick(NamedTuple):
    """A selector."""

    uuid: UUID | None = None
    tag: str | None = None
    name: str | None = None
    version: int | None = None


def model_version(uuid: int = 1, name: str = "lateness", version: int = 1, **changes: Any) -> ModelVersion:
    """A well-formed version; its artifact does not exist."""
    return ModelVersion(
        uuid=UUID(int=uuid),
        name=name,
        version=version,
        format="onnx",
        artifact=Artifact(uri="memory:///m", sha256="0" * 64, size_bytes=1),
        signature=Signature(
            inputs=(TensorSpec(name="X", dtype="float32", shape=(None, 1)),),
            outputs=(TensorSpec(name="y", dtype="float32", shape=(None,)),),
        ),
        mapping=Mapping(inputs={"X": "f"}, outputs={"y": "y"}),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        **changes,
    )


def registered(version: ModelVersion) -> tuple[bytes, bytes]:
    return str(version.uuid).encode(), version.model_dump_json().encode()


def tagged(tag: str, uuid: int | None, at: str = "2026-01-02T00:00:00Z") -> tuple[bytes, bytes]:
    value = {"uuid": None if uuid is None else str(UUID(int=uuid)), "at": at, "by": "ada"}
    return f"tag/{tag}".encode(), json.dumps(value).encode()


def retired(uuid: int, reason: str = "") -> tuple[bytes, bytes]:
    value = {"at": "2026-01-03T00:00:00Z", "by": "ada", "reason": reason}
    return f"{UUID(int=uuid)}/retired".encode(), json.dumps(value).encode()


def log(*entries: tuple[bytes | None, bytes | None]) -> list[LogEntry]:
    return [LogEntry(offset, key, value) for offset, (key, value) in enumerate(entries)]
