"""Latency at fixed rates, exactly-once beside at-least-once: both workers run, one after the other gets the load."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.documents import ControlPlane
from benchmarks.events import SHAPES
from benchmarks.latency import Latencies, measure_latencies, percentiles
from benchmarks.plan import OPEN_LOOP_SHAPE, OPEN_LOOP_WARM_UP_SECONDS
from benchmarks.worker_run import await_revision, start_worker
from streamer.routing.documents import Delivery

if TYPE_CHECKING:
    from benchmarks.cluster import Cluster
    from benchmarks.model import TrainedModel
    from benchmarks.plan import Plan
    from benchmarks.progress import Progress

GUARANTEES = (Delivery.at_least_once, Delivery.exactly_once)


def open_loop(
    cluster: Cluster, plan: Plan, folder: Path, models: tuple[TrainedModel, TrainedModel], progress: Progress
) -> dict[str, Any]:
    """Rate to percentiles of both guarantees, all rounds together, and each round's beside them."""
    measured: dict[tuple[int, Delivery], list[Latencies]] = {}
    with ExitStack() as running:
        planes = {}
        for delivery in GUARANTEES:
            plane = planes[delivery] = open_loop_plane(cluster, f"open-{delivery}", delivery)
            plane.publish_routing(models[0].version, models[1].version)
            worker = running.enter_context(start_worker(plane, folder))
            await_revision(plane, worker, 1)
        for rate in plan.rates:
            for number in range(plan.open_loop_rounds):
                for delivery in GUARANTEES[:: 1 if number % 2 == 0 else -1]:
                    progress.step(f"open loop, {rate:,} events/s, {delivery.replace('_', '-')}, round {number + 1}")
                    seconds = OPEN_LOOP_WARM_UP_SECONDS + plan.open_loop_seconds
                    latencies = measure_latencies(planes[delivery], rate, seconds, folder)
                    measured.setdefault((rate, delivery), []).append(latencies)
                    seen = percentiles(_settled(latencies))
                    progress.say(f"{rate:,} events/s, {delivery}: " + ", ".join(f"{k} {v} ms" for k, v in seen.items()))
    for plane in planes.values():
        plane.delete()
    return {str(rate): _of_rate({d: measured[rate, d] for d in GUARANTEES}) for rate in plan.rates}


def open_loop_plane(cluster: Cluster, prefix: str, delivery: Delivery) -> ControlPlane:
    """An endpoint with an events topic of its own."""
    events_topic = f"{prefix}.events"
    cluster.create(events_topic)
    plane = ControlPlane.create(cluster, prefix, events_topic)
    plane.publish_endpoint(SHAPES[OPEN_LOOP_SHAPE], delivery)
    return plane


def _of_rate(measured: dict[Delivery, list[Latencies]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for delivery, rounds in reversed(measured.items()):
        result[f"{delivery}_ms"] = percentiles(np.concatenate([_settled(latencies) for latencies in rounds]))
        result[f"{delivery}_rounds_ms"] = [percentiles(_settled(latencies)) for latencies in rounds]
        result[f"{delivery}_generator"] = [latencies.generator for latencies in rounds]
        result[f"{delivery}_lost_doubled_reordered"] = [(r.lost, r.doubled, r.reordered) for r in rounds]
    return result


def _settled(latencies: Latencies) -> np.ndarray:
    return latencies.between(OPEN_LOOP_WARM_UP_SECONDS, float("inf"))
