"""From the bytes of a log record to a document, for any bytes: hostile ones end as a `Problem`, never as a crash.

Size, depth, number of parts and repeated keys are checked before anything is built from the values, and nothing here
depends on how deep the caller's stack is, so that every process comes to the same verdict.
"""

from __future__ import annotations

import json
from typing import Any

import orjson
from pydantic import ValidationError

from streamer.routing.documents import DOCUMENT_TYPES, EndpointDocument, RoutingDocument
from streamer.routing.problems import Problem, from_pydantic

MAX_DOCUMENT_BYTES = 4 * 2**20
MAX_DEPTH = 64
"""Of lists and objects within each other; an Avro schema with nested records stays far below."""
MAX_CONTAINERS = 100_000
"""Lists and objects in one document."""


class DocumentUnreadable(Exception):
    """These bytes are no document; carries what is wrong with them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems


def parse_document(value: bytes, kind: str) -> EndpointDocument | RoutingDocument:
    """Reads a document of this kind.

    Args:
        value: JSON in UTF-8.
        kind: ``endpoint`` or ``routing``, as the record's key says.

    Raises:
        DocumentUnreadable: Malformed, too large or too deep, of another kind, or with unknown or wrong keys.
    """
    content = parse_json(value)
    if not isinstance(content, dict):
        raise _unreadable("is not a JSON object")
    if content.get("kind") != kind:
        raise _unreadable(f"must be {kind!r}, as the record's key says", ("kind",))
    try:
        return DOCUMENT_TYPES[kind].model_validate(content)
    except ValidationError as error:
        raise DocumentUnreadable(from_pydantic(error)) from error


def parse_json(value: bytes) -> Any:
    """Reads strict JSON: UTF-8, finite numbers, no key twice, within the three limits above.

    Raises:
        DocumentUnreadable: It is not.
    """
    if len(value) > MAX_DOCUMENT_BYTES:
        raise _unreadable(f"{len(value):,} bytes are more than {MAX_DOCUMENT_BYTES:,}")
    try:
        content = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise _unreadable(f"is not JSON: {error}") from error
    _check_size(content)
    repeated: list[str] = []

    def note_repeated(pairs: list[tuple[str, Any]]) -> None:
        if len(pairs) != len({key for key, _ in pairs}):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    repeated.append(key)
                seen.add(key)

    # orjson silently keeps the last of equal keys. Numbers were read above; float() takes any number of digits.
    json.loads(value, object_pairs_hook=note_repeated, parse_int=float)
    if repeated:
        raise _unreadable(f"the key {repeated[0][:100]!r} stands twice in one object")
    return content


def _check_size(content: Any) -> None:
    level = [content]
    containers = 0
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, dict | list)
        ]
        containers += len(level)
        if containers > MAX_CONTAINERS:
            raise _unreadable(f"more than {MAX_CONTAINERS:,} lists and objects")
        if not level:
            return
    raise _unreadable(f"lists and objects stand more than {MAX_DEPTH} deep in each other")


def _unreadable(what: str, location: tuple[str | int, ...] = ()) -> DocumentUnreadable:
    return DocumentUnreadable([Problem(location, what)])
