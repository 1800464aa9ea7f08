"""Columns and batches."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.records import Column, ConstantColumn, FeatureBatch, NumericColumn, ObjectColumn, TextColumn, concat
from streamer.records.columns import column_of

TEXTS = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=8)


def columns() -> list[tuple[Column, list[Any]]]:
    half = np.array([True, False, True])
    return [
        (NumericColumn(np.array([1, 0, 3])), [1, 0, 3]),
        (NumericColumn(np.array([1.5, 0, 3]), half), [1.5, None, 3.0]),
        (NumericColumn(np.array([True, False, True])), [True, False, True]),
        (TextColumn.from_strings(["a", "", "æ"]), ["a", "", "æ"]),
        (TextColumn.from_strings(["a", None, "c"]), ["a", None, "c"]),
        (TextColumn.from_bytes([b"\xff", None, b""]), [b"\xff", None, b""]),
        (TextColumn.repeat("xy", 3), ["xy"] * 3),
        (TextColumn.repeat(None, 3), [None] * 3),
        (ConstantColumn("c", 3), ["c"] * 3),
        (ConstantColumn(None, 3), [None] * 3),
        (ObjectColumn.of([[1], None, [2]]), [[1], None, [2]]),
        (ObjectColumn([{"k": 1}, {}, {}]), [{"k": 1}, {}, {}]),  # type: ignore[arg-type]  # a list is converted
        (ObjectColumn.of([[1, 2], [3, 4], [5, 6]]), [[1, 2], [3, 4], [5, 6]]),
    ]


@pytest.mark.parametrize(("column", "values"), columns())
def test_a_column_has_its_rows_whichever_way_they_are_taken(column: Column, values: list[Any]) -> None:
    assert len(column) == 3
    assert column.to_pylist() == values
    rows = np.array([2, 0, 0, 1], np.int64)
    assert column.take(rows).to_pylist() == [values[row] for row in rows.tolist()]
    assert type(column.take(rows)) is type(column)
    assert column.take(np.empty(0, np.int64)).to_pylist() == []
    nulls = [value is None for value in values]
    assert (column.valid is None and not any(nulls)) or (column.valid is not None and (~column.valid).tolist() == nulls)
    assert concat([column, column.take(rows)]).to_pylist() == values + column.take(rows).to_pylist()
    assert concat([column]) is column


def test_numbers_become_floats_with_a_chosen_value_for_null() -> None:
    column = NumericColumn(np.array([1, 0], np.int32), np.array([True, False]))
    assert np.isnan(column.as_float64()[1])
    assert column.as_float64(null=-1).tolist() == [1.0, -1.0]
    assert NumericColumn(np.array([True])).as_float64().tolist() == [1.0]
    assert ConstantColumn(2, 2).as_float64().tolist() == [2.0, 2.0]
    assert ConstantColumn(None, 1).as_float64(null=3).tolist() == [3.0]
    assert ObjectColumn.of([Decimal("0.5"), None]).as_float64(null=7).tolist() == [0.5, 7.0]


@given(TEXTS)
def test_text_is_what_went_in(values: list[str | None]) -> None:
    column = TextColumn.from_strings(values)
    assert column.to_pylist() == values
    assert column.to_bytes_list() == [None if value is None else value.encode() for value in values]


@given(TEXTS, st.text(st.characters(exclude_categories=["Cs"]), max_size=3))
def test_equals_finds_the_rows_with_the_constant_and_never_a_null(values: list[str | None], constant: str) -> None:
    mixed = [*values, constant, constant + "x", None, "\0"]
    found = TextColumn.from_strings(mixed).equals(constant.encode()).tolist()
    assert found == [value == constant for value in mixed]


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-20, 20)))
def test_integers_become_the_digits_that_str_writes(values: list[int]) -> None:
    assert TextColumn.from_integers(np.array(values, np.int64)).to_pylist() == [str(value) for value in values]


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.uint64])
def test_integers_of_every_width_become_digits(dtype: Any) -> None:
    info = np.iinfo(dtype)
    values = [info.min, 0, 7, info.max]
    assert TextColumn.from_integers(np.array(values, dtype)).to_pylist() == [str(value) for value in values]


def test_integers_that_are_null_stay_null() -> None:
    column = TextColumn.from_integers(np.array([5, -6]), np.array([False, True]))
    assert column.to_pylist() == [None, "-6"]


def test_a_small_part_of_a_large_buffer_is_read_without_copying_it() -> None:
    buffer = np.frombuffer(b"x" * 100_000 + b"end", np.uint8)
    column = TextColumn(buffer, np.array([100_000]), np.array([3]))
    assert column.to_pylist() == ["end"]


def test_columns_of_different_kinds_are_not_joined() -> None:
    number, text = NumericColumn(np.array([1])), TextColumn.from_strings(["a"])
    with pytest.raises(TypeError, match="NumericColumn, TextColumn"):
        concat([number, text])
    with pytest.raises(TypeError, match="dtypes"):
        concat([number, NumericColumn(np.array([1.0]))])
    with pytest.raises(TypeError, match="bytes"):
        concat([text, TextColumn.from_bytes([b"a"])])
    with pytest.raises(ValueError, match="no columns"):
        concat([])


def test_different_constants_are_joined_row_by_row() -> None:
    assert concat([ConstantColumn(1, 1), ConstantColumn(True, 1), ConstantColumn(None, 1)]).to_pylist() == [
        1,
        True,
        None,
    ]
    assert isinstance(concat([ConstantColumn(1, 1), ConstantColumn(1, 2)]), ConstantColumn)


def test_nulls_survive_joining_with_a_column_that_has_none() -> None:
    some = NumericColumn(np.array([0, 2]), np.array([False, True]))
    assert concat([NumericColumn(np.array([1])), some]).to_pylist() == [1, None, 2]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, None], NumericColumn),
        ([1, None, -5], NumericColumn),
        ([1, 2.5], NumericColumn),
        ([2**53 + 1, 0.5], ObjectColumn),
        ([2**63], ObjectColumn),
        ([True, 1], ObjectColumn),
        (["a", None], TextColumn),
        ([b"a"], TextColumn),
        (["a", 1], ObjectColumn),
        ([[1], None], ObjectColumn),
        ([None, None], ObjectColumn),
    ],
)
def test_python_values_get_the_narrowest_column_that_keeps_them(values: list[Any], kind: type) -> None:
    column = column_of(values)
    assert type(column) is kind
    assert column.to_pylist() == values


def test_a_batch_flattens_nested_records_and_gives_them_back_flat() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "place": {"city": "x", "at": {"lat": 1.5}}},
        {"id": "b", "place": None},
        {"id": "c", "place": {"city": None, "at": None}, "extra": 3},
    ]
    batch = FeatureBatch.from_rows(rows)
    assert list(batch.columns) == ["id", "place.city", "place.at.lat", "extra"]
    assert batch.row(0) == {"id": "a", "place.city": "x", "place.at.lat": 1.5, "extra": None}
    assert batch.to_rows()[1:] == [
        {"id": "b", "place.city": None, "place.at.lat": None, "extra": None},
        {"id": "c", "place.city": None, "place.at.lat": None, "extra": 3},
    ]
    assert len(batch) == 3
    assert batch["id"].to_pylist() == ["a", "b", "c"]


def test_batches_are_taken_from_and_joined_by_rows() -> None:
    batch = FeatureBatch.from_rows([{"a": 1}, {"a": 2}, {"a": 3}])
    part = batch.take(np.array([2, 0]))
    assert part.to_rows() == [{"a": 3}, {"a": 1}]
    assert FeatureBatch.concat([batch, part]).n == 5
    with pytest.raises(TypeError, match="different columns"):
        FeatureBatch.concat([batch, FeatureBatch.from_rows([{"b": 1}])])
    with pytest.raises(ValueError, match="no batches"):
        FeatureBatch.concat([])


def test_a_batch_refuses_a_column_of_another_length() -> None:
    with pytest.raises(ValueError, match="column a has 1 rows in a batch of 2"):
        FeatureBatch(2, {"a": ConstantColumn(1, 1)})


def test_a_batch_without_columns_still_has_rows() -> None:
    assert FeatureBatch(2, {}).to_rows() == [{}, {}]
    assert FeatureBatch.from_rows([]).n == 0
