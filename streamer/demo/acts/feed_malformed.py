"""Writes records to the events topic that are no events: each ends as one dead letter with its reason."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from streamer.demo.malformed import send_malformed
from streamer.kafka.record_reader import RecordReader

if TYPE_CHECKING:
    from streamer.demo.stage import Stage

_SECONDS = 10.0


def feed_malformed(stage: Stage, topic: str) -> None:
    """Returns when they are written.

    Args:
        stage: The set-up.
        topic: The events topic.
    """
    with closing(RecordReader(stage.settings.kafka, topic)) as reader:
        payload = reader.poll(1, _SECONDS)[0].value
    assert payload is not None
    stage.expected_dead_letters = send_malformed(stage.settings, topic, payload, stage.pace.malformed)
    count = sum(stage.expected_dead_letters.values())
    stage.screen.act(f"Write {count} malformed records among the events")
    stage.wait_until(lambda: stage.dead_letters.received >= count, f"{count} dead letters")
    stage.screen.say(", ".join(f"{number} {reason}" for reason, number in stage.dead_letters.reasons.items()))
