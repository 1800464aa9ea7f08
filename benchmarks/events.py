"""The events that every contestant answers: two shapes, 10 and 24 fields, with strings and nullable unions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.avro.encoder import RecordEncoder
from streamer.avro.framing import single_object_prefix
from streamer.avro.schema import Schema, parse_schema
from streamer.records.columns import Column, NumericColumn, TextColumn

if TYPE_CHECKING:
    from numpy.typing import NDArray

NULL_SHARE = 0.1
USERS = 50_000
_COUNTRIES = ("DE", "FR", "US", "JP", "BR", "IN", "GB", "KE")
_DEVICES = ("phone", "tablet", "desktop")

_TEN_FIELDS: dict[str, Any] = {
    "event_id": "string",
    "occurred_at": {"type": "long", "logicalType": "timestamp-micros"},
    "user_id": "string",
    "country": ["null", "string"],
    "amount": "double",
    "distance": "double",
    "score": "double",
    "hour": "int",
    "age": ["null", "double"],
    "balance": ["null", "double"],
}
_FOURTEEN_MORE: dict[str, Any] = {
    "session": "string",
    "device": ["null", "string"],
    "visits": "long",
    "returning": "boolean",
    **{f"signal_{i}": "double" for i in range(6)},
    **{f"rate_{i}": ["null", "double"] for i in range(4)},
}
_TEXT = {"event_id", "user_id", "country", "session", "device"}


@dataclass(frozen=True)
class EventShape:
    """One shape of event.

    Attributes:
        fields: Field name to Avro type.
        features: The fields that the models read, in the order of their input's columns.
        nullable_features: Those of them that may be null; 0 stands in.
        schema: The Avro schema.
    """

    fields: dict[str, Any]

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(name for name in self.fields if name not in _TEXT | {"occurred_at", "returning"})

    @property
    def nullable_features(self) -> tuple[str, ...]:
        return tuple(name for name in self.features if isinstance(self.fields[name], list))

    @property
    def schema(self) -> Schema:
        fields = [{"name": name, "type": avro_type} for name, avro_type in self.fields.items()]
        return parse_schema(
            {"type": "record", "name": f"Event{len(self.fields)}", "namespace": "bench", "fields": fields}
        )


SHAPES = {10: EventShape(_TEN_FIELDS), 24: EventShape(_TEN_FIELDS | _FOURTEEN_MORE)}
"""Number of fields to shape."""


@dataclass(frozen=True)
class EncodedEvents:
    """n events, ready to be produced: Avro in the single-object framing, and the user as the key."""

    values: list[bytes]
    keys: list[bytes]

    def messages(self) -> list[dict[str, bytes]]:
        """As `produce_batch` takes them."""
        return [{"value": value, "key": key} for value, key in zip(self.values, self.keys, strict=True)]


def encode_events(shape: EventShape, times_us: NDArray[np.int64], *, first_id: int = 0, seed: int = 1) -> EncodedEvents:
    """One event for each time.

    Args:
        shape: Which fields.
        times_us: Shape (n,), int64: when each event occurs, microseconds since 1970.
        first_id: Number of the first event; the others count on.
        seed: Of everything else in them.
    """
    n = len(times_us)
    random = np.random.default_rng(seed)
    users = [f"user-{number:05d}" for number in random.integers(0, USERS, n).tolist()]
    columns: dict[str, Column] = {}
    for name, avro_type in shape.fields.items():
        valid = random.random(n) >= NULL_SHARE if isinstance(avro_type, list) else None
        columns[name] = _column(name, avro_type, times_us, users, first_id, valid, random)
    schema = shape.schema
    values = RecordEncoder(schema).encode(columns, n, single_object_prefix(schema))
    return EncodedEvents(values, [user.encode() for user in users])


def _column(
    name: str,
    avro_type: Any,
    times_us: NDArray[np.int64],
    users: list[str],
    first_id: int,
    valid: NDArray[np.bool_] | None,
    random: np.random.Generator,
) -> Column:
    n = len(times_us)
    if name == "event_id":
        return TextColumn.from_strings([f"event-{number:09d}" for number in range(first_id, first_id + n)])
    if name == "occurred_at":
        return NumericColumn(times_us)
    if name == "user_id":
        return TextColumn.from_strings(users)
    if name == "session":
        return TextColumn.from_strings([f"{number:016x}" for number in random.integers(0, 2**62, n).tolist()])
    if name in {"country", "device"}:
        choices = _COUNTRIES if name == "country" else _DEVICES
        texts: list[str | None] = [choices[pick] for pick in random.integers(0, len(choices), n).tolist()]
        assert valid is not None
        return TextColumn.from_strings([text if there else None for text, there in zip(texts, valid, strict=True)])
    if avro_type == "int":
        return NumericColumn(random.integers(0, 24, n, dtype=np.int32), valid)
    if avro_type == "long":
        return NumericColumn(random.integers(0, 1000, n, dtype=np.int64), valid)
    if avro_type == "boolean":
        return NumericColumn(random.random(n) < 0.5, valid)
    return NumericColumn(random.normal(size=n), valid)
