"""From polled records to a batch of events: payloads decoded to columns, ids, times and bucketing values found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.records.columns import Column, FeatureBatch, NumericColumn, TextColumn
from streamer.routing.bucketing import bucketing_values, column_bytes
from streamer.worker.dead_letters import DeadLetter, Stage
from streamer.worker.text_rows import TextRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.avro.decoder import EventDecoder
    from streamer.kafka.consumer import PolledBatch
    from streamer.routing.documents import EndpointDocument

_MICROSECONDS_PER_TIME_UNIT = {"timestamp-micros": 1, "local-timestamp-micros": 1}
_MILLISECOND = 1000
_INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class EventBatch:
    """n events that decoded, and what became of the records that did not.

    Attributes:
        polled: The records as they came, m >= n of them.
        rows: int64 (n,): which of the polled records each event is.
        features: The events' fields, n rows.
        event_ids: n ids as text.
        id_bytes: The same as n byte strings, made when they are looked at.
        event_times_us: int64 (n,), microseconds since 1970.
        bucketing: n byte strings that decide the variants.
        null_bucketing: How many of them are the event's id for want of a value.
        dead_letters: One for each of the m - n others.
    """

    polled: PolledBatch
    rows: NDArray[np.int64]
    features: FeatureBatch
    event_ids: TextColumn
    id_bytes: Sequence[bytes]
    event_times_us: NDArray[np.int64]
    bucketing: Sequence[bytes]
    null_bucketing: int
    dead_letters: list[DeadLetter]

    def __len__(self) -> int:
        return len(self.rows)

    def keys(self, rows: NDArray[np.int64] | None = None) -> list[bytes | None]:
        """The record keys of all events, or of those at ``rows``."""
        keys = self.polled.keys
        source = self.rows if rows is None else self.rows[rows]
        return keys if len(source) == len(keys) else [keys[row] for row in source.tolist()]


class EventReader:
    """Reads the events of one endpoint.

    Args:
        endpoint: The resolved document.
        decoder: Reads its payloads.
        time_logical_type: Avro's logical type of the time field; None counts as milliseconds.
    """

    def __init__(self, endpoint: EndpointDocument, decoder: EventDecoder, time_logical_type: str | None) -> None:
        self._id = endpoint.events.id
        self._time = endpoint.events.time
        self._bucket_by = endpoint.events.bucket_by
        self._decoder = decoder
        self._time_unit = _MICROSECONDS_PER_TIME_UNIT.get(time_logical_type or "", _MILLISECOND)

    def read(self, polled: PolledBatch, quarantined: Mapping[int, tuple[str, str]] | None = None) -> EventBatch:
        """Decodes one polled batch; a bad record becomes a dead letter, never an exception.

        Args:
            polled: m records.
            quarantined: Row to (reason, message) of records that are not to be looked at.

        Raises:
            SchemaRegistryUnavailable: A writer schema is not known yet; read the batch again later.
        """
        looked_at = np.arange(len(polled))
        values, headers = polled.values, polled.headers
        dead_letters: list[DeadLetter] = []
        if quarantined:
            looked_at = np.delete(looked_at, list(quarantined))
            dead_letters = [DeadLetter(row, Stage.internal, *why) for row, why in quarantined.items()]
            values = [values[row] for row in looked_at]
            headers = None if headers is None else [headers[row] for row in looked_at]
        decoded = self._decoder.decode(values, headers)
        rows = looked_at[np.asarray(decoded.good, np.int64)]
        dead_letters += [
            DeadLetter(int(looked_at[failure.row]), Stage.decode, failure.reason, failure.message)
            for failure in decoded.failures
        ]
        return self._identified(polled, rows, decoded.batch, dead_letters)

    def _identified(
        self, polled: PolledBatch, rows: NDArray[np.int64], features: FeatureBatch, dead_letters: list[DeadLetter]
    ) -> EventBatch:
        ids = _as_text(features[self._id])
        if ids.valid is not None and not ids.valid.all():
            nameless = rows[~ids.valid]
            message = f"the event's id, field {self._id}, is null"
            dead_letters += [DeadLetter(int(row), Stage.decode, "MissingId", message) for row in nameless]
            named = np.flatnonzero(ids.valid)
            rows, features, ids = rows[named], features.take(named), ids.take(named)
        id_bytes = TextRows(ids)  # the null ones are gone
        values: Sequence[bytes] = id_bytes
        nulls = 0
        if self._bucket_by is not None and self._bucket_by != self._id:
            values, nulls = bucketing_values(features[self._bucket_by], id_bytes)
        return EventBatch(
            polled=polled,
            rows=rows,
            features=features,
            event_ids=ids,
            id_bytes=id_bytes,
            event_times_us=self._times(features, polled, rows),
            bucketing=values,
            null_bucketing=nulls,
            dead_letters=dead_letters,
        )

    def _times(self, features: FeatureBatch, polled: PolledBatch, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Microseconds since 1970; Kafka's timestamp where the event has none."""
        column = None if self._time is None else features[self._time]
        if not isinstance(column, NumericColumn):
            return polled.timestamps_ms[rows] * _MILLISECOND
        latest = _INT64_MAX // self._time_unit  # a hostile time must not wrap around
        times = np.clip(column.values.astype(np.int64), -latest, latest) * self._time_unit
        if column.valid is None or column.valid.all():
            return times
        return np.where(column.valid, times, polled.timestamps_ms[rows] * _MILLISECOND)


def _as_text(column: Column) -> TextColumn:
    if isinstance(column, TextColumn):
        return column
    if isinstance(column, NumericColumn) and column.values.dtype.kind in "iu":
        return TextColumn.from_integers(column.values, column.valid)
    return TextColumn.from_bytes(column_bytes(column), is_bytes=False)
