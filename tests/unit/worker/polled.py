"""Polled batches for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.kafka.consumer import PolledBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.kafka.log import Headers


class FakeMessage:
    """As much of librdkafka's as the worker reads from it later than the poll."""

    def __init__(self, timestamp_ms: int) -> None:
        self._timestamp_ms = timestamp_ms

    def timestamp(self) -> tuple[int, int]:
        return 1, self._timestamp_ms


def polled(
    n: int,
    *,
    first_offset: int = 0,
    partition: int = 0,
    values: Sequence[bytes | None] | None = None,
    headers: list[Headers | None] | None = None,
) -> PolledBatch:
    """n records of one partition."""
    return batch_of([(partition, first_offset + row) for row in range(n)], values=values, headers=headers)


def batch_of(
    places: Sequence[tuple[int, int]],
    *,
    values: Sequence[bytes | None] | None = None,
    keys: Sequence[bytes | None] | None = None,
    headers: list[Headers | None] | None = None,
    timestamps_ms: Sequence[int] | None = None,
) -> PolledBatch:
    """Records at these (partition, offset), those of a partition together and in order."""
    n = len(places)
    return PolledBatch(
        values=list(values) if values is not None else [b"v%d" % row for row in range(n)],
        keys=list(keys) if keys is not None else [b"k%d" % row for row in range(n)],
        partitions=np.array([partition for partition, _ in places], np.int32),
        offsets=np.array([offset for _, offset in places], np.int64),
        headers=headers,
        positions={partition: offset + 1 for partition, offset in places},
        group_metadata="generation",
        messages=[FakeMessage(ms) for ms in (timestamps_ms or range(1000, 1000 + n))],
    )
