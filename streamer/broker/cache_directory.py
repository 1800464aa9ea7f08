"""Where downloads, data and logs of the development broker live."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

CACHE_DIRECTORY_VARIABLE = "STREAMER_CACHE_DIR"


def cache_directory() -> Path:
    """Return the folder for everything that can be fetched or made again.

    It is the user's cache folder (`~/.cache/streamer` on Linux) unless the environment variable
    `STREAMER_CACHE_DIR` names another. The folder need not exist yet.
    """
    override = os.environ.get(CACHE_DIRECTORY_VARIABLE)
    if override:
        return Path(override).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("streamer"))
