"""A shadow that sleeps a second in every batch, beside the same load without it: serving must not notice."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.latency import measure_latencies, percentiles
from benchmarks.open_loop import open_loop_plane
from benchmarks.plan import LOADED_RATE, OPEN_LOOP_WARM_UP_SECONDS
from benchmarks.sleeping_worker import SLEEP_SECONDS
from benchmarks.worker_run import await_revision, start_worker
from streamer.routing.documents import Delivery

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.cluster import Cluster
    from benchmarks.model import TrainedModel
    from benchmarks.plan import Plan
    from benchmarks.progress import Progress


def slow_shadow(
    cluster: Cluster, plan: Plan, folder: Path, models: tuple[TrainedModel, TrainedModel], progress: Progress
) -> dict[str, Any]:
    """Load without, with, and again without the shadow, on one worker; the two without are taken together."""
    champion, shadow = models[0].version, models[1].version
    plane = open_loop_plane(cluster, "slow-shadow", Delivery.exactly_once)
    plane.publish_routing(champion)
    command = [sys.executable, "-m", "benchmarks.sleeping_worker", shadow.artifact.sha256]
    seen: dict[bool, list[NDArray[np.float64]]] = {False: [], True: []}
    with start_worker(plane, folder, command) as worker:
        for revision, present in enumerate((False, True, False), start=1):
            progress.step(f"a shadow that sleeps: {'with' if present else 'without'} it")
            if revision > 1:
                plane.publish_routing(champion, shadow=shadow if present else None, based_on=revision - 1)
            await_revision(plane, worker, revision)
            seconds = plan.shadow_seconds if present else plan.shadow_seconds / 2
            latencies = measure_latencies(plane, LOADED_RATE, OPEN_LOOP_WARM_UP_SECONDS + seconds, folder)
            seen[present].append(latencies.between(OPEN_LOOP_WARM_UP_SECONDS, float("inf")))
    plane.delete()
    result = {
        "events_per_second": LOADED_RATE,
        "sleeps_seconds": SLEEP_SECONDS,
        "without_ms": percentiles(np.concatenate(seen[False])),
        "with_ms": percentiles(np.concatenate(seen[True])),
    }
    progress.say(f"slow shadow: without {result['without_ms']}, with {result['with_ms']}")
    return result
