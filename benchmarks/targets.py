"""The ratios that the project promises itself, computed from one run. They are reported, never asserted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Results = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """One promise.

    Attributes:
        name: Key in the results.
        text: What is divided by what.
        bound: The promise.
        at_least: Whether the bound is a minimum.
        value: Reads it out of the results; KeyError if that part did not run.
    """

    name: str
    text: str
    bound: float
    at_least: bool
    value: Callable[[Results], float]

    def met(self, value: float) -> bool:
        """Whether a value keeps the promise."""
        return value >= self.bound if self.at_least else value <= self.bound


def _saturation(section: str, over: str) -> Callable[[Results], float]:
    def ratio(results: Results) -> float:
        return float(results[section]["exactly_once_per_second"] / results[section][f"{over}_per_second"])

    return ratio


def _p95_ratio(rate: str) -> Callable[[Results], float]:
    def ratio(results: Results) -> float:
        at_rate = results["open_loop"][rate]
        return float(at_rate["exactly_once_ms"]["p95"] / at_rate["at_least_once_ms"]["p95"])

    return ratio


TARGETS = (
    Target(
        "exactly_once_over_pass_through",
        "exactly-once / pass-through, 10 fields",
        0.7,
        True,
        _saturation("saturation", "pass_through"),
    ),
    Target(
        "exactly_once_over_by_hand_batched",
        "exactly-once / batched loop by hand, 10 fields",
        2.2,
        True,
        _saturation("saturation", "by_hand_batched"),
    ),
    Target(
        "exactly_once_over_pass_through_24_fields",
        "exactly-once / pass-through, 24 fields",
        0.7,
        True,
        _saturation("saturation_24_fields", "pass_through"),
    ),
    Target(
        "exactly_once_over_by_hand_batched_24_fields",
        "exactly-once / batched loop by hand, 24 fields",
        2.2,
        True,
        _saturation("saturation_24_fields", "by_hand_batched"),
    ),
    Target(
        "fastavro_over_columnar_decode",
        "decoding 24 fields: fastavro / columnar",
        8.0,
        True,
        lambda results: results["decode"]["fastavro_microseconds"] / results["decode"]["columnar_microseconds"],
    ),
    Target(
        "canary_microseconds_beyond_its_prediction",
        "a canary of 5%, us of CPU per record beyond its own prediction",
        1.5,
        False,
        lambda results: results["canary"]["beyond_its_prediction_cpu_microseconds"],
    ),
    Target(
        "exactly_once_over_at_least_once_p95_20000",
        "p95 at 20,000/s: exactly-once / at-least-once",
        3.5,
        False,
        _p95_ratio("20000"),
    ),
    Target(
        "swap_p99_around_over_before",
        "p99 around a routing swap / before it",
        1.5,
        False,
        lambda results: results["swap"]["around_ms"]["p99"] / results["swap"]["before_ms"]["p99"],
    ),
    Target(
        "slow_shadow_p99_with_over_without",
        "p99 with a sleeping shadow / without",
        1.2,
        False,
        lambda results: results["slow_shadow"]["with_ms"]["p99"] / results["slow_shadow"]["without_ms"]["p99"],
    ),
)


def ratios(results: Results) -> dict[str, dict[str, Any]]:
    """Every target whose part ran: value, bound, and whether it is met."""
    found = {}
    for target in TARGETS:
        try:
            value = target.value(results)
        except KeyError:
            continue
        bound = f"{'>=' if target.at_least else '<='} {target.bound:g}"
        found[target.name] = {
            "what": target.text,
            "value": round(value, 2),
            "target": bound,
            "met": target.met(value),
        }
    return found
