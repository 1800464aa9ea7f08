"""What is going on, on the terminal."""

from __future__ import annotations

import time

from rich.console import Console
from rich.status import Status


class Progress:
    """One line that says what runs now; results stay above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._status: Status | None = None

    def __enter__(self) -> Progress:
        self._status = self._console.status("starting")
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def step(self, what: str) -> None:
        """Shows what runs now."""
        if self._status is not None:
            self._status.update(f"[{time.monotonic() - self._started:4.0f} s] {what}")

    def say(self, what: str) -> None:
        """Prints a line that stays."""
        self._console.print(f"[dim]{time.monotonic() - self._started:5.0f} s[/dim]  {what}", highlight=False)
