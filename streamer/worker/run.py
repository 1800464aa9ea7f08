"""``streamer worker``: builds a worker from settings and runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.avro.schema_registry import SchemaRegistry
from streamer.registry.artifacts import ArtifactCache
from streamer.runtimes.validation import validate_in_process
from streamer.worker.preparation import RoutingPreparer
from streamer.worker.process import WorkerProcess

if TYPE_CHECKING:
    from streamer.config import Settings


def run_worker(settings: Settings, *, endpoint: str, slot: int) -> None:
    """Serves one endpoint until SIGTERM or SIGINT.

    Args:
        settings: All settings.
        endpoint: Which endpoint.
        slot: 0, 1, 2, ...: no two live workers of an endpoint share one.

    Raises:
        SlotInUse: Another live worker holds the slot.
        KafkaError: The broker refuses this worker, or does not answer at the start.
        ConfigurationError: A setting cannot work.
    """
    registry = SchemaRegistry(settings.schema_registry) if settings.schema_registry.url else None
    prepare = RoutingPreparer(ArtifactCache(settings).fetch, validate_in_process, registry)
    WorkerProcess(settings, endpoint, slot, prepare).run()
