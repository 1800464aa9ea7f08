"""From a model's answers to the columns of the output record."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from streamer.errors import ModelInvalid
from streamer.records.columns import FeatureBatch, NumericColumn
from streamer.records.model_version import Mapping, TensorSpec
from streamer.runtimes.binding import BoundModel, Prediction
from streamer.runtimes.failure_isolation import EXTRA_CALLS
from tests.unit.runtimes.array_model import ArrayModel, field, record, spec

EVENT = record(f="double")
VERDICT = {"type": "enum", "name": "verdict", "symbols": ["LATE", "ON_TIME"]}


def answered(output: dict[str, Any], outputs: dict[str, str], **answers: tuple[TensorSpec, Any]) -> Prediction:
    """The prediction of a model that always answers the same."""
    n = max(len(values) for _, values in answers.values())
    model = ArrayModel(
        [spec("X", "float64")],
        [described for described, _ in answers.values()],
        lambda _: {name: values for name, (_, values) in answers.items()},
    )
    bound = BoundModel(model, Mapping(inputs={"X": "f"}, outputs=outputs), EVENT, output)
    return bound.predict(FeatureBatch(n, {"f": NumericColumn(np.arange(float(n)))}))


def values(prediction: Prediction, name: str = "y") -> list[Any]:
    return prediction.columns[name].to_pylist()


PROBABILITIES = (spec("p", "float32", 2, labels=("no", "yes")), np.array([[0.75, 0.25], [0.5, 0.5]], np.float32))


@pytest.mark.parametrize("expression", ["p[1]", 'p["yes"]', "p['yes']"])
def test_a_column_is_picked_by_place_or_by_class(expression: str) -> None:
    assert values(answered(record(y="double"), {"y": expression}, p=PROBABILITIES)) == [0.25, 0.5]


def test_a_map_is_asked_by_class_and_a_class_it_has_not_met_has_probability_zero() -> None:
    maps = (spec("p", "map"), [{True: 0.75, False: 0.25}, {False: 1.0}])
    for expression in ('p["true"]', "p[1]"):
        assert values(answered(record(y="double"), {"y": expression}, p=maps)) == [0.75, 0.0]


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("q", "names no output"),
        ("p[2]", "has the columns 0 to 1"),
        ('p["maybe"]', "has no such class"),
        ("p", "has several values per record"),
        ("label[0]", "has one value per record"),
    ],
)
def test_an_expression_that_picks_nothing_is_refused_with_what_there_is(expression: str, says: str) -> None:
    label = (spec("label", "int64"), np.array([0, 1]))
    with pytest.raises(ModelInvalid, match=says):
        answered(record(y="double"), {"y": expression}, p=PROBABILITIES, label=label)


@pytest.mark.parametrize(
    ("avro_type", "dtype", "given", "expected"),
    [
        ("double", "float32", [0.5, 2.0], [0.5, 2.0]),
        ("float", "float64", [0.5, 2.0], [0.5, 2.0]),
        ("long", "int64", [1, -2], [1, -2]),
        ("int", "int64", [1, -2], [1, -2]),
        ("boolean", "int64", [0, 1], [False, True]),
        ("boolean", "bool", [False, True], [False, True]),
        ("double", "int64", [1, 2], [1.0, 2.0]),
        ("long", "float32", [1.0, 2.0], [1, 2]),
        ("string", "int64", [-10, 7], ["-10", "7"]),
        ("string", "string", ["a", "ß"], ["a", "ß"]),
        (VERDICT, "string", ["LATE", "ON_TIME"], ["LATE", "ON_TIME"]),
        ({"type": "long", "logicalType": "timestamp-millis"}, "int64", [1, 2], [1, 2]),
    ],
)
def test_answers_become_the_type_of_the_field(
    avro_type: Any, dtype: str, given: list[Any], expected: list[Any]
) -> None:
    array = np.array(given, object if dtype == "string" else dtype)
    prediction = answered(record(y=avro_type), {"y": "p"}, p=(spec("p", dtype), array))
    assert values(prediction) == expected
    assert [type(value) for value in values(prediction)] == [type(value) for value in expected]
    assert not prediction.failed.any()


@pytest.mark.parametrize(
    ("avro_type", "dtype", "given"),
    [
        ("int", "int64", [2**31, 1]),
        ("boolean", "int64", [2, 1]),
        ("long", "float64", [0.5, 1.0]),
        ("long", "float64", [2.0**63, 1.0]),
        (VERDICT, "string", ["EARLY", "LATE"]),
    ],
)
def test_an_answer_that_the_field_cannot_hold_fails_its_row_only(avro_type: Any, dtype: str, given: list[Any]) -> None:
    array = np.array(given, object if dtype == "string" else dtype)
    prediction = answered(record(y=avro_type), {"y": "p"}, p=(spec("p", dtype), array))
    assert prediction.failed.tolist() == [True, False]
    assert prediction.reasons[0][0] == "output_range"
    assert values(prediction)[1] in (True, 1, "LATE")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_fails_its_row_becomes_null_or_is_allowed_as_the_schema_says(value: float) -> None:
    p = (spec("p", "float64"), np.array([value, 1.0]))
    strict = answered(record(y="double"), {"y": "p"}, p=p)
    assert strict.failed.tolist() == [True, False]
    assert strict.reasons[0][0] == "output_not_finite"
    optional = answered(record(y=["null", "double"]), {"y": "p"}, p=p)
    assert not optional.failed.any()
    assert values(optional) == [None, 1.0]
    allowed = answered(record(y=field("double", allow_nan=True)), {"y": "p"}, p=p)
    assert not allowed.failed.any()
    assert np.array_equal(values(allowed), [value, 1.0], equal_nan=True)


def test_a_double_that_overflows_a_float_field_counts_as_not_finite() -> None:
    prediction = answered(record(y="float"), {"y": "p"}, p=(spec("p", "float64"), np.array([1e300, 1.0])))
    assert prediction.failed.tolist() == [True, False]


def test_a_missing_label_is_null_where_the_field_can_be_null_and_fails_the_row_otherwise() -> None:
    label = (spec("p", "object"), np.array([None, "a", None], object))
    assert values(answered(record(y=["null", "string"]), {"y": "p"}, p=label)) == [None, "a", None]
    strict = answered(record(y="string"), {"y": "p"}, p=label)
    assert strict.failed.tolist() == [True, False, True]
    assert strict.reasons[2][0] == "output_missing"
    nothing = (spec("p", "object"), np.array([None], object))
    assert answered(record(y="long"), {"y": "p"}, p=nothing).failed.tolist() == [True]


def test_whole_rows_become_arrays_and_maps() -> None:
    array = answered(record(y={"type": "array", "items": "float"}), {"y": "p"}, p=PROBABILITIES)
    assert values(array) == [[0.75, 0.25], [0.5, 0.5]]
    maps = (spec("p", "map"), [{"a": 0.25, "b": 0.75}])
    assert values(answered(record(y={"type": "map", "values": "double"}), {"y": "p"}, p=maps)) == [
        {"a": 0.25, "b": 0.75}
    ]
    broken = (spec("p", "float32", 2), np.array([[math.nan, 1], [1, 2]], np.float32))
    prediction = answered(record(y={"type": "array", "items": "float"}), {"y": "p"}, p=broken)
    assert prediction.failed.tolist() == [True, False]


def test_fields_that_no_output_fills_take_their_default_or_null() -> None:
    output = record(y="double", note=field("string", default="none"), extra=["null", "long"])
    prediction = answered(output, {"y": "p[0]"}, p=PROBABILITIES)
    assert values(prediction, "note") == ["none", "none"]
    assert values(prediction, "extra") == [None, None]
    with pytest.raises(ModelInvalid, match="nothing fills the field 'z'"):
        answered(record(y="double", z="double"), {"y": "p[0]"}, p=PROBABILITIES)
    with pytest.raises(ModelInvalid, match="has no field w"):
        answered(record(y="double"), {"y": "p[0]", "w": "p[1]"}, p=PROBABILITIES)


def test_a_nested_output_record_is_filled_by_dotted_names() -> None:
    prediction = answered(record(a=record("inner", y="double")), {"a.y": "p[1]"}, p=PROBABILITIES)
    assert values(prediction, "a.y") == [0.25, 0.5]


@pytest.mark.parametrize(
    ("described", "given"),
    [
        (spec("p", "float32"), np.zeros(3, np.float32)),
        (spec("p", "float32"), np.zeros((2, 5), np.float32)),
        (spec("p", "float32"), np.zeros(2, np.float64)),
        (spec("p", "float32"), np.array(["a", "b"], object)),
        (spec("p", "float32"), [{"a": 1.0}, {"a": 2.0}]),
        (spec("p", "map"), [{"a": "x"}, {"a": 1.0}]),
    ],
)
def test_nonsense_fails_the_whole_batch_with_a_reason(described: TensorSpec, given: Any) -> None:
    model = ArrayModel([spec("X", "float64")], [described], lambda _: {"p": given})
    expression = 'p["a"]' if described.dtype == "map" else "p"
    bound = BoundModel(model, Mapping(inputs={"X": "f"}, outputs={"y": expression}), EVENT, record(y="double"))
    prediction = bound.predict(FeatureBatch(2, {"f": NumericColumn(np.zeros(2))}))
    assert prediction.failed.all()
    assert {code for code, _ in prediction.reasons.values()} == {"output_malformed"}


def poisoned(*bad: float) -> tuple[BoundModel, ArrayModel]:
    def answer(given: Any) -> dict[str, Any]:
        if np.isin(given["X"], bad).any():
            raise ValueError("poison")
        return {"p": given["X"] * 2}

    model = ArrayModel([spec("X", "float64")], [spec("p", "float64")], answer)
    return BoundModel(model, Mapping(inputs={"X": "f"}, outputs={"y": "p"}), EVENT, record(y="double")), model


def test_records_that_make_the_model_raise_fail_alone() -> None:
    bound, model = poisoned(17.0, 4000.0)
    prediction = bound.predict(FeatureBatch(8192, {"f": NumericColumn(np.arange(8192.0))}))
    assert np.flatnonzero(prediction.failed).tolist() == [17, 4000]
    assert prediction.reasons[17] == ("model_raised", "the model raised ValueError: poison")
    answers = np.array(values(prediction))
    good = ~prediction.failed
    assert np.array_equal(answers[good], np.arange(8192.0)[good] * 2)
    assert len(model.calls) <= EXTRA_CALLS + 1


def test_a_model_that_always_raises_is_asked_a_bounded_number_of_times_and_all_rows_fail() -> None:
    bound, model = poisoned(*range(8192))
    prediction = bound.predict(FeatureBatch(8192, {"f": NumericColumn(np.arange(8192.0))}))
    assert prediction.failed.all()
    assert set(prediction.reasons) == set(range(8192))
    assert len(model.calls) == EXTRA_CALLS + 1


def test_a_null_and_a_poisonous_record_in_one_batch_are_told_apart() -> None:
    bound, _ = poisoned(2.0)
    valid = np.array([True, False, True, True])
    prediction = bound.predict(FeatureBatch(4, {"f": NumericColumn(np.array([0.0, 0.0, 2.0, 3.0]), valid)}))
    assert {row: code for row, (code, _) in prediction.reasons.items()} == {1: "null_input", 2: "model_raised"}
    answers = values(prediction)
    assert (answers[0], answers[3]) == (0.0, 6.0)


def test_an_empty_batch_and_a_batch_without_a_good_row_are_answered_without_the_model() -> None:
    bound, model = poisoned()
    empty = bound.predict(FeatureBatch(0, {"f": NumericColumn(np.zeros(0))}))
    assert len(empty.columns["y"]) == 0
    nothing = bound.predict(FeatureBatch(2, {"f": NumericColumn(np.zeros(2), np.zeros(2, np.bool_))}))
    assert nothing.failed.all()
    assert len(nothing.columns["y"]) == 2
    assert model.calls == []


def test_only_outputs_that_are_mapped_are_asked_for() -> None:
    def answer(given: Any) -> dict[str, Any]:
        return {"p": given["X"]}  # asking for q would be a KeyError

    model = ArrayModel([spec("X", "float64")], [spec("p", "float64"), spec("q", "float64")], answer)
    bound = BoundModel(model, Mapping(inputs={"X": "f"}, outputs={"y": "p"}), EVENT, record(y="double"))
    assert not bound.predict(FeatureBatch(1, {"f": NumericColumn(np.ones(1))})).failed.any()
