"""How long each part of the benchmark runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Sizes of one run.

    Attributes:
        events: Preloaded for each saturation run.
        warm_up_events: The first of them, which are not measured.
        broker_warm_ups: So many unmeasured runs, of pass-through and exactly-once each, before the first measured one:
            the broker's Java compiles what it runs often, and until then that costs more than the work itself.
        rounds: Each contestant runs so many times, in turn with the others.
        rates: Events per second of the open loop.
        open_loop_rounds: Measurements per rate and guarantee.
        open_loop_seconds: Measured time of each.
        swap_seconds: Load before, and again after, a routing is swapped.
        shadow_seconds: Load on each side of the slow shadow's comparison.
    """

    name: str
    events: int
    warm_up_events: int
    broker_warm_ups: int
    rounds: int
    rates: tuple[int, ...]
    open_loop_rounds: int
    open_loop_seconds: float
    swap_seconds: float
    shadow_seconds: float


FULL = Plan(
    name="full",
    events=600_000,
    warm_up_events=150_000,
    broker_warm_ups=2,
    rounds=3,
    rates=(5_000, 20_000, 50_000),
    open_loop_rounds=2,
    open_loop_seconds=8.0,
    swap_seconds=8.0,
    shadow_seconds=10.0,
)
QUICK = Plan(
    name="quick",
    events=250_000,
    warm_up_events=80_000,
    broker_warm_ups=1,
    rounds=1,
    rates=(5_000, 20_000, 50_000),
    open_loop_rounds=1,
    open_loop_seconds=3.0,
    swap_seconds=4.0,
    shadow_seconds=4.0,
)
SATURATION_SHAPES = (10, 24)
OPEN_LOOP_SHAPE = 10
OPEN_LOOP_WARM_UP_SECONDS = 2.0
LOADED_RATE = 20_000
