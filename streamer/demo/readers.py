"""Reads all that the endpoint says while it says it: inferences, the shadow's too, and dead letters."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.client import InferenceConsumer
from streamer.kafka.record_reader import RecordReader

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import pandas as pd

    from streamer.client import InferenceBatch
    from streamer.config import Settings

_POLL_SECONDS = 0.1
_COLUMNS = {
    "event_id": "event_id",
    "variant": "variant",
    "role": "role",
    "revision": "routing_revision",
    "source_partition": "source.partition",
    "source_offset": "source.offset",
    "late_probability": "output.late_probability",
}
_REASON_HEADER = "__streamer.errors.class"


class Answers:
    """A `read_committed` reader of an endpoint's inferences, on a thread of its own.

    Args:
        settings: How to reach Kafka.
        endpoint: Whose inferences.
        shadows: Those of the shadow variants instead.

    Attributes:
        received: How many there were.
        batches: What came, with the seconds since 1970 at which it did.
        newest_revision: Of the inferences so far.
        by_revision: Revision to the number of its inferences.
    """

    def __init__(self, settings: Settings, endpoint: str, *, shadows: bool = False) -> None:
        self.received = 0
        self.batches: list[tuple[float, InferenceBatch]] = []
        self.newest_revision = 0
        self.by_revision: Counter[int] = Counter()
        self._consumer = InferenceConsumer(endpoint, settings=settings, shadows=shadows)
        self._reading = _Reading(self._read, self._consumer.close)

    def is_well(self) -> bool:
        """Whether it still reads; raises what ended it."""
        return self._reading.is_well()

    def frame(self) -> pd.DataFrame:
        """Everything that came, in the order in which it came, with ``arrived_at`` and ``partition``."""
        import pandas as pd

        if not self.batches:
            return pd.DataFrame({name: [] for name in (*_COLUMNS, "arrived_at", "partition")})
        columns: dict[str, Any] = {
            name: np.concatenate([batch[column] for _, batch in self.batches]) for name, column in _COLUMNS.items()
        }
        columns["arrived_at"] = np.repeat([at for at, _ in self.batches], [len(batch) for _, batch in self.batches])
        columns["partition"] = np.concatenate([batch.partitions for _, batch in self.batches])
        return pd.DataFrame(columns)

    def _read(self) -> None:
        batch = self._consumer.poll(_POLL_SECONDS)
        if batch is None:
            return
        self.batches.append((time.time(), batch))
        revisions, counts = np.unique(batch["routing_revision"], return_counts=True)
        self.by_revision.update(dict(zip(revisions.tolist(), counts.tolist(), strict=True)))
        self.newest_revision = max(self.newest_revision, int(revisions[-1]))
        self.received += len(batch)

    def __enter__(self) -> Self:
        self._reading.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._reading.stop()


class DeadLetters:
    """A reader of the endpoint's dead letters, on a thread of its own.

    Attributes:
        reasons: Reason to how many gave it.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self.reasons: Counter[str] = Counter()
        self._reader = RecordReader(settings.kafka, topic)
        self._reading = _Reading(self._read, self._reader.close)

    @property
    def received(self) -> int:
        """How many there were."""
        return sum(self.reasons.values())

    def is_well(self) -> bool:
        """Whether it still reads; raises what ended it."""
        return self._reading.is_well()

    def _read(self) -> None:
        for record in self._reader.poll(1000, _POLL_SECONDS):
            headers = dict(record.headers)
            self.reasons[(headers.get(_REASON_HEADER) or b"?").decode()] += 1

    def __enter__(self) -> Self:
        self._reading.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.stop()


class _Reading:
    """A thread that reads again and again, until stopped or failed."""

    def __init__(self, read: Any, close: Any) -> None:
        self._read = read
        self._close = close
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def is_well(self) -> bool:
        if self._failure is not None:
            raise self._failure
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._read()
        except BaseException as failure:  # told by is_well(), on the thread that can act on it
            self._failure = failure
        finally:
            self._close()
