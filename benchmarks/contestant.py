"""One process under measurement: started, watched while it answers, stopped by its own pid."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_STOP_SECONDS = 20.0
_WATCH_SECONDS = 0.05


def cpu_seconds(pid: int) -> float:
    """User and system time of a process since it started, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


@dataclass(frozen=True)
class CpuSample:
    """CPU time used so far, at a wall-clock time."""

    at: float
    contestant_seconds: float
    broker_seconds: float


class Contestant:
    """A process that answers events until it is stopped.

    Args:
        command: Its command line.
        log: Where its standard output and error go.
        environment: Added to this process's environment.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._log_path = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def check_alive(self) -> None:
        """Raises RuntimeError with the end of its log if it is gone."""
        if self._process.poll() is not None:
            raise RuntimeError(f"{self._process.args!r:.200} ended with {self._process.returncode}:\n{self.log_tail()}")

    def log_tail(self) -> str:
        return self._log_path.read_text(errors="replace")[-3000:]

    def watch(self, broker_pid: int, until: Callable[[], bool], deadline_seconds: float) -> list[CpuSample]:
        """Samples CPU times until `until` says so.

        Raises:
            TimeoutError: That took longer than the deadline.
        """
        samples = []
        deadline = time.monotonic() + deadline_seconds
        while True:
            self.check_alive()
            samples.append(CpuSample(time.time(), cpu_seconds(self.pid), cpu_seconds(broker_pid)))
            if until():
                return samples
            if time.monotonic() > deadline:
                raise TimeoutError(f"not done after {deadline_seconds:g} s: {self.log_tail()}")
            time.sleep(_WATCH_SECONDS)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not end it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
