"""Events for tests, written with fastavro and librdkafka alone, and a list of what stands where."""

from __future__ import annotations

import io
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import confluent_kafka as ck
import fastavro
import numpy as np
from fastavro.schema import fingerprint, to_parsing_canonical_form

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

EVENT_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Ride",
    "fields": [
        {"name": "id", "type": ["null", "string"], "default": None},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "rider", "type": ["null", "string"], "default": None},
        {"name": "city", "type": "string", "default": "Bern"},
        {"name": "x0", "type": ["null", "double"], "default": None},
        {"name": "x1", "type": "double"},
        {"name": "x2", "type": "double"},
        {"name": "x3", "type": "double"},
    ],
}
OUTPUT_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Score",
    "fields": [{"name": "score", "type": "double"}],
}
FIRST_EVENT_US = 1_767_225_600_000_000
RIDERS = 500
CITIES = ("Bern", "Basel", "Chur")

Headers = list[tuple[str, bytes | None]]


def single_object_prefix(schema: Mapping[str, Any]) -> bytes:
    """The ten bytes in front of a payload, as fastavro computes the fingerprint."""
    hexadecimal = fingerprint(to_parsing_canonical_form(dict(schema)), "CRC-64-AVRO")
    return b"\xc3\x01" + bytes.fromhex(hexadecimal)


@dataclass(frozen=True)
class Event:
    """Event number `i` of a feed. Everything follows from the number."""

    i: int
    x: tuple[float, float, float, float]

    @property
    def id(self) -> str:
        return f"event-{self.i}"

    @property
    def rider(self) -> str:
        return f"rider-{self.i % RIDERS}"

    @property
    def city(self) -> str:
        return CITIES[self.i % len(CITIES)]

    @property
    def at_us(self) -> int:
        return FIRST_EVENT_US + self.i * 1000

    def record(self) -> dict[str, Any]:
        x0, x1, x2, x3 = self.x
        return {
            "id": self.id,
            "at": self.at_us,
            "rider": self.rider,
            "city": self.city,
            "x0": x0,
            "x1": x1,
            "x2": x2,
            "x3": x3,
        }


def features_of(first: int, n: int) -> NDArray[np.float64]:
    """x0 to x3 of the events first to first + n - 1: (n, 4)."""
    numbers = np.arange(first, first + n, dtype=np.float64)[:, None]
    return np.sin(numbers * np.array([0.1, 0.37, 1.7, 2.3]) + np.array([0.0, 1.0, 2.0, 3.0])) * 2


def events(first: int, n: int) -> list[Event]:
    """The events first to first + n - 1."""
    return [Event(first + row, tuple(x)) for row, x in enumerate(features_of(first, n).tolist())]


class EventEncoder:
    """Event values in one framing's bytes.

    Args:
        prefix: Stands before each payload; None: that of the single-object framing.
        schema: What is written.
    """

    def __init__(self, prefix: bytes | None = None, schema: Mapping[str, Any] = EVENT_SCHEMA) -> None:
        self._schema = fastavro.parse_schema(dict(schema))
        self.prefix = single_object_prefix(schema) if prefix is None else prefix

    def __call__(self, record: Mapping[str, Any]) -> bytes:
        buffer = io.BytesIO()
        buffer.write(self.prefix)
        fastavro.schemaless_writer(buffer, self._schema, dict(record))
        return buffer.getvalue()


@dataclass
class EventFeed:
    """Writes to one events topic, which nobody else writes to, and remembers what stands where.

    Attributes:
        placed: Partition to what was written there, in order: the index is the offset. None stands for a record
            that is no good event.
    """

    bootstrap_servers: str
    topic: str
    partitions: int
    encode: EventEncoder = field(default_factory=EventEncoder)
    placed: dict[int, list[Event | None]] = field(default_factory=lambda: defaultdict(list))
    written: int = 0

    def __post_init__(self) -> None:
        self._failures: list[Any] = []
        self.reconnect()

    def reconnect(self) -> None:
        """A new producer, which sees the topic as it is now: a known one learns of new partitions minutes later."""
        self._producer = ck.Producer(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.max.bytes": 10_000_000,
                "queue.buffering.max.messages": 1_000_000,
            }
        )

    def send(self, event: Event, *, headers: Headers | None = None, partition: int | None = None) -> None:
        """Adds one good event; its partition follows from its number unless it is given."""
        place = event.i % self.partitions if partition is None else partition
        self._produce(place, event.id.encode(), self.encode(event.record()), headers)
        self.placed[place].append(event)

    def send_raw(
        self,
        partition: int,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Headers | None = None,
        timestamp_ms: int | None = None,
    ) -> None:
        """Adds a record that is no good event."""
        self._produce(partition, key, value, headers, timestamp_ms)
        self.placed[partition].append(None)

    def flush(self) -> None:
        """Returns when everything is on the broker."""
        assert self._producer.flush(60) == 0, "the broker does not take the events"
        assert not self._failures, self._failures[0]

    def send_all(self, some: Iterable[Event]) -> None:
        """Adds good events and waits until they are on the broker."""
        for event in some:
            self.send(event)
        self.flush()

    def send_steadily(self, some: list[Event], per_second: float, stop: threading.Event) -> None:
        """Adds good events at a rate; ends early when told to stop. Meant for a thread of its own."""
        started = time.monotonic()
        sent = 0
        while sent < len(some) and not stop.is_set():
            due = min(len(some), int((time.monotonic() - started) * per_second) + 1)
            for event in some[sent:due]:
                self.send(event)
            sent = due
            self._producer.poll(0)
            stop.wait(0.01)
        self.flush()

    def good(self) -> dict[int, list[tuple[int, Event]]]:
        """Partition to (offset, event) of every good event, in order."""
        return {
            partition: [(offset, event) for offset, event in enumerate(entries) if event is not None]
            for partition, entries in self.placed.items()
        }

    def _produce(
        self,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
        timestamp_ms: int | None = None,
    ) -> None:
        timestamp = {} if timestamp_ms is None else {"timestamp": timestamp_ms}
        self._producer.produce(
            self.topic, value, key, partition=partition, headers=headers, on_delivery=self._delivered, **timestamp
        )
        self.written += 1
        if self.written % 1000 == 0:
            self._producer.poll(0)

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failures.append(error)
