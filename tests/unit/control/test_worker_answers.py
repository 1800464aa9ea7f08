"""What a worker's status says about a revision that was published."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from streamer.control.worker_answers import AnswerState, Awaited, StatusBoard, answer_of
from streamer.kafka.log import LogRecord
from streamer.records.worker_status import RefusedRouting, WorkerState, WorkerStatus

ROUTING = Awaited("flights", routing_revision=5)
ENDPOINT = Awaited("flights", endpoint_revision=2)
BOTH = Awaited("flights", endpoint_revision=2, routing_revision=5)


def status(**changes: Any) -> WorkerStatus:
    fields: dict[str, Any] = {
        "worker": "flights/0", "endpoint": "flights", "slot": 0, "instance": uuid4(), "host": "h", "pid": 1,
        "version": "0", "state": WorkerState.serving, "at": 1000.0, "started_at": 0.0, "heartbeat_seconds": 2.0,
        **changes,
    }  # fmt: skip
    return WorkerStatus(**fields)


def refused(revision: int) -> RefusedRouting:
    return RefusedRouting(revision=revision, reason="no")


@pytest.mark.parametrize(
    ("awaited", "changes", "expected"),
    [
        (ROUTING, {"routing_revision": 4}, AnswerState.waiting),
        (ROUTING, {}, AnswerState.waiting),
        (ROUTING, {"routing_revision": 4, "preparing": 5}, AnswerState.preparing),
        (ROUTING, {"routing_revision": 4, "preparing": 4}, AnswerState.waiting),
        (ROUTING, {"routing_revision": 5}, AnswerState.active),
        (ROUTING, {"routing_revision": 6}, AnswerState.active),
        (ROUTING, {"routing_revision": 4, "refused": refused(5)}, AnswerState.refused),
        (ROUTING, {"routing_revision": 4, "refused": refused(5), "preparing": 5}, AnswerState.refused),
        (ROUTING, {"routing_revision": 3, "refused": refused(4)}, AnswerState.waiting),
        (ENDPOINT, {"endpoint_revision": 1, "routing_revision": 5}, AnswerState.waiting),
        (ENDPOINT, {"endpoint_revision": 2, "routing_revision": 5}, AnswerState.active),
        (ENDPOINT, {"endpoint_revision": 1, "refused": refused(5)}, AnswerState.refused),
        (ENDPOINT, {"endpoint_revision": 1, "refused": refused(5), "preparing": 5}, AnswerState.preparing),
        (BOTH, {"endpoint_revision": 1, "routing_revision": 5}, AnswerState.waiting),
        (BOTH, {"endpoint_revision": 1, "refused": refused(4)}, AnswerState.waiting),
        (BOTH, {"endpoint_revision": 2, "routing_revision": 5}, AnswerState.active),
    ],
)
def test_each_status_is_one_answer(awaited: Awaited, changes: dict[str, Any], expected: AnswerState) -> None:
    assert answer_of(status(**changes), awaited).state is expected


def record(key: bytes | None, value: bytes | None) -> LogRecord:
    return LogRecord(0, 0, 0, key, value, [])


def test_the_board_keeps_the_newest_of_each_worker_and_ignores_what_is_no_status() -> None:
    board = StatusBoard()
    newest = status(slot=0, routing_revision=2)
    for one in (status(slot=0, routing_revision=1), newest, status(slot=1, worker="flights/1")):
        board.take(record(one.worker.encode(), one.model_dump_json().encode()))
    for junk in (record(None, b"{}"), record(b"x", b"{"), record(b"\xff", b"\xff"), record(b"x", b"{}")):
        board.take(junk)
    assert [one.routing_revision for one in board.workers("flights")] == [2, None]
    board.take(record(b"flights/1", None))
    assert board.workers() == [newest]
    assert board.workers("other") == []


def test_only_workers_with_a_recent_heartbeat_that_stay_are_waited_for() -> None:
    board = StatusBoard()
    for slot, changes in enumerate(
        [{}, {"at": 990.0}, {"state": WorkerState.stopped}, {"state": WorkerState.stopping}, {"state": "degraded"}]
    ):
        one = status(slot=slot, worker=f"flights/{slot}", **changes)
        board.take(record(one.worker.encode(), one.model_dump_json().encode()))
    assert [one.slot for one in board.alive("flights", now=1001.0)] == [0, 4]
