"""How an endpoint is: its workers, what they serve, and how far behind they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from streamer.config import KafkaSettings
from streamer.control.config_log import read_admission
from streamer.control.worker_answers import StatusBoard
from streamer.errors import DocumentInvalid, TopicProblem
from streamer.kafka.log import read_log
from streamer.kafka.topics import TopicAdmin
from streamer.records.worker_status import WorkerState, WorkerStatus
from streamer.routing.admission import Admission


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker.

    Attributes:
        status: What it said last.
        alive: Whether its heartbeat is recent.
        seconds_since: Since it said so.
    """

    status: WorkerStatus
    alive: bool
    seconds_since: float


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition of the events: ``committed`` is None before the first commit; lag counts offsets."""

    partition: int
    committed: int | None
    end: int
    lag: int


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """One endpoint.

    Attributes:
        routing_revision: The newest admitted; None if it has no routing.
        workers: All that were heard of and have not stopped, and those that stopped in the last hour.
        partitions: By the group's committed offsets; empty if the events topic is missing.
    """

    endpoint: str
    endpoint_revision: int
    routing_revision: int | None
    routing_reason: str
    routing_author: str
    workers: tuple[WorkerView, ...]
    partitions: tuple[PartitionLag, ...]

    @property
    def lag(self) -> int:
        """Of all partitions together."""
        return sum(partition.lag for partition in self.partitions)

    @property
    def up_to_date(self) -> bool:
        """Whether workers live and all of them serve the newest routing."""
        alive = [worker for worker in self.workers if worker.alive]
        return bool(alive) and all(one.status.routing_revision == self.routing_revision for one in alive)


_FORGET_STOPPED_SECONDS = 3600.0


def status(
    kafka: KafkaSettings, endpoint: str | None = None, *, clock: Callable[[], float] = time.time
) -> list[EndpointStatus]:
    """The status of one endpoint, or of all.

    Raises:
        DocumentInvalid: There is no such endpoint.
        TopicProblem: There is no config topic.
        KafkaError: The broker does not answer or refuses.
    """
    admission = read_admission(kafka)
    names = admission.endpoints()
    if endpoint is not None and endpoint not in names:
        raise DocumentInvalid(
            "there is no such endpoint", where=f"endpoint/{endpoint}", advice=f"There are: {', '.join(names) or 'none'}"
        )
    board = StatusBoard()
    try:
        for record in read_log(kafka, kafka.status_topic, deadline_seconds=kafka.request_timeout_seconds):
            board.take(record)
    except TopicProblem:
        pass  # no worker has ever run
    admin = TopicAdmin(kafka)
    wanted = names if endpoint is None else [endpoint]
    return [_status(kafka, admin, admission, board, name, clock()) for name in wanted]


def _status(
    kafka: KafkaSettings, admin: TopicAdmin, admission: Admission, board: StatusBoard, name: str, now: float
) -> EndpointStatus:
    document, routing = admission.endpoint(name), admission.routing(name)
    assert document is not None
    topic = document.document.events.topic
    assert topic is not None
    views = [
        WorkerView(worker, worker.is_alive(now), max(now - worker.at, 0.0))
        for worker in board.workers(name)
        if worker.state is not WorkerState.stopped or now - worker.at < _FORGET_STOPPED_SECONDS
    ]
    return EndpointStatus(
        endpoint=name,
        endpoint_revision=document.revision,
        routing_revision=routing.revision if routing is not None else None,
        routing_reason=routing.reason if routing is not None else "",
        routing_author=routing.author if routing is not None else "",
        workers=tuple(views),
        partitions=_lags(admin, kafka.consumer_group(name), topic),
    )


def _lags(admin: TopicAdmin, group: str, topic: str) -> tuple[PartitionLag, ...]:
    try:
        ends, begins = admin.end_offsets(topic), admin.begin_offsets(topic)
    except TopicProblem:
        return ()
    committed = admin.committed(group, topic)
    return tuple(
        PartitionLag(
            partition,
            committed.get(partition),
            end,
            max(end - max(committed.get(partition, begins[partition]), begins[partition]), 0),
        )
        for partition, end in sorted(ends.items())
    )
