"""``streamer worker``: builds a worker from settings and runs it."""

from __future__ import annotations

import faulthandler
import gc
import signal
from typing import TYPE_CHECKING

from streamer.avro.schema_registry import SchemaRegistry
from streamer.registry.artifacts import ArtifactCache
from streamer.runtimes.validation import validate_in_process
from streamer.worker.preparation import RoutingPreparer
from streamer.worker.process import WorkerProcess

if TYPE_CHECKING:
    from streamer.config import Settings

_OBJECTS_BEFORE_COLLECTING = 300_000


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
    faulthandler.register(signal.SIGUSR1)  # kill -USR1 shows where every thread is
    _collect_rarely()
    registry = SchemaRegistry(settings.schema_registry) if settings.schema_registry.url else None
    prepare = RoutingPreparer(ArtifactCache(settings).fetch, validate_in_process, registry)
    WorkerProcess(settings, endpoint, slot, prepare).run()


def _collect_rarely() -> None:
    """Lets the cyclic collector run only when objects pile up.

    Each batch makes tens of thousands of messages and dicts, none of them in a cycle, and frees them again; the
    default thresholds have the collector walk over them again and again: a fifth of the worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTING, 10, 10)
