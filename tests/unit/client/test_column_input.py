from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from streamer.avro.decoder import EventDecoder
from streamer.avro.encoder import RecordEncoder
from streamer.avro.framing import Framing
from streamer.avro.schema import Schema, parse_schema
from streamer.client.column_input import is_columns, to_columns
from streamer.errors import EncodeError

SCHEMA = parse_schema(
    {
        "type": "record",
        "name": "Row",
        "fields": [
            {"name": "id", "type": "string", "default": "-"},
            {"name": "count", "type": ["null", "long"], "default": None},
            {"name": "small", "type": "int", "default": 0},
            {"name": "score", "type": "double", "default": 0.0},
            {"name": "maybe", "type": ["null", "double"], "default": None},
            {"name": "flag", "type": ["null", "boolean"], "default": None},
            {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}], "default": None},
            {"name": "ms", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0},
            {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None},
            {"name": "tags", "type": {"type": "array", "items": "double"}, "default": []},
            {
                "name": "place",
                "type": {"type": "record", "name": "Place", "fields": [{"name": "city", "type": ["null", "string"]}]},
                "default": {"city": None},
            },
        ],
    }
)
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
MICROS = int(MOMENT.timestamp()) * 10**6 + 678901


def round_trip(data: Any, field: str, schema: Schema = SCHEMA) -> list[Any]:
    columns, n = to_columns(data, schema)
    decoder = EventDecoder(schema, Framing.BARE, [schema])
    decoded = decoder.decode(RecordEncoder(schema).encode(columns, n))
    assert decoded.failures == []
    return decoded.batch[field].to_pylist()


@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        ("id", ["a", "b"], ["a", "b"]),
        ("id", np.array(["a", "b"]), ["a", "b"]),
        ("count", [1, None], [1, None]),
        ("count", np.array([1, 2], np.uint8), [1, 2]),
        ("count", np.array([1.0, np.nan]), [1, None]),
        ("count", np.ma.MaskedArray([1, 2], [False, True]), [1, None]),
        ("small", np.array([1, 2], np.int64), [1, 2]),
        ("score", np.array([1, 2]), [1.0, 2.0]),
        ("score", np.array([0.5, np.inf], np.float32), [0.5, np.inf]),
        ("maybe", [0.5, None], [0.5, None]),
        ("flag", np.array([True, False]), [True, False]),
        ("flag", [True, None], [True, None]),
        ("at", np.array(["2026-01-02T03:04:05.678901", "NaT"], "datetime64[ns]"), [MICROS, None]),
        ("at", [MOMENT, None], [MICROS, None]),
        ("ms", np.array(["1970-01-01T00:00:01"], "datetime64[s]"), [1000]),
        ("day", np.array(["1970-01-02"], "datetime64[D]"), [1]),
        ("day", [date(1970, 1, 2)], [1]),
        ("tags", [[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]]),
        ("tags", np.array([[1.0, 2.0], [3.0, 4.0]]), [[1.0, 2.0], [3.0, 4.0]]),
        ("place.city", ["Oslo", None], ["Oslo", None]),
        ("score", pd.Series([1, 2], dtype="Int64"), [1.0, 2.0]),
        ("count", pd.Series([1, None], dtype="Int64"), [1, None]),
        ("count", pd.Series([1, None]), [1, None]),
        ("maybe", pd.Series([0.5, None]), [0.5, None]),
        ("maybe", pd.Series([0.5, None], dtype="Float64"), [0.5, None]),
        ("flag", pd.Series([True, None], dtype="boolean"), [True, None]),
        ("flag", pd.Series([True, False]), [True, False]),
        ("id", pd.Series(["a", "b"]), ["a", "b"]),
        ("id", pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
        ("place.city", pd.Series(["a", None], dtype="string"), ["a", None]),
        ("at", pd.Series([pd.Timestamp(MOMENT), pd.NaT]), [MICROS, None]),
        ("at", pd.Series([pd.Timestamp(MOMENT).tz_convert("Asia/Tokyo")]), [MICROS]),
        ("at", pd.Series([pd.Timestamp(MOMENT).tz_localize(None)]), [MICROS]),
        ("count", pl.Series([1, None]), [1, None]),
        ("maybe", pl.Series([0.5, None]), [0.5, None]),
        ("flag", pl.Series([True, None]), [True, None]),
        ("id", pl.Series(["a", "b"]), ["a", "b"]),
        ("id", pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]),
        ("place.city", pl.Series(["a", None]), ["a", None]),
        ("at", pl.Series([MOMENT, None]), [MICROS, None]),
        ("at", pl.Series([MOMENT.replace(tzinfo=None), None]), [MICROS, None]),
        ("day", pl.Series([date(1970, 1, 2), None]), [1, None]),
        ("tags", pl.Series([[1.0], [2.0, 3.0]]), [[1.0], [2.0, 3.0]]),
    ],
    ids=lambda value: f"{type(value).__module__.split('.')[0]}-{value}"[:40] if not isinstance(value, str) else value,
)
def test_values_arrive_as_what_they_mean(field: str, values: Any, expected: list[Any]) -> None:
    assert round_trip({field: values}, field) == expected


def test_nan_stays_nan_in_numpy_and_polars_and_is_missing_in_pandas() -> None:
    assert np.isnan(round_trip({"maybe": np.array([np.nan])}, "maybe")[0])
    assert np.isnan(round_trip({"maybe": pl.Series([np.nan])}, "maybe")[0])
    assert round_trip({"maybe": pd.Series([np.nan])}, "maybe") == [None]
    assert np.isnan(round_trip({"score": pd.Series([np.nan])}, "score")[0])


def test_one_value_stands_for_all_rows() -> None:
    data = {"id": "AA", "score": np.float64(2.5), "count": np.arange(3)}
    assert round_trip(data, "id") == ["AA"] * 3
    assert round_trip(data, "score") == [2.5] * 3


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_are_columns(frame: Any) -> None:
    data = frame({"id": ["a", "b"], "score": [0.5, 1.5], "place.city": ["x", "y"]})
    assert is_columns(data)
    assert round_trip(data, "id") == ["a", "b"]
    assert round_trip(data, "place.city") == ["x", "y"]


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({"nope": [1]}, "column nope"),
        ({"id": ["a"], "score": [1.0, 2.0]}, "column score"),
        ({"small": np.array([2**31])}, "field small, row 0"),
        ({"small": np.array([1.5])}, "field small, row 0"),
        ({"small": np.array([1.0, np.nan])}, "field small, row 1"),
        ({"count": np.array([1, 2**63], np.uint64)}, "field count, row 1"),
        ({"count": np.array([1e300])}, "field count, row 0"),
        ({"count": [True]}, "field count"),
        ({"flag": [1, 0]}, "field flag"),
        ({"score": ["far"]}, "field score, row 0"),
        ({"id": ["a", None]}, "field id, row 1"),
        ({"id": [1]}, "field id, row 0"),
        ({"day": np.array([1], "timedelta64[D]")}, "field day"),
        ({"at": [datetime(2026, 1, 1)]}, "field at, row 0"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(data: dict[str, Any], where: str) -> None:
    with pytest.raises(EncodeError) as refused:
        round_trip(data, "id")
    assert refused.value.where == where


def test_columns_without_any_length_are_refused() -> None:
    with pytest.raises(EncodeError, match="how many records"):
        to_columns({"id": "a"}, SCHEMA)


def test_rows_are_not_taken_for_columns() -> None:
    assert not is_columns([{"id": "a"}])
