"""Artifacts on a real S3 server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streamer.config import Settings
from streamer.config.settings import ArtifactSettings
from streamer.errors import ArtifactCorrupt, ArtifactUnavailable, ConfigurationError
from streamer.registry.artifacts import ArtifactCache, ArtifactStore
from tests.support.seaweedfs import SeaweedFS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.real

DATA = bytes(range(256)) * 40_000  # 10 MB: several chunks


@pytest.fixture(scope="module")
def server() -> Iterator[SeaweedFS]:
    with SeaweedFS() as started:
        yield started


@pytest.fixture(scope="module")
def only_bucket(server: SeaweedFS) -> str:
    return server.make_bucket("models")


@pytest.fixture
def bucket(only_bucket: str, unique: str) -> str:
    """A folder of its own in the bucket: the server sets volumes aside for every bucket."""
    return f"{only_bucket}/{unique}"


def settings(server: SeaweedFS, bucket: str, folder: Path, **options: str) -> Settings:
    return Settings(
        cache_dir=folder,
        artifacts=ArtifactSettings.model_validate(
            {"store": f"s3://{bucket}/prod", "store_options": server.store_options() | options}
        ),
    )


def place_of(uri: str) -> dict[str, str]:
    """Bucket and key, as boto3 takes them."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


def test_an_artifact_is_stored_once_and_fetched_by_another_machine(
    server: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    here, there = settings(server, bucket, tmp_path / "here"), settings(server, bucket, tmp_path / "there")
    artifact = ArtifactStore(here).put(DATA, suffix=".onnx")
    assert artifact.uri.startswith(f"s3://{bucket}/prod/")
    assert ArtifactStore(there).put(DATA, suffix=".onnx") == artifact
    name, _, prefix = bucket.partition("/")
    assert len(server.client().list_objects_v2(Bucket=name, Prefix=prefix)["Contents"]) == 1
    cache = ArtifactCache(there)
    assert cache.fetch(artifact) == DATA
    server.client().delete_object(**place_of(artifact.uri))
    assert cache.fetch(artifact) == DATA, "from the cache"


def test_a_missing_object_is_unavailable(server: SeaweedFS, bucket: str, tmp_path: Path) -> None:
    artifact = ArtifactStore(settings(server, bucket, tmp_path)).put(DATA)
    server.client().delete_object(**place_of(artifact.uri))
    with pytest.raises(ArtifactUnavailable, match="no such object"):
        ArtifactCache(settings(server, bucket, tmp_path)).fetch(artifact)


@pytest.mark.parametrize("changed", [DATA[:-1], DATA + b"x", b"x" + DATA[1:], b""])
def test_a_changed_object_is_corrupt(server: SeaweedFS, bucket: str, tmp_path: Path, changed: bytes) -> None:
    artifact = ArtifactStore(settings(server, bucket, tmp_path)).put(DATA)
    server.client().put_object(**place_of(artifact.uri), Body=changed)
    with pytest.raises(ArtifactCorrupt):
        ArtifactCache(settings(server, bucket, tmp_path)).fetch(artifact)


def test_wrong_keys_are_refused_with_advice_and_without_showing_them(
    server: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    artifact = ArtifactStore(settings(server, bucket, tmp_path)).put(DATA)
    wrong = settings(server, bucket, tmp_path, aws_secret_access_key="wr0ng-s3cret")
    with pytest.raises(ArtifactUnavailable, match="refused access") as caught:
        ArtifactCache(wrong).fetch(artifact)
    assert "STORE_OPTIONS" in str(caught.value)
    assert "wr0ng-s3cret" not in str(caught.value) + repr(wrong)


def test_a_user_who_may_only_read_can_fetch_and_not_store(server: SeaweedFS, bucket: str, tmp_path: Path) -> None:
    artifact = ArtifactStore(settings(server, bucket, tmp_path)).put(DATA)
    reader = settings(
        server,
        bucket,
        tmp_path,
        aws_access_key_id=server.reader_access_key,
        aws_secret_access_key=server.reader_secret_key,
    )
    assert ArtifactCache(reader).fetch(artifact) == DATA
    with pytest.raises(ArtifactUnavailable, match="refused access"):
        ArtifactStore(reader).put(b"another")


def test_a_server_that_does_not_answer_is_unavailable_within_the_deadline(
    server: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    artifact = ArtifactStore(settings(server, bucket, tmp_path)).put(DATA)
    nowhere = settings(server, bucket, tmp_path, aws_endpoint="http://127.0.0.1:9")
    with pytest.raises(ArtifactUnavailable):
        ArtifactCache(nowhere).fetch(artifact)


def test_an_option_that_does_not_exist_is_a_configuration_error(server: SeaweedFS, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        ArtifactStore(settings(server, bucket, tmp_path, no_such_option="1")).put(DATA)
