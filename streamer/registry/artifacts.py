"""The bytes of artifacts: stored once under their sha256, fetched once, verified every time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.errors import ArtifactCorrupt, ModelInvalid
from streamer.records.model_version import Artifact
from streamer.registry.artifact_uri import ArtifactUri, file_uri, parse_uri
from streamer.registry.local_files import read_file
from streamer.registry.object_stores import ObjectStores

if TYPE_CHECKING:
    from streamer.config import Settings


class ArtifactCache:
    """Delivers artifacts, each fetched once per machine.

    Files lie under the cache folder by their sha256. A file there that no longer has it is fetched again.

    Args:
        settings: Where the cache is, how to reach object stores, and how large an artifact may be.
        stores: The object stores; given in tests.
    """

    def __init__(self, settings: Settings, stores: ObjectStores | None = None) -> None:
        self._folder = settings.cache_dir / "artifacts"
        self._max_bytes = settings.artifacts.max_bytes
        self._stores = stores or ObjectStores(settings.artifacts)

    def fetch(self, artifact: Artifact) -> bytes:
        """The bytes of an artifact, which have its size and sha256.

        Raises:
            ArtifactUnavailable: The store does not answer, refuses, or has no such object.
            ArtifactCorrupt: What the store has is not what was registered.
            ModelInvalid: The URI is refused, or the artifact is larger than allowed.
        """
        if artifact.size_bytes > self._max_bytes:
            raise ModelInvalid(
                f"the artifact has {artifact.size_bytes} bytes, more than the {self._max_bytes} allowed",
                where=artifact.uri,
                advice="Raise STREAMER_ARTIFACTS__MAX_BYTES if that is meant.",
            )
        place = self._folder / artifact.sha256[:2] / artifact.sha256
        cached = self._cached(place, artifact)
        if cached is not None:
            return cached
        uri = parse_uri(artifact.uri)
        data = self._read(uri, artifact.size_bytes)
        _verify(data, artifact)
        write_atomically(place, data)
        return data

    def _cached(self, place: Path, artifact: Artifact) -> bytes | None:
        try:
            data = place.read_bytes()
        except OSError:
            return None
        return data if _matches(data, artifact) else None

    def _read(self, uri: ArtifactUri, size_bytes: int) -> bytes:
        """At most one byte more than expected: enough to see that it is too large."""
        if uri.scheme == "file":
            return read_file(Path(uri.path), size_bytes + 1)
        return self._stores.read(uri, size_bytes + 1)


class ArtifactStore:
    """Stores new artifacts under their sha256, so that storing twice changes nothing.

    Args:
        settings: `artifacts.store` says where: a URI, or None for a folder beside the cache, which only this
            machine can read.
        stores: The object stores; given in tests.
    """

    def __init__(self, settings: Settings, stores: ObjectStores | None = None) -> None:
        self._base = settings.artifacts.store or file_uri(settings.cache_dir / "artifact-store")
        self._max_bytes = settings.artifacts.max_bytes
        self._stores = stores or ObjectStores(settings.artifacts)

    def put(self, data: bytes, *, suffix: str = "") -> Artifact:
        """Stores bytes.

        Args:
            data: The artifact.
            suffix: Ends the object's name, e.g. ``.onnx``, for people who look at the store.

        Raises:
            ModelInvalid: It is larger than allowed, or the store's URI is refused.
            ArtifactUnavailable: The store did not take it.
        """
        if len(data) > self._max_bytes:
            raise ModelInvalid(
                f"the artifact has {len(data)} bytes, more than the {self._max_bytes} allowed",
                advice="Raise STREAMER_ARTIFACTS__MAX_BYTES if that is meant.",
            )
        sha256 = hashlib.sha256(data).hexdigest()
        uri = parse_uri(f"{self._base.rstrip('/')}/{sha256[:2]}/{sha256}{suffix}")
        if uri.scheme == "file":
            place = Path(uri.path)
            if not (place.is_file() and place.stat().st_size == len(data)):
                write_atomically(place, data)
        else:
            self._stores.write(uri, data)
        return Artifact(uri=str(uri), sha256=sha256, size_bytes=len(data))


def write_atomically(place: Path, data: bytes) -> None:
    """Makes the file appear whole or not at all, and last: a temporary file, fsync, rename, fsync of the folder."""
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _matches(data: bytes, artifact: Artifact) -> bool:
    return len(data) == artifact.size_bytes and hashlib.sha256(data).hexdigest() == artifact.sha256


def _verify(data: bytes, artifact: Artifact) -> None:
    if not _matches(data, artifact):
        raise ArtifactCorrupt(
            "the stored artifact is not the one that was registered: its size or sha256 differs",
            where=artifact.uri,
            advice="Restore the object, or register the model again as a new version.",
        )
