"""Training data as columns: from a pandas or polars frame, or a numpy matrix with names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from streamer.errors import ModelInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ColumnKind = Literal["float", "int", "bool", "string"]


@dataclass(frozen=True, slots=True)
class TrainingColumn:
    """One feature of n rows.

    Attributes:
        name: As the frame has it.
        kind: What its values are.
        values: Shape (n,): float64 (NaN where null), int64, bool, or objects (str, None where null).
        has_null: Whether a value is null or NaN.
    """

    name: str
    kind: ColumnKind
    values: NDArray[Any]
    has_null: bool

    def value(self, row: int) -> Any:
        """One value as plain Python, None where null."""
        value = self.values[row]
        plain = value.item() if isinstance(value, np.generic) else value
        return None if isinstance(plain, float) and plain != plain else plain


def training_columns(X: Any, feature_names: Sequence[str] | None = None) -> list[TrainingColumn]:  # noqa: N803
    """The columns of training data.

    Args:
        X: A frame, or anything that numpy takes as a matrix of numbers.
        feature_names: Names of a matrix's columns, in their order.

    Raises:
        ModelInvalid: It is neither, or a column has values of a kind that models do not take.
    """
    if hasattr(X, "columns"):
        return [_column(str(name), np.asarray(X[name])) for name in X.columns]
    matrix = np.asarray(X)
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiub":
        raise ModelInvalid(
            f"X must be a frame or a matrix of numbers, and is {type(X).__name__} of {matrix.dtype} {matrix.shape}",
            advice="Give a pandas DataFrame where columns hold text.",
        )
    if feature_names is None or len(feature_names) != matrix.shape[1]:
        raise ModelInvalid(
            f"X has {matrix.shape[1]} columns without names",
            advice="Name the event fields that they come from: feature_names=[...], or give a DataFrame.",
        )
    return [_column(name, matrix[:, index]) for index, name in enumerate(feature_names)]


def rows_of(X: Any, rows: NDArray[np.int64]) -> Any:  # noqa: N803
    """Some rows, in the type that the estimator was given."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    return X[rows] if hasattr(X, "columns") else np.asarray(X)[rows]


def _column(name: str, values: NDArray[Any]) -> TrainingColumn:
    if values.ndim != 1:
        raise ModelInvalid(f"column {name!r} does not have one value per row")
    if values.dtype.kind == "f":
        floats = values.astype(np.float64)
        return TrainingColumn(name, "float", floats, bool(np.isnan(floats).any()))
    if values.dtype.kind in "iu":
        return TrainingColumn(name, "int", values.astype(np.int64), False)
    if values.dtype.kind == "b":
        return TrainingColumn(name, "bool", values, False)
    if values.dtype.kind not in "OUT":
        raise ModelInvalid(
            f"column {name!r} holds {values.dtype}, which models do not take",
            advice="Turn times into numbers first, as the event field has them (epoch milliseconds).",
        )
    plain = [None if _is_null(value) else value for value in values.tolist()]
    kinds = {type(value) for value in plain if value is not None}
    has_null = None in plain
    if kinds <= {str}:
        return TrainingColumn(name, "string", np.fromiter(plain, object, len(plain)), has_null)
    if kinds <= {bool, int, float}:
        floats = np.array([np.nan if value is None else float(value) for value in plain])
        return TrainingColumn(name, "float", floats, has_null)
    raise ModelInvalid(
        f"column {name!r} mixes {', '.join(sorted(kind.__name__ for kind in kinds))}",
        advice="Make its values all text or all numbers.",
    )


def _is_null(value: Any) -> bool:
    """None, NaN, or the NA of pandas, which is not equal to itself and has no truth value either."""
    return (
        value is None or (isinstance(value, float) and value != value) or type(value).__name__ in ("NAType", "NaTType")
    )
