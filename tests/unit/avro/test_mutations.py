"""Damaged payloads: never an exception, and the columnar plan and the strict walker agree about each."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.avro.decoder import EventDecoder
from streamer.avro.explanation import check_payload
from streamer.avro.framing import Framing
from streamer.avro.limits import DEFAULT_LIMITS
from streamer.avro.resolution import resolve
from streamer.avro.schema import parse_schema
from streamer.avro.walker import Malformed
from tests.unit.avro.cases import EVENTS, Case, exact, flat, read, write

GENERATED = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def _refused(schema: Any, payload: bytes) -> str | None:
    root = parse_schema(schema).root
    try:
        check_payload(resolve(root, root), payload, DEFAULT_LIMITS)
    except Malformed as malformed:
        return malformed.reason
    return None


@st.composite
def damaged(draw: st.DrawFn, payload: bytes) -> bytes:
    """The payload with a byte changed, cut out, put in, or cut off from there on."""
    at = draw(st.integers(0, len(payload)))
    byte = draw(st.sampled_from([b"\x00", b"\x01", b"\x02", b"\x7f", b"\x80", b"\xff"]) | st.binary(max_size=12))
    kind = draw(st.sampled_from(["change", "insert", "remove", "cut"]))
    if kind == "cut":
        return payload[:at]
    if kind == "remove":
        return payload[:at] + payload[at + 1 :]
    return payload[:at] + byte + payload[at + (kind == "change") :]


@st.composite
def damaged_batches(draw: st.DrawFn, cases: st.SearchStrategy[Case] = EVENTS) -> tuple[Any, list[bytes]]:
    case = draw(cases)
    payloads = [write(case.schema, value) for value in draw(st.lists(case.values, min_size=1, max_size=5))]
    mixed = st.sampled_from(payloads).flatmap(lambda payload: st.just(payload) | damaged(payload))
    return case.schema, draw(st.lists(mixed | st.binary(max_size=40), max_size=12))


@GENERATED
@given(damaged_batches())
def test_plan_and_walker_agree_and_what_is_accepted_is_what_fastavro_reads(
    batch: tuple[Any, list[bytes]],
) -> None:
    schema, payloads = batch
    parsed = parse_schema(schema)
    decoded = EventDecoder(parsed, Framing.BARE, [parsed]).decode(payloads)
    refused = {row: reason for row, p in enumerate(payloads) if (reason := _refused(schema, p)) is not None}
    assert {failure.row: failure.reason for failure in decoded.failures} == refused
    assert decoded.good.tolist() == [row for row in range(len(payloads)) if row not in refused]
    expected = [flat(schema, read(schema, payloads[row])) for row in decoded.good.tolist()]
    assert exact(decoded.batch.to_rows()) == exact(expected)


@GENERATED
@given(st.data())
def test_a_payload_cut_off_anywhere_is_refused(data: st.DataObject) -> None:
    case = data.draw(EVENTS)
    payload = write(case.schema, data.draw(case.values))
    parsed = parse_schema(case.schema)
    cut = [payload[:size] for size in range(len(payload))]
    decoded = EventDecoder(parsed, Framing.BARE, [parsed]).decode([*cut, payload])
    assert decoded.good.tolist() == [len(cut)]
    assert {failure.reason for failure in decoded.failures} <= {"truncated", "bad_count"}


def test_an_internal_disagreement_would_still_be_a_failure_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = parse_schema({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]})
    monkeypatch.setattr("streamer.avro.plan.check_payload", lambda *_: None)
    decoded = EventDecoder(parsed, Framing.BARE, [parsed]).decode([b"", b"\x02"])
    assert [(failure.row, failure.reason) for failure in decoded.failures] == [(0, "undecodable")]
