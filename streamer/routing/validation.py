"""Whether a document fits the Avro schemas that it speaks of; needs nothing but the documents.

`apply` asks before it publishes, so that people hear of every problem at once; a worker asks before it takes over a
document that came another way.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from streamer.avro.avro_types import AvroType, Enum, Fixed, Primitive, Record, describe
from streamer.avro.decoder import EventDecoder
from streamer.avro.envelope import inference_schema
from streamer.avro.framing import Framing
from streamer.avro.leaves import Leaf, leaves_of
from streamer.avro.schema import Schema, parse_schema
from streamer.errors import DocumentInvalid, SchemaError
from streamer.routing.consistency import consistency_problems
from streamer.routing.documents import EndpointDocument, FramingName, MatchValue, RoutingDocument
from streamer.routing.problems import Location, Problem, in_one_line

_INTEGER_RANGES = {"int": range(-(2**31), 2**31), "long": range(-(2**63), 2**63)}
_TIMES = ("timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros", None)


def endpoint_problems(endpoint: EndpointDocument) -> list[Problem]:
    """What is wrong with an endpoint: its schemas, and the fields that it names.

    A schema that is still the name of a file is not looked at.
    """
    problems = consistency_problems(endpoint)
    events = _schema(endpoint.events.schema_, ("events", "schema"), problems)
    output = _schema(endpoint.output.schema_, ("output", "schema"), problems)
    for index, source in enumerate(endpoint.events.writer_schemas):
        _schema(source, ("events", "writer_schemas", index), problems)
    if endpoint.events.framing is FramingName.bare and len(endpoint.events.writer_schemas) > 1:
        advice = "A bare payload does not say which schema wrote it: use single_object or confluent framing"
        problems.append(Problem(("events", "writer_schemas"), "bare framing admits one writer schema", advice))
    if events is not None:
        problems += _event_field_problems(endpoint, events)
    if output is not None and not output.fields:
        problems.append(Problem(("output", "schema"), "has no fields", "List what a model of this endpoint answers"))
    if not problems:
        problems += _fit_together(endpoint)
    return problems


def _fit_together(endpoint: EndpointDocument) -> Iterator[Problem]:
    """Schemas that are sound each by itself and cannot be used together."""
    sources = (endpoint.events.schema_, *endpoint.events.writer_schemas)
    framing = Framing(endpoint.events.framing)
    if framing is not Framing.CONFLUENT and not any(isinstance(source, str) for source in sources):
        reader, *others = [parse_schema(source) for source in sources]
        writers = (others or [reader]) if framing is Framing.BARE else [reader, *others]
        try:
            EventDecoder(reader, framing, writers)
        except SchemaError as error:
            yield _schema_problem(("events", "writer_schemas"), error)
    if isinstance(endpoint.output.schema_, dict):
        try:
            parse_schema(inference_schema(endpoint.name, endpoint.output.schema_))
        except SchemaError as error:
            yield _schema_problem(("output", "schema"), error)


def routing_problems(routing: RoutingDocument, endpoint: EndpointDocument) -> list[Problem]:
    """What is wrong with a routing for this endpoint, but for its models.

    Args:
        routing: Authored or resolved.
        endpoint: With its event schema spelt out.
    """
    problems = consistency_problems(routing)
    events = _schema(endpoint.events.schema_, (), [])
    if events is None:
        return problems
    leaves = _leaves_by_path(events)
    for index, segment in enumerate(routing.segments):
        for path, value in segment.match.items():
            location = ("segments", index, "match", path)
            leaf = _find(path, leaves, events, location, problems)
            if leaf is not None:
                problems += _match_problems(leaf, value, location)
    return problems


def refuse_unfit(endpoint: EndpointDocument, routing: RoutingDocument) -> None:
    """For a worker: documents that nobody validated may be on the log.

    Raises:
        DocumentInvalid: The endpoint or the routing cannot work; says everything that is wrong.
    """
    for key, problems in (
        (f"endpoint/{endpoint.name}", endpoint_problems(endpoint)),
        (f"routing/{routing.endpoint}", routing_problems(routing, endpoint)),
    ):
        if problems:
            raise DocumentInvalid(in_one_line(problems), where=key, advice="Apply a corrected document")


def bucketable(avro_type: AvroType) -> bool:
    """Whether values of this type have exact bytes to hash: text, enums, bytes, fixed, integers and times."""
    match avro_type:
        case Enum():
            return True
        case Fixed(logical=logical):
            return logical != "decimal"
        case Primitive(name=name, logical=logical):
            return name in ("string", "bytes", "int", "long") and logical != "decimal"
    return False


def identifying(avro_type: AvroType) -> bool:
    """Whether values of this type can be an event's id: text and integers."""
    return isinstance(avro_type, Enum) or (
        isinstance(avro_type, Primitive) and avro_type.name in ("string", "int", "long")
    )


def timing(avro_type: AvroType) -> bool:
    """Whether values of this type are an event time: timestamps in milli- or microseconds, longs in milliseconds."""
    return isinstance(avro_type, Primitive) and avro_type.name == "long" and avro_type.logical in _TIMES


def _event_field_problems(endpoint: EndpointDocument, events: Record) -> list[Problem]:
    wanted: list[tuple[str, str | None, Callable[[AvroType], bool], str]] = [
        ("id", endpoint.events.id, identifying, "text, a uuid or an integer"),
        ("time", endpoint.events.time, timing, "timestamp-millis, timestamp-micros or a long in epoch milliseconds"),
        ("bucket_by", endpoint.events.bucket_by, bucketable, "text, an enum, bytes or an integer"),
    ]
    leaves = _leaves_by_path(events)
    problems: list[Problem] = []
    for key, path, fits, wanted_type in wanted:
        if path is None:
            continue
        leaf = _find(path, leaves, events, ("events", key), problems)
        if leaf is not None and not fits(leaf.type):
            what = f"field {path} is {describe(leaf.type)}; `{key}` needs {wanted_type}"
            problems.append(Problem(("events", key), what, "Name another field"))
    return problems


def _match_problems(leaf: Leaf, value: MatchValue, location: Location) -> Iterator[Problem]:
    match leaf.type:
        case Enum(symbols=symbols):
            if value not in symbols:
                yield Problem(location, f"{value!r} is none of the enum's symbols", _nearest(str(value), symbols))
        case Primitive(name="string"):
            if not isinstance(value, str):
                yield Problem(location, f"field {leaf.path} is text, {value!r} is not", f'Write "{value}" in quotes')
        case Primitive(name="boolean"):
            if not isinstance(value, bool):
                yield Problem(location, f"field {leaf.path} is a boolean, {value!r} is not", "Write true or false")
        case Primitive(name="int" | "long" as name):
            if isinstance(value, bool) or not isinstance(value, int):
                yield Problem(location, f"field {leaf.path} is {name}, {value!r} is not", "Write a whole number")
            elif value not in _INTEGER_RANGES[name]:
                yield Problem(location, f"{value} is out of range for {name}")
        case other:
            advice = "Segments match on text, enums, integers and booleans"
            yield Problem(location, f"field {leaf.path} is {describe(other)}", advice)


def _find(
    path: str, leaves: dict[str, Leaf], record: Record, location: Location, problems: list[Problem]
) -> Leaf | None:
    leaf = leaves.get(path)
    if leaf is None:
        inner = sorted(name for name in leaves if name.startswith(f"{path}."))
        if inner:
            problems.append(Problem(location, f"{path} is a record", f"Name one of its fields: {', '.join(inner)}"))
        else:
            advice = _nearest(path, list(leaves))
            problems.append(Problem(location, f"the event schema {record.name} has no field {path}", advice))
    return leaf


def _leaves_by_path(record: Record) -> dict[str, Leaf]:
    return {leaf.path: leaf for leaf in leaves_of(record)}


def _schema(source: str | dict[str, Any], location: Location, problems: list[Problem]) -> Record | None:
    """The record, or None with a problem noted (or with none: the name of a file that is read later)."""
    if isinstance(source, str):
        return None
    try:
        schema: Schema = parse_schema(source)
    except SchemaError as error:
        problems.append(_schema_problem(location, error))
        return None
    if not isinstance(schema.root, Record):
        problems.append(Problem(location, f"is {schema.name}, not a record", "Wrap it in a record with one field"))
        return None
    return schema.root


def _schema_problem(location: Location, error: SchemaError) -> Problem:
    at = f" at {error.where}" if error.where else ""
    return Problem(location, f"{error.what}{at}", (error.advice or "").removesuffix("."))


def _nearest(wanted: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]}?"
    listed = ", ".join(known[:20])
    return f"There are: {listed}{', ...' if len(known) > 20 else ''}"
