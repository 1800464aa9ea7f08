"""Partitions that wait, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from streamer import errors
from streamer.kafka.consumer import Committed
from streamer.metrics import WorkerMetrics
from streamer.worker.holds import MAX_HOLD_SECONDS, Holds, commit_metadata, revision_in


class Bench:
    def __init__(self, outputs: int = 4) -> None:
        self.now = 1000.0
        self.paused: set[int] = set()
        self.outputs: Any = outputs
        self.looks = 0
        self.metrics = WorkerMetrics()
        self.holds = Holds(self, self.metrics, outputs, self._look, lambda: self.now)  # type: ignore[arg-type]

    def pause(self, partitions: Any) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Any) -> None:
        self.paused -= set(partitions)

    def held(self) -> float | None:
        return self.metrics.registry.get_sample_value("streamer_held_partitions")

    def _look(self) -> int:
        self.looks += 1
        if isinstance(self.outputs, Exception):
            raise self.outputs
        return int(self.outputs)


def served(revision: int) -> Committed:
    return Committed(7, commit_metadata(revision))


def test_commit_metadata_survives_the_way_to_the_next_owner() -> None:
    assert revision_in(commit_metadata(41)) == 41


@pytest.mark.parametrize(
    "foreign", ["", "41", "[]", "null", "{", '{"revision": "x"}', '{"revision": null}', "[" * 9999]
)
def test_foreign_commit_metadata_means_no_revision(foreign: str) -> None:
    assert revision_in(foreign) == 0


def test_partitions_of_an_owner_that_was_no_further_do_not_wait() -> None:
    bench = Bench()
    bench.holds.assigned({0: served(3), 1: served(2), 2: Committed(None, "")}, revision=3)
    assert bench.paused == set()
    assert bench.held() == 0


def test_a_partition_waits_until_its_former_owners_revision_is_reached() -> None:
    bench = Bench()
    bench.holds.assigned({0: served(5), 1: served(3)}, revision=3)
    assert bench.paused == {0}
    assert bench.held() == 1
    bench.holds.release_due(4)
    assert bench.paused == {0}
    bench.holds.release_due(6)
    assert bench.paused == set()
    assert bench.held() == 0


def test_it_waits_ten_seconds_at_most() -> None:
    bench = Bench()
    bench.holds.assigned({0: served(5)}, revision=3)
    bench.now += MAX_HOLD_SECONDS - 0.1
    bench.holds.release_due(3)
    assert bench.paused == {0}
    bench.now += 0.2
    bench.holds.release_due(3)
    assert bench.paused == set()


def test_a_partition_without_an_output_waits_until_the_outputs_have_grown_and_says_so() -> None:
    bench = Bench(outputs=2)
    bench.holds.assigned({1: served(1), 2: served(1), 3: served(1)}, revision=1)
    assert bench.paused == {2, 3}
    assert "2, 3" in (bench.holds.trouble() or "")
    bench.now += 100
    bench.outputs = 3
    bench.holds.release_due(1)
    assert bench.paused == {3}
    bench.now += 100
    bench.outputs = 4
    bench.holds.release_due(1)
    assert bench.paused == set()
    assert bench.holds.trouble() is None


def test_the_broker_is_not_asked_at_every_turn() -> None:
    bench = Bench(outputs=1)
    bench.holds.assigned({1: served(1)}, revision=1)
    for _ in range(100):
        bench.holds.release_due(1)
    assert bench.looks == 1


@pytest.mark.parametrize("failure", [errors.KafkaUnavailable("away"), errors.TopicProblem("gone")])
def test_a_look_that_fails_is_repeated_later(failure: Exception) -> None:
    bench = Bench(outputs=1)
    bench.holds.assigned({1: served(1)}, revision=1)
    bench.outputs = failure
    bench.holds.release_due(1)
    assert bench.paused == {1}
    bench.outputs = 2
    bench.now += 100
    bench.holds.release_due(1)
    assert bench.paused == set()


def test_partitions_that_went_are_forgotten() -> None:
    bench = Bench(outputs=1)
    bench.holds.assigned({0: served(9), 1: served(1)}, revision=1)
    bench.holds.clear()
    assert bench.holds.trouble() is None
    assert bench.held() == 0
    assert bench.paused == set(), "the client would keep the pause over the next assignment"
    bench.now += 100
    bench.holds.release_due(1)
    assert bench.looks == 0


def test_reading_again_does_not_prolong_the_wait() -> None:
    bench = Bench()
    bench.holds.assigned({0: served(5)}, revision=3)
    bench.now += MAX_HOLD_SECONDS - 0.1
    bench.holds.assigned({0: served(5)}, revision=3)
    bench.now += 0.2
    bench.holds.release_due(3)
    assert bench.paused == set()
