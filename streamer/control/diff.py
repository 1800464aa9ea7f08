"""What changed between two documents, in the words of the document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from streamer.records.model_version import ModelVersion
from streamer.routing.documents import EndpointDocument, RoutingDocument

NOT_CONTENT = frozenset({"based_on", "author", "reason"})
"""Keys that say when, who and why; two documents that differ only in them mean the same."""


class Change(NamedTuple):
    """One value that differs; None where it is not in the document.

    Attributes:
        path: Where, lists of variants by name: ``serve.canary.weight``.
        before: The old value.
        after: The new value.
    """

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.path}: {self.after}"
        if self.after is None:
            return f"- {self.path}: {self.before}"
        return f"~ {self.path}: {self.before} -> {self.after}"


def same_content(one: EndpointDocument | RoutingDocument, other: EndpointDocument | RoutingDocument) -> bool:
    """Whether both mean the same, whoever applied them and why."""
    return one.model_dump(exclude=set(NOT_CONTENT)) == other.model_dump(exclude=set(NOT_CONTENT))


def diff(
    before: EndpointDocument | RoutingDocument | None, after: EndpointDocument | RoutingDocument | None
) -> list[Change]:
    """Every value that differs, by path. None stands for no document."""
    old = dict(_values(_described(before), ""))
    new = dict(_values(_described(after), ""))
    paths = [*old, *(path for path in new if path not in old)]
    return [Change(path, old.get(path), new.get(path)) for path in paths if old.get(path) != new.get(path)]


def _described(document: EndpointDocument | RoutingDocument | None) -> dict[str, Any]:
    """The document as nested dicts that compare well: variants and segments by name, models by name and version."""
    if document is None:
        return {}
    content = document.model_dump(mode="json", by_alias=True, exclude=set(NOT_CONTENT))
    if isinstance(document, EndpointDocument):
        for record in ("events", "output"):
            schema = content[record]["schema"]
            if isinstance(schema, dict):
                content[record]["schema"] = _described_schema(schema)
        return content
    versions = {str(version.uuid): version for version in document.models}
    content.pop("models")
    segments = {_match(segment["match"]): segment["serve"] for segment in content["segments"]}
    content["segments"] = {match: _by_variant(serve, versions) for match, serve in segments.items()}
    for key in ("serve", "shadow"):
        content[key] = _by_variant(content[key], versions)
    if content["fallback"] is not None:
        content["fallback"] = _by_variant([content["fallback"]], versions)
    return content


def _by_variant(arms: list[dict[str, Any]], versions: dict[str, ModelVersion]) -> dict[str, Any]:
    return {arm["variant"]: {**arm, "variant": None, "model": _model(arm["model"], versions)} for arm in arms}


def _model(model: dict[str, Any], versions: dict[str, ModelVersion]) -> str:
    version = versions.get(str(model.get("uuid")))
    if version is not None:
        return f"{version.name} version {version.version} ({version.uuid})"
    if model.get("name") is not None:
        return f"{model['name']} version {model['version']}"
    return ", ".join(f"{key} {value}" for key, value in model.items() if value is not None)


def _match(match: dict[str, Any]) -> str:
    return "[" + ", ".join(f"{path}={value!r}" for path, value in sorted(match.items())) + "]"


def _described_schema(schema: dict[str, Any]) -> dict[str, Any]:
    fields = schema.get("fields")
    if not isinstance(fields, list) or not all(isinstance(field, dict) and "name" in field for field in fields):
        return schema
    rest = {key: value for key, value in schema.items() if key != "fields"}
    by_name = {field["name"]: {key: value for key, value in field.items() if key != "name"} for field in fields}
    return {**rest, "fields": by_name, "order of fields": ", ".join(by_name)}


def _values(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _values(value, key if not path else f"{path}{key}" if key[:1] == "[" else f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _values(value, f"{path}[{index}]")
    elif node is not None:
        yield path, node
