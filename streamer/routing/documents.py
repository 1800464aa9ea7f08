"""The documents of the config topic: endpoints and routings, as people write them and as the log holds them.

People write *authored* documents: model selectors, names of schema files. The log holds *resolved* ones: UUIDs with
sha256 and the whole model version, schemas inlined, every topic named. A resolved document needs nothing but itself,
so a moved tag or an edited file changes nothing until somebody applies again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from streamer.records.model_version import Frozen, ModelVersion, Name, Sha256

TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}$")]
FieldPath = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Schema = str | dict[str, Any]
"""An Avro schema: the name of an .avsc file (authored only) or the schema itself."""
MatchValue = str | int | bool
BasedOn = Annotated[int, Field(ge=0)]

MAX_VARIANTS = 100
MAX_SEGMENTS = 1000
MAX_ARMS = 1000
"""Of all lists of one routing together, counting a variant once per role."""


class FramingName(StrEnum):
    """How a payload names its writer schema."""

    bare = "bare"
    single_object = "single_object"
    confluent = "confluent"


class Delivery(StrEnum):
    """What a worker promises about its inferences."""

    exactly_once = "exactly_once"
    at_least_once = "at_least_once"


class Role(StrEnum):
    """What an inference is for."""

    serving = "serving"
    shadow = "shadow"
    fallback = "fallback"


class Events(Frozen):
    """The endpoint's input.

    Attributes:
        topic: The topic that applications write to; by default ``<prefix><endpoint>.events``.
        schema_: What events are read as: the name of an .avsc file beside the document, or the schema itself.
        id: Field that identifies an event; text, uuid or integer.
        time: Field of the event time: timestamp-millis or -micros, or a long in epoch milliseconds. None: the
            record's Kafka timestamp.
        bucket_by: Field whose value decides the variant, so that a user stays with it. None: the event id.
        writer_schemas: Further schemas that producers may have written with (single_object framing).
        partitions: Of the topic, when it is created.
    """

    topic: TopicName | None = None
    schema_: Annotated[Schema, Field(alias="schema")]
    framing: FramingName = FramingName.single_object
    id: FieldPath
    time: FieldPath | None = None
    bucket_by: FieldPath | None = None
    writer_schemas: Annotated[tuple[Schema, ...], Field(max_length=100)] = ()
    partitions: Annotated[int, Field(ge=1, le=10_000)] | None = None


class Output(Frozen):
    """The endpoint's answers: the record that stands in the field ``output`` of each inference.

    Attributes:
        topic: The inferences' topic; by default ``<prefix><endpoint>.inferences``.
        schema_: The output record: the name of an .avsc file beside the document, or the schema itself.
    """

    topic: TopicName | None = None
    schema_: Annotated[Schema, Field(alias="schema")]
    framing: FramingName = FramingName.single_object


class BatchLimits(Frozen):
    """When a batch is full.

    Attributes:
        max_records: It has so many records.
        max_wait_ms: So much time has passed since its first record, in milliseconds.
    """

    max_records: Annotated[int, Field(ge=1, le=100_000)] = 8192
    max_wait_ms: Annotated[int, Field(ge=0, le=10_000)] = 20


class Topics(Frozen):
    """Names of the endpoint's other topics; the default is ``<prefix><endpoint>.<what>``.

    Attributes:
        shadow: What shadow variants answer.
        dead_letters: Records that could not be answered.
        replication: Replicas of topics that are created; by default the cluster's number.
        retention_hours: How long topics that are created keep their records; by default the cluster's time.
    """

    shadow: TopicName | None = None
    dead_letters: TopicName | None = None
    replication: Annotated[int, Field(ge=1, le=100)] | None = None
    retention_hours: Annotated[float, Field(gt=0)] | None = None


class EndpointDocument(Frozen):
    """One prediction service. The same type authored and resolved: resolved, every schema and topic is spelt out.

    Attributes:
        kind: What the document is.
        name: The endpoint's name, used in topic names and metrics.
        description: What it is for, for people.
        reason: Why it was changed, for the history.
        author: Who changed it; filled in by ``apply``.
        based_on: The revision that the change was made to; filled in by ``apply``. A stale one is not admitted.
        events: What it reads.
        output: What it answers.
        batch: How many events are answered together.
        topics: Its other topics.
    """

    kind: Literal["endpoint"] = "endpoint"
    name: Name
    description: str = ""
    reason: str = ""
    author: str = ""
    based_on: BasedOn | None = None
    events: Events
    output: Output
    delivery: Delivery = Delivery.exactly_once
    batch: BatchLimits = BatchLimits()
    topics: Topics = Topics()


class ModelSelector(Frozen):
    """Which model version: exactly one of ``uuid``, ``tag``, or ``name`` with ``version``.

    Attributes:
        uuid: Its identity.
        tag: A tag, which means the version that was tagged with it last, at the time of ``apply``.
        name: The model's name.
        version: The number of its version.
    """

    uuid: UUID | None = None
    tag: Name | None = None
    name: Name | None = None
    version: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _exactly_one_way(self) -> Self:
        ways = [
            self.uuid is not None,
            self.tag is not None,
            self.name is not None or self.version is not None,
        ]
        if sum(ways) != 1 or (self.name is None) != (self.version is None):
            raise ValueError("name a model by exactly one of: uuid; tag; name together with version")
        return self


class ResolvedModel(Frozen):
    """Which model version, beyond doubt.

    Attributes:
        uuid: Its identity.
        sha256: Of its artifact.
    """

    uuid: UUID
    sha256: Sha256


def _is_resolved(model: Any) -> str:
    if isinstance(model, ResolvedModel) or (isinstance(model, dict) and "sha256" in model):
        return "resolved"
    return "selector"


ModelReference = Annotated[
    Annotated[ModelSelector, Tag("selector")] | Annotated[ResolvedModel, Tag("resolved")],
    Discriminator(_is_resolved),
]


class Variant(Frozen):
    """One arm of a routing.

    Attributes:
        variant: Its name: in every inference that it answers, and in metrics.
        model: Which model version answers: a selector as people write it, a UUID with sha256 when resolved.
    """

    variant: Name
    model: ModelReference


class ServingVariant(Variant):
    """An arm that takes its share of the events.

    Attributes:
        weight: Its share, relative to the weights of the other arms of the same list.
    """

    weight: Annotated[float, Field(gt=0, le=1e9)] = 1.0


class ShadowVariant(Variant):
    """An arm that answers beside the serving one, for comparison only.

    Attributes:
        sample: The share of the events that it answers, chosen by the event.
    """

    sample: Annotated[float, Field(gt=0, le=1)] = 1.0


class Segment(Frozen):
    """Events that match all of these fields are served by these arms instead of the routing's own.

    Attributes:
        match: Field path to the value that it must have. Of several segments the one with the most fields wins.
        serve: The arms.
    """

    match: Annotated[dict[FieldPath, MatchValue], Field(min_length=1, max_length=16)]
    serve: Annotated[tuple[ServingVariant, ...], Field(min_length=1, max_length=MAX_VARIANTS)]


class RoutingDocument(Frozen):
    """Which model versions serve an endpoint.

    Attributes:
        kind: What the document is.
        endpoint: The endpoint that it is for.
        reason: Why it was changed: the history's text.
        author: Who changed it; filled in by ``apply``.
        based_on: The revision that the change was made to; filled in by ``apply``. A stale one is not admitted.
        salt: Goes into the hash that deals users to variants. Another salt deals all of them anew.
        serve: The arms that answer, of which each user gets one.
        fallback: The arm that answers where a model raises or answers nonsense; without one such events become dead
            letters.
        shadow: Arms that answer beside the others, to their own topic.
        segments: Other arms for some events.
        models: Filled in by resolving: every version that an arm names, whole.
    """

    kind: Literal["routing"] = "routing"
    endpoint: Name
    reason: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    author: str = ""
    based_on: BasedOn | None = None
    salt: Annotated[str, StringConstraints(max_length=256)] = ""
    serve: Annotated[tuple[ServingVariant, ...], Field(min_length=1, max_length=MAX_VARIANTS)]
    fallback: Variant | None = None
    shadow: Annotated[tuple[ShadowVariant, ...], Field(max_length=16)] = ()
    segments: Annotated[tuple[Segment, ...], Field(max_length=MAX_SEGMENTS)] = ()
    models: tuple[ModelVersion, ...] = ()

    def variants(self) -> list[Variant]:
        """All arms: serving, then those of the segments, the fallback, the shadows."""
        arms: list[Variant] = list(self.serve)
        for segment in self.segments:
            arms.extend(segment.serve)
        if self.fallback is not None:
            arms.append(self.fallback)
        arms.extend(self.shadow)
        return arms


Document = Annotated[EndpointDocument | RoutingDocument, Field(discriminator="kind")]

DOCUMENT_TYPES: dict[str, type[EndpointDocument] | type[RoutingDocument]] = {
    "endpoint": EndpointDocument,
    "routing": RoutingDocument,
}


def document_key(document: EndpointDocument | RoutingDocument) -> str:
    """Its key on the config topic: ``endpoint/<name>`` or ``routing/<name>``."""
    if isinstance(document, EndpointDocument):
        return f"endpoint/{document.name}"
    return f"routing/{document.endpoint}"


def to_json(document: EndpointDocument | RoutingDocument) -> bytes:
    """The document as it stands on the log: JSON with every key, so that a later default cannot change its meaning."""
    return document.model_dump_json(by_alias=True).encode()
