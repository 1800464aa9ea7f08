"""Bucketing: shares, minimal movement, independence of order, and a definition that anyone can recompute."""

from __future__ import annotations

import doctest
import math
from itertools import pairwise

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.records.columns import ConstantColumn, NumericColumn, ObjectColumn, TextColumn
from streamer.routing import bucketing
from streamer.routing.bucketing import bucketing_values, buckets, choose, column_bytes, hash64

USERS = [b"user-%d" % number for number in range(40_000)]
_WEIGHTS = st.lists(st.floats(0.5, 100), min_size=2, max_size=6)
_SALTS = st.text(max_size=8)


def names(count: int) -> list[str]:
    return [f"variant-{number}" for number in range(count)]


def plain_choose(salt: str, value: bytes, arms: dict[str, float]) -> str:
    """The documented definition, step by step, with Python's integers."""
    mask = 2**64 - 1
    h = xxhash.xxh3_64_intdigest(value, seed=xxhash.xxh3_64_intdigest(salt.encode(), seed=0))
    scores = {}
    for name, weight in arms.items():
        x = h ^ xxhash.xxh3_64_intdigest(name.encode(), seed=0)
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
        x ^= x >> 31
        scores[name] = -math.log(((x >> 11) + 0.5) / 2**53) / weight
    return min(sorted(scores, key=str.encode), key=scores.__getitem__)


def test_the_documented_test_vectors_hold() -> None:
    results = doctest.testmod(bucketing)
    assert results.attempted >= 4
    assert results.failed == 0


@given(_SALTS, st.lists(st.binary(max_size=40), min_size=1, max_size=30), _WEIGHTS)
@settings(max_examples=50, deadline=None)
def test_the_vectorised_choice_is_the_documented_one(salt: str, values: list[bytes], weights: list[float]) -> None:
    arms = dict(zip(names(len(weights)), weights, strict=True))
    chosen = choose(hash64(salt, values), list(arms), weights)
    assert [list(arms)[index] for index in chosen] == [plain_choose(salt, value, arms) for value in values]


@given(_SALTS, _WEIGHTS)
@settings(max_examples=25, deadline=None)
def test_shares_are_within_binomial_tolerance_of_the_weights(salt: str, weights: list[float]) -> None:
    chosen = choose(hash64(salt, USERS), names(len(weights)), weights)
    counts = np.bincount(chosen, minlength=len(weights))
    for count, weight in zip(counts, weights, strict=True):
        share = weight / sum(weights)
        # Six standard deviations: one false alarm in some 10^8 arms.
        assert abs(count - share * len(USERS)) <= 6 * math.sqrt(share * (1 - share) * len(USERS)) + 1


@given(_SALTS, _WEIGHTS, st.data())
@settings(max_examples=25, deadline=None)
def test_when_one_weight_changes_everyone_who_moves_moves_to_or_from_that_arm(
    salt: str, weights: list[float], data: st.DataObject
) -> None:
    arm = data.draw(st.integers(0, len(weights) - 1))
    factor = data.draw(st.floats(1.01, 20))
    grown = [weight * factor if index == arm else weight for index, weight in enumerate(weights)]
    hashes = hash64(salt, USERS[:10_000])
    before, after = (choose(hashes, names(len(weights)), each) for each in (weights, grown))
    moved = before != after
    assert (after[moved] == arm).all()
    assert not (moved & (before == arm)).any()


def test_growing_a_canary_from_5_to_10_moves_the_difference_and_nobody_else() -> None:
    hashes = hash64("late-1", USERS)
    before, after = (choose(hashes, ["champion", "canary"], weights) for weights in ([95, 5], [90, 10]))
    assert (after[before == 1] == 1).all(), "who had the canary keeps it"
    assert abs((before != after).mean() - 0.05) < 0.007


@given(_SALTS, _WEIGHTS, _WEIGHTS)
@settings(max_examples=25, deadline=None)
def test_movement_between_any_two_weightings_is_bounded(salt: str, one: list[float], other: list[float]) -> None:
    arms = min(len(one), len(other))
    one, other = one[:arms], other[:arms]
    hashes = hash64(salt, USERS)
    moved = (choose(hashes, names(arms), one) != choose(hashes, names(arms), other)).mean()
    distance = 0.5 * sum(abs(a / sum(one) - b / sum(other)) for a, b in zip(one, other, strict=True))
    assert moved <= 2 * distance / (1 + distance) + 0.02


def test_removing_an_arm_moves_only_its_users() -> None:
    hashes = hash64("s", USERS)
    before = np.array(["a", "b", "c", "d"])[choose(hashes, ["a", "b", "c", "d"], [4, 3, 2, 1])]
    after = np.array(["a", "b", "d"])[choose(hashes, ["a", "b", "d"], [4, 3, 1])]
    assert (before[before != after] == "c").all()


@given(_SALTS, _WEIGHTS, st.randoms())
@settings(max_examples=25, deadline=None)
def test_the_order_of_the_arms_and_the_scale_of_the_weights_do_not_matter(
    salt: str, weights: list[float], random: object
) -> None:
    order = list(range(len(weights)))
    random.shuffle(order)  # type: ignore[attr-defined]
    listed = names(len(weights))
    hashes = hash64(salt, USERS[:5_000])
    chosen = choose(hashes, listed, weights)
    shuffled = choose(hashes, [listed[i] for i in order], [weights[i] * 4 for i in order])
    assert (np.array(order)[shuffled] == chosen).all()


def test_another_salt_deals_everybody_anew() -> None:
    chosen = [choose(hash64(salt, USERS), ["a", "b"], [1, 1]) for salt in ("", "late-1", "late-2")]
    for one, other in pairwise(chosen):
        assert abs((one == other).mean() - 0.5) < 0.02, "independent: half of them agree by chance"


def test_variants_do_not_depend_on_the_bucket() -> None:
    hashes = hash64("s", USERS)
    canary = choose(hashes, ["a", "b"], [3, 1]) == 1
    for residue in range(4):
        assert abs(canary[buckets(hashes) % 4 == residue].mean() - 0.25) < 0.03


def test_buckets_are_even_and_in_range() -> None:
    found = buckets(hash64("s", USERS))
    assert found.dtype == np.int32
    assert found.min() >= 0
    assert found.max() < 10_000
    assert np.bincount(found // 1000).min() > 3_600


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (TextColumn.from_strings(["N1", "é", ""]), [b"N1", "é".encode(), b""]),
        (TextColumn.from_bytes([b"\xff", None]), [b"\xff", None]),
        (NumericColumn(np.array([0, -5, 2**63 - 1])), [b"0", b"-5", b"9223372036854775807"]),
        (NumericColumn(np.array([7, 0]), np.array([True, False])), [b"7", None]),
        (ConstantColumn("x", 2), [b"x", b"x"]),
        (ConstantColumn(12, 1), [b"12"]),
        (ConstantColumn(None, 2), [None, None]),
        (ObjectColumn.of(["a", 3, None]), [b"a", b"3", None]),
    ],
)
def test_the_bytes_of_each_kind_of_column(column: TextColumn, expected: list[bytes | None]) -> None:
    assert column_bytes(column) == expected


@pytest.mark.parametrize(
    "column",
    [
        NumericColumn(np.array([1.5])),
        NumericColumn(np.array([True])),
        ObjectColumn.of([[1]]),
        ObjectColumn.of([True]),
        ConstantColumn(1.5, 1),
    ],
)
def test_what_has_no_exact_text_cannot_be_hashed(column: NumericColumn) -> None:
    with pytest.raises(TypeError):
        column_bytes(column)


def test_a_null_value_hashes_the_event_id_and_is_counted() -> None:
    found = bucketing_values(TextColumn.from_strings(["a", None, "c", None]), [b"1", b"2", b"3", b"4"])
    assert found == ([b"a", b"2", b"c", b"4"], 2)
    assert bucketing_values(TextColumn.from_strings(["a"]), [b"1"]) == ([b"a"], 0)
    assert bucketing_values(ConstantColumn(None, 2), [b"1", b"2"]) == ([b"1", b"2"], 2)
