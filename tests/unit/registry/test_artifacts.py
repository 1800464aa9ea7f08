"""Storing artifacts, and fetching them through the cache."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from streamer.config import Settings
from streamer.config.settings import ArtifactSettings
from streamer.errors import ArtifactCorrupt, ArtifactUnavailable, ModelInvalid
from streamer.records.model_version import Artifact
from streamer.registry.artifacts import ArtifactCache, ArtifactStore, write_atomically
from streamer.registry.object_stores import ObjectStores

DATA = b"a model" * 1000


class CountingStores(ObjectStores):
    """Object stores in memory that count how often they are read."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        super().__init__(ArtifactSettings(), self.memory)
        self.reads = 0

    def read(self, uri: object, max_bytes: int) -> bytes:
        self.reads += 1
        return super().read(uri, max_bytes)  # type: ignore[arg-type]


def settings(folder: Path, store: str | None = "memory:///models", max_bytes: int = 10**6) -> Settings:
    return Settings(cache_dir=folder, artifacts=ArtifactSettings(store=store, max_bytes=max_bytes))


def cached_file(folder: Path, artifact: Artifact) -> Path:
    return folder / "artifacts" / artifact.sha256[:2] / artifact.sha256


@pytest.mark.parametrize("store", ["memory:///models", None])
def test_what_is_stored_is_fetched_back_and_named_by_its_hash(store: str | None, tmp_path: Path) -> None:
    stores = CountingStores()
    artifact = ArtifactStore(settings(tmp_path, store), stores).put(DATA, suffix=".onnx")
    assert artifact.sha256 == hashlib.sha256(DATA).hexdigest()
    assert artifact.uri.endswith(f"{artifact.sha256}.onnx")
    assert ArtifactCache(settings(tmp_path, store), stores).fetch(artifact) == DATA
    assert ArtifactStore(settings(tmp_path, store), stores).put(DATA, suffix=".onnx") == artifact


def test_an_artifact_is_fetched_once(tmp_path: Path) -> None:
    stores = CountingStores()
    artifact = ArtifactStore(settings(tmp_path), stores).put(DATA)
    for _ in range(3):
        assert ArtifactCache(settings(tmp_path), stores).fetch(artifact) == DATA
    assert stores.reads == 1


@pytest.mark.parametrize("damage", [b"", DATA[:-1], DATA + b"x", b"b" + DATA[1:]])
def test_a_changed_file_in_the_cache_is_fetched_again(damage: bytes, tmp_path: Path) -> None:
    stores = CountingStores()
    cache = ArtifactCache(settings(tmp_path), stores)
    artifact = ArtifactStore(settings(tmp_path), stores).put(DATA)
    cache.fetch(artifact)
    cached_file(tmp_path, artifact).write_bytes(damage)
    assert cache.fetch(artifact) == DATA
    assert cached_file(tmp_path, artifact).read_bytes() == DATA
    assert stores.reads == 2


@pytest.mark.parametrize("changed", [b"", DATA[:-1], DATA + b"x", b"b" + DATA[1:]])
def test_an_object_that_is_not_what_was_registered_is_corrupt_and_not_cached(changed: bytes, tmp_path: Path) -> None:
    stores = CountingStores()
    artifact = ArtifactStore(settings(tmp_path), stores).put(DATA)
    obstore.put(stores.memory, artifact.uri.removeprefix("memory:///"), changed)
    with pytest.raises(ArtifactCorrupt):
        ArtifactCache(settings(tmp_path), stores).fetch(artifact)
    assert not cached_file(tmp_path, artifact).exists()


def test_a_missing_object_or_file_is_unavailable(tmp_path: Path) -> None:
    for uri in ("memory:///models/none", (tmp_path / "none").as_uri()):
        with pytest.raises(ArtifactUnavailable):
            ArtifactCache(settings(tmp_path), CountingStores()).fetch(
                Artifact(uri=uri, sha256="0" * 64, size_bytes=len(DATA))
            )


def test_an_artifact_over_the_limit_is_refused_on_both_ways(tmp_path: Path) -> None:
    small = settings(tmp_path, max_bytes=10)
    with pytest.raises(ModelInvalid, match="more than the 10 allowed"):
        ArtifactStore(small, CountingStores()).put(DATA)
    with pytest.raises(ModelInvalid, match="more than the 10 allowed"):
        ArtifactCache(small, CountingStores()).fetch(Artifact(uri="memory:///a", sha256="0" * 64, size_bytes=11))


def test_no_more_is_read_than_was_registered(tmp_path: Path) -> None:
    endless = Artifact(uri="file:///dev/zero", sha256="0" * 64, size_bytes=100)
    with pytest.raises(ModelInvalid, match="regular file"):
        ArtifactCache(settings(tmp_path), CountingStores()).fetch(endless)
    large = tmp_path / "large"
    large.write_bytes(b"x" * 5_000_000)
    with pytest.raises(ArtifactCorrupt):
        ArtifactCache(settings(tmp_path), CountingStores()).fetch(
            Artifact(uri=large.as_uri(), sha256="0" * 64, size_bytes=100)
        )


def test_links_pipes_and_folders_are_no_artifacts(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(DATA)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        artifact = Artifact(
            uri=(tmp_path / name).as_uri(), sha256=hashlib.sha256(DATA).hexdigest(), size_bytes=len(DATA)
        )
        with pytest.raises(ModelInvalid):
            ArtifactCache(settings(tmp_path), CountingStores()).fetch(artifact)


def test_a_hostile_uri_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    stores = CountingStores()
    for uri in ("file:///a/../../etc/passwd", "http://127.0.0.1/x", "memory:///../x"):
        with pytest.raises(ModelInvalid):
            ArtifactCache(settings(tmp_path), stores).fetch(Artifact(uri=uri, sha256="0" * 64, size_bytes=5))
    assert stores.reads == 0


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "a" / "b", DATA)
    assert list((tmp_path / "a").iterdir()) == []
