"""What Streamer promises, held against what happened. One that does not hold fails the demo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.demo.measures import Moves, Share

LEAST_AREA_UNDER_CURVE = 0.85
LARGEST_DIFFERENCE = 1e-5
LONGEST_SILENCE_SECONDS = 10.0
"""An idle machine shows a few hundred milliseconds; one that is short of processors stalls everything for seconds."""


@dataclass(frozen=True)
class Promise:
    """One promise.

    Attributes:
        what: The promise, as a sentence.
        holds: Whether it held.
        seen: The numbers.
    """

    what: str
    holds: bool
    seen: str


@dataclass(frozen=True)
class Findings:
    """Everything that was counted and measured.

    Attributes:
        events: Good events sent.
        departures: Those among them that left; the others were cancelled.
        inferences: Read by a reader that began when all was over.
        distinct: Distinct event ids among them.
        unknown: Inferences of events that were never sent.
        in_order: See `measures.is_in_order`.
        shares: Of every variant at every revision.
        moves: Users that changed variant.
        area_under_curve: Variant (the shadow among them) to AUC and the number of arrivals.
        largest_difference: Between the stream's answers and the estimators'.
        shadow_expected: Events of the revision that had the shadow.
        shadow_inferences: What it answered.
        dead_letters: Reason to number.
        expected_dead_letters: The same, as it must be.
        refusals: What was said to the broken routing.
        answered_meanwhile: Inferences while it was tried.
        silence_seconds: The longest time without an inference while events flowed.
        final_revision: Of the last inferences.
        expected_final_revision: What the history says.
        latency_ms: p50, p95, p99 from event to inference.
        events_per_second: Over the whole stream.
    """

    events: int
    departures: int
    departures_wanted: int
    inferences: int
    distinct: int
    unknown: int
    in_order: bool
    shares: list[Share]
    moves: Moves
    area_under_curve: Mapping[str, tuple[float, int]]
    largest_difference: float
    shadow_expected: int
    shadow_inferences: int
    dead_letters: Mapping[str, int]
    expected_dead_letters: Mapping[str, int]
    refusals: list[str]
    answered_meanwhile: int
    silence_seconds: float
    final_revision: int
    expected_final_revision: int
    latency_ms: Mapping[str, float]
    events_per_second: float


def promises(found: Findings) -> list[Promise]:
    """Each promise with what was seen."""
    return [
        Promise(
            "every event has exactly one serving inference",
            found.events == found.inferences == found.distinct and not found.unknown,
            f"{found.events:,} events in, {found.inferences:,} inferences out, {found.distinct:,} distinct",
        ),
        Promise(
            f"at least {found.departures_wanted:,} real departures were streamed",
            found.departures >= found.departures_wanted,
            f"{found.departures:,}, and {found.events - found.departures:,} cancelled flights",
        ),
        Promise(
            "inferences stand in their events' partitions, in their events' order",
            found.in_order,
            "yes" if found.in_order else "no",
        ),
        Promise(
            "every variant has the share of users that its weight says (4 standard deviations)",
            all(share.holds for share in found.shares),
            _worst(found.shares),
        ),
        Promise(
            "no user changes variant unless its weight says so",
            found.moves.wrong == 0,
            f"{found.moves.wrong:,} wrongly, {found.moves.moved:,} rightly",
        ),
        Promise(
            "the stream answers what the estimators answer",
            found.largest_difference <= LARGEST_DIFFERENCE,
            f"largest difference {found.largest_difference:.1e}",
        ),
        Promise(
            f"every variant foresees lateness (AUC of {LEAST_AREA_UNDER_CURVE} or more against the arrivals)",
            bool(found.area_under_curve)
            and all(area >= LEAST_AREA_UNDER_CURVE for area, _ in found.area_under_curve.values()),
            ", ".join(f"{variant} {area:.3f}" for variant, (area, _) in found.area_under_curve.items()),
        ),
        Promise(
            "a shadow answers beside the others, at most once per event, and serves nobody",
            0 < found.shadow_inferences <= found.shadow_expected,
            f"{found.shadow_inferences:,} of {found.shadow_expected:,} events; late ones are dropped and counted",
        ),
        Promise(
            "every malformed record ends as one dead letter with its reason",
            dict(found.dead_letters) == dict(found.expected_dead_letters),
            ", ".join(f"{number} {reason}" for reason, number in sorted(found.dead_letters.items())) or "none",
        ),
        Promise(
            "a broken routing is refused, also behind apply's back, and serving goes on",
            len(found.refusals) > 1 and found.answered_meanwhile > 0,
            f"{found.answered_meanwhile:,} inferences meanwhile",
        ),
        Promise(
            f"changes interrupt nothing (no silence of {LONGEST_SILENCE_SECONDS:g} s while events flow)",
            found.silence_seconds < LONGEST_SILENCE_SECONDS,
            f"longest {found.silence_seconds * 1000:.0f} ms",
        ),
        Promise(
            "after the rollback the first routing answers again",
            found.final_revision == found.expected_final_revision,
            f"revision {found.final_revision}",
        ),
    ]


def _worst(shares: list[Share]) -> str:
    drawn = [share for share in shares if share.tolerance]
    if not drawn:
        return "nothing was drawn by lot"
    worst = max(drawn, key=lambda share: abs(share.share - share.expected) / share.tolerance)
    return (
        f"furthest: {worst.variant} at revision {worst.revision} with {worst.share:.1%} of {worst.expected:.1%}, "
        f"tolerance {worst.tolerance:.1%}"
    )
