"""Decoding plans: compiled once for each pair of writer and reader schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.avro.avro_types import Enum, Primitive
from streamer.avro.cursor import Cursor
from streamer.avro.explanation import check_payload
from streamer.avro.fallback import ComplexStep
from streamer.avro.fixed_steps import FixedField, FixedRun, NullableFixedStep, fixed_size
from streamer.avro.leaves import leaves_of, root_record
from streamer.avro.resolution import Complex, Nested, Node, Optional, Scalar, resolve
from streamer.avro.steps import (
    EnumStep,
    NestedStep,
    NullBranch,
    OptionalStep,
    Step,
    TextStep,
    VarintStep,
)
from streamer.avro.walker import Malformed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.avro.fallback import ComplexValue
    from streamer.avro.limits import Limits
    from streamer.avro.schema import Schema
    from streamer.records.columns import Column

# Texts are gathered in blocks of 64 bytes, of which the first may begin at the very end.
_WIDEST_GATHER_BYTES = 96


class Plan:
    """How payloads of one writer schema become columns of one reader schema.

    Args:
        writer: The schema that the payloads were written with.
        reader: The schema of the columns.
        limits: Bounds on a payload.

    Raises:
        SchemaError: The reader cannot read what the writer wrote.
    """

    def __init__(self, writer: Schema, reader: Schema, limits: Limits) -> None:
        reader_record = root_record(reader)
        self._limits = limits
        self._resolved = resolve(root_record(writer), reader_record)
        self._step = _compile(self._resolved, limits)
        self._readers: dict[int, ComplexValue] = {}
        self._paths = [leaf.path for leaf in leaves_of(reader_record)]
        self.padding_bytes = self._step.most_bytes + _WIDEST_GATHER_BYTES

    def decode(
        self, data: bytes, buffer: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> tuple[dict[str, Column], NDArray[np.bool_]]:
        """Decodes payloads that stand in one buffer.

        Args:
            data: The payloads, followed by at least `padding_bytes` more bytes.
            buffer: The same as an array, shape (any,), dtype uint8.
            starts: Where each payload begins behind its framing, shape (n,). Overwritten.
            ends: One past its last byte, shape (n,).

        Returns:
            The columns by dotted name, in the reader's order, each of n rows; and the malformed rows, shape (n,),
            dtype bool, in which the columns hold anything.
        """
        cursor = Cursor(data, buffer, starts, ends)
        self._step.read(cursor)
        cursor.settle()
        cursor.bad |= cursor.position != ends
        return {path: cursor.columns[path] for path in self._paths}, cursor.bad

    def explain(self, payload: bytes) -> Malformed | None:
        """What is wrong with a payload without its framing; None if nothing is."""
        try:
            check_payload(self._resolved, payload, self._limits, self._readers)
        except Malformed as malformed:
            return malformed
        return None


def _compile(node: Nested, limits: Limits) -> NestedStep:
    steps: list[Step] = []
    run: list[FixedField] = []
    for child in node.fields:
        size = fixed_size(child) if isinstance(child, Scalar) else None
        if isinstance(child, Scalar) and size is not None:
            run.append(FixedField(child, size))
            continue
        if run:
            steps.append(FixedRun(run))
            run = []
        steps.append(_step(child, limits))
    if run:
        steps.append(FixedRun(run))
    return NestedStep(steps, node.missing)


def _step(node: Node, limits: Limits, branch: NullBranch | None = None) -> Step:
    match node:
        case Nested():
            return _compile(node, limits)
        case Complex():
            return ComplexStep(node, limits)
        case Scalar(writer=Enum()):
            return EnumStep(node, branch)
        case Scalar(writer=Primitive(name="int" | "long")):
            return VarintStep(node, branch)
        case Scalar():
            return TextStep(node, branch)
        case Optional():
            branch = NullBranch(node.null_index, node.null_allowed)
            size = fixed_size(node.inner) if isinstance(node.inner, Scalar) else None
            if isinstance(node.inner, Scalar) and size is not None:
                return NullableFixedStep(FixedField(node.inner, size), branch)
            if isinstance(node.inner, Scalar):
                return _step(node.inner, limits, branch)
            return OptionalStep(_step(node.inner, limits), branch, node.leaves)
