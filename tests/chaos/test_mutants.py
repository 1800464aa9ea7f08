"""Workers that skip one step of exactly-once: the copy check must notice each of them.

Each mutant stands beside the same drama with an unchanged worker, which must come out clean: so it is the skipped step
that is noticed, and not the drama.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import confluent_kafka as ck
import pytest

from tests.support.await_condition import await_until
from tests.support.event_feed import events
from tests.support.inference_check import copy_problems
from tests.support.small_models import constant

if TYPE_CHECKING:
    from tests.support.deployment import Deployment
    from tests.support.record_reader import RecordReader
    from tests.support.worker_subprocess import WorkerSubprocess

N = 400


def test_a_worker_that_sends_no_offsets_is_caught_by_its_restart(deployment: Deployment) -> None:
    _small(deployment)
    reader = deployment.read()
    deployment.feed.send_all(events(0, N))
    worker = deployment.start_serving(alteration="skip_send_offsets")
    reader.await_count(N)
    worker.kill()
    deployment.start_serving(alteration="skip_send_offsets")
    _await_problems(deployment, reader)


def test_a_worker_that_does_not_rewind_after_an_abort_is_caught(deployment: Deployment) -> None:
    _small(deployment)
    reader = deployment.read()
    deployment.feed.send_all(events(0, N))
    deployment.start_serving(alteration="skip_rewind")
    _await_problems(deployment, reader)


def test_a_worker_that_rewinds_after_the_same_aborts_is_clean(deployment: Deployment) -> None:
    _small(deployment)
    reader = deployment.read()
    deployment.feed.send_all(events(0, N))
    worker = deployment.start_serving(alteration="failing_commits")
    deployment.await_committed()
    assert worker.stop() == 0
    assert "this one was made to fail" in worker.log()
    assert len(deployment.check_copy(reader)) == N


@pytest.mark.parametrize("isolation", ["read_uncommitted", "unchanged"])
def test_a_worker_that_reads_what_was_never_committed_is_caught(deployment: Deployment, isolation: str) -> None:
    _small(deployment)
    producer = ck.Producer({"bootstrap.servers": deployment.bootstrap_servers, "transactional.id": deployment.prefix})
    producer.init_transactions(30)
    producer.begin_transaction()
    (ghost,) = events(10_000, 1)
    acknowledged: list[object] = []
    producer.produce(
        deployment.topics["events"],
        deployment.feed.encode(ghost.record()),
        partition=0,
        on_delivery=lambda error, _: acknowledged.append(error),
    )
    await_until(lambda: producer.poll(0.1) or acknowledged, 30, "the ghost to be written")
    assert acknowledged == [None]
    producer.abort_transaction(30)
    deployment.feed.placed[0] += [None, None]  # the ghost and the marker of its abort
    reader = deployment.read()
    deployment.feed.send_all(events(0, N))
    worker = deployment.start_serving(alteration=isolation)
    if isolation == "read_uncommitted":
        _await_problems(deployment, reader)
    else:
        deployment.await_committed()
        assert worker.stop() == 0
        assert len(deployment.check_copy(reader)) == N


@pytest.mark.parametrize("alteration", ["fresh_group_metadata", "captured_group_metadata"])
def test_a_thawed_worker_that_commits_with_fresh_metadata_is_caught(deployment: Deployment, alteration: str) -> None:
    _small(deployment)
    reader = deployment.read()
    successor = deployment.start_serving(slot=1)
    zombie = deployment.start_serving(slot=0, alteration=alteration)
    deployment.feed.send_all(events(0, N))
    # In its third commit it stops itself, as a machine that hangs would, before it sends the offsets. It is thawed
    # after its session has ended and before its transaction has.
    await_until(lambda: _is_stopped(zombie), 60, "the worker to freeze in a commit")
    deployment.await_status(successor, lambda status: len(status.partitions) == 2)
    deployment.await_committed()
    zombie.thaw()
    if alteration == "fresh_group_metadata":
        _await_problems(deployment, reader)
    else:
        await_until(lambda: "reading again" in zombie.log(), 30, "the broker to refuse the commit")
        assert copy_problems(deployment.feed.good(), deployment.inferences(reader)) == []


def _small(deployment: Deployment) -> None:
    """Many small batches, so that there are many commits to go wrong."""
    deployment.publish_endpoint(batch={"max_records": 20, "max_wait_ms": 5})
    deployment.publish_routing({"champion": constant(1.0)})


def _await_problems(deployment: Deployment, reader: RecordReader) -> None:
    def noticed() -> list[str]:
        seen = deployment.decode.all(list(reader.records))
        return copy_problems(deployment.feed.good(), seen, complete=False)

    try:
        await_until(noticed, 30, "the copy check to notice the mutant")
    except AssertionError as late:
        raise AssertionError(f"{late}\n{deployment.last_words()}") from None


def _is_stopped(worker: WorkerSubprocess) -> bool:
    assert worker.is_running(), worker.log()
    stat = Path(f"/proc/{worker.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"
