"""Servers that tests start, and that end with the tests even if those are killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import streamer.broker.guardian

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ServerProcess:
    """One server process with a temporary folder, watched by the guardian that the broker has too.

    Args:
        name: What it is, for failures.
        command: Its command line; `{folder}` stands for its temporary folder.
        files: Files to put into that folder first, by name.
    """

    def __init__(self, name: str, command: Sequence[str], files: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._command = command
        self._files = files or {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._guardian: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """The temporary folder, there from the start until the stop."""
        assert self._folder is not None
        return Path(self._folder.name)

    def start(self) -> None:
        """Start it; return without waiting for it to answer."""
        self._folder = tempfile.TemporaryDirectory(prefix="streamer-test-", ignore_cleanup_errors=True)
        data = self.folder / "data"
        data.mkdir()
        for name, content in self._files.items():
            (data / name).write_text(content, encoding="utf-8")
        command = [word.replace("{folder}", str(data)) for word in self._command]
        guardian = [sys.executable, "-I", streamer.broker.guardian.__file__]
        tied = ["tied", str(os.getpid()), str(self.folder / "log"), str(self.folder), "--"]
        self._guardian = subprocess.Popen(
            [*guardian, *tied, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._guardian.stdout is not None
        assert self._guardian.stdout.readline().strip(), f"{self._name} did not start"

    def require_running(self) -> None:
        """Fail, quoting the log, if the process has ended."""
        assert self._guardian is not None
        if self._guardian.poll() is not None:
            log = (self.folder / "log").read_text(errors="replace")
            raise AssertionError(f"{self._name} ended; its log ends with:\n{log[-2000:]}")

    def stop(self) -> None:
        """Kill it and remove its folder. Stopping twice does no harm."""
        if self._guardian is not None:
            for pipe in (self._guardian.stdin, self._guardian.stdout):
                assert pipe is not None
                pipe.close()  # the guardian takes it for our end
            self._guardian.wait(timeout=30)
            self._guardian = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
