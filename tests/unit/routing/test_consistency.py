"""Contradictions inside one document are found, all of them, each at its place."""

from __future__ import annotations

import time
from typing import Any

import pytest

from streamer.routing.consistency import consistency_problems
from streamer.routing.documents import EndpointDocument, RoutingDocument
from streamer.routing.problems import location_text
from tests.unit.routing.documents_for_tests import arm, endpoint, routing


def places(**changes: Any) -> list[str]:
    document = RoutingDocument.model_validate(routing(**changes))
    return [location_text(problem.location) for problem in consistency_problems(document)]


def segment(match: dict[str, Any], *arms: dict[str, Any]) -> dict[str, Any]:
    return {"match": match, "serve": list(arms) or [arm("champion")]}


def test_a_sound_routing_has_no_problems() -> None:
    assert places(segments=[segment({"a": 1}), segment({"a": 2}), segment({"a": 1, "b": "x"})]) == []


@pytest.mark.parametrize(
    ("matches", "tied"),
    [
        ([{"a": 1}, {"a": 1}], [1]),
        ([{"a": 1}, {"b": 1}], [1]),
        ([{"a": 1}, {"a": 2}, {"b": 1}], [2]),
        ([{"a": 1, "b": 2}, {"a": 1, "c": 2}], [1]),
        ([{"a": 1, "b": 2}, {"a": 2, "c": 2}], []),
        ([{"a": 1}, {"a": True}], []),
        ([{"a": 1}, {"a": 1, "b": 1}], []),
        ([{"a": "1"}, {"a": 1}], []),
        ([{"a": 1}, {"a": 1}, {"a": 1}], [1, 2]),
    ],
)
def test_segments_that_one_event_could_match_equally_well_are_a_tie(matches: list[Any], tied: list[int]) -> None:
    assert sorted(set(places(segments=[segment(match) for match in matches]))) == [f"segments[{i}].match" for i in tied]


def test_a_thousand_segments_are_checked_quickly() -> None:
    started = time.process_time()
    assert places(segments=[segment({"a": i, "b": -i}) for i in range(1000)]) == []
    assert len(places(segments=[segment({f"f{i}": 1}) for i in range(300)])) > 1000
    assert time.process_time() - started < 20


def test_variant_names_are_unique_within_a_list_and_mean_one_model() -> None:
    assert places(serve=[arm("a"), arm("a")]) == ["serve[1].variant"]
    assert places(serve=[arm("a", 1)], segments=[segment({"x": 1}, arm("a", 2))]) == ["segments[0].serve[0].model"]
    assert places(serve=[arm("a", 1)], segments=[segment({"x": 1}, arm("a", 1))], fallback=arm("a", 1)) == []
    assert places(serve=[arm("a", 1)], fallback=arm("a", 2)) == ["fallback.model"]
    assert places(serve=[arm("a", 1)], shadow=[arm("a", 1)]) == ["shadow[0].variant"]


def test_all_problems_are_found_at_once() -> None:
    found = places(
        serve=[arm("a"), arm("a"), arm("b")],
        segments=[segment({"x": 1}), segment({"y": 1})],
        shadow=[arm("b")],
    )
    assert found == ["serve[1].variant", "shadow[0].variant", "segments[1].match"]


def test_too_many_variants_are_refused() -> None:
    segments = [segment({"x": i}, *(arm(f"v{i}-{j}") for j in range(100))) for i in range(11)]
    assert places(segments=segments) == [""]


def test_the_topics_of_an_endpoint_differ() -> None:
    document = EndpointDocument.model_validate(endpoint(topics={"shadow": "flights.events", "dead_letters": "d"}))
    (problem,) = consistency_problems(document)
    assert location_text(problem.location) == "topics.shadow"
    assert "events.topic" in problem.what
