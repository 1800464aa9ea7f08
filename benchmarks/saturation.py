"""How much each contestant answers in a second when there is always more to do.

All read the same preloaded topic with 4 partitions, one process each, in turn, several rounds. The rate is counted by
the broker's own clock: records stored after a warm-up slice, over the time from its end to the last record.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.contestant import Contestant, CpuSample
from benchmarks.documents import ControlPlane
from benchmarks.events import SHAPES, EventShape, encode_events
from benchmarks.inference_size import inference_bytes
from benchmarks.model import OUTPUT_SCHEMA, TrainedModel
from benchmarks.worker_run import WorkerMeasures, read_measures, start_worker
from streamer.avro.framing import single_object_prefix
from streamer.avro.schema import parse_schema
from streamer.routing.documents import Delivery

if TYPE_CHECKING:
    from benchmarks.cluster import Cluster
    from benchmarks.plan import Plan
    from benchmarks.progress import Progress

_RUN_SECONDS = 90.0
BY_HAND_OUTPUT_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "ScoredEvent",
    "namespace": "bench",
    "fields": [{"name": "event_id", "type": "string"}, *OUTPUT_SCHEMA["fields"]],
}


@dataclass(frozen=True)
class Measured:
    """One run of one contestant.

    Attributes:
        per_second: Records stored per second after the warm-up.
        cpu_microseconds: CPU time of its process per record, over the same time.
        broker_cpu_microseconds: Of the broker.
        stages: Microseconds per record in each stage of the worker's loop, after the warm-up.
        models: Microseconds per record, of all records, in the model of each variant.
        records_per_batch: Of the worker, on average.
    """

    per_second: float
    cpu_microseconds: float
    broker_cpu_microseconds: float
    stages: dict[str, float] = field(default_factory=dict)
    models: dict[str, float] = field(default_factory=dict)
    records_per_batch: float | None = None


@dataclass(frozen=True)
class Stage:
    """Where saturation runs take place: events of one shape on the broker, and models for them."""

    cluster: Cluster
    plan: Plan
    folder: Path
    shape: EventShape
    events_topic: str
    champion: TrainedModel
    canary: TrainedModel

    @classmethod
    def prepare(
        cls, cluster: Cluster, plan: Plan, folder: Path, fields: int, models: tuple[TrainedModel, TrainedModel]
    ) -> Stage:
        """Preloads the events."""
        topic = f"saturation-{fields}.events"
        cluster.create(topic)
        shape = SHAPES[fields]
        times_us = 1_760_000_000_000_000 + np.arange(plan.events, dtype=np.int64) * 1000
        cluster.preload(topic, encode_events(shape, times_us))
        return cls(cluster, plan, folder, shape, topic, *models)

    def baseline(self, name: str, arguments: list[str], run: str) -> Measured:
        """Runs `benchmarks.<name>`."""
        output = f"{run}.output"
        self.cluster.create(output, stamped_by_broker=True)
        servers = self.cluster.bootstrap_servers
        command = [sys.executable, "-m", f"benchmarks.{name}", servers, self.events_topic, output, run, *arguments]
        try:
            with Contestant(command, self.folder / f"{run}.log") as contestant:
                done = self.cluster.reached(output, self.plan.events)
                samples = contestant.watch(self.cluster.pid, done, _RUN_SECONDS)
            return self._measured(output, samples)
        finally:
            self.cluster.admin.delete([output])

    def pass_through(self, run: str) -> Measured:
        return self.baseline("pass_through", [str(inference_bytes(self.champion.version))], run)

    def by_hand(self, run: str) -> Measured:
        task = {
            "event_schema": json.loads(self.shape.schema.json),
            "output_schema": BY_HAND_OUTPUT_SCHEMA,
            "prefix": single_object_prefix(parse_schema(BY_HAND_OUTPUT_SCHEMA)).hex(),
            "features": self.shape.features,
            "model": str(self.champion.path),
        }
        return self.baseline("by_hand", [json.dumps(task)], run)

    def worker(self, run: str, delivery: Delivery, *, canary: bool) -> Measured:
        """Runs `streamer worker`."""
        plane = ControlPlane.create(self.cluster, run, self.events_topic)
        plane.publish_endpoint(self.shape, delivery)
        plane.publish_routing(self.champion.version, self.canary.version if canary else None)
        try:
            with start_worker(plane, self.folder) as worker:
                reached = self.cluster.reached(plane.inferences_topic, self.plan.events)
                warm: list[WorkerMeasures] = []

                def done() -> bool:
                    over = reached()
                    if not warm and reached.count >= self.plan.warm_up_events:
                        warm.append(read_measures(plane))
                    return over

                samples = worker.watch(self.cluster.pid, done, _RUN_SECONDS)
                seen = read_measures(plane).since(warm[0])
            measured = self._measured(plane.inferences_topic, samples)
        finally:
            plane.delete()
        return Measured(
            measured.per_second,
            measured.cpu_microseconds,
            measured.broker_cpu_microseconds,
            {name: seconds / seen.events * 1e6 for name, seconds in seen.stages.items()},
            {name: seconds / seen.events * 1e6 for name, seconds in seen.models.items()},
            seen.events / seen.batches,
        )

    def _measured(self, output: str, samples: list[CpuSample]) -> Measured:
        stored_at = self.cluster.stored_at(output)
        if len(stored_at) != self.plan.events:
            raise RuntimeError(f"{output} holds {len(stored_at)} records for {self.plan.events} events")
        started, ended = stored_at[self.plan.warm_up_events], stored_at[-1]
        counted = int((stored_at > started).sum())
        at = [sample.at for sample in samples]

        def microseconds(seconds: list[float]) -> float:
            used = np.interp([started, ended], at, seconds)
            return float(used[1] - used[0]) / counted * 1e6

        return Measured(
            per_second=counted / (ended - started),
            cpu_microseconds=microseconds([sample.contestant_seconds for sample in samples]),
            broker_cpu_microseconds=microseconds([sample.broker_seconds for sample in samples]),
        )


def contestants(stage: Stage) -> dict[str, Callable[[str], Measured]]:
    """Name in the results to what runs it."""
    return {
        "pass_through": stage.pass_through,
        "exactly_once": lambda run: stage.worker(run, Delivery.exactly_once, canary=True),
        "at_least_once": lambda run: stage.worker(run, Delivery.at_least_once, canary=True),
        "exactly_once_without_canary": lambda run: stage.worker(run, Delivery.exactly_once, canary=False),
        "by_hand_batched": stage.by_hand,
    }


def warm_broker(stage: Stage) -> None:
    """Lets the broker's Java compile what the contestants make it do."""
    for number in range(stage.plan.broker_warm_ups):
        stage.pass_through(f"warm-up-{number}-pass-through")
        stage.worker(f"warm-up-{number}-exactly-once", Delivery.exactly_once, canary=True)


def measure(stage: Stage, progress: Progress) -> dict[str, list[Measured]]:
    """All contestants in turn, `rounds` times. The order turns round by one in each."""
    runs = contestants(stage)
    names = list(runs)
    fields = len(stage.shape.fields)
    measured: dict[str, list[Measured]] = {name: [] for name in names}
    for number in range(stage.plan.rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            progress.step(f"{fields} fields, round {number + 1}: {name.replace('_', ' ')}")
            result = runs[name](f"s{fields}-{number}-{name}")
            progress.say(f"{fields} fields, {name}: {result.per_second:,.0f}/s, {result.cpu_microseconds:.2f} us CPU")
            measured[name].append(result)
    return measured


def summary(measured: dict[str, list[Measured]]) -> dict[str, Any]:
    """Medians over the rounds, with every round beside them."""
    result: dict[str, Any] = {
        f"{name}_per_second": round(statistics.median(run.per_second for run in runs))
        for name, runs in measured.items()
    }
    result["cpu_microseconds_per_record"] = {
        name: round(statistics.median(run.cpu_microseconds for run in runs), 3) for name, runs in measured.items()
    }
    result["broker_cpu_microseconds_per_record"] = {
        name: round(statistics.median(run.broker_cpu_microseconds for run in runs), 3)
        for name, runs in measured.items()
    }
    result["stage_microseconds_per_record"] = {
        name: _medians([run.stages for run in runs]) for name, runs in measured.items() if runs[0].stages
    }
    result["records_per_batch"] = {
        name: [round(run.records_per_batch) for run in runs if run.records_per_batch is not None]
        for name, runs in measured.items()
        if runs[0].records_per_batch is not None
    }
    result["rounds_per_second"] = {name: [round(run.per_second) for run in runs] for name, runs in measured.items()}
    return result


def canary_cost(measured: dict[str, list[Measured]]) -> dict[str, float]:
    """What a canary of 5 percent adds to each record of the worker, in microseconds of its wall-clock and CPU time."""
    routed, plain = measured["exactly_once"], measured["exactly_once_without_canary"]
    elapsed = statistics.median(1e6 / a.per_second - 1e6 / b.per_second for a, b in zip(routed, plain, strict=True))
    cpu = statistics.median(a.cpu_microseconds - b.cpu_microseconds for a, b in zip(routed, plain, strict=True))
    prediction = statistics.median(run.models.get("canary", 0.0) for run in routed)
    return {
        "added_elapsed_microseconds_per_record": round(elapsed, 3),
        "added_cpu_microseconds_per_record": round(cpu, 3),
        "canary_prediction_microseconds_per_record": round(prediction, 3),
        "beyond_its_prediction_elapsed_microseconds": round(elapsed - prediction, 3),
        "beyond_its_prediction_cpu_microseconds": round(cpu - prediction, 3),
        "allowed_beyond_its_prediction_microseconds": 1.5,
    }


def _medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(row.get(name, 0.0) for row in rows), 3) for name in rows[0]}
