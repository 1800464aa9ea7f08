"""Dead letters: the record as it was, with the reason beside it, never larger than its topic takes."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.kafka.log import Headers
from streamer.worker.dead_letters import PREFIX, DeadLetter, DeadLetterWriter, Stage
from tests.unit.worker.polled import batch_of

LIMIT = 50_000


class FakePublisher:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None, int | None, Headers]] = []

    def send(self, *message: Any) -> None:
        self.sent.append(message)


def write(
    value: bytes | None = b"v",
    key: bytes | None = b"k",
    headers: Headers | None = None,
    message: str = "it is broken",
) -> tuple[bytes | None, bytes | None, Headers]:
    publisher = FakePublisher()
    polled = batch_of(
        [(3, 40), (3, 41)],
        values=[b"other", value],
        keys=[b"other", key],
        headers=None if headers is None else [None, headers],
    )
    letter = DeadLetter(1, Stage.decode, "Truncated", message)
    DeadLetterWriter("letters", "rides/0", LIMIT).send(publisher, "rides.events", polled, letter, at_ms=99)  # type: ignore[arg-type]
    ((topic, sent_value, sent_key, partition, sent_headers),) = publisher.sent
    assert topic == "letters"
    assert partition is None
    size = len(sent_value or b"") + len(sent_key or b"")
    assert size + sum(len(name) + len(content or b"") for name, content in sent_headers) < LIMIT
    return sent_value, sent_key, sent_headers


def test_it_holds_the_raw_record_and_says_what_was_wrong_and_where() -> None:
    value, key, headers = write(b"\x00\xff", b"\xfe")
    assert (value, key) == (b"\x00\xff", b"\xfe")
    assert dict(headers) == {
        f"{PREFIX}stage": b"decode",
        f"{PREFIX}class": b"Truncated",
        f"{PREFIX}message": b"it is broken",
        f"{PREFIX}topic": b"rides.events",
        f"{PREFIX}partition": b"3",
        f"{PREFIX}offset": b"41",
        f"{PREFIX}worker": b"rides/0",
        f"{PREFIX}at": b"99",
    }


@pytest.mark.parametrize(("value", "key"), [(None, None), (b"", b""), (None, b"k")])
def test_nothing_and_empty_stay_what_they_were(value: bytes | None, key: bytes | None) -> None:
    assert write(value, key)[:2] == (value, key)


def test_the_records_own_headers_come_first_and_unchanged() -> None:
    own: Headers = [("a", b"1"), ("a", b"2"), ("none", None), ("raw", b"\xff")]
    headers = write(headers=own)[2]
    assert headers[:4] == own
    assert len(headers) == 12


def test_a_value_that_does_not_fit_is_cut_and_its_length_told() -> None:
    value, key, headers = write(b"x" * LIMIT, headers=[("mine", b"1")])
    assert key == b"k"
    assert value is not None
    assert LIMIT - 9000 < len(value) < LIMIT
    assert dict(headers)[f"{PREFIX}truncated"] == str(LIMIT).encode()
    assert "mine" not in dict(headers)


def test_headers_alone_can_be_too_much_and_then_the_value_stays_whole() -> None:
    value, _, headers = write(b"x" * 100, headers=[(f"h{i}", b"y" * 100) for i in range(1000)])
    assert value == b"x" * 100
    assert dict(headers)[f"{PREFIX}truncated"] == b"100"


def test_a_key_that_does_not_fit_is_cut_too() -> None:
    value, key, headers = write(b"v" * 10, b"k" * LIMIT)
    assert key is not None
    assert len(key) < LIMIT
    assert value == b""
    assert f"{PREFIX}truncated" in dict(headers)


@pytest.mark.parametrize("message", ["é" * 5000, "x" + "é" * 5000, "\ud800 is no character"])
def test_any_message_becomes_a_short_readable_header(message: str) -> None:
    header = dict(write(message=message)[2])[f"{PREFIX}message"]
    assert header is not None
    assert 0 < len(header.decode("utf-8")) <= 2048
