"""The steps of a decoding plan: each reads one field, or one run of fields, of all rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from streamer.avro.avro_types import Enum, Fixed, Primitive
from streamer.avro.decimals import decimal_of
from streamer.avro.leaves import DTYPES, Leaf, is_bytes, repeat, spread
from streamer.avro.varints import read_varints, zigzag_decode
from streamer.records.columns import NumericColumn, ObjectColumn, TextColumn

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from streamer.avro.cursor import Cursor
    from streamer.avro.resolution import Scalar

LONGEST_VARINT_BYTES = 10
_MOST_INT = np.uint64(2**32 - 1)


class Step(Protocol):
    """A part of a plan.

    Attributes:
        most_bytes: How far it moves a malformed row at most.
    """

    most_bytes: int

    def read(self, cursor: Cursor) -> None:
        """Reads its fields of all rows: moves positions, marks bad rows, adds columns."""


@dataclass(frozen=True, slots=True)
class NullBranch:
    """The index of null in a union of two, and whether the reader admits null."""

    null_index: int
    null_allowed: bool


def read_branch(cursor: Cursor, branch: NullBranch) -> NDArray[np.bool_]:
    """Reads the branch of each row; shape (n,), True where the value is not null."""
    byte = cursor.buffer[cursor.position]
    cursor.position += 1
    if branch.null_index:
        byte ^= 2
    present: NDArray[np.bool_] = byte == 2
    if not branch.null_allowed:
        cursor.bad |= ~present
    else:
        cursor.bad |= byte & 0xFD != 0
    return present


def _valid(leaf: Leaf, present: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    return None if present is None or not leaf.nullable or present.all() else present


def numeric_column(leaf: Leaf, values: NDArray[Any], present: NDArray[np.bool_] | None) -> NumericColumn:
    """Values as the reader's number type, zero where null."""
    valid = _valid(leaf, present)
    assert isinstance(leaf.type, Primitive)
    values = values.astype(DTYPES[leaf.type.name], copy=False)
    if valid is not None:
        values[~valid] = 0
    return NumericColumn(values, valid)


class VarintStep:
    """An int or a long."""

    def __init__(self, scalar: Scalar, branch: NullBranch | None) -> None:
        self.most_bytes = LONGEST_VARINT_BYTES + 1
        self._leaf = scalar.leaf
        self._branch = branch
        assert isinstance(scalar.writer, Primitive)
        self._is_int = scalar.writer.name == "int"

    def read(self, cursor: Cursor) -> None:
        """See `Step`."""
        present = None if self._branch is None else read_branch(cursor, self._branch)
        raw = read_varints(cursor, present)
        if self._is_int:
            wide = raw > _MOST_INT
            if present is not None:
                wide &= present
            cursor.bad |= wide
        if self._leaf is not None:
            cursor.columns[self._leaf.path] = numeric_column(self._leaf, zigzag_decode(raw), present)


class EnumStep:
    """An enum: its symbol as a slice of all symbols."""

    def __init__(self, scalar: Scalar, branch: NullBranch | None) -> None:
        self.most_bytes = LONGEST_VARINT_BYTES + 1
        self._leaf = scalar.leaf
        self._branch = branch
        assert isinstance(scalar.writer, Enum)
        self._count = np.uint64(len(scalar.writer.symbols))
        symbols = [(symbol or "").encode() for symbol in scalar.symbols]
        self._buffer = np.frombuffer(b"".join(symbols), np.uint8)
        self._lengths = np.array([len(symbol) for symbol in symbols], np.int64)
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._unknown = np.array([symbol is None for symbol in scalar.symbols], np.bool_)

    def read(self, cursor: Cursor) -> None:
        """See `Step`."""
        present = None if self._branch is None else read_branch(cursor, self._branch)
        raw = read_varints(cursor, present)
        index = raw >> np.uint64(1)
        # Negative numbers are odd in zigzag; 2**32 symbols cannot be, so that ints need no check of their own.
        wrong = (index >= self._count) | ((raw & np.uint64(1)) != 0)
        if present is not None:
            wrong &= present
            index[~present] = 0
        cursor.bad |= wrong
        if self._leaf is None:
            return
        index[wrong] = 0
        if self._unknown.any():
            unknown = self._unknown[index]
            cursor.bad |= unknown if present is None else unknown & present
        starts, lengths, valid = self._starts[index], self._lengths[index], _valid(self._leaf, present)
        if valid is not None:
            lengths[~valid] = 0
        cursor.columns[self._leaf.path] = TextColumn(self._buffer, starts, lengths, valid)


class TextStep:
    """A string or bytes, left where it is."""

    def __init__(self, scalar: Scalar, branch: NullBranch | None) -> None:
        self.most_bytes = LONGEST_VARINT_BYTES + 1
        self._leaf = scalar.leaf
        self._branch = branch

    def read(self, cursor: Cursor) -> None:
        """See `Step`."""
        present = None if self._branch is None else read_branch(cursor, self._branch)
        raw = read_varints(cursor, present)
        starts = cursor.position.copy()
        lengths = (raw >> np.uint64(1)).view(np.int64)
        if present is not None:
            lengths *= present
        wrong = lengths > cursor.end - starts
        negative = (raw & np.uint64(1)).view(np.int64) != 0
        if present is not None:
            negative &= present
            wrong &= present
        wrong |= negative
        if wrong.any():
            cursor.bad |= wrong
            lengths[wrong] = 0
        cursor.position += lengths
        if self._leaf is not None:
            _add_text(cursor, self._leaf, starts, lengths, present)


def _add_text(
    cursor: Cursor,
    leaf: Leaf,
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    present: NDArray[np.bool_] | None,
) -> None:
    if not is_bytes(leaf.type):
        cursor.texts.append((starts, lengths))
    text = TextColumn(cursor.buffer, starts, lengths, _valid(leaf, present), is_bytes(leaf.type))
    cursor.columns[leaf.path] = _decimals(cursor, leaf, text, present) if leaf.is_decimal else text


def _decimals(cursor: Cursor, leaf: Leaf, text: TextColumn, present: NDArray[np.bool_] | None) -> ObjectColumn:
    assert isinstance(leaf.type, Primitive | Fixed)
    values = np.empty(cursor.n, object)
    wanted = ~cursor.bad if present is None else present & ~cursor.bad
    rows = np.flatnonzero(wanted)
    for row, data in zip(rows.tolist(), text.take(rows).to_bytes_list(), strict=True):
        value = decimal_of(data or b"", leaf.type.precision, leaf.type.scale)
        if isinstance(value, str):
            cursor.bad[row] = True
        else:
            values[row] = value
    return ObjectColumn(values, text.valid)


@dataclass(frozen=True, slots=True)
class FixedField:
    """A field that takes the same number of bytes in every row: boolean, float, double or fixed."""

    scalar: Scalar
    branch: NullBranch | None
    size: int

    def add(
        self, cursor: Cursor, raw: NDArray[Any], starts: NDArray[np.int64], present: NDArray[np.bool_] | None
    ) -> None:
        """Adds the column of the field, whose bytes begin at `starts` and are in `raw`, (n,) of its dtype."""
        leaf, writer = self.scalar.leaf, self.scalar.writer
        if isinstance(writer, Fixed):
            if leaf is not None:
                lengths = np.full(cursor.n, self.size, np.int64)
                if present is not None:
                    lengths *= present
                _add_text(cursor, leaf, starts, lengths, present)
            return
        assert isinstance(writer, Primitive)
        if writer.name == "boolean":
            wrong = raw > 1
            cursor.bad |= wrong if present is None else wrong & present
            raw = raw == 1
        if leaf is not None:
            cursor.columns[leaf.path] = numeric_column(leaf, raw, present)

    @property
    def dtype(self) -> str:
        """The dtype to gather its bytes with."""
        if isinstance(self.scalar.writer, Fixed):
            return f"V{max(self.size, 1)}"
        return {"boolean": "u1", "float": "<f4", "double": "<f8"}[self.scalar.writer.name]


def fixed_size(scalar: Scalar) -> int | None:
    """The bytes of a value that always takes the same number of them, else None."""
    if isinstance(scalar.writer, Fixed):
        return scalar.writer.size
    if isinstance(scalar.writer, Enum):
        return None
    return {"boolean": 1, "float": 4, "double": 8}.get(scalar.writer.name)


class FixedRun:
    """Neighbouring fields of fixed size that are not nullable: one gather for all of them."""

    def __init__(self, fields: list[FixedField]) -> None:
        self._fields = fields
        sizes = [field.size for field in fields]
        self.most_bytes = sum(sizes)
        self._offsets = [sum(sizes[:index]) for index in range(len(sizes))]
        self._block = f"V{max(self.most_bytes, 1)}"

    def read(self, cursor: Cursor) -> None:
        """See `Step`."""
        position = cursor.position
        block = cursor.view(self._block)[position].view(np.uint8).reshape(cursor.n, -1)
        for field, offset in zip(self._fields, self._offsets, strict=True):
            raw = block[:, offset : offset + field.size]
            if not isinstance(field.scalar.writer, Fixed):
                raw = np.ascontiguousarray(raw).view(field.dtype).reshape(-1)
            field.add(cursor, raw, position + offset, None)
        cursor.position += self.most_bytes


class NullableRun:
    """Neighbouring nullable fields of the same fixed-size type.

    Only the branches need be read one after the other; the values are gathered at once, also where there are
    none, and then blanked.
    """

    def __init__(self, fields: list[FixedField]) -> None:
        self._fields = fields
        self._size = fields[0].size
        self._dtype = fields[0].dtype
        self.most_bytes = sum(1 + field.size for field in fields)
        branches = [field.branch for field in fields]
        self._flips = [2 if branch is not None and branch.null_index else 0 for branch in branches]
        self._required = [i for i, branch in enumerate(branches) if branch is not None and not branch.null_allowed]

    def read(self, cursor: Cursor) -> None:
        """See `Step`."""
        count, size, buffer, position = len(self._fields), self._size, cursor.buffer, cursor.position
        branches = np.empty((count, cursor.n), np.uint8)
        starts = np.empty((count, cursor.n), np.int64)
        for row, start, flip in zip(branches, starts, self._flips, strict=True):
            buffer.take(position, out=row, mode="clip")
            if flip:
                row ^= 2
            np.add(position, 1, out=start)
            position = start + (row == 2) * size
        cursor.position = position
        cursor.bad |= np.bitwise_or.reduce(branches, axis=0) & 0xFD != 0
        present = branches == 2
        for index in self._required:
            cursor.bad |= ~present[index]
        values = cursor.view(self._dtype)[starts]
        for field, raw, start, there in zip(self._fields, values, starts, present, strict=True):
            field.add(cursor, raw, start, there)


class NestedStep:
    """A record: its fields, and the defaults of those that the writer lacks."""

    def __init__(self, steps: list[Step], missing: tuple[tuple[Leaf, Any], ...]) -> None:
        self._steps = steps
        self._missing = missing
        self.most_bytes = sum(step.most_bytes for step in steps)

    def read(self, cursor: Cursor) -> None:
        """See `Step`."""
        for step in self._steps:
            step.read(cursor)
        for leaf, value in self._missing:
            cursor.columns[leaf.path] = repeat(leaf, value, cursor.n)


class OptionalStep:
    """A nullable value of any type: read for the rows that have one, then spread over all."""

    def __init__(self, inner: Step, branch: NullBranch, leaves: tuple[Leaf, ...]) -> None:
        self._inner = inner
        self._branch = branch
        self._leaves = leaves
        self.most_bytes = 1 + inner.most_bytes

    def read(self, cursor: Cursor) -> None:
        """See `Step`."""
        present = read_branch(cursor, self._branch)
        if present.all():
            self._inner.read(cursor)
            return
        rows = np.flatnonzero(present)
        part = cursor.part(rows)
        if len(rows):
            self._inner.read(part)
            part.check_texts()
            cursor.join(part, rows)
        for leaf in self._leaves:
            if len(rows):
                cursor.columns[leaf.path] = spread(part.columns[leaf.path], rows, cursor.n)
            else:
                cursor.columns[leaf.path] = repeat(leaf, None, cursor.n)
