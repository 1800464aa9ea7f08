"""Golden records: events whose answers are known, as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.avro.avro_types import Enum, Primitive, Record, nullable
from streamer.avro.defaults import default_value
from streamer.errors import ModelInvalid, SchemaError
from streamer.records.columns import FeatureBatch, NumericColumn, ObjectColumn, TextColumn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.avro.avro_types import AvroType
    from streamer.records.columns import Column
    from streamer.records.model_version import GoldenRecord
    from streamer.runtimes.binding import Prediction

_DTYPES = {"boolean": np.bool_, "int": np.int32, "long": np.int64, "float": np.float32, "double": np.float64}


def golden_batch(golden: Sequence[GoldenRecord], record: Record, columns: Iterable[str]) -> FeatureBatch:
    """The events of golden records as a batch, as if they had been decoded.

    Args:
        golden: At least one.
        record: The type of the endpoint's events.
        columns: Dotted names of the columns that are needed; other fields may be left out of the records.

    Raises:
        ModelInvalid: A value is not what the event schema says.
    """
    return FeatureBatch(len(golden), {name: _column(golden, record, name) for name in columns})


def check_golden(golden: Sequence[GoldenRecord], prediction: Prediction) -> None:
    """Compares answers with the known ones.

    Raises:
        ModelInvalid: One differs by more than its tolerance; the message names the record, the field, what was
            expected and what came.
    """
    answers = {name: column.to_pylist() for name, column in prediction.columns.items()}
    for row, record in enumerate(golden):
        where = f"golden[{row}]"
        if prediction.failed[row]:
            raise ModelInvalid(f"the model has no answer: {prediction.reasons[row][1]}", where=where)
        for name, expected in record.output.items():
            if name not in answers:
                raise ModelInvalid(f"the output schema has no field {name!r}", where=f"{where}.output")
            got = answers[name][row]
            if not _close(expected, got, record.tolerance):
                raise ModelInvalid(
                    f"expected {expected!r:.100}, got {got!r:.100} (tolerance {record.tolerance:g})",
                    where=f"{where}.output.{name}",
                    advice="The artifact, the mapping or the order of its fields is not what the golden record was "
                    "made with. If the record is wrong, register a new version with a new one.",
                )


def _column(golden: Sequence[GoldenRecord], record: Record, name: str) -> Column:
    avro_type = _type_of(record, name)
    values = [_value(golden[row].event, name, avro_type, f"golden[{row}].event.{name}") for row in range(len(golden))]
    inner = _without_null(avro_type)
    if isinstance(inner, Primitive) and inner.name in _DTYPES:
        valid = np.fromiter((value is not None for value in values), np.bool_, len(values))
        numbers: NDArray[Any] = np.array([0 if value is None else value for value in values], _DTYPES[inner.name])
        return NumericColumn(numbers, None if valid.all() else valid)
    if isinstance(inner, Enum) or inner == Primitive("string") or inner == Primitive("string", "uuid"):
        return TextColumn.from_strings([None if value is None else str(value) for value in values])
    return ObjectColumn.of(values)


def _value(event: Mapping[str, Any], name: str, avro_type: AvroType, where: str) -> Any:
    here: Any = event
    for step in name.split("."):
        here = here.get(step) if isinstance(here, dict) else None
    if here is None:
        return None
    try:
        return default_value(_without_null(avro_type), here)
    except SchemaError as error:
        raise ModelInvalid(error.what, where=where, advice="Correct the golden record.") from error


def _type_of(record: Record, name: str) -> AvroType:
    here: AvroType = record
    for step in name.split("."):
        inner = _without_null(here)
        assert isinstance(inner, Record)
        here = next(field.type for field in inner.fields if field.name == step)
    return here


def _without_null(avro_type: AvroType) -> AvroType:
    optional = nullable(avro_type)
    return avro_type if optional is None else optional[1]


def _close(expected: Any, got: Any, tolerance: float) -> bool:
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, int | float) and isinstance(got, int | float):
        return expected == got or math.isclose(expected, got, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) == len(got) and all(
            _close(one, other, tolerance) for one, other in zip(expected, got, strict=True)
        )
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(_close(expected[key], got[key], tolerance) for key in expected)
    return type(expected) is type(got) and bool(expected == got)
