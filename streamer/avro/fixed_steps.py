"""Steps for fields that take the same number of bytes in every row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.avro.avro_types import Enum, Fixed, Primitive
from streamer.avro.leaves import DTYPES
from streamer.avro.steps import NullBranch, add_text, valid_of
from streamer.records.columns import NumericColumn

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from streamer.avro.cursor import Cursor
    from streamer.avro.resolution import Scalar


@dataclass(frozen=True, slots=True)
class FixedField:
    """A field that takes the same number of bytes in every row: boolean, float, double or fixed."""

    scalar: Scalar
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


class NullableFixedStep:
    """A nullable field of fixed size.

    Only the branch need be read before the next field; the values of all such fields are gathered at once, also
    where there are none, and then blanked.
    """

    def __init__(self, field: FixedField, branch: NullBranch) -> None:
        self._field = field
        self._branch = branch
        self._half_size = np.uint8(field.size // 2) if field.size in (4, 8) else None
        self._finish = _finisher(field.dtype)
        self.most_bytes = 1 + max(field.size, 255)

    def read(self, cursor: Cursor) -> None:
        """See `Step`."""
        branches = cursor.buffer.take(cursor.position)
        if self._branch.null_index:
            branches ^= 2
        cursor.branch_bits |= branches
        starts = cursor.position + 1
        # Branches are 0 or 2; of any other byte this makes a bounded nonsense, in a row that is lost anyway.
        advance = branches * self._half_size if self._half_size else (branches == 2) * self._field.size
        cursor.position = starts + advance
        cursor.deferred.setdefault(self._finish, []).append((self, starts, branches))

    def finish(self, cursor: Cursor, raw: NDArray[Any], starts: NDArray[np.int64], present: NDArray[np.bool_]) -> None:
        """Adds the column, once its bytes are there."""
        if not self._branch.null_allowed:
            cursor.bad |= ~present
        self._field.add(cursor, raw, starts, present)


@cache
def _finisher(dtype: str) -> Callable[[Cursor, list[Any]], None]:
    """What gathers the values of all fields of one dtype."""

    def finish(cursor: Cursor, entries: list[tuple[NullableFixedStep, NDArray[np.int64], NDArray[np.uint8]]]) -> None:
        shape = len(entries), cursor.n
        starts = np.concatenate([starts for _, starts, _ in entries]).reshape(shape)
        present = np.concatenate([branches for _, _, branches in entries]).reshape(shape) == 2
        values = cursor.view(dtype)[starts]
        if dtype[0] != "V":
            values = np.where(present, values, values.dtype.type(0))
        for index, (step, _, _) in enumerate(entries):
            step.finish(cursor, values[index], starts[index], present[index])

    return finish
