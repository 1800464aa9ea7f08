"""What a worker says of itself on the status topic, as JSON, one record per change and heartbeat."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict

MISSED_HEARTBEATS = 3
"""So many missed in a row mean that a worker is gone."""


class WorkerState(StrEnum):
    """Where a worker is in its life. ``degraded`` still serves: with an older routing than the newest admitted."""

    starting = "starting"
    serving = "serving"
    degraded = "degraded"
    stopping = "stopping"
    stopped = "stopped"


class PartitionStatus(BaseModel):
    """One assigned partition: ``position`` is the next offset to commit, ``end`` the high watermark as last fetched."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    partition: int
    position: int
    end: int
    lag: int


class ModelStatus(BaseModel):
    """One loaded model and the variant that it answers as."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    variant: str
    role: str
    uuid: UUID
    name: str
    version: int


class RefusedRouting(BaseModel):
    """A routing that the worker could not prepare, and why. It tries again with back-off."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    revision: int
    reason: str
    attempts: int = 1


class WorkerStatus(BaseModel):
    """One worker.

    Attributes:
        worker: Key on the topic: ``<endpoint>/<slot>``.
        instance: Identity of this process; a restart has another.
        at: When this was written, epoch seconds.
        heartbeat_seconds: Another record follows within this time while the worker lives.
        routing_revision: The revision that answers now; None before the first.
        preparing: The revision that is being loaded beside it.
        refused: The newest admitted revision, when it cannot be prepared.
        http: ``host:port`` of /metrics, /healthz and /readyz.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    worker: str
    endpoint: str
    slot: int
    instance: UUID
    host: str
    pid: int
    version: str
    state: WorkerState
    at: float
    started_at: float
    heartbeat_seconds: float
    endpoint_revision: int | None = None
    routing_revision: int | None = None
    preparing: int | None = None
    refused: RefusedRouting | None = None
    degraded: str | None = None
    partitions: tuple[PartitionStatus, ...] = ()
    models: tuple[ModelStatus, ...] = ()
    http: str | None = None

    def is_alive(self, now: float) -> bool:
        """Whether its heartbeat is recent enough, three of them missed being too many."""
        return self.state is not WorkerState.stopped and now - self.at <= MISSED_HEARTBEATS * self.heartbeat_seconds
