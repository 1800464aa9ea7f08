from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from streamer.client.dead_letters import DeadLetter, LetterFilter, can_be_redriven
from streamer.kafka.log import LogRecord

PREFIX = "__streamer.errors."


def record(value: bytes | None = b"raw", **about: str) -> LogRecord:
    headers: list[tuple[str, bytes | None]] = [("traceparent", b"00-1")]
    defaults = {
        "stage": "decode",
        "class": "bad_magic",
        "message": "the value does not begin with C3 01",
        "topic": "flights.events",
        "partition": "3",
        "offset": "1042",
        "worker": "flights/0",
        "at": "1700000000000",
    }
    headers += [(PREFIX + name, text.encode()) for name, text in (defaults | about).items()]
    return LogRecord(1, 7, 0, b"key", value, headers)


def test_a_record_tells_why_it_is_dead_and_keeps_its_own_headers() -> None:
    letter = DeadLetter.of(record())
    assert (letter.stage, letter.reason, letter.worker) == ("decode", "bad_magic", "flights/0")
    assert (letter.source_topic, letter.source_partition, letter.source_offset) == ("flights.events", 3, 1042)
    assert letter.at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert letter.headers == [("traceparent", b"00-1")]
    assert letter.place == (1, 7)


@pytest.mark.parametrize(
    "about",
    [{"partition": "x"}, {"partition": "-1"}, {"partition": "9" * 40}, {"at": "9" * 18}, {"offset": "\u0663"}],
)
def test_headers_that_make_no_sense_are_left_out(about: dict[str, str]) -> None:
    letter = DeadLetter.of(record(**about))
    fields = {"partition": letter.source_partition, "at": letter.at, "offset": letter.source_offset}
    assert fields[next(iter(about))] is None


def test_a_record_without_any_of_our_headers_is_a_letter_too() -> None:
    letter = DeadLetter.of(LogRecord(0, 0, 0, None, None, []))
    assert (letter.stage, letter.source_partition, letter.at) == ("", None, None)
    assert not can_be_redriven(letter)
    assert can_be_redriven(letter, "flights.events")


def test_a_letter_whose_value_was_cut_is_not_sent_again() -> None:
    assert can_be_redriven(DeadLetter.of(record()))
    assert not can_be_redriven(DeadLetter.of(record(truncated="5000000")))


@pytest.mark.parametrize(
    ("wanted", "admitted"),
    [
        ({}, True),
        ({"stage": "decode"}, True),
        ({"stage": "predict"}, False),
        ({"reason": "bad_magic"}, True),
        ({"message": "BEGIN with"}, True),
        ({"message": "elsewhere"}, False),
        ({"key": b"key"}, True),
        ({"key": b"other"}, False),
        ({"source": (3, 1042)}, True),
        ({"source": (3, 1043)}, False),
        ({"since": datetime.fromtimestamp(1_700_000_000, UTC)}, True),
        ({"since": datetime.fromtimestamp(1_700_000_001, UTC)}, False),
        ({"stage": "decode", "reason": "other"}, False),
    ],
)
def test_every_condition_of_a_filter_must_hold(wanted: dict[str, Any], admitted: bool) -> None:
    assert LetterFilter(**wanted).admits(DeadLetter.of(record())) is admitted
