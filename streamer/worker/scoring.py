"""Asking the models: serving arms and the fallback on one thread beside the loop, each shadow on its own.

Sessions release the interpreter lock, so the next batch is polled and decoded meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.errors import StreamerError
from streamer.records.columns import FeatureBatch
from streamer.routing.documents import Role
from streamer.worker.daemon_thread import DaemonThread
from streamer.worker.dead_letters import DeadLetter, Stage
from streamer.worker.inferences import Answers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from numpy.typing import NDArray

    from streamer.metrics import WorkerMetrics
    from streamer.records.model_version import ModelVersion
    from streamer.routing.router import Arm, Routed
    from streamer.runtimes.binding import BoundModel, Prediction
    from streamer.worker.events import EventBatch
    from streamer.worker.prepared import PreparedRouting
    from streamer.worker.shadows import Shadows, ShadowScoring


@dataclass(frozen=True, slots=True)
class Scored:
    """The serving answers to one batch: every event is in exactly one of them or in the dead letters."""

    answers: list[Answers]
    dead_letters: list[DeadLetter]


@dataclass(frozen=True, slots=True)
class Scoring:
    """A batch whose answers are being computed.

    Attributes:
        routing: The revision that answers it, whatever is activated meanwhile.
        events: The batch.
        routed: Who answers.
        serving: Becomes the serving answers.
        shadows: Becomes the answers of each shadow.
    """

    routing: PreparedRouting
    events: EventBatch
    routed: Routed
    serving: Future[Scored]
    shadows: list[ShadowScoring]


class Scorer:
    """Starts the scoring of batches.

    Args:
        metrics: Told of times and failures.
        shadows: The threads of the shadow arms.
    """

    def __init__(self, metrics: WorkerMetrics, shadows: Shadows) -> None:
        self._metrics = metrics
        self._shadows = shadows
        self._thread = DaemonThread("predict")

    def start(self, routing: PreparedRouting, events: EventBatch, routed: Routed) -> Scoring:
        """Begins; nothing is waited for."""
        serving = self._thread.submit(lambda: self._serve(routing, events, routed))
        shadows = []
        for index, rows in routed.shadows:
            arm = routing.router.arms[index]
            scoring = self._shadows.submit(arm.variant, len(rows), self._shadow_call(routing, arm, events, rows))
            if scoring is not None:
                shadows.append(scoring)
        return Scoring(routing, events, routed, serving, shadows)

    def keep_shadows(self, routing: PreparedRouting, before: PreparedRouting) -> None:
        """Ends the threads of shadows that a newly activated revision does not have, or has with another model."""
        same = _shadow_models(routing) & _shadow_models(before)
        self._shadows.keep({variant for variant, _ in same})

    def close(self) -> None:
        """Ends the thread, without waiting for a model that hangs."""
        self._thread.close()

    def _serve(self, routing: PreparedRouting, events: EventBatch, routed: Routed) -> Scored:
        answers: list[Answers] = []
        failed: list[NDArray[np.int64]] = []
        reasons: dict[int, tuple[str, str]] = {}
        for index, rows in routed.serving:
            answered, failures = self._ask(routing, routing.router.arms[index], events, rows)
            if len(answered.rows):
                answers.append(answered)
            if failures:
                reasons |= failures
                failed.append(np.fromiter(failures, np.int64, len(failures)))
        if failed and routing.router.fallback is not None:
            rows = np.sort(np.concatenate(failed))
            answered, failures = self._ask(routing, routing.router.arms[routing.router.fallback], events, rows)
            if len(answered.rows):
                answers.append(answered)
            reasons = {row: failures[row] for row in failures}
        dead_letters = [
            DeadLetter(int(events.rows[row]), Stage.predict, code, message) for row, (code, message) in reasons.items()
        ]
        return Scored(answers, dead_letters)

    def _shadow_call(
        self, routing: PreparedRouting, arm: Arm, events: EventBatch, rows: NDArray[np.int64]
    ) -> Callable[[], Answers]:
        def call() -> Answers:
            answered, failures = self._ask(routing, arm, events, rows)
            if failures:
                self._metrics.shadow_dropped.labels(arm.variant, "failed").inc(len(failures))
            return answered

        return call

    def _ask(
        self, routing: PreparedRouting, arm: Arm, events: EventBatch, rows: NDArray[np.int64]
    ) -> tuple[Answers, dict[int, tuple[str, str]]]:
        """One arm's answers to these rows, and why it has none for the others (row of the batch to reason)."""
        model = routing.models[arm.model_uuid]
        version = routing.versions[arm.model_uuid]
        features = _features_of(model, events, rows)
        started = time.perf_counter()
        try:
            prediction = model.predict(features)
        except Exception as failure:  # whatever a foreign model raises must not end the worker
            prediction = None
            reason = (type(failure).__name__, _message(failure))
        labels = (version.name, str(version.version), arm.variant)
        self._metrics.predict_seconds.labels(*labels).observe(time.perf_counter() - started)
        if prediction is None:
            failures = dict.fromkeys(rows.tolist(), reason)
            self._count(arm.variant, failures.values())
            return Answers(arm.variant, arm.role, version, rows[:0], {}), failures
        return self._sorted_out(arm, version, rows, prediction)

    def _sorted_out(
        self, arm: Arm, version: ModelVersion, rows: NDArray[np.int64], prediction: Prediction
    ) -> tuple[Answers, dict[int, tuple[str, str]]]:
        if not prediction.failed.any():
            return Answers(arm.variant, arm.role, version, rows, prediction.columns), {}
        failures = {int(rows[row]): prediction.reasons[row] for row in np.flatnonzero(prediction.failed).tolist()}
        self._count(arm.variant, failures.values())
        good = np.flatnonzero(~prediction.failed)
        columns = {name: column.take(good) for name, column in prediction.columns.items()}
        return Answers(arm.variant, arm.role, version, rows[good], columns), failures

    def _count(self, variant: str, reasons: Iterable[tuple[str, str]]) -> None:
        for code, _ in reasons:
            self._metrics.prediction_failures.labels(variant, code).inc()


def _shadow_models(routing: PreparedRouting) -> set[tuple[str, UUID]]:
    return {(arm.variant, arm.model_uuid) for arm in routing.router.arms if arm.role is Role.shadow}


def _features_of(model: BoundModel, events: EventBatch, rows: NDArray[np.int64]) -> FeatureBatch:
    """The rows of one arm, and only the columns that its model reads."""
    if len(rows) == len(events):
        return events.features
    columns = {name: events.features[name].take(rows) for name in model.event_columns}
    return FeatureBatch(len(rows), columns)


def _message(failure: Exception) -> str:
    return (
        str(failure) if isinstance(failure, StreamerError) else f"the model raised {type(failure).__name__}: {failure}"
    )
