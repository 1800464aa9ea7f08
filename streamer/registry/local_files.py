"""Reading a local file that a URI from the log names: a regular file, not a link, not a device, not too large."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from streamer.errors import ArtifactUnavailable, ModelInvalid

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK_BYTES = 1 << 20


def read_file(path: Path, max_bytes: int) -> bytes:
    """The first `max_bytes` bytes of a regular file.

    Raises:
        ArtifactUnavailable: It does not exist or cannot be read.
        ModelInvalid: It is a symbolic link or not a regular file.
    """
    try:
        # Without O_NONBLOCK opening a named pipe waits for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise ModelInvalid("an artifact must not be a symbolic link", where=str(path)) from error
        raise ArtifactUnavailable(
            f"the file cannot be read: {error.strerror}",
            where=str(path),
            advice="A file: artifact must lie at the same path on every machine that runs a worker. For more than "
            "one machine set STREAMER_ARTIFACTS__STORE to an object store.",
        ) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ModelInvalid("an artifact must be a regular file", where=str(path))
    with os.fdopen(handle, "rb", buffering=0) as file:
        chunks = []
        left = max_bytes
        while left > 0 and (chunk := file.read(min(left, _CHUNK_BYTES))):
            chunks.append(chunk)
            left -= len(chunk)
        return b"".join(chunks)
