"""Which segment each event of a batch falls into, for any number of segments at once.

Segments that match on the same set of fields form one table. A table is walked a field at a time: the rows' values
become codes, and (state so far, code) leads to the next state, so that a batch costs a few array operations per
table however many segments there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamer.records.columns import Column, ConstantColumn, FeatureBatch, NumericColumn, TextColumn
from streamer.routing.documents import MatchValue

NO_SEGMENT = -1

# With more values than this, one pass over the rows with a dict is cheaper than one comparison per value.
_COMPARE_AT_MOST = 6

_Typed: TypeAlias = tuple[type, MatchValue]
"""A value together with its type, because True == 1 in Python but not in an event."""


class _Level(NamedTuple):
    """One field of a table: its values, and the edges (state * number of values + code) to the next state."""

    path: str
    values: list[MatchValue]
    edges: NDArray[np.int64]
    targets: NDArray[np.int32]


class SegmentMatcher:
    """Finds the segment of each event; of several that match, the one with the most fields.

    Args:
        matches: The ``match`` of each segment, in the routing's order. No event may match two with equally many
            fields (`streamer.routing.consistency` refuses such a routing).
    """

    def __init__(self, matches: Sequence[Mapping[str, MatchValue]]) -> None:
        tables: dict[tuple[str, ...], list[int]] = {}
        for index, match in enumerate(matches):
            tables.setdefault(tuple(sorted(match)), []).append(index)
        self.paths = sorted({path for match in matches for path in match})
        """The event fields that any segment looks at."""
        # Those with most fields last, so that they overwrite the others.
        by_fields = sorted(tables.items(), key=lambda table: len(table[0]))
        self._tables = [_levels(paths, {index: matches[index] for index in members}) for paths, members in by_fields]

    def match(self, batch: FeatureBatch) -> NDArray[np.int16]:
        """The index of each event's segment, or `NO_SEGMENT`. Shape (n,).

        Raises:
            KeyError: The batch lacks a field that a segment matches on.
        """
        found = np.full(batch.n, NO_SEGMENT, np.int16)
        for levels in self._tables:
            state = np.zeros(batch.n, np.int32)
            for level in levels:
                state = _step(level, state, _codes(batch[level.path], level.values))
            np.copyto(found, state, where=state != NO_SEGMENT, casting="same_kind")
        return found


def _levels(paths: Sequence[str], members: Mapping[int, Mapping[str, MatchValue]]) -> list[_Level]:
    """Compiles the segments of one set of fields; the states of the last level are the segments' indices."""
    levels = []
    states: dict[tuple[_Typed, ...], int] = {(): 0}
    for depth, path in enumerate(paths):
        codes: dict[_Typed, int] = {}
        for match in members.values():
            codes.setdefault(_typed(match[path]), len(codes))
        following: dict[tuple[_Typed, ...], int] = {}
        edges: dict[int, int] = {}
        for index, match in members.items():
            prefix = tuple(_typed(match[before]) for before in paths[:depth])
            value = _typed(match[path])
            is_last = depth == len(paths) - 1
            target = following.setdefault((*prefix, value), index if is_last else len(following))
            edges[states[prefix] * len(codes) + codes[value]] = target
        ordered = sorted(edges)
        targets = np.array([edges[edge] for edge in ordered], np.int32)
        levels.append(_Level(path, [value for _, value in codes], np.array(ordered, np.int64), targets))
        states = following
    return levels


def _step(level: _Level, state: NDArray[np.int32], codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """The states after one more field; `NO_SEGMENT` where there is no way on. Shape (n,)."""
    edge = state.astype(np.int64) * len(level.values) + codes
    position = np.minimum(np.searchsorted(level.edges, edge), len(level.edges) - 1)
    known = (state != NO_SEGMENT) & (codes >= 0) & (level.edges[position] == edge)
    return np.where(known, level.targets[position], np.int32(NO_SEGMENT))


def _codes(column: Column, values: Sequence[MatchValue]) -> NDArray[np.int32]:
    """The index into ``values`` of each row's value, -1 where it is null or none of them. Shape (n,)."""
    codes = np.full(len(column), -1, np.int32)
    by_value = {_typed(value): code for code, value in enumerate(values)}
    if isinstance(column, ConstantColumn):
        codes.fill(by_value.get((type(column.value), column.value), -1))
    elif isinstance(column, NumericColumn):
        kind = bool if column.values.dtype == np.bool_ else int
        for (type_, value), code in by_value.items():
            if type_ is kind:
                codes[column.values == value] = code
        if column.valid is not None:
            codes[~column.valid] = -1
    elif isinstance(column, TextColumn) and not column.is_bytes:
        texts = {value.encode(): code for code, value in enumerate(values) if isinstance(value, str)}
        if len(texts) <= _COMPARE_AT_MOST:
            for text, code in texts.items():
                codes[column.equals(text)] = code
        else:
            known = (texts.get(row, -1) if row is not None else -1 for row in column.to_bytes_list())
            codes[:] = np.fromiter(known, np.int32, len(column))
    else:
        rows = column.to_pylist()
        codes[:] = np.fromiter((_code_of(row, by_value) for row in rows), np.int32, len(rows))
    return codes


def _code_of(row: object, by_value: Mapping[_Typed, int]) -> int:
    return by_value.get((type(row), row), -1) if isinstance(row, str | int) else -1


def _typed(value: MatchValue) -> _Typed:
    return (type(value), value)
