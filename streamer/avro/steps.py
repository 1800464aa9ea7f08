"""The steps of a decoding plan: each reads one field, or one run of fields, of all rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from streamer.avro.avro_types import Enum, Fixed, Primitive
from streamer.avro.decimals import decimal_of
from streamer.avro.leaves import DTYPES, Leaf, is_bytes, repeat, spread
from streamer.avro.varints import numbers_in, peek_words, read_varints, zigzag_decode
from streamer.records.columns import NumericColumn, ObjectColumn, TextColumn

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from streamer.avro.cursor import Cursor
    from streamer.avro.resolution import Scalar

LONGEST_VARINT_BYTES = 10
# Branch, length and 63 bytes; 127 for a branch that is none.
_LONGEST_SHORT_TEXT_BYTES = 1 + 1 + 63 + 127
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
    byte = cursor.buffer.take(cursor.position)
    cursor.position += 1
    return _present(cursor, byte, branch)


def _present(cursor: Cursor, byte: NDArray[np.uint8], branch: NullBranch) -> NDArray[np.bool_]:
    """Which rows are not null, from their branch bytes; these become 2 there, if the row is sound, else 0."""
    if branch.null_index:
        byte ^= 2
    cursor.branch_bits |= byte
    present: NDArray[np.bool_] = byte == 2
    if not branch.null_allowed:
        cursor.bad |= ~present
    return present


def valid_of(leaf: Leaf, present: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """The `valid` of a leaf's column: None if no row is null."""
    if present is None or not leaf.nullable or np.count_nonzero(present) == len(present):
        return None
    return present


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
        first = cursor.buffer.take(cursor.position)
        if present is not None:
            first *= present
        if first.max(initial=0) < 128:
            cursor.position += 1 if present is None else present
            sign = first & 1
            first >>= 1
            self._add(cursor, first.view(np.int8) ^ -sign.view(np.int8), present)
            return
        peeked = peek_words(cursor, present)
        if peeked is None:
            raw = read_varints(cursor, present)
            if present is not None:
                raw *= present
            self._finish(cursor, raw, zigzag_decode(raw), present)
            return
        word, bits, lengths = peeked
        cursor.position += lengths
        cursor.deferred.setdefault(_finish_varints, []).append((self, word, bits, present))

    def _finish(
        self,
        cursor: Cursor,
        raw: NDArray[np.uint64],
        values: NDArray[np.int64],
        present: NDArray[np.bool_] | None,
    ) -> None:
        if self._is_int and raw.max(initial=0) > _MOST_INT:
            cursor.bad |= raw > _MOST_INT
        self._add(cursor, values, present)

    def _add(self, cursor: Cursor, values: NDArray[Any], present: NDArray[np.bool_] | None) -> None:
        if self._leaf is not None:
            assert isinstance(self._leaf.type, Primitive)
            values = values.astype(DTYPES[self._leaf.type.name], copy=False)
            cursor.columns[self._leaf.path] = NumericColumn(values, valid_of(self._leaf, present))


def _finish_varints(
    cursor: Cursor,
    entries: list[tuple[VarintStep, NDArray[np.uint64], NDArray[np.uint64], NDArray[np.bool_] | None]],
) -> None:
    """Makes out the numbers of all fields at once."""
    shape = len(entries), cursor.n
    words = np.concatenate([word for _, word, _, _ in entries]).reshape(shape)
    bits = np.concatenate([bits for _, _, bits, _ in entries]).reshape(shape)
    raw, bad = numbers_in(words, bits)
    if bad.any():
        cursor.bad |= bad.any(axis=0)
    values = zigzag_decode(raw)
    for index, (step, _, _, present) in enumerate(entries):
        step._finish(cursor, raw[index], values[index], present)


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
        starts, lengths, valid = self._starts[index], self._lengths[index], valid_of(self._leaf, present)
        if valid is not None:
            lengths[~valid] = 0
        cursor.columns[self._leaf.path] = TextColumn(self._buffer, starts, lengths, valid)


class TextStep:
    """A string or bytes, left where it is."""

    def __init__(self, scalar: Scalar, branch: NullBranch | None) -> None:
        self.most_bytes = _LONGEST_SHORT_TEXT_BYTES
        self._leaf = scalar.leaf
        self._branch = branch

    def read(self, cursor: Cursor) -> None:
        """See `Step`."""
        position, branch, present, start = cursor.position, None, None, 1
        if self._branch is not None:
            branch = cursor.buffer.take(position)
            present = _present(cursor, branch, self._branch)
            start = 2
        first = cursor.buffer.take(position + 1 if start == 2 else position)
        if present is not None:
            first *= present
        if first.max(initial=0) > 127:
            self._read_long(cursor, present)
            return
        # Every text is shorter than 64 bytes: all in single bytes, and the end need not be looked at yet.
        cursor.length_bits |= first
        first >>= 1
        starts, lengths = position + start, first.astype(np.int64)
        if branch is not None:
            branch >>= 1
            first += branch
        first += 1
        position += first
        if self._leaf is not None:
            add_text(cursor, self._leaf, starts, lengths, present)

    def _read_long(self, cursor: Cursor, present: NDArray[np.bool_] | None) -> None:
        if present is not None:
            cursor.position += 1
        raw = read_varints(cursor, present)
        starts = cursor.position.copy()
        lengths = (raw >> np.uint64(1)).view(np.int64)
        wrong = (raw & np.uint64(1)) != 0
        wrong |= lengths > cursor.end - starts
        if present is not None:
            lengths *= present
            wrong &= present
        if wrong.any():
            cursor.bad |= wrong
            lengths[wrong] = 0
        cursor.position += lengths
        if self._leaf is not None:
            add_text(cursor, self._leaf, starts, lengths, present)


def add_text(
    cursor: Cursor,
    leaf: Leaf,
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    present: NDArray[np.bool_] | None,
) -> None:
    """Adds the column of a text, bytes or fixed leaf, or of a decimal that is stored as one of these."""
    if not is_bytes(leaf.type):
        cursor.texts.append((starts, lengths))
    text = TextColumn(cursor.buffer, starts, lengths, valid_of(leaf, present), is_bytes(leaf.type))
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
            cursor.join(part, rows)
        for leaf in self._leaves:
            if len(rows):
                cursor.columns[leaf.path] = spread(part.columns[leaf.path], rows, cursor.n)
            else:
                cursor.columns[leaf.path] = repeat(leaf, None, cursor.n)
