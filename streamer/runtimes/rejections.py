"""Which rows of a batch have no answer, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


class Rejections:
    """The rows that fail. The first reason of a row is the one that is told.

    Attributes:
        failed: Shape (n,), True where a row has no answer.
        reasons: Row to (code, message). Codes are few and fit for metric labels: ``null_input``, ``input_range``,
            ``model_raised``, ``output_malformed``, ``output_range``, ``output_not_finite``, ``output_missing``.
    """

    def __init__(self, n: int) -> None:
        self.failed: NDArray[np.bool_] = np.zeros(n, np.bool_)
        self.reasons: dict[int, tuple[str, str]] = {}

    def add_where(self, mask: NDArray[np.bool_], code: str, message: str) -> None:
        """Rejects the rows where the mask, shape (n,), is True."""
        self.add(np.flatnonzero(mask).tolist(), code, message)

    def add(self, rows: Iterable[int], code: str, message: str) -> None:
        """Rejects rows by index."""
        for row in rows:
            self.reasons.setdefault(row, (code, message))
            self.failed[row] = True
