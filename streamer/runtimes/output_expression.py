"""Expressions that pick one value per record out of a model's outputs.

label                    an output of one value per record
probabilities[1]         the second column of an output (n, k)
probabilities["late"]    the column, or the entry of a map, of a class
probabilities            all columns, for an array field (or a map field)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamer.errors import ModelInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamer.records.model_version import Signature, TensorSpec

_EXPRESSION = re.compile(
    r"""^(?P<output>.+?)(?:\[(?:(?P<index>\d{1,9})|"(?P<double>[^"]*)"|'(?P<single>[^']*)')\])?$"""
)


@dataclass(frozen=True, slots=True)
class Pick:
    """One resolved expression.

    Attributes:
        text: As it was written.
        spec: The output that it reads.
        column: Which column of an output (n, k); None: the whole output.
        keys: Which key of a map: the first of these that an answer has; None: the whole map.
    """

    text: str
    spec: TensorSpec
    column: int | None = None
    keys: tuple[Any, ...] | None = None

    @property
    def whole_row(self) -> bool:
        """Whether a record's value is a list or a map rather than a single value."""
        if self.spec.dtype == "map":
            return self.keys is None
        return self.column is None and len(self.spec.shape) > 1 and self.spec.shape[1] != 1


def resolve_expression(text: str, signature: Signature) -> Pick:
    """What an expression picks.

    Raises:
        ModelInvalid: There is no such output, column or class; the message lists what there is.
    """
    outputs = {spec.name: spec for spec in signature.outputs}
    if text in outputs:  # names may hold brackets themselves
        return Pick(text, outputs[text])
    match = _EXPRESSION.match(text)
    if match is None or match["output"] not in outputs:
        raise ModelInvalid(
            f"{text!r} names no output of the model",
            advice=f"Outputs: {', '.join(describe_output(spec) for spec in signature.outputs)}.",
        )
    spec = outputs[match["output"]]
    label = match["double"] if match["double"] is not None else match["single"]
    if label is not None:
        return _by_label(text, spec, label)
    return _by_index(text, spec, int(match["index"]))


def describe_output(spec: TensorSpec) -> str:
    """An output as a mapping may name it, for messages."""
    if spec.labels is not None:
        return f"{spec.name}[{' | '.join(_quoted(label) for label in spec.labels)}]"
    if len(spec.shape) > 1 and spec.shape[1] is not None:
        return f"{spec.name}[0..{spec.shape[1] - 1}]"
    return f"{spec.name}[...]" if spec.dtype == "map" or len(spec.shape) > 1 else spec.name


def _by_label(text: str, spec: TensorSpec, label: str) -> Pick:
    wanted = _readings(label)
    if spec.dtype == "map":
        if spec.labels is not None and not _found(wanted, spec.labels):
            raise _unknown_class(text, spec, spec.labels)
        return Pick(text, spec, keys=wanted)
    if spec.labels is None:
        raise ModelInvalid(
            f"{text!r}: the artifact does not say which class each column of {spec.name!r} stands for",
            advice=f'Name the column by its place, e.g. "{spec.name}[1]".',
        )
    found = _found(wanted, spec.labels)
    if not found:
        raise _unknown_class(text, spec, spec.labels)
    return Pick(text, spec, column=found[0])


def _by_index(text: str, spec: TensorSpec, index: int) -> Pick:
    if spec.dtype == "map":
        keys = (index, True) if index == 1 else (index, False) if index == 0 else (index,)
        if spec.labels is not None and not _found(keys, spec.labels):
            raise _unknown_class(text, spec, spec.labels)
        return Pick(text, spec, keys=keys)
    if len(spec.shape) != 2:
        raise ModelInvalid(f"{text!r}: {spec.name!r} has one value per record", advice=f'Write "{spec.name}".')
    if spec.shape[1] is not None and index >= spec.shape[1]:
        raise ModelInvalid(f"{text!r}: {spec.name!r} has the columns 0 to {spec.shape[1] - 1}")
    return Pick(text, spec, column=index)


def _readings(label: str) -> tuple[Any, ...]:
    """What a quoted label may stand for: the text, or the number or truth value that it spells."""
    readings: list[Any] = [label]
    if re.fullmatch(r"-?\d{1,18}", label):
        readings.append(int(label))
    if label.lower() in ("true", "false"):
        readings.append(label.lower() == "true")
    return tuple(readings)


def _found(wanted: Iterable[Any], labels: tuple[Any, ...]) -> list[int]:
    return [labels.index(reading) for reading in wanted if reading in labels]


def _unknown_class(text: str, spec: TensorSpec, labels: tuple[Any, ...]) -> ModelInvalid:
    return ModelInvalid(
        f"{text!r}: {spec.name!r} has no such class", advice=f"Classes: {', '.join(map(_quoted, labels))}."
    )


def _quoted(label: Any) -> str:
    return f'"{label}"' if isinstance(label, str) else str(label)
