"""A real worker process that tests start, kill, freeze and read the log of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import streamer.broker.guardian

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALTERED = Path(__file__).with_name("altered_worker.py")
_TIED_ENDED_WITH = 256  # an exit status is one byte: a guardian hands -9 on as 247


class WorkerSubprocess:
    """`streamer worker` for one endpoint and slot. The guardian kills it if the tests are killed.

    Args:
        endpoint: Which endpoint.
        slot: Which slot.
        environment: Variables over our own.
        folder: Where its log goes.
        alteration: What `altered_worker.py` changes in it first; None runs the command as users do.
    """

    _number = 0

    def __init__(
        self, endpoint: str, slot: int, environment: Mapping[str, str], folder: Path, alteration: str | None = None
    ) -> None:
        WorkerSubprocess._number += 1
        self.slot = slot
        self._log = folder / f"worker-{slot}-{WorkerSubprocess._number}.log"
        scratch = folder / f"scratch-{WorkerSubprocess._number}"
        scratch.mkdir()
        options = ["--endpoint", endpoint, "--slot", str(slot)]
        command = (
            [str(Path(sys.executable).with_name("streamer")), "worker", *options]
            if alteration is None
            else [sys.executable, str(_ALTERED), alteration, *options]
        )
        guardian = [sys.executable, "-I", streamer.broker.guardian.__file__]
        tied = ["tied", str(os.getpid()), str(self._log), str(scratch), "--"]
        self._guardian = subprocess.Popen(
            [*guardian, *tied, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, **environment},
        )
        assert self._guardian.stdout is not None
        self.pid = int(self._guardian.stdout.readline())

    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def freeze(self) -> None:
        """SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def ask_where_it_is(self) -> None:
        """Has an altered worker log the stack of each of its threads."""
        os.kill(self.pid, signal.SIGUSR1)

    def ask_to_stop(self) -> None:
        """SIGTERM; does not wait."""
        os.kill(self.pid, signal.SIGTERM)

    def stop(self, deadline_seconds: float = 30.0) -> int:
        """SIGTERM; returns its exit status."""
        self.ask_to_stop()
        return self.wait(deadline_seconds)

    def wait(self, deadline_seconds: float = 30.0) -> int:
        """Its exit status; negative for a signal, as subprocess says it."""
        try:
            status = self._guardian.wait(deadline_seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"the worker did not end within {deadline_seconds:g} s:\n{self.log()[-5000:]}"
            ) from None
        return status - _TIED_ENDED_WITH if status > 200 else status

    def is_running(self) -> bool:
        """Whether it has not ended yet, frozen or not."""
        return self._guardian.poll() is None

    def resident_bytes(self) -> int:
        """Memory that it holds now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def close(self) -> None:
        """Kills it if it still runs. Closing twice does no harm."""
        for pipe in (self._guardian.stdin, self._guardian.stdout):
            assert pipe is not None
            pipe.close()
        self._guardian.wait(30)
