"""Events to try a routing on: the newest of the endpoint's topic, or made-up keys where there are none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from streamer.avro.decoder import EventDecoder
from streamer.avro.framing import Framing, WriterSchemas
from streamer.avro.registry_schemas import RegistrySchemas
from streamer.avro.schema import Schema, parse_schema
from streamer.avro.schema_registry import SchemaRegistry
from streamer.config import Settings
from streamer.errors import ConfigurationError, TopicProblem
from streamer.kafka.log import LogRecord, LogTail
from streamer.kafka.topics import TopicAdmin
from streamer.records.columns import FeatureBatch
from streamer.routing.bucketing import bucketing_values, column_bytes
from streamer.routing.documents import EndpointDocument

SYNTHETIC_KEYS = 20_000
RECENT_EVENTS = 20_000
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class EventSample:
    """n events.

    Attributes:
        kind: Whether they are real.
        features: The events' fields; no columns if they are made up.
        bucketing: n byte strings that decide the variants.
        event_ids: n ids.
    """

    kind: Literal["recent events", "made-up keys"]
    features: FeatureBatch
    bucketing: list[bytes]
    event_ids: list[bytes]


def synthetic_sample(n: int = SYNTHETIC_KEYS) -> EventSample:
    """Made-up keys ``sample-0``, ``sample-1``, ...: always the same."""
    keys = [b"sample-%d" % number for number in range(n)]
    return EventSample("made-up keys", FeatureBatch(n, {}), keys, keys)


def recent_sample(
    settings: Settings, endpoint: EndpointDocument, *, at_most: int = RECENT_EVENTS, deadline_seconds: float = 10.0
) -> EventSample | None:
    """The newest events of an endpoint that decode; None if its topic is missing or has none.

    Raises:
        KafkaError: The broker does not answer or refuses.
        SchemaRegistryError: A writer schema cannot be had.
    """
    topic = endpoint.events.topic
    assert topic is not None
    try:
        records = _newest(settings, topic, at_most, deadline_seconds)
    except TopicProblem:
        return None
    if not records:
        return None
    with ExitStack() as resources:
        decoder = _decoder(settings, endpoint, resources)
        decoded = decoder.decode([record.value for record in records], [record.headers for record in records])
    batch = decoded.batch
    if not batch.n:
        return None
    ids = [value if value is not None else b"" for value in column_bytes(batch[endpoint.events.id])]
    bucket_by = endpoint.events.bucket_by
    values = ids if bucket_by is None else bucketing_values(batch[bucket_by], ids).values
    return EventSample("recent events", batch, values, ids)


def _newest(settings: Settings, topic: str, at_most: int, deadline_seconds: float) -> list[LogRecord]:
    admin = TopicAdmin(settings.kafka)
    ends, begins = admin.end_offsets(topic), admin.begin_offsets(topic)
    each = max(at_most // max(len(ends), 1), 1)
    start = {partition: max(begins[partition], end - each) for partition, end in ends.items()}
    deadline = time.monotonic() + deadline_seconds
    records: list[LogRecord] = []
    with LogTail(settings.kafka, topic, start=start) as tail:
        while not tail.at_end() and time.monotonic() < deadline:
            records += tail.poll(_POLL_SECONDS)
    return records


def _decoder(settings: Settings, endpoint: EndpointDocument, resources: ExitStack) -> EventDecoder:
    reader = parse_schema(endpoint.events.schema_)
    others = [parse_schema(schema) for schema in endpoint.events.writer_schemas]
    framing = Framing(endpoint.events.framing)
    writers: Sequence[Schema] | WriterSchemas
    if framing is Framing.CONFLUENT:
        if settings.schema_registry.url is None:
            raise ConfigurationError(
                "framing confluent needs a Schema Registry, and none is configured",
                where=f"events.framing of endpoint {endpoint.name}",
                advice="Set STREAMER_SCHEMA_REGISTRY__URL",
            )
        writers = RegistrySchemas(resources.enter_context(SchemaRegistry(settings.schema_registry)))
    elif framing is Framing.BARE:  # the topic has one schema: another writer's, or the reader's own
        writers = others or [reader]
    else:
        writers = [reader, *others]
    return EventDecoder(reader, framing, writers)
