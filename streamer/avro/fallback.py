"""Values that are not columnar, read one by one by fastavro behind a strict guard."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import fastavro
import numpy as np

from streamer.avro.rendering import LEAF_FIELD, fastavro_schema
from streamer.avro.walker import Malformed, Walker
from streamer.records.columns import ObjectColumn

if TYPE_CHECKING:
    from streamer.avro.cursor import Cursor
    from streamer.avro.limits import Limits
    from streamer.avro.resolution import Complex


class ComplexValue:
    """Reads single values of one field: first the walker over its bytes, then fastavro."""

    def __init__(self, node: Complex, limits: Limits) -> None:
        self._node = node
        self._limits = limits
        if node.reader is not None:
            self._writer = fastavro_schema(node.writer)
            self._reader = fastavro_schema(node.reader)

    def read(self, data: bytes, start: int, end: int) -> tuple[Any, int]:
        """(value, where it ends); the value is None if it is to be skipped.

        Raises:
            Malformed: The bytes are not a value of the writer's type, or the reader's type does not admit it.
        """
        walker = Walker(data, start, end, self._limits)
        walker.value(self._node.writer, self._node.path)
        if self._node.leaf is None:
            return None, walker.position
        try:
            stream = io.BytesIO(data[start : walker.position])
            record: Any = fastavro.schemaless_reader(stream, self._writer, self._reader)
        except Exception as error:  # fastavro raises many kinds; the walker has seen that the bytes are sound
            message = f"field {self._node.path}: not a value of the reader's type: {error!r:.200}"
            raise Malformed("unresolvable", message) from error
        return record[LEAF_FIELD], walker.position


class ComplexStep:
    """The step of a plan that reads such a field row by row."""

    def __init__(self, node: Complex, limits: Limits) -> None:
        self.most_bytes = 0
        self._leaf = node.leaf
        self._value = ComplexValue(node, limits)

    def read(self, cursor: Cursor) -> None:
        """See `Step`."""
        values = np.empty(cursor.n, object)
        cursor.settle_bytes()
        positions, ends = cursor.position.tolist(), cursor.end.tolist()
        for row in np.flatnonzero(~cursor.bad & (cursor.position <= cursor.end)).tolist():
            try:
                values[row], positions[row] = self._value.read(cursor.data, positions[row], ends[row])
            except Malformed:
                cursor.bad[row] = True
        cursor.position[:] = positions
        if self._leaf is not None:
            valid = np.fromiter((value is not None for value in values), np.bool_, cursor.n)
            nullable = self._leaf.nullable and not valid.all()
            cursor.columns[self._leaf.path] = ObjectColumn(values, valid if nullable else None)
