"""The hot loop: poll, decode, route, predict, encode, publish, commit. One turn is one page.

While the models answer batch k on their thread, and the commit of batch k-1 runs on another, the loop polls and
decodes batch k+1. Batch k is published only after the commit of k-1 has returned, so the committed offsets never go
backwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import wait
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from streamer import errors
from streamer.worker.caution import Caution
from streamer.worker.commits import Commits
from streamer.worker.committed_counts import CommittedCounts
from streamer.worker.holds import Holds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from streamer.kafka.consumer import Committed, GroupConsumer
    from streamer.kafka.publisher import Publisher
    from streamer.metrics import WorkerMetrics
    from streamer.worker.outbox import EncodedBatch, Outbox
    from streamer.worker.prepared import PreparedRouting
    from streamer.worker.scoring import Scorer, Scoring

IDLE_SECONDS = 0.1
_RETRY_SECONDS = 0.5
_ENDS_SECONDS = 1.0
_LOOK_UP_SECONDS = 0.5
_SILENCE_IS_TROUBLE_SECONDS = 15.0
_FAILURES_ARE_TROUBLE = 3
_TRY_AGAIN = (errors.KafkaError, errors.SchemaRegistryUnavailable, errors.SchemaRegistryRefused)
_FATAL = (errors.SlotInUse, errors.KafkaDenied, errors.TopicProblem)

log = structlog.get_logger(__name__)


class WorkerLoop:
    """Answers the events of its partitions until it is asked to stop.

    It is the consumer's assignment listener: `revoked` and `lost` leave nothing in flight when they return.

    Args:
        routing: The first revision to serve.
        newest: The newest prepared revision; None: this endpoint has no routing any more.
        connect: Makes the consumer, with this loop as its listener.
        publisher: Where answers go.
        outbox: Turns answers into messages.
        scorer: Asks the models.
        metrics: Told of everything.
        first_output_partitions: How many partitions the output topics have.
        output_partitions: Asks the broker for that again.
        stop: Set it to end the loop.

    Attributes:
        routing: The revision that answers now. Only the loop's thread writes these; any thread may read them.
        positions: Partition to the offset after the last committed event.
        ends: Partition to its end, a moment ago.
        last_turn_at: When the loop last began a turn, by the monotonic clock.
    """

    def __init__(
        self,
        *,
        routing: PreparedRouting,
        newest: Callable[[], PreparedRouting | None],
        connect: Callable[[WorkerLoop], GroupConsumer],
        publisher: Publisher,
        outbox: Outbox,
        scorer: Scorer,
        metrics: WorkerMetrics,
        first_output_partitions: int,
        output_partitions: Callable[[], int],
        stop: Event,
    ) -> None:
        self.routing = routing
        self.positions: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        self.last_turn_at = time.monotonic()
        self._failures_in_a_row: list[str] = []
        self._ends_seen_at = float("-inf")
        self._newest = newest
        self._publisher = publisher
        self._outbox = outbox
        self._scorer = scorer
        self._metrics = metrics
        self._counts = CommittedCounts(metrics)
        self._stop = stop
        self._scoring: Scoring | None = None
        self._caution = Caution(routing.endpoint.batch.max_records)
        self._commits = Commits(publisher, self._committed)
        self._consumer = connect(self)
        self._holds = Holds(self._consumer, metrics, first_output_partitions, output_partitions)
        self._count_loaded()

    def run(self) -> None:
        """Serves until stopped, or until the routing is withdrawn or wired to other topics.

        Raises:
            SlotInUse: Another worker keeps fencing this one.
            KafkaDenied: The broker refuses us.
            TopicProblem: A topic is gone.
        """
        try:
            while not self._stop.is_set() and self._activate():
                try:
                    self._turn()
                except _FATAL:
                    raise
                except errors.RecordRefused as failure:
                    failed = self._commits.take_failed()
                    if failed is not None:
                        self._caution.attempt(failed.scoring.events.polled)
                    self._caution.suspect("RecordRefused", str(failure))
                    self._read_again(failure)
                except _TRY_AGAIN as failure:
                    self._read_again(failure)
                except Exception as failure:  # one record must not end the worker: find it
                    log.exception("a batch failed unexpectedly; trying smaller ones")
                    self._caution.suspect()
                    self._read_again(failure)
        finally:
            self._leave()

    def _turn(self) -> None:
        self.last_turn_at = time.monotonic()
        self._caution.attempt(None)
        self._commits.raise_failure()
        routing = self.routing
        with self._timed("poll"):
            if self._scoring is not None:  # its answers must not wait for more events
                polled = self._consumer.poll_batch(self._caution.size, 0.0, 0.0)
            else:
                linger_seconds = routing.endpoint.batch.max_wait_ms / 1000
                polled = self._consumer.poll_batch(self._caution.size, IDLE_SECONDS, linger_seconds)
        scoring = None
        if polled is not None:
            self._caution.attempt(polled)
            with self._timed("decode"):
                events = routing.reader.read(polled, self._caution.quarantined(polled))
            with self._timed("route"):
                routed = routing.router.route(events.features, events.bucketing, events.id_bytes)
            scoring = self._scorer.start(routing, events, routed)
        previous, self._scoring = self._scoring, scoring
        if previous is not None:
            self._publish(previous)

    def _publish(self, scoring: Scoring) -> None:
        self._caution.attempt(scoring.events.polled)
        with self._timed("await_predict"):
            while not wait([scoring.serving], _LOOK_UP_SECONDS).done:
                if self._stop.is_set():
                    return  # a model that hangs must not keep the worker from leaving
            scored = scoring.serving.result()
        with self._timed("encode"):
            batch = self._outbox.encode(scoring, scored)
        with self._timed("await_commit"):
            self._commits.wait()
        with self._timed("publish"):
            self._publisher.begin()
            self._commits.opened()
            self._outbox.send(batch, self._publisher)
        self._commits.start(batch)

    # The consumer's listener.

    def assigned(self, committed: Mapping[int, Committed]) -> None:
        """New partitions, or the old ones from their committed offsets again."""
        self._metrics.rebalances.inc()
        # Before the first commit nothing is answered: behind by all there is.
        self.positions = {p: 0 if where.offset is None else where.offset for p, where in committed.items()}
        for partition, where in committed.items():
            if where.removed:
                self._metrics.removed_unanswered.inc(where.removed)
                log.error("retention removed events before they were answered", partition=partition, n=where.removed)
        self._holds.assigned(committed, self.routing.revision)
        log.info("assigned", partitions=sorted(committed), positions=self.positions)

    def revoked(self, partitions: Iterable[int]) -> None:
        """Finishes the commit under way, drops the batch in hand."""
        log.info("revoked", partitions=sorted(partitions))
        self._settle()

    def lost(self, partitions: Iterable[int]) -> None:
        """As `revoked`: a commit under way carries the ended generation, so the broker decides."""
        log.warning("lost: the group went on without this worker", partitions=sorted(partitions))
        self._settle()

    def _settle(self) -> None:
        self._scoring = None
        self._commits.settle()
        self.positions = {}
        self._holds.clear()

    # What happens between and around the turns.

    def _activate(self) -> bool:
        """Swaps in the newest prepared routing; False if this loop cannot serve it."""
        newest = self._newest()
        if newest is None or not newest.same_wiring(self.routing):
            return False
        if newest is not self.routing:
            log.info("activated", revision=newest.revision, before=self.routing.revision)
            self._scorer.keep_shadows(newest, before=self.routing)
            self.routing = newest
            self._caution.resize(newest.endpoint.batch.max_records)
            self._count_loaded()
        self._holds.release_due(self.routing.revision)
        if self.last_turn_at - self._ends_seen_at > _ENDS_SECONDS:
            self._ends_seen_at = self.last_turn_at
            self.ends = self._consumer.end_offsets()
        return True

    def _read_again(self, failure: Exception) -> None:
        """Throws away what is in flight and goes back to the committed offsets, however long the broker needs."""
        log.warning("reading again from the committed offsets", reason=str(failure))
        self._fail(failure)
        self._scoring = None
        self._metrics.transactions.labels("aborted").inc()
        while not self._stop.is_set():
            self.last_turn_at = time.monotonic()
            try:
                self._commits.recover(failure)
                self._consumer.rewind()
            except _FATAL:
                raise
            except errors.KafkaError as again:
                log.warning("the broker is not ready yet", reason=str(again))
                failure = again
                self._fail(failure)
            else:
                first = len(self._failures_in_a_row) <= 1
                if not (first and isinstance(failure, errors.TransactionAborted | errors.RecordRefused)):
                    self._stop.wait(_RETRY_SECONDS)  # whatever it was, do not spin on it
                return
            self._stop.wait(_RETRY_SECONDS)

    def _fail(self, failure: Exception) -> None:
        self._failures_in_a_row = [*self._failures_in_a_row[-_FAILURES_ARE_TROUBLE:], str(failure)]

    def _leave(self) -> None:
        """Publishes nothing more: what was not committed is read again by the next owner."""
        self._scoring = None
        self._commits.leave()
        try:
            self._consumer.close()
        finally:
            self._commits.close()
            self._publisher.close()

    def _committed(self, batch: EncodedBatch) -> None:
        self.positions.update(batch.positions.offsets)
        self._caution.passed(batch.positions.offsets)
        self._counts.committed(batch)
        self._failures_in_a_row = []

    def _count_loaded(self) -> None:
        self._metrics.routing_revision.set(self.routing.revision)
        self._metrics.loaded_models.set(len(self.routing.models))

    def trouble(self) -> str | None:
        """What an operator should know; None when all is well."""
        failures = self._failures_in_a_row  # the loop's thread replaces it
        if len(failures) >= _FAILURES_ARE_TROUBLE:
            return f"batches fail again and again: {failures[-1]}"
        silent_seconds = time.monotonic() - self.last_turn_at
        if silent_seconds > _SILENCE_IS_TROUBLE_SECONDS:
            return f"no batch has moved for {silent_seconds:.0f} s: a model may hang, or the broker"
        return self._holds.trouble()

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._metrics.stage_seconds.labels(stage).observe(time.perf_counter() - started)
