"""Differences in the words of the document; shares and moved users by routing real or made-up keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamer.control.diff import diff, same_content
from streamer.control.event_sample import EventSample, synthetic_sample
from streamer.control.routing_preview import preview_routing
from streamer.records.columns import FeatureBatch, TextColumn
from streamer.routing.documents import EndpointDocument, RoutingDocument
from tests.unit.routing.documents_for_tests import EVENT_SCHEMA, arm, endpoint, routing


def document(**changes: Any) -> RoutingDocument:
    return RoutingDocument.model_validate(routing(**changes))


def serve(champion: float, canary: float) -> list[dict[str, Any]]:
    return [arm("champion", 1, weight=champion), arm("canary", 2, weight=canary)]


def differences(before: RoutingDocument | None, after: RoutingDocument | None) -> list[str]:
    return [str(change) for change in diff(before, after)]


def test_weights_models_and_segments_are_told_by_name() -> None:
    before = document(serve=serve(95, 5), segments=[{"match": {"origin": "JFK"}, "serve": [arm("jfk", 3)]}])
    after = document(serve=[arm("canary", 4, weight=10), arm("champion", 1, weight=95)], shadow=[arm("may", 3)])
    told = differences(before, after)
    assert "~ serve.canary.weight: 5.0 -> 10.0" in told
    assert any(line.startswith("~ serve.canary.model: lateness version 2") and "version 4" in line for line in told)
    assert any(line.startswith("+ shadow.may.model: lateness version 3") for line in told)
    assert any(line.startswith("- segments[origin='JFK'].jfk.model") for line in told)
    assert not any("champion" in line for line in told)


def test_who_why_and_when_are_not_content() -> None:
    before, after = document(reason="a", author="x", based_on=1), document(reason="b", author="y", based_on=2)
    assert same_content(before, after)
    assert differences(before, after) == []
    assert not same_content(before, document(salt="other"))


def test_the_order_of_arms_is_no_difference_to_people_and_one_to_nobody() -> None:
    assert differences(document(serve=serve(95, 5)), document(serve=serve(95, 5)[::-1])) == []


def test_fields_of_a_schema_are_told_by_name() -> None:
    fields = [field for field in EVENT_SCHEMA["fields"] if field["name"] != "hour"] + [{"name": "wind", "type": "int"}]
    changed = {**endpoint()["events"], "schema": {**EVENT_SCHEMA, "fields": fields}}
    before = EndpointDocument.model_validate(endpoint())
    after = EndpointDocument.model_validate(endpoint(events=changed))
    told = [str(change) for change in diff(before, after)]
    assert "- events.schema.fields.hour.type: int" in told
    assert "+ events.schema.fields.wind.type: int" in told


def test_no_document_is_nothing() -> None:
    told = differences(None, document(serve=serve(1, 1)))
    assert all(line.startswith("+ ") for line in told)
    assert differences(document(), None)[0].startswith("- ")


def test_made_up_keys_show_shares_and_movers_of_a_growing_canary() -> None:
    before, after = document(serve=serve(95, 5)), document(serve=serve(90, 10))
    preview = preview_routing(before, after, synthetic_sample())
    assert (preview.sample, preview.events, preview.users) == ("made-up keys", 20_000, 20_000)
    assert preview.overall is not None
    shares = {share.variant: (share.before, share.after) for share in preview.overall.shares}
    assert shares["canary"] == pytest.approx((0.05, 0.10), abs=0.01)
    assert shares["champion"] == pytest.approx((0.95, 0.90), abs=0.01)
    assert preview.moved_users is not None
    assert preview.moved_users / preview.users == pytest.approx(0.05, abs=0.01)
    assert preview.overall.moved == pytest.approx(preview.moved_users / preview.users)


def test_a_first_routing_moves_nobody() -> None:
    preview = preview_routing(None, document(serve=serve(1, 1)), synthetic_sample(100))
    assert preview.moved_users is None
    assert preview.overall is not None
    assert [share.before for share in preview.overall.shares] == [None, None]


def test_with_made_up_keys_each_segment_is_tried_with_all_of_them() -> None:
    segments = [{"match": {"origin": "JFK"}, "serve": [arm("jfk", 3)]}]
    preview = preview_routing(document(serve=serve(95, 5)), document(segments=segments), synthetic_sample(1_000))
    assert preview.overall is None
    base, jfk = preview.parts
    assert (base.match, base.events, base.moved) == ({}, 1_000, 0.0)
    assert (jfk.match, jfk.events, jfk.moved) == ({"origin": "JFK"}, 1_000, 1.0)
    assert [(share.variant, share.after) for share in jfk.shares if share.after] == [("jfk", 1.0)]


def test_recent_events_show_what_each_segment_really_gets() -> None:
    n = 4_000
    users = [b"user-%d" % (i % 500) for i in range(n)]
    origins = ["JFK" if i % 500 < 100 else "EWR" for i in range(n)]
    batch = FeatureBatch(n, {"origin": TextColumn.from_strings(origins)})
    sample = EventSample("recent events", batch, users, [b"%d" % i for i in range(n)])
    segments = [{"match": {"origin": "JFK"}, "serve": [arm("jfk", 3)]}]
    preview = preview_routing(document(serve=serve(1, 1)), document(serve=serve(1, 1), segments=segments), sample)
    assert (preview.events, preview.users, preview.moved_users) == (n, 500, 100)
    assert [(part.match, part.events, part.moved) for part in preview.parts] == [
        ({}, 3_200, 0.0),
        ({"origin": "JFK"}, 800, 1.0),
    ]
    assert preview.overall is not None
    assert np.isclose(sum(share.after for share in preview.overall.shares), 1)
    assert {share.variant: share.after for share in preview.overall.shares}["jfk"] == 0.2


def test_a_user_with_events_in_several_segments_moves_once() -> None:
    batch = FeatureBatch(2, {"origin": TextColumn.from_strings(["JFK", "EWR"])})
    sample = EventSample("recent events", batch, [b"u", b"u"], [b"1", b"2"])
    segments = [{"match": {"origin": "JFK"}, "serve": [arm("jfk", 3)]}]
    before = document(serve=[arm("a")])
    assert preview_routing(before, document(serve=[arm("b")], segments=segments), sample).moved_users == 1
