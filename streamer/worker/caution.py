"""Finds the one record that makes a batch fail in a way nobody foresaw, by halving, and sets it aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.kafka.consumer import PolledBatch

_UNFORESEEN = "processing this record failed unexpectedly; the worker's log has the traceback"


class Caution:
    """How many records the next batch may have, and which records must not be looked at.

    After an unexpected failure the batches get smaller until the culprit stands alone; it is quarantined, which makes
    it a dead letter. Each commit doubles the size again.

    Args:
        limit: The usual size of a batch.
    """

    def __init__(self, limit: int) -> None:
        self.size = limit
        self._limit = limit
        self._attempted: PolledBatch | None = None
        self._quarantined: dict[tuple[int, int], tuple[str, str]] = {}

    def resize(self, limit: int) -> None:
        """A new usual size."""
        suspicious = self.size < self._limit
        self._limit = limit
        self.size = min(self.size, limit) if suspicious else limit

    def attempt(self, polled: PolledBatch | None) -> None:
        """Remembers what is being worked on, in case it fails; None: no batch is to blame."""
        self._attempted = polled

    def suspect(self, reason: str = "Quarantined", message: str = _UNFORESEEN) -> None:
        """The attempted batch failed: look at half of it next, or set its only record aside, for this reason."""
        batch = self._attempted
        if batch is None:
            return
        if len(batch) > 1:
            self.size = max(1, min(self.size, len(batch)) // 2)
        else:
            self._quarantined[int(batch.partitions[0]), int(batch.offsets[0])] = reason, message

    def quarantined(self, polled: PolledBatch) -> dict[int, tuple[str, str]]:
        """Row to (reason, message) of the records of a batch that are set aside."""
        if not self._quarantined:
            return {}
        places = enumerate(zip(polled.partitions.tolist(), polled.offsets.tolist(), strict=True))
        return {row: self._quarantined[place] for row, place in places if place in self._quarantined}

    def passed(self, positions: Mapping[int, int]) -> None:
        """These positions are committed: forget what lies before them, and dare more."""
        if self._quarantined:
            self._quarantined = {
                (partition, offset): why
                for (partition, offset), why in self._quarantined.items()
                if offset >= positions.get(partition, 0)
            }
        self.size = min(self._limit, self.size * 2)
