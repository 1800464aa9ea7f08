"""Waiting for something to become true, with a deadline, instead of sleeping."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")

_INTERVAL_SECONDS = 0.02


def await_until(predicate: Callable[[], Value], deadline_seconds: float, message: str) -> Value:
    """Call the predicate until it returns something true, and return that.

    Args:
        predicate: What is waited for. An exception from it ends the wait: it is a failure, not a "not yet".
        deadline_seconds: How long to go on trying.
        message: What was expected, for the failure: "the worker to publish 10 inferences".

    Raises:
        AssertionError: The deadline passed; it quotes the message and the last value.
    """
    deadline = time.monotonic() + deadline_seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {deadline_seconds:g} s for {message}; the last value was {value!r}")
        time.sleep(_INTERVAL_SECONDS)
