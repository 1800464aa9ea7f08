"""From a bucketing value to a bucket and a variant: the whole definition, so that any language can recompute it.

All integers are unsigned and wrap at 64 bits; text is UTF-8; ``xxh3_64`` is XXH3 with 64 bits of output.

1. The value's bytes. Text, uuids and enum symbols: UTF-8. Bytes and fixed: as they are. Integers, dates and
   timestamps: the decimal digits of the stored number, ``-`` in front if negative. Null: the event id's bytes.
2. ``h = xxh3_64(value, seed=xxh3_64(salt, seed=0))``.
3. The bucket, recorded for analysis: ``h mod 10000``.
4. The variant, by weighted rendezvous. For each arm of the list:

   a. ``x = h XOR xxh3_64(variant name, seed=0)``
   b. ``x = (x XOR (x >> 30)) * 0xBF58476D1CE4E5B9; x = (x XOR (x >> 27)) * 0x94D049BB133111EB; x = x XOR (x >> 31)``
   c. ``u = ((x >> 11) + 0.5) / 2^53``, a double in (0, 1)
   d. ``score = -ln(u) / weight``

   The arm with the smallest score answers; of equal scores, the one whose name sorts first by bytes.

An arm's share is its weight over the sum of the weights, and the order of the arms does not matter. When **one**
arm's weight changes, every user that moves moves to that arm (it grew) or away from it (it shrank): nobody moves
between the others, with any number of arms. So widen a canary by changing the canary's weight alone. When several
weights change at once a few users may also move between arms that did not grow; with a total variation distance of d
between the old shares and the new, at most ``2d / (1 + d)`` of the users move at all. No rule without a memory of
its former answers can do better for more than two arms; with two, exactly d move.

Test vectors, salt ``late-1``, arms ``champion`` 95 and ``canary`` 5:

>>> values = [b"N14228", b"N24211", b"42", b"", b"\\xc3\\xa9", b"user-17"]
>>> h = hash64("late-1", values)
>>> arms = choose(h, ["champion", "canary"], [95, 5]).tolist()
>>> for value, hashed, bucket, arm in zip(values, h.tolist(), buckets(h).tolist(), arms):
...     print(f"{value!r:>14} {hashed:#018x} {bucket:4} {'champion canary'.split()[arm]}")
     b'N14228' 0x1a0074e0030a4ad7 8823 champion
     b'N24211' 0xfa9e48f64b5c29a9 3513 champion
         b'42' 0xf3bb1a79e537ec49 3545 canary
           b'' 0x8c2a7b99decc4248 9592 champion
   b'\\xc3\\xa9' 0x7a6ee468766c4247 8407 champion
    b'user-17' 0x4b79a3820446c7ca 8074 champion
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from streamer.records.columns import Column, ConstantColumn, NumericColumn, TextColumn

BUCKETS = 10_000

_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_TWO_TO_MINUS_53 = 2.0**-53


def hash64(salt: str, values: Sequence[bytes]) -> NDArray[np.uint64]:
    """``xxh3_64`` of each value, seeded with the hash of the salt. Shape (n,)."""
    seed = xxhash.xxh3_64_intdigest(salt.encode())
    return np.fromiter(map(xxhash.xxh3_64_intdigest, values, repeat(seed)), np.uint64, len(values))


def buckets(hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
    """The bucket, 0 to 9999, of each hash. Shape (n,)."""
    return (hashes % np.uint64(BUCKETS)).astype(np.int32)


def unit_interval(hashes: NDArray[np.uint64]) -> NDArray[np.float64]:
    """The upper 53 bits of each hash as a double strictly between 0 and 1. Shape (n,)."""
    return ((hashes >> np.uint64(11)).astype(np.float64) + 0.5) * _TWO_TO_MINUS_53


def scores(hashes: NDArray[np.uint64], name: str, weight: float) -> NDArray[np.float64]:
    """The rendezvous score of one arm for each hash; the smallest of all arms wins. Shape (n,)."""
    mixed = hashes ^ np.uint64(xxhash.xxh3_64_intdigest(name.encode()))
    mixed ^= mixed >> np.uint64(30)
    mixed *= _MULTIPLIERS[0]
    mixed ^= mixed >> np.uint64(27)
    mixed *= _MULTIPLIERS[1]
    mixed ^= mixed >> np.uint64(31)
    drawn = np.log(unit_interval(mixed))
    drawn /= -weight
    return drawn


def choose(hashes: NDArray[np.uint64], names: Sequence[str], weights: Sequence[float]) -> NDArray[np.int16]:
    """The arm of each hash: an index into ``names``. Shape (n,).

    Args:
        hashes: Shape (n,), from `hash64`.
        names: The arms' variant names, all different.
        weights: Their weights, finite and above 0.
    """
    chosen = np.zeros(len(hashes), np.int16)
    if len(names) == 1:
        return chosen
    by_name = sorted(range(len(names)), key=lambda arm: names[arm].encode())
    chosen.fill(by_name[0])
    best = scores(hashes, names[by_name[0]], weights[by_name[0]])
    for arm in by_name[1:]:
        candidate = scores(hashes, names[arm], weights[arm])
        chosen[candidate < best] = arm
        np.minimum(best, candidate, out=best)
    return chosen


class BucketingValues(NamedTuple):
    """What is hashed for each event.

    Attributes:
        values: n byte strings, none of them null.
        nulls: How many of them are the event's id because the bucketing field was null.
    """

    values: list[bytes]
    nulls: int


def column_bytes(column: Column) -> list[bytes | None]:
    """The bytes of each row as step 1 of the definition says, None where it is null.

    Raises:
        TypeError: The column holds floats, booleans, arrays, maps or records.
    """
    if isinstance(column, TextColumn):
        return column.to_bytes_list()
    if isinstance(column, NumericColumn) and column.values.dtype.kind in "iu":
        return TextColumn.from_integers(column.values, column.valid).to_bytes_list()
    if isinstance(column, ConstantColumn):
        return [_value_bytes(column.value)] * len(column)
    if isinstance(column, NumericColumn):
        raise TypeError(f"values of type {column.values.dtype} cannot be hashed")
    return [_value_bytes(value) for value in column.to_pylist()]


def bucketing_values(column: Column, event_ids: Sequence[bytes]) -> BucketingValues:
    """The bytes that decide each event's variant: the column's, or the event's id where the column is null.

    Args:
        column: The endpoint's ``bucket_by`` field, n rows.
        event_ids: The bytes of the n events' ids.
    """
    values = column_bytes(column)
    if column.valid is None and None not in values:
        return BucketingValues(values, 0)  # type: ignore[arg-type]  # just checked: there is no None
    filled = [event_id if value is None else value for value, event_id in zip(values, event_ids, strict=True)]
    return BucketingValues(filled, sum(value is None for value in values))


def _value_bytes(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int) and not isinstance(value, bool):
        return b"%d" % value
    raise TypeError(f"a value of type {type(value).__name__} cannot be hashed")
