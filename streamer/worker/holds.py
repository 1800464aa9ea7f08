"""Partitions that are paused for a while, and why.

Two reasons: the former owner served a newer routing revision than this worker has yet (ten seconds at most, then it
goes on and says so); or the input has grown and the output topics have no such partition yet.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog

from streamer.errors import KafkaError

if TYPE_CHECKING:
    from streamer.kafka.consumer import Committed, GroupConsumer
    from streamer.metrics import WorkerMetrics

MAX_HOLD_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 5.0

log = structlog.get_logger(__name__)


def commit_metadata(revision: int) -> str:
    """The text that goes beside each committed offset."""
    return json.dumps({"revision": revision}, separators=(",", ":"))


def revision_in(metadata: str) -> int:
    """The routing revision that the former owner served; 0 if it did not say."""
    try:
        revision = json.loads(metadata)["revision"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    return revision if isinstance(revision, int) else 0


class Holds:
    """Pauses partitions that must wait, and resumes them in time. Used by the loop's thread.

    Args:
        consumer: Pauses and resumes.
        metrics: Told how many are held.
        outputs: How many partitions the output topics had at the start.
        output_partitions: Asks the broker how many they have now.
        monotonic: The clock.
    """

    def __init__(
        self,
        consumer: GroupConsumer,
        metrics: WorkerMetrics,
        outputs: int,
        output_partitions: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._metrics = metrics
        self._outputs = outputs
        self._output_partitions = output_partitions
        self._monotonic = monotonic
        self._behind: dict[int, int] = {}
        self._homeless: set[int] = set()
        self._deadline = 0.0
        self._look_again_at = 0.0

    def assigned(self, committed: Mapping[int, Committed], revision: int) -> None:
        """Looks at newly assigned partitions, for a worker that serves ``revision``."""
        revisions = {partition: revision_in(where.metadata) for partition, where in committed.items()}
        self._behind = {partition: wanted for partition, wanted in revisions.items() if wanted > revision}
        self._homeless = {partition for partition in committed if partition >= self._outputs}
        now = self._monotonic()
        if self._behind and not self._deadline:  # reading again does not prolong it
            self._deadline = now + MAX_HOLD_SECONDS
        self._look_again_at = now
        if self._held():
            log.info("holding partitions", revisions=self._behind, without_output=sorted(self._homeless))
            self._consumer.pause(self._held())
        self._metrics.held_partitions.set(len(self._held()))

    def release_due(self, revision: int) -> None:
        """Resumes those that need not wait any longer."""
        held = self._held()
        if not held:
            return
        now = self._monotonic()
        if now >= self._deadline and self._behind:
            log.warning("going on with an older revision than the former owner's", revisions=self._behind)
            self._behind = {}
        self._behind = {partition: wanted for partition, wanted in self._behind.items() if wanted > revision}
        if self._homeless and now >= self._look_again_at:
            self._look_again_at = now + _LOOK_AGAIN_SECONDS
            try:
                self._outputs = self._output_partitions()
            except KafkaError as failure:  # the other partitions go on; the next look may succeed
                log.warning("cannot look at the output topics", reason=str(failure))
            self._homeless = {partition for partition in self._homeless if partition >= self._outputs}
        due = held - self._held()
        if due:
            log.info("resuming partitions", partitions=sorted(due))
            self._consumer.resume(due)
            self._metrics.held_partitions.set(len(self._held()))

    def clear(self) -> None:
        """Forgets all of them: the partitions are going."""
        if self._held():  # librdkafka keeps a pause over the next assignment
            self._consumer.resume(self._held())
        self._behind, self._homeless = {}, set()
        self._deadline = 0.0
        self._metrics.held_partitions.set(0)

    def trouble(self) -> str | None:
        """What an operator should know."""
        if self._homeless:
            partitions = ", ".join(map(str, sorted(self._homeless)))
            return f"input partitions {partitions} wait until the output topics have as many: run `streamer apply`"
        return None

    def _held(self) -> set[int]:
        return self._homeless | self._behind.keys()
