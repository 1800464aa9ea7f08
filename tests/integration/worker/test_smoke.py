"""From events to inferences, end to end: exact outputs and an envelope that says the truth."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import xxhash

from tests.support.event_feed import events, features_of
from tests.support.small_models import boosted_trees

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

N = 2000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_every_event_gets_the_models_exact_answer_in_a_truthful_envelope(deployment: Deployment) -> None:
    model = boosted_trees()
    before = time.time()
    deployment.publish_endpoint()
    deployment.publish_routing({"champion": model}, salt="pepper")
    worker = deployment.start_serving()
    deployment.feed.send_all(events(0, N))
    deployment.await_committed()
    assert worker.stop() == 0
    inferences = deployment.check_copy()
    assert len(inferences) == N

    expected = model.answers(features_of(0, N))
    by_id = {event.id: event for event in events(0, N)}
    for inference in inferences:
        event = by_id[inference.event_id]
        said = inference.envelope
        assert said["output"] == {"score": expected[event.i]}
        assert said["variant"] == "champion"
        assert said["role"] == "serving"
        assert str(said["model_id"]) == model.uuid
        assert (said["model_name"], said["model_version"]) == ("trees", 1)
        assert said["routing_revision"] == 1
        assert said["learned_through"] is None
        seed = xxhash.xxh3_64_intdigest(b"pepper")
        assert said["bucket"] == xxhash.xxh3_64_intdigest(event.rider.encode(), seed) % 10_000
        assert (said["event_time"] - EPOCH) // timedelta(microseconds=1) == event.at_us
        assert before <= said["scored_at"].timestamp() <= time.time()
        assert inference.record.key == event.id.encode()
        assert inference.record.headers == []
    assert np.unique(expected).size > 10, "the model must not be a constant"
