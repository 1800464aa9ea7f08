"""The S3 server itself: it stores, and it refuses whom it should refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import obstore
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tests.support.seaweedfs import SeaweedFS

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[SeaweedFS]:
    with SeaweedFS() as server:
        yield server


def test_objects_are_stored_for_those_who_may_and_refused_to_others(server: SeaweedFS, unique: str) -> None:
    bucket = server.make_bucket(unique)
    owner = S3Store(bucket, config=server.store_options(), retry_config={"max_retries": 0})
    obstore.put(owner, "model.onnx", b"bytes")
    assert bytes(obstore.get(owner, "model.onnx").bytes()) == b"bytes"

    reader_keys = {
        "aws_access_key_id": server.reader_access_key,
        "aws_secret_access_key": server.reader_secret_key,
    }
    reader = S3Store(bucket, config=server.store_options() | reader_keys, retry_config={"max_retries": 0})
    assert bytes(obstore.get(reader, "model.onnx").bytes()) == b"bytes"
    with pytest.raises(BaseError):
        obstore.put(reader, "other.onnx", b"bytes")

    wrong = {"aws_secret_access_key": "wrong"}
    stranger = S3Store(bucket, config=server.store_options() | wrong, retry_config={"max_retries": 0})
    with pytest.raises(BaseError):
        obstore.get(stranger, "model.onnx")
