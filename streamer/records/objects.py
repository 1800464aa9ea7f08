"""Columns of Python objects, for what is not columnar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class ObjectColumn:
    """n Python objects: arrays as lists, maps as dicts, general unions, Decimals.

    Attributes:
        values: Shape (n,), dtype object, None where the row is null. A sequence is accepted and converted.
        valid: Shape (n,), dtype bool, False where the row is null. None when no row is.
    """

    values: NDArray[np.object_]
    valid: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        values: Any = self.values
        if not isinstance(values, np.ndarray):
            # np.array(values) would turn lists of one length into a matrix.
            object.__setattr__(self, "values", np.fromiter(values, object, len(values)))

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """A column of these values, null where they are None."""
        array = np.fromiter(values, object, len(values))
        valid = np.fromiter((value is not None for value in values), np.bool_, len(values))
        return cls(array, None if valid.all() else valid)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The rows at these indices, in their order."""
        return type(self)(self.values[rows], None if self.valid is None else self.valid[rows])

    def to_pylist(self) -> list[Any]:
        """The objects, None where null."""
        values: list[Any] = self.values.tolist()
        if self.valid is not None:
            for row in np.flatnonzero(~self.valid).tolist():
                values[row] = None
        return values

    def as_float64(self, null: float = np.nan) -> NDArray[np.float64]:
        """The objects as float64, shape (n,), with `null` where a row is null.

        Raises:
            TypeError: An object is not a number.
            ValueError: An object is text that is not a number.
        """
        floats = (null if value is None else float(value) for value in self.to_pylist())
        return np.fromiter(floats, np.float64, len(self))
