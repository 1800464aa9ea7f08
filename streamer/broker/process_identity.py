"""Naming a process so that another one, which got its pid later, is never taken for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Fields of /proc/PID/stat, counted after the command's closing parenthesis.
_STATE_FIELD = 0
_START_TICKS_FIELD = 19


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, by its pid and the moment at which it started.

    Attributes:
        pid: The process id, which the system gives to another process once this one is gone.
        started: When it started, in a form that is only compared for equality.
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Return the identity of a living process; None if there is none with that pid."""
        started = _start_mark(pid)
        return None if started is None else cls(pid, started)

    def is_alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return _start_mark(self.pid) == self.started

    def send_signal(self, number: signal.Signals) -> bool:
        """Send a signal to this very process, never to a successor of its pid.

        Returns:
            Whether the process was there to receive it.
        """
        try:
            with _pinned(self.pid) as descriptor:
                if not self.is_alive():
                    return False
                if sys.platform == "linux" and descriptor is not None:
                    signal.pidfd_send_signal(descriptor, number)
                else:
                    os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


@contextmanager
def _pinned(pid: int) -> Iterator[int | None]:
    """Hold on to a process, so that checking its identity and then signalling it cannot be two processes."""
    if sys.platform != "linux":
        yield None
        return
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _start_mark(pid: int) -> str | None:
    if sys.platform != "linux":
        return _start_mark_from_ps(pid)
    return _start_mark_from_proc(pid)


def _start_mark_from_ps(pid: int) -> str | None:
    run = subprocess.run(  # noqa: S603  a fixed command line
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = run.stdout.strip().partition(" ")
    return started.strip() if state and not state.startswith("Z") else None


def _start_mark_from_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command may hold spaces and parentheses itself: the fields begin after the last one.
    fields = stat.rpartition(")")[2].split()
    if fields[_STATE_FIELD] in "ZX":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{fields[_START_TICKS_FIELD]}"
