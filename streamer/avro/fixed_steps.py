"""Steps for fields that take the same number of bytes in every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.avro.avro_types import Enum, Fixed, Primitive
from streamer.avro.leaves import DTYPES
from streamer.avro.steps import NullBranch, add_text, valid_of
from streamer.records.columns import NumericColumn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.avro.cursor import Cursor
    from streamer.avro.resolution import Scalar


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
                add_text(cursor, leaf, starts, lengths, present)
            return
        assert isinstance(writer, Primitive)
        if writer.name == "boolean":
            wrong = raw > 1
            cursor.bad |= wrong if present is None else wrong & present
            raw = raw == 1
        if leaf is not None:
            assert isinstance(leaf.type, Primitive)
            values = raw.astype(DTYPES[leaf.type.name], copy=False)
            cursor.columns[leaf.path] = NumericColumn(values, valid_of(leaf, present))

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
        block = cursor.view(self._block)[position]
        for field, offset in zip(self._fields, self._offsets, strict=True):
            if isinstance(field.scalar.writer, Fixed):
                field.add(cursor, block, position + offset, None)
            else:  # a copy, so that neither a misaligned view nor the whole block is passed on
                field.add(cursor, block.getfield(field.dtype, offset).copy(), position, None)
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
        self._half_size = np.uint8(self._size // 2) if self._size in (4, 8) else None
        self.most_bytes = sum(1 + max(field.size, 255) for field in fields)
        branches = [field.branch for field in fields]
        self._flips = [2 if branch is not None and branch.null_index else 0 for branch in branches]
        self._required = [i for i, branch in enumerate(branches) if branch is not None and not branch.null_allowed]

    def read(self, cursor: Cursor) -> None:
        """See `Step`."""
        count, n, size, buffer, position = len(self._fields), cursor.n, self._size, cursor.buffer, cursor.position
        branches = np.empty((count, n), np.uint8)
        starts = np.empty((count, n), np.int64)
        for row, start, flip in zip(branches, starts, self._flips, strict=True):
            buffer.take(position, out=row, mode="clip")
            if flip:
                row ^= 2
            np.add(position, 1, out=start)
            # Branches are 0 or 2; of any other byte this makes a bounded nonsense, in a row that is lost anyway.
            advance = row * self._half_size if self._half_size else (row == 2) * size
            np.add(start, advance, out=position)
        cursor.branch_bits |= np.bitwise_or.reduce(branches, axis=0)
        present = branches == 2
        for index in self._required:
            cursor.bad |= ~present[index]
        values = cursor.view(self._dtype)[starts]
        if self._dtype[0] != "V":
            values = np.where(present, values, values.dtype.type(0))
        for field, raw, start, there in zip(self._fields, values, starts, present, strict=True):
            field.add(cursor, raw, start, there)
