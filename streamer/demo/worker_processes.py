"""Worker processes that end with the demo, whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.broker import guardian
from streamer.broker.process_identity import ProcessIdentity
from streamer.errors import StreamerError

if TYPE_CHECKING:
    from collections.abc import Mapping

_STOP_SECONDS = 15.0
_LOG_LINES = 15


class WorkerProcess:
    """``streamer worker`` as a user starts it. A guardian kills it, and removes the folder, if the demo is killed.

    Args:
        endpoint: Which endpoint.
        slot: Which slot.
        environment: Variables over our own.
        folder: The demo's; the log goes there.

    Attributes:
        log: The file of its log.
    """

    def __init__(self, endpoint: str, slot: int, environment: Mapping[str, str], folder: Path) -> None:
        self.slot = slot
        self.log = folder / f"worker-{slot}.log"
        guarded = [sys.executable, "-I", guardian.__file__, "tied", str(os.getpid()), str(self.log), str(folder)]
        worker = [sys.executable, "-m", "streamer.cli.app", "worker", "--endpoint", endpoint, "--slot", str(slot)]
        self._guardian = subprocess.Popen(  # noqa: S603  the command line is our own
            [*guarded, "--", *worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C in the terminal is for the demo, which then stops its workers
            env={**os.environ, **environment},
        )
        assert self._guardian.stdout is not None
        self._identity = ProcessIdentity.of(int(self._guardian.stdout.readline()))

    def raise_if_ended(self) -> None:
        """Says so, with the end of its log, if it is gone.

        Raises:
            StreamerError: It is.
        """
        if self._guardian.poll() is not None:
            raise StreamerError(f"worker {self.slot} has ended; its log says:\n{self.end_of_log()}")

    def end_of_log(self) -> str:
        """Its last lines."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:])

    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._identity is not None and self._identity.is_alive()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that takes too long. Stopping twice does no harm."""
        if self._identity is not None:
            self._identity.send_signal(signal.SIGTERM)
        try:
            self._guardian.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            if self._identity is not None:
                self._identity.send_signal(signal.SIGKILL)
        for pipe in (self._guardian.stdin, self._guardian.stdout):
            assert pipe is not None
            pipe.close()
        self._guardian.wait()
