"""A small process that starts a server and sees to it that the server never outlives its owner.

Run by its path (`python -I guardian.py ...`), so it imports nothing of the package and starts at once.

    guardian.py tied OWNER_PID LOG FOLDER -- COMMAND...
        Runs the command until it ends or until the owner is gone, whichever comes first. When the owner goes,
        even by SIGKILL, the command is killed and FOLDER removed. If the guardian itself is killed, the kernel
        kills the command (on Linux).
    guardian.py detached LOG -- COMMAND...
        Starts the command in a session of its own and leaves it running.

Both print the command's pid on one line once it runs. How the owner's end is noticed: the guardian's standard
input is a pipe whose other end only the owner holds, and on Linux the owner's pidfd is watched as well, because
a child that the owner forked may still hold the pipe.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_POLL_MS = 200
_REMOVE_ATTEMPTS = 10
_OWNER_ATTEMPTS = 20
_OWNER_PAUSE_SECONDS = 0.05


def main(arguments: Sequence[str]) -> int:
    """Run one of the two modes of the module's docstring and return the exit status."""
    split = arguments.index("--")
    options, command = arguments[:split], arguments[split + 1 :]
    if options[0] == "detached":
        return _detached(options[1], command)
    return _tied(int(options[1]), options[2], options[3], command)


def _detached(log_path: str, command: Sequence[str]) -> int:
    with open(log_path, "ab") as log:  # noqa: PTH123  pathlib would cost a third of the start
        child = subprocess.Popen(  # noqa: S603  the command line is our own
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    print(child.pid, flush=True)  # noqa: T201  this is the protocol
    child.returncode = 0  # it is left running on purpose: nobody will wait for it here
    return 0


def _tied(owner_pid: int, log_path: str, folder: str, command: Sequence[str]) -> int:
    # A guardian is ended by its owner's end, not by a Ctrl-C meant for the owner.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    guardian_pid = os.getpid()
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def die_with_guardian() -> None:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != guardian_pid:  # it died before the request was made
                os._exit(1)

    with open(log_path, "ab") as log:  # noqa: PTH123
        child = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_guardian,
        )
    print(child.pid, flush=True)  # noqa: T201
    if _wait_for_either_end(owner_pid, child):
        return child.wait()
    child.kill()
    child.wait()
    if not _is_gone(owner_pid):
        return 0  # the owner let go on purpose, of a server that was just ending, and looks after the folder itself
    for _ in range(_REMOVE_ATTEMPTS):  # guardians of other nodes may still be ending theirs
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):  # noqa: PTH110
            break
    return 0


def _is_gone(owner_pid: int) -> bool:
    """Whether the owner has ended. Its pipe closes a moment before it has."""
    for _ in range(_OWNER_ATTEMPTS):
        if os.getppid() != owner_pid:
            return True
        time.sleep(_OWNER_PAUSE_SECONDS)
    return False


def _wait_for_either_end(owner_pid: int, child: subprocess.Popen[bytes]) -> bool:
    """Wait until the child or the owner has ended; return whether it was the child."""
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    wait_ms: int | None = _POLL_MS
    child_pidfd = -1
    if sys.platform == "linux":
        child_pidfd = os.pidfd_open(child.pid)
        poll.register(child_pidfd, select.POLLIN)
        with contextlib.suppress(ProcessLookupError):
            poll.register(os.pidfd_open(owner_pid), select.POLLIN)
        # Checked after opening: if the owner died first, that pidfd may be somebody else's.
        if os.getppid() != owner_pid:
            return False
        wait_ms = None
    while True:
        ended = poll.poll(wait_ms)
        # The child's pidfd can be ready a moment before its status is: that must not pass for the owner's end.
        if child.poll() is not None or any(ready == child_pidfd for ready, _ in ended):
            return True
        if ended or os.getppid() != owner_pid:
            return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
