"""The worker process: everything around the hot loop, wired together."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import ExitStack
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog

from streamer import errors
from streamer.kafka.at_least_once import AtLeastOncePublisher
from streamer.kafka.consumer import GroupConsumer
from streamer.kafka.exactly_once import ExactlyOncePublisher
from streamer.kafka.topics import TopicAdmin
from streamer.metrics import WorkerMetrics
from streamer.records.worker_status import ModelStatus, PartitionStatus, WorkerState, WorkerStatus
from streamer.routing.documents import Delivery
from streamer.worker.dead_letters import DeadLetterWriter
from streamer.worker.follower import RoutingFollower
from streamer.worker.http_server import WorkerHttpServer
from streamer.worker.loop import WorkerLoop
from streamer.worker.outbox import Outbox
from streamer.worker.output_topics import look_at_topics
from streamer.worker.scoring import Scorer
from streamer.worker.shadows import Shadows
from streamer.worker.slot import refuse_slot_in_use
from streamer.worker.status_reporter import HEARTBEAT_SECONDS, StatusReporter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamer.config import Settings
    from streamer.kafka.publisher import Publisher
    from streamer.worker.follower import Prepare
    from streamer.worker.prepared import PreparedRouting

_VERSION = version("streamer")
_STUCK_SECONDS = 120.0
_RETRY_SECONDS = 1.0
_IDLE_SECONDS = 0.1

log = structlog.get_logger(__name__)


class WorkerProcess:
    """One worker: one endpoint, one slot.

    Args:
        settings: All settings.
        endpoint: Which endpoint it serves.
        slot: Makes its transactional ids stable; no two live workers of an endpoint share one.
        prepare: Turns an admitted pair of documents into what the loop runs.
    """

    def __init__(self, settings: Settings, endpoint: str, slot: int, prepare: Prepare) -> None:
        self._settings = settings
        self._kafka = settings.kafka
        self._endpoint = endpoint
        self._slot = slot
        self._instance = uuid4()
        self._started_at = time.time()
        self._stop = threading.Event()
        self._metrics = WorkerMetrics()
        self._loop: WorkerLoop | None = None
        self._trouble: str | None = None
        self._state = WorkerState.starting
        self._http: WorkerHttpServer | None = None
        self._shown_lag: set[int] = set()
        self._reporter = StatusReporter(self._kafka, self.describe)
        self._follower = RoutingFollower(self._kafka, endpoint, prepare, self._reporter.changed)

    def run(self) -> None:
        """Serves until SIGTERM or SIGINT.

        Raises:
            SlotInUse: Another live worker holds the slot.
            KafkaError: The broker refuses us.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            # A handler interrupts the main thread, which may hold the lock that stop() needs: stop from another.
            signal.signal(number, lambda *_: threading.Thread(target=self.stop, name="stop", daemon=True).start())
        refuse_slot_in_use(self._kafka, f"{self._endpoint}/{self._slot}")
        if self._settings.http.port is not None:
            self._http = WorkerHttpServer(self._settings.http, self._metrics.registry, self._health, self._ready)
            log.info("listening", address=self._http.address)
        self._reporter.start()
        self._follower.start()
        try:
            while not self._stop.is_set():
                self._serve()
            self._state = WorkerState.stopped
        except BaseException:
            self._state = WorkerState.stopped
            raise
        finally:
            self._follower.close()
            self._reporter.close()
            if self._http is not None:
                self._http.close()

    def stop(self) -> None:
        """Asks the worker to finish what is being committed and leave."""
        if self._state is not WorkerState.stopped:
            self._state = WorkerState.stopping
        self._stop.set()
        self._reporter.changed()

    def _serve(self) -> None:
        """One run of the loop: until stopped, or until the documents wire the endpoint otherwise."""
        with ExitStack() as stack:
            try:
                self._loop = self._connected(stack)
            except (errors.KafkaUnavailable, errors.ProducerLost, errors.TopicProblem) as failure:
                self._set_trouble(str(failure))
                self._stop.wait(_RETRY_SECONDS)
                return
            self._set_trouble(None)
            if self._loop is None:
                self._stop.wait(_IDLE_SECONDS)
                return
            if not self._stop.is_set():
                self._state = WorkerState.serving
            self._reporter.changed()
            try:
                self._loop.run()
            except errors.TopicProblem as failure:  # it may be made again
                self._set_trouble(str(failure))
                self._stop.wait(_RETRY_SECONDS)
            finally:
                self._loop = None
                if not self._stop.is_set():
                    self._state = WorkerState.starting
                self._reporter.changed()

    def _connected(self, stack: ExitStack) -> WorkerLoop | None:
        """A loop with everything that it needs; what must be let go of is on the stack. None: nothing to serve yet.

        Nothing here keeps the routing: the loop drops old models after their last batch.
        """
        routing = self._follower.newest()
        if routing is None:
            return None
        endpoint = routing.endpoint
        admin = TopicAdmin(self._kafka)
        topics = look_at_topics(admin, endpoint)
        shadows = Shadows(self._metrics)
        stack.callback(shadows.close)
        scorer = Scorer(self._metrics, shadows)
        stack.callback(scorer.close)
        client_id = f"streamer-{self._endpoint}-{self._slot}"
        transactional_id = f"{self._kafka.topic_prefix}{client_id}"
        consumers: list[GroupConsumer] = []

        def connect(loop: WorkerLoop) -> GroupConsumer:
            group = self._kafka.consumer_group(self._endpoint)
            consumers.append(GroupConsumer(self._kafka, topics.events, group, loop, client_id))
            return consumers[0]

        def commit(positions: Mapping[int, int], metadata: str) -> None:
            consumers[0].commit(positions, metadata)

        publisher: Publisher
        if endpoint.delivery is Delivery.exactly_once:
            publisher = ExactlyOncePublisher(self._kafka, transactional_id)
        else:
            publisher = AtLeastOncePublisher(self._kafka, transactional_id, commit)
        publisher.open()
        stack.callback(publisher.close)
        return WorkerLoop(
            routing=routing,
            newest=self._follower.newest,
            connect=connect,
            publisher=publisher,
            outbox=Outbox(
                events_topic=topics.events,
                inferences_topic=topics.inferences,
                shadow_topic=topics.shadow,
                dead_letters=DeadLetterWriter(
                    topics.dead_letters, f"{self._endpoint}/{self._slot}", topics.dead_letter_bytes
                ),
                shadows=shadows,
                metrics=self._metrics,
                max_bytes=topics.inference_bytes,
            ),
            scorer=scorer,
            metrics=self._metrics,
            output_partitions=lambda: look_at_topics(admin, endpoint).partitions,
            first_output_partitions=topics.partitions,
            stop=self._stop,
        )

    # What others see of it.

    def describe(self) -> WorkerStatus:
        """The worker's status now."""
        loop, follower = self._loop, self._follower.state
        routing = loop.routing if loop is not None else None
        partitions = self._partitions(loop)
        trouble = self._trouble or follower.waiting_for or (loop.trouble() if loop is not None else None)
        if follower.refused is not None:
            trouble = f"revision {follower.refused.revision} cannot be prepared: {follower.refused.reason}"
        state = self._state
        if state is WorkerState.serving and trouble is not None:
            state = WorkerState.degraded
        self._metrics.degraded.set(1 if state is WorkerState.degraded else 0)
        return WorkerStatus(
            worker=f"{self._endpoint}/{self._slot}",
            endpoint=self._endpoint,
            slot=self._slot,
            instance=self._instance,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=_VERSION,
            state=state,
            at=time.time(),
            started_at=self._started_at,
            heartbeat_seconds=HEARTBEAT_SECONDS,
            endpoint_revision=routing.endpoint_revision if routing is not None else None,
            routing_revision=routing.revision if routing is not None else None,
            preparing=follower.preparing,
            refused=follower.refused,
            degraded=trouble,
            partitions=partitions,
            models=_models(routing) if routing is not None else (),
            http=self._http.address if self._http is not None else None,
        )

    def _partitions(self, loop: WorkerLoop | None) -> tuple[PartitionStatus, ...]:
        positions = dict(loop.positions) if loop is not None else {}
        ends = loop.ends if loop is not None else {}
        for gone in self._shown_lag - positions.keys():
            self._metrics.lag_records.remove(str(gone))
        self._shown_lag = set(positions)
        statuses = []
        for partition, position in sorted(positions.items()):
            end = max(ends.get(partition, position), position)
            self._metrics.lag_records.labels(str(partition)).set(end - position)
            statuses.append(PartitionStatus(partition=partition, position=position, end=end, lag=end - position))
        return tuple(statuses)

    def _health(self) -> tuple[bool, dict[str, Any]]:
        loop = self._loop
        silent = time.monotonic() - loop.last_turn_at if loop is not None else 0.0
        return silent < _STUCK_SECONDS, {"seconds_since_last_turn": round(silent, 3)}

    def _ready(self) -> tuple[bool, dict[str, Any]]:
        status = self.describe()
        ready = status.state in {WorkerState.serving, WorkerState.degraded}
        return ready, {"state": status.state, "routing_revision": status.routing_revision, "reason": status.degraded}

    def _set_trouble(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble is not None:
                log.warning("not serving", reason=trouble)
            self._reporter.changed()


def _models(routing: PreparedRouting) -> tuple[ModelStatus, ...]:
    return tuple(
        ModelStatus(
            variant=arm.variant,
            role=arm.role,
            uuid=arm.model_uuid,
            name=routing.versions[arm.model_uuid].name,
            version=routing.versions[arm.model_uuid].version,
        )
        for arm in routing.router.arms
    )
