"""What people see: acts as lines and, on a terminal, a table that lives; elsewhere a line every few seconds."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamer.demo.telemetry import Reading, Telemetry

_LINE_EVERY_SECONDS = 3.0
_FRAMES_PER_SECOND = 4


class Screen:
    """Everything that is not the result goes to standard error.

    Args:
        console: Where to; None: standard error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._started = time.monotonic()

    def act(self, title: str) -> None:
        """A new act begins."""
        self._console.print(Text.assemble((f"{self._seconds():5.1f} s  ", "dim"), (title, "bold")), soft_wrap=True)

    def say(self, text: str) -> None:
        """What came of it."""
        for line in text.splitlines():
            self._console.print(Text(f"         {line}", "dim"), soft_wrap=True)

    @contextmanager
    def live(self, telemetry: Telemetry) -> Iterator[None]:
        """Shows the stream until the block is left."""
        if self._console.is_terminal:
            with Live(
                get_renderable=lambda: draw(telemetry.read()),
                console=self._console,
                refresh_per_second=_FRAMES_PER_SECOND,
                transient=True,
            ):
                yield
            return
        over = threading.Event()
        lines = threading.Thread(target=self._print_lines, args=(telemetry, over), name="screen", daemon=True)
        lines.start()
        try:
            yield
        finally:
            over.set()
            lines.join(timeout=5)

    def _print_lines(self, telemetry: Telemetry, over: threading.Event) -> None:
        while not over.wait(_LINE_EVERY_SECONDS):
            self.say(summary(telemetry.read()))

    def _seconds(self) -> float:
        return time.monotonic() - self._started


def summary(reading: Reading) -> str:
    """A reading in one line."""
    parts = [
        f"{reading.events:,} events ({reading.events_per_second:,.0f}/s)",
        f"{reading.inferences:,} inferences",
        f"revision {reading.revision}",
    ]
    if reading.latency_ms is not None:
        parts.append("latency p50/p95/p99 " + "/".join(f"{each:.0f}" for each in reading.latency_ms) + " ms")
    parts += [f"{variant} {share:.1%}" for variant, share in reading.shares.items()]
    if reading.shadow_answers:
        parts.append(f"shadow {reading.shadow_answers:,}")
    if reading.dead_letters:
        parts.append(f"dead letters {reading.dead_letters}")
    return ", ".join(parts)


def draw(reading: Reading) -> Group:
    """A reading as tables."""
    stream = Table(box=None, pad_edge=True, show_header=True, header_style="dim")
    for name in ("events", "inferences", "waiting", "revision", "p50", "p95", "p99", "shadow", "dead letters"):
        stream.add_column(name, justify="right", min_width=8)
    latencies = [f"{each:.0f} ms" for each in reading.latency_ms] if reading.latency_ms is not None else ["-"] * 3
    stream.add_row(
        f"{reading.events:,}",
        f"{reading.inferences:,}",
        f"{reading.waiting:,}",
        str(reading.revision or "-"),
        *latencies,
        f"{reading.shadow_answers:,}",
        str(reading.dead_letters),
    )
    stream.add_row(f"{reading.events_per_second:,.0f}/s", f"{reading.inferences_per_second:,.0f}/s", style="dim")
    variants = Table(box=None, pad_edge=True, show_header=False)
    for name, share in reading.shares.items():
        variants.add_row(name, f"{share:6.1%}", "█" * round(share * 40))
    workers = Table(box=None, pad_edge=True, show_header=False)
    for worker in reading.workers:
        lag = sum(partition.lag for partition in worker.partitions)
        owned = ", ".join(str(partition.partition) for partition in worker.partitions) or "none"
        revision = "-" if worker.routing_revision is None else str(worker.routing_revision)
        workers.add_row(
            f"worker {worker.slot}",
            str(worker.state),
            f"revision {revision}",
            f"partitions {owned}",
            f"lag {lag:,}",
            style="dim",
        )
    return Group(Text(), stream, variants, workers)
