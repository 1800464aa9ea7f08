"""Input topics that grow, lose records to retention, or are deleted and made again under a running worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.await_condition import await_until
from tests.support.deployment import Deployment
from tests.support.event_feed import events
from tests.support.small_models import constant


@pytest.fixture
def deployment(broker: str, unique: str, tmp_path: Path) -> Iterator[Deployment]:
    """As ever, but librdkafka looks for new partitions every half a second instead of every five minutes."""
    quick = {"STREAMER_KAFKA__LIBRDKAFKA": '{"topic.metadata.refresh.interval.ms": 500}'}
    with Deployment(broker, unique, tmp_path, environment=quick) as made:
        made.publish_endpoint()
        made.publish_routing({"champion": constant(1.0)})
        yield made


def test_new_input_partitions_wait_for_outputs_and_then_go_on(deployment: Deployment) -> None:
    worker = deployment.start_serving()
    deployment.feed.send_all(events(0, 100))
    deployment.await_committed()
    deployment.grow_topic(deployment.topics["events"], 3)
    deployment.await_status(worker, lambda status: len(status.partitions) == 3)
    status = deployment.await_status(worker, lambda status: status.degraded is not None)
    assert "2" in (status.degraded or "")
    assert "streamer apply" in (status.degraded or "")
    assert deployment.metrics(worker)["streamer_held_partitions"] == 1
    deployment.feed.reconnect()
    for event in events(100, 50):
        deployment.feed.send(event, partition=2)
    deployment.feed.send_all(events(150, 100))
    await_until(lambda: sum(deployment.committed().get(p, 0) for p in (0, 1)) == 200, 30, "the others to go on")
    assert deployment.committed().get(2, 0) == 0
    for what in ("inferences", "shadow"):
        deployment.grow_topic(deployment.topics[what], 3)
    deployment.await_committed()
    deployment.await_status(worker, lambda status: status.degraded is None)
    assert worker.stop() == 0
    assert len(deployment.check_copy()) == 250


def test_retention_past_the_committed_offset_loses_what_it_removed_says_so_and_goes_on(
    deployment: Deployment,
) -> None:
    worker = deployment.start_serving()
    deployment.feed.send_all(events(0, 100))
    deployment.await_committed()
    assert worker.stop() == 0
    deployment.feed.send_all(events(100, 100))
    deployment.delete_records(deployment.topics["events"], {0: 80, 1: 70})
    for partition, removed in ((0, range(50, 80)), (1, range(50, 70))):
        for offset in removed:
            deployment.feed.placed[partition][offset] = None
    again = deployment.start_serving()
    deployment.await_committed()
    deployment.feed.send_all(events(200, 20))
    deployment.await_committed()
    assert again.stop() == 0
    assert len(deployment.check_copy()) == 220 - 30 - 20
    assert "retention" in again.log()


def test_an_events_topic_deleted_and_made_again_is_answered_from_its_beginning(deployment: Deployment) -> None:
    worker = deployment.start_serving()
    first_life = events(0, 100)
    deployment.feed.send_all(first_life)
    deployment.await_committed()
    deployment.delete_topic(deployment.topics["events"])
    deployment.create_topics({deployment.topics["events"]: 2})
    deployment.feed.reconnect()
    reader = deployment.read()
    deployment.feed.placed.clear()
    second_life = events(1000, 60)
    deployment.feed.send_all(second_life)
    reader.await_count(160, deadline_seconds=90)
    assert worker.is_running()
    assert worker.stop() == 0
    answered = [seen.event_id for seen in deployment.inferences(reader)]
    assert sorted(answered) == sorted(event.id for event in [*first_life, *second_life])
