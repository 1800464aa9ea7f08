"""Decoding: the values of messages to columns of events."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from streamer.avro.framing import Framing
from streamer.avro.leaves import leaves_of, repeat, root_record
from streamer.avro.limits import DEFAULT_LIMITS, Limits
from streamer.avro.plan import Plan
from streamer.avro.walker import Malformed
from streamer.avro.writer_lookup import Framed, Group, WriterLookup, lookup_for
from streamer.errors import SchemaError
from streamer.records.columns import FeatureBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamer.avro.framing import WriterSchemas
    from streamer.avro.schema import Schema
    from streamer.avro.writer_lookup import Headers

_FEWEST_PADDING_BYTES = 64  # framings are read with wide gathers too


@dataclass(frozen=True, slots=True)
class DecodeFailure:
    """One value that is not what its schema says.

    Attributes:
        row: Its index in the values that were given.
        reason: A short stable code, fit for a metric's label.
        message: What is wrong, for people.
    """

    row: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """The events of a batch of messages.

    Attributes:
        batch: The good rows as columns, in the order of the values.
        good: Shape (batch.n,), dtype int64: the index of each in the values.
        failures: The others, in ascending order of row.
    """

    batch: FeatureBatch
    good: NDArray[np.int64]
    failures: list[DecodeFailure]


class EventDecoder:
    """Decodes values of one topic into the columns of one reader schema.

    The kind and dtype of each column follow from the reader schema alone, whatever the writers'. Not safe for
    concurrent use.

    Args:
        reader: The schema of the columns; a record.
        framing: The topic's framing.
        writers: The writer schemas: of `bare` the topic's one schema, of `single_object` all that are
            accepted, of `confluent` where to look them up.
        limits: Bounds on a payload.

    Raises:
        SchemaError: A writer schema cannot be read as the reader's, or two of `single_object` share their
            fingerprint although they mean different things.
        ValueError: The writers are not what the framing needs.
    """

    def __init__(
        self,
        reader: Schema,
        framing: Framing,
        writers: Sequence[Schema] | WriterSchemas,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._reader = reader
        self._leaves = leaves_of(root_record(reader))
        self._limits = limits
        self._lookup: WriterLookup = lookup_for(framing, writers)
        self._padding_bytes = _FEWEST_PADDING_BYTES
        self._plans: OrderedDict[Schema, Plan] = OrderedDict()
        for schema in self._lookup.known:
            self._plans[schema] = self._compiled(schema)

    def decode(self, values: Sequence[bytes | None], headers: Sequence[Headers] | None = None) -> Decoded:
        """Decodes a batch. A value never raises: what is malformed becomes a failure.

        Args:
            values: The n values, None for a tombstone.
            headers: The headers of each, a sequence of (name, value) or None; only `confluent` looks at them.

        Raises:
            SchemaRegistryUnavailable: A schema id could not be looked up now; decode the batch again later.
        """
        failures: list[DecodeFailure] = []
        rows, kept = None, values
        try:
            sizes = np.fromiter(map(len, values), np.int64, len(values))  # type: ignore[arg-type]  # None: see below
        except TypeError:
            sizes = None
        if sizes is None or sizes.max(initial=0) > self._limits.payload_bytes:
            rows = self._bearable(values, failures)
            kept = [values[row] for row in rows.tolist()]
            sizes = np.fromiter((len(value or b"") for value in kept), np.int64, len(kept))
            headers = None if headers is None else [headers[row] for row in rows.tolist()]
        batch, good = self._decode(cast("Sequence[bytes]", kept), sizes, rows, headers, failures)
        failures.sort(key=lambda failure: failure.row)
        return Decoded(batch, good, failures)

    def _bearable(self, values: Sequence[bytes | None], failures: list[DecodeFailure]) -> NDArray[np.int64]:
        """The rows with a value, and of a bearable size."""
        rows = []
        for row, value in enumerate(values):
            if value is None:
                failures.append(DecodeFailure(row, "tombstone", "the value is null, not an event"))
            elif len(value) > self._limits.payload_bytes:
                message = f"{len(value)} bytes, more than the {self._limits.payload_bytes} allowed"
                failures.append(DecodeFailure(row, "too_large", message))
            else:
                rows.append(row)
        return np.array(rows, np.int64)

    def _decode(
        self,
        values: Sequence[bytes],
        sizes: NDArray[np.int64],
        rows: NDArray[np.int64] | None,
        headers: Sequence[Headers] | None,
        failures: list[DecodeFailure],
    ) -> tuple[FeatureBatch, NDArray[np.int64]]:
        ends = np.cumsum(sizes)
        starts = ends - sizes
        data, buffer = self._joined(values)
        planned: list[tuple[Group, Plan]] = []
        for group in self._lookup.groups(Framed(buffer, starts, ends, headers)):
            plan = self._plan(group, rows, failures)
            if plan is not None:
                planned.append((group, plan))
        if not planned:
            return self._empty(), np.empty(0, np.int64)
        if len(data) < ends[-1:].sum() + self._padding_bytes:  # a plan that is new wants more
            data, buffer = self._joined(values)
        batches, indices = [], []
        for group, plan in planned:
            first, last = (starts, ends) if group.rows is None else (starts[group.rows], ends[group.rows])
            columns, bad = plan.decode(data, buffer, first + group.prefix_bytes, last)
            batch = FeatureBatch(len(last), columns)
            index = np.arange(len(values)) if group.rows is None else group.rows
            if bad.any():
                for row in index[bad].tolist():
                    payload = values[row][group.prefix_bytes :]
                    failures.append(_failure(_original(rows, row), plan.explain(payload)))
                good = np.flatnonzero(~bad)
                batch, index = batch.take(good), index[good]
            batches.append(batch)
            indices.append(index)
        if len(batches) == 1:
            return batches[0], indices[0] if rows is None else rows[indices[0]]
        index = np.concatenate(indices)
        order = np.argsort(index)
        index = index[order]
        return FeatureBatch.concat(batches).take(order), index if rows is None else rows[index]

    def _plan(self, group: Group, rows: NDArray[np.int64] | None, failures: list[DecodeFailure]) -> Plan | None:
        problem = group.writer
        if not isinstance(problem, Malformed):
            plan = self._plans.get(problem)
            if plan is not None:
                self._plans.move_to_end(problem)
                return plan
            try:
                plan = self._plans[problem] = self._compiled(problem)
            except SchemaError as error:
                problem = Malformed("schema_mismatch", f"its schema cannot be read: {error}")
            else:
                if len(self._plans) > self._limits.plans:
                    self._plans.popitem(last=False)
                return plan
        assert group.rows is not None
        failures += [_failure(_original(rows, row), problem) for row in group.rows.tolist()]
        return None

    def _joined(self, values: Sequence[bytes]) -> tuple[bytes, NDArray[np.uint8]]:
        data = b"".join((*values, bytes(self._padding_bytes)))
        return data, np.frombuffer(data, np.uint8)

    def _compiled(self, writer: Schema) -> Plan:
        plan = Plan(writer, self._reader, self._limits)
        self._padding_bytes = max(self._padding_bytes, plan.padding_bytes)
        return plan

    def _empty(self) -> FeatureBatch:
        return FeatureBatch(0, {leaf.path: repeat(leaf, None, 0) for leaf in self._leaves})


def _original(rows: NDArray[np.int64] | None, row: int) -> int:
    return row if rows is None else int(rows[row])


def _failure(row: int, malformed: Malformed | None) -> DecodeFailure:
    if malformed is None:
        return DecodeFailure(row, "undecodable", "the value is not what its schema says")
    return DecodeFailure(row, malformed.reason, malformed.message)
