"""A real Schema Registry: Apicurio, on this machine, in memory."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from streamer.broker import MavenArtifact, cache_directory, fetch_artifacts, find_java, free_ports
from tests.support.await_condition import await_until
from tests.support.server_process import ServerProcess

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

VERSION = "3.0.9"  # the newest for Java 17
_DISTRIBUTION = MavenArtifact("io.apicurio", "apicurio-registry-app", VERSION, "tar.gz", "all", with_dependencies=False)
_READY_SECONDS = 120


class Apicurio:
    """A registry that speaks Confluent's API, started empty and stopped with its context.

    Attributes:
        url: The base URL of the API.
    """

    def __init__(self, port: int | None = None) -> None:
        self._port = port or free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self._port}/apis/ccompat/v7"
        command = [
            str(find_java()), "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={self._port}",
            "-jar", str(_unpacked() / f"apicurio-registry-app-{VERSION}-runner.jar"),
        ]  # fmt: skip
        self._process = ServerProcess("Apicurio", command)

    def __enter__(self) -> Self:
        self._process.start()
        await_until(self._answers, _READY_SECONDS, "Apicurio to answer")
        self.set_compatibility("BACKWARD")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server, as an outage does: the schemas are gone too."""
        self._process.stop()

    def set_compatibility(self, level: str) -> None:
        """Set the level for all subjects. Apicurio's own default is NONE, Confluent's BACKWARD."""
        httpx.put(f"{self.url}/config", json={"compatibility": level}, trust_env=False).raise_for_status()

    def register_with_reference(self, subject: str, other: str, name: str) -> int:
        """Register a record with a field of a type that another subject holds; return the schema's id."""
        schema = f'{{"type": "record", "name": "Outer", "fields": [{{"name": "inner", "type": "{name}"}}]}}'
        references = [{"name": name, "subject": other, "version": 1}]
        answer = httpx.post(
            f"{self.url}/subjects/{subject}/versions",
            json={"schema": schema, "references": references},
            trust_env=False,
        )
        return int(answer.raise_for_status().json()["id"])

    def _answers(self) -> bool:
        self._process.require_running()
        try:
            return httpx.get(f"{self.url}/subjects", timeout=5, trust_env=False).is_success
        except httpx.TransportError:
            return False


def _unpacked() -> Path:
    """Return the folder of the unpacked distribution; it is unpacked aside and then renamed."""
    archive_folder = fetch_artifacts(f"apicurio-{VERSION}", [_DISTRIBUTION], cache_directory())
    folder = archive_folder.with_name(archive_folder.name + "-unpacked")
    if not folder.is_dir():
        (archive,) = archive_folder.glob("*.tar.gz")
        with tempfile.TemporaryDirectory(dir=archive_folder.parent) as scratch, tarfile.open(archive) as tar:
            tar.extractall(Path(scratch) / "files", filter="data")
            try:
                (Path(scratch) / "files").rename(folder)
            except OSError:  # another process was first
                assert folder.is_dir()
    return folder
