"""The hunt for the one record that fails in a way nobody foresaw."""

from __future__ import annotations

from streamer.worker.caution import Caution
from tests.unit.worker.polled import polled


def test_a_batch_without_trouble_has_the_usual_size() -> None:
    caution = Caution(100)
    caution.attempt(polled(100))
    caution.passed({0: 100})
    assert caution.size == 100
    assert caution.quarantined(polled(100)) == {}


def test_halving_finds_the_culprit_and_sets_only_it_aside() -> None:
    caution, culprit, position = Caution(64), 37, 0
    looked_at = 0
    while position < 64:
        batch = polled(min(caution.size, 64 - position), first_offset=position)
        caution.attempt(batch)
        harmless = culprit - position in caution.quarantined(batch)
        looked_at += 1
        assert looked_at < 40, "it must end"
        if culprit in batch.offsets and not harmless:
            caution.suspect()
            continue
        position += len(batch)
        caution.passed({0: position})
    batch = polled(64)
    assert caution.quarantined(batch) == {}, "what is committed is forgotten"


def test_a_lone_culprit_is_set_aside_by_partition_and_offset() -> None:
    caution = Caution(8)
    caution.attempt(polled(1, first_offset=5, partition=1))
    caution.suspect("TooLarge", "no topic takes it")
    assert caution.quarantined(polled(3, first_offset=4, partition=1)) == {1: ("TooLarge", "no topic takes it")}
    assert caution.quarantined(polled(3, first_offset=4, partition=0)) == {}


def test_a_culprit_is_remembered_until_its_own_partition_is_committed_past_it() -> None:
    caution = Caution(8)
    caution.attempt(polled(1, first_offset=5))
    caution.suspect()
    caution.passed({1: 100})
    caution.passed({0: 5})
    ((reason, message),) = caution.quarantined(polled(1, first_offset=5)).values()
    assert reason == "Quarantined"
    assert "log" in message
    caution.passed({0: 6})
    assert caution.quarantined(polled(1, first_offset=5)) == {}


def test_commits_double_the_size_up_to_the_limit() -> None:
    caution = Caution(10)
    caution.attempt(polled(10))
    caution.suspect()
    sizes = []
    for _ in range(3):
        sizes.append(caution.size)
        caution.passed({0: 1})
    assert sizes == [5, 10, 10]


def test_a_failure_before_any_attempt_changes_nothing() -> None:
    caution = Caution(10)
    caution.suspect()
    assert caution.size == 10


def test_a_new_limit_holds_at_once_when_there_is_no_suspicion() -> None:
    caution = Caution(100)
    caution.resize(1000)
    assert caution.size == 1000
    caution.resize(10)
    assert caution.size == 10


def test_a_new_limit_does_not_end_a_suspicion() -> None:
    caution = Caution(100)
    caution.attempt(polled(100))
    caution.suspect()
    caution.resize(1000)
    assert caution.size == 50
    caution.resize(20)
    assert caution.size == 20
