"""Counts what is committed, once it is committed: the totals on /metrics are of answers that readers can see."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from streamer.metrics import WorkerMetrics
    from streamer.worker.outbox import EncodedBatch

_AGES_PER_BATCH = 64
"""A batch's ages lie close together: a sample of them tells as much as all."""


class CommittedCounts:
    """Adds committed batches to the metrics.

    Args:
        metrics: Where to.
        clock: Seconds since 1970.
    """

    def __init__(self, metrics: WorkerMetrics, clock: Callable[[], float] = time.time) -> None:
        self._metrics = metrics
        self._clock = clock

    def committed(self, batch: EncodedBatch) -> None:
        """One batch has been committed."""
        metrics = self._metrics
        events = batch.scoring.events
        metrics.transactions.labels("committed").inc()
        metrics.batch_records.observe(len(events.polled))
        metrics.events.inc(len(events.polled))
        metrics.null_bucketing.inc(events.null_bucketing)
        for (variant, role), count in batch.counts.items():
            metrics.inferences.labels(variant, role).inc(count)
        for letter in batch.dead_letters:
            metrics.dead_letters.labels(letter.stage, letter.reason).inc()
        stamped = events.polled.some_timestamps_ms(_AGES_PER_BATCH)
        ages = self._clock() - stamped[stamped >= 0].astype(np.float64) / 1000
        metrics.event_age_seconds.observe(np.maximum(ages, 0.0))
