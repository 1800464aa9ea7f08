"""The results as a table on the terminal, ratios first."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

CONTESTANTS = {
    "pass_through": "pass-through (does nothing)",
    "exactly_once": "streamer worker, exactly-once, canary",
    "exactly_once_without_canary": "streamer worker, exactly-once",
    "at_least_once": "streamer worker, at-least-once, canary",
    "by_hand_batched": "batched loop by hand, fastavro",
}
SATURATION = {"saturation": "10 fields", "saturation_24_fields": "24 fields"}


def print_report(results: dict[str, Any], console: Console) -> None:
    """Prints every part that ran."""
    console.print(_ratios(results))
    for section, title in SATURATION.items():
        if section in results:
            console.print(_saturation(results[section], title))
    if "open_loop" in results:
        console.print(_open_loop(results["open_loop"]))
    for section in ("swap", "slow_shadow"):
        if section in results:
            console.print(_latencies(section, results[section]))
    machine = results["machine"]
    console.print(f"{machine['cpu']}, {machine['cores']} cores, shared by the broker and all contestants", style="dim")


def _ratios(results: dict[str, Any]) -> Table:
    table = Table(title="Ratios of this run")
    for heading in ("what", "measured", "target", ""):
        table.add_column(heading, justify="right" if heading == "measured" else "left")
    for ratio in results["ratios"].values():
        verdict = "[green]met[/green]" if ratio["met"] else "[yellow]missed[/yellow]"
        table.add_row(ratio["what"], f"{ratio['value']:.2f}", ratio["target"], verdict)
    return table


def _saturation(section: dict[str, Any], title: str) -> Table:
    table = Table(title=f"Saturation, {title}")
    for heading in ("contestant", "records/s", "lowest..highest round", "CPU us/record", "broker CPU us/record"):
        table.add_column(heading, justify="left" if heading == "contestant" else "right")
    for name, label in CONTESTANTS.items():
        rounds = section["rounds_per_second"][name]
        table.add_row(
            label,
            f"{section[f'{name}_per_second']:,}",
            f"{min(rounds):,}..{max(rounds):,}",
            f"{section['cpu_microseconds_per_record'][name]:.2f}",
            f"{section['broker_cpu_microseconds_per_record'][name]:.2f}",
        )
    return table


def _open_loop(open_loop: dict[str, Any]) -> Table:
    table = Table(title="Intended time to read_committed reader, ms")
    table.add_column("events/s", justify="right")
    for heading in ("at-least-once p50", "p95", "p99", "exactly-once p50", "p95", "p99"):
        table.add_column(heading, justify="right")
    for rate, section in open_loop.items():
        cells = [section[f"{name}_ms"][p] for name in ("at_least_once", "exactly_once") for p in ("p50", "p95", "p99")]
        table.add_row(f"{int(rate):,}", *(f"{cell:.1f}" for cell in cells))
    return table


def _latencies(section: str, results: dict[str, Any]) -> Table:
    table = Table(title=f"{section.replace('_', ' ')}, {results['events_per_second']:,} events/s, exactly-once, ms")
    for heading in ("", "p50", "p95", "p99"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, value in results.items():
        if name.endswith("_ms"):
            table.add_row(
                name.removesuffix("_ms").replace("_", " "), *(f"{value[p]:.1f}" for p in ("p50", "p95", "p99"))
            )
    return table
