"""The JSON Schemas of what people write: for editors, and for clients in other languages.

``python -m streamer.control.json_schemas [FOLDER]`` writes them; the default folder is ``schemas``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from streamer.records.model_version import ModelVersion
from streamer.routing.documents import EndpointDocument, RoutingDocument

_DOCUMENTS: dict[str, tuple[type[BaseModel], str]] = {
    "endpoint": (EndpointDocument, "An endpoint of Streamer: one prediction service"),
    "routing": (RoutingDocument, "A routing of Streamer: which model versions serve an endpoint"),
    "model": (ModelVersion, "A model version of Streamer: immutable artifact, signature and mapping"),
}


def json_schemas() -> Iterator[tuple[str, str]]:
    """File name and text of each schema."""
    for name, (document, title) in _DOCUMENTS.items():
        schema: dict[str, Any] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **document.model_json_schema(by_alias=True, mode="validation"),
            "title": title,
        }
        schema["required"] = sorted({"kind", *schema.get("required", [])})
        for described in (schema, *schema.get("$defs", {}).values()):
            _explain_properties(described)
        yield f"{name}.schema.json", json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _explain_properties(schema: dict[str, Any]) -> None:
    """Moves what the docstring says of each attribute to its property, where editors show it."""
    summary, _, attributes = schema.get("description", "").partition("\n\nAttributes:\n")
    if not attributes:
        return
    schema["description"] = summary
    for name, text in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE):
        schema["properties"][name.removesuffix("_")]["description"] = " ".join(text.split())


def write(folder: Path) -> list[Path]:
    """Writes all schemas; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in json_schemas():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("schemas"))
