"""Golden records from training data: some of its rows, with the answers that the stored artifact gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.avro.avro_types import Primitive, nullable
from streamer.errors import ModelInvalid
from streamer.records.model_version import GoldenRecord
from streamer.runtimes.field_path import parse_path, resolve_path
from streamer.runtimes.golden import golden_batch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamer.avro.avro_types import AvroType
    from streamer.control.training_columns import TrainingColumn
    from streamer.runtimes.binding import BoundModel

_AVRO = {"float": "double", "int": "long", "bool": "boolean", "string": "string"}


def event_schema_of(columns: Sequence[TrainingColumn], fields: Mapping[str, str]) -> dict[str, Any]:
    """An event schema that takes the columns, where no endpoint says what it is.

    Raises:
        ModelInvalid: A column's field is not a plain name.
    """
    for column in columns:
        if len(parse_path(fields[column.name])) > 1:
            raise ModelInvalid(
                f"{fields[column.name]!r} lies inside another field, and no event schema says how",
                advice="Give endpoint= or events=.",
            )
    return {
        "type": "record",
        "name": "event",
        "fields": [{"name": fields[column.name], "type": ["null", _AVRO[column.kind]]} for column in columns],
    }


def golden_records(
    columns: Sequence[TrainingColumn], fields: Mapping[str, str], bound: BoundModel, count: int
) -> tuple[GoldenRecord, ...]:
    """Evenly spread rows that the model answers.

    Args:
        columns: The training data.
        fields: Column name to event field path.
        bound: The stored artifact, bound to the event and output schemas.
        count: How many.

    Raises:
        ModelInvalid: A field is an item of an array or map: an event cannot be made up around it.
    """
    if not count:
        return ()
    n = len(columns[0].values)
    rows = np.unique(np.linspace(0, n - 1, min(n, 4 * count)).astype(np.int64)).tolist()
    events = [_event(columns, fields, bound, row) for row in rows]
    drafts = [GoldenRecord(event=event, output={}) for event in events]
    prediction = bound.predict(golden_batch(drafts, bound.event_type, bound.event_columns))
    answers = {name: column.to_pylist() for name, column in prediction.columns.items()}
    answered = [index for index in range(len(rows)) if not prediction.failed[index]]
    if not answered:
        raise ModelInvalid(
            f"the model answers no row of X: {prediction.reasons[0][1]}",
            advice="Set nulls= for the columns that may be null.",
        )
    picked = [answered[index] for index in np.unique(np.linspace(0, len(answered) - 1, count).astype(np.int64))]
    return tuple(
        GoldenRecord(event=events[index], output={name: values[index] for name, values in answers.items()})
        for index in picked
    )


def _event(columns: Sequence[TrainingColumn], fields: Mapping[str, str], bound: BoundModel, row: int) -> dict[str, Any]:
    event: dict[str, Any] = {}
    for column in columns:
        path = fields[column.name]
        source = resolve_path(path, bound.event_type)
        if source.steps:
            raise ModelInvalid(
                f"golden records cannot be made for {path!r}, an item of an array or map",
                advice="Pass golden=0, or golden records of your own.",
            )
        here = event
        *outer, last = source.column.split(".")
        for name in outer:
            here = here.setdefault(name, {})
        here[last] = _as_json(column.value(row), source.type)
    return event


def _as_json(value: Any, avro_type: AvroType) -> Any:
    """The value as the field has it: frames turn integers and truth values into floats where nulls stand among them."""
    optional = nullable(avro_type)
    inner = avro_type if optional is None else optional[1]
    if value is None or not isinstance(inner, Primitive):
        return value
    if inner.name in ("int", "long") and isinstance(value, bool | float) and float(value).is_integer():
        return int(value)
    if inner.name == "boolean" and value in (0, 1):
        return bool(value)
    if inner.name in ("float", "double") and isinstance(value, bool | int):
        return float(value)
    return value
