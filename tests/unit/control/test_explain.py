"""An explanation agrees with the router and can be followed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.control.explain import explain_with
from streamer.errors import DocumentInvalid
from streamer.records.columns import FeatureBatch
from streamer.routing.admission import Admitted, AnyDocument
from streamer.routing.documents import EndpointDocument, RoutingDocument
from streamer.routing.router import Router
from tests.unit.routing.documents_for_tests import arm, endpoint, routing


def admitted(**changes: Any) -> Admitted[AnyDocument]:
    document = RoutingDocument.model_validate(routing(**changes))
    return Admitted(0, 0, "routing/flights", "routing", "flights", 7, document)


def test_it_agrees_with_the_router_for_every_key() -> None:
    found = admitted(salt="late-1", serve=[arm("a", 1, weight=3), arm("b", 2, weight=2), arm("c", 3, weight=1)])
    assert isinstance(found.document, RoutingDocument)
    router = Router(found.document)
    keys = [f"user-{number}" for number in range(300)]
    values = [key.encode() for key in keys]
    routed = router.route(FeatureBatch(300, {}), values, values)
    for row, key in enumerate(keys):
        explanation = explain_with(found, key)
        assert explanation.variant == router.arms[routed.arm[row]].variant
        assert explanation.bucket == routed.bucket[row]


def test_it_says_hash_bucket_ranking_and_winner_in_words() -> None:
    explanation = explain_with(admitted(salt="late-1"), "N14228")
    assert explanation.hash_hex == "1a0074e0030a4ad7"
    assert explanation.bucket == 8823
    assert [one.variant for one in explanation.decided.ranking] == ["champion", "canary"]
    assert [one.share for one in explanation.decided.ranking] == [0.95, 0.05]
    text = " ".join(explanation.why)
    for part in ("Revision 7", "'late-1'", "1a0074e0030a4ad7", "bucket 8823", "canary", "lateness version 1 answers"):
        assert part in text


SEGMENTS = [
    {"match": {"origin": "JFK"}, "serve": [arm("jfk", 3)]},
    {"match": {"origin": "JFK", "hour": 7}, "serve": [arm("jfk-early", 4)]},
]


def test_without_the_event_it_says_what_each_segment_would_change() -> None:
    explanation = explain_with(admitted(segments=SEGMENTS), "u")
    assert explanation.decided.match is None
    assert [other.variant for other in explanation.others] == ["jfk", "jfk-early"]
    assert "An event with origin = 'JFK', hour = 7 would get jfk-early." in explanation.why


@pytest.mark.parametrize(
    ("event", "variant"),
    [({"origin": "JFK"}, "jfk"), ({"origin": "JFK", "hour": 7}, "jfk-early"), ({"origin": "JFK", "hour": 8}, "jfk")],
)
def test_with_the_event_its_segment_decides(event: dict[str, Any], variant: str) -> None:
    explanation = explain_with(admitted(segments=SEGMENTS), "u", event)
    assert explanation.variant == variant
    assert explanation.others == ()
    assert "falls into the segment" in " ".join(explanation.why)


@pytest.mark.parametrize("event", [{}, {"origin": "EWR"}, {"hour": 7}, {"other": 1}])
def test_an_event_in_no_segment_gets_the_base(event: dict[str, Any]) -> None:
    explanation = explain_with(admitted(segments=SEGMENTS), "u", event)
    assert explanation.decided.match is None
    assert "none of the segments" in " ".join(explanation.why)


def test_an_endpoint_cannot_be_explained() -> None:
    document = EndpointDocument.model_validate(endpoint())
    with pytest.raises(DocumentInvalid):
        explain_with(Admitted(0, 0, "endpoint/flights", "endpoint", "flights", 1, document), "u")
