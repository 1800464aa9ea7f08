"""Names of Avro types and fields."""

from __future__ import annotations

import re
from typing import Any

from streamer.avro.avro_types import PRIMITIVES
from streamer.errors import SchemaError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_name(value: Any) -> bool:
    """Whether it is a name without a namespace: letters, digits and _, not beginning with a digit."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def full_name(source: dict[str, Any], enclosing: str, where: str) -> tuple[str, str]:
    """(full name, namespace) of a named type's definition.

    Args:
        source: The definition, with `name` and perhaps `namespace`.
        enclosing: The namespace of the type around it.
        where: The place in the schema, for messages.

    Raises:
        SchemaError: The name or namespace is missing or malformed.
    """
    name = source.get("name")
    if not isinstance(name, str) or not all(map(is_name, name.split("."))):
        raise SchemaError(f"the name {name!r:.60} of a type is not made of letters, digits, _ and dots", where=where)
    if "." in name:
        namespace, name = name.rsplit(".", 1)
    else:
        namespace = source.get("namespace", enclosing)
        if not isinstance(namespace, str) or not (not namespace or all(map(is_name, namespace.split(".")))):
            raise SchemaError(
                f"the namespace {namespace!r:.60} is not made of letters, digits, _ and dots", where=where
            )
    if name in PRIMITIVES:
        raise SchemaError(f"a type may not be named {name}", where=where)
    return f"{namespace}.{name}" if namespace else name, namespace


def unqualified(name: str) -> str:
    """The name without its namespace."""
    return name.rpartition(".")[2]
