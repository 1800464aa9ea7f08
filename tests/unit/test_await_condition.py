from __future__ import annotations

import pytest

from tests.support.await_condition import await_until


def test_the_first_true_value_is_returned() -> None:
    values = iter([0, "", "ready"])
    assert await_until(lambda: next(values), 10, "a value") == "ready"


def test_a_passed_deadline_says_what_was_expected_and_what_was_seen() -> None:
    with pytest.raises(AssertionError, match=r"waited 0\.05 s for three records; the last value was \[\]"):
        await_until(lambda: [], 0.05, "three records")
