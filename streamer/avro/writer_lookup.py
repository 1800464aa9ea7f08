"""Which schema each value was written with, by the topic's framing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias
from uuid import UUID

import numpy as np

from streamer.avro.cursor import unaligned
from streamer.avro.framing import (
    CONFLUENT_GUID_PREFIX_BYTES,
    CONFLUENT_ID_PREFIX_BYTES,
    SINGLE_OBJECT_MAGIC,
    SINGLE_OBJECT_PREFIX_BYTES,
    VALUE_SCHEMA_ID_HEADER,
    Framing,
)
from streamer.avro.schema import Schema
from streamer.avro.walker import Malformed
from streamer.errors import SchemaError, SchemaNotFound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.avro.framing import WriterSchemas

Headers: TypeAlias = Sequence[tuple[str, bytes | None]] | None
_MAGIC = int.from_bytes(SINGLE_OBJECT_MAGIC, "little")


@dataclass(frozen=True, slots=True)
class Group:
    """Values with one writer schema.

    Attributes:
        rows: Their indices, ascending; None for all.
        prefix_bytes: The bytes of framing in front of each.
        writer: The schema, or why there is none.
    """

    rows: NDArray[np.int64] | None
    prefix_bytes: int
    writer: Schema | Malformed


@dataclass(frozen=True, slots=True)
class Framed:
    """Values in one buffer, with their framing.

    Attributes:
        buffer: Shape (any,), dtype uint8, at least 16 bytes longer than the values.
        starts: Shape (n,), dtype int64.
        ends: Shape (n,), dtype int64.
        headers: Headers of each value, if there are any.
    """

    buffer: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    headers: Sequence[Headers] | None


class WriterLookup(Protocol):
    """One framing's way from values to writer schemas."""

    known: Sequence[Schema]

    def groups(self, framed: Framed) -> list[Group]:
        """Splits the values by writer schema; every value is in one group.

        Raises:
            SchemaRegistryUnavailable: A schema could not be looked up now.
        """
        ...


def lookup_for(framing: Framing, writers: Sequence[Schema] | WriterSchemas) -> WriterLookup:
    """The lookup of a framing.

    Raises:
        SchemaError: Two single-object schemas share their fingerprint but mean different things.
        ValueError: The writers are not what the framing needs.
    """
    if isinstance(writers, Sequence):
        if framing is Framing.BARE and len(writers) == 1:
            return _Bare(writers)
        if framing is Framing.SINGLE_OBJECT and writers:
            return _SingleObject(writers)
    elif framing is Framing.CONFLUENT:
        return _Confluent(writers)
    raise ValueError(
        f"the framing {framing} needs "
        + {
            Framing.BARE: "a list of exactly one writer schema",
            Framing.SINGLE_OBJECT: "a list of the accepted writer schemas",
            Framing.CONFLUENT: "a lookup of writer schemas by id",
        }[framing]
    )


class _Bare:
    def __init__(self, writers: Sequence[Schema]) -> None:
        self.known = writers

    def groups(self, framed: Framed) -> list[Group]:
        return [Group(None, 0, self.known[0])]


class _SingleObject:
    def __init__(self, writers: Sequence[Schema]) -> None:
        self.known = writers
        self._by_fingerprint: dict[int, Schema] = {}
        for schema in writers:
            other = self._by_fingerprint.setdefault(schema.fingerprint, schema)
            if other.root != schema.root:
                raise SchemaError(
                    f"two accepted schemas of {schema.name} share the fingerprint {schema.fingerprint:016x}, but "
                    "differ in what it ignores (logical types, defaults or aliases)",
                    advice="List one of them; use the confluent framing if both are written.",
                )

    def groups(self, framed: Framed) -> list[Group]:
        prefix = _common_prefix(framed, SINGLE_OBJECT_PREFIX_BYTES)
        if prefix is not None and prefix.startswith(SINGLE_OBJECT_MAGIC):
            return [_everything(framed, len(prefix), self._writer(int.from_bytes(prefix[2:], "little")))]
        starts = framed.starts
        sound = (framed.ends - starts) >= SINGLE_OBJECT_PREFIX_BYTES
        sound &= unaligned(framed.buffer, "<u2")[starts] == _MAGIC
        fingerprints = unaligned(framed.buffer, "<u8")[starts + 2]
        bad = Malformed("bad_magic", "the value does not begin with C3 01 and an 8-byte fingerprint")
        return _grouped(sound, fingerprints, bad, SINGLE_OBJECT_PREFIX_BYTES, self._writer)

    def _writer(self, fingerprint: int) -> Schema | Malformed:
        schema = self._by_fingerprint.get(fingerprint)
        if schema is None:
            return Malformed("unknown_schema", f"no accepted schema has the fingerprint {fingerprint:016x}")
        return schema


class _Confluent:
    known: Sequence[Schema] = ()

    def __init__(self, writers: WriterSchemas) -> None:
        self._writers = writers

    def groups(self, framed: Framed) -> list[Group]:
        named = self._rows_with_header(framed.headers)
        prefix = None if named else _common_prefix(framed, CONFLUENT_ID_PREFIX_BYTES)
        if prefix is not None and prefix[0] == 0:
            return [_everything(framed, len(prefix), self._by_id(int.from_bytes(prefix[1:], "big")))]
        starts, ends, buffer = framed.starts, framed.ends, framed.buffer
        magic = buffer[starts]
        sound = (magic == 0) & (ends - starts >= CONFLUENT_ID_PREFIX_BYTES)
        guids = (magic == 1) & (ends - starts >= CONFLUENT_GUID_PREFIX_BYTES)
        if not named and not guids.any():
            return self._by_ids(sound, framed)
        by_header: dict[tuple[bytes, int], list[int]] = {}
        for row, value in named.items():
            by_header.setdefault((value, 0), []).append(row)
        guids[list(named)] = False
        for row in np.flatnonzero(guids).tolist():
            start = int(starts[row])
            prefix = buffer[start : start + CONFLUENT_GUID_PREFIX_BYTES].tobytes()
            by_header.setdefault((prefix, CONFLUENT_GUID_PREFIX_BYTES), []).append(row)
        groups = [
            Group(np.array(rows, np.int64), size, self._by_prefix(prefix)) for (prefix, size), rows in by_header.items()
        ]
        taken = np.zeros(len(starts), np.bool_)
        for group in groups:
            taken[group.rows] = True
        rest = np.flatnonzero(~taken)
        if len(rest):
            inner = self._by_ids(sound[rest], Framed(buffer, starts[rest], ends[rest], None))
            groups += [Group(rest[group.rows], group.prefix_bytes, group.writer) for group in inner]
        return groups

    def _by_ids(self, sound: NDArray[np.bool_], framed: Framed) -> list[Group]:
        ids = unaligned(framed.buffer, ">u4")[framed.starts + 1]
        bad = Malformed(
            "bad_magic", "the value begins neither with 00 and a 4-byte schema id nor 01 and a 16-byte GUID"
        )
        return _grouped(sound, ids, bad, CONFLUENT_ID_PREFIX_BYTES, self._by_id)

    @staticmethod
    def _rows_with_header(headers: Sequence[Headers] | None) -> dict[int, bytes]:
        named: dict[int, bytes] = {}
        for row, pairs in enumerate(headers or ()):
            for name, value in pairs or ():
                if name == VALUE_SCHEMA_ID_HEADER:
                    named[row] = value or b""  # the last one counts, as for Kafka's lastHeader
        return named

    def _by_id(self, schema_id: int) -> Schema | Malformed:
        return _found(lambda: self._writers.by_id(schema_id))

    def _by_prefix(self, prefix: bytes) -> Schema | Malformed:
        if prefix[:1] == b"\x01" and len(prefix) == CONFLUENT_GUID_PREFIX_BYTES:
            return _found(lambda: self._writers.by_guid(UUID(bytes=prefix[1:])))
        if prefix[:1] == b"\x00" and len(prefix) == CONFLUENT_ID_PREFIX_BYTES:
            return self._by_id(int.from_bytes(prefix[1:], "big"))
        return Malformed(
            "bad_magic",
            f"the header {VALUE_SCHEMA_ID_HEADER} is neither 00 and a 4-byte id nor 01 and a 16-byte GUID",
        )


def _found(look_up: Callable[[], Schema]) -> Schema | Malformed:
    try:
        return look_up()
    except SchemaNotFound as error:
        return Malformed("unknown_schema", str(error))
    except SchemaError as error:
        return Malformed("schema_mismatch", f"the writer's schema is refused: {error}")


def _common_prefix(framed: Framed, size: int) -> bytes | None:
    """The first bytes of all values if they are the same, as they nearly always are."""
    n = len(framed.starts)
    if not n or int((framed.ends - framed.starts).min()) < size:
        return None
    block = unaligned(framed.buffer, f"V{size}")[framed.starts].tobytes()
    return block[:size] if block == block[:size] * n else None


def _everything(framed: Framed, prefix_bytes: int, writer: Schema | Malformed) -> Group:
    rows = np.arange(len(framed.starts)) if isinstance(writer, Malformed) else None
    return Group(rows, prefix_bytes, writer)


def _grouped(
    sound: NDArray[np.bool_],
    keys: NDArray[np.unsignedinteger],
    bad: Malformed,
    prefix_bytes: int,
    writer: Callable[[int], Schema | Malformed],
) -> list[Group]:
    """Groups of rows with the same key; rows that are not sound are a group of their own."""
    if not len(keys):
        return []
    groups = []
    unsound = np.flatnonzero(~sound)
    if len(unsound):
        groups.append(Group(unsound, 0, bad))
    distinct: list[int] = np.unique(keys[sound]).tolist()
    return groups + [Group(np.flatnonzero(sound & (keys == key)), prefix_bytes, writer(key)) for key in distinct]
