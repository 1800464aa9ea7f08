"""Starting the real `streamer worker` against its documents, and reading what it says of itself."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.contestant import Contestant
from benchmarks.documents import ENDPOINT
from streamer.kafka.log import read_log
from streamer.records.worker_status import WorkerState, WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.documents import ControlPlane

_READY_SECONDS = 90.0


def start_worker(plane: ControlPlane, folder: Path, command: Sequence[str] | None = None) -> Contestant:
    """A worker process on slot 0 of the plane's endpoint."""
    streamer = str(Path(sys.executable).with_name("streamer"))
    prefix = plane.kafka.topic_prefix
    return Contestant(
        [*(command or [streamer]), "worker", "--endpoint", ENDPOINT, "--slot", "0"],
        folder / f"{prefix}worker.log",
        {
            "STREAMER_KAFKA__BOOTSTRAP_SERVERS": plane.kafka.bootstrap_servers,
            "STREAMER_KAFKA__TOPIC_PREFIX": prefix,
            "STREAMER_CACHE_DIR": str(folder / "cache"),
        },
    )


def newest_status(plane: ControlPlane) -> WorkerStatus | None:
    """What the worker said last."""
    records = read_log(plane.kafka, plane.kafka.status_topic)
    values = [record.value for record in records if record.value is not None]
    return WorkerStatus.model_validate_json(values[-1]) if values else None


def await_revision(plane: ControlPlane, worker: Contestant, revision: int) -> WorkerStatus:
    """Waits until the worker serves this routing revision with all partitions.

    Raises:
        TimeoutError: It does not in good time.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        worker.check_alive()
        status = newest_status(plane)
        if status is not None and status.state is WorkerState.serving and status.routing_revision == revision:
            return status
        time.sleep(0.2)
    raise TimeoutError(f"the worker does not serve revision {revision}: {worker.log_tail()}")


@dataclass(frozen=True)
class WorkerMeasures:
    """What the worker's metrics say of the time since it started.

    Attributes:
        stages: Seconds in each stage of its loop.
        models: Variant to the seconds in its model.
        batches: How many batches it answered.
        events: How many events.
    """

    stages: dict[str, float]
    models: dict[str, float]
    batches: int
    events: int

    def since(self, earlier: WorkerMeasures) -> WorkerMeasures:
        """What came after an earlier look."""
        return WorkerMeasures(
            {name: seconds - earlier.stages.get(name, 0.0) for name, seconds in self.stages.items()},
            {name: seconds - earlier.models.get(name, 0.0) for name, seconds in self.models.items()},
            self.batches - earlier.batches,
            self.events - earlier.events,
        )


def read_measures(plane: ControlPlane) -> WorkerMeasures:
    """Asks the worker's metrics page."""
    status = newest_status(plane)
    if status is None or status.http is None:
        raise RuntimeError("the worker has no metrics address")
    with urlopen(f"http://{status.http}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    stages: dict[str, float] = {}
    models: dict[str, float] = {}
    batches = events = 0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "streamer_stage_seconds_sum":
                stages[sample.labels["stage"]] = sample.value
            elif sample.name == "streamer_predict_seconds_sum":
                models[sample.labels["variant"]] = sample.value
            elif sample.name == "streamer_batch_records_count":
                batches = int(sample.value)
            elif sample.name == "streamer_events_total":
                events = int(sample.value)
    return WorkerMeasures(stages, models, batches, events)
