"""Tells the status topic how the worker is: at every change, and as a heartbeat in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from streamer.errors import KafkaError
from streamer.kafka.log import LogWriter

if TYPE_CHECKING:
    from streamer.config import KafkaSettings
    from streamer.records.worker_status import WorkerStatus

HEARTBEAT_SECONDS = 2.0

log = structlog.get_logger(__name__)


class StatusReporter:
    """One thread that publishes what ``describe`` says.

    Args:
        kafka: How to reach the broker.
        describe: The worker's status now.
    """

    def __init__(self, kafka: KafkaSettings, describe: Callable[[], WorkerStatus]) -> None:
        self._topic = kafka.status_topic
        self._writer = LogWriter(kafka.model_copy(update={"request_timeout_seconds": 5.0}))
        self._describe = describe
        self._wake = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        """Begins to report."""
        self._thread.start()

    def changed(self) -> None:
        """Something changed that is worth telling at once."""
        self._wake.set()

    def close(self) -> None:
        """Reports once more, then stops."""
        self._over.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=6.0)
        self._report()
        self._writer.close()

    def _run(self) -> None:
        while not self._over.is_set():
            self._report()
            self._wake.wait(HEARTBEAT_SECONDS)
            self._wake.clear()

    def _report(self) -> None:
        try:
            status = self._describe()
            self._writer.append(self._topic, status.worker.encode(), status.model_dump_json().encode())
        except KafkaError as failure:  # the broker is away; the next heartbeat says it
            log.warning("cannot report the status", reason=str(failure))
        except Exception:  # without a heartbeat the slot would look free
            log.exception("cannot describe the worker")
