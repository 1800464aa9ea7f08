"""What the acts share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamer.errors import StreamerError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from streamer.config import Settings
    from streamer.demo.feed import Feed
    from streamer.demo.readers import Answers, DeadLetters
    from streamer.demo.screen import Screen
    from streamer.demo.worker_processes import WorkerProcess

ENDPOINT = "flights"
SHADOW = "challenger"
"""The shadow's variant name in 4-shadow.yaml."""

_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Pace:
    """How much and how fast.

    Attributes:
        events_per_second: Sent to Kafka.
        departures: At least so many flights leave.
        per_revision: A routing serves at least so many events before the next act, or a quarter where time is short.
        malformed: Records of each malformed kind.
    """

    events_per_second: float
    departures: int
    per_revision: int
    malformed: int


FULL = Pace(events_per_second=4_000, departures=100_000, per_revision=12_000, malformed=5)
SHORT = Pace(events_per_second=2_500, departures=20_000, per_revision=1_500, malformed=2)


@dataclass
class Stage:
    """The set-up, and what has happened so far.

    Attributes:
        settings: Of this run: its Kafka, and names that no other run has.
        folder: Where the demo's documents are.
        pace: How much and how fast.
        screen: Tells people.
        flights: The whole year.
        estimators: Tag of the model to the estimator as scikit-learn trained it.
        workers: The processes.
        expected_dead_letters: Reason to the number of malformed records that must end with it.
        refusals: What `apply` said to the broken routing.
        answered_meanwhile: Inferences read while the broken routing was being refused.
    """

    settings: Settings
    folder: Path
    pace: Pace
    screen: Screen
    flights: pd.DataFrame
    estimators: dict[str, Any] = field(default_factory=dict)
    workers: list[WorkerProcess] = field(default_factory=list)
    expected_dead_letters: dict[str, int] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    answered_meanwhile: int = 0
    _streams: tuple[Feed, Answers, Answers, DeadLetters] | None = None

    def stream(self, feed: Feed, answers: Answers, shadows: Answers, dead_letters: DeadLetters) -> None:
        """From now on events flow."""
        self._streams = (feed, answers, shadows, dead_letters)

    @property
    def feed(self) -> Feed:
        """What is sent."""
        return self._streaming()[0]

    @property
    def answers(self) -> Answers:
        """The serving inferences."""
        return self._streaming()[1]

    @property
    def shadows(self) -> Answers:
        """The shadow's inferences."""
        return self._streaming()[2]

    @property
    def dead_letters(self) -> DeadLetters:
        """The refused records."""
        return self._streaming()[3]

    def wait_until(self, happened: Callable[[], bool], what: str) -> None:
        """Waits for something that the stream brings about.

        Raises:
            StreamerError: It did not happen in a minute, or a worker has ended.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not happened():
            for worker in self.workers:
                worker.raise_if_ended()
            if self._streams is not None:
                self.feed.is_over()
                self.answers.is_well()
                self.shadows.is_well()
                self.dead_letters.is_well()
            if time.monotonic() > deadline:
                logs = "\n".join(worker.end_of_log() for worker in self.workers)
                raise StreamerError(f"waited {_PATIENCE_SECONDS:g} s in vain for {what}; the workers' logs:\n{logs}")
            time.sleep(_LOOK_SECONDS)

    def _streaming(self) -> tuple[Feed, Answers, Answers, DeadLetters]:
        assert self._streams is not None, "no events flow yet"
        return self._streams
