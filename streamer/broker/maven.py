"""Fetching pinned Java software from Maven Central, once, into a cache folder."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from streamer.broker.file_lock import file_lock
from streamer.errors import BrokerFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

# Pinned, because Maven's own default differs from one Maven version to the next.
_COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
# The last version whose `copy` does not read the artifact's POM: some POMs name a parent that is not published.
_COPY_ALONE = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy"
_FETCH_SECONDS = 900
_QUOTED_LINES = 12


@dataclass(frozen=True)
class MavenArtifact:
    """One artifact of Maven Central, with its exact version.

    Attributes:
        group: The group id.
        name: The artifact id.
        version: The exact version.
        kind: The file type, `jar` unless told otherwise.
        classifier: The classifier, if the artifact has one.
        with_dependencies: Whether to bring what the artifact depends on.
    """

    group: str
    name: str
    version: str
    kind: str = "jar"
    classifier: str = ""
    with_dependencies: bool = True

    def __str__(self) -> str:
        coordinates = [self.group, self.name, self.version]
        if self.classifier or self.kind != "jar":
            coordinates.append(self.kind)
        if self.classifier:
            coordinates.append(self.classifier)
        return ":".join(coordinates)


def fetch_artifacts(name: str, artifacts: Sequence[MavenArtifact], cache: Path) -> Path:
    """Return a folder that holds the artifacts and what they depend on; fetch them if it is not there.

    A folder that is there is complete: it is filled under another name and then renamed, and a file lock lets
    one process fetch while others wait for it. Nothing is run and no network is used when it is there.

    Args:
        name: The first part of the folder's name, for people. The rest is a hash of the artifacts.
        artifacts: What to fetch.
        cache: The folder to keep the result in.

    Raises:
        BrokerFailed: Maven is missing or did not deliver.
    """
    identity = "\n".join(f"{artifact} {artifact.with_dependencies}" for artifact in artifacts)
    folder = cache / "maven" / f"{name}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerFailed(
            f"Maven is missing: there is no `mvn` command on the PATH to fetch {artifacts[0]} with",
            advice="Install it (Debian and Ubuntu: apt-get install maven; macOS: brew install maven). It is "
            "needed once: what it fetches is kept in the cache folder",
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as scratch:
                    _copy(maven, artifacts, Path(scratch))
                    (Path(scratch) / "files").rename(folder)
    except OSError as error:
        raise BrokerFailed(
            f"the cache folder cannot be written: {error}",
            where=str(cache),
            advice="Set STREAMER_CACHE_DIR to a folder that you may write",
        ) from error
    return folder


def class_path(folder: Path) -> str:
    """Return the class path with every jar in a folder, for `java -cp`."""
    return str(folder / "*")


def _copy(maven: str, artifacts: Sequence[MavenArtifact], scratch: Path) -> None:
    files = scratch / "files"
    output = f"-DoutputDirectory={files}"
    whole = [artifact for artifact in artifacts if artifact.with_dependencies]
    if whole:
        pom = scratch / "pom.xml"
        pom.write_text(_pom(whole), encoding="utf-8")
        _run([maven, "-q", "-B", "-f", str(pom), _COPY_DEPENDENCIES, output], scratch, whole[0])
    for artifact in artifacts:
        if not artifact.with_dependencies:
            _run([maven, "-q", "-B", _COPY_ALONE, f"-Dartifact={artifact}", output], scratch, artifact)
    for artifact in artifacts:
        if not list(files.glob(f"{artifact.name}-*")):
            raise BrokerFailed(f"Maven said nothing and did not fetch {artifact}")


def _run(command: Sequence[str], folder: Path, artifact: MavenArtifact) -> None:
    try:
        run = subprocess.run(  # noqa: S603  a fixed command line
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BrokerFailed(
            f"Maven did not fetch {artifact} within {_FETCH_SECONDS} s",
            advice="Check the network, then try again",
        ) from error
    if run.returncode != 0:
        quoted = "\n".join(run.stdout.strip().splitlines()[-_QUOTED_LINES:])
        raise BrokerFailed(
            f"Maven could not fetch {artifact}; it said:\n{quoted}\n",
            advice="Check that Maven reaches Maven Central (proxies and mirrors are set in "
            "~/.m2/settings.xml), then try again",
        )


def _pom(artifacts: Sequence[MavenArtifact]) -> str:
    dependencies = "\n".join(_dependency(artifact) for artifact in artifacts)
    return f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>streamer</groupId><artifactId>fetch</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""


def _dependency(artifact: MavenArtifact) -> str:
    fields = [
        ("groupId", artifact.group),
        ("artifactId", artifact.name),
        ("version", artifact.version),
        ("type", artifact.kind),
        ("classifier", artifact.classifier),
    ]
    text = "".join(f"<{tag}>{escape(value)}</{tag}>" for tag, value in fields if value)
    if not artifact.with_dependencies:
        text += "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    return f"    <dependency>{text}</dependency>"
