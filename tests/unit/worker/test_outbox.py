"""From answers to messages: each event's in its place, with its key, its partition and its tracing headers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from streamer.errors import EncodeError
from streamer.kafka.log import Headers
from streamer.metrics import WorkerMetrics
from streamer.records.columns import FeatureBatch, TextColumn
from streamer.routing.documents import Role
from streamer.worker.dead_letters import DeadLetter, DeadLetterWriter, Stage
from streamer.worker.events import EventBatch
from streamer.worker.outbox import EncodedBatch, Outbox
from tests.unit.worker.polled import batch_of

LIMIT = 100_000


class FakePublisher:
    """The messages of each (topic, partition), in order: (key, value, headers)."""

    def __init__(self) -> None:
        self.log: dict[tuple[str, int | None], list[tuple[Any, Any, Headers]]] = {}

    def send_batch(self, topic: str, partition: int, messages: list[dict[str, Any]]) -> None:
        assert messages, "an empty call"
        self.log.setdefault((topic, partition), []).extend((m["key"], m["value"], []) for m in messages)

    def send(self, topic: str, value: Any, key: Any, partition: int | None, headers: Headers) -> None:
        self.log.setdefault((topic, partition), []).append((key, value, headers))


class FakeEncoder:
    """Encodes an event's inference as `variant:offset`, or as long as it is told to."""

    def __init__(self) -> None:
        self.long: dict[int, int] = {}
        self.refuses: set[str] = set()

    def encode(self, answers: Any, events: EventBatch, _buckets: Any, _scored_at_us: int) -> list[bytes]:
        if answers.variant in self.refuses:
            raise EncodeError("no")
        offsets = events.polled.offsets[events.rows[answers.rows]].tolist()
        return [b"%s:%d" % (answers.variant.encode(), o) + b"x" * self.long.get(o, 0) for o in offsets]


class Bench:
    """Six polled records in two partitions; those at ``good`` decoded."""

    def __init__(self, good: list[int], headers: list[Headers | None] | None = None) -> None:
        self.polled = batch_of([(0, 10), (0, 11), (0, 12), (1, 20), (1, 21), (1, 22)], headers=headers)
        n = len(good)
        self.events = EventBatch(
            polled=self.polled,
            rows=np.array(good, np.int64),
            features=FeatureBatch(n, {}),
            event_ids=TextColumn.from_strings(["e"] * n),
            id_bytes=[b"e"] * n,
            event_times_us=np.zeros(n, np.int64),
            bucketing=[b"e"] * n,
            null_bucketing=0,
            dead_letters=[DeadLetter(row, Stage.decode, "Bad", "bad") for row in range(6) if row not in good],
        )
        self.encoder = FakeEncoder()
        self.metrics = WorkerMetrics()
        self.ready: list[Any] = []
        self.outbox = Outbox(
            events_topic="events",
            inferences_topic="inferences",
            shadow_topic="shadow",
            dead_letters=DeadLetterWriter("letters", "w/0", LIMIT),
            shadows=SimpleNamespace(collect=lambda _: self.ready),  # type: ignore[arg-type]
            metrics=self.metrics,
            max_bytes=LIMIT,
            clock=lambda: 5.0,
        )

    def answers(self, variant: str, rows: list[int], role: Role = Role.serving) -> Any:
        return SimpleNamespace(variant=variant, role=role, rows=np.array(rows, np.int64))

    def encode(self, *answers: Any, letters: list[DeadLetter] | None = None) -> EncodedBatch:
        routing = SimpleNamespace(revision=7, encoder=self.encoder)
        routed = SimpleNamespace(bucket=np.zeros(len(self.events), np.int32))
        scoring: Any = SimpleNamespace(routing=routing, events=self.events, routed=routed, shadows=[])
        scored: Any = SimpleNamespace(answers=list(answers), dead_letters=letters or [])
        return self.outbox.encode(scoring, scored)

    def sent(self, batch: EncodedBatch) -> dict[tuple[str, int | None], list[tuple[Any, Any, Headers]]]:
        publisher = FakePublisher()
        self.outbox.send(batch, publisher)  # type: ignore[arg-type]
        return publisher.log


def test_one_arm_answers_everything() -> None:
    bench = Bench([0, 1, 2, 3, 4, 5])
    log = bench.sent(bench.encode(bench.answers("a", [0, 1, 2, 3, 4, 5])))
    assert log == {
        ("inferences", 0): [(b"k0", b"a:10", []), (b"k1", b"a:11", []), (b"k2", b"a:12", [])],
        ("inferences", 1): [(b"k3", b"a:20", []), (b"k4", b"a:21", []), (b"k5", b"a:22", [])],
    }


def test_arms_take_turns_in_the_events_order_and_gaps_close() -> None:
    bench = Bench([0, 2, 3, 4, 5])
    predict_failed = [DeadLetter(4, Stage.predict, "NaN", "nan")]
    batch = bench.encode(
        bench.answers("b", [1, 4]),
        bench.answers("a", [0]),
        bench.answers("f", [2], Role.fallback),
        letters=predict_failed,
    )
    log = bench.sent(batch)
    assert log["inferences", 0] == [(b"k0", b"a:10", []), (b"k2", b"b:12", [])]
    assert log["inferences", 1] == [(b"k3", b"f:20", []), (b"k5", b"b:22", [])]
    assert [key for key, _, _ in log["letters", None]] == [b"k1", b"k4"]
    assert batch.counts == {("b", Role.serving): 2, ("a", Role.serving): 1, ("f", Role.fallback): 1}
    assert batch.positions.offsets == {0: 13, 1: 23}
    assert batch.positions.group_metadata == "generation"
    assert batch.positions.metadata == '{"revision":7}'


def test_a_batch_of_bad_records_only_is_dead_letters_only_and_moves_the_positions() -> None:
    bench = Bench([])
    batch = bench.encode()
    assert list(bench.sent(batch)) == [("letters", None)]
    assert batch.positions.offsets == {0: 13, 1: 23}


def test_tracing_headers_go_with_their_own_event_and_keep_everybodys_order() -> None:
    trace: Headers = [("traceparent", b"00-1"), ("tracestate", b"s")]
    headers: list[Headers | None] = [
        None,
        [*trace, ("mine", b"x")],
        [("mine", b"x")],
        None,
        [("traceparent", b"00-2")],
        [],
    ]
    bench = Bench([0, 1, 2, 4, 5], headers)
    log = bench.sent(bench.encode(bench.answers("a", [0, 1, 2, 3, 4])))
    assert log["inferences", 0] == [(b"k0", b"a:10", []), (b"k1", b"a:11", trace), (b"k2", b"a:12", [])]
    assert log["inferences", 1] == [(b"k4", b"a:21", [("traceparent", b"00-2")]), (b"k5", b"a:22", [])]


def test_headers_of_an_event_without_an_answer_do_not_slip_to_the_next() -> None:
    headers: list[Headers | None] = [[("traceparent", b"%d" % row)] for row in range(6)]
    bench = Bench([0, 1, 2, 3, 4, 5], headers)
    letters = [DeadLetter(1, Stage.predict, "NaN", "nan")]
    log = bench.sent(bench.encode(bench.answers("a", [0, 2, 3, 4, 5]), letters=letters))
    for partition, rows in ((0, [0, 2]), (1, [3, 4, 5])):
        sent = [(key, dict(headers)["traceparent"]) for key, _, headers in log["inferences", partition]]
        assert sent == [(b"k%d" % row, b"%d" % row) for row in rows]


def test_an_inference_that_is_too_large_is_a_dead_letter_and_is_not_counted_as_an_inference() -> None:
    bench = Bench([0, 1, 2, 3, 4, 5])
    bench.encoder.long = {11: LIMIT}
    batch = bench.encode(bench.answers("a", [0, 1, 3]), bench.answers("b", [2, 4, 5]))
    log = bench.sent(batch)
    assert [key for key, _, _ in log["inferences", 0]] == [b"k0", b"k2"]
    ((key, _, headers),) = log["letters", None]
    assert key == b"k1"
    assert dict(headers)["__streamer.errors.class"] == b"InferenceTooLarge"
    assert batch.counts == {("a", Role.serving): 2, ("b", Role.serving): 3}


def test_shadows_that_are_ready_go_to_their_own_topic_in_the_events_partition() -> None:
    bench = Bench([0, 1, 2, 3, 4, 5])
    batch = bench.encode(bench.answers("a", [0, 1, 2, 3, 4, 5]))
    bench.ready = [bench.answers("s", [1, 4], Role.shadow)]
    log = bench.sent(batch)
    assert log["shadow", 0] == [(b"k1", b"s:11", [])]
    assert log["shadow", 1] == [(b"k4", b"s:21", [])]
    assert batch.counts["s", Role.shadow] == 2


def test_a_shadow_that_cannot_be_encoded_or_is_too_large_is_dropped_and_fails_nobody() -> None:
    bench = Bench([0, 1, 2, 3, 4, 5])
    batch = bench.encode(bench.answers("a", [0, 1, 2, 3, 4, 5]))
    bench.encoder.refuses = {"bad"}
    bench.encoder.long = {11: LIMIT}
    bench.ready = [bench.answers("bad", [0, 1], Role.shadow), bench.answers("big", [0, 1], Role.shadow)]
    log = bench.sent(batch)
    assert log["shadow", 0] == [(b"k0", b"big:10", [])]
    dropped = bench.metrics.registry.get_sample_value
    assert dropped("streamer_shadow_dropped_total", {"variant": "bad", "reason": "encode"}) == 2
    assert dropped("streamer_shadow_dropped_total", {"variant": "big", "reason": "too_large"}) == 1
