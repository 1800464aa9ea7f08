"""A routing is swapped under load: what the events around the change waited."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.latency import measure_latencies, percentiles
from benchmarks.open_loop import open_loop_plane
from benchmarks.plan import LOADED_RATE, OPEN_LOOP_WARM_UP_SECONDS
from benchmarks.worker_run import await_revision, start_worker
from streamer.routing.documents import Delivery

if TYPE_CHECKING:
    from benchmarks.cluster import Cluster
    from benchmarks.model import TrainedModel
    from benchmarks.plan import Plan
    from benchmarks.progress import Progress

_AROUND_SECONDS = 1.0


def swap(
    cluster: Cluster, plan: Plan, folder: Path, models: tuple[TrainedModel, TrainedModel], progress: Progress
) -> dict[str, Any]:
    """Serves the champion alone, then publishes a canary that no worker has loaded yet.

    The new revision is prepared beside the load (its artifact fetched, verified, tried in a process of its own,
    loaded, warmed), then activated between two batches: the first inference that names it marks that moment.
    """
    progress.step("a routing swapped under load")
    plane = open_loop_plane(cluster, "swap", Delivery.exactly_once)
    plane.publish_routing(models[0].version)
    published_at = 0.0
    before = OPEN_LOOP_WARM_UP_SECONDS + plan.swap_seconds

    def publish_midway(start: float) -> None:
        nonlocal published_at
        time.sleep(max(0.0, start + before - time.time()))
        published_at = time.time()
        plane.publish_routing(models[0].version, models[1].version, based_on=1)

    with start_worker(plane, folder) as worker:
        await_revision(plane, worker, 1)
        # Preparing takes a second or two; the second half leaves time for it.
        seen = measure_latencies(plane, LOADED_RATE, before + 2 * plan.swap_seconds, folder, publish_midway)
    plane.delete()
    new = seen.revisions > 1
    published, activated = published_at - seen.start, float(seen.intended_at[new].min())
    parts = {
        "before_ms": percentiles(seen.between(OPEN_LOOP_WARM_UP_SECONDS, published)),
        "preparing_ms": percentiles(seen.between(published, activated)),
        "around_ms": percentiles(seen.between(activated - _AROUND_SECONDS, activated + _AROUND_SECONDS)),
        "after_ms": percentiles(seen.between(activated + _AROUND_SECONDS, float("inf"))),
    }
    progress.say(", ".join(f"swap {name} p99 {part['p99']}" for name, part in parts.items()))
    return {
        "events_per_second": LOADED_RATE,
        **parts,
        "seconds_to_prepare": round(activated - published, 2),
        "answered_by_the_new_revision": int(new.sum()),
        "lost": seen.lost,
        "doubled": seen.doubled,
        "reordered": seen.reordered,
    }
