"""The commit beside the loop: what is committed is told once, what fails is aborted, what is unknown is reopened."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from streamer import errors
from streamer.worker.commits import Commits
from tests.support.await_condition import await_until


class FakePublisher:
    """Writes down what is called; `failures` are raised by the calls of that name, first come first served."""

    def __init__(self, **failures: list[Exception]) -> None:
        self.calls: list[str] = []
        self.may_commit = threading.Event()
        self.may_commit.set()
        self._failures = failures

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any) -> None:
            if name == "commit":
                assert self.may_commit.wait(30)
            self.calls.append(name)
            if self._failures.get(name):
                raise self._failures[name].pop(0)

        return call


class Bench:
    def __init__(self, publisher: FakePublisher) -> None:
        self.publisher = publisher
        self.told: list[str] = []
        self.commits = Commits(publisher, lambda batch: self.told.append(batch.name))  # type: ignore[attr-defined]

    def start(self, name: str) -> None:
        self.publisher.begin()
        self.commits.opened()
        self.commits.start(SimpleNamespace(name=name, positions=name))  # type: ignore[arg-type]


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(FakePublisher(**getattr(request, "param", {})))
    yield made
    made.publisher.may_commit.set()
    made.commits.close()


def failing(**failures: list[Exception]) -> Any:
    return pytest.mark.parametrize("bench", [failures], indirect=True)


def test_a_committed_batch_is_told_once_and_only_after_its_commit(bench: Bench) -> None:
    bench.publisher.may_commit.clear()
    bench.start("a")
    bench.commits.raise_failure()
    assert bench.told == []
    bench.publisher.may_commit.set()
    bench.commits.wait()
    bench.commits.wait()
    bench.commits.settle()
    assert bench.told == ["a"]
    assert bench.publisher.calls == ["begin", "commit", "finish"]


def test_waiting_for_nothing_returns(bench: Bench) -> None:
    bench.commits.wait()
    bench.commits.raise_failure()
    bench.commits.settle()
    assert bench.publisher.calls == []


@failing(commit=[errors.TransactionAborted("no")])
def test_an_aborted_batch_is_raised_not_told_and_aborted_before_the_next(bench: Bench) -> None:
    bench.start("a")
    with pytest.raises(errors.TransactionAborted) as caught:
        bench.commits.wait()
    bench.commits.recover(caught.value)
    assert bench.told == []
    assert bench.publisher.calls == ["begin", "commit", "abort"]
    bench.start("b")
    bench.commits.wait()
    assert bench.told == ["b"]


@failing(finish=[errors.TransactionAborted("the group has moved on")])
def test_a_batch_whose_positions_cannot_be_committed_is_raised_not_told(bench: Bench) -> None:
    bench.start("a")
    with pytest.raises(errors.TransactionAborted) as caught:
        bench.commits.wait()
    bench.commits.recover(caught.value)
    assert bench.told == []
    assert bench.publisher.calls == ["begin", "commit", "finish", "abort"]


def test_the_rest_of_a_commit_runs_on_the_loops_own_thread(bench: Bench) -> None:
    threads: list[int] = []
    bench.publisher.finish = lambda _: threads.append(threading.get_ident())
    bench.start("a")
    bench.commits.wait()
    assert threads == [threading.get_ident()]


@failing(commit=[errors.ProducerLost("who knows")])
def test_an_unknown_outcome_means_new_producers_and_no_abort(bench: Bench) -> None:
    bench.start("a")
    with pytest.raises(errors.ProducerLost) as caught:
        bench.commits.wait()
    bench.commits.recover(caught.value)
    assert bench.told == []
    assert bench.publisher.calls == ["begin", "commit", "reopen"]


@failing(commit=[errors.TransactionAborted("no")], abort=[errors.ProducerLost("nor that")])
def test_an_abort_that_fails_means_new_producers(bench: Bench) -> None:
    bench.start("a")
    bench.commits.settle()
    assert bench.publisher.calls == ["begin", "commit", "abort", "reopen"]


@failing(commit=[errors.ProducerLost("who knows")], reopen=[errors.KafkaUnavailable("away")])
def test_what_could_not_be_reopened_is_reopened_the_next_time(bench: Bench) -> None:
    bench.start("a")
    with pytest.raises(errors.KafkaUnavailable):
        bench.commits.settle()
    bench.commits.recover(errors.KafkaUnavailable("away"))
    assert bench.publisher.calls == ["begin", "commit", "reopen", "reopen"]


@failing(commit=[errors.TransactionAborted("no")])
def test_a_failure_is_noticed_without_waiting_for_the_next_batch(bench: Bench) -> None:
    bench.start("a")

    def noticed() -> bool:
        try:
            bench.commits.raise_failure()
        except errors.TransactionAborted:
            return True
        return False

    await_until(noticed, 10, "the failure to be raised")


def test_settling_aborts_a_batch_that_was_begun_and_not_committed(bench: Bench) -> None:
    bench.publisher.begin()
    bench.commits.opened()
    bench.commits.settle()
    bench.commits.settle()
    assert bench.publisher.calls == ["begin", "abort"]


def test_a_failure_between_begin_and_commit_that_lost_the_producer_reopens(bench: Bench) -> None:
    bench.publisher.begin()
    bench.commits.opened()
    bench.commits.recover(errors.ProducerFenced("somebody"))
    assert bench.publisher.calls == ["begin", "reopen"]


@failing(commit=[errors.SlotInUse("three times")])
def test_a_slot_in_use_ends_the_worker_even_while_it_settles(bench: Bench) -> None:
    bench.start("a")
    with pytest.raises(errors.SlotInUse):
        bench.commits.settle()


@pytest.mark.parametrize(
    "bench",
    [
        {"commit": [errors.SlotInUse("three times")], "abort": [errors.ProducerFenced("somebody")]},
        {"commit": [errors.ProducerFenced("somebody")]},
        {"commit": [errors.ProducerLost("who knows")]},
        {"commit": [errors.TransactionAborted("no")], "abort": [errors.ProducerLost("nor that")]},
        {"commit": [RuntimeError("a bug")]},
    ],
    indirect=True,
)
def test_leaving_makes_no_new_producers_which_would_fence_a_successor(bench: Bench) -> None:
    bench.start("a")
    bench.commits.leave()
    bench.commits.settle()  # closing the consumer revokes its partitions
    assert "reopen" not in bench.publisher.calls
    assert bench.told == []


def test_leaving_finishes_the_commit_under_way(bench: Bench) -> None:
    bench.start("a")
    bench.commits.leave()
    assert bench.told == ["a"]
    assert bench.publisher.calls == ["begin", "commit", "finish"]
