"""Partitions that are paused for a moment: until this worker serves the revision that their former owner served."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from streamer.kafka.consumer import Committed, GroupConsumer
    from streamer.metrics import WorkerMetrics

MAX_HOLD_SECONDS = 10.0

log = structlog.get_logger(__name__)


def commit_metadata(revision: int) -> str:
    """The text that goes beside each committed offset."""
    return json.dumps({"revision": revision}, separators=(",", ":"))


def revision_in(metadata: str) -> int:
    """The routing revision that the former owner served; 0 if it did not say."""
    try:
        revision = json.loads(metadata)["revision"]
    except (ValueError, KeyError, TypeError):
        return 0
    return revision if isinstance(revision, int) else 0


class Holds:
    """Pauses new partitions whose former owner was ahead, and resumes them in time.

    Args:
        consumer: Pauses and resumes.
        metrics: Told how many are held.
        monotonic: The clock.
    """

    def __init__(
        self, consumer: GroupConsumer, metrics: WorkerMetrics, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._consumer = consumer
        self._metrics = metrics
        self._monotonic = monotonic
        self._wanted: dict[int, int] = {}
        self._deadline = 0.0

    def assigned(self, committed: Mapping[int, Committed], revision: int) -> None:
        """Holds those whose former owner served a newer revision than ``revision``."""
        revisions = {partition: revision_in(where.metadata) for partition, where in committed.items()}
        self._wanted = {partition: wanted for partition, wanted in revisions.items() if wanted > revision}
        self._deadline = self._monotonic() + MAX_HOLD_SECONDS
        if self._wanted:
            log.info("holding partitions until their revision is prepared", revisions=self._wanted)
            self._consumer.pause(self._wanted)
        self._metrics.held_partitions.set(len(self._wanted))

    def release_due(self, revision: int) -> None:
        """Resumes those that ``revision`` has reached, and all of them after ten seconds."""
        if not self._wanted:
            return
        due = [partition for partition, wanted in self._wanted.items() if wanted <= revision]
        if self._monotonic() >= self._deadline:
            due = list(self._wanted)
            log.warning("going on with an older revision than the former owner's", revisions=self._wanted)
        for partition in due:
            del self._wanted[partition]
        if due:
            self._consumer.resume(due)
            self._metrics.held_partitions.set(len(self._wanted))

    def clear(self) -> None:
        """Forgets all of them: the partitions are gone."""
        self._wanted = {}
        self._metrics.held_partitions.set(0)
