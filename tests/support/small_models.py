"""Tiny ONNX models: honest ones from scikit-learn, and ones that misbehave on the events that ask for it.

All take one input `X` of four float32 columns, the event's x0 to x3, and give one number per event.
"""

from __future__ import annotations

import functools
import hashlib
import uuid
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from streamer.runtimes.protocol import runtime_for

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FEATURES = ("x0", "x1", "x2", "x3")
_OPSET = 17
_IR_VERSION = 8


@dataclass(frozen=True)
class SmallModel:
    """One artifact and what it stands for.

    Attributes:
        name: The model's name.
        version: Its number.
        artifact: The bytes.
        output: The output that is the answer.
    """

    name: str
    version: int
    artifact: bytes
    output: str

    @property
    def uuid(self) -> str:
        """The same for the same bytes."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.name}/{self.version}/{self.sha256}"))

    @property
    def sha256(self) -> str:
        """Of the artifact."""
        return hashlib.sha256(self.artifact).hexdigest()

    def answers(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the model says to n events, asked directly: (n, 4) to (n,)."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # several threads add the trees up in another order
        session = onnxruntime.InferenceSession(self.artifact, options, providers=["CPUExecutionProvider"])
        (answers,) = session.run([self.output], {"X": features.astype(np.float32)})
        return np.asarray(answers, np.float64).reshape(len(features))

    def document(self, folder: Path, **changes: Any) -> dict[str, Any]:
        """Its ModelVersion document, with the artifact in a file of that folder."""
        path = folder / f"{self.sha256}.onnx"
        path.write_bytes(self.artifact)
        signature = runtime_for("onnx").load(self.artifact).signature
        return {
            "kind": "model",
            "uuid": self.uuid,
            "name": self.name,
            "version": self.version,
            "format": "onnx",
            "artifact": {"uri": path.as_uri(), "sha256": self.sha256, "size_bytes": len(self.artifact)},
            "signature": signature.model_dump(mode="json"),
            "mapping": {"inputs": {"X": list(FEATURES)}, "outputs": {"score": self.output}},
            "created_at": "2026-01-01T00:00:00Z",
            **changes,
        }


@functools.cache
def boosted_trees(version: int = 1) -> SmallModel:
    """Boosted trees from scikit-learn: the same bits whatever the batch. Each version has other trees."""
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingRegressor

    random = np.random.default_rng(version)
    features = random.normal(size=(300, len(FEATURES)))
    target = features @ random.normal(size=len(FEATURES)) + version
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter's own
        estimator = GradientBoostingRegressor(n_estimators=4, max_depth=3, random_state=version).fit(features, target)
        converted = to_onnx(estimator, features[:1].astype(np.float32), target_opset=_OPSET)
    return SmallModel("trees", version, converted.SerializeToString(), converted.graph.output[0].name)


@functools.cache
def constant(value: float, name: str = "constant") -> SmallModel:
    """Always the same answer."""
    nodes = [
        helper.make_node("Mul", ["first", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "value"], ["score"]),
    ]
    return _model(name, nodes, zero=np.float32([0]), value=np.float32([value]))


@functools.cache
def nan_for_negative() -> SmallModel:
    """The square root of x0: NaN where that is negative."""
    return _model("roots", [helper.make_node("Sqrt", ["first"], ["score"])])


@functools.cache
def raises_from_ten() -> SmallModel:
    """Looks x0 up in a table of ten: the runtime raises for the whole batch when one is 10 or more."""
    nodes = [
        helper.make_node("Cast", ["first"], ["row"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "row"], ["score"]),
    ]
    return _model("lookup", nodes, table=np.arange(10, dtype=np.float32))


@functools.cache
def short_for_negative() -> SmallModel:
    """Leaves out the rows whose x0 is negative: an answer of another length than the question."""
    nodes = [
        helper.make_node("Less", ["first", "zero"], ["negative"]),
        helper.make_node("Not", ["negative"], ["kept"]),
        helper.make_node("Compress", ["first", "kept"], ["score"], axis=0),
    ]
    return _model("holes", nodes, zero=np.float32([0]))


def _model(name: str, nodes: list[Any], **constants: NDArray[Any]) -> SmallModel:
    """A graph whose nodes find x0 as `first` (n,) and leave their answer in `score` (n,)."""
    first = helper.make_node("Gather", ["X", "column_of_x0"], ["first"], axis=1)
    constants["column_of_x0"] = np.array(0, np.int64)
    graph = helper.make_graph(
        [first, *nodes],
        name,
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, len(FEATURES)])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(array, constant) for constant, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    return SmallModel(name, 1, model.SerializeToString(), "score")
