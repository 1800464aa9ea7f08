"""Columns of text and bytes that are slices of one buffer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_INT64_DIGITS = 20  # 19 digits and a sign
# Below this many buffer bytes per row one copy of the buffer is cheaper than a memoryview per row.
_COPY_BYTES_PER_ROW = 2_048


@dataclass(frozen=True, slots=True, eq=False)
class TextColumn:
    """n texts or byte strings as slices of one buffer; no Python str exists until it is asked for.

    Attributes:
        buffer: Shape (any,), dtype uint8. Text is valid UTF-8. Slices may overlap.
        starts: Shape (n,), dtype int64: where each row begins in the buffer.
        lengths: Shape (n,), dtype int64: bytes of each row, 0 where it is null.
        valid: Shape (n,), dtype bool, False where the row is null. None when no row is.
        is_bytes: The rows are bytes, not text.
    """

    buffer: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    valid: NDArray[np.bool_] | None = None
    is_bytes: bool = False

    @classmethod
    def from_strings(cls, values: Sequence[str | None]) -> Self:
        """A text column of these strings, null where they are None.

        Raises:
            UnicodeEncodeError: A string holds a lone surrogate, so that it has no UTF-8 form.
        """
        return cls.from_bytes([None if value is None else value.encode() for value in values], is_bytes=False)

    @classmethod
    def from_bytes(cls, values: Sequence[bytes | None], *, is_bytes: bool = True) -> Self:
        """A column of these byte strings, null where they are None."""
        n = len(values)
        chunks = [value or b"" for value in values]
        lengths = np.fromiter(map(len, chunks), np.int64, n)
        starts = np.fromiter(accumulate(map(len, chunks[:-1]), initial=0) if n else (), np.int64, n)
        valid = np.fromiter((value is not None for value in values), np.bool_, n)
        buffer = np.frombuffer(b"".join(chunks), np.uint8)
        return cls(buffer, starts, lengths, None if valid.all() else valid, is_bytes)

    @classmethod
    def repeat(cls, value: str | bytes | None, n: int, *, is_bytes: bool = False) -> Self:
        """n rows that all share one slice, or that are all null."""
        chunk = b"" if value is None else value if isinstance(value, bytes) else value.encode()
        return cls(
            np.frombuffer(chunk, np.uint8),
            np.zeros(n, np.int64),
            np.full(n, len(chunk), np.int64),
            np.zeros(n, np.bool_) if value is None else None,
            is_bytes,
        )

    @classmethod
    def from_integers(cls, values: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Self:
        """The decimal digits of integers, as str() would write them.

        Args:
            values: Shape (n,), any integer dtype of up to 64 bits.
            valid: Shape (n,), False where the row is null.
        """
        n = len(values)
        negative = values < 0
        rest = values.astype(np.uint64)
        np.negative(rest, out=rest, where=negative)
        block = np.empty((n, _INT64_DIGITS), np.uint8)
        lengths = np.ones(n, np.int64)
        column = _INT64_DIGITS
        while True:
            column -= 1
            rest, digit = np.divmod(rest, np.uint64(10))
            block[:, column] = digit + np.uint64(ord("0"))
            more = rest > 0
            if not more.any():
                break
            lengths += more
        starts = np.arange(1, n + 1, dtype=np.int64) * _INT64_DIGITS - lengths
        signed = np.flatnonzero(negative)
        starts[signed] -= 1
        lengths[signed] += 1
        buffer = block.reshape(-1)
        buffer[starts[signed]] = ord("-")
        if valid is not None:
            lengths = np.where(valid, lengths, 0)
        return cls(buffer, starts, lengths, valid)

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The rows at these indices, in their order. The buffer is shared."""
        valid = None if self.valid is None else self.valid[rows]
        return type(self)(self.buffer, self.starts[rows], self.lengths[rows], valid, self.is_bytes)

    def to_bytes_list(self) -> list[bytes | None]:
        """The rows as Python bytes (text as UTF-8), None where null."""
        slices = zip(self.starts.tolist(), (self.starts + self.lengths).tolist(), strict=True)
        rows: list[bytes | None]
        if self.buffer.size <= _COPY_BYTES_PER_ROW * len(self):
            data = self.buffer.tobytes()
            rows = [data[start:stop] for start, stop in slices]
        else:
            view = self.buffer.data
            rows = [bytes(view[start:stop]) for start, stop in slices]
        if self.valid is not None:
            for row in np.flatnonzero(~self.valid).tolist():
                rows[row] = None
        return rows

    def to_pylist(self) -> list[Any]:
        """The rows as Python str, or bytes when `is_bytes`, None where null."""
        rows = self.to_bytes_list()
        return rows if self.is_bytes else [None if row is None else row.decode() for row in rows]

    def equals(self, constant: bytes) -> NDArray[np.bool_]:
        """Shape (n,): True where a row is not null and holds exactly these bytes (text as UTF-8)."""
        width = len(constant)
        same: NDArray[np.bool_] = self.lengths == width
        if self.valid is not None:
            same &= self.valid
        if not width:
            return same
        rows = np.flatnonzero(same)
        if len(rows):
            windows = np.ndarray((self.buffer.size - width + 1,), np.dtype((np.void, width)), self.buffer, strides=(1,))
            found = windows[self.starts[rows]].view(np.uint8).reshape(-1, width)
            same[rows] = (found == np.frombuffer(constant, np.uint8)).all(axis=1)
        return same
