"""One artifact per runtime and shape of model, for the suite that every runtime passes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import skl2onnx
from onnx import TensorProto, helper
from river import anomaly, forest, linear_model, preprocessing
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from streamer.runtimes.river import dump_river

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROWS = 600


@dataclass(frozen=True)
class RuntimeCase:
    """An artifact and how to ask it.

    Attributes:
        format: Of which runtime it is.
        artifact: The bytes.
        inputs: n to inputs of n rows, the same each time.
        outputs: The names that it must have.
    """

    format: str
    artifact: bytes
    inputs: Callable[[int], dict[str, NDArray[Any]]]
    outputs: tuple[str, ...]


def numbers(n: int, dtype: str = "float32") -> NDArray[Any]:
    """Shape (n, 3)."""
    return (np.arange(3 * n).reshape(n, 3) % 17 / 3 - 2).astype(dtype)


def texts(n: int) -> NDArray[Any]:
    """Shape (n,), some of them not ASCII."""
    return np.array([("AA", "UA", "Ünïcode", "")[row % 4] for row in range(n)], object)


def _sklearn(model: Any, types: list[tuple[str, Any]], zipmap: bool) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = skl2onnx.to_onnx(model, initial_types=types, options={id(model): {"zipmap": zipmap}})
    data: bytes = converted.SerializeToString()
    return data


def _labels(X: NDArray[Any]) -> NDArray[Any]:
    return np.where(X[:, 0] > 0, "late", "on time")


@cache
def cases() -> dict[str, RuntimeCase]:
    """Every case by name."""
    X = numbers(ROWS)
    trees = GradientBoostingClassifier(n_estimators=5, random_state=1).fit(X, _labels(X))
    linear = LogisticRegression().fit(X, _labels(X))
    X64 = numbers(ROWS, "float64")
    double = LogisticRegression().fit(X64, _labels(X64))
    matrix = [("X", FloatTensorType([None, 3]))]
    return {
        "onnx trees": RuntimeCase(
            "onnx", _sklearn(trees, matrix, False), lambda n: {"X": numbers(n)}, ("label", "probabilities")
        ),
        "onnx zipmap": RuntimeCase(
            "onnx", _sklearn(linear, matrix, True), lambda n: {"X": numbers(n)}, ("output_label", "output_probability")
        ),
        "onnx double": RuntimeCase(
            "onnx",
            _sklearn(double, [("X", DoubleTensorType([None, 3]))], False),
            lambda n: {"X": numbers(n, "float64")},
            ("label", "probabilities"),
        ),
        "onnx text and numbers": _text_case(),
        "onnx every dtype": _dtypes_case(),
        "river linear": _river(preprocessing.StandardScaler() | linear_model.LogisticRegression()),
        "river forest": _river(forest.ARFClassifier(n_models=3, seed=1)),
        "river regression": _river(linear_model.LinearRegression(), ("prediction",)),
        "river anomaly": _river(anomaly.HalfSpaceTrees(n_trees=3, seed=1), ("score",)),
    }


def _text_case() -> RuntimeCase:
    import pandas as pd

    def frame(n: int) -> Any:
        return pd.DataFrame({"carrier": texts(n), "x": numbers(n)[:, 0].astype("float64")})

    fitted = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["carrier"]), (StandardScaler(), ["x"])),
        LogisticRegression(),
    ).fit(frame(ROWS), np.arange(ROWS) % 3)
    types = [("carrier", StringTensorType([None, 1])), ("x", FloatTensorType([None, 1]))]
    return RuntimeCase(
        "onnx",
        _sklearn(fitted, types, False),
        lambda n: {"carrier": texts(n).reshape(n, 1), "x": numbers(n)[:, :1]},
        ("label", "probabilities"),
    )


def _dtypes_case() -> RuntimeCase:
    """Gives back what it takes, one input per dtype, of shape (n,)."""
    kinds = {
        "float16": TensorProto.FLOAT16,
        "float32": TensorProto.FLOAT,
        "float64": TensorProto.DOUBLE,
        "int32": TensorProto.INT32,
        "int64": TensorProto.INT64,
        "bool": TensorProto.BOOL,
        "string": TensorProto.STRING,
    }
    nodes = [helper.make_node("Identity", [f"in_{name}"], [f"out_{name}"]) for name in kinds]
    graph = helper.make_graph(
        nodes,
        "identities",
        [helper.make_tensor_value_info(f"in_{name}", kind, ["N"]) for name, kind in kinds.items()],
        [helper.make_tensor_value_info(f"out_{name}", kind, ["N"]) for name, kind in kinds.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)

    def inputs(n: int) -> dict[str, NDArray[Any]]:
        given = {f"in_{name}": np.arange(n).astype(name) for name in kinds if name != "string"}
        return given | {"in_string": texts(n)}

    return RuntimeCase("onnx", model.SerializeToString(), inputs, tuple(f"out_{name}" for name in kinds))


def _river(model: Any, outputs: tuple[str, ...] = ("label", "probabilities")) -> RuntimeCase:
    def inputs(n: int) -> dict[str, NDArray[Any]]:
        matrix = numbers(n, "float64")
        return {"a": matrix[:, 0], "b": matrix[:, 1], "c": matrix[:, 2]}

    columns = inputs(ROWS)
    for a, b, c in zip(*(column.tolist() for column in columns.values()), strict=True):
        features = {"a": a, "b": b, "c": c}
        if outputs == ("score",):
            model.learn_one(features)
        else:
            model.learn_one(features, a * 2.0 if outputs == ("prediction",) else a > 0)
    artifact = dump_river(model, {"a": "float64", "b": "float64", "c": "float64"})
    return RuntimeCase("river", artifact, inputs, outputs)
