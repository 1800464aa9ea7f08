"""The rows of a text column as byte strings, made when the first one is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, cast, overload

if TYPE_CHECKING:
    from streamer.records.columns import TextColumn


class TextRows(Sequence[bytes]):
    """n byte strings that most batches never need: event ids, which only some routings look at.

    Args:
        column: n rows, none of them null.
    """

    def __init__(self, column: TextColumn) -> None:
        self._column = column

    @cached_property
    def _rows(self) -> list[bytes]:
        return cast("list[bytes]", self._column.to_bytes_list())

    def __len__(self) -> int:
        return len(self._column)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._rows)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        return self._rows[index]
