from __future__ import annotations

from dataclasses import replace

import pytest

from streamer.demo.measures import Moves, Share
from streamer.demo.promises import Findings, promises
from streamer.demo.report import as_document

ALL_WELL = Findings(
    events=100,
    departures=98,
    departures_wanted=98,
    inferences=100,
    distinct=100,
    unknown=0,
    in_order=True,
    shares=[Share(revision=2, variant="canary", events=5, users=5, share=0.05, expected=0.05, tolerance=0.01)],
    moves=Moves(moved=4, wrong=0),
    area_under_curve={"champion": (0.9, 90)},
    largest_difference=1e-7,
    shadow_expected=50,
    shadow_inferences=48,
    dead_letters={"truncated": 2},
    expected_dead_letters={"truncated": 2},
    refusals=["no such tag", "not resolved"],
    answered_meanwhile=10,
    silence_seconds=0.2,
    final_revision=5,
    expected_final_revision=5,
    latency_ms={"p50": 10.0, "p95": 20.0, "p99": 30.0},
    events_per_second=4000.0,
)


def test_all_promises_hold_when_all_went_well() -> None:
    assert [promise.what for promise in promises(ALL_WELL) if not promise.holds] == []


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"inferences": 99}, "exactly one serving inference"),
        ({"inferences": 101}, "exactly one serving inference"),
        ({"distinct": 99}, "exactly one serving inference"),
        ({"unknown": 1}, "exactly one serving inference"),
        ({"departures": 97}, "real departures"),
        ({"in_order": False}, "in their events' order"),
        ({"shares": [replace(ALL_WELL.shares[0], share=0.08)]}, "share of users"),
        ({"moves": Moves(moved=4, wrong=1)}, "no user changes variant"),
        ({"area_under_curve": {"champion": (0.5, 90)}}, "foresees lateness"),
        ({"area_under_curve": {}}, "foresees lateness"),
        ({"largest_difference": 0.1}, "what the estimators answer"),
        ({"shadow_inferences": 0}, "shadow"),
        ({"shadow_inferences": 51}, "shadow"),
        ({"shadow_inferences": -1}, "shadow"),
        ({"dead_letters": {"truncated": 1}}, "malformed record"),
        ({"dead_letters": {"truncated": 2, "bad_magic": 1}}, "malformed record"),
        ({"refusals": ["no such tag"]}, "broken routing"),
        ({"answered_meanwhile": 0}, "broken routing"),
        ({"silence_seconds": 11.0}, "interrupt nothing"),
        ({"final_revision": 4}, "after the rollback"),
    ],
)
def test_a_promise_that_does_not_hold_is_named(change: dict[str, object], broken: str) -> None:
    found = [promise.what for promise in promises(replace(ALL_WELL, **change)) if not promise.holds]
    assert len(found) == 1
    assert broken in found[0]


def test_the_document_says_whether_everything_held() -> None:
    good = as_document(ALL_WELL, promises(ALL_WELL), 60.0)
    assert good["holds"] is True
    assert good["area_under_curve"] == {"champion": {"area": 0.9, "arrivals": 90}}
    bad = replace(ALL_WELL, in_order=False)
    assert as_document(bad, promises(bad), 60.0)["holds"] is False
