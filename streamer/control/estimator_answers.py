"""What kind of answers a scikit-learn estimator gives, and whether its ONNX form gives the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, is_classifier, is_clusterer, is_outlier_detector, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from streamer.errors import ModelInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from streamer.records.model_version import Signature

EstimatorKind = Literal["classifier", "regressor", "clusterer", "outlier detector", "transformer"]

LABEL, PROBABILITIES, SCORES, VALUES = "label", "probabilities", "scores", "variable"
"""The names that skl2onnx gives to outputs."""


@dataclass(frozen=True, slots=True)
class Estimator:
    """A fitted estimator and what is known of its answers.

    Attributes:
        fitted: The estimator.
        kind: What it is for.
        classes: The class labels of a classifier, in the order of its probabilities.
        gives_probabilities: Whether the classifier has `predict_proba`.
    """

    fitted: Any
    kind: EstimatorKind
    classes: tuple[str | int | bool, ...]
    gives_probabilities: bool

    def answers(self, X: Any) -> dict[str, NDArray[Any]]:  # noqa: N803
        """Its own answers, by the name that the ONNX form has for them."""
        if self.kind == "classifier":
            answers = {LABEL: np.asarray(self.fitted.predict(X))}
            if self.gives_probabilities:
                answers[PROBABILITIES] = np.asarray(self.fitted.predict_proba(X))
            return answers
        if self.kind == "regressor":
            return {VALUES: np.asarray(self.fitted.predict(X))}
        if self.kind == "clusterer":
            return {LABEL: np.asarray(self.fitted.predict(X))}
        if self.kind == "outlier detector":
            return {LABEL: np.asarray(self.fitted.predict(X)), SCORES: np.asarray(self.fitted.decision_function(X))}
        transformed = self.fitted.transform(X)
        return {VALUES: transformed.toarray() if hasattr(transformed, "toarray") else np.asarray(transformed)}

    def default_outputs(self, signature: Signature) -> dict[str, str]:
        """Output field to expression, where nobody says which fields the output has."""
        names = [spec.name for spec in signature.outputs]
        if self.kind == "classifier":
            if not self.gives_probabilities:
                return {"label": LABEL}
            probability = f"{PROBABILITIES}[1]" if len(self.classes) == 2 else PROBABILITIES
            return {"probability" if len(self.classes) == 2 else "probabilities": probability, "label": LABEL}
        if self.kind == "clusterer":
            return {"cluster": LABEL}
        if self.kind == "outlier detector":
            return {"score": SCORES, "label": LABEL}
        return {"prediction" if self.kind == "regressor" else "features": names[0]}


def describe_estimator(fitted: Any) -> Estimator:
    """What an estimator is.

    Raises:
        ModelInvalid: It is not fitted, or none of the kinds that can answer events.
    """
    name = type(fitted).__name__
    if not isinstance(fitted, BaseEstimator):
        raise _foreign(name)
    try:
        check_is_fitted(fitted)
    except NotFittedError as error:
        raise ModelInvalid(f"{name} is not fitted", advice="Call fit before register.") from error
    if is_classifier(fitted):
        return Estimator(fitted, "classifier", _labels(fitted.classes_), hasattr(fitted, "predict_proba"))
    kind: EstimatorKind
    if is_regressor(fitted):
        kind = "regressor"
    elif is_outlier_detector(fitted):
        kind = "outlier detector"
    elif is_clusterer(fitted):
        kind = "clusterer"
    elif hasattr(fitted, "transform"):
        kind = "transformer"
    else:
        raise _foreign(name)
    return Estimator(fitted, kind, (), False)


def disagreement(
    own: Mapping[str, NDArray[Any]], converted: Mapping[str, Any], tolerance: float
) -> tuple[NDArray[np.bool_], str]:
    """Where the ONNX form answers otherwise than the estimator.

    Args:
        own: The estimator's answers, n rows each.
        converted: The ONNX form's, by the same names.
        tolerance: Largest allowed difference of a number, absolute or relative to its size.

    Returns:
        Shape (n,), True where they differ; and the first difference in words.
    """
    n = len(next(iter(own.values())))
    differs = np.zeros(n, np.bool_)
    first = ""
    for name, expected in own.items():
        got = np.asarray(converted[name])
        wrong = _differs(expected, got, tolerance)
        if wrong.any() and not first:
            row = int(np.flatnonzero(wrong)[0])
            first = f"{name} of row {row} is {expected[row]} from the estimator and {got[row]} from ONNX"
        differs |= wrong
    return differs, first


def _foreign(name: str) -> ModelInvalid:
    return ModelInvalid(
        f"{name} is no scikit-learn classifier, regressor, outlier detector, clusterer or transformer",
        advice="Register an ONNX file with register_file, or a river model.",
    )


def _differs(expected: NDArray[Any], got: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    if expected.dtype.kind in "OUST":
        return np.asarray([str(one) != str(other) for one, other in zip(expected, got.reshape(-1), strict=True)])
    numbers = expected.astype(np.float64)
    others = got.astype(np.float64).reshape(numbers.shape)
    close = np.isclose(others, numbers, rtol=tolerance, atol=tolerance, equal_nan=True)
    return np.asarray(~close.reshape(len(numbers), -1).all(axis=1))


def _labels(classes: Any) -> tuple[str | int | bool, ...]:
    try:
        labels = [label.item() if isinstance(label, np.generic) else label for label in classes]
    except TypeError as error:
        raise ModelInvalid("a classifier with several outputs is not supported") from error
    whole = [int(label) if isinstance(label, float) and label.is_integer() else label for label in labels]
    if not all(isinstance(label, str | int | bool) for label in whole):
        raise ModelInvalid(f"class labels must be text, whole numbers or truth values, and are {labels!r:.100}")
    return tuple(whole)
