"""Against fastavro as the oracle: ours decodes its bytes, it decodes ours."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.avro.decoder import EventDecoder
from streamer.avro.encoder import RecordEncoder
from streamer.avro.framing import Framing
from streamer.avro.schema import parse_schema
from tests.unit.avro.cases import COLUMNAR_EVENTS, EVENTS, Case, exact, flat, read, write

GENERATED = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def events(draw: st.DrawFn, cases: st.SearchStrategy[Case]) -> tuple[Any, list[Any]]:
    case = draw(cases)
    return case.schema, draw(st.lists(case.values, max_size=12))


def decoder(schema: Any) -> EventDecoder:
    parsed = parse_schema(schema)
    return EventDecoder(parsed, Framing.BARE, [parsed])


@GENERATED
@given(events(EVENTS))
def test_decoding_what_fastavro_wrote_gives_its_values(event: tuple[Any, list[Any]]) -> None:
    schema, values = event
    payloads = [write(schema, value) for value in values]
    decoded = decoder(schema).decode(payloads)
    assert decoded.failures == []
    expected = [flat(schema, read(schema, payload)) for payload in payloads]
    assert exact(decoded.batch.to_rows()) == exact(expected)


@GENERATED
@given(events(EVENTS))
def test_fastavro_reads_what_is_encoded_from_decoded_columns(event: tuple[Any, list[Any]]) -> None:
    schema, values = event
    decoded = decoder(schema).decode([write(schema, value) for value in values])
    encoded = RecordEncoder(parse_schema(schema)).encode(decoded.batch.columns, len(values), b"prefix")
    assert all(payload.startswith(b"prefix") for payload in encoded)
    again = [flat(schema, read(schema, payload[6:])) for payload in encoded]
    assert exact(again) == exact(decoded.batch.to_rows())


@GENERATED
@given(events(COLUMNAR_EVENTS))
def test_rows_given_as_dicts_are_encoded_as_fastavro_would(event: tuple[Any, list[Any]]) -> None:
    schema, values = event
    encoded = RecordEncoder(parse_schema(schema)).encode_rows(values)
    expected = [flat(schema, read(schema, write(schema, value))) for value in values]
    assert exact([flat(schema, read(schema, payload)) for payload in encoded]) == exact(expected)


@GENERATED
@given(events(EVENTS), st.data())
def test_a_row_is_decoded_alike_whatever_stands_beside_it(event: tuple[Any, list[Any]], data: st.DataObject) -> None:
    schema, values = event
    payloads = [write(schema, value) for value in values]
    rows = data.draw(st.lists(st.sampled_from(range(len(payloads))), max_size=30) if payloads else st.just([]))
    together = decoder(schema).decode([payloads[row] for row in rows]).batch.to_rows()
    alone = [decoder(schema).decode([payloads[row]]).batch.row(0) for row in rows]
    assert exact(together) == exact(alone)
