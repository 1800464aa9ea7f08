"""Who must answer whom, computed again from the published definition of bucketing, without Streamer's own code.

If the stream and these lines agree for every user at every revision, nobody changed variant who did not have to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import xxhash

_MASK = 2**64 - 1


def expected_variant(salt: str, weights: Mapping[str, float], user: str) -> str:
    """The variant that answers a user.

    Args:
        salt: Of the routing.
        weights: Variant to its weight.
        user: The bucketing value as text.
    """
    value = xxhash.xxh3_64_intdigest(user.encode(), xxhash.xxh3_64_intdigest(salt.encode()))
    return min(sorted(weights), key=lambda variant: _score(value, variant, weights[variant]))


def _score(value: int, variant: str, weight: float) -> float:
    x = value ^ xxhash.xxh3_64_intdigest(variant.encode())
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & _MASK
    x = x ^ (x >> 31)
    return -math.log(((x >> 11) + 0.5) / 2**53) / weight
