"""From a fitted scikit-learn estimator to an ONNX model that gives the same answers."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import skl2onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

from streamer.control.estimator_answers import PROBABILITIES, Estimator, disagreement
from streamer.control.training_columns import TrainingColumn, rows_of
from streamer.errors import ModelInvalid, PredictionFailed
from streamer.runtimes.protocol import runtime_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from streamer.records.model_version import Signature

MATRIX = "X"
"""The name of the only input where all columns go into one tensor."""

_LABELS_KEY = "streamer.labels"  # as streamer.runtimes.onnx reads it
_ML_OPSET = 3  # tree ensembles of every kind convert to it
_MAX_OPSET = 21
_MAX_COMPARED_ROWS = 5_000
_TYPES = {"float32": FloatTensorType, "float64": DoubleTensorType, "int64": Int64TensorType, "string": StringTensorType}


@dataclass(frozen=True, slots=True)
class Layout:
    """How columns become inputs.

    Attributes:
        dtypes: Column name to dtype.
        matrix: All in one tensor, or an input (n, 1) each.
    """

    dtypes: dict[str, str]
    matrix: bool

    def inputs(self, columns: list[TrainingColumn], rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The inputs for some rows of the training data."""
        parts = {column.name: column.values[rows].astype(_numpy(self.dtypes[column.name])) for column in columns}
        if self.matrix:
            return {MATRIX: np.stack(list(parts.values()), axis=1)}
        return {name: part.reshape(-1, 1) for name, part in parts.items()}

    def initial_types(self) -> list[tuple[str, Any]]:
        """The same for skl2onnx."""
        if self.matrix:
            return [(MATRIX, _TYPES[next(iter(self.dtypes.values()))]([None, len(self.dtypes)]))]
        return [(name, _TYPES[dtype]([None, 1])) for name, dtype in self.dtypes.items()]


@dataclass(frozen=True, slots=True)
class Converted:
    """An ONNX form that agrees with its estimator."""

    artifact: bytes
    signature: Signature
    layout: Layout


def convert(
    estimator: Estimator,
    columns: list[TrainingColumn],
    X: Any,  # noqa: N803
    *,
    tolerance: float,
    max_disagreement: float,
) -> Converted:
    """Converts, and compares the answers with the estimator's on (up to 5,000 rows of) the training data.

    Several layouts of the inputs are tried, the fastest first; the first that agrees is taken.

    Args:
        estimator: The fitted estimator.
        columns: The training data as columns.
        X: The same as the estimator was given it.
        tolerance: Largest difference of a number that counts as the same.
        max_disagreement: Share of rows that may differ.

    Raises:
        ModelInvalid: It cannot be converted, or no layout agrees.
    """
    rows = _compared_rows(columns)
    own = _own_answers(estimator, rows_of(X, rows))
    failures: list[str] = []
    for layout in _layouts(columns):
        try:
            artifact = _onnx(estimator, layout)
            model = runtime_for("onnx").load(artifact)
            answers = model.predict_batch(layout.inputs(columns, rows), list(own))
        except (ModelInvalid, PredictionFailed) as error:
            failures.append(error.what)
            continue
        except Exception as error:  # skl2onnx raises a dozen kinds
            failures.append(f"skl2onnx: {type(error).__name__}: {_first_line(error)}")
            continue
        differs, first = disagreement(own, answers, tolerance)
        if differs.sum() <= max_disagreement * len(rows):
            return Converted(artifact, model.signature, layout)
        failures.insert(0, f"its ONNX form answers {differs.sum()} of {len(rows)} rows differently: {first}")
    raise ModelInvalid(
        f"{type(estimator.fitted).__name__} has no ONNX form that can serve; {failures[0]}",
        advice="HistGradientBoosting does not convert with skl2onnx: take GradientBoosting or RandomForest, or "
        "convert the model with its own tool and use register_file. Where the answers differ by rounding only, "
        "raise tolerance or max_disagreement.",
    )


def _own_answers(estimator: Estimator, X: Any) -> dict[str, NDArray[Any]]:  # noqa: N803
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about feature names: the estimator is asked as it was fitted
            return estimator.answers(X)
    except Exception as error:  # an estimator may raise anything
        raise ModelInvalid(
            f"{type(estimator.fitted).__name__} cannot answer X: {type(error).__name__}: {_first_line(error)}",
            advice="Give the data that it was fitted on, with the same columns.",
        ) from error


def _layouts(columns: list[TrainingColumn]) -> Iterator[Layout]:
    texts = {column.name: "string" for column in columns if column.kind == "string"}
    names = [column.name for column in columns]
    float32 = {name: texts.get(name, "float32") for name in names}
    float64 = {name: texts.get(name, "float64") for name in names}
    whole = {column.name: "int64" if column.kind in ("int", "bool") else float32[column.name] for column in columns}
    if not texts:
        yield Layout(float32, matrix=True)
    yield Layout(float32, matrix=False)
    if whole != float32:
        yield Layout(whole, matrix=False)
    if not texts:
        yield Layout(float64, matrix=True)
    yield Layout(float64, matrix=False)


def _onnx(estimator: Estimator, layout: Layout) -> bytes:
    options = {id(estimator.fitted): {"zipmap": False}} if estimator.gives_probabilities else None
    opset = {"": min(skl2onnx.__max_supported_opset__, _MAX_OPSET), "ai.onnx.ml": _ML_OPSET}
    # It warns through logging of what it then does right, or raises.
    logger = logging.getLogger("skl2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = skl2onnx.to_onnx(
                estimator.fitted, initial_types=layout.initial_types(), options=options, target_opset=opset
            )
    finally:
        logger.setLevel(level)
    if estimator.gives_probabilities:
        entry = model.metadata_props.add()
        entry.key, entry.value = _LABELS_KEY, json.dumps({PROBABILITIES: list(estimator.classes)})
    serialized: bytes = model.SerializeToString()
    return serialized


def _compared_rows(columns: list[TrainingColumn]) -> NDArray[np.int64]:
    """Evenly spread rows, without those that have a null text: ONNX has none, so they are rejected when serving."""
    keep = np.ones(len(columns[0].values), np.bool_)
    for column in columns:
        if column.kind == "string" and column.has_null:
            keep &= np.fromiter((value is not None for value in column.values), np.bool_, len(keep))
    rows = np.flatnonzero(keep)
    if not len(rows):
        raise ModelInvalid("X has no row without nulls in its text columns", advice="Give rows to compare with.")
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), _MAX_COMPARED_ROWS)).astype(np.int64)]


def _numpy(dtype: str) -> Any:
    return object if dtype == "string" else dtype


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else "no message"
