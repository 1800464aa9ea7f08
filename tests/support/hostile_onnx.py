"""ONNX models that loop, allocate, crash their runtime's assumptions or read other files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path


def _model(nodes: list[onnx.NodeProto], initializers: list[onnx.TensorProto], out_shape: list[str]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out_shape)],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def honest() -> bytes:
    """y = X * 2, shape (n, 1)."""
    two = numpy_helper.from_array(np.array([2], np.float32), "two")
    data: bytes = _model([helper.make_node("Mul", ["X", "two"], ["y"])], [two], ["N", "1"]).SerializeToString()
    return data


def endless() -> bytes:
    """A Loop of 2**62 turns when it is asked."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["cond_in"], ["cond_out"]),
            helper.make_node("Add", ["carried", "one"], ["carried_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("cond_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("cond_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried_out", TensorProto.FLOAT, None),
        ],
        [numpy_helper.from_array(np.array([1], np.float32), "one")],
    )
    turns = numpy_helper.from_array(np.array(2**62, np.int64), "turns")
    go_on = numpy_helper.from_array(np.array(True), "go_on")
    loop = helper.make_node("Loop", ["turns", "go_on", "X"], ["y"], body=body)
    data: bytes = _model([loop], [turns, go_on], ["N", "1"]).SerializeToString()
    return data


def gluttonous(elements: int = 10**10) -> bytes:
    """Expands X to this many floats for every record when it is asked: 40 GB by default."""
    size = numpy_helper.from_array(np.array([1, elements], np.int64), "size")
    axes = numpy_helper.from_array(np.array([1], np.int64), "axes")
    nodes = [
        helper.make_node("Expand", ["X", "size"], ["big"]),
        helper.make_node("ReduceSum", ["big", "axes"], ["y"], keepdims=1),
    ]
    data: bytes = _model(nodes, [size, axes], ["N", "1"]).SerializeToString()
    return data


def reading_a_file(path: Path, weights: Path) -> bytes:
    """y = X * w, where w lies in another file, as `path` would be saved with external data."""
    two = numpy_helper.from_array(np.full(1024, 2, np.float32), "two")
    model = _model([helper.make_node("Mul", ["X", "two"], ["y"])], [two], ["N", "1024"])
    onnx.save_model(
        model, path, save_as_external_data=True, all_tensors_to_one_file=True, location=weights.name, size_threshold=0
    )
    return path.read_bytes()
