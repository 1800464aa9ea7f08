"""`python -m benchmarks`: everything in one run; writes benchmarks/results/bench.json, bench.txt and bench.png."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

import streamer.broker
from benchmarks import decode, saturation
from benchmarks.cluster import Cluster
from benchmarks.events import SHAPES
from benchmarks.machine import machine, settings, versions
from benchmarks.model import TrainedModel, train
from benchmarks.open_loop import open_loop
from benchmarks.plan import FULL, OPEN_LOOP_SHAPE, QUICK, SATURATION_SHAPES, Plan
from benchmarks.plot import plot
from benchmarks.progress import Progress
from benchmarks.report import print_report
from benchmarks.slow_shadow import slow_shadow
from benchmarks.swap import swap
from benchmarks.targets import ratios

RESULTS = Path(__file__).with_name("results")
PARTS = ("decode", "saturation", "open_loop", "swap", "slow_shadow")
Models = tuple[TrainedModel, TrainedModel]
Loaded = Callable[[Cluster, Plan, Path, Models, Progress], dict[str, Any]]
_UNDER_LOAD: dict[str, Loaded] = {"open_loop": open_loop, "swap": swap, "slow_shadow": slow_shadow}


def main() -> None:
    options = _options()
    plan = QUICK if options.quick else FULL
    parts = tuple(options.only or PARTS)
    console = Console()
    before = machine()
    with (
        tempfile.TemporaryDirectory(prefix="streamer-bench-") as name,
        Progress(console) as progress,
    ):
        measured = run(plan, parts, Path(name), progress)
    results = {
        "ratios": ratios(measured),
        **measured,
        "machine": before,
        "versions": versions(),
        "settings": settings(plan),
    }
    # A run of some parts, or a short one, does not replace the results of a whole one.
    stem = "bench" if plan is FULL and set(parts) == set(PARTS) else "bench-partial"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{stem}.json").write_text(json.dumps(results, indent=2) + "\n")
    plot(results, RESULTS / f"{stem}.png")
    with (RESULTS / f"{stem}.txt").open("w") as file:
        print_report(results, Console(file=file, width=110))
    print_report(results, console)
    console.print(f"written: {RESULTS / stem}.json, .txt, .png")


def run(plan: Plan, parts: tuple[str, ...], folder: Path, progress: Progress) -> dict[str, Any]:
    """Runs these parts against one broker."""
    measured: dict[str, Any] = {}
    if "decode" in parts:
        progress.step("decoding, columnar and fastavro")
        measured["decode"] = _decode(decode.measure())
    if set(parts) <= {"decode"}:
        return measured
    progress.step("starting a broker")
    with streamer.broker.up(ephemeral=True, throughput=True) as broker:
        cluster = Cluster(broker.bootstrap_servers, broker.pid)
        progress.step("training the models")
        models: dict[int, Models] = {
            fields: (train(shape, folder, number=1), train(shape, folder, number=2)) for fields, shape in SHAPES.items()
        }
        if "saturation" in parts:
            measured |= _saturation(cluster, plan, folder, models, progress)
        for part, measure in _UNDER_LOAD.items():
            if part in parts:
                measured[part] = measure(cluster, plan, folder, models[OPEN_LOOP_SHAPE], progress)
    return measured


def _saturation(
    cluster: Cluster, plan: Plan, folder: Path, models: dict[int, Models], progress: Progress
) -> dict[str, Any]:
    measured: dict[str, Any] = {}
    for fields in SATURATION_SHAPES:
        progress.step(f"preloading {plan.events:,} events of {fields} fields")
        stage = saturation.Stage.prepare(cluster, plan, folder, fields, models[fields])
        if fields == SATURATION_SHAPES[0]:
            progress.step("warming the broker")
            saturation.warm_broker(stage)
        rounds = saturation.measure(stage, progress)
        measured["saturation" if fields == 10 else f"saturation_{fields}_fields"] = saturation.summary(rounds)
        if fields == 10:
            measured["canary"] = saturation.canary_cost(rounds)
        cluster.admin.delete([stage.events_topic])
    return measured


def _decode(measured: dict[str, Any]) -> dict[str, Any]:
    """The 24-field event's times on top, where readers of the results look for them."""
    of_24 = measured["decode_24_fields"]
    return {f"{name}_microseconds": of_24[name] for name in ("columnar", "fastavro")} | measured


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer events and rounds: about two minutes")
    parser.add_argument("--only", action="append", choices=PARTS, help="only this part; may be given several times")
    return parser.parse_args()


if __name__ == "__main__":
    main()
