"""The parts of an encoded row: each knows its greatest size and writes itself into all rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from streamer.avro.varints import varint_length, varint_words, zigzag_encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.avro.row_writer import RowWriter


@dataclass(frozen=True, slots=True)
class Branches:
    """The branches of a nullable union.

    Attributes:
        null: The byte of the branch null.
        value: The byte of the other branch.
        present: Shape (n,), dtype bool: which rows are not null; None for all of them.
    """

    null: int
    value: int
    present: NDArray[np.bool_] | None


class Part(Protocol):
    """Bytes of every row."""

    def most_bytes(self) -> int:
        """The most bytes that it takes in any row."""
        ...

    def write(self, writer: RowWriter) -> None:
        """Writes them."""
        ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """The same bytes in every row."""

    data: bytes

    def most_bytes(self) -> int:
        """See `Part`."""
        return len(self.data)

    def write(self, writer: RowWriter) -> None:
        """See `Part`."""
        FixedBlock([self]).write(writer)


@dataclass(frozen=True, slots=True)
class FixedValues:
    """Values of a fixed size in every row; shape (n,), little-endian."""

    values: NDArray[Any]

    def most_bytes(self) -> int:
        """See `Part`."""
        return self.values.dtype.itemsize

    def write(self, writer: RowWriter) -> None:
        """See `Part`."""
        FixedBlock([self]).write(writer)


@dataclass(frozen=True, slots=True)
class FixedBlock:
    """Neighbouring parts that take the same bytes in every row: put together first, then stored at once."""

    parts: list[Chunk | FixedValues]

    def most_bytes(self) -> int:
        """See `Part`."""
        return sum(part.most_bytes() for part in self.parts)

    def write(self, writer: RowWriter) -> None:
        """See `Part`."""
        size = self.most_bytes()
        if not size:
            return
        dtype = np.dtype((np.void, size))
        column = writer.column(dtype, size)
        block = np.empty(writer.n, dtype) if column is None else column
        offset = 0
        for part in self.parts:
            values: Any
            if isinstance(part, Chunk):
                values, kind = np.void(part.data), np.dtype((np.void, len(part.data)))
            else:
                values, kind = part.values, part.values.dtype
            block.getfield(kind, offset)[:] = values
            offset += kind.itemsize
        if column is None:
            writer.put(block, size)


@dataclass(frozen=True, slots=True)
class Varints:
    """Ints and longs, zigzag-coded, with their branch in front if they are nullable."""

    raw: NDArray[np.uint64]
    branches: Branches | None = None

    @classmethod
    def of(cls, values: NDArray[Any], branches: Branches | None = None) -> Varints:
        """Signed values."""
        return cls(zigzag_encode(values), branches)

    def most_bytes(self) -> int:
        """See `Part`."""
        return 1 + varint_length(int(self.raw.max(initial=0)))

    def write(self, writer: RowWriter) -> None:
        """See `Part`."""
        raw, branches = self.raw, self.branches
        if branches is not None and branches.present is not None:
            raw = np.where(branches.present, raw, 0)
        words, lengths = varint_words(raw)
        most = int(np.max(lengths))
        if most > 8:
            _put_longest(writer, raw, words, np.broadcast_to(np.asarray(lengths, np.int64), raw.shape), branches)
        elif branches is None:
            writer.put(words, lengths)
        elif most == 8:
            _put_branches(writer, branches)
            writer.put(words, _only_present(lengths, branches))
        else:
            words = (words << np.uint64(8)) | np.uint64(branches.value)
            if branches.present is None:
                writer.put(words, lengths + 1)
            else:
                words[~branches.present] = branches.null
                writer.put(words, _only_present(lengths, branches) + 1)


def _only_present(lengths: NDArray[np.int64] | int, branches: Branches) -> Any:
    return lengths if branches.present is None else lengths * branches.present.astype(np.int64)


def _put_branches(writer: RowWriter, branches: Branches) -> None:
    if branches.present is None:
        Chunk(bytes([branches.value])).write(writer)
    else:
        writer.put(np.where(branches.present, branches.value, branches.null).astype(np.uint8), 1)


def _put_longest(
    writer: RowWriter,
    raw: NDArray[np.uint64],
    words: NDArray[np.uint64],
    lengths: NDArray[np.int64],
    branches: Branches | None,
) -> None:
    """Numbers of which some take nine or ten bytes: a word for the first eight, then byte by byte."""
    if branches is not None:
        _put_branches(writer, branches)
        lengths = _only_present(lengths, branches)
    long = np.flatnonzero(lengths > 8)
    writer.put(words, 0)
    ninth = ((raw[long] >> np.uint64(56)) & np.uint64(127)).astype(np.uint8)
    writer.put_behind(ninth | ((lengths[long] == 10).astype(np.uint8) << np.uint8(7)), long, 8)
    longest = long[lengths[long] == 10]
    writer.put_behind((raw[longest] >> np.uint64(63)).astype(np.uint8), longest, 9)
    position = writer.position()
    position += lengths


@dataclass(frozen=True, slots=True)
class OptionalFixed:
    """Nullable values of a fixed size, some of them null."""

    values: NDArray[Any]
    branches: Branches

    def most_bytes(self) -> int:
        """See `Part`."""
        return 1 + self.values.dtype.itemsize

    def write(self, writer: RowWriter) -> None:
        """See `Part`."""
        present = self.branches.present
        assert present is not None
        size = self.values.dtype.itemsize
        block = np.empty(writer.n, np.dtype((np.void, 1 + size)))
        block.getfield(np.uint8, 0)[:] = np.where(present, self.branches.value, self.branches.null)
        block.getfield(self.values.dtype, 1)[:] = self.values
        writer.put(block, np.where(present, 1 + size, 1))


@dataclass(frozen=True, slots=True)
class Slices:
    """A slice of a buffer in every row, of length 0 where there is nothing to write.

    Attributes:
        source: Shape (any,), dtype uint8.
        starts: Shape (n,), dtype int64.
        lengths: Shape (n,), dtype int64.
    """

    source: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def most_bytes(self) -> int:
        """See `Part`."""
        return int(self.lengths.max(initial=0))

    def write(self, writer: RowWriter) -> None:
        """See `Part`."""
        writer.put_slices(self.source, self.starts, self.lengths)


def merged(parts: list[Part]) -> list[Part]:
    """The parts with neighbours of fixed size put into blocks, and neighbouring chunks into one."""
    result: list[Part] = []
    for part in parts:
        if not isinstance(part, Chunk | FixedValues):
            result.append(part)
            continue
        if not result or not isinstance(result[-1], FixedBlock):
            result.append(FixedBlock([]))
        block = result[-1]
        assert isinstance(block, FixedBlock)
        if isinstance(part, Chunk) and not part.data:
            continue
        if isinstance(part, Chunk) and block.parts and isinstance(block.parts[-1], Chunk):
            block.parts[-1] = Chunk(block.parts[-1].data + part.data)
        else:
            block.parts.append(part)
    return result
