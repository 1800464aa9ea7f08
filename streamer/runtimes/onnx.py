"""ONNX models on ONNX Runtime. The only module that imports onnxruntime."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import onnxruntime

from streamer.errors import ModelInvalid, PredictionFailed
from streamer.records.model_version import Signature, TensorSpec
from streamer.runtimes.onnx_wire import class_labels, refuse_external_data
from streamer.runtimes.tensor_check import checked_inputs, checked_outputs, empty_output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.runtimes.protocol import OutputValues

MAX_BYTES = 2**31 - 1
"""Protobuf takes no larger message."""

LABELS_KEY = "streamer.labels"
"""Metadata of a model: a JSON object, output name to the class labels of its columns."""

_FATAL_ONLY = 4
_TENSOR = re.compile(r"tensor\((\w+)\)")
_MAPS = re.compile(r"seq\(map\((?:string|int64),tensor\((?:float|double)\)\)\)")
_DTYPES = {"float": "float32", "double": "float64"} | {
    name: name
    for name in (
        *("float16", "bool", "string"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    )
}


class OnnxRuntime:
    """Loads ONNX models from bytes: no external data, no custom-op libraries, one thread per call."""

    format: ClassVar[str] = "onnx"

    def load(self, artifact: bytes) -> OnnxModel:
        """See `Runtime.load`."""
        if len(artifact) > MAX_BYTES:
            raise ModelInvalid("the artifact has more than 2 GiB, which ONNX does not allow")
        if artifact[4:8] == b"ORTM":
            raise ModelInvalid("the artifact is in ORT format", advice="Register the .onnx file itself.")
        refuse_external_data(artifact)
        try:
            session = onnxruntime.InferenceSession(artifact, _options(), providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common base but this
            raise ModelInvalid(
                f"ONNX Runtime cannot load the artifact: {_first_line(error)}",
                advice="Check that the file is whole, and that its opset and operators are standard ones.",
            ) from error
        return OnnxModel(session, _signature(session, artifact))


class OnnxModel:
    """One ONNX model.

    Args:
        session: Its session; sessions may be used from several threads at once.
        signature: What it takes and gives.
    """

    def __init__(self, session: Any, signature: Signature) -> None:
        self._session = session
        self._signature = signature

    @property
    def signature(self) -> Signature:
        """See `LoadedModel.signature`."""
        return self._signature

    def predict_batch(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None
    ) -> dict[str, OutputValues]:
        """See `LoadedModel.predict_batch`. The interpreter lock is released meanwhile."""
        session = self._session
        if session is None:
            raise PredictionFailed("the model was closed")
        names = checked_outputs(self._signature, outputs)
        if checked_inputs(self._signature, inputs) == 0:
            return {spec.name: empty_output(spec) for spec in self._signature.outputs if spec.name in names}
        try:
            answers = session.run(names, dict(inputs))
        except Exception as error:  # its exceptions have no common base but this
            raise PredictionFailed(f"ONNX Runtime failed: {_first_line(error)}") from error
        return {name: _plain(answer) for name, answer in zip(names, answers, strict=True)}

    def close(self) -> None:
        """See `LoadedModel.close`."""
        self._session = None


def _options() -> Any:
    options = onnxruntime.SessionOptions()
    # One call, one thread: workers scale by processes, and threads of many sessions would fight for the cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # A plan is kept for every batch size that ever occurred, and batches come in every size.
    options.enable_mem_pattern = False
    options.log_severity_level = _FATAL_ONLY  # what goes wrong is raised
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


def _signature(session: Any, artifact: bytes) -> Signature:
    inputs = [_input(node) for node in session.get_inputs()]
    if not inputs:
        raise ModelInvalid("the model takes no inputs")
    labels = _labels(session, artifact)
    outputs = [spec for node in session.get_outputs() if (spec := _output(node, labels)) is not None]
    if not outputs:
        raise ModelInvalid("the model has no output that is a tensor or a sequence of maps")
    return Signature(inputs=tuple(inputs), outputs=tuple(outputs))


def _input(node: Any) -> TensorSpec:
    dtype = _dtype(node.type)
    if dtype is None:
        raise ModelInvalid(
            f"input {node.name!r} is a {node.type}, and only tensors of numbers, booleans and strings are supported"
        )
    shape = _shape(node.shape)
    if not shape or shape[0] is not None:
        raise ModelInvalid(
            f"input {node.name!r} has the fixed shape {node.shape}: the first axis must be open, for batches",
            advice="Export the model with a dynamic batch axis, e.g. FloatTensorType([None, 10]).",
        )
    if sum(size is None for size in shape[1:]) > 1:
        raise ModelInvalid(f"input {node.name!r} has the shape {node.shape}, with more than one open axis per record")
    return TensorSpec(name=node.name, dtype=dtype, shape=shape)


def _output(node: Any, labels: Mapping[str, list[Any]] | list[Any] | None) -> TensorSpec | None:
    """None for what cannot be mapped: sequences of tensors, optionals."""
    dtype = "map" if _MAPS.fullmatch(node.type) else _dtype(node.type)
    if dtype is None:
        return None
    shape = (None,) if dtype == "map" else _shape(node.shape)
    own: list[Any] | None = labels.get(node.name) if not isinstance(labels, list | None) else None
    if isinstance(labels, list) and (
        dtype == "map" or (dtype.startswith("float") and len(shape) == 2 and shape[1] in (None, len(labels)))
    ):
        own = labels
    return TensorSpec(name=node.name, dtype=dtype, shape=shape, labels=None if own is None else tuple(own))


def _labels(session: Any, artifact: bytes) -> Mapping[str, list[Any]] | list[Any] | None:
    """What registration wrote into the metadata; else the classifier's labels, where the model has just one list."""
    stored = session.get_modelmeta().custom_metadata_map.get(LABELS_KEY)
    if stored is not None:
        try:
            by_output = json.loads(stored)
            return {str(name): list(labels) for name, labels in by_output.items()}
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ModelInvalid(f"the metadata {LABELS_KEY!r} is malformed: {error}") from error
    found = class_labels(artifact)
    return list(found[0]) if len(found) == 1 else None


def _dtype(type_name: str) -> str | None:
    match = _TENSOR.fullmatch(type_name)
    return _DTYPES.get(match[1]) if match else None


def _shape(shape: Sequence[Any]) -> tuple[int | None, ...]:
    """Named axes are open ones."""
    return tuple(size if isinstance(size, int) else None for size in shape)


def _plain(answer: Any) -> OutputValues:
    if isinstance(answer, list):
        return answer
    array: NDArray[Any] = np.asarray(answer)
    return array.astype(object) if array.dtype.kind == "U" else array


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:500] if text else type(error).__name__
