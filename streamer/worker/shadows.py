"""Shadow models on threads of their own: they never delay, block or fail the serving answers.

A shadow has one batch in hand and one waiting; what comes while both are taken is dropped. Several batches missed in
a row open its breaker: it rests, then tries again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.worker.daemon_thread import DaemonThread

if TYPE_CHECKING:
    from streamer.metrics import WorkerMetrics
    from streamer.worker.inferences import Answers

_MAX_OUTSTANDING = 2
_MISSED_TO_OPEN = 5
_REST_SECONDS = 10.0


@dataclass
class _Shadow:
    thread: DaemonThread
    outstanding: list[Future[Answers]]
    missed_in_a_row: int = 0
    rests_until: float = float("-inf")


@dataclass(frozen=True, slots=True)
class ShadowScoring:
    """A shadow that is computing its n answers."""

    variant: str
    n: int
    answers: Future[Answers]


class Shadows:
    """The threads of all shadow arms of one worker. Used by the loop's thread only.

    Args:
        metrics: Told what was dropped and why.
        monotonic: The clock of the breaker.
    """

    def __init__(self, metrics: WorkerMetrics, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._monotonic = monotonic
        self._shadows: dict[str, _Shadow] = {}

    def submit(self, variant: str, n: int, call: Callable[[], Answers]) -> ShadowScoring | None:
        """Asks a shadow for n answers; None if it is busy or rests, and the n are counted as dropped."""
        shadow = self._shadows.get(variant)
        if shadow is None:
            shadow = self._shadows[variant] = _Shadow(DaemonThread(f"shadow-{variant}"), [])
        if self._monotonic() < shadow.rests_until:
            self._metrics.shadow_dropped.labels(variant, "breaker").inc(n)
            return None
        shadow.outstanding = [future for future in shadow.outstanding if not future.done()]
        if len(shadow.outstanding) >= _MAX_OUTSTANDING:
            self._missed(variant, shadow, n, "busy")
            return None
        future = shadow.thread.submit(call)
        shadow.outstanding.append(future)
        return ShadowScoring(variant, n, future)

    def collect(self, scorings: list[ShadowScoring]) -> list[Answers]:
        """The answers that are ready now; the others are dropped and counted."""
        ready = []
        for scoring in scorings:
            # A revision that was activated meanwhile may not have this shadow any more.
            shadow = self._shadows.get(scoring.variant)
            if not scoring.answers.done():
                scoring.answers.cancel()
                self._missed(scoring.variant, shadow, scoring.n, "late")
            elif scoring.answers.exception() is not None:
                self._missed(scoring.variant, shadow, scoring.n, "failed")
            else:
                answers = scoring.answers.result()
                if len(answers.rows):
                    if shadow is not None:
                        shadow.missed_in_a_row = 0
                    ready.append(answers)
                else:
                    self._missed(scoring.variant, shadow, 0, "failed")
        return ready

    def keep(self, variants: set[str]) -> None:
        """Ends the threads of all other shadows; one of that name gets a new thread when it is asked again."""
        for variant in self._shadows.keys() - variants:
            self._shadows.pop(variant).thread.close()

    def close(self) -> None:
        """Lets go of all threads, without waiting for a shadow that hangs."""
        self.keep(set())

    def _missed(self, variant: str, shadow: _Shadow | None, n: int, reason: str) -> None:
        self._metrics.shadow_dropped.labels(variant, reason).inc(n)
        if shadow is None:
            return
        shadow.missed_in_a_row += 1
        if shadow.missed_in_a_row >= _MISSED_TO_OPEN:
            shadow.missed_in_a_row = 0
            shadow.rests_until = self._monotonic() + _REST_SECONDS
