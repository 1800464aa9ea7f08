"""URIs of artifacts."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.errors import ModelInvalid
from streamer.registry.artifact_uri import file_uri, parse_uri


@pytest.mark.parametrize(
    ("text", "scheme", "host", "path"),
    [
        ("file:///models/a.onnx", "file", "", "/models/a.onnx"),
        ("file:///with%20space/a", "file", "", "/with space/a"),
        ("s3://bucket/prod/a", "s3", "bucket", "prod/a"),
        ("gs://bucket/a", "gs", "bucket", "a"),
        ("az://container/a", "az", "container", "a"),
        ("memory:///a/b", "memory", "", "a/b"),
    ],
)
def test_a_uri_is_taken_apart(text: str, scheme: str, host: str, path: str) -> None:
    uri = parse_uri(text)
    assert (uri.scheme, uri.host, uri.path) == (scheme, host, path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/etc/passwd",
        "a.onnx",
        "http://169.254.169.254/latest/meta-data",
        "ftp://host/a",
        "file://host/a",
        "file:///",
        "file:///a/",
        "file:///models/../etc/passwd",
        "file:///models/%2e%2e/etc/passwd",
        "file:///models/%2E./x",
        "file:///models/..%2fx",
        "file:///a%00b",
        "file:///a\\..\\b",
        "s3://bucket",
        "s3:///key",
        "s3://bucket/../other/key",
        "s3://bucket/a/%2e%2e/b",
        "s3://bucket//a",
        "s3://key:secret@bucket/a",
        "s3://bucket/a?X-Amz-Signature=1",
        "s3://bucket/a#b",
        "s3://[::1/a",
    ],
)
def test_a_hostile_or_incomplete_uri_is_refused(text: str) -> None:
    with pytest.raises(ModelInvalid, match="is not the URI of an artifact"):
        parse_uri(text)


def test_the_uri_of_a_file_leads_back_to_it(tmp_path: Path) -> None:
    odd = tmp_path / "a b%20ü"
    assert Path(parse_uri(file_uri(odd)).path) == odd
    assert str(parse_uri("s3://bucket/prod/a")) == "s3://bucket/prod/a"
