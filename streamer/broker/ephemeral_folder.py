"""Temporary folders that are removed even if their owner could not do it."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO

_PREFIX = "streamer-broker-"
_LOCK_NAME = "owner.lock"
_YOUNG_SECONDS = 60.0


class EphemeralFolder:
    """A temporary folder, with a lock inside that is held while its owner lives.

    The guardians of a broker remove the folder when the owner ends. Should they be killed too, the next owner
    of such a folder finds the lock free and removes it.

    Attributes:
        path: The folder.
    """

    def __init__(self) -> None:
        _remove_ownerless(Path(tempfile.gettempdir()))
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock: IO[str] = (self.path / _LOCK_NAME).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_ownerless(parent: Path) -> None:
    oldest_young = time.time() - _YOUNG_SECONDS
    for lock_path in parent.glob(f"{_PREFIX}*/{_LOCK_NAME}"):
        try:
            with lock_path.open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A young folder may belong to an owner who is about to take the lock.
                if lock_path.stat().st_mtime < oldest_young:
                    shutil.rmtree(lock_path.parent, ignore_errors=True)
        except OSError:  # its owner lives, or it was removed meanwhile, or it is somebody else's
            continue
