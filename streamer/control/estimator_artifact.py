"""From an estimator to what is stored of it, whatever library it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.errors import ConfigurationError, ModelInvalid
from streamer.runtimes.protocol import runtime_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamer.control.training_columns import TrainingColumn
    from streamer.records.model_version import Signature

_RIVER_DTYPES = {"float": "float64", "int": "int64", "bool": "bool", "string": "string"}


@dataclass(frozen=True, slots=True)
class EstimatorArtifact:
    """What is stored of an estimator.

    Attributes:
        format: Of which runtime it is.
        data: The artifact.
        signature: As its runtime reads it.
        inputs: Input to event fields, as a mapping has it.
        default_outputs: Output field to expression, where nobody says which fields there are.
    """

    format: str
    data: bytes
    signature: Signature
    inputs: dict[str, str | tuple[str, ...]]
    default_outputs: dict[str, str]


def estimator_artifact(
    estimator: Any,
    columns: Sequence[TrainingColumn],
    X: Any,  # noqa: N803
    y: Any,
    paths: Mapping[str, str],
    *,
    tolerance: float,
    max_disagreement: float,
) -> EstimatorArtifact:
    """Converts an estimator, and makes sure that the result answers as it does.

    Args:
        estimator: Fitted, of scikit-learn or river.
        columns: The training data as columns.
        X: The same as the estimator was given it.
        y: Its labels, or None.
        paths: Column name to event field path.
        tolerance: Largest difference of a number that counts as the same.
        max_disagreement: Share of rows that may differ.

    Raises:
        ModelInvalid: There is no form that can be stored, or it answers otherwise.
        ConfigurationError: scikit-learn or skl2onnx is not installed.
    """
    if type(estimator).__module__.partition(".")[0] == "river":
        return _river(estimator, columns, paths)
    try:
        from streamer.control.estimator_answers import describe_estimator
        from streamer.control.onnx_conversion import MATRIX, convert
    except ImportError as error:
        raise ConfigurationError(
            f"{error.name} is not installed", advice="Install what registering needs: pip install 'streamer[sklearn]'."
        ) from error
    described = describe_estimator(estimator)
    _check_labels(described.classes, len(columns[0].values), y)
    converted = convert(described, list(columns), X, tolerance=tolerance, max_disagreement=max_disagreement)
    inputs: dict[str, str | tuple[str, ...]] = {column.name: paths[column.name] for column in columns}
    if converted.layout.matrix:
        inputs = {MATRIX: tuple(paths[column.name] for column in columns)}
    outputs = described.default_outputs(converted.signature)
    return EstimatorArtifact("onnx", converted.artifact, converted.signature, inputs, outputs)


def _river(model: Any, columns: Sequence[TrainingColumn], paths: Mapping[str, str]) -> EstimatorArtifact:
    from streamer.runtimes.river import dump_river  # river is a second to import

    data = dump_river(model, {column.name: _RIVER_DTYPES[column.kind] for column in columns})  # type: ignore[misc]
    signature = runtime_for("river").load(data).signature
    outputs = {spec.name: spec.name for spec in signature.outputs}
    return EstimatorArtifact("river", data, signature, {c.name: paths[c.name] for c in columns}, outputs)


def _check_labels(classes: tuple[Any, ...], n: int, y: Any) -> None:
    if y is None:
        return
    labels = np.asarray(y)
    if len(labels) != n:
        raise ModelInvalid(f"X has {n} rows and y has {len(labels)}", advice="Give the labels of these rows.")
    unknown = set(labels.tolist()) - set(classes) if classes and labels.ndim == 1 else set()
    if unknown:
        raise ModelInvalid(
            f"y has labels that the classifier does not know: {sorted(map(str, unknown))[:5]}",
            advice="Give the data that it was fitted on.",
        )
