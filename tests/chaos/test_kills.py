"""Workers die and freeze at random moments under load: readers see each event answered once, in partition order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from streamer.records.worker_status import WorkerState
from tests.support.await_condition import await_until
from tests.support.event_feed import events
from tests.support.small_models import boosted_trees

if TYPE_CHECKING:
    from tests.support.deployment import Deployment
    from tests.support.record_reader import RecordReader
    from tests.support.worker_subprocess import WorkerSubprocess

N = 100_000
PER_SECOND = 2_500
KILLS = 3


def test_three_kills_and_a_freeze_lose_and_double_nothing(deployment: Deployment) -> None:
    chance = random.Random(20261122)
    deployment.publish_endpoint(batch={"max_records": 200, "max_wait_ms": 5})
    deployment.publish_routing({"champion": boosted_trees()})
    frozen = deployment.start_serving(slot=0)
    killed = deployment.start_serving(slot=1)
    deployment.await_status(frozen, lambda status: len(status.partitions) == 1)
    reader = deployment.read()
    with deployment.feeding(events(0, 5 * N), PER_SECOND):
        for _ in range(KILLS):
            _await_progress(reader, chance.randint(500, 5_000))
            killed.kill()
            killed = deployment.start_serving(slot=1)
        deployment.await_status(killed, lambda status: len(status.partitions) == 1)
        _await_progress(reader, chance.randint(500, 5_000))
        frozen.freeze()
        # Past its session time-out the group goes on without it.
        deployment.await_status(killed, lambda status: len(status.partitions) == 2)
        _await_progress(reader, chance.randint(500, 5_000))
        frozen.thaw()
        deployment.await_status(frozen, lambda status: len(status.partitions) == 1)
        await_until(lambda: deployment.feed.written >= N, 120, "all events to be sent")
    deployment.await_committed()
    for worker in (frozen, killed):
        assert worker.stop() == 0, worker.log()
    assert len(deployment.check_copy(reader)) == deployment.feed.written >= N


def test_a_worker_asked_to_stop_leaves_within_seconds_and_its_partitions_move(deployment: Deployment) -> None:
    deployment.publish_endpoint()
    deployment.publish_routing({"champion": boosted_trees()})
    first = deployment.start_serving(slot=0)
    second = deployment.start_serving(slot=1)
    reader = deployment.read()
    with deployment.feeding(events(0, 20_000), 4_000) as finish:
        _await_progress(reader, 2_000)
        assert first.stop(deadline_seconds=10) == 0
        assert deployment.status_of(first).state is WorkerState.stopped  # type: ignore[union-attr]
        # Sooner than its session would have timed out: it left the group.
        deployment.await_status(second, lambda status: len(status.partitions) == 2, deadline_seconds=5)
        finish()
    deployment.await_committed()
    deployment.check_copy(reader)


def test_one_worker_becomes_three_and_one_again(deployment: Deployment) -> None:
    deployment.publish_endpoint()
    deployment.publish_routing({"champion": boosted_trees()})
    first = deployment.start_serving(slot=0)
    reader = deployment.read()
    with deployment.feeding(events(0, 300_000), 3_000):
        _await_progress(reader, 1_000)
        others = [deployment.start_worker(slot=slot) for slot in (1, 2)]
        for other in others:
            deployment.await_status(other, lambda status: status.state is WorkerState.serving)
        owners = [first, *others]
        await_until(
            lambda: sorted(_partitions_of(deployment, owners)) == [[], [0], [1]], 30, "two owners and one spare"
        )
        _await_progress(reader, 1_000)
        for other in others:
            assert other.stop(10) == 0
        deployment.await_status(first, lambda status: len(status.partitions) == 2, deadline_seconds=5)
        _await_progress(reader, 1_000)
    deployment.await_committed()
    deployment.check_copy(reader)


def _partitions_of(deployment: Deployment, workers: list[WorkerSubprocess]) -> list[list[int]]:
    statuses = [deployment.status_of(worker) for worker in workers]
    return [[place.partition for place in status.partitions] if status is not None else [-1] for status in statuses]


def _await_progress(reader: RecordReader, more: int) -> None:
    reader.await_count(len(reader) + more)
