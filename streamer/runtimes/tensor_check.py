"""Checking arrays against a signature before a model sees them, the same way for every runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.errors import PredictionFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.records.model_version import Signature, TensorSpec

NUMERIC_DTYPES = frozenset(
    {
        *("float16", "float32", "float64", "bool"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    }
)
"""The numpy dtypes that a model's inputs and outputs may have, beside ``string``."""


def checked_inputs(signature: Signature, inputs: Mapping[str, NDArray[Any]]) -> int:
    """The number of rows of inputs that are exactly what the signature says.

    Raises:
        PredictionFailed: They are not.
    """
    expected = {spec.name for spec in signature.inputs}
    if inputs.keys() != expected:
        raise PredictionFailed(f"the model takes the inputs {_names(expected)}, and got {_names(inputs)}")
    rows = {len(array) if array.ndim else -1 for array in inputs.values()}
    if len(rows) != 1 or -1 in rows:
        raise PredictionFailed("the inputs must all have the same number of rows")
    for spec in signature.inputs:
        _check(spec, inputs[spec.name])
    return rows.pop()


def checked_outputs(signature: Signature, outputs: Sequence[str] | None) -> list[str]:
    """The names of the wanted outputs.

    Raises:
        PredictionFailed: The model has no such output.
    """
    names = [spec.name for spec in signature.outputs]
    if outputs is None:
        return names
    if unknown := set(outputs) - set(names):
        raise PredictionFailed(f"the model has the outputs {_names(names)}, and not {_names(unknown)}")
    return list(outputs)


def empty_output(spec: TensorSpec) -> NDArray[Any] | list[dict[Any, float]]:
    """What a model answers to no records: models themselves are not asked, some fail on empty tensors."""
    if spec.dtype == "map":
        return []
    dtype = spec.dtype if spec.dtype in NUMERIC_DTYPES else object
    return np.empty((0, *(size or 0 for size in spec.shape[1:])), dtype)


def _check(spec: TensorSpec, array: NDArray[Any]) -> None:
    dtype = "string" if array.dtype == object else array.dtype.name
    if spec.dtype not in (dtype, "object"):
        raise PredictionFailed(f"input {spec.name} must be {spec.dtype}, and is {dtype}")
    fits = array.ndim == len(spec.shape) and all(
        size in (None, actual) for size, actual in zip(spec.shape[1:], array.shape[1:], strict=True)
    )
    if not fits:
        raise PredictionFailed(f"input {spec.name} must have the shape {_shape(spec.shape)}, and has {array.shape}")


def _shape(shape: tuple[int | None, ...]) -> str:
    return f"(n, {', '.join('any' if size is None else str(size) for size in shape[1:])})" if shape[1:] else "(n,)"


def _names(names: Mapping[str, Any] | set[str] | list[str]) -> str:
    return ", ".join(sorted(names)) or "none"
