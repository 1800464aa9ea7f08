"""A cache that is bounded in entries, in weight and, if wanted, in time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """Keeps the values used last. Safe for use from several threads.

    Args:
        entries: How many values are kept at most.
        weight: What the kept values may weigh together.
        weigh: What one value weighs.
        lifetime_seconds: How long a value is kept; None for as long as there is room.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        entries: int,
        clock: Callable[[], float],
        *,
        weight: int | None = None,
        weigh: Callable[[Value], int] = lambda value: 1,
        lifetime_seconds: float | None = None,
    ) -> None:
        self._most_entries = entries
        self._most_weight = weight
        self._weigh = weigh
        self._lifetime_seconds = lifetime_seconds
        self._clock = clock
        self._weight = 0
        self._kept: OrderedDict[Hashable, tuple[Value, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Value | None:
        """Return the value kept for the key, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            value, kept_at = found
            if self._lifetime_seconds is not None and self._clock() - kept_at >= self._lifetime_seconds:
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return value

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value, and drop the ones used least recently if there is no room for all."""
        with self._lock:
            if key in self._kept:
                self._drop(key)
            self._kept[key] = (value, self._clock())
            self._weight += self._weigh(value)
            while self._is_over_full():
                self._drop(next(iter(self._kept)))

    def discard(self, key: Hashable) -> None:
        """Forget what is kept for the key, if anything is."""
        with self._lock:
            if key in self._kept:
                self._drop(key)

    def _is_over_full(self) -> bool:
        too_heavy = self._most_weight is not None and self._weight > self._most_weight
        return len(self._kept) > self._most_entries or too_heavy

    def _drop(self, key: Hashable) -> None:
        value, _ = self._kept.pop(key)
        self._weight -= self._weigh(value)
