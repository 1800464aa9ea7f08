"""How the bytes of a message name the schema they were written with."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from uuid import UUID

    from streamer.avro.schema import Schema

SINGLE_OBJECT_MAGIC = b"\xc3\x01"
SINGLE_OBJECT_PREFIX_BYTES = 10
CONFLUENT_ID_PREFIX_BYTES = 5
CONFLUENT_GUID_PREFIX_BYTES = 17
VALUE_SCHEMA_ID_HEADER = "__value_schema_id"


class Framing(StrEnum):
    """The three framings; each topic declares one, nothing is guessed from the bytes.

    * `bare`: no framing; the topic has one schema.
    * `single_object`: C3 01 and the schema's CRC-64-AVRO fingerprint, 8 bytes, little-endian.
    * `confluent`: 00 and the schema's id in a Schema Registry, 4 bytes, big-endian. Read as well: 01 and a
      schema GUID of 16 bytes, and the header `__value_schema_id` that holds either of the two in front of a
      bare payload.
    """

    BARE = "bare"
    SINGLE_OBJECT = "single_object"
    CONFLUENT = "confluent"


class WriterSchemas(Protocol):
    """Where writer schemas of the confluent framing are looked up.

    Implementations cache: the decoder asks once per distinct id and batch.
    """

    def by_id(self, schema_id: int) -> Schema:
        """The schema with this id.

        Raises:
            SchemaNotFound: There is none.
            SchemaRegistryUnavailable: Nobody could tell.
        """
        ...

    def by_guid(self, guid: UUID) -> Schema:
        """The schema with this GUID.

        Raises:
            SchemaNotFound: There is none.
            SchemaRegistryUnavailable: Nobody could tell.
        """
        ...


def single_object_prefix(schema: Schema) -> bytes:
    """The 10 bytes in front of a payload in the single-object framing."""
    return SINGLE_OBJECT_MAGIC + schema.fingerprint.to_bytes(8, "little")


def confluent_prefix(schema_id: int) -> bytes:
    """The 5 bytes in front of a payload in the Confluent framing."""
    return b"\x00" + schema_id.to_bytes(4, "big")


def prefix_of(framing: Framing, schema: Schema, schema_id: int | None = None) -> bytes:
    """The bytes to write in front of each payload.

    Raises:
        ValueError: The framing is confluent and there is no schema id.
    """
    if framing is Framing.BARE:
        return b""
    if framing is Framing.SINGLE_OBJECT:
        return single_object_prefix(schema)
    if schema_id is None:
        raise ValueError("the confluent framing needs the schema's id in the registry")
    return confluent_prefix(schema_id)
