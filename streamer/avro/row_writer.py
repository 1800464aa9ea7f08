"""Many rows written into one buffer, a field of all of them at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.avro.cursor import unaligned

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

WIDEST_STORE_BYTES = 64


class RowWriter:
    """n rows with a fixed stride between their beginnings, each written from left to right.

    Stores may be wider than what they mean to write: the garbage behind it is overwritten by the next field,
    and behind the last one there is room for it. As long as every row has the same length, fields are written
    as strided columns; after the first that differs, each row has a position of its own.

    Args:
        n: The number of rows.
        most_bytes: The most bytes that any row takes.
    """

    def __init__(self, n: int, most_bytes: int) -> None:
        self.n = n
        self.stride = most_bytes + WIDEST_STORE_BYTES
        self._buffer = np.empty(n * self.stride, np.uint8)
        self._offset = 0
        self._position: NDArray[np.int64] | None = None

    def column(self, dtype: DTypeLike, size: int) -> NDArray[Any] | None:
        """Moves on by `size` bytes and gives them as a column to fill; None if the rows differ in length."""
        if self._position is not None:
            return None
        column: NDArray[Any] = np.ndarray((self.n,), dtype, self._buffer, offset=self._offset, strides=(self.stride,))
        self._offset += size
        return column

    def put(self, values: NDArray[Any], lengths: NDArray[np.int64] | int) -> None:
        """Writes one value of at most `WIDEST_STORE_BYTES`, or of exactly `lengths` bytes, in each row.

        Args:
            values: Shape (n,), stored whole.
            lengths: How many of its bytes count, shape (n,) or the same for all.
        """
        if isinstance(lengths, int):
            column = self.column(values.dtype, lengths)
            if column is not None:
                column[:] = values
                return
        position = self.position()
        unaligned(self._buffer, values.dtype)[position] = values
        position += lengths

    def put_behind(self, values: NDArray[np.uint8], rows: NDArray[np.int64], offset: int) -> None:
        """Writes single bytes at `offset` from the positions of some rows, without moving on."""
        self._buffer[self.position()[rows] + offset] = values

    def put_slices(self, source: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
        """Writes a slice of `source` in each row.

        Args:
            source: Shape (any,), dtype uint8.
            starts: Where each row's slice begins, shape (n,).
            lengths: Its length, shape (n,).
        """
        longest = int(lengths.max(initial=0))
        if longest == 0:
            return
        if longest == int(lengths.min()):
            self.put(unaligned(source, f"V{longest}")[starts], longest)
            return
        width = next((width for width in (8, 16, 32) if width >= longest), WIDEST_STORE_BYTES)
        if int(starts.max()) + longest + width > source.size:
            source = np.concatenate([source, np.zeros(longest + width, np.uint8)])
        gathered, stored = unaligned(source, f"V{width}"), unaligned(self._buffer, f"V{width}")
        position = self.position()
        stored[position] = gathered[starts]
        for offset in range(width, longest, width):
            rows = np.flatnonzero(lengths > offset)
            stored[position[rows] + offset] = gathered[starts[rows] + offset]
        position += lengths

    def position(self) -> NDArray[np.int64]:
        """The position of each row from here on; to be moved in place."""
        if self._position is None:
            self._position = np.arange(self.n, dtype=np.int64) * self.stride + self._offset
        return self._position

    def rows(self) -> list[bytes]:
        """What has been written, row by row."""
        data = self._buffer.tobytes()
        starts = range(0, self.n * self.stride, self.stride)
        if self._position is None:
            length = self._offset
            return [data[start : start + length] for start in starts]
        return [data[start:end] for start, end in zip(starts, self._position.tolist(), strict=True)]
