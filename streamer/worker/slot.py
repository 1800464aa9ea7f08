"""A slot makes a worker's transactional ids stable; two live workers must not share one."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from pydantic import ValidationError

from streamer.errors import SlotInUse, TopicProblem
from streamer.kafka.log import LogTail
from streamer.records.worker_status import MISSED_HEARTBEATS, WorkerState, WorkerStatus

if TYPE_CHECKING:
    from streamer.config import KafkaSettings

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.2
_READ_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 30.0


def refuse_slot_in_use(
    kafka: KafkaSettings,
    worker: str,
    clock: Callable[[], float] = time.time,
    host: str | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Returns when the slot is free.

    A holder that was killed cannot say so. If it ran on this machine, its process is looked up; if elsewhere, its
    next heartbeat is awaited: one comes, the slot is in use; none comes, its holder is dead.

    Args:
        kafka: How to reach the broker.
        worker: ``<endpoint>/<slot>``, the key on the status topic.
        clock: Seconds since 1970.
        host: This machine's name.
        monotonic: The clock of the deadlines.

    Raises:
        SlotInUse: Names the holder.
    """
    here = host or socket.gethostname()
    try:
        tail = LogTail(kafka, kafka.status_topic)
    except TopicProblem:  # a new cluster: nobody has ever said anything
        return
    with tail:
        holder = None
        deadline = monotonic() + _READ_SECONDS
        while not tail.at_end() and monotonic() < deadline:
            holder = _newest(tail, worker) or holder
        if holder is None or not holder.is_alive(clock()) or _is_dead_here(holder, here):
            return
        log.info("the slot has a holder; waiting for a sign of life", holder=_describe(holder))
        # By our own clock: the holder's may be wrong, and says nothing of whether it lives.
        deadline = monotonic() + min(MISSED_HEARTBEATS * holder.heartbeat_seconds, _LONGEST_WAIT_SECONDS)
        while monotonic() < deadline:
            heard = _newest(tail, worker)
            if heard is not None:
                if heard.state in {WorkerState.stopped, WorkerState.stopping} or _is_dead_here(heard, here):
                    return
                raise SlotInUse(
                    f"the slot is held by {_describe(heard)}",
                    where=worker,
                    advice="Give this worker another --slot, or stop that one",
                )


def _newest(tail: LogTail, worker: str) -> WorkerStatus | None:
    newest = None
    for record in tail.poll(_POLL_SECONDS):
        if record.key == worker.encode() and record.value is not None:
            try:
                newest = WorkerStatus.model_validate_json(record.value)
            except ValidationError:
                log.warning("unreadable status", offset=record.offset)
    return newest


def _is_dead_here(holder: WorkerStatus, here: str) -> bool:
    if holder.host != here:
        return False
    if holder.pid == os.getpid():  # a container's first process has the same number each time
        return True
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _describe(holder: WorkerStatus) -> str:
    return f"process {holder.pid} on {holder.host} (instance {holder.instance}, {holder.state})"
