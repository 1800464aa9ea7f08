"""Making a version ready, and what stops it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from streamer.errors import ModelInvalid
from streamer.records.columns import FeatureBatch, column_of
from streamer.records.model_version import Artifact, GoldenRecord, Mapping, ModelVersion
from streamer.runtimes.onnx import OnnxRuntime
from streamer.runtimes.preparation import prepare
from tests.support.hostile_onnx import honest
from tests.unit.runtimes.array_model import record

EVENT = record(f=["null", "double"], suit={"type": "enum", "name": "suit", "symbols": ["A", "B"]})
OUTPUT = record("output", y="double")


def version(**changes: Any) -> ModelVersion:
    """A version of the model that doubles its input."""
    return ModelVersion(
        uuid=UUID(int=1),
        name="double",
        version=3,
        format="onnx",
        artifact=Artifact(uri="memory:///double", sha256="0" * 64, size_bytes=1),
        signature=OnnxRuntime().load(honest()).signature,
        mapping=Mapping(inputs={"X": "f"}, outputs={"y": "y"}),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    ).model_copy(update=changes)


def golden(event: dict[str, Any], **output: Any) -> tuple[GoldenRecord, ...]:
    return (GoldenRecord(event=event, output=output),)


def test_a_prepared_version_answers() -> None:
    bound = prepare(version(golden=golden({"f": 1.5}, y=3.0)), honest(), EVENT, OUTPUT)
    assert bound.predict(FeatureBatch(2, {"f": column_of([1.0, 2.0])})).columns["y"].to_pylist() == [2.0, 4.0]
    bound.close()


def test_a_golden_record_that_differs_is_told_with_field_expected_and_got() -> None:
    with pytest.raises(ModelInvalid) as caught:
        prepare(version(golden=golden({"f": 1.5}, y=3.1)), honest(), EVENT, OUTPUT)
    assert caught.value.where == "double version 3, golden[0].output.y"
    assert caught.value.what == "expected 3.1, got 3.0 (tolerance 1e-05)"


def test_a_golden_record_may_differ_within_its_tolerance() -> None:
    record_within = GoldenRecord(event={"f": 1.5}, output={"y": 3.1}, tolerance=0.05)
    prepare(version(golden=(record_within,)), honest(), EVENT, OUTPUT).close()


@pytest.mark.parametrize(
    ("event", "output", "says"),
    [
        ({"f": None}, {"y": 1.0}, "the model has no answer: f is null"),
        ({}, {"y": 1.0}, "the model has no answer: f is null"),
        ({"f": "text"}, {"y": 1.0}, "golden"),
        ({"f": 1.0}, {"z": 1.0}, "no field 'z'"),
        ({"f": 1.0}, {"y": "2.0"}, "expected '2.0', got 2.0"),
        ({"f": 1.0}, {"y": True}, "expected True"),
        ({"f": 1.0}, {"y": None}, "expected None"),
    ],
)
def test_a_golden_record_that_cannot_be_checked_is_refused(event: Any, output: Any, says: str) -> None:
    with pytest.raises(ModelInvalid, match=says):
        prepare(version(golden=golden(event, **output)), honest(), EVENT, OUTPUT)


def test_golden_events_may_hold_enums_and_integers_for_doubles() -> None:
    on_enum = version(mapping=Mapping(inputs={"X": "suit"}, outputs={"y": "y"}), golden=golden({"suit": "B"}, y=2))
    prepare(on_enum, honest(), EVENT, OUTPUT).close()
    prepare(version(golden=golden({"f": 2}, y=4)), honest(), EVENT, OUTPUT).close()


def test_an_artifact_with_another_signature_than_registered_is_refused() -> None:
    other = version().signature.model_copy(update={"outputs": ()})
    with pytest.raises(ModelInvalid, match="another signature"):
        prepare(version(signature=other), honest(), EVENT, OUTPUT)


def test_without_golden_records_zeros_are_asked_and_a_model_that_fails_on_them_is_refused() -> None:
    prepare(version(), honest(), EVENT, OUTPUT).close()
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", 1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["M"])
    shape = helper.make_node("Shape", ["X"], ["s"])
    cast = helper.make_node("Cast", ["s"], ["y"], to=TensorProto.FLOAT)
    graph = helper.make_graph([shape, cast], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    broken = version(signature=OnnxRuntime().load(model).signature)
    with pytest.raises(ModelInvalid, match="asked with zeros and empty texts, the model answered 2 rows of y"):
        prepare(broken, model, EVENT, OUTPUT)


def test_versions_survive_json(unique: str) -> None:
    original = version(golden=golden({"f": 1.5}, y=3.0), description=unique)
    assert ModelVersion.model_validate_json(original.model_dump_json()) == original
    assert np.dtype(original.signature.inputs[0].dtype) == np.float32
