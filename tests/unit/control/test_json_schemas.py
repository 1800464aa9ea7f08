"""The published JSON Schemas are those of the code, and say what the code says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from streamer.control.json_schemas import json_schemas, write
from tests.unit.routing.documents_for_tests import endpoint, model_version, routing

SCHEMAS = Path(__file__).parents[3] / "schemas"


@pytest.mark.parametrize(("name", "text"), list(json_schemas()))
def test_the_files_are_in_step_with_the_code(name: str, text: str) -> None:
    found = (SCHEMAS / name).read_text(encoding="utf-8")
    assert found == text, "run `python -m streamer.control.json_schemas` and commit what it writes"


def validator(kind: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{kind}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("endpoint", endpoint()),
        ("routing", routing()),
        ("model", model_version(1)),
        ("routing", routing(serve=[{"variant": "a", "model": {"tag": "production"}, "weight": 1}])),
    ],
)
def test_sound_documents_pass(kind: str, document: dict[str, Any]) -> None:
    assert list(validator(kind).iter_errors(document)) == []


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("endpoint", {**endpoint(), "unknown": 1}),
        ("routing", {**routing(), "serve": []}),
        ("routing", {key: value for key, value in routing().items() if key != "reason"}),
        ("routing", {key: value for key, value in routing().items() if key != "kind"}),
        ("model", {**model_version(1), "version": 0}),
    ],
)
def test_unsound_documents_do_not(kind: str, document: dict[str, Any]) -> None:
    assert list(validator(kind).iter_errors(document))


def test_the_generator_writes_all_of_them(tmp_path: Path) -> None:
    assert {path.name for path in write(tmp_path / "new")} == {name for name, _ in json_schemas()}


@pytest.mark.parametrize("name", [name for name, _ in json_schemas()])
def test_what_a_key_means_stands_at_the_key(name: str) -> None:
    schema = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    for described in (schema, *schema["$defs"].values()):
        assert "Attributes:" not in described.get("description", "")
    explained = [key for key, value in schema["properties"].items() if value.get("description")]
    assert explained
