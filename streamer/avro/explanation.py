"""Why a row was refused: the plan's strict twin, one payload at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.avro.avro_types import Enum, Fixed, Primitive
from streamer.avro.decimals import decimal_of
from streamer.avro.fallback import ComplexValue
from streamer.avro.resolution import Complex, Nested, Optional, Scalar
from streamer.avro.walker import Malformed, Walker

if TYPE_CHECKING:
    from streamer.avro.limits import Limits
    from streamer.avro.resolution import Node


def check_payload(plan: Nested, data: bytes, limits: Limits, readers: dict[int, ComplexValue] | None = None) -> None:
    """Reads one payload without its framing as the plan does, and accepts or refuses exactly the same.

    Args:
        plan: How the payload is read.
        data: The payload.
        limits: Bounds on it.
        readers: What reads the values that are not columnar, by the identity of their node; filled here, and kept by
            the caller, as it is costly to make.

    Raises:
        Malformed: What is wrong with it.
    """
    walker = Walker(data, 0, len(data), limits)
    _check(plan, walker, limits, {} if readers is None else readers)
    if walker.position != len(data):
        left = len(data) - walker.position
        raise Malformed("trailing_bytes", f"{left} bytes are left behind the last field")


def _check(node: Node, walker: Walker, limits: Limits, readers: dict[int, ComplexValue]) -> None:
    match node:
        case Nested():
            for field in node.fields:
                _check(field, walker, limits, readers)
        case Optional():
            if walker.branch(2, node.path) != node.null_index:
                _check(node.inner, walker, limits, readers)
            elif not node.null_allowed:
                raise Malformed("null_not_allowed", f"field {node.path}: null, which the reader does not admit")
        case Complex():
            reader = readers.get(id(node))
            if reader is None:
                reader = readers[id(node)] = ComplexValue(node, limits)
            _, walker.position = reader.read(walker.data, walker.position, walker.end)
        case Scalar():
            _check_scalar(node, walker)


def _check_scalar(node: Scalar, walker: Walker) -> None:
    writer, leaf = node.writer, node.leaf
    if isinstance(writer, Enum):
        index = walker.symbol(len(writer.symbols), node.path)
        if leaf is not None and node.symbols[index] is None:
            raise Malformed(
                "bad_symbol", f"field {node.path}: symbol {writer.symbols[index]}, which the reader does not know"
            )
        return
    if not (isinstance(writer, Fixed) or writer.name in ("bytes", "string")):
        walker.value(writer, node.path)
        return
    if leaf is not None and isinstance(leaf.type, Primitive) and leaf.type.name == "string":
        walker.text(node.path)
        return
    if isinstance(writer, Fixed):
        start = walker.skip(writer.size, node.path)
        chunk = walker.data[start : walker.position]
    else:
        chunk = walker.chunk(node.path)
    if leaf is not None and leaf.is_decimal and isinstance(leaf.type, Primitive | Fixed):
        value = decimal_of(chunk, leaf.type.precision, leaf.type.scale)
        if isinstance(value, str):
            raise Malformed("bad_decimal", f"field {node.path}: {value}")
