"""One measurement in the open loop: load at a fixed rate, from an event's intended time to its reader."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.inference_reader import READY
from benchmarks.plan import OPEN_LOOP_SHAPE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.documents import ControlPlane

_END_SECONDS = 60.0


@dataclass(frozen=True)
class Latencies:
    """What a reader saw of n events, in order of arrival.

    Attributes:
        intended_at: Shape (n,), seconds since the first event was due.
        milliseconds: Shape (n,), from the intended time to the arrival.
        arrived_at: Shape (n,), seconds since the first event was due.
        revisions: Shape (n,): which routing answered.
        generator: How late the generator was.
        lost: Events without an inference.
        doubled: Inferences beyond the first of an event.
        reordered: Inferences that came before one of an earlier event of their partition, or in another partition.
        start: When the first event was due, seconds since 1970.
    """

    intended_at: NDArray[np.float64]
    milliseconds: NDArray[np.float64]
    arrived_at: NDArray[np.float64]
    revisions: NDArray[np.int64]
    generator: dict[str, float]
    lost: int
    doubled: int
    reordered: int
    start: float

    def between(self, first_seconds: float, last_seconds: float) -> NDArray[np.float64]:
        """Milliseconds of the events that were due in this time."""
        return self.milliseconds[(self.intended_at >= first_seconds) & (self.intended_at < last_seconds)]


def percentiles(milliseconds: NDArray[np.float64]) -> dict[str, float]:
    """p50, p95 and p99, in milliseconds."""
    values = np.percentile(milliseconds, [50, 95, 99])
    return {name: round(float(value), 1) for name, value in zip(("p50", "p95", "p99"), values, strict=True)}


def measure_latencies(
    plane: ControlPlane,
    rate: float,
    seconds: float,
    folder: Path,
    meanwhile: Callable[[float], None] = lambda _: None,
) -> Latencies:
    """Load for some seconds, with a reader running throughout.

    Args:
        plane: Whose worker serves.
        rate: Events per second.
        seconds: For so long.
        folder: For the reader's results.
        meanwhile: Called before the first event is due, with that time in seconds since 1970.
    """
    n = int(rate * seconds)
    result = folder / "latencies.npz"
    result.unlink(missing_ok=True)
    servers = plane.kafka.bootstrap_servers
    python = [sys.executable, "-m"]
    reader = subprocess.Popen(
        [*python, "benchmarks.inference_reader", servers, plane.inferences_topic, str(n), str(result)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert reader.stdout is not None
        if reader.stdout.readline().strip() != READY:
            raise RuntimeError("the reader did not start")
        with subprocess.Popen(
            [
                *python,
                "benchmarks.load_generator",
                servers,
                plane.events_topic,
                str(OPEN_LOOP_SHAPE),
                str(rate),
                str(seconds),
            ],
            stdout=subprocess.PIPE,
            text=True,
        ) as generator:
            assert generator.stdout is not None
            start = float(generator.stdout.readline())
            meanwhile(start)
            report, _ = generator.communicate(timeout=seconds + _END_SECONDS)
        if generator.returncode:
            raise RuntimeError("the generator failed")
        if reader.wait(_END_SECONDS):
            raise RuntimeError("the reader failed")
    finally:
        if reader.poll() is None:
            reader.kill()
            reader.wait()
    return _latencies(result, json.loads(report), start, n)


def _latencies(result: Path, generator: dict[str, float], start: float, n: int) -> Latencies:
    with np.load(result) as seen:
        arrived, intended = seen["arrived_us"] / 1e6, seen["event_time_us"] / 1e6
        partition, offset = seen["source_partition"].astype(np.int64), seen["source_offset"]
        elsewhere = int((seen["partition"] != partition).sum())
        revisions = seen["routing_revision"]
    distinct = len(np.unique(np.stack([partition, offset]), axis=1)[0])
    order = np.argsort(partition, kind="stable")
    same = partition[order][1:] == partition[order][:-1]
    back = int((np.diff(offset[order])[same] < 0).sum())
    return Latencies(
        intended_at=intended - start,
        milliseconds=(arrived - intended) * 1000,
        arrived_at=arrived - start,
        revisions=revisions,
        generator={name: round(value, 2) for name, value in generator.items()},
        lost=n - distinct,
        doubled=len(offset) - distinct,
        reordered=back + elsewhere,
        start=start,
    )
