"""The commit that runs beside the loop, and what to do when it fails."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

import structlog

from streamer import errors
from streamer.worker.daemon_thread import DaemonThread

if TYPE_CHECKING:
    from streamer.kafka.publisher import Publisher
    from streamer.worker.outbox import EncodedBatch

log = structlog.get_logger(__name__)


class Commits:
    """At most one batch is being committed, on a thread of its own; the publisher is not touched meanwhile.

    Args:
        publisher: Commits and aborts.
        committed: Called on the loop's thread with each batch that is committed.
    """

    def __init__(self, publisher: Publisher, committed: Callable[[EncodedBatch], None]) -> None:
        self._publisher = publisher
        self._committed = committed
        self._thread = DaemonThread("commit")
        self._under_way: tuple[Future[None], EncodedBatch] | None = None
        self._open = False
        self._broken = False
        self._failed: EncodedBatch | None = None

    def opened(self) -> None:
        """The publisher has begun a batch; it must be committed or aborted."""
        self._open = True

    def start(self, batch: EncodedBatch) -> None:
        """Begins to commit the open batch."""
        self._under_way = (self._thread.submit(lambda: self._publisher.commit(batch.positions)), batch)

    def wait(self) -> None:
        """Returns when nothing is being committed.

        Raises:
            TransactionAborted: See `streamer.kafka.publisher.Publisher.commit`, as for the others.
            RecordRefused: One of the messages of :meth:`take_failed` will never be taken.
            ProducerLost: Its outcome is unknown until the publisher was opened anew.
            SlotInUse: Another worker keeps fencing this one.
        """
        if self._under_way is None:
            return
        future, batch = self._under_way
        self._under_way = None
        try:
            future.result()
            self._publisher.finish(batch.positions)
        except errors.ProducerLost:
            self._broken = True
            raise
        except Exception:
            self._failed = batch
            raise
        self._open = False
        self._committed(batch)

    def take_failed(self) -> EncodedBatch | None:
        """The batch whose commit failed, told once; None if none has."""
        failed, self._failed = self._failed, None
        return failed

    def raise_failure(self) -> None:
        """Notices a commit that is over, without waiting for one that is not."""
        if self._under_way is not None and self._under_way[0].done():
            self.wait()

    def settle(self) -> None:
        """Leaves nothing in flight: waits for the commit under way, and aborts what cannot be committed."""
        try:
            self.wait()
        except errors.KafkaError as failure:
            log.warning("a commit failed", reason=str(failure))
        if self._broken:
            self._reopen()
        elif self._open:
            self._open = False
            try:
                self._publisher.abort()
            except errors.ProducerLost:
                self._reopen()

    def recover(self, failure: Exception) -> None:
        """After a failure: settles, with new producers if the old ones cannot be trusted."""
        if isinstance(failure, errors.ProducerLost):
            self._broken = True
        self.settle()

    def leave(self) -> None:
        """Finishes the commit under way if it can be finished, and makes no new producers.

        These would wait for a broker that is away, and fence the worker that has the slot by now.
        """
        try:
            self.wait()
        except Exception as failure:  # whatever it is, the batch is read again by the next owner
            log.warning("the last commit failed", reason=str(failure))
        self._open, self._broken = False, False  # the publisher's close aborts what is open

    def close(self) -> None:
        """Ends the thread."""
        self._thread.close()

    def _reopen(self) -> None:
        self._broken = True
        self._open = False
        self._publisher.reopen()
        self._broken = False
