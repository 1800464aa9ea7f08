"""Documents are checked against the Avro schemas that they speak of, all problems at once."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.errors import DocumentInvalid
from streamer.routing.documents import EndpointDocument, RoutingDocument
from streamer.routing.validation import endpoint_problems, refuse_unfit, routing_problems
from tests.unit.routing.documents_for_tests import EVENT_SCHEMA, OUTPUT_SCHEMA, arm, endpoint, routing


def of_endpoint(**changes: Any) -> list[str]:
    return [str(problem) for problem in endpoint_problems(EndpointDocument.model_validate(endpoint(**changes)))]


def of_events(**changes: Any) -> list[str]:
    return of_endpoint(events={**endpoint()["events"], **changes})


def of_match(match: dict[str, Any]) -> list[str]:
    document = routing(segments=[{"match": match, "serve": [arm("champion")]}])
    return [
        str(problem)
        for problem in routing_problems(
            RoutingDocument.model_validate(document), EndpointDocument.model_validate(endpoint())
        )
    ]


def test_a_sound_endpoint_has_no_problems() -> None:
    assert of_endpoint() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "flight"}, ["events.id", "no field flight", "Did you mean flight_id?"]),
        ({"id": "distance"}, ["events.id", "double", "text"]),
        ({"id": "plane"}, ["plane is a record", "plane.maker"]),
        ({"id": "tags"}, ["array"]),
        ({"time": "hour"}, ["events.time", "int"]),
        ({"time": "origin"}, ["events.time", "string"]),
        ({"bucket_by": "distance"}, ["events.bucket_by", "double"]),
        ({"bucket_by": "is_holiday"}, ["events.bucket_by", "boolean"]),
        ({"bucket_by": "user"}, ["no field user", "There are: flight_id"]),
        ({"schema": {"type": "string"}}, ["events.schema", "not a record"]),
        ({"schema": {"type": "record", "name": "R", "fields": [{"name": "a", "type": "x"}]}}, ["unknown type x"]),
        ({"writer_schemas": [{"type": "nope"}]}, ["events.writer_schemas[0]"]),
        ({"framing": "bare", "writer_schemas": [EVENT_SCHEMA, OUTPUT_SCHEMA]}, ["bare framing admits one"]),
    ],
)  # fmt: skip
def test_each_problem_of_an_endpoint_is_named_with_its_place(changes: dict[str, Any], said: list[str]) -> None:
    (problem,) = of_events(**changes)
    for part in said:
        assert part in problem


@pytest.mark.parametrize("path", ["flight_id", "tail_number", "hour", "departed_at", "carrier", "plane.maker"])
def test_text_integers_times_and_enums_can_be_bucketed_by(path: str) -> None:
    assert of_events(bucket_by=path) == []


def test_all_problems_are_told_at_once() -> None:
    problems = of_endpoint(
        events={**endpoint()["events"], "id": "x", "time": "y", "bucket_by": "z"},
        output={"topic": "flights.events", "schema": {"type": "record", "name": "O", "fields": []}},
    )
    assert [problem.split(":")[0] for problem in problems] == [
        "output.topic", "events.id", "events.time", "events.bucket_by", "output.schema",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "match",
    [{"origin": "JFK"}, {"hour": 7}, {"is_holiday": True}, {"carrier": "AA"}, {"plane.maker": "Boeing", "hour": -1}],
)
def test_segments_that_fit_the_events(match: dict[str, Any]) -> None:
    assert of_match(match) == []


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ({"orign": "JFK"}, ["segments[0].match.orign", "Did you mean origin?"]),
        ({"origin": 7}, ["is text", '"7"']),
        ({"origin": True}, ["is text"]),
        ({"hour": "7"}, ["is int"]),
        ({"hour": True}, ["is int"]),
        ({"hour": 2**31}, ["out of range"]),
        ({"is_holiday": 1}, ["true or false"]),
        ({"carrier": "UAL"}, ["none of the enum's symbols", "Did you mean UA?"]),
        ({"distance": 7}, ["double", "Segments match on"]),
        ({"tags": "x"}, ["array"]),
        ({"plane": "x"}, ["plane.maker"]),
    ],
)
def test_each_problem_of_a_segment_is_named_with_its_place(match: dict[str, Any], said: list[str]) -> None:
    (problem,) = of_match(match)
    assert "segments[0].match" in problem
    for part in said:
        assert part in problem


def test_writer_schemas_that_the_fingerprint_cannot_tell_apart_are_refused() -> None:
    fields = [
        {**field, "type": {"type": "long", "logicalType": "timestamp-micros"}}
        if field["name"] == "departed_at"
        else field
        for field in EVENT_SCHEMA["fields"]
    ]
    (problem,) = of_events(writer_schemas=[{**EVENT_SCHEMA, "fields": fields}])
    assert problem.startswith("events.writer_schemas: ")


def test_a_writer_schema_that_cannot_be_read_as_the_events_is_refused() -> None:
    fields = [field for field in EVENT_SCHEMA["fields"] if field["name"] != "origin"]
    (problem,) = of_events(writer_schemas=[{**EVENT_SCHEMA, "fields": fields}])
    assert "origin" in problem


def test_a_worker_refuses_what_cannot_work_with_all_reasons() -> None:
    sound = EndpointDocument.model_validate(endpoint())
    segments = [{"match": {"orign": "JFK"}, "serve": [arm("champion")]}]
    refuse_unfit(sound, RoutingDocument.model_validate(routing()))
    with pytest.raises(DocumentInvalid, match=r"routing/flights: segments\[0\]\.match\.orign"):
        refuse_unfit(sound, RoutingDocument.model_validate(routing(segments=segments)))
    unsound = EndpointDocument.model_validate(endpoint(events={**endpoint()["events"], "id": "x", "time": "y"}))
    with pytest.raises(DocumentInvalid, match=r"events\.id.*events\.time"):
        refuse_unfit(unsound, RoutingDocument.model_validate(routing()))


def test_a_bare_topic_may_have_one_other_writer() -> None:
    assert of_events(framing="bare") == []
    assert of_events(framing="bare", writer_schemas=[EVENT_SCHEMA]) == []
    assert of_events(framing="confluent") == []


def test_an_output_schema_that_cannot_stand_in_an_inference_is_refused() -> None:
    (problem,) = of_endpoint(output={"topic": "o", "schema": {"type": "record", "name": "O", "fields": []}})
    assert problem == "output.schema: has no fields. List what a model of this endpoint answers"
