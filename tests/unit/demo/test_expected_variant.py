from __future__ import annotations

from streamer.demo.expected_variant import expected_variant
from streamer.routing.bucketing import choose, hash64

USERS = [f"N{number}" for number in range(2_000)] + ["", "é"]


def test_the_published_definition_and_the_router_agree_for_every_user() -> None:
    for weights in ({"champion": 1.0}, {"champion": 95.0, "canary": 5.0}, {"a": 1.0, "b": 1.0, "c": 0.5}):
        names = list(weights)
        chosen = choose(hash64("late-1", [user.encode() for user in USERS]), names, list(weights.values()))
        assert [names[arm] for arm in chosen.tolist()] == [expected_variant("late-1", weights, user) for user in USERS]


def test_widening_the_canary_moves_users_to_it_and_no_one_away() -> None:
    before = [expected_variant("s", {"champion": 95, "canary": 5}, user) for user in USERS]
    after = [expected_variant("s", {"champion": 80, "canary": 20}, user) for user in USERS]
    moves = {(old, new) for old, new in zip(before, after, strict=True) if old != new}
    assert moves == {("champion", "canary")}
