"""The reference of the documents, from their types."""

from __future__ import annotations

import types
import typing
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from streamer.cli.attribute_docs import attribute_docs, cell, summary
from streamer.cli.reference_settings import bound_text, type_name
from streamer.routing.documents import EndpointDocument, RoutingDocument

_HEAD = """# Documents

Endpoints and routings are written as YAML or JSON and made to count by `streamer apply`. A misspelt key is refused.
`streamer resolve` shows what a document becomes on the log: schemas and model versions inlined, every topic named.
`schemas/*.schema.json` describe the same to editors and other languages.

```yaml
kind: endpoint
name: flights
events: {schema: departure.avsc, id: flight_id, time: departed_at, bucket_by: tail_number}
output: {schema: lateness.avsc}
---
kind: routing
endpoint: flights
reason: canary the May model
serve:
  - {variant: champion, model: {tag: production}, weight: 95}
  - {variant: canary, model: {name: lateness, version: 7}, weight: 5}
fallback: {variant: safe, model: {name: lateness, version: 3}}
shadow:
  - {variant: june, model: {name: lateness, version: 8}, sample: 0.25}
segments:
  - {match: {origin: JFK}, serve: [{variant: jfk, model: {tag: jfk}}]}
```
"""
_TITLES = (
    ("kind: endpoint", EndpointDocument),
    ("kind: routing", RoutingDocument),
)


def documents_reference() -> str:
    """All documents and what they consist of, as Markdown."""
    parts = [_HEAD]
    described: set[type] = set()
    for title, document in _TITLES:
        parts.append(f"\n## {title}\n")
        parts.append(_section(document))
        described.add(document)
        waiting = _inner(document)
        while waiting:
            inner = waiting.pop(0)
            if inner in described:
                continue
            described.add(inner)
            parts.append(f"\n### {inner.__name__}\n")
            parts.append(_section(inner))
            waiting += _inner(inner)
    return "\n".join(parts).rstrip() + "\n"


def _section(document: type[BaseModel]) -> str:
    docs = attribute_docs(document)
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for name, field in document.model_fields.items():
        key = field.alias or name
        bounds = [text for text in map(bound_text, field.metadata) if text]
        value = ", ".join([_value(field.annotation), *bounds])
        meaning = docs.get(name) or docs.get(key) or _enum_doc(field.annotation)
        rows.append(f"| `{key}` | {cell(value)} | {cell(_default(field))} | {cell(meaning)} |")
    return f"{summary(document)}\n\n" + "\n".join(rows)


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel) or value in (None, "", (), {}):
        return ""
    return f"`{value}`"


def _value(annotation: Any) -> str:
    """A type in words, with links to what is described further down."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _value(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_value(one) for one in arguments if one is not type(None)))
    if origin in (tuple, list):
        return f"list of {_value(arguments[0])}"
    if origin is dict:
        return f"mapping to {_value(arguments[1])}" if arguments[1] is not Any else "mapping"
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return " or ".join(f"`{member}`" for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    named = {"UUID": "UUID", "datetime": "moment (ISO 8601)", "Any": "any value"}
    name = getattr(annotation, "__name__", str(annotation))
    return named.get(name) or type_name(annotation)


def _enum_doc(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return summary(annotation)
    return ""


def _inner(document: type[BaseModel]) -> list[type[BaseModel]]:
    """The document types that its fields hold, in the order of the fields."""
    found: list[type[BaseModel]] = []
    for field in document.model_fields.values():
        _collect(field.annotation, found)
    return found


def _collect(annotation: Any, found: list[type[BaseModel]]) -> None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        found.append(annotation)
    for argument in typing.get_args(annotation):
        _collect(argument, found)
