"""The end of the demo: tables for people, one document for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streamer.demo.stage import SHADOW

if TYPE_CHECKING:
    from streamer.demo.promises import Findings, Promise

_WIDTH_OFF_A_TERMINAL = 160


def as_document(found: Findings, promises: list[Promise], seconds: float) -> dict[str, Any]:
    """For ``--output json``."""
    document = asdict(found)
    document["area_under_curve"] = {
        variant: {"area": area, "arrivals": arrivals} for variant, (area, arrivals) in found.area_under_curve.items()
    }
    return {
        "holds": all(promise.holds for promise in promises),
        "seconds": round(seconds, 1),
        "promises": [asdict(promise) for promise in promises],
        **document,
    }


def print_report(found: Findings, promises: list[Promise], console: Console | None = None) -> None:
    """On standard output."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OFF_A_TERMINAL
    console.print()
    console.print(_stream(found))
    console.print(_variants(found))
    console.print(_quality(found))
    console.print(_promises(promises))


def _stream(found: Findings) -> Table:
    table = Table(box=SIMPLE_HEAD, title="The stream", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {
        "events in": f"{found.events:,}",
        "inferences out": f"{found.inferences:,}",
        "events per second": f"{found.events_per_second:,.0f}",
        "event to inference": " / ".join(f"{name} {ms:.0f} ms" for name, ms in found.latency_ms.items()),
        "dead letters": str(sum(found.dead_letters.values())),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _variants(found: Findings) -> Table:
    table = Table(box=SIMPLE_HEAD, title="Variants", title_justify="left")
    for name in ("revision", "variant", "weight", "share of users", "tolerance", "users", "events"):
        table.add_column(name, justify="left" if name == "variant" else "right")
    for share in found.shares:
        table.add_row(
            str(share.revision),
            share.variant,
            f"{share.expected:.1%}",
            Text(f"{share.share:.1%}", "" if share.holds else "red"),
            f"± {share.tolerance:.1%}",
            f"{share.users:,}",
            f"{share.events:,}",
        )
    return table


def _quality(found: Findings) -> Table:
    table = Table(box=SIMPLE_HEAD, title="Foreseen lateness against the arrivals", title_justify="left")
    table.add_column("variant")
    table.add_column("AUC", justify="right")
    table.add_column("arrivals", justify="right")
    for variant, (area, arrivals) in found.area_under_curve.items():
        table.add_row(f"{variant} (shadow)" if variant == SHADOW else variant, f"{area:.3f}", f"{arrivals:,}")
    return table


def _promises(promises: list[Promise]) -> Table:
    table = Table(box=SIMPLE_HEAD, title="Promises", title_justify="left")
    table.add_column("")
    table.add_column("promise")
    table.add_column("seen")
    for promise in promises:
        mark = Text("holds", "green") if promise.holds else Text("BROKEN", "bold red")
        table.add_row(mark, promise.what, promise.seen)
    return table
