"""Inferences as applications see them: one by one, or a batch of columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from streamer.records.columns import NumericColumn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.records.columns import FeatureBatch

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OUTPUT = "output."


@dataclass(frozen=True, slots=True)
class Inference:
    """One answer of one variant to one event.

    Attributes:
        event_id: The id of the event that it answers.
        event_time: When the event happened, by its own clock, in UTC.
        scored_at: When the model answered, in UTC.
        variant: The arm of the routing that answered.
        role: ``serving``, ``fallback`` or ``shadow``.
        bucket: 0 to 9999, from a salted hash of the bucketing value.
        model_id: The UUID of the model version.
        model_name: Its name.
        model_version: Its number.
        routing_revision: The revision of the routing that chose the variant.
        learned_through: How far an online model had learned; None for other models.
        source_partition: The event's partition.
        source_offset: The event's offset.
        output: The answer: the fields of the endpoint's output record.
    """

    event_id: str
    event_time: datetime
    scored_at: datetime
    variant: str
    role: str
    bucket: int
    model_id: UUID
    model_name: str
    model_version: int
    routing_revision: int
    learned_through: int | None
    source_partition: int
    source_offset: int
    output: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InferenceBatch:
    """n inferences as columns.

    Attributes:
        records: The columns under their dotted names: ``event_id``, ``variant``, ``output.score``, ...
        partitions: int32 (n,), where in the inferences topic each stands.
        offsets: int64 (n,), its offset there.
    """

    records: FeatureBatch
    partitions: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, name: str) -> Any:
        """A column as a numpy array of shape (n,): of its own dtype, or of objects where it has text or nulls."""
        column = self.records[name]
        if isinstance(column, NumericColumn) and (column.valid is None or column.valid.all()):
            return column.values
        return np.fromiter(column.to_pylist(), object, len(column))

    def to_dict(self) -> dict[str, Any]:
        """All columns by name, as ``pandas.DataFrame`` and ``polars.DataFrame`` take them."""
        return {name: self[name] for name in self.records.columns}

    def rows(self) -> list[Inference]:
        """The inferences one by one."""
        names = [field.name.replace("source_", "source.") for field in fields(Inference) if field.name != "output"]
        columns = [self.records[name].to_pylist() for name in names]
        return [
            Inference(
                event_id=event_id,
                event_time=_EPOCH + timedelta(microseconds=event_time),
                scored_at=_EPOCH + timedelta(microseconds=scored_at),
                variant=variant,
                role=role,
                bucket=bucket,
                model_id=UUID(model_id),
                model_name=model_name,
                model_version=model_version,
                routing_revision=routing_revision,
                learned_through=learned_through,
                source_partition=source_partition,
                source_offset=source_offset,
                output=output,
            )
            for (
                event_id,
                event_time,
                scored_at,
                variant,
                role,
                bucket,
                model_id,
                model_name,
                model_version,
                routing_revision,
                learned_through,
                source_partition,
                source_offset,
            ), output in zip(zip(*columns, strict=True), _outputs(self.records), strict=True)
        ]


def _outputs(records: FeatureBatch) -> list[dict[str, Any]]:
    """The output record of each row; records nested in it are dicts again."""
    outputs: list[dict[str, Any]] = [{} for _ in range(records.n)]
    for name, column in records.columns.items():
        if not name.startswith(_OUTPUT):
            continue
        *parents, leaf = name.removeprefix(_OUTPUT).split(".")
        for output, value in zip(outputs, column.to_pylist(), strict=True):
            record = output
            for parent in parents:
                record = record.setdefault(parent, {})
            record[leaf] = value
    return outputs
