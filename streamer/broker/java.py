"""Finding a Java that is new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from streamer.errors import BrokerFailed

MINIMUM_JAVA_VERSION = 17
_ANSWER_SECONDS = 60
_ADVICE = (
    f"Install a Java runtime, version {MINIMUM_JAVA_VERSION} or newer (Debian and Ubuntu: "
    "apt-get install openjdk-17-jre-headless; macOS: brew install openjdk), or set JAVA_HOME to one"
)


def find_java() -> Path:
    """Return the `java` command of `JAVA_HOME`, or else of `PATH`.

    Raises:
        BrokerFailed: There is none, or it is older than version 17.
    """
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if found is None:
        raise BrokerFailed("Java is missing: there is no `java` command on the PATH", advice=_ADVICE)
    try:
        answer = subprocess.run(  # noqa: S603  the command is the user's own Java
            [found, "-version"], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BrokerFailed("Java does not run", where=found, advice=_ADVICE) from error
    version = java_version(answer.stderr + answer.stdout)
    if version < MINIMUM_JAVA_VERSION:
        raise BrokerFailed(f"this is Java {version}: too old", where=found, advice=_ADVICE)
    return Path(found)


def java_version(text: str) -> int:
    """Read the feature version out of what `java -version` prints.

    >>> java_version('openjdk version "17.0.15" 2025-04-15')
    17
    >>> java_version('java version "1.8.0_292"')
    8

    Returns:
        The version, or 0 when the text names none.
    """
    match = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(match.group(1)) if match else 0
