"""Shadows: never waited for, bounded, and left alone for a while when they keep failing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from streamer.metrics import WorkerMetrics
from streamer.worker.shadows import Shadows, ShadowScoring
from tests.support.await_condition import await_until


class Bench:
    def __init__(self) -> None:
        self.now = 0.0
        self.metrics = WorkerMetrics()
        self.shadows = Shadows(self.metrics, lambda: self.now)
        self.may_answer = threading.Event()

    def submit(self, call: Callable[[], Any] | None = None, variant: str = "s", n: int = 10) -> ShadowScoring | None:
        return self.shadows.submit(variant, n, call or (lambda: answers(n)))

    def blocked(self) -> Any:
        assert self.may_answer.wait(30)
        return answers(10)

    def dropped(self, reason: str, variant: str = "s") -> float:
        labels = {"variant": variant, "reason": reason}
        return self.metrics.registry.get_sample_value("streamer_shadow_dropped_total", labels) or 0.0

    def miss(self) -> None:
        """One batch that is not ready when it is collected."""
        scoring = self.submit(self.blocked)
        assert scoring is not None
        assert self.shadows.collect([scoring]) == []


def answers(n: int) -> Any:
    return SimpleNamespace(rows=range(n))


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.may_answer.set()
    made.shadows.close()


def ready(scoring: ShadowScoring | None) -> ShadowScoring:
    assert scoring is not None
    await_until(scoring.answers.done, 10, "the shadow to answer")
    return scoring


def test_an_answer_that_is_ready_is_collected(bench: Bench) -> None:
    (collected,) = bench.shadows.collect([ready(bench.submit())])
    assert len(collected.rows) == 10


def test_an_answer_that_is_late_is_dropped_counted_and_not_waited_for(bench: Bench) -> None:
    bench.miss()
    assert bench.dropped("late") == 10


def test_a_shadow_that_raises_is_dropped_and_counted(bench: Bench) -> None:
    def raises() -> Any:
        raise ZeroDivisionError

    assert bench.shadows.collect([ready(bench.submit(raises))]) == []
    assert bench.dropped("failed") == 10


def test_a_shadow_with_one_batch_in_hand_and_one_waiting_gets_no_third(bench: Bench) -> None:
    first, second, third = (bench.submit(bench.blocked) for _ in range(3))
    assert first is not None
    assert second is not None
    assert third is None
    assert bench.dropped("busy") == 10
    bench.may_answer.set()
    ready(first), ready(second)
    assert bench.submit() is not None


def test_five_misses_in_a_row_open_the_breaker_until_it_has_rested(bench: Bench) -> None:
    for _ in range(5):
        bench.miss()
    assert bench.dropped("late") == 50
    bench.may_answer.set()
    assert bench.submit() is None
    assert bench.dropped("breaker") == 10
    bench.now += 9.9
    assert bench.submit() is None
    bench.now += 0.2
    await_until(lambda: bench.submit() is not None, 10, "the breaker to close")


def test_an_answer_in_between_keeps_the_breaker_closed(bench: Bench) -> None:
    for _ in range(3):
        for _ in range(4):
            assert bench.shadows.collect([ready(bench.submit(lambda: answers(0)))]) == []
        assert len(bench.shadows.collect([ready(bench.submit())])) == 1
    assert bench.dropped("breaker") == 0


def test_one_shadows_breaker_is_not_anothers(bench: Bench) -> None:
    def raises() -> Any:
        raise ZeroDivisionError

    for _ in range(5):
        bench.shadows.collect([ready(bench.submit(raises, variant="bad"))])
    assert bench.submit(variant="bad") is None
    assert bench.submit(variant="good") is not None


def test_answers_of_a_shadow_that_the_next_revision_does_not_have_are_dropped_in_peace(bench: Bench) -> None:
    scoring = ready(bench.submit())
    bench.shadows.keep(set())
    bench.shadows.collect([scoring])
    assert bench.submit() is not None
