"""Writer schemas by their id in a Schema Registry, as the decoder asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.avro.schema import Schema, parse_schema

if TYPE_CHECKING:
    from uuid import UUID

    from streamer.avro.schema_registry import SchemaRegistry


class RegistrySchemas:
    """A :class:`~streamer.avro.framing.WriterSchemas` on a Schema Registry: each schema is parsed once.

    Bounded like the registry's own memory is: an id that is not known is asked for there, and not kept here.
    """

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry
        self._parsed: dict[int | UUID, Schema] = {}

    def by_id(self, schema_id: int) -> Schema:
        """The schema of a 4-byte id."""
        if schema_id not in self._parsed:
            self._parsed[schema_id] = parse_schema(self._registry.schema_by_id(schema_id))
        return self._parsed[schema_id]

    def by_guid(self, guid: UUID) -> Schema:
        """The schema of a GUID."""
        if guid not in self._parsed:
            self._parsed[guid] = parse_schema(self._registry.schema_by_guid(guid))
        return self._parsed[guid]
