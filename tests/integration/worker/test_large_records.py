"""Records at the limit of what a topic takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.deployment import LARGEST_RECORD_BYTES
from tests.support.event_feed import events
from tests.support.small_models import boosted_trees

if TYPE_CHECKING:
    from tests.support.deployment import Deployment


def test_an_event_whose_inference_no_topic_takes_is_a_dead_letter_and_the_next_ones_are_answered(
    deployment: Deployment,
) -> None:
    deployment.publish_endpoint()
    deployment.publish_routing({"v" * 128: boosted_trees()})
    worker = deployment.start_serving()
    before, giant, after = events(0, 100), events(100, 1)[0], events(200, 100)
    deployment.feed.send_all(before)
    # The event fits into its topic; the inference repeats its id, and the envelope around it does not fit any more.
    fitting = "x" * (LARGEST_RECORD_BYTES - 170)
    deployment.feed.send_raw(0, deployment.feed.encode({**giant.record(), "id": fitting}), key=b"giant")
    deployment.feed.send_all(after)
    deployment.await_committed(20)
    assert worker.stop() == 0
    assert len(deployment.check_copy()) == 200
    (letter,) = deployment.read_all("dead-letters")
    headers = dict(letter.headers)
    assert letter.key == b"giant"
    assert headers["__streamer.errors.offset"] == b"50"
    assert headers["__streamer.errors.class"] == b"InferenceTooLarge"
    assert headers["__streamer.errors.stage"] == b"publish"
    assert int(headers["__streamer.errors.truncated"] or 0) > LARGEST_RECORD_BYTES - 170
