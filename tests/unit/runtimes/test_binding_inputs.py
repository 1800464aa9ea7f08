"""From event columns to a model's inputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from streamer.errors import ModelInvalid
from streamer.records.columns import (
    Column,
    ConstantColumn,
    FeatureBatch,
    NumericColumn,
    ObjectColumn,
    TextColumn,
    column_of,
)
from streamer.records.model_version import Mapping
from streamer.runtimes.binding import BoundModel, Prediction
from tests.unit.runtimes.array_model import ArrayModel, record, spec

OUTPUT = record("output", score="double")
SUIT = {"type": "enum", "name": "suit", "symbols": ["CLUBS", "HEARTS"]}


def bound(
    event: dict[str, Any], inputs: dict[str, Any], dtype: str = "float32", nulls: dict[str, Any] | None = None
) -> tuple[BoundModel, ArrayModel]:
    width = sum(1 for _ in inputs["X"]) if isinstance(inputs["X"], tuple) else 1
    model = ArrayModel(
        [spec("X", dtype, width)], [spec("score", "float64")], lambda given: {"score": np.zeros(len(given["X"]))}
    )
    return BoundModel(
        model, Mapping(inputs=inputs, nulls=nulls or {}, outputs={"score": "score"}), event, OUTPUT
    ), model


def gathered(
    avro_type: Any, column: Column, dtype: str, null: Any = None, path: str = "f"
) -> tuple[list[Any], Prediction]:
    """What the model sees of one column, and the prediction."""
    model_bound, model = bound(record(f=avro_type), {"X": (path,)}, dtype, None if null is None else {path: null})
    prediction = model_bound.predict(FeatureBatch(len(column), {"f": column}))
    return ([] if not model.seen else model.seen["X"][:, 0].tolist()), prediction


def test_columns_come_in_the_order_of_the_mapping_as_one_contiguous_array() -> None:
    model_bound, model = bound(record(a="double", b="int", c="boolean"), {"X": ("c", "a", "b")})
    model_bound.predict(
        FeatureBatch(
            2,
            {
                "a": NumericColumn(np.array([1.5, 2.5])),
                "b": NumericColumn(np.array([3, 4], np.int32)),
                "c": NumericColumn(np.array([True, False])),
                "unused": ConstantColumn("x", 2),
            },
        )
    )
    assert model.seen["X"].tolist() == [[1.0, 1.5, 3.0], [0.0, 2.5, 4.0]]
    assert model.seen["X"].dtype == np.float32
    assert model.seen["X"].flags.c_contiguous
    assert model_bound.event_columns == {"a", "b", "c"}


def test_a_null_is_rejected_unless_the_mapping_says_otherwise_and_its_neighbours_are_answered() -> None:
    column = column_of([1.0, None, 3.0])
    values, prediction = gathered(["null", "double"], column, "float32")
    assert values == [1.0, 3.0]
    assert prediction.failed.tolist() == [False, True, False]
    assert prediction.reasons == {1: ("null_input", "f is null, and the model takes no null there")}
    assert len(prediction.columns["score"]) == 3


@pytest.mark.parametrize(("policy", "expected"), [(-1, -1.0), (0.5, 0.5), (True, 1.0)])
def test_a_value_stands_in_for_null(policy: Any, expected: float) -> None:
    values, prediction = gathered(["null", "double"], column_of([1.0, None]), "float64", policy)
    assert values == [1.0, expected]
    assert not prediction.failed.any()


def test_nan_stands_in_for_null_in_float_inputs_only() -> None:
    values, _ = gathered(["null", "long"], column_of([1, None]), "float32", "nan")
    assert values[0] == 1.0
    assert math.isnan(values[1])
    with pytest.raises(ModelInvalid, match="null cannot become NaN in a int64 input"):
        bound(record(f=["null", "long"]), {"X": ("f",)}, "int64", {"f": "nan"})


@pytest.mark.parametrize(("dtype", "policy"), [("int32", 2.5), ("int8", 300), ("float32", "zero"), ("bool", 7)])
def test_a_stand_in_that_the_input_cannot_hold_is_refused(dtype: str, policy: Any) -> None:
    with pytest.raises(ModelInvalid, match="cannot stand in for null"):
        bound(record(f=["null", "long"]), {"X": ("f",)}, dtype, {"f": policy})


def test_integers_and_floats_are_rounded_to_float_inputs() -> None:
    assert gathered("long", column_of([2**24 + 1, 5]), "float32")[0] == [float(2**24), 5.0]
    assert gathered("double", column_of([0.1]), "float32")[0] == [float(np.float32(0.1))]


def test_a_double_beyond_a_float32_is_rejected_and_an_infinite_one_passed_on() -> None:
    values, prediction = gathered("double", column_of([1e308, math.inf, 1.0]), "float32")
    assert values == [math.inf, 1.0]
    assert prediction.reasons == {0: ("input_range", "f: the value does not fit float32")}


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("int32", [0, -(2**31), 2**31 - 1], [2**31, -(2**31) - 1]),
        ("int64", [1.0, -5.0, float(2**62)], [0.5, math.nan, math.inf, 2.0**63]),
        ("int8", [-128, 127], [128, 1000]),
        ("uint8", [0, 255], [-1, 256]),
        ("bool", [0, 1], [2, -1]),
        ("bool", [0.0, 1.0], [0.5, math.nan]),
    ],
)
def test_integer_and_boolean_inputs_take_what_they_hold_exactly(
    dtype: str, good: list[float], bad: list[float]
) -> None:
    avro_type = "double" if isinstance(good[0], float) else "long"
    values, prediction = gathered(avro_type, column_of([*good, *bad]), dtype)
    assert values == good
    assert prediction.failed.tolist() == [False] * len(good) + [True] * len(bad)
    assert {code for code, _ in prediction.reasons.values()} == {"input_range"}


def test_text_integers_and_truth_values_become_text_inputs() -> None:
    assert gathered("string", TextColumn.from_strings(["ä", ""]), "string")[0] == ["ä", ""]
    assert gathered("long", column_of([-7, 8]), "string")[0] == ["-7", "8"]
    assert gathered("boolean", column_of([True, False]), "string")[0] == ["true", "false"]
    assert gathered(SUIT, TextColumn.from_strings(["HEARTS"]), "string")[0] == ["HEARTS"]
    assert gathered(["null", "string"], TextColumn.from_strings(["a", None]), "string", "none")[0] == ["a", "none"]


def test_an_enum_becomes_the_place_of_its_symbol_in_a_number_input() -> None:
    assert gathered(SUIT, TextColumn.from_strings(["HEARTS", "CLUBS"]), "int64")[0] == [1, 0]
    assert gathered(SUIT, ConstantColumn("HEARTS", 2), "float32")[0] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("avro_type", "dtype"),
    [
        ("string", "float32"),
        ("bytes", "float32"),
        ("double", "string"),
        ({"type": "array", "items": "double"}, "float32"),
        (["null", "string", "long"], "float32"),
    ],
)
def test_a_field_that_cannot_become_the_input_is_refused_when_bound(avro_type: Any, dtype: str) -> None:
    with pytest.raises(ModelInvalid, match="cannot become a"):
        bound(record(f=avro_type), {"X": ("f",)}, dtype)


def test_items_of_arrays_and_maps_are_taken_and_missing_ones_follow_the_null_policy() -> None:
    lists = ObjectColumn.of([[1.0, 2.0], [3.0]])
    avro_type = {"type": "array", "items": "double"}
    values, prediction = gathered(avro_type, lists, "float32", path="f[1]")
    assert values == [2.0]
    assert prediction.reasons[1][0] == "null_input"
    maps = ObjectColumn.of([{"k": 4}, {}])
    assert gathered({"type": "map", "values": "int"}, maps, "int64", 9, 'f["k"]')[0] == [4, 9]


def test_a_slice_of_an_array_becomes_as_many_columns() -> None:
    model = ArrayModel(
        [spec("X", "float32", 4)], [spec("score", "float64")], lambda x: {"score": np.zeros(len(x["X"]))}
    )
    mapping = Mapping(inputs={"X": ("a", "v[1:4]")}, outputs={"score": "score"})
    event = record(a="double", v={"type": "array", "items": "float"})
    model_bound = BoundModel(model, mapping, event, OUTPUT)
    vectors = ObjectColumn.of([[0.0, 1.0, 2.0, 3.0, 4.0], [5.0, 6.0], [7.0, 8.0, 9.0, 10.0]])
    prediction = model_bound.predict(FeatureBatch(3, {"a": column_of([0.5, 0.6, 0.7]), "v": vectors}))
    assert model.seen["X"] == pytest.approx(np.array([[0.5, 1, 2, 3], [0.7, 8, 9, 10]]))
    assert prediction.failed.tolist() == [False, True, False]


def test_an_input_of_more_axes_takes_its_columns_row_by_row() -> None:
    model = ArrayModel(
        [spec("X", "float32", 2, None)], [spec("score", "float64")], lambda x: {"score": np.zeros(len(x["X"]))}
    )
    event = record(v={"type": "array", "items": "float"})
    model_bound = BoundModel(model, Mapping(inputs={"X": "v[0:6]"}, outputs={"score": "score"}), event, OUTPUT)
    model_bound.predict(FeatureBatch(1, {"v": ObjectColumn.of([[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]])}))
    assert model.seen["X"].tolist() == [[[0, 1, 2], [3, 4, 5]]]


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        (
            Mapping(inputs={"Y": "f"}, outputs={"score": "score"}),
            "inputs without a field: X; no inputs of the model: Y",
        ),
        (Mapping(inputs={"X": ("f", "f")}, outputs={"score": "score"}), "has 1 columns, and the mapping gives it 2"),
        (Mapping(inputs={"X": ()}, outputs={"score": "score"}), "at least one field"),
        (Mapping(inputs={"X": "f"}, nulls={"g": 0}, outputs={"score": "score"}), "null policy for what is no input: g"),
    ],
)
def test_a_mapping_that_does_not_fit_the_inputs_is_refused(mapping: Mapping, says: str) -> None:
    model = ArrayModel([spec("X", "float32", 1)], [spec("score", "float64")], lambda x: {"score": x["X"][:, 0]})
    with pytest.raises(ModelInvalid, match=says):
        BoundModel(model, mapping, record(f="double", g="double"), OUTPUT)


def test_a_model_without_declared_inputs_gets_each_field_as_it_is() -> None:
    model = ArrayModel([], [spec("score", "float64")], lambda x: {"score": np.zeros(1)})
    mapping = Mapping(inputs={"a": "f", "b": "g"}, outputs={"score": "score"})
    model_bound = BoundModel(model, mapping, record(f="int", g="string"), OUTPUT)
    zeros = {tensor.name: tensor.zeros(2) for tensor in model_bound._inputs}
    assert zeros["a"].dtype == np.int64
    assert zeros["b"].tolist() == ["", ""]
    with pytest.raises(ModelInvalid, match="one field per input"):
        BoundModel(
            model, Mapping(inputs={"a": ("f", "g")}, outputs={"score": "score"}), record(f="int", g="int"), OUTPUT
        )
