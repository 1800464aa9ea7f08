"""Columns with the same value in every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class ConstantColumn:
    """One value for all n rows. The encoder writes neighbouring constants as one prepared chunk of bytes.

    Attributes:
        value: The Python value of every row; None makes every row null.
        n: The number of rows.
    """

    value: Any
    n: int

    def __len__(self) -> int:
        return self.n

    @property
    def valid(self) -> NDArray[np.bool_] | None:
        """None when the value is not null, else n times False."""
        return np.zeros(self.n, np.bool_) if self.value is None else None

    def take(self, rows: NDArray[np.int64]) -> Self:
        """As many rows as there are indices."""
        return type(self)(self.value, len(rows))

    def to_pylist(self) -> list[Any]:
        """The value, n times."""
        return [self.value] * self.n

    def as_float64(self, null: float = np.nan) -> NDArray[np.float64]:
        """The value as float64, shape (n,), or `null` when it is None."""
        return np.full(self.n, null if self.value is None else float(self.value), np.float64)
