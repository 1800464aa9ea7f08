"""From what people write to what the log holds: nothing that it means can change afterwards.

Selectors become UUID and sha256 with the whole model version inlined; schema files are inlined; every topic is named;
`based_on` is the revision that is newest now, unless the author said another.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from streamer.control.document_files import AuthoredDocument
from streamer.control.placed_problems import DocumentHasProblems, PlacedProblem
from streamer.errors import ModelNotFound
from streamer.records.model_version import ModelVersion
from streamer.routing.admission import Admission
from streamer.routing.consistency import arms_with_location
from streamer.routing.documents import (
    EndpointDocument,
    ModelSelector,
    ResolvedModel,
    RoutingDocument,
    Schema,
    Variant,
)
from streamer.routing.problems import Location, Problem

MAX_SCHEMA_BYTES = 2**20

Note = Callable[[Problem], None]


class ModelCatalogue(Protocol):
    """Where selectors are looked up; `streamer.registry.catalogue.Catalogue` is one."""

    def resolve(self, selector: ModelSelector) -> ModelVersion:
        """The version that a selector means. Raises ModelNotFound."""

    def get(self, uuid: UUID) -> ModelVersion | None:
        """The version with this identity."""


def resolve(
    authored: AuthoredDocument, *, catalogue: ModelCatalogue, admission: Admission, topic_prefix: str, author: str
) -> EndpointDocument | RoutingDocument:
    """Resolves one document.

    Args:
        authored: As written; a resolved document comes back as it is, but for an absent `based_on` and author.
        catalogue: The registered model versions.
        admission: The state of the config topic, for `based_on`.
        topic_prefix: Stands before the names of topics that the document does not name.
        author: Who applies it, unless the document says.

    Raises:
        DocumentHasProblems: Something cannot be resolved; every such place at once.
    """
    problems: list[PlacedProblem] = []

    def note(problem: Problem) -> None:
        problems.append(authored.placed(problem))

    document = authored.document
    resolved: EndpointDocument | RoutingDocument
    if isinstance(document, EndpointDocument):
        resolved = _endpoint(document, authored.folder, topic_prefix, note)
    else:
        resolved = _routing(document, catalogue, note)
    if problems:
        raise DocumentHasProblems(problems)
    based_on = document.based_on if document.based_on is not None else admission.revision(authored.key)
    return resolved.model_copy(update={"based_on": based_on, "author": document.author or author})


def _endpoint(document: EndpointDocument, folder: Path | None, prefix: str, note: Note) -> EndpointDocument:
    def inlined(schema: Schema, *location: str | int) -> Schema:
        return _schema(schema, folder, location, note)

    def named(topic: str | None, what: str) -> str:
        return topic if topic is not None else f"{prefix}{document.name}.{what}"

    events, output, topics = document.events, document.output, document.topics
    return document.model_copy(
        update={
            "events": events.model_copy(
                update={
                    "topic": named(events.topic, "events"),
                    "schema_": inlined(events.schema_, "events", "schema"),
                    "writer_schemas": tuple(
                        inlined(schema, "events", "writer_schemas", index)
                        for index, schema in enumerate(events.writer_schemas)
                    ),
                }
            ),
            "output": output.model_copy(
                update={
                    "topic": named(output.topic, "inferences"),
                    "schema_": inlined(output.schema_, "output", "schema"),
                }
            ),
            "topics": topics.model_copy(
                update={
                    "shadow": named(topics.shadow, "shadow"),
                    "dead_letters": named(topics.dead_letters, "dead-letters"),
                }
            ),
        }
    )


def _schema(schema: Schema, folder: Path | None, location: Location, note: Note) -> Schema:
    if isinstance(schema, dict):
        return schema
    try:
        content: Any = json.loads(_read_schema_file(schema, folder))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        note(Problem(location, f"cannot read the schema file {schema[:100]!r}: {reason}", "Check the name"))
        return schema
    if not isinstance(content, dict):
        note(Problem(location, f"{schema[:100]} holds no record schema", 'It begins with {"type": "record", ...'))
        return schema
    return content


def _read_schema_file(name: str, folder: Path | None) -> str:
    """The text of a file in the document's folder: a document from elsewhere must not publish any other file."""
    if folder is None:
        raise ValueError("this document is in no file, so its schemas must be inlined")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError("it is outside the document's folder; put it beside the document")
    if not path.is_file():
        raise FileNotFoundError(2, "there is no such file")
    if path.stat().st_size > MAX_SCHEMA_BYTES:
        raise ValueError(f"it has more than {MAX_SCHEMA_BYTES:,} bytes")
    return path.read_text(encoding="utf-8")


def _routing(document: RoutingDocument, catalogue: ModelCatalogue, note: Note) -> RoutingDocument:
    versions: dict[UUID, ModelVersion] = {version.uuid: version for version in document.models}
    named: dict[UUID, ModelVersion] = {}
    models: dict[Location, ResolvedModel] = {}
    for location, _, arm in arms_with_location(document):
        version = _version(arm, (*location, "model"), versions, catalogue, note)
        if version is not None:
            named[version.uuid] = version
            models[location] = ResolvedModel(uuid=version.uuid, sha256=version.artifact.sha256)

    def resolved(arms: Sequence[Variant], *location: str | int) -> tuple[Variant, ...]:
        return tuple(
            arm.model_copy(update={"model": models.get((*location, index), arm.model)})
            for index, arm in enumerate(arms)
        )

    fallback = document.fallback
    if fallback is not None:
        fallback = fallback.model_copy(update={"model": models.get(("fallback",), fallback.model)})
    segments = tuple(
        segment.model_copy(update={"serve": resolved(segment.serve, "segments", index, "serve")})
        for index, segment in enumerate(document.segments)
    )
    return document.model_copy(
        update={
            "serve": resolved(document.serve, "serve"),
            "segments": segments,
            "fallback": fallback,
            "shadow": resolved(document.shadow, "shadow"),
            "models": tuple(named[uuid] for uuid in sorted(named)),
        }
    )


def _version(
    arm: Variant, location: Location, inlined: dict[UUID, ModelVersion], catalogue: ModelCatalogue, note: Note
) -> ModelVersion | None:
    if isinstance(arm.model, ModelSelector):
        try:
            return catalogue.resolve(arm.model)
        except ModelNotFound as error:
            key = next(key for key in ("uuid", "tag", "name") if getattr(arm.model, key) is not None)
            note(Problem((*location, key), error.what, (error.advice or "").removesuffix(".")))
            return None
    version = inlined.get(arm.model.uuid) or catalogue.get(arm.model.uuid)
    if version is None:
        what = f"no model version has the UUID {arm.model.uuid}"
        note(Problem((*location, "uuid"), what, "List them: streamer models list"))
        return None
    if version.artifact.sha256 != arm.model.sha256:
        what = f"{version.name} version {version.version} has another sha256: {version.artifact.sha256}"
        note(Problem((*location, "sha256"), what, "Remove the key sha256 to take the registered one"))
        return None
    return version
