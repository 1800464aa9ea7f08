"""Who has a slot: the newest word on the status topic decides, and a silent or dead holder loses it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest

from streamer.config import KafkaSettings
from streamer.errors import SlotInUse
from streamer.kafka.log import LogRecord
from streamer.records.worker_status import WorkerState, WorkerStatus
from streamer.worker import slot
from streamer.worker.slot import refuse_slot_in_use

HERE = "this-machine"
NOW = 1_000_000.0


def status(**changes: Any) -> WorkerStatus:
    said: dict[str, Any] = {
        "worker": "rides/0",
        "endpoint": "rides",
        "slot": 0,
        "instance": uuid4(),
        "host": "another-machine",
        "pid": 7,
        "version": "0",
        "state": WorkerState.serving,
        "at": NOW,
        "started_at": NOW,
        "heartbeat_seconds": 2.0,
        **changes,
    }
    return WorkerStatus(**said)


class FakeTail:
    """Has the first records at once; gives the later ones one a poll, while two seconds pass each time."""

    def __init__(self, first: list[Any], later: list[Any]) -> None:
        self.now = NOW
        self._first, self._later = first, later
        self._read = False

    def __enter__(self) -> FakeTail:
        return self

    def __exit__(self, *_: object) -> None: ...

    def at_end(self) -> bool:
        return self._read

    def poll(self, _timeout_seconds: float) -> list[LogRecord]:
        if not self._read:
            self._read = True
            return [record(said) for said in self._first]
        self.now += 2.0
        return [record(self._later.pop(0))] if self._later else []


def record(said: Any) -> LogRecord:
    if isinstance(said, WorkerStatus):
        return LogRecord(0, 0, 0, said.worker.encode(), said.model_dump_json().encode(), [])
    return LogRecord(0, 0, 0, b"rides/0", said, [])


def ask(monkeypatch: pytest.MonkeyPatch, first: list[Any], later: list[Any] | None = None) -> FakeTail:
    tail = FakeTail(first, later or [])
    monkeypatch.setattr(slot, "LogTail", lambda *_: tail)
    refuse_slot_in_use(KafkaSettings(), "rides/0", clock=lambda: tail.now, host=HERE, monotonic=lambda: tail.now)
    return tail


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_slot_that_nobody_ever_had_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    ask(monkeypatch, [])


def test_other_slots_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    tail = ask(monkeypatch, [status(worker="rides/1"), status(worker="other/0")])
    assert tail.now == NOW


def test_a_holder_that_said_goodbye_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, [status(), status(state=WorkerState.stopped)]).now == NOW


def test_a_holder_that_has_long_been_silent_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, [status(at=NOW - 60)]).now == NOW


def test_a_holder_on_this_machine_whose_process_is_gone_is_dead_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, [status(host=HERE, pid=ended_process())]).now == NOW


def test_the_first_process_of_a_restarted_container_is_not_its_own_rival(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, [status(host=HERE, pid=os.getpid())]).now == NOW


def test_a_holder_elsewhere_that_stays_silent_loses_the_slot_after_three_heartbeats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert 5 < ask(monkeypatch, [status()]).now - NOW < 10


def test_a_holder_elsewhere_that_gives_a_sign_of_life_keeps_it_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = status(pid=4711)
    with pytest.raises(SlotInUse) as refused:
        ask(monkeypatch, [holder], [holder.model_copy(update={"at": NOW + 2})])
    assert "4711" in str(refused.value)
    assert "another-machine" in str(refused.value)
    assert refused.value.where == "rides/0"
    assert refused.value.advice is not None
    assert "--slot" in refused.value.advice


def test_a_holder_that_says_goodbye_meanwhile_leaves_the_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    ask(monkeypatch, [status()], [status(state=WorkerState.stopped, at=NOW + 2)])


@pytest.mark.parametrize("unreadable", [b"", b"{", b"[]", b"\xff", b'{"worker": 3}', None])
def test_what_cannot_be_read_holds_nothing(monkeypatch: pytest.MonkeyPatch, unreadable: bytes | None) -> None:
    ask(monkeypatch, [unreadable])
