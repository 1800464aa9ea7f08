"""The schema of inferences: a fixed envelope around the endpoint's own output record."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from streamer.avro.avro_types import Record
from streamer.avro.schema import parse_schema
from streamer.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLES = ("serving", "shadow", "fallback")
PLACEHOLDER_OUTPUT = {
    "type": "record",
    "name": "Output",
    "doc": "A placeholder: here each endpoint has the output record that its endpoint document names.",
    "fields": [],
}


def envelope_namespace(endpoint: str) -> str:
    """The namespace of an endpoint's inferences: its name with all but letters, digits and _ replaced by _.

    >>> envelope_namespace("late-flights.v2")
    'streamer.late_flights_v2'
    >>> envelope_namespace("2nd")
    'streamer._2nd'
    """
    name = re.sub(r"[^A-Za-z0-9_]", "_", endpoint) or "_"
    return f"streamer._{name}" if name[0].isdigit() else f"streamer.{name}"


def inference_schema(endpoint: str, output_schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an endpoint's inferences.

    Args:
        endpoint: The endpoint's name.
        output_schema: The record that the endpoint answers with, as JSON.

    Raises:
        SchemaError: The output is not a valid record schema, or is named as a part of the envelope.
    """
    if not isinstance(parse_schema(dict(output_schema)).root, Record):
        raise SchemaError("the output schema is not a record", advice="Put the answer into a record's field.")
    micros = {"type": "long", "logicalType": "timestamp-micros"}
    schema = {
        "type": "record",
        "name": "Inference",
        "namespace": envelope_namespace(endpoint),
        "doc": "One answer of one variant to one event.",
        "fields": [
            _field("event_id", "string", "The id of the event that this answers."),
            _field("event_time", micros, "When the event happened, by its own clock."),
            _field("scored_at", micros, "When the model answered."),
            _field("variant", "string", "The arm of the routing that answered."),
            _field(
                "role",
                {
                    "type": "enum",
                    "name": "Role",
                    "symbols": list(ROLES),
                    "doc": "Of all inferences of an event exactly one has the role serving or fallback.",
                },
                "What the answer is for.",
            ),
            _field("bucket", "int", "0 to 9999, from a salted hash of the bucketing value."),
            _field("model_id", {"type": "string", "logicalType": "uuid"}, "The UUID of the model version."),
            _field("model_name", "string", "The name of the model version."),
            _field("model_version", "int", "The number of the model version."),
            _field("routing_revision", "long", "The revision of the routing that chose the variant."),
            _field(
                "learned_through",
                ["null", "long"],
                "The position that an online model had learned through; null for other models.",
                default=None,
            ),
            _field(
                "source",
                {
                    "type": "record",
                    "name": "Source",
                    "doc": "Where the event stands in the events topic.",
                    "fields": [
                        _field("partition", "int", "Its partition."),
                        _field("offset", "long", "Its offset."),
                    ],
                },
                "The event itself.",
            ),
            _field("output", dict(output_schema), "The answer: the endpoint's own record."),
        ],
    }
    parse_schema(schema)  # an output with a type named as one of the envelope's is refused here
    return schema


def _field(name: str, avro_type: Any, doc: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": avro_type, "doc": doc, **more}


def placeholder_schema_json() -> str:
    """The text of `schemas/inference.avsc`: the envelope with a placeholder for the output."""
    return json.dumps(inference_schema("endpoint", PLACEHOLDER_OUTPUT), indent=2) + "\n"
