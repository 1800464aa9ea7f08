"""The results as one picture: saturation beside latency."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.report import CONTESTANTS, SATURATION

_BLUES = ("#1f4e79", "#8fb8de")
_BAR_WIDTH = 0.38


def plot(results: dict[str, Any], file: Path) -> None:
    """Writes a PNG of the parts that ran."""
    sections = [section for section in SATURATION if section in results]
    panels = bool(sections) + ("open_loop" in results)
    if not panels:
        return
    figure, axes = plt.subplots(1, panels, figsize=(6.5 * panels, 4.2), squeeze=False, layout="constrained")
    if sections:
        _saturation(axes[0][0], results, sections)
    if "open_loop" in results:
        _open_loop(axes[0][-1], results["open_loop"])
    figure.savefig(file, dpi=120)
    plt.close(figure)


def _saturation(axis: Any, results: dict[str, Any], sections: list[str]) -> None:
    places = np.arange(len(CONTESTANTS))[::-1]
    for number, section in enumerate(sections):
        rounds = [np.array(results[section]["rounds_per_second"][name]) / 1000 for name in CONTESTANTS]
        median = np.array([results[section][f"{name}_per_second"] / 1000 for name in CONTESTANTS])
        spread = [median - [r.min() for r in rounds], [r.max() for r in rounds] - median]
        where = places - (number - (len(sections) - 1) / 2) * _BAR_WIDTH
        axis.barh(where, median, _BAR_WIDTH, xerr=spread, color=_BLUES[number], label=SATURATION[section])
    axis.set_yticks(places, CONTESTANTS.values())
    axis.set_xlabel("thousand records per second, one process")
    axis.set_title("At saturation (median and range of the rounds)")
    axis.legend()


def _open_loop(axis: Any, open_loop: dict[str, Any]) -> None:
    places = np.arange(len(open_loop))
    for number, (name, label) in enumerate((("exactly_once", "exactly-once"), ("at_least_once", "at-least-once"))):
        seen = {
            p: np.array([section[f"{name}_ms"][p] for section in open_loop.values()]) for p in ("p50", "p95", "p99")
        }
        where = places + (number - 0.5) * _BAR_WIDTH
        spread = [seen["p95"] - seen["p50"], seen["p99"] - seen["p95"]]
        axis.bar(where, seen["p95"], _BAR_WIDTH, yerr=spread, color=_BLUES[number], label=label, capsize=3)
    axis.set_xticks(places, [f"{int(rate):,}" for rate in open_loop])
    axis.set_xlabel("events per second")
    axis.set_ylabel("ms, intended time to read_committed reader")
    axis.set_title("Open loop: p95, with p50 and p99 as whiskers")
    axis.legend()
