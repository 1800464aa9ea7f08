"""Models that raise or answer nonsense: their records go to the fallback or to the dead letters, never both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.deployment import arm
from tests.support.event_feed import Event, events
from tests.support.small_models import (
    constant,
    nan_for_negative,
    raises_from_ten,
    short_for_negative,
)

if TYPE_CHECKING:
    from tests.support.deployment import Deployment
    from tests.support.small_models import SmallModel

N = 400
FALLBACK_SCORE = -7.0


def _with_x0(value: float, some: list[Event]) -> list[Event]:
    return [Event(event.i, (value, *event.x[1:])) for event in some]


def _mixed(good_x0: float, bad_x0: float, every: int) -> tuple[list[Event], set[str]]:
    """N events, one in so many of them bad for the model, and the ids of the bad ones."""
    mixed = []
    for event in events(0, N):
        mixed += _with_x0(bad_x0 if event.i % every == 3 else good_x0, [event])
    return mixed, {event.id for event in mixed if event.i % every == 3}


CASES = [
    pytest.param(nan_for_negative, 4.0, -1.0, 7, id="nan"),
    # Few: a model that raises is asked again for parts of the batch, so often and no more.
    pytest.param(raises_from_ten, 2.0, 11.0, 199, id="raises"),
]


@pytest.mark.parametrize(("make", "good_x0", "bad_x0", "every"), CASES)
def test_what_a_model_cannot_answer_the_fallback_answers(
    deployment: Deployment, make: Any, good_x0: float, bad_x0: float, every: int
) -> None:
    model: SmallModel = make()
    fallback = constant(FALLBACK_SCORE)
    mixed, bad = _mixed(good_x0, bad_x0, every)
    deployment.publish_endpoint()
    deployment.publish_routing(
        [arm("champion", model)],
        fallback=arm("safe", fallback),
        models=[model.document(deployment.folder), fallback.document(deployment.folder)],
    )
    worker = deployment.start_serving()
    deployment.feed.send_all(mixed)
    deployment.await_committed()
    counted = deployment.await_metric(worker, "streamer_events_total", lambda count: count == N)
    assert worker.stop() == 0
    inferences = deployment.check_copy()
    for seen in inferences:
        said = (seen.envelope["variant"], seen.envelope["role"], seen.envelope["output"]["score"])
        if seen.event_id in bad:
            assert said == ("safe", "fallback", FALLBACK_SCORE)
        else:
            assert said == ("champion", "serving", 2.0)
    assert deployment.read_all("dead-letters") == []
    assert counted['streamer_inferences_total{role="fallback",variant="safe"}'] == len(bad)
    assert counted['streamer_inferences_total{role="serving",variant="champion"}'] == N - len(bad)
    assert _failures(counted, "champion") == len(bad)


@pytest.mark.parametrize(("make", "good_x0", "bad_x0", "every"), CASES)
def test_without_a_fallback_it_is_a_dead_letter_with_the_reason(
    deployment: Deployment, make: Any, good_x0: float, bad_x0: float, every: int
) -> None:
    model: SmallModel = make()
    mixed, bad = _mixed(good_x0, bad_x0, every)
    deployment.publish_endpoint()
    deployment.publish_routing({"champion": model})
    worker = deployment.start_serving()
    for event in mixed:
        if event.id in bad:
            deployment.feed.send_raw(event.i % 2, deployment.feed.encode(event.record()), key=event.id.encode())
        else:
            deployment.feed.send(event)
    deployment.feed.flush()
    deployment.await_committed()
    counted = deployment.await_metric(worker, "streamer_events_total", lambda count: count == N)
    assert worker.stop() == 0
    assert len(deployment.check_copy()) == N - len(bad)
    letters = deployment.read_all("dead-letters")
    assert {(letter.key or b"").decode() for letter in letters} == bad
    assert len(letters) == len(bad)
    for letter in letters:
        headers = dict(letter.headers)
        assert headers["__streamer.errors.stage"] == b"predict"
        assert headers["__streamer.errors.class"]
        assert headers["__streamer.errors.message"]
    assert sum(value for name, value in counted.items() if name.startswith("streamer_dead_letters_total")) == len(bad)
    assert _failures(counted, "champion") == len(bad)


def test_answers_of_another_length_are_nobodys_and_go_to_the_fallback(deployment: Deployment) -> None:
    model, fallback = short_for_negative(), constant(FALLBACK_SCORE)
    deployment.publish_endpoint(batch={"max_records": 50, "max_wait_ms": 5})
    deployment.publish_routing(
        [arm("champion", model)],
        fallback=arm("safe", fallback),
        models=[model.document(deployment.folder), fallback.document(deployment.folder)],
    )
    worker = deployment.start_serving()
    deployment.feed.send_all(_with_x0(-3.0, events(0, 100)))
    deployment.await_committed()
    deployment.feed.send_all(_with_x0(3.0, events(100, 100)))
    deployment.await_committed()
    assert worker.stop() == 0
    answers = {seen.event_id: seen.envelope for seen in deployment.check_copy()}
    assert {answers[event.id]["role"] for event in events(0, 100)} == {"fallback"}
    assert {answers[event.id]["output"]["score"] for event in events(100, 100)} == {3.0}
    assert deployment.read_all("dead-letters") == []


def test_a_fallback_that_fails_too_leaves_one_dead_letter_and_no_inference(deployment: Deployment) -> None:
    model, fallback = nan_for_negative(), raises_from_ten()
    deployment.publish_endpoint()
    deployment.publish_routing(
        [arm("champion", model)],
        fallback=arm("safe", fallback),
        models=[model.document(deployment.folder), fallback.document(deployment.folder)],
    )
    worker = deployment.start_serving()
    deployment.feed.send_all(_with_x0(4.0, events(0, 50)))
    (bad,) = _with_x0(-100.0, events(50, 1))  # no square root, no row of the table
    deployment.feed.send_raw(0, deployment.feed.encode(bad.record()), key=b"bad")
    deployment.feed.send_all(_with_x0(4.0, events(51, 50)))
    deployment.await_committed()
    assert worker.stop() == 0
    assert len(deployment.check_copy()) == 100
    assert [letter.key for letter in deployment.read_all("dead-letters")] == [b"bad"]


def _failures(counted: dict[str, float], variant: str) -> float:
    return sum(
        value
        for name, value in counted.items()
        if name.startswith("streamer_prediction_failures_total") and f'variant="{variant}"' in name
    )
