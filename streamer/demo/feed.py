"""Sends flights at a steady pace from a thread of its own, and remembers when each was sent."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from streamer.client import EventProducer

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import pandas as pd

    from streamer.config import Settings

EVENT_FIELDS = (
    "flight_id",
    "departed_at",
    "tail_number",
    "carrier",
    "origin",
    "dest",
    "distance",
    "dep_delay",
    "hour",
    "weekday",
)
_TICK_SECONDS = 0.01


class Feed:
    """As a context manager it starts, and has stopped and flushed when it is left.

    Args:
        settings: How to reach Kafka.
        endpoint: Whose events they are.
        flights: In their order.
        events_per_second: The pace.
        at_least: Goes on until so many flights have left, and :meth:`finish` was called. On a machine where that
            takes long it goes on at a quarter of the pace, so that the year does not run out of flights.

    Attributes:
        sent: How many events have been sent.
        sent_at: Seconds since 1970 at which each was handed to the producer, shape (len(flights),).
    """

    def __init__(
        self, settings: Settings, endpoint: str, flights: pd.DataFrame, events_per_second: float, at_least: int
    ) -> None:
        self.sent = 0
        self.sent_at = np.zeros(len(flights))
        self.flights = flights
        self._per_second = events_per_second
        left = np.flatnonzero(flights["has_left"].to_numpy())
        self._enough = int(left[at_least - 1]) + 1
        self._columns = {name: flights[name].to_numpy() for name in EVENT_FIELDS}
        self._producer = EventProducer(endpoint, settings=settings)
        self._may_end = threading.Event()
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)

    def finish(self) -> None:
        """Nothing more is to happen while events flow: end when there were enough."""
        self._may_end.set()

    def has_sent_enough(self) -> bool:
        """Whether the flights that were asked for have left."""
        return self.sent >= self._enough

    def is_over(self) -> bool:
        """Whether the last event has been sent and acknowledged; raises what made the feed fail."""
        if self._failure is not None:
            raise self._failure
        return not self._thread.is_alive()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        try:
            with self._producer as producer:
                self._send_until(producer, self._enough, self._per_second)
                self._send_until(producer, len(self.sent_at), self._per_second / 4, or_until=self._may_end)
        except BaseException as failure:  # told by is_over(), on the thread that can act on it
            self._failure = failure

    def _send_until(
        self, producer: EventProducer, end: int, per_second: float, or_until: threading.Event | None = None
    ) -> None:
        first, started = self.sent, time.monotonic()
        while self.sent < end and not self._stop.is_set() and not (or_until is not None and or_until.is_set()):
            due = min(first + int((time.monotonic() - started) * per_second), end)
            if due > self.sent:
                rows = slice(self.sent, due)
                self.sent_at[rows] = time.time()
                producer.send_batch({name: column[rows] for name, column in self._columns.items()})
                self.sent = due
            self._stop.wait(_TICK_SECONDS)
