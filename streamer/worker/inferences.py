"""From answers to messages: the envelope around each output, encoded a batch of one arm at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.records.columns import Column, ConstantColumn, NumericColumn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.avro.encoder import RecordEncoder
    from streamer.records.model_version import ModelVersion
    from streamer.worker.events import EventBatch


@dataclass(frozen=True, slots=True)
class Answers:
    """What one arm said.

    Attributes:
        variant: Its name in the routing.
        role: ``serving``, ``shadow`` or ``fallback``.
        model: The version that answered.
        rows: int64 (k,): which events of the batch it answered.
        outputs: Fields of the output record, each of k rows.
    """

    variant: str
    role: str
    model: ModelVersion
    rows: NDArray[np.int64]
    outputs: Mapping[str, Column]


class InferenceEncoder:
    """Encodes the inferences of one endpoint under one routing revision.

    Args:
        encoder: Writes the endpoint's envelope schema.
        prefix: The framing's bytes before each payload.
        routing_revision: Named in each inference.
    """

    def __init__(self, encoder: RecordEncoder, prefix: bytes, routing_revision: int) -> None:
        self._encoder = encoder
        self._prefix = prefix
        self._revision = routing_revision

    def encode(
        self, answers: Answers, events: EventBatch, buckets: NDArray[np.int32], scored_at_us: int
    ) -> list[bytes]:
        """The payloads of k inferences.

        Args:
            answers: Of one arm, k rows.
            events: The batch that they answer, n events.
            buckets: int32 (n,).
            scored_at_us: When, microseconds since 1970.

        Raises:
            EncodeError: An output does not fit the output schema.
        """
        rows = answers.rows
        whole = len(rows) == len(events)
        source = events.rows[rows]
        k = len(rows)
        model = answers.model
        columns: dict[str, Column] = {
            "event_id": events.event_ids if whole else events.event_ids.take(rows),
            "event_time": NumericColumn(events.event_times_us[rows]),
            "scored_at": ConstantColumn(scored_at_us, k),
            "variant": ConstantColumn(answers.variant, k),
            "role": ConstantColumn(answers.role, k),
            "bucket": NumericColumn(buckets[rows]),
            "model_id": ConstantColumn(str(model.uuid), k),
            "model_name": ConstantColumn(model.name, k),
            "model_version": ConstantColumn(model.version, k),
            "routing_revision": ConstantColumn(self._revision, k),
            "learned_through": ConstantColumn(None, k),
            "source.partition": NumericColumn(events.polled.partitions[source]),
            "source.offset": NumericColumn(events.polled.offsets[source]),
            **{f"output.{name}": column for name, column in answers.outputs.items()},
        }
        return self._encoder.encode(columns, k, self._prefix)
