"""The copy check: is there exactly one serving (or fallback) inference per good event, in partition order?"""

from __future__ import annotations

import functools
import io
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import fastavro

from streamer.avro.envelope import inference_schema
from tests.support.event_feed import OUTPUT_SCHEMA, single_object_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.support.event_feed import Event
    from tests.support.record_reader import SeenRecord

_MOST_PROBLEMS = 10


class SeenInference(NamedTuple):
    """One inference: where it stood, and its decoded envelope."""

    record: SeenRecord
    envelope: dict[str, Any]

    @property
    def source(self) -> tuple[int, int]:
        """Partition and offset of its event."""
        return self.envelope["source"]["partition"], self.envelope["source"]["offset"]

    @property
    def event_id(self) -> str:
        return str(self.envelope["event_id"])


class InferenceDecoder:
    """Decodes inferences with fastavro.

    Args:
        endpoint: Whose inferences.
        output_schema: The endpoint's own record.
        prefix: The bytes that must stand before each payload; None: those of the single-object framing.
    """

    def __init__(
        self, endpoint: str, output_schema: Mapping[str, Any] = OUTPUT_SCHEMA, prefix: bytes | None = None
    ) -> None:
        schema = inference_schema(endpoint, output_schema)
        self._schema = fastavro.parse_schema(schema)
        self._prefix = single_object_prefix(schema) if prefix is None else prefix

    def __call__(self, record: SeenRecord) -> SeenInference:
        assert record.value is not None
        assert record.value.startswith(self._prefix), f"framed otherwise: {record.value[:16]!r}"
        payload = io.BytesIO(record.value[len(self._prefix) :])
        envelope = fastavro.schemaless_reader(payload, self._schema, None)
        assert not payload.read(1), "bytes behind the inference"
        assert isinstance(envelope, dict)
        return SeenInference(record, envelope)

    def all(self, records: Iterable[SeenRecord]) -> list[SeenInference]:
        """Each of them decoded."""
        return [self(record) for record in records]


def copy_problems(
    good: Mapping[int, Sequence[tuple[int, Event]]], inferences: Iterable[SeenInference], *, complete: bool = True
) -> list[str]:
    """What is wrong with these inferences, in the order in which they were read; empty when nothing is.

    Args:
        good: Partition to (offset, event) of each good event, in order.
        inferences: Of the roles serving and fallback.
        complete: Whether all of them should be there by now; else only what is there must be right.
    """
    problems: list[str] = []
    answered = dict.fromkeys(good, 0)
    for inference in inferences:
        partition, offset = inference.source
        if len(problems) >= _MOST_PROBLEMS:
            break
        if inference.record.partition != partition:
            problems.append(f"{inference.event_id} stood in {partition}, its inference in {inference.record.partition}")
            continue
        events = good.get(partition, ())
        k = answered.get(partition, 0)
        if k < len(events) and (offset, inference.event_id) == (events[k][0], events[k][1].id):
            answered[partition] = k + 1
            continue
        expected = events[k][0] if k < len(events) else "no more"
        kind = "doubled or out of order" if k and offset <= events[k - 1][0] else "one is missing, or it is an extra"
        problems.append(f"partition {partition}: after {k} inferences expected {expected}, got {offset} ({kind})")
        following = next((row for row in range(k, len(events)) if events[row][0] == offset), None)
        if following is not None:
            answered[partition] = following + 1
    if complete:
        problems += [
            f"partition {partition}: {len(events) - answered[partition]} of {len(events)} are missing at the end"
            for partition, events in good.items()
            if answered[partition] < len(events)
        ]
    return problems


@functools.cache
def packaged_envelope() -> dict[str, Any]:
    """`schemas/inference.avsc`, as it ships."""
    from pathlib import Path

    text = (Path(__file__).parents[2] / "schemas" / "inference.avsc").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
