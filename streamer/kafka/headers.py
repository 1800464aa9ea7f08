"""The headers of messages, whatever a producer put into them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import methodcaller
from typing import Any

Headers = list[tuple[str, bytes | None]]


def headers_of(messages: Sequence[Any]) -> list[Headers | None]:
    """The headers of each message; None where it has none, or where a key is not UTF-8.

    The client library raises SystemError for such a key, and must not be asked about that message again.
    """
    headers: list[Headers | None] = []
    rest = iter(messages)
    while len(headers) < len(messages):
        try:
            headers.extend(map(methodcaller("headers"), rest))
        except (SystemError, UnicodeDecodeError):
            headers.append(None)
    return headers
