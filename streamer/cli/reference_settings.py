"""The reference of the settings, from their types."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from streamer.cli.attribute_docs import attribute_docs, cell, summary
from streamer.config import Settings

_HEAD = """# Configuration

Everything is set by environment variables; the command line's options stand over them. A value that is a mapping is
JSON. Secrets (marked so) are never logged.

```
export STREAMER_KAFKA__BOOTSTRAP_SERVERS=broker-1:9093,broker-2:9093
export STREAMER_KAFKA__LIBRDKAFKA='{"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512",
  "sasl.username": "streamer"}'
export STREAMER_KAFKA__SASL_PASSWORD_FILE=/run/secrets/kafka
```
"""


def settings_reference() -> str:
    """All settings, as Markdown."""
    parts = [_HEAD]
    own: list[tuple[str, Any]] = []
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            parts.append(f"\n## {name}\n\n{summary(field.annotation)}\n")
            parts.append(_table(_rows(f"STREAMER_{name.upper()}__", field.annotation)))
        else:
            own.append((name, field))
    parts.append("\n## others\n")
    parts.append(_table(_field_row("STREAMER_", name, field, _OTHERS.get(name, "")) for name, field in own))
    return "\n".join(parts).rstrip() + "\n"


_OTHERS = {"cache_dir": "Where fetched artifacts, and Kafka for `streamer broker`, are kept."}


def _rows(prefix: str, settings: type[BaseModel]) -> Iterator[str]:
    docs = attribute_docs(settings)
    for name, field in settings.model_fields.items():
        yield _field_row(prefix, name, field, docs.get(name, field.description or ""))


def _table(rows: Iterator[str]) -> str:
    return "\n".join(["| variable | type | default | meaning |", "|---|---|---|---|", *rows])


def _field_row(prefix: str, name: str, field: Any, meaning: str) -> str:
    bounds = [text for text in (bound_text(constraint) for constraint in field.metadata) if text]
    kind = ", ".join([type_name(field.annotation), *bounds])
    return f"| `{prefix}{name.upper()}` | {cell(kind)} | {cell(_default(name, field))} | {cell(meaning)} |"


def _default(name: str, field: Any) -> str:
    if name == "cache_dir":
        return "the user's cache folder"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return ""
    return f"`{value}`" if value not in ("", {}) else "empty"


def bound_text(constraint: Any) -> str:
    """A constraint of pydantic in a few words; empty for one that says nothing to people."""
    for name, text in (("gt", "above"), ("ge", "at least"), ("lt", "below"), ("le", "at most")):
        if (bound := getattr(constraint, name, None)) is not None:
            return f"{text} {bound:,}" if isinstance(bound, int | float) else f"{text} {bound}"
    for name, text in (("min_length", "at least {} long"), ("max_length", "at most {} long")):
        if (bound := getattr(constraint, name, None)) is not None:
            return text.format(f"{bound:,}")
    pattern = getattr(constraint, "pattern", None)
    return f"matches `{pattern}`" if pattern else ""


def type_name(annotation: Any) -> str:
    """A type in words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_name(one) for one in arguments if one is not type(None)))
    if origin is dict:
        return "mapping"
    simple = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path", SecretStr: "secret"}
    return simple.get(annotation, getattr(annotation, "__name__", str(annotation)))
