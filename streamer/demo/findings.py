"""Counts and measures when all events are sent."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from streamer.client import InferenceConsumer
from streamer.control.history import history
from streamer.demo import measures
from streamer.demo.promises import Findings
from streamer.demo.stage import ENDPOINT

if TYPE_CHECKING:
    from streamer.demo.stage import Stage

_POLL_SECONDS = 0.5
SERVED_BY = {"champion": "production", "canary": "challenger", "challenger": "challenger"}
"""Variant to the tag of its model."""


def wait_for_the_last_answer(stage: Stage) -> None:
    """Returns when as many inferences and dead letters were read as there must be."""
    expected = sum(stage.expected_dead_letters.values())
    stage.wait_until(
        lambda: stage.answers.received >= stage.feed.sent and stage.dead_letters.received >= expected,
        "the last inferences",
    )


def find(stage: Stage) -> Findings:
    """The numbers of the whole stream."""
    routings = measures.Routings.of(history(stage.settings.kafka, f"routing/{ENDPOINT}"))
    sent = stage.feed.flights.iloc[: stage.feed.sent]
    sent_at = dict(zip(sent["flight_id"], stage.feed.sent_at[: stage.feed.sent], strict=True))
    joined = measures.with_users(stage.answers.frame(), sent)
    shadowed = measures.with_users(stage.shadows.frame(), sent)
    estimators = {variant: stage.estimators[tag] for variant, tag in SERVED_BY.items()}
    inferences, distinct = _count_again(stage)
    seconds = float(joined["arrived_at"].max() - stage.feed.sent_at[0])
    with_shadow = set(shadowed["revision"])
    return Findings(
        events=len(sent),
        departures=int(sent["has_left"].sum()),
        departures_wanted=stage.pace.departures,
        inferences=inferences,
        distinct=distinct,
        unknown=int(joined["flight_id"].isna().sum()),
        in_order=measures.is_in_order(joined),
        shares=measures.shares(joined, routings),
        moves=measures.moves(joined, routings),
        area_under_curve=measures.area_under_curve(joined) | measures.area_under_curve(shadowed),
        largest_difference=max(
            measures.largest_difference(joined, estimators), measures.largest_difference(shadowed, estimators)
        ),
        shadow_expected=int(joined["revision"].isin(with_shadow).sum()),
        shadow_inferences=int(shadowed["event_id"].nunique()) if shadowed["event_id"].is_unique else -1,
        dead_letters=dict(stage.dead_letters.reasons),
        expected_dead_letters=stage.expected_dead_letters,
        refusals=stage.refusals,
        answered_meanwhile=stage.answered_meanwhile,
        silence_seconds=measures.longest_silence_seconds(joined),
        final_revision=int(joined["revision"].iloc[-1]),
        expected_final_revision=max(routings.weights),
        latency_ms=measures.latency_ms(joined, sent_at),
        events_per_second=len(sent) / seconds,
    )


def _count_again(stage: Stage) -> tuple[int, int]:
    """How many inferences, and of how many events, a reader sees that begins now."""
    ids = []
    with closing(InferenceConsumer(ENDPOINT, settings=stage.settings)) as consumer:
        while not consumer.at_end():
            batch = consumer.poll(_POLL_SECONDS)
            if batch is not None:
                ids.append(batch["event_id"])
    everything = np.concatenate(ids) if ids else np.array([])
    return len(everything), len(set(everything.tolist()))
