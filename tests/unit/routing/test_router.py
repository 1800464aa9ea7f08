"""The router: segments, shares, shadows, and rows per arm."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import DocumentUnresolved
from streamer.records.columns import ConstantColumn, FeatureBatch, NumericColumn, ObjectColumn, TextColumn
from streamer.routing.bucketing import choose, hash64
from streamer.routing.consistency import consistency_problems
from streamer.routing.documents import Role, RoutingDocument
from streamer.routing.router import Router, rows_by_arm
from streamer.routing.segments import SegmentMatcher
from tests.unit.routing.documents_for_tests import arm, routing


def document(**changes: Any) -> RoutingDocument:
    return RoutingDocument.model_validate(routing(**changes))


def batch_of(n: int, **columns: Any) -> FeatureBatch:
    return FeatureBatch(n, columns)


IDS = [b"flight-%d" % number for number in range(5_000)]
USERS = [b"user-%d" % (number % 997) for number in range(5_000)]


def test_serving_arms_follow_the_weighted_choice() -> None:
    router = Router(document(salt="late-1"))
    routed = router.route(batch_of(5_000), USERS, IDS)
    assert (routed.arm == choose(hash64("late-1", USERS), ["champion", "canary"], [95, 5])).all()
    assert routed.arm.dtype == np.int16
    assert [(one.variant, one.role, one.weight) for one in router.arms] == [
        ("champion", Role.serving, 95),
        ("canary", Role.serving, 5),
    ]
    assert router.arms[1].model_uuid == UUID(int=2)
    assert router.fallback is None


def test_every_row_is_in_exactly_one_serving_arm() -> None:
    router = Router(document(serve=[arm(f"v{i}", weight=i + 1) for i in range(30)]))
    routed = router.route(batch_of(5_000), USERS, IDS)
    rows = np.concatenate([rows for _, rows in routed.serving])
    assert sorted(rows.tolist()) == list(range(5_000))
    for index, members in routed.serving:
        assert (routed.arm[members] == index).all()
        assert (np.diff(members) > 0).all()


@given(st.lists(st.integers(0, 11), max_size=60), st.integers(12, 20))
def test_rows_by_arm_is_the_same_for_few_and_many_arms(arms: list[int], declared: int) -> None:
    array = np.array(arms, np.int16)
    expected = [(index, [row for row, one in enumerate(arms) if one == index]) for index in sorted(set(arms))]
    assert [(index, rows.tolist()) for index, rows in rows_by_arm(array, declared)] == expected
    few = np.minimum(array, 3)
    assert [(i, r.tolist()) for i, r in rows_by_arm(few, 4)] == [(i, r.tolist()) for i, r in rows_by_arm(few, 20)]


def test_the_segment_with_the_most_fields_wins_and_the_rest_keep_the_base() -> None:
    router = Router(
        document(
            serve=[arm("base")],
            segments=[
                {"match": {"origin": "JFK", "dest": "LAX"}, "serve": [arm("jfk-lax", 3)]},
                {"match": {"origin": "JFK"}, "serve": [arm("jfk", 2)]},
            ],
        )
    )
    batch = batch_of(
        4,
        origin=TextColumn.from_strings(["JFK", "JFK", "EWR", None]),
        dest=TextColumn.from_strings(["LAX", "SFO", "LAX", "LAX"]),
    )
    routed = router.route(batch, USERS[:4], IDS[:4])
    assert [router.arms[i].variant for i in routed.arm] == ["jfk-lax", "jfk", "base", "base"]
    assert router.match_fields == ["dest", "origin"]
    assert router.segments_of(batch).tolist() == [0, 1, -1, -1]


def test_a_variant_named_by_several_lists_is_one_arm() -> None:
    router = Router(document(serve=[arm("a", 1, weight=3)], segments=[{"match": {"x": 1}, "serve": [arm("a", 1)]}]))
    assert [(one.variant, one.weight) for one in router.arms] == [("a", 3)]


def test_segments_keep_users_with_their_variant_by_the_same_hash() -> None:
    serve = [arm("a", 1, weight=1), arm("b", 2, weight=1)]
    router = Router(document(serve=serve, segments=[{"match": {"x": 1}, "serve": serve}]))
    inside = router.route(batch_of(5_000, x=ConstantColumn(1, 5_000)), USERS, IDS)
    outside = router.route(batch_of(5_000, x=ConstantColumn(2, 5_000)), USERS, IDS)
    assert (inside.arm == outside.arm).all()


def test_a_missing_match_field_is_an_error_and_not_a_mismatch() -> None:
    router = Router(document(segments=[{"match": {"x": 1}, "serve": [arm("c", 3)]}]))
    with pytest.raises(KeyError):
        router.route(batch_of(1), USERS[:1], IDS[:1])


def test_shadow_sampling_is_deterministic_recomputable_and_nested() -> None:
    small, large, whole = (
        Router(document(shadow=[arm("may", 3, sample=sample)])).route(batch_of(5_000), USERS, IDS).shadows
        for sample in (0.1, 0.25, 1.0)
    )
    assert abs(len(small[0][1]) / 5_000 - 0.1) < 0.03
    assert abs(len(large[0][1]) / 5_000 - 0.25) < 0.04
    assert set(small[0][1].tolist()) < set(large[0][1].tolist())
    assert whole[0][1].tolist() == list(range(5_000))
    recomputed = hash64("streamer/shadow/may", IDS).astype(float) / 2**64 < 0.25
    assert large[0][1].tolist() == np.flatnonzero(recomputed).tolist()


def test_two_shadows_sample_independently_and_neither_depends_on_the_variant() -> None:
    router = Router(document(shadow=[arm("one", 3, sample=0.5), arm("two", 4, sample=0.5)]))
    routed = router.route(batch_of(5_000), USERS, IDS)
    (first, one), (second, two) = routed.shadows
    assert [router.arms[first].role, router.arms[second].variant] == [Role.shadow, "two"]
    assert abs(len(set(one.tolist()) & set(two.tolist())) / 5_000 - 0.25) < 0.04


def test_the_fallback_is_an_arm_that_no_event_is_routed_to() -> None:
    router = Router(document(fallback=arm("champion", 1)))
    assert router.fallback is not None
    assert router.arms[router.fallback].role is Role.fallback
    assert router.fallback not in {index for index, _ in router.route(batch_of(5_000), USERS, IDS).serving}


def test_an_empty_batch_is_routed() -> None:
    routed = Router(document(shadow=[arm("may", 3, sample=0.5)])).route(batch_of(0), [], [])
    assert (len(routed.arm), len(routed.bucket), routed.serving, routed.shadows) == (0, 0, [], [])


def test_selectors_cannot_be_routed() -> None:
    with pytest.raises(DocumentUnresolved, match="streamer resolve"):
        Router(document(serve=[{"variant": "a", "model": {"tag": "t"}}]))


_FIELDS = {
    "text": (st.sampled_from(["a", "b", "", "é"]), ["a", "b", "", "é", "z", None]),
    "number": (st.integers(-2, 2), [-2, -1, 0, 1, 2, 7, None]),
    "flag": (st.booleans(), [True, False, None]),
}
_MATCHES = st.lists(
    st.fixed_dictionaries({}, optional={name: values for name, (values, _) in _FIELDS.items()}).filter(bool),
    min_size=1,
    max_size=12,
)


def _column(name: str, values: list[Any], kind: str) -> Any:
    if kind == "object":
        return ObjectColumn.of(values)
    if name == "text":
        return TextColumn.from_strings(values)
    valid = np.array([value is not None for value in values])
    dtype = np.bool_ if name == "flag" else np.int64
    return NumericColumn(np.array([value or 0 for value in values], dtype), valid)


@given(_MATCHES, st.sampled_from(["typed", "object"]), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_matching_is_that_of_a_plain_loop(matches: list[dict[str, Any]], kind: str, random: Any) -> None:
    kept: list[dict[str, Any]] = []
    for match in matches:
        segments = [{"match": one, "serve": [arm("a")]} for one in [*kept, match]]
        if not consistency_problems(document(segments=segments)):
            kept.append(match)
    rows = [{name: random.choice(values) for name, (_, values) in _FIELDS.items()} for _ in range(50)]

    def expected(row: dict[str, Any]) -> int:
        hits = [i for i, match in enumerate(kept) if all(row[f] == v and row[f] is not None for f, v in match.items())]
        best = sorted(hits, key=lambda i: -len(kept[i]))
        assert len(best) < 2 or len(kept[best[0]]) > len(kept[best[1]]), "a tie that validation let through"
        return best[0] if best else -1

    columns = {name: _column(name, [row[name] for row in rows], kind) for name in _FIELDS}
    assert SegmentMatcher(kept).match(FeatureBatch(50, columns)).tolist() == [expected(row) for row in rows]


def test_a_thousand_segments_match_like_a_dict() -> None:
    matches = [{"user": f"u{i}", "hour": i % 24} for i in range(1000)]
    matcher = SegmentMatcher(matches)
    users = [f"u{i % 1200}" for i in range(5_000)]
    batch = batch_of(5_000, user=TextColumn.from_strings(users), hour=NumericColumn(np.arange(5_000) % 24))
    expected = [
        i % 1200 if i % 1200 < 1000 and (i % 1200) % 24 == i % 24 else -1 for i in range(5_000)
    ]  # fmt: skip
    assert matcher.match(batch).tolist() == expected


def test_true_and_one_are_different_values() -> None:
    matcher = SegmentMatcher([{"x": True}, {"x": 1}])
    assert matcher.match(batch_of(1, x=NumericColumn(np.array([True])))).tolist() == [0]
    assert matcher.match(batch_of(1, x=NumericColumn(np.array([1])))).tolist() == [1]
    assert matcher.match(batch_of(1, x=ConstantColumn(1, 1))).tolist() == [1]
