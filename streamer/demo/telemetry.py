"""What the demo shows while events flow, computed from what has been sent and read so far."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.control.worker_answers import StatusBoard
from streamer.kafka.log import LogTail

if TYPE_CHECKING:
    from streamer.config import Settings
    from streamer.demo.feed import Feed
    from streamer.demo.readers import Answers, DeadLetters
    from streamer.records.worker_status import WorkerStatus

_WINDOW_SECONDS = 3.0


@dataclass(frozen=True)
class Reading:
    """One look at the stream. Rates, shares and latencies are of the last three seconds.

    Attributes:
        waiting: Events sent whose inference has not been read yet.
        shares: Variant to its share of the serving inferences.
        latency_ms: p50, p95 and p99 from handing an event to the producer to reading its committed inference.
    """

    events: int
    events_per_second: float
    inferences: int
    inferences_per_second: float
    waiting: int
    shares: dict[str, float]
    shadow_answers: int
    dead_letters: int
    revision: int
    latency_ms: tuple[float, float, float] | None
    workers: list[WorkerStatus]


class Telemetry:
    """Takes readings. Used by one thread.

    Args:
        settings: How to reach Kafka.
        endpoint: Whose workers.
        feed: What is sent.
        answers: What comes back.
        shadows: What the shadows say.
        dead_letters: What was refused.
    """

    def __init__(
        self,
        settings: Settings,
        endpoint: str,
        feed: Feed,
        answers: Answers,
        shadows: Answers,
        dead_letters: DeadLetters,
    ) -> None:
        self._endpoint = endpoint
        self._feed = feed
        self._answers = answers
        self._shadows = shadows
        self._dead_letters = dead_letters
        self._row_of = {flight_id: row for row, flight_id in enumerate(feed.flights["flight_id"])}
        self._past: deque[tuple[float, int, int]] = deque([(time.time(), 0, 0)])
        self._board = StatusBoard()
        self._tail = LogTail(settings.kafka, settings.kafka.status_topic)

    def read(self) -> Reading:
        """A reading now."""
        now, sent, received = time.time(), self._feed.sent, self._answers.received
        self._past.append((now, sent, received))
        while len(self._past) > 2 and now - self._past[1][0] >= _WINDOW_SECONDS:
            self._past.popleft()
        then, sent_then, received_then = self._past[0]
        seconds = max(now - then, 1e-9)
        for record in self._tail.poll(0):
            self._board.take(record)
        shares, latency_ms = self._recent(now)
        return Reading(
            events=sent,
            events_per_second=(sent - sent_then) / seconds,
            inferences=received,
            inferences_per_second=(received - received_then) / seconds,
            waiting=max(sent - received, 0),
            shares=shares,
            shadow_answers=self._shadows.received,
            dead_letters=self._dead_letters.received,
            revision=self._answers.newest_revision,
            latency_ms=latency_ms,
            workers=self._board.alive(self._endpoint, now),
        )

    def close(self) -> None:
        """Stops following the workers."""
        self._tail.close()

    def _recent(self, now: float) -> tuple[dict[str, float], tuple[float, float, float] | None]:
        variants: Counter[str] = Counter()
        latencies = []
        for arrived_at, batch in reversed(self._answers.batches):
            if now - arrived_at > _WINDOW_SECONDS:
                break
            variants.update(batch["variant"].tolist())
            rows = [self._row_of[event_id] for event_id in batch["event_id"].tolist() if event_id in self._row_of]
            latencies.append(arrived_at - self._feed.sent_at[rows])
        total = sum(variants.values())
        if not total:
            return {}, None
        p50, p95, p99 = np.percentile(np.concatenate(latencies) * 1000, [50, 95, 99]).tolist()
        return {name: count / total for name, count in sorted(variants.items())}, (p50, p95, p99)
