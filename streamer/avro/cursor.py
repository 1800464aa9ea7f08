"""Many payloads in one buffer, and how far each has been read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
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
        bad: Shape (n,), dtype bool: the row is malformed.
        columns: What has been read, by the leaf's dotted name.
    """

    __slots__ = ("_views", "bad", "buffer", "columns", "data", "end", "position", "texts")

    def __init__(
        self, data: bytes, buffer: NDArray[np.uint8], position: NDArray[np.int64], end: NDArray[np.int64]
    ) -> None:
        self.data = data
        self.buffer = buffer
        self.position = position
        self.end = end
        self.bad: NDArray[np.bool_] = np.zeros(len(position), np.bool_)
        self.columns: dict[str, Column] = {}
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
        self.position[rows] = part.position
        self.bad[rows] |= part.bad

    def check_texts(self) -> None:
        """Marks the rows in which a text that was read is not UTF-8.

        Words of eight bytes without a high bit are ASCII; only texts with a high bit are decoded one by one.
        """
        if not self.texts:
            return
        starts = np.concatenate([starts for starts, _ in self.texts])
        lengths = np.concatenate([lengths for _, lengths in self.texts])
        suspects = _not_ascii(self.view("<u8"), starts, lengths)
        n, data = self.n, self.data
        for index in suspects.tolist():
            start = int(starts[index])
            try:
                data[start : start + int(lengths[index])].decode()
            except UnicodeDecodeError:
                self.bad[index % n] = True


def _not_ascii(words: NDArray[np.uint64], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The indices of the slices that hold a byte above 127."""
    # The first word of all: bytes behind the text's end are shifted out, 64 and more bits leave nothing.
    shift = (64 - 8 * np.minimum(lengths, 8)).astype(np.uint64)
    found = (words[starts] << shift) & HIGH_BITS != 0
    # Longer texts: whole words, the last one aligned with the text's end.
    longer = np.flatnonzero(lengths > 8)
    offset = 8
    while len(longer):
        last = lengths[longer] - 8
        at = starts[longer] + np.minimum(last, offset)
        found[longer[words[at] & HIGH_BITS != 0]] = True
        offset += 8
        longer = longer[last > offset - 8]
    return np.flatnonzero(found)
