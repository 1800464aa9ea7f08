"""The schema of inferences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fastavro
import pytest

from streamer.avro.encoder import RecordEncoder
from streamer.avro.envelope import envelope_namespace, inference_schema, placeholder_schema_json
from streamer.avro.schema import parse_schema
from streamer.errors import SchemaError
from streamer.records.columns import ConstantColumn

OUTPUT = {"type": "record", "name": "Lateness", "fields": [{"name": "p", "type": "double"}]}


def test_the_published_schema_is_the_generated_one() -> None:
    published = Path(__file__).parents[3] / "schemas" / "inference.avsc"
    assert published.read_text() == placeholder_schema_json()


def test_the_envelope_has_the_fields_that_explain_an_inference() -> None:
    schema = inference_schema("flights", OUTPUT)
    fastavro.parse_schema(schema)
    assert list(RecordEncoder(parse_schema(schema)).leaves) == [
        "event_id",
        "event_time",
        "scored_at",
        "variant",
        "role",
        "bucket",
        "model_id",
        "model_name",
        "model_version",
        "routing_revision",
        "learned_through",
        "source.partition",
        "source.offset",
        "output.p",
    ]
    assert parse_schema(schema).name == "streamer.flights.Inference"
    assert all(field["doc"] for field in schema["fields"])


@pytest.mark.parametrize(
    ("endpoint", "namespace"),
    [("flights", "streamer.flights"), ("a-b.c", "streamer.a_b_c"), ("9x", "streamer._9x"), ("é", "streamer._")],
)
def test_any_endpoint_name_makes_a_namespace(endpoint: str, namespace: str) -> None:
    assert envelope_namespace(endpoint) == namespace
    assert parse_schema(inference_schema(endpoint, OUTPUT)).name == f"{namespace}.Inference"


@pytest.mark.parametrize(
    "output",
    [{"type": "enum", "name": "E", "symbols": ["A"]}, {**OUTPUT, "name": "Role"}, {**OUTPUT, "name": "Inference"}],
)
def test_an_output_that_is_no_record_or_takes_a_name_of_the_envelope_is_refused(output: Any) -> None:
    with pytest.raises(SchemaError):
        inference_schema("flights", output)


def test_a_foreign_reader_reads_an_encoded_inference() -> None:
    import io

    schema = inference_schema("flights", OUTPUT)
    values: dict[str, Any] = {
        "event_id": "e",
        "event_time": 1,
        "scored_at": 2,
        "variant": "champion",
        "role": "serving",
        "bucket": 9999,
        "model_id": "6f1c3b1e-0000-4000-8000-000000000000",
        "model_name": "lateness",
        "model_version": 3,
        "routing_revision": 41,
        "learned_through": None,
        "source.partition": 2,
        "source.offset": 10**12,
        "output.p": 0.5,
    }
    columns = {name: ConstantColumn(value, 1) for name, value in values.items()}
    payload = RecordEncoder(parse_schema(schema)).encode(columns, 1)[0]
    record = fastavro.schemaless_reader(io.BytesIO(payload), fastavro.parse_schema(schema))
    assert record["source"] == {"partition": 2, "offset": 10**12}
    assert (record["role"], record["bucket"], record["output"]) == ("serving", 9999, {"p": 0.5})
