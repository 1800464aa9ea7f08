"""From the answers of a batch to the messages of its transaction, each event's in its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import structlog

from streamer.kafka.headers import Headers
from streamer.kafka.publisher import Message, Positions
from streamer.worker.dead_letters import DeadLetter, Stage
from streamer.worker.holds import commit_metadata
from streamer.worker.oversized import oversized_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.kafka.publisher import Publisher
    from streamer.metrics import WorkerMetrics
    from streamer.worker.dead_letters import DeadLetterWriter
    from streamer.worker.events import EventBatch
    from streamer.worker.inferences import Answers
    from streamer.worker.scoring import Scored, Scoring
    from streamer.worker.shadows import Shadows

TRACING_HEADERS = frozenset({"traceparent", "tracestate"})

log = structlog.get_logger(__name__)


class Outgoing(NamedTuple):
    """Messages for one partition, and the tracing headers of each; None if none of them has any."""

    partition: int
    messages: list[Message]
    traces: list[Headers] | None


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """One batch, ready to be published.

    Attributes:
        scoring: What it answers.
        inferences: The serving and fallback inferences in the order of their events.
        dead_letters: One for each polled record without an inference.
        positions: Where the input ends.
        counts: (variant, role) to the number of its inferences.
    """

    scoring: Scoring
    inferences: list[Outgoing]
    dead_letters: list[DeadLetter]
    positions: Positions
    counts: dict[tuple[str, str], int]


class Outbox:
    """Encodes and sends batches.

    Args:
        events_topic: Named in dead letters and in the positions.
        inferences_topic: Where serving and fallback inferences go.
        shadow_topic: Where those of shadows go.
        dead_letters: Writes those.
        shadows: Delivers the shadows' answers.
        metrics: Told what was dropped.
        max_bytes: The largest record that the inference and shadow topics take.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        events_topic: str,
        inferences_topic: str,
        shadow_topic: str,
        dead_letters: DeadLetterWriter,
        shadows: Shadows,
        metrics: WorkerMetrics,
        max_bytes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._events_topic = events_topic
        self._inferences_topic = inferences_topic
        self._shadow_topic = shadow_topic
        self._dead_letters = dead_letters
        self._shadows = shadows
        self._metrics = metrics
        self._max_bytes = max_bytes
        self._clock = clock

    def encode(self, scoring: Scoring, scored: Scored) -> EncodedBatch:
        """The serving messages of a batch."""
        polled = scoring.events.polled
        values = self._in_event_order(scoring, scored)
        oversized = oversized_rows(values, scoring.events.keys(), self._max_bytes)
        counts = {(answers.variant, answers.role): len(answers.rows) for answers in scored.answers}
        letters = scoring.events.dead_letters + scored.dead_letters
        if oversized:
            letters += [self._oversized(scoring.events, values, row) for row in oversized]
            for answers in scored.answers:
                counts[answers.variant, answers.role] -= int(np.isin(answers.rows, oversized).sum())
        return EncodedBatch(
            scoring=scoring,
            inferences=_outgoing(scoring.events, values),
            dead_letters=letters,
            positions=Positions(
                self._events_topic,
                polled.positions,
                commit_metadata(scoring.routing.revision),
                polled.group_metadata,
            ),
            counts=counts,
        )

    def send(self, batch: EncodedBatch, publisher: Publisher) -> None:
        """Adds the batch, with the shadows' answers that are ready by now, to the publisher's open transaction."""
        _send_in_order(publisher, self._inferences_topic, batch.inferences)
        at_ms = int(self._clock() * 1000)
        for letter in batch.dead_letters:
            self._dead_letters.send(publisher, self._events_topic, batch.scoring.events.polled, letter, at_ms)
        for answers in self._shadows.collect(batch.scoring.shadows):
            self._send_shadow(publisher, batch, answers)

    def _in_event_order(self, scoring: Scoring, scored: Scored) -> list[bytes | None]:
        """The payload of each event's inference, n of them; None where it has none."""
        if len(scored.answers) == 1 and len(scored.answers[0].rows) == len(scoring.events):
            return list(self._encode(scoring, scored.answers[0]))
        values: NDArray[np.object_] = np.full(len(scoring.events), None, dtype=object)
        for answers in scored.answers:
            encoded = self._encode(scoring, answers)
            values[answers.rows] = np.fromiter(encoded, object, len(encoded))
        return list(values)

    def _oversized(self, events: EventBatch, values: list[bytes | None], row: int) -> DeadLetter:
        """Takes one message out of the batch."""
        value = values[row]
        assert value is not None
        values[row] = None
        message = f"the inference has {len(value)} bytes, and {self._inferences_topic} takes {self._max_bytes} a record"
        return DeadLetter(int(events.rows[row]), Stage.publish, "InferenceTooLarge", message)

    def _encode(self, scoring: Scoring, answers: Answers) -> list[bytes]:
        scored_at_us = int(self._clock() * 1_000_000)
        return scoring.routing.encoder.encode(answers, scoring.events, scoring.routed.bucket, scored_at_us)

    def _send_shadow(self, publisher: Publisher, batch: EncodedBatch, answers: Answers) -> None:
        try:
            values = self._encode(batch.scoring, answers)
        except Exception as failure:  # a shadow never fails what it shadows
            log.warning("a shadow's answers do not fit the output schema", variant=answers.variant, reason=str(failure))
            self._metrics.shadow_dropped.labels(answers.variant, "encode").inc(len(answers.rows))
            return
        events, rows = batch.scoring.events, answers.rows
        oversized = oversized_rows(values, events.keys(rows), self._max_bytes)
        if oversized:
            self._metrics.shadow_dropped.labels(answers.variant, "too_large").inc(len(oversized))
            rows = np.delete(rows, oversized)
            dropped = set(oversized)
            values = [value for row, value in enumerate(values) if row not in dropped]
        _send_in_order(publisher, self._shadow_topic, _outgoing(events, values, rows))
        batch.counts[(answers.variant, answers.role)] = len(values)


def _outgoing(
    events: EventBatch, values: Sequence[bytes | None], rows: NDArray[np.int64] | None = None
) -> list[Outgoing]:
    """Messages for all events, or for those at ``rows``, with the event's own key, partition and tracing headers."""
    polled = events.polled
    source = events.rows if rows is None else events.rows[rows]
    if not len(source):
        return []
    keys = events.keys(rows)
    partitions = polled.partitions[source]
    firsts = np.flatnonzero(np.append(True, partitions[1:] != partitions[:-1])).tolist()
    outgoing = []
    for first, end in pairwise([*firsts, len(source)]):
        messages = [
            {"value": value, "key": key}
            for value, key in zip(values[first:end], keys[first:end], strict=True)
            if value is not None
        ]
        traces = None if polled.headers is None else _traces(polled.headers, source[first:end], values[first:end])
        outgoing.append(Outgoing(int(partitions[first]), messages, traces))
    return outgoing


def _traces(
    headers: list[Headers | None], source: NDArray[np.int64], values: Sequence[bytes | None]
) -> list[Headers] | None:
    traces = [
        [header for header in headers[row] or [] if header[0] in TRACING_HEADERS]
        for row, value in zip(source.tolist(), values, strict=True)
        if value is not None
    ]
    return traces if any(traces) else None


def _send_in_order(publisher: Publisher, topic: str, outgoing: list[Outgoing]) -> None:
    """Sends messages in their order: in one call a partition, but for those with headers, which go one by one."""
    for partition, messages, traces in outgoing:
        if traces is None:
            publisher.send_batch(topic, partition, messages)
            continue
        run: list[Message] = []
        for message, trace in zip(messages, traces, strict=True):
            if not trace:
                run.append(message)
                continue
            if run:
                publisher.send_batch(topic, partition, run)
                run = []
            publisher.send(topic, message["value"], message["key"], partition, trace)
        if run:
            publisher.send_batch(topic, partition, run)
