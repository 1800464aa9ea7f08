"""Follows the config topic and prepares what it admits, off the hot loop.

The loop asks for :attr:`RoutingFollower.newest` between two batches. What cannot be prepared is tried again with
back-off, while the loop goes on with what it has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from streamer import errors
from streamer.kafka.log import LogTail
from streamer.records.worker_status import RefusedRouting
from streamer.routing.admission import Admission

if TYPE_CHECKING:
    from streamer.config import KafkaSettings
    from streamer.routing.admission import Admitted
    from streamer.routing.documents import EndpointDocument, RoutingDocument
    from streamer.worker.prepared import PreparedRouting

    Prepare = Callable[[Admitted[EndpointDocument], Admitted[RoutingDocument]], PreparedRouting]

_POLL_SECONDS = 0.2
_RECONNECT_SECONDS = 1.0
_FIRST_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FollowerState:
    """What the follower knows, replaced whole so that any thread may read it.

    Attributes:
        newest: The newest revision that is ready; None before the first, or after a deletion.
        preparing: The revision that is being prepared.
        refused: The newest admitted revision, if it could not be prepared.
        waiting_for: Why there is nothing to serve.
    """

    newest: PreparedRouting | None = None
    preparing: int | None = None
    refused: RefusedRouting | None = None
    waiting_for: str | None = "the config topic to be read"


class RoutingFollower:
    """One thread that follows the documents of one endpoint.

    Args:
        kafka: How to reach the broker.
        endpoint: Its name.
        prepare: Loads and checks one pair of revisions; raises a StreamerError if it cannot.
        changed: Called after each change of :attr:`state`.
        monotonic: The clock of the back-off.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        endpoint: str,
        prepare: Prepare,
        changed: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = FollowerState()
        self._kafka = kafka
        self._endpoint = endpoint
        self._prepare = prepare
        self._changed = changed
        self._monotonic = monotonic
        self._stop = threading.Event()
        self._target: tuple[int, int] | None = None
        self._retry_at = 0.0
        self._attempts = 0
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def close(self) -> None:
        """Stops following; a preparation under way is not waited for."""
        self._stop.set()

    def newest(self) -> PreparedRouting | None:
        """The newest revision that is ready to serve."""
        return self.state.newest

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with LogTail(self._kafka, self._kafka.config_topic) as tail:
                    self._follow(tail)
            except errors.StreamerError as failure:
                log.warning("cannot follow the config topic; trying again", reason=str(failure))
                if self.state.newest is None:
                    self._set(FollowerState(waiting_for=str(failure)))
                self._stop.wait(_RECONNECT_SECONDS)
            except Exception:
                log.exception("following the config topic failed; starting over")
                self._stop.wait(_RECONNECT_SECONDS)

    def _follow(self, tail: LogTail) -> None:
        admission = Admission(keep_history=False)
        while not self._stop.is_set():
            for record in tail.poll(_POLL_SECONDS):
                admission.fold(record.offset, record.key, record.value, record.timestamp_ms)
            if tail.at_end():
                self._aim(admission.endpoint(self._endpoint), admission.routing(self._endpoint))

    def _aim(self, endpoint: Admitted[EndpointDocument] | None, routing: Admitted[RoutingDocument] | None) -> None:
        """Prepares the newest admitted pair, unless that is done or not due again."""
        if endpoint is None or routing is None:
            missing = "an endpoint document" if endpoint is None else "a routing document"
            if self._target is not None or self.state.waiting_for is not None:
                self._target = None
                self._set(FollowerState(waiting_for=f"{missing} for {self._endpoint}: run `streamer apply`"))
            return
        target = (endpoint.revision, routing.revision)
        if target != self._target:
            self._target, self._attempts, self._retry_at = target, 0, 0.0
        elif self.state.refused is None or self._monotonic() < self._retry_at:
            return
        newest = self.state.newest
        self._set(FollowerState(newest, routing.revision, self.state.refused, self.state.waiting_for))
        try:
            prepared = self._prepare(endpoint, routing)
        except Exception as failure:  # whatever a document makes a foreign library raise, serving goes on
            self._attempts += 1
            wait = min(_FIRST_RETRY_SECONDS * 2 ** (self._attempts - 1), _LONGEST_RETRY_SECONDS)
            self._retry_at = self._monotonic() + wait
            reason = str(failure) if isinstance(failure, errors.StreamerError) else repr(failure)
            log.warning("cannot prepare", revision=routing.revision, reason=reason, retry_in_seconds=wait)
            refused = RefusedRouting(revision=routing.revision, reason=reason, attempts=self._attempts)
            waiting = None if newest is not None else f"revision {routing.revision}, which cannot be prepared: {reason}"
            self._set(FollowerState(newest, None, refused, waiting))
        else:
            self._set(FollowerState(prepared, None, None, None))

    def _set(self, state: FollowerState) -> None:
        if state != self.state:
            self.state = state
            self._changed()
