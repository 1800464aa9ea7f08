from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from streamer.demo.expected_variant import expected_variant
from streamer.demo.measures import (
    Routings,
    area_under_curve,
    is_in_order,
    longest_silence_seconds,
    moves,
    shares,
    with_users,
)

ROUTINGS = Routings(weights={1: {"a": 1.0}, 2: {"a": 1.0, "b": 1.0}}, salts={1: "s", 2: "s"})
USERS = [f"N{number}" for number in range(400)]


def answered_by_definition() -> pd.DataFrame:
    rows = [
        {"revision": revision, "user": user, "variant": expected_variant("s", ROUTINGS.weights[revision], user)}
        for revision in ROUTINGS.weights
        for user in USERS
    ]
    return pd.DataFrame(rows)


def test_users_who_move_because_weights_changed_are_no_wrong_moves() -> None:
    found = moves(answered_by_definition(), ROUTINGS)
    assert found.wrong == 0
    assert 100 < found.moved < 300


def test_one_user_answered_once_by_the_wrong_variant_is_found() -> None:
    joined = answered_by_definition()
    row = joined.index[(joined["revision"] == 2) & (joined["variant"] == "a")][0]
    extra = joined.loc[[row]].assign(variant="b")
    assert moves(pd.concat([joined, extra]), ROUTINGS).wrong == 1


def test_shares_are_of_users_and_held_against_the_weights() -> None:
    found = {(share.revision, share.variant): share for share in shares(answered_by_definition(), ROUTINGS)}
    assert found[1, "a"].share == 1.0
    assert found[1, "a"].holds
    assert found[2, "a"].expected == 0.5
    assert found[2, "a"].holds
    only_a = answered_by_definition().assign(variant="a")
    assert not any(share.holds for share in shares(only_a, ROUTINGS) if share.revision == 2)


@pytest.mark.parametrize(
    ("partitions", "offsets", "in_order"),
    [
        ([0, 1, 0], [1, 1, 2], True),
        ([0, 1, 0], [2, 1, 1], False),
        ([0, 1, 0], [1, 1, 1], False),
    ],
)
def test_order_is_that_of_each_partition(partitions: list[int], offsets: list[int], in_order: bool) -> None:
    columns: dict[str, Any] = {"partition": partitions, "source_partition": partitions, "source_offset": offsets}
    assert is_in_order(pd.DataFrame(columns)) is in_order


def test_an_inference_in_another_partition_than_its_event_is_out_of_order() -> None:
    columns = {"partition": [0, 1], "source_partition": [0, 0], "source_offset": [1, 2]}
    assert not is_in_order(pd.DataFrame(columns))


def test_flights_that_never_arrive_count_for_no_auc() -> None:
    joined = pd.DataFrame(
        {"variant": ["a"] * 4, "is_late": [1.0, 0.0, 0.0, None], "late_probability": [0.9, 0.2, 0.1, 0.5]}
    )
    assert area_under_curve(joined) == {"a": (1.0, 3)}


def test_an_unknown_aircraft_is_routed_by_its_flight() -> None:
    flights = pd.DataFrame({"flight_id": ["x", "y"], "tail_number": ["N1", None]})
    joined = with_users(pd.DataFrame({"event_id": ["y", "x"]}), flights)
    assert joined["user"].tolist() == ["y", "N1"]


def test_the_longest_silence_is_between_two_arrivals() -> None:
    assert longest_silence_seconds(pd.DataFrame({"arrived_at": [1.0, 1.0, 1.5, 4.0, 4.5]})) == 2.5
