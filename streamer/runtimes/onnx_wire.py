"""Looking into an ONNX file without the onnx package: just enough of protobuf to refuse what must not be loaded.

Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamer.errors import ModelInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE, _FUNCTION, _TRAINING = range(8)
_CHILDREN: dict[int, dict[int, int]] = {
    _MODEL: {7: _GRAPH, 20: _TRAINING, 25: _FUNCTION},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
    _FUNCTION: {7: _NODE, 11: _ATTRIBUTE},
    _TRAINING: {1: _GRAPH, 2: _GRAPH},
    _TENSOR: {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_MESSAGES = 5_000_000
_LABEL_ATTRIBUTES = (b"classlabels_strings", b"classlabels_int64s", b"classlabels_ints")


def refuse_external_data(artifact: bytes) -> None:
    """Refuses a model that keeps tensors in other files: those would be read from wherever the model says.

    Raises:
        ModelInvalid: It has such tensors, or is not a protobuf message.
    """
    # Every reference to a file carries the key "location" as these very bytes, so most models need no walk.
    if b"location" not in artifact:
        return
    for kind, number, value in _walk(artifact):
        if kind == _TENSOR and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == 1)):
            raise ModelInvalid(
                "the model keeps tensors in other files (external data), which is not allowed",
                advice="Save it as one file: onnx.save_model(model, path, save_as_external_data=False).",
            )


def class_labels(artifact: bytes) -> list[tuple[str, ...] | tuple[int, ...]]:
    """The distinct lists of class labels that the classifiers of the main graph declare.

    Raises:
        ModelInvalid: It is not a protobuf message.
    """
    found: dict[tuple[str, ...] | tuple[int, ...], None] = {}
    if not any(name in artifact for name in _LABEL_ATTRIBUTES):
        return []
    for graph in _messages(memoryview(artifact), 7):
        for node in _messages(graph, 1):
            for attribute in _messages(node, 5):
                labels = _labels(attribute)
                if labels:
                    found[labels] = None
    return list(found)


def _labels(attribute: memoryview) -> tuple[str, ...] | tuple[int, ...]:
    fields = _fields(attribute)
    number, name = next(fields, (0, b""))
    if number != 1 or not isinstance(name, memoryview) or bytes(name) not in _LABEL_ATTRIBUTES:
        return ()
    texts: list[str] = []
    numbers: list[int] = []
    for number, value in fields:
        if number == 9 and isinstance(value, memoryview):
            texts.append(bytes(value).decode(errors="replace"))
        elif number == 8 and isinstance(value, int):
            numbers.append(_signed(value))
        elif number == 8:
            numbers += _packed(value)
    return tuple(texts) if texts else tuple(numbers)


def _packed(data: memoryview) -> list[int]:
    numbers, position = [], 0
    while position < len(data):
        value, position = _varint(data, position)
        numbers.append(_signed(value))
    return numbers


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    for number, value in _fields(message):
        if number == wanted and isinstance(value, memoryview):
            yield value


def _walk(artifact: bytes) -> Iterator[tuple[int, int, Any]]:
    """(kind of message, field number, value) of every field of every message that can lead to a tensor."""
    pending = [(_MODEL, memoryview(artifact))]
    seen = 0
    while pending:
        kind, message = pending.pop()
        seen += 1
        if seen > _MAX_MESSAGES:
            raise ModelInvalid(f"the model has more than {_MAX_MESSAGES} parts")
        children = _CHILDREN[kind]
        for number, value in _fields(message):
            if number in children and isinstance(value, memoryview):
                pending.append((children[number], value))
            yield kind, number, value


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """(number, value) of the fields of a message: an int for varints, a memoryview for everything else."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        wire = tag & 7
        if wire == _VARINT:
            value, position = _varint(message, position)
            yield tag >> 3, value
            continue
        if wire == _BYTES:
            size, position = _varint(message, position)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise _broken()
        if position + size > len(message):
            raise _broken()
        yield tag >> 3, message[position : position + size]
        position += size


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise _broken()


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


def _broken() -> ModelInvalid:
    return ModelInvalid(
        "the artifact is not an ONNX model: it is damaged or of another format",
        advice="Export it again, or check its format.",
    )
