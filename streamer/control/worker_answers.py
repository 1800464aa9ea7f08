"""What the workers of an endpoint say to a newly published document."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from streamer.config import KafkaSettings
from streamer.kafka.log import LogRecord, LogTail
from streamer.records.worker_status import WorkerState, WorkerStatus

_POLL_SECONDS = 0.2


class AnswerState(StrEnum):
    """How far one worker is with the new revision."""

    waiting = "waiting"
    preparing = "preparing"
    active = "active"
    refused = "refused"


@dataclass(frozen=True, slots=True)
class WorkerAnswer:
    """One live worker's answer.

    Attributes:
        worker: ``<endpoint>/<slot>``.
        reason: Why it refused, or why it cannot say yet.
        serving_revision: The routing revision that it serves now.
    """

    worker: str
    state: AnswerState
    serving_revision: int | None
    reason: str = ""

    @property
    def is_final(self) -> bool:
        """Whether nothing more is to be waited for."""
        return self.state in (AnswerState.active, AnswerState.refused)


@dataclass(frozen=True, slots=True)
class Awaited:
    """The revisions that the workers are asked about; None where nothing was published."""

    endpoint: str
    endpoint_revision: int | None = None
    routing_revision: int | None = None


class StatusBoard:
    """The newest status of each worker, from the records of the status topic."""

    def __init__(self) -> None:
        self._newest: dict[str, WorkerStatus] = {}

    def take(self, record: LogRecord) -> None:
        """Takes in a record; what is no status is ignored, for anybody may write to the topic."""
        if record.key is None:
            return
        worker = record.key.decode("utf-8", "replace")
        if record.value is None:
            self._newest.pop(worker, None)
            return
        try:
            self._newest[worker] = WorkerStatus.model_validate_json(record.value)
        except ValidationError:
            return

    def workers(self, endpoint: str | None = None) -> list[WorkerStatus]:
        """All that were ever heard of and not removed, by name."""
        chosen = (status for status in self._newest.values() if endpoint in (None, status.endpoint))
        return sorted(chosen, key=lambda status: (status.endpoint, status.slot))

    def alive(self, endpoint: str, now: float) -> list[WorkerStatus]:
        """Those whose heartbeat is recent and that are not on their way out."""
        leaving = (WorkerState.stopping, WorkerState.stopped)
        return [one for one in self.workers(endpoint) if one.is_alive(now) and one.state not in leaving]


def await_answers(
    kafka: KafkaSettings,
    awaited: Awaited,
    *,
    deadline_seconds: float,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[list[WorkerAnswer]]:
    """Yields the answers of all live workers whenever one of them changes, and ends when all are final.

    The first is yielded at once; it is empty when no worker is alive, and is then the only one. At the deadline the
    iteration ends with answers that are not final.

    Raises:
        TopicProblem: There is no status topic.
        KafkaError: The broker does not answer or refuses.
    """
    deadline = monotonic() + deadline_seconds
    board = StatusBoard()
    told: list[WorkerAnswer] | None = None
    with LogTail(kafka, kafka.status_topic) as tail:
        while True:
            for record in tail.poll(_POLL_SECONDS if not tail.at_end() or told else 0.01):
                board.take(record)
            if not tail.at_end() and monotonic() < deadline:
                continue
            answers = [answer_of(status, awaited) for status in board.alive(awaited.endpoint, clock())]
            if answers != told:
                told = answers
                yield answers
            if all(answer.is_final for answer in answers) or monotonic() >= deadline:
                return


def answer_of(status: WorkerStatus, awaited: Awaited) -> WorkerAnswer:
    """How far a worker is, by its status."""
    serving = status.routing_revision
    routing_done = awaited.routing_revision is None or (serving is not None and serving >= awaited.routing_revision)
    endpoint_done = awaited.endpoint_revision is None or (
        status.endpoint_revision is not None and status.endpoint_revision >= awaited.endpoint_revision
    )
    if routing_done and endpoint_done:
        return WorkerAnswer(status.worker, AnswerState.active, serving)
    refused, preparing = status.refused, status.preparing
    if awaited.routing_revision is None and preparing is not None:  # an old refusal is being tried again
        return WorkerAnswer(status.worker, AnswerState.preparing, serving)
    if refused is not None and refused.revision >= (awaited.routing_revision or 0):
        return WorkerAnswer(status.worker, AnswerState.refused, serving, refused.reason)
    if preparing is not None and preparing >= (awaited.routing_revision or 0):
        return WorkerAnswer(status.worker, AnswerState.preparing, serving)
    return WorkerAnswer(status.worker, AnswerState.waiting, serving, status.degraded or "")
