"""Finds the one record that makes a batch fail in a way nobody foresaw, by halving, and sets it aside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.kafka.consumer import PolledBatch


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
        self._quarantined: set[tuple[int, int]] = set()

    def resize(self, limit: int) -> None:
        """A new usual size."""
        suspicious = self.size < self._limit
        self._limit = limit
        self.size = min(self.size, limit) if suspicious else limit

    def attempt(self, polled: PolledBatch) -> None:
        """Remembers what is being worked on, in case it fails."""
        self._attempted = polled

    def suspect(self) -> None:
        """The attempted batch failed: look at half of it next, or set its only record aside."""
        batch = self._attempted
        if batch is None:
            return
        if len(batch) > 1:
            self.size = max(1, min(self.size, len(batch)) // 2)
        else:
            self._quarantined.add((int(batch.partitions[0]), int(batch.offsets[0])))

    def quarantined(self, polled: PolledBatch) -> NDArray[np.bool_] | None:
        """Which records of a batch are set aside, bool (n,); None for none of them."""
        if not self._quarantined:
            return None
        places = zip(polled.partitions.tolist(), polled.offsets.tolist(), strict=True)
        mask = np.fromiter((place in self._quarantined for place in places), np.bool_, len(polled))
        return mask if mask.any() else None

    def passed(self, positions: Mapping[int, int]) -> None:
        """These positions are committed: forget what lies before them, and dare more."""
        if self._quarantined:
            self._quarantined = {(p, offset) for p, offset in self._quarantined if offset >= positions.get(p, 0)}
        self.size = min(self._limit, self.size * 2)
