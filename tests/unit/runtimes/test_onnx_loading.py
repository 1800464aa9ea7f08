"""What an ONNX file may not be, and what is read out of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamer.errors import ModelInvalid
from streamer.runtimes.onnx import LABELS_KEY, OnnxRuntime
from streamer.runtimes.onnx_wire import class_labels, refuse_external_data
from tests.conformance.runtime_cases import cases
from tests.support.hostile_onnx import honest, reading_a_file

if TYPE_CHECKING:
    from pathlib import Path


def test_external_data_are_refused_even_when_the_file_is_a_hard_link_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights.bin"
    artifact = reading_a_file(tmp_path / "model.onnx", weights)
    os.link(weights, tmp_path / "linked.bin")
    linked = artifact.replace(b"weights.bin", b"linked.bin\x00")  # same length; a name of another file
    monkeypatch.chdir(tmp_path)
    for data in (artifact, linked):
        with pytest.raises(ModelInvalid, match=r"external data|cannot load"):
            OnnxRuntime().load(data)
    with pytest.raises(ModelInvalid, match="external data"):
        OnnxRuntime().load(artifact)


def test_external_data_are_found_wherever_a_tensor_can_hide() -> None:
    hidden = numpy_helper.from_array(np.zeros(3, np.float32), "w")
    hidden.data_location = TensorProto.EXTERNAL
    entry = hidden.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    branch = helper.make_graph([helper.make_node("Constant", [], ["c"], value=hidden)], "b", [], [])
    nodes = {
        "attribute": helper.make_node("Constant", [], ["y"], value=hidden),
        "sub-graph": helper.make_node("If", ["X"], ["y"], then_branch=branch, else_branch=branch),
    }
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N"])
    for node in nodes.values():
        model = helper.make_model(helper.make_graph([node], "g", [x], [x]))
        with pytest.raises(ModelInvalid, match="external data"):
            refuse_external_data(model.SerializeToString())
    function = helper.make_function(
        "local", "f", [], ["c"], [helper.make_node("Constant", [], ["c"], value=hidden)], [helper.make_opsetid("", 17)]
    )
    model = helper.make_model(helper.make_graph([], "g", [x], [x]), functions=[function])
    with pytest.raises(ModelInvalid, match="external data"):
        refuse_external_data(model.SerializeToString())
    in_initializer = helper.make_model(helper.make_graph([], "g", [x], [x], [hidden]))
    with pytest.raises(ModelInvalid, match="external data"):
        refuse_external_data(in_initializer.SerializeToString())


def test_a_model_that_only_speaks_of_a_location_is_not_refused() -> None:
    x = helper.make_tensor_value_info("location", TensorProto.FLOAT, ["N"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])
    graph = helper.make_graph([helper.make_node("Identity", ["location"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert OnnxRuntime().load(model.SerializeToString()).signature.inputs[0].name == "location"


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_damaged_message_is_refused_by_the_walk_itself(cut: int, tmp_path: Path) -> None:
    artifact = reading_a_file(tmp_path / "model.onnx", tmp_path / "weights.bin")
    with pytest.raises(ModelInvalid):
        refuse_external_data(artifact[: len(artifact) - cut])


def test_class_labels_are_read_from_classifiers_and_from_the_metadata() -> None:
    assert class_labels(cases()["onnx trees"].artifact) == [("late", "on time")]
    assert class_labels(cases()["onnx text and numbers"].artifact) == [(0, 1, 2)]
    assert class_labels(honest()) == []
    for name in ("onnx trees", "onnx zipmap"):
        assert OnnxRuntime().load(cases()[name].artifact).signature.outputs[1].labels == ("late", "on time")
    model = onnx.load_model_from_string(cases()["onnx trees"].artifact)
    entry = model.metadata_props.add()
    entry.key, entry.value = LABELS_KEY, '{"probabilities": [false, true]}'
    signature = OnnxRuntime().load(model.SerializeToString()).signature
    assert signature.outputs[1].labels == (False, True)
    entry.value = '["nonsense"'
    with pytest.raises(ModelInvalid, match="metadata"):
        OnnxRuntime().load(model.SerializeToString())


@pytest.mark.parametrize(
    ("shape", "kind", "says"),
    [
        ([1, 3], TensorProto.FLOAT, "the first axis must be open"),
        ([], TensorProto.FLOAT, "the first axis must be open"),
        (["N", "A", "B"], TensorProto.FLOAT, "more than one open axis"),
        (["N"], TensorProto.COMPLEX64, "cannot load|only tensors"),
    ],
)
def test_inputs_that_no_batch_fits_are_refused_with_advice(shape: list[object], kind: int, says: str) -> None:
    x = helper.make_tensor_value_info("X", kind, shape)
    y = helper.make_tensor_value_info("y", kind, shape)
    graph = helper.make_graph([helper.make_node("Identity", ["X"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ModelInvalid, match=says):
        OnnxRuntime().load(model.SerializeToString())


def test_an_operator_of_a_custom_library_is_refused() -> None:
    x = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])
    graph = helper.make_graph([helper.make_node("Anything", ["X"], ["y"], domain="my.ops")], "g", [x], [y])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my.ops", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    with pytest.raises(ModelInvalid, match="ONNX Runtime cannot load"):
        OnnxRuntime().load(model.SerializeToString())
    with pytest.raises(ModelInvalid, match="ORT format"):
        OnnxRuntime().load(b"\x00\x00\x00\x00ORTM" + b"\x00" * 64)
