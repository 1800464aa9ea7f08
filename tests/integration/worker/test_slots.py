"""A slot has one worker: a second one is refused by name, a killed one's place can be taken at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.config import KafkaSettings
from streamer.records.worker_status import WorkerState
from streamer.worker.slot import refuse_slot_in_use
from tests.support.await_condition import await_until
from tests.support.event_feed import events
from tests.support.small_models import constant

if TYPE_CHECKING:
    from tests.support.deployment import Deployment


def test_a_second_worker_is_refused_and_told_who_has_the_slot_and_the_first_serves_on(deployment: Deployment) -> None:
    deployment.publish_endpoint()
    deployment.publish_routing({"champion": constant(1.0)})
    first = deployment.start_serving(slot=3)
    second = deployment.start_worker(slot=3)
    assert second.wait(60) != 0
    complaint = second.log()
    assert f"process {first.pid}" in complaint
    assert "--slot" in complaint
    assert "Traceback" not in complaint
    deployment.feed.send_all(events(0, 300))
    deployment.await_committed()
    assert first.stop() == 0
    assert len(deployment.check_copy()) == 300


def test_the_slot_of_a_killed_or_a_stopped_worker_is_free_at_once(deployment: Deployment) -> None:
    deployment.publish_endpoint()
    deployment.publish_routing({"champion": constant(1.0)})
    first = deployment.start_serving()
    deployment.feed.send_all(events(0, 100))
    deployment.await_committed()
    first.kill()
    second = deployment.start_serving()
    deployment.feed.send_all(events(100, 100))
    deployment.await_committed()
    assert second.stop() == 0
    third = deployment.start_serving()
    deployment.feed.send_all(events(200, 100))
    deployment.await_committed()
    assert third.stop() == 0
    assert len(deployment.check_copy()) == 300
    assert "waiting for a sign of life" not in second.log() + third.log()


def test_forced_duplicates_fence_each_other_until_one_gives_up_and_double_nothing(deployment: Deployment) -> None:
    deployment.publish_endpoint(batch={"max_records": 20, "max_wait_ms": 5})
    deployment.publish_routing({"champion": constant(1.0)})
    rivals = [deployment.start_serving(alteration="no_slot_check")]
    rivals.append(deployment.start_worker(alteration="no_slot_check"))
    deployment.await_status(rivals[1], lambda status: status.state is WorkerState.serving)
    with deployment.feeding(events(0, 200_000), 1_000):
        await_until(lambda: not all(rival.is_running() for rival in rivals), 60, "one of the two to give up")
    (loser, *_) = [rival for rival in rivals if not rival.is_running()]
    assert loser.wait() != 0
    assert "--slot" in loser.log()
    assert "Traceback" not in loser.log()
    for rival in rivals:  # the other one may be about to give up as well
        rival.close()
    deployment.start_serving()
    deployment.await_committed()
    deployment.check_copy()


def test_on_a_new_cluster_every_slot_is_free(broker: str, unique: str) -> None:
    refuse_slot_in_use(KafkaSettings(bootstrap_servers=broker, topic_prefix=f"{unique}."), "rides/0")
