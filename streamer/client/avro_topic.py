"""A topic, the schema of its records, and how its payloads name the schema they were written with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.avro.decoder import EventDecoder
from streamer.avro.framing import Framing, WriterSchemas, prefix_of
from streamer.avro.registry_schemas import RegistrySchemas
from streamer.avro.schema import Schema, parse_schema
from streamer.avro.schema_registry import SchemaRegistry
from streamer.errors import ConfigurationError, SchemaError

if TYPE_CHECKING:
    from streamer.config import Settings
    from streamer.routing.documents import EndpointDocument

SchemaSource = Schema | str | Path | Mapping[str, Any]
"""A parsed schema, its JSON as text or as a dict, or the path of an .avsc file."""


@dataclass(frozen=True)
class AvroTopic:
    """A topic of Avro records.

    Attributes:
        name: The topic.
        schema: What records are read as, and written with.
        framing: How payloads name their schema.
        other_writers: Further schemas that records may have been written with.
    """

    name: str
    schema: Schema
    framing: Framing = Framing.SINGLE_OBJECT
    other_writers: tuple[Schema, ...] = ()

    def decoder(self, settings: Settings, resources: ExitStack) -> EventDecoder:
        """What turns this topic's payloads into columns.

        Args:
            settings: Where the Schema Registry is.
            resources: Takes over what must be closed when the decoder is no longer used.

        Raises:
            ConfigurationError: The framing is confluent and no Schema Registry is configured.
            SchemaError: A writer schema cannot be read as the topic's schema.
        """
        writers: Sequence[Schema] | WriterSchemas
        if self.framing is Framing.CONFLUENT:
            writers = RegistrySchemas(resources.enter_context(open_registry(settings, self.name)))
        elif self.framing is Framing.BARE:  # the topic has one schema: another writer's, or the reader's own
            writers = self.other_writers or (self.schema,)
        else:
            writers = (self.schema, *self.other_writers)
        return EventDecoder(self.schema, self.framing, writers)

    def prefix(self, settings: Settings) -> bytes:
        """The bytes in front of every payload; registers the schema where payloads carry its id.

        Raises:
            ConfigurationError: The framing is confluent and no Schema Registry is configured.
            SchemaRegistryError: The registry does not take the schema.
        """
        schema_id = None
        if self.framing is Framing.CONFLUENT:
            with open_registry(settings, self.name) as registry:
                schema_id = registry.register(f"{self.name}-value", self.schema.json)
        return prefix_of(self.framing, self.schema, schema_id)


def events_topic(document: EndpointDocument) -> AvroTopic:
    """Where an endpoint's events are, and all schemas that they may have been written with."""
    events = document.events
    assert events.topic is not None  # a resolved document names every topic
    writers = tuple(parse_schema(schema) for schema in events.writer_schemas)
    return AvroTopic(events.topic, parse_schema(events.schema_), Framing(events.framing), writers)


def open_registry(settings: Settings, topic: str) -> SchemaRegistry:
    """The configured Schema Registry.

    Raises:
        ConfigurationError: None is configured.
    """
    if settings.schema_registry.url is None:
        raise ConfigurationError(
            "framing confluent needs a Schema Registry, and none is configured",
            where=f"topic {topic}",
            advice="Set STREAMER_SCHEMA_REGISTRY__URL, or pass settings=",
        )
    return SchemaRegistry(settings.schema_registry)


def load_schema(source: SchemaSource) -> Schema:
    """The schema that somebody gave in one of several forms.

    Raises:
        ConfigurationError: The file cannot be read.
        SchemaError: It is not a schema, or outside our limits.
    """
    if isinstance(source, Schema):
        return source
    if isinstance(source, Mapping):
        return parse_schema(source)
    if isinstance(source, str) and source.lstrip().startswith(("{", "[", '"')):
        return parse_schema(source)
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the schema cannot be read: {getattr(error, 'strerror', None) or error}",
            where=str(path),
            advice="Give the path of an .avsc file, or the schema itself",
        ) from error
    try:
        return parse_schema(text)
    except SchemaError as error:
        where = f"{path}: {error.where}" if error.where else str(path)
        raise SchemaError(error.what, where=where, advice=error.advice) from error


def parse_framing(framing: str) -> Framing:
    """The framing of this name.

    Raises:
        ConfigurationError: There is none.
    """
    try:
        return Framing(framing)
    except ValueError as error:
        names = ", ".join(Framing)
        raise ConfigurationError(f"there is no framing {framing!r}", advice=f"The framings are {names}") from error


def settings_for(bootstrap_servers: str | None, settings: Settings | None) -> Settings:
    """The settings that were passed, else the environment's; ``bootstrap_servers`` wins over both.

    Raises:
        ConfigurationError: The environment holds settings that cannot be.
    """
    from pydantic import ValidationError

    from streamer.config import Settings

    if settings is None:
        try:
            settings = Settings()
        except ValidationError as error:
            raise ConfigurationError(str(error), where="environment", advice="See docs/configuration.md") from error
    if bootstrap_servers is None:
        return settings
    kafka = settings.kafka.model_copy(update={"bootstrap_servers": bootstrap_servers})
    return settings.model_copy(update={"kafka": kafka})
