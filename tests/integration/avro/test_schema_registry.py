"""The registry client against a real registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from streamer.avro.schema_registry import SchemaRegistry
from streamer.config.settings import RegistrySettings
from streamer.errors import (
    SchemaError,
    SchemaIncompatible,
    SchemaNotFound,
    SchemaRegistryRefused,
    SchemaRegistryUnavailable,
)
from tests.support.apicurio import Apicurio

if TYPE_CHECKING:
    from collections.abc import Iterator


def flight(*fields: dict[str, object]) -> str:
    return json.dumps({"type": "record", "name": "Flight", "fields": list(fields)})


FIRST = flight({"name": "distance", "type": "double"})
SECOND = flight({"name": "distance", "type": "double"}, {"name": "hour", "type": ["null", "int"], "default": None})
INCOMPATIBLE = flight({"name": "carrier", "type": "string"})


@pytest.fixture(scope="module")
def apicurio() -> Iterator[Apicurio]:
    with Apicurio() as server:
        yield server


@pytest.fixture
def registry(apicurio: Apicurio) -> Iterator[SchemaRegistry]:
    with SchemaRegistry(RegistrySettings(url=apicurio.url)) as registry:
        yield registry


def test_registered_schemas_are_found_by_id_subject_and_version(registry: SchemaRegistry, unique: str) -> None:
    first = registry.register(unique, FIRST)
    second = registry.register(unique, SECOND)
    assert first != second
    assert registry.register(unique, FIRST) == first
    assert json.loads(registry.schema_by_id(first)) == json.loads(FIRST)
    assert (registry.version(unique).schema_id, registry.version(unique).version) == (second, 2)
    assert (registry.version(unique, 1).schema_id, registry.version(unique, 1).version) == (first, 1)
    assert registry.find(unique, SECOND).version == 2
    assert unique in registry.subjects()


def test_a_subject_may_have_any_name(registry: SchemaRegistry, unique: str) -> None:
    subject = f"{unique}/with space & ünicode"
    assert registry.register(subject, FIRST) == registry.find(subject, FIRST).schema_id
    assert subject in registry.subjects()


def test_an_incompatible_schema_is_refused(registry: SchemaRegistry, unique: str) -> None:
    registry.register(unique, FIRST)
    assert registry.compatibility(unique, SECOND).compatible
    assert not registry.compatibility(unique, INCOMPATIBLE).compatible
    assert registry.compatibility(f"{unique}-new", INCOMPATIBLE).compatible
    with pytest.raises(SchemaIncompatible, match="not compatible"):
        registry.register(unique, INCOMPATIBLE)


def test_what_the_registry_does_not_have_is_not_found(registry: SchemaRegistry, unique: str) -> None:
    with pytest.raises(SchemaNotFound):
        registry.schema_by_id(2**31 - 1)
    with pytest.raises(SchemaNotFound):
        registry.schema_by_guid(uuid4())
    with pytest.raises(SchemaNotFound):
        registry.version(unique)
    registry.register(unique, FIRST)
    with pytest.raises(SchemaNotFound):
        registry.version(unique, 9)


def test_an_invalid_schema_is_refused(registry: SchemaRegistry, unique: str) -> None:
    with pytest.raises(SchemaRegistryRefused, match="finds the request invalid"):
        registry.register(unique, '{"type": "reco')


def test_a_schema_with_references_is_refused(apicurio: Apicurio, registry: SchemaRegistry, unique: str) -> None:
    registry.register(unique, FIRST)
    schema_id = apicurio.register_with_reference(f"{unique}-outer", unique, "Flight")
    with pytest.raises(SchemaError, match="refers to other schemas"):
        registry.schema_by_id(schema_id)


def test_a_wrong_path_is_not_taken_for_an_unknown_schema(apicurio: Apicurio) -> None:
    wrong = RegistrySettings(url=f"{apicurio.url}/wrong")
    with SchemaRegistry(wrong) as registry, pytest.raises(SchemaRegistryRefused, match="apis/ccompat/v7"):
        registry.schema_by_id(1)


def test_an_outage_does_not_stop_work_on_known_ids(unique: str) -> None:
    with Apicurio() as server, SchemaRegistry(RegistrySettings(url=server.url, timeout_seconds=0.5)) as registry:
        known = registry.register(unique, FIRST)
        schema = registry.schema_by_id(known)
        server.stop()
        assert registry.schema_by_id(known) == schema
        with pytest.raises(SchemaRegistryUnavailable, match="cannot be reached"):
            registry.schema_by_id(known + 1)


def test_a_second_registry_takes_over(apicurio: Apicurio, unique: str) -> None:
    nobody = "http://127.0.0.1:9"
    with SchemaRegistry(RegistrySettings(url=f"{nobody},{apicurio.url}")) as registry:
        assert registry.schema_by_id(registry.register(unique, FIRST))
