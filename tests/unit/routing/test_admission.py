"""Admission is a pure, total fold of the config topic."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.records.columns import ConstantColumn, FeatureBatch
from streamer.routing.admission import Admission, Admitted, Deleted, Refused, Verdict, fold_all
from streamer.routing.document_bytes import MAX_DEPTH, MAX_DOCUMENT_BYTES
from streamer.routing.documents import RoutingDocument
from streamer.routing.router import Router
from tests.unit.routing.documents_for_tests import arm, as_json, endpoint, model_version, routing

E, R = b"endpoint/flights", b"routing/flights"


def fold(admission: Admission, key: bytes | None, value: dict[str, Any] | bytes | None, offset: int = 0) -> Verdict:
    return admission.fold(offset, key, as_json(value) if isinstance(value, dict) else value, 1000 + offset)


def with_endpoint() -> Admission:
    admission = Admission()
    assert isinstance(fold(admission, E, endpoint()), Admitted)
    return admission


def refused(verdict: Verdict, because: str) -> Refused:
    assert isinstance(verdict, Refused), verdict
    assert verdict.because == because, verdict.reason
    return verdict


def test_revisions_count_per_key_and_the_newest_document_is_found() -> None:
    admission = with_endpoint()
    first = fold(admission, R, routing(author="ann"), offset=1)
    assert isinstance(first, Admitted)
    assert (first.revision, first.kind, first.name, first.author, first.reason) == (
        1,
        "routing",
        "flights",
        "ann",
        "because",
    )
    second = fold(admission, R, routing(based_on=1, reason="more"), offset=5)
    assert isinstance(second, Admitted)
    assert (second.revision, second.offset, second.timestamp_ms) == (2, 5, 1005)
    assert admission.routing("flights") == second
    newest = admission.endpoint("flights")
    assert newest is not None
    assert newest.revision == 1
    assert admission.endpoint("other") is None
    assert admission.endpoints() == ["flights"]


@pytest.mark.parametrize("based_on", [None, 0, 1, 3, 99])
def test_a_document_that_is_not_based_on_the_newest_is_refused_and_changes_nothing(based_on: int | None) -> None:
    admission = with_endpoint()
    fold(admission, R, routing())
    fold(admission, R, routing(based_on=1, reason="two"))
    verdict = refused(fold(admission, R, routing(based_on=based_on, reason="three")), "stale")
    assert "newest is 2" in verdict.reason
    assert verdict.based_on == based_on
    newest = admission.routing("flights")
    assert newest is not None
    assert newest.reason == "two"


@pytest.mark.parametrize("based_on", [None, 0])
def test_the_first_document_is_based_on_nothing(based_on: int | None) -> None:
    assert isinstance(fold(Admission(), E, endpoint(based_on=based_on)), Admitted)
    refused(fold(Admission(), E, endpoint(based_on=1)), "stale")


def test_a_routing_without_its_endpoint_is_refused() -> None:
    assert "Apply its endpoint" in refused(fold(Admission(), R, routing()), "no_endpoint").reason


def test_an_unresolved_routing_is_refused_with_the_way_out() -> None:
    document = routing(serve=[{"variant": "a", "model": {"tag": "production"}}], models=[])
    reason = refused(fold(with_endpoint(), R, document), "unresolved").reason
    assert "serve[0].model" in reason
    assert "streamer resolve FILE" in reason


def test_an_unresolved_endpoint_is_refused_with_the_way_out() -> None:
    document = endpoint(output={"topic": "o", "schema": "output.avsc"}, topics={})
    reason = refused(fold(Admission(), E, document), "unresolved").reason
    assert "output.schema" in reason
    assert "topics.shadow" in reason
    assert "streamer resolve FILE" in reason


@pytest.mark.parametrize(
    "changes",
    [
        {"models": []},
        {"models": [model_version(1)]},
        {"models": [model_version(1), model_version(2), model_version(3)]},
        {"models": [model_version(1), model_version(2), model_version(2)]},
        {"serve": [{"variant": "a", "model": {"uuid": model_version(1)["uuid"], "sha256": "f" * 64}}]},
    ],
    ids=["none", "one missing", "one too many", "one twice", "other hash"],
)
def test_the_inlined_models_are_exactly_those_that_the_variants_name(changes: dict[str, Any]) -> None:
    if "models" not in changes:
        changes["models"] = [model_version(1)]
    refused(fold(with_endpoint(), R, routing(**changes)), "unresolved")


def test_a_contradictory_routing_is_refused() -> None:
    document = routing(
        segments=[
            {"match": {"origin": "JFK"}, "serve": [arm("a")]},
            {"match": {"dest": "LAX"}, "serve": [arm("b")]},
        ]
    )
    assert "segments[1].match" in refused(fold(with_endpoint(), R, document), "contradictory").reason


def test_a_tombstone_deletes_and_the_revisions_go_on() -> None:
    admission = with_endpoint()
    fold(admission, R, routing())
    deleted = fold(admission, R, None)
    assert isinstance(deleted, Deleted)
    assert deleted.revision == 2
    assert admission.routing("flights") is None
    refused(fold(admission, R, routing(based_on=1)), "stale")
    again = fold(admission, R, routing(based_on=2))
    assert isinstance(again, Admitted)
    assert again.revision == 3
    refused(fold(admission, b"routing/other", None), "nothing_to_delete")


def test_deleting_an_endpoint_removes_its_routing_for_good() -> None:
    admission = with_endpoint()
    fold(admission, R, routing())
    fold(admission, E, None)
    assert admission.routing("flights") is None
    refused(fold(admission, R, routing(based_on=1)), "no_endpoint")
    assert isinstance(fold(admission, E, endpoint(based_on=2)), Admitted)
    assert admission.routing("flights") is None, "a routing does not come back with a new endpoint of the name"
    refused(fold(admission, R, routing(based_on=1)), "stale")
    back = fold(admission, R, routing(based_on=2))
    assert isinstance(back, Admitted)
    assert back.revision == 3


def test_the_history_holds_every_verdict_of_a_key() -> None:
    admission = with_endpoint()
    verdicts = [fold(admission, R, value, i) for i, value in enumerate([routing(), b"{", routing(based_on=1), None])]
    assert admission.history("routing/flights") == verdicts
    assert [type(verdict).__name__ for verdict in verdicts] == ["Admitted", "Refused", "Admitted", "Deleted"]
    fold(admission, b"junk", b"{}")
    assert admission.history("junk") == []
    with pytest.raises(ValueError, match="no history"):
        Admission(keep_history=False).history("routing/flights")


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"kind: endpoint\nname: flights\n",
    "not UTF-8": b'{"kind": "endpoint", "name": "\xff\xfe"}',
    "byte order mark": b"\xef\xbb\xbf" + as_json(endpoint()),
    "NaN": as_json(endpoint())[:-1] + b',"batch": {"max_records": NaN}}',
    "infinite number": as_json(endpoint())[:-1] + b',"batch": {"max_records": 1e999}}',
    "endless integer": as_json(endpoint())[:-1] + b',"based_on": ' + b"9" * 100_000 + b"}",
    "deep lists": b"[" * 500_000 + b"]" * 500_000,
    "deep objects": b'{"a":' * 900 + b"1" + b"}" * 900,
    "deeper than allowed": as_json(endpoint())[:-1] + b',"x":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}",
    "repeated key": as_json(endpoint())[:-1] + b',"name": "flights"}',
    "repeated nested key": as_json(endpoint())[:-1] + b',"batch": {"max_records": 5, "max_records": 6}}',
    "too large": b'{"kind": "endpoint", "description": "' + b"x" * MAX_DOCUMENT_BYTES + b'"}',
    "lone surrogate": as_json(endpoint())[:-1] + b',"description": "\\ud800"}',
    "array": b"[]",
    "number": b"7",
    "null": b"null",
    "no kind": b"{}",
    "wrong kind": as_json(routing()),
    "kind of another type": b'{"kind": ["endpoint"]}',
    "unknown key": as_json(endpoint(labels={})),
    "unknown key of a megabyte": as_json(endpoint(**{"x" * 1_000_000: 1})),
    "value of a megabyte": as_json(endpoint(delivery="x" * 1_000_000)),
    "another name than the key": as_json(endpoint("other")),
    "name with traversal": as_json({**endpoint(), "name": "../etc/passwd"}),
    "topic with traversal": as_json(endpoint(output={"topic": "../x", "schema": {}})),
    "negative based_on": as_json(endpoint(based_on=-1)),
    "many nodes": b"[" + b"[]," * 1_000_000 + b"[]]",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_refused_with_a_reason(value: bytes) -> None:
    verdict = refused(fold(Admission(), E, value), "malformed")
    assert 5 < len(verdict.reason) < 2000


@pytest.mark.parametrize("weight", [0, -1, "NaN", 1e300, None, [], "Infinity", {}])
def test_weights_that_are_no_share_are_refused(weight: Any) -> None:
    document = routing(serve=[arm("a", weight=weight)])
    assert "serve[0].weight" in refused(fold(with_endpoint(), R, document), "malformed").reason


def test_a_million_arms_are_refused() -> None:
    few = as_json(routing(serve=[arm("a")], models=[model_version(1)]))
    many = few.replace(b'"serve":[', b'"serve":[' + b"{}," * 1_000_000)
    refused(fold(with_endpoint(), R, many), "malformed")
    most = few.replace(b'"serve":[', b'"serve":[' + b"{}," * 90_000)
    assert "no RoutingDocument" in refused(fold(with_endpoint(), R, most), "malformed").reason


@pytest.mark.parametrize(
    "key",
    [None, b"", b"flights", b"endpoint", b"endpoint/", b"Endpoint/flights", b"endpoint/fl ights", b"endpoint/../x",
     b"endpoint/flights\n", b"\xff\xff", b"routing/" + b"x" * 129, b"x" * 1_000_000],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, b"{}", as_json(endpoint())])
def test_a_key_that_is_not_ours_is_refused(key: bytes | None, value: bytes | None) -> None:
    verdict = refused(fold(Admission(), key, value), "key")
    assert verdict.kind is None
    assert len(verdict.key) <= 1000


_DOCUMENTS: list[bytes | None] = [
    None,
    b"",
    b"{",
    as_json(endpoint()),
    *(as_json(endpoint(based_on=n)) for n in (1, 2, 3)),
    as_json(routing()),
    *(as_json(routing(based_on=n)) for n in (0, 1, 2, 3)),
    as_json(routing(serve=[{"variant": "a", "model": {"tag": "x"}}])),
]
_RECORDS = st.lists(
    st.tuples(
        st.sampled_from([E, R, b"routing/other", b"junk", None]) | st.binary(max_size=20),
        st.sampled_from(_DOCUMENTS) | st.binary(max_size=40),
    ),
    max_size=20,
)


def _folded(records: list[tuple[bytes | None, bytes | None]]) -> tuple[Admission, list[Verdict]]:
    admission = Admission()
    return admission, [admission.fold(i, key, value, i) for i, (key, value) in enumerate(records)]


@given(_RECORDS, st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_the_same_prefix_gives_the_same_state_and_pieces_the_same_as_the_whole(
    records: list[tuple[bytes | None, bytes | None]], cut: int
) -> None:
    whole, verdicts = _folded(records)
    prefix, prefix_verdicts = _folded(records[:cut])
    assert prefix_verdicts == verdicts[:cut]
    for i, (key, value) in enumerate(records[cut:], start=min(cut, len(records))):
        assert prefix.fold(i, key, value, i) == verdicts[i]
    at_once = fold_all((i, key, value, i) for i, (key, value) in enumerate(records))
    for key in ("endpoint/flights", "routing/flights", "routing/other"):
        assert prefix.current(key) == whole.current(key) == at_once.current(key)
        assert prefix.revision(key) == whole.revision(key) == at_once.revision(key)
        assert prefix.history(key) == whole.history(key) == at_once.history(key)


@given(_RECORDS)
@settings(max_examples=60, deadline=None)
def test_revisions_rise_by_one_and_refused_records_change_nothing(
    records: list[tuple[bytes | None, bytes | None]],
) -> None:
    _, verdicts = _folded(records)
    kept = [record for record, verdict in zip(records, verdicts, strict=True) if not isinstance(verdict, Refused)]
    without_refused, _ = _folded(kept)
    with_refused, _ = _folded(records)
    for key in ("endpoint/flights", "routing/flights", "routing/other"):
        revisions = [v.revision for v in with_refused.history(key) if not isinstance(v, Refused)]
        assert revisions == list(range(1, len(revisions) + 1))
        one, other = with_refused.current(key), without_refused.current(key)
        assert (one and one.document) == (other and other.document)


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_no_bytes_raise(value: bytes) -> None:
    assert isinstance(fold(Admission(), E, value), Refused)


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, child in children for place in _places(child, (*path, key)))]


_FULL_ROUTING = routing(
    fallback=arm("champion", 1),
    shadow=[arm("may", 2, sample=0.5)],
    segments=[{"match": {"origin": "JFK", "hour": 7}, "serve": [arm("jfk", 1)]}],
    models=[
        model_version(1, golden=[{"event": {"hour": 7}, "output": {"late_probability": 0.5}}]),
        model_version(2),
    ],
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("document", [_FULL_ROUTING, endpoint()], ids=["routing", "endpoint"])
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_value_anywhere_in_a_document_is_judged_and_what_is_admitted_can_be_routed(
    document: dict[str, Any], data: st.DataObject
) -> None:
    changed = copy.deepcopy(document)
    *outer, last = data.draw(st.sampled_from(_places(document)[1:]))
    parent: Any = changed
    for key in outer:
        parent = parent[key]
    parent[last] = data.draw(_JSON)
    admission = with_endpoint() if document["kind"] == "routing" else Admission()
    verdict = fold(admission, R if document["kind"] == "routing" else E, as_json(changed))
    if isinstance(verdict, Admitted) and isinstance(verdict.document, RoutingDocument):
        router = Router(verdict.document)
        columns = {field: ConstantColumn("JFK", 2) for field in router.match_fields}
        routed = router.route(FeatureBatch(2, columns), [b"a", b"b"], [b"1", b"2"])
        assert sum(len(rows) for _, rows in routed.serving) == 2
