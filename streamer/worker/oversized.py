"""Finds messages that a topic would not take: one of them would fail its whole transaction, again and again."""

from __future__ import annotations

from collections.abc import Sequence

_OVERHEAD_BYTES = 1024
"""What a record costs beside key and value: batch and record headers, tracing headers."""


def oversized_rows(values: Sequence[bytes | None], keys: Sequence[bytes | None], max_bytes: int) -> list[int]:
    """The rows whose key and value together leave no room in a record of ``max_bytes``.

    Args:
        values: n payloads; None where there is no message.
        keys: Their n keys.
        max_bytes: The topic's ``max.message.bytes``.
    """
    room = max_bytes - _OVERHEAD_BYTES
    # Two passes that stay in C; almost always they are all that is needed.
    longest = max(map(len, filter(None, values)), default=0) + max(map(len, filter(None, keys)), default=0)
    if longest <= room:
        return []
    pairs = enumerate(zip(values, keys, strict=True))
    return [row for row, (value, key) in pairs if value is not None and len(value) + len(key or b"") > room]
