"""The registry client over real TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from streamer.avro.schema_registry import SchemaRegistry
from streamer.config.settings import RegistrySettings
from streamer.errors import SchemaRegistryRefused
from tests.support.tls_server import TlsServer

if TYPE_CHECKING:
    from pathlib import Path

ANSWER = {"schema": '"string"'}


def registry(server: TlsServer, **settings: Any) -> SchemaRegistry:
    return SchemaRegistry(RegistrySettings(url=server.url, **settings))


def test_a_certificate_of_the_given_authority_is_trusted(tmp_path: Path) -> None:
    with (
        TlsServer(tmp_path, ANSWER, demands_client_certificate=False) as server,
        registry(server, ca_file=server.ca_file, bearer_token=SecretStr("token")) as client,
    ):
        assert client.schema_by_id(1) == '"string"'
        assert server.authorizations == ["Bearer token"]


def test_a_certificate_of_another_authority_is_refused_at_once_and_sent_no_secret(tmp_path: Path) -> None:
    with (
        TlsServer(tmp_path, ANSWER, demands_client_certificate=False) as server,
        registry(server, bearer_token=SecretStr("token")) as client,
        pytest.raises(SchemaRegistryRefused, match=r"certificate is not trusted.*Set ca_file"),
    ):
        client.schema_by_id(1)
    assert server.authorizations == []


def test_a_client_certificate_admits_us(tmp_path: Path) -> None:
    with (
        TlsServer(tmp_path, ANSWER, demands_client_certificate=True) as server,
        registry(
            server,
            ca_file=server.ca_file,
            certificate_file=server.client_certificate_file,
            key_file=server.client_key_file,
        ) as client,
    ):
        assert client.schema_by_id(1) == '"string"'


def test_without_the_client_certificate_that_is_demanded_we_are_refused_at_once(tmp_path: Path) -> None:
    with (
        TlsServer(tmp_path, ANSWER, demands_client_certificate=True) as server,
        registry(server, ca_file=server.ca_file) as client,
        pytest.raises(SchemaRegistryRefused, match=r"demands a client certificate.*certificate_file"),
    ):
        client.schema_by_id(1)
