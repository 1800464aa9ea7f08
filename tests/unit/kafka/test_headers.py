"""Headers that the client library cannot read."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.kafka.headers import headers_of


class Message:
    """As confluent_kafka's: a key that is not UTF-8 raises, once; asked again it answers rubbish."""

    def __init__(self, headers: Any) -> None:
        self._headers = headers
        self._asked = False

    def headers(self) -> Any:
        assert not self._asked, "must not be asked again"
        self._asked = True
        if isinstance(self._headers, Exception):
            raise self._headers
        return self._headers


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_key_that_is_not_utf_8_costs_its_message_the_headers_and_no_other(place: int) -> None:
    messages = [Message([("a", b"1")]), Message(None), Message([("b", None)])]
    expected: list[Any] = [[("a", b"1")], None, [("b", None)]]
    messages.insert(place, Message(SystemError("returned a result with an exception set")))
    expected.insert(place, None)
    assert headers_of(messages) == expected


def test_all_of_them_may_be_bad() -> None:
    assert headers_of([Message(SystemError()), Message(SystemError())]) == [None, None]
