"""The hot loop around fakes: what it does between the turns and when something fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from streamer import errors
from streamer.kafka.consumer import Committed
from streamer.metrics import WorkerMetrics
from streamer.worker.loop import WorkerLoop
from tests.unit.worker.polled import polled


class FakeConsumer:
    """Gives the batches, then ends the loop. An exception among them is raised."""

    def __init__(self, stop: threading.Event, batches: list[Any]) -> None:
        self._stop, self._batches = stop, batches
        self.rewinds = 0
        self.closed = False
        self.paused: set[int] = set()

    def poll_batch(self, max_records: int, wait_seconds: float, linger_seconds: float) -> Any:
        if not self._batches:
            self._stop.set()
            return None
        batch = self._batches.pop(0)
        if isinstance(batch, Exception):
            raise batch
        return batch() if callable(batch) else batch

    def rewind(self) -> None:
        self.rewinds += 1

    def pause(self, partitions: Any) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Any) -> None:
        self.paused -= set(partitions)

    def end_offsets(self) -> dict[int, int]:
        return {}

    def close(self) -> None:
        self.closed = True


class FakePublisher:
    def __init__(self) -> None:
        self.calls: list[Any] = []

    def begin(self) -> None:
        self.calls.append("begin")

    def commit(self, positions: Any) -> None:
        self.calls.append(("commit", dict(positions.offsets)))

    def finish(self, positions: Any) -> None: ...

    def abort(self) -> None:
        self.calls.append("abort")

    def reopen(self) -> None:
        self.calls.append("reopen")

    def close(self) -> None:
        self.calls.append("close")


class Bench:
    """A loop around fakes; `read` and `encode` may be replaced before it runs."""

    def __init__(self, batches: list[Any], output_partitions: Callable[[], int] = lambda: 1) -> None:
        self.stop = threading.Event()
        self.publisher = FakePublisher()
        self.metrics = WorkerMetrics()
        self.read: Callable[[Any, Any], Any] = lambda polled, quarantined: SimpleNamespace(
            polled=polled, features=None, bucketing=[], id_bytes=[], null_bucketing=0, quarantined=quarantined
        )
        self.model_hangs = False
        self.newest: Any = self.routing(1)
        self.consumer = FakeConsumer(self.stop, batches)
        self.sent: list[Any] = []
        self.loop = WorkerLoop(
            routing=self.newest,
            newest=lambda: self.newest,
            connect=lambda _: self.consumer,  # type: ignore[arg-type, return-value]
            publisher=self.publisher,  # type: ignore[arg-type]
            outbox=SimpleNamespace(encode=self._encode, send=lambda batch, _: self.sent.append(batch)),  # type: ignore[arg-type]
            scorer=SimpleNamespace(start=self._score, keep_shadows=lambda _, before: None),  # type: ignore[arg-type]
            metrics=self.metrics,
            first_output_partitions=1,
            output_partitions=output_partitions,
            stop=self.stop,
        )

    def routing(self, revision: int, wiring: str = "same") -> Any:
        batch = SimpleNamespace(max_records=8, max_wait_ms=0)
        routing = SimpleNamespace(
            revision=revision,
            endpoint=SimpleNamespace(batch=batch),
            reader=SimpleNamespace(read=lambda *arguments: self.read(*arguments)),
            router=SimpleNamespace(route=lambda *_: None),
            models={},
            wiring=wiring,
        )
        routing.same_wiring = lambda other: routing.wiring == other.wiring
        return routing

    def commits(self) -> list[dict[int, int]]:
        return [call[1] for call in self.publisher.calls if call[0] == "commit"]

    def _score(self, routing: Any, events: Any, _routed: Any) -> Any:
        serving: Future[Any] = Future()
        if not self.model_hangs:
            serving.set_result(SimpleNamespace(answers=[], dead_letters=[]))
        return SimpleNamespace(routing=routing, events=events, serving=serving, shadows=[])

    def _encode(self, scoring: Any, _scored: Any) -> Any:
        positions = SimpleNamespace(offsets=scoring.events.polled.positions)
        return SimpleNamespace(scoring=scoring, positions=positions, counts={}, dead_letters=[])


def test_batches_are_committed_one_after_the_other() -> None:
    bench = Bench([polled(3), None, polled(2, first_offset=3), None])
    bench.loop.run()
    assert bench.commits() == [{0: 3}, {0: 5}]
    assert bench.consumer.closed
    assert bench.publisher.calls[-1] == "close"
    assert bench.metrics.registry.get_sample_value("streamer_events_total") == 5


def test_a_batch_in_hand_when_asked_to_stop_is_left_to_the_next_owner() -> None:
    bench = Bench([polled(3)])
    bench.loop.run()
    assert bench.commits() in ([], [{0: 3}])
    assert bench.consumer.closed


def test_a_revoked_batch_is_dropped_and_positions_are_forgotten_though_a_commit_was_under_way() -> None:
    bench: Bench

    def revoked() -> None:
        bench.loop.revoked([0])

    bench = Bench([polled(3), None, polled(2, first_offset=3), revoked])
    bench.loop.assigned({0: Committed(0, "")})
    bench.loop.run()
    assert bench.commits() == [{0: 3}]
    assert bench.loop.positions == {}


def test_a_new_revision_takes_over_between_two_batches() -> None:
    bench: Bench

    def activate() -> None:
        bench.newest = bench.routing(2)

    bench = Bench([polled(1), activate, polled(1, first_offset=1), None])
    bench.loop.run()
    assert [batch.scoring.routing.revision for batch in bench.sent] == [1, 2]
    assert bench.metrics.registry.get_sample_value("streamer_routing_revision") == 2


@pytest.mark.parametrize("wiring", [None, "other"])
def test_a_withdrawn_routing_or_another_wiring_ends_the_loop_without_an_error(wiring: str | None) -> None:
    bench: Bench

    def change() -> None:
        bench.newest = None if wiring is None else bench.routing(2, wiring)

    bench = Bench([polled(1), None, change, AssertionError("polled although it should have ended")])
    bench.loop.run()
    assert bench.commits() == [{0: 1}]
    assert not bench.stop.is_set()
    assert bench.consumer.closed


def test_a_broker_that_is_away_for_a_while_makes_it_read_again() -> None:
    bench = Bench([polled(1), errors.KafkaUnavailable("away"), polled(1), None])
    bench.stop.wait = lambda _seconds=None: False  # type: ignore[method-assign]
    bench.loop.run()
    assert bench.consumer.rewinds == 1
    assert bench.commits() == [{0: 1}]


def test_one_record_that_fails_in_a_way_nobody_foresaw_is_quarantined_and_its_neighbours_are_answered() -> None:
    culprit, end = 5, 8
    bench: Bench

    def next_batch() -> Any:
        position = bench.loop.positions.get(0, 0)
        n = min(bench.loop._caution.size, end - position)
        return polled(n, first_offset=position) if n > 0 else None

    def read(batch: Any, quarantined: Any) -> Any:
        if any(batch.offsets[row] == culprit for row in range(len(batch)) if row not in quarantined):
            raise ZeroDivisionError("nobody foresaw this")
        return SimpleNamespace(polled=batch, features=None, bucketing=[], id_bytes=[], null_bucketing=0)

    bench = Bench([step for _ in range(40) for step in (next_batch, None)])
    bench.stop.wait = lambda _seconds=None: False  # type: ignore[method-assign]
    bench.read = read
    bench.loop.assigned({0: Committed(0, "")})
    bench.loop.run()
    assert bench.loop.positions == {0: end}
    assert bench.commits()[-1] == {0: end}


def test_a_record_that_the_broker_refuses_is_found_and_quarantined_with_the_brokers_reason() -> None:
    culprit, end = 5, 8
    bench: Bench
    why: list[Any] = []

    def next_batch() -> Any:
        position = bench.loop.positions.get(0, 0)
        n = min(bench.loop._caution.size, end - position)
        return polled(n, first_offset=position) if n > 0 else None

    def read(batch: Any, quarantined: Any) -> Any:
        why.extend(quarantined.values())
        answered = [int(offset) for row, offset in enumerate(batch.offsets) if row not in quarantined]
        return SimpleNamespace(
            polled=batch, features=None, bucketing=[], id_bytes=[], null_bucketing=0, answered=answered
        )

    def commit(positions: Any) -> None:
        if culprit in bench.sent[-1].scoring.events.answered:
            raise errors.RecordRefused("Message size too large")
        bench.publisher.calls.append(("commit", dict(positions.offsets)))

    bench = Bench([step for _ in range(40) for step in (next_batch, None)])
    bench.read = read
    bench.publisher.commit = commit  # type: ignore[method-assign]
    bench.loop.assigned({0: Committed(0, "")})
    bench.loop.run()
    assert bench.commits()[-1] == {0: end}
    assert why
    assert set(why) == {("RecordRefused", "Message size too large")}


def test_a_broker_that_is_away_when_a_homeless_partition_is_looked_after_does_not_end_the_worker() -> None:
    answers: list[Any] = [errors.KafkaUnavailable("away"), 2]

    def output_partitions() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    bench: Bench

    def some_time_later() -> None:
        bench.loop._holds._look_again_at = float("-inf")

    bench = Bench([some_time_later, some_time_later, some_time_later, polled(1), None], output_partitions)
    bench.loop.assigned({1: Committed(None, "")})
    assert bench.consumer.paused == {1}
    bench.loop.run()
    assert bench.consumer.paused == set()
    assert bench.commits() == [{0: 1}]
    assert answers == []


@pytest.mark.parametrize("fatal", [errors.SlotInUse("other"), errors.KafkaDenied("no"), errors.TopicProblem("gone")])
def test_what_no_retry_helps_against_ends_the_loop_cleanly(fatal: Exception) -> None:
    bench = Bench([fatal])
    with pytest.raises(type(fatal)):
        bench.loop.run()
    assert bench.consumer.closed
    assert bench.publisher.calls == ["close"]


def test_a_failure_that_no_batch_caused_is_blamed_on_none() -> None:
    bench = Bench([polled(1), RuntimeError("something unforeseen in the client"), polled(1), None])
    seen: list[Any] = []
    read = bench.read
    bench.read = lambda batch, quarantined: seen.append(quarantined) or read(batch, quarantined)
    bench.loop.run()
    assert seen == [{}, {}]
    assert bench.commits() == [{0: 1}]


def test_a_model_that_hangs_does_not_keep_the_worker_from_leaving() -> None:
    bench = Bench([polled(1)])
    bench.model_hangs = True
    runner = threading.Thread(target=bench.loop.run, daemon=True)
    runner.start()
    runner.join(30)
    assert not runner.is_alive()
    assert bench.commits() == []
    assert bench.consumer.closed


def test_failures_that_go_on_are_trouble_until_a_batch_is_committed() -> None:
    bench = Bench([*[errors.KafkaUnavailable("away")] * 3, None])
    bench.loop.run()
    trouble = bench.loop.trouble()
    assert trouble is not None
    assert "away" in trouble
