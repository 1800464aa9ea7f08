"""Columns of numbers and booleans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class NumericColumn:
    """n numbers or booleans.

    Attributes:
        values: Shape (n,), dtype bool, int32, int64, float32 or float64. Zero where the row is null. It
            may be a strided view of a larger block.
        valid: Shape (n,), dtype bool, False where the row is null. None when no row is.
    """

    values: NDArray[Any]
    valid: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The rows at these indices, in their order."""
        return type(self)(self.values[rows], None if self.valid is None else self.valid[rows])

    def to_pylist(self) -> list[Any]:
        """Python bools, ints or floats, None where null."""
        values: list[Any] = self.values.tolist()
        if self.valid is None or self.valid.all():
            return values
        for row in np.flatnonzero(~self.valid).tolist():
            values[row] = None
        return values

    def as_float64(self, null: float = np.nan) -> NDArray[np.float64]:
        """The values as float64, shape (n,), with `null` where a row is null.

        Integers beyond 2**53 lose their last digits.
        """
        values = self.values.astype(np.float64, copy=False)
        return values if self.valid is None else np.where(self.valid, values, null)
