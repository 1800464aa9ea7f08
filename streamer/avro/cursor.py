"""Many payloads in one buffer, and how far each has been read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

    from streamer.records.columns import Column

HIGH_BITS = np.uint64(0x8080808080808080)


def unaligned(buffer: NDArray[np.uint8], dtype: DTypeLike) -> NDArray[Any]:
    """A view whose element i is the value that begins at byte i, aligned or not."""
    kind = np.dtype(dtype)
    return np.ndarray((buffer.size - kind.itemsize + 1,), kind, buffer, strides=(1,))


class Cursor:
    """n payloads, read in step, one field of all of them at a time.

    A row that turns out to be malformed is only marked in `bad` and read on with harmless positions: lengths
    are checked against the payload's end, everything else takes a bounded number of bytes, and the buffer is
    padded by at least their sum. A row that ran over its end never comes back, so that one comparison at the
    end finds it.

    Attributes:
        data: All payloads, then padding.
        buffer: The same, shape (any,), dtype uint8.
        position: Shape (n,), dtype int64: the next byte to read of each row.
        end: Shape (n,), dtype int64: one past the last byte of each row.
        bad: Shape (n,), dtype bool: the row is malformed, as far as that has been settled.
        branch_bits: Shape (n,), dtype uint8: all branch bytes of nullable unions so far, or-ed together. They
            must be 0 or 2.
        length_bits: Shape (n,), dtype uint8: all length bytes below 128 so far, or-ed together. An odd one is
            a negative length.
        columns: What has been read, by the leaf's dotted name.
        deferred: What several fields leave to be done at once at the end: by the function that does it, what it
            is to be called with.
        texts: Starts and lengths of the texts to be checked.
    """

    __slots__ = (
        "_views",
        "bad",
        "branch_bits",
        "buffer",
        "columns",
        "data",
        "deferred",
        "end",
        "length_bits",
        "position",
        "texts",
    )

    def __init__(
        self, data: bytes, buffer: NDArray[np.uint8], position: NDArray[np.int64], end: NDArray[np.int64]
    ) -> None:
        self.data = data
        self.buffer = buffer
        self.position = position
        self.end = end
        self.bad: NDArray[np.bool_] = np.zeros(len(position), np.bool_)
        self.branch_bits: NDArray[np.uint8] = np.zeros(len(position), np.uint8)
        self.length_bits: NDArray[np.uint8] = np.zeros(len(position), np.uint8)
        self.columns: dict[str, Column] = {}
        self.deferred: dict[Callable[[Cursor, list[Any]], None], list[Any]] = {}
        self.texts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._views: dict[Any, NDArray[Any]] = {}

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.position)

    def view(self, dtype: DTypeLike) -> NDArray[Any]:
        """The buffer as unaligned values; see `unaligned`."""
        view = self._views.get(dtype)
        if view is None:
            view = self._views[dtype] = unaligned(self.buffer, dtype)
        return view

    def part(self, rows: NDArray[np.int64]) -> Cursor:
        """A cursor over some of the rows, at their positions; `join` takes back what it found."""
        part = Cursor(self.data, self.buffer, self.position[rows], self.end[rows])
        part._views = self._views
        return part

    def join(self, part: Cursor, rows: NDArray[np.int64]) -> None:
        """Takes over positions and marks of the cursor that `part(rows)` gave."""
        part.settle()
        self.position[rows] = part.position
        self.bad[rows] |= part.bad

    def settle(self) -> None:
        """Does what was deferred, and marks the rows with wrong branches, lengths, or texts that are not UTF-8."""
        for finish, entries in self.deferred.items():
            finish(self, entries)
        self.settle_bytes()
        if not self.texts:
            return
        starts = np.concatenate([starts for starts, _ in self.texts])
        lengths = np.concatenate([lengths for _, lengths in self.texts])
        n, data = self.n, self.data
        for index in _not_ascii(self, starts, lengths).tolist():
            start = int(starts[index])
            try:
                data[start : start + int(lengths[index])].decode()
            except UnicodeDecodeError:
                self.bad[index % n] = True

    def settle_bytes(self) -> None:
        """Marks the rows whose branches or lengths are wrong."""
        self.bad |= (self.branch_bits & 0xFD) | (self.length_bits & 1) != 0


def _high_bits(width: int) -> NDArray[np.void]:
    """At index i, `width` bytes of which the first i have their high bit set."""
    masks = np.tri(width + 1, width, -1, np.uint8) << 7
    return masks.view(np.dtype((np.void, width))).reshape(-1)


_FIRST_BLOCK_BYTES = 16
_BLOCK_BYTES = 64
_HIGH_BITS_16 = _high_bits(_FIRST_BLOCK_BYTES)
_HIGH_BITS_64 = _high_bits(_BLOCK_BYTES)


def _not_ascii(cursor: Cursor, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The indices of the slices that hold a byte above 127.

    A gather costs by its count, not by its width: 16 bytes of every slice, then 64 of those that go on.
    """
    block = cursor.view("V16")[starts].view(np.uint64)
    block &= _HIGH_BITS_16.take(lengths, mode="clip").view(np.uint64)
    found = (block[::2] | block[1::2]) != 0
    offset = _FIRST_BLOCK_BYTES
    longer = np.flatnonzero(lengths > offset)
    while len(longer):
        block = cursor.view("V64")[starts[longer] + offset].view(np.uint64)
        block &= _HIGH_BITS_64.take(lengths[longer] - offset, mode="clip").view(np.uint64)
        found[longer] |= block.reshape(-1, _BLOCK_BYTES // 8).any(axis=1)
        offset += _BLOCK_BYTES
        longer = longer[lengths[longer] > offset]
    return np.flatnonzero(found)
