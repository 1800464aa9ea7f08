"""Resolving: everything inlined and named, every place that cannot be resolved told at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from streamer.control.document_files import AuthoredDocument, parse_documents
from streamer.control.placed_problems import DocumentHasProblems
from streamer.control.resolve import resolve
from streamer.kafka.log import LogRecord
from streamer.registry.catalogue import Catalogue
from streamer.routing.admission import Admission, AnyDocument
from streamer.routing.consistency import unresolved_problems
from streamer.routing.documents import EndpointDocument, ResolvedModel, RoutingDocument
from tests.unit.routing.documents_for_tests import (
    EVENT_SCHEMA,
    OUTPUT_SCHEMA,
    arm,
    as_json,
    endpoint,
    model_version,
    routing,
    sha256_of,
    uuid_of,
)


def catalogue() -> Catalogue:
    move = {"uuid": uuid_of(1), "at": "2026-01-01T00:00:00Z"}
    retirement = {"at": "2026-01-02T00:00:00Z", "reason": "wrong labels"}
    records = [(uuid_of(n).encode(), model_version(n)) for n in (1, 2, 3)]
    records += [(b"tag/production", move), (f"{uuid_of(3)}/retired".encode(), retirement)]
    return Catalogue().fold(LogRecord(0, i, 0, key, as_json(value), []) for i, (key, value) in enumerate(records))


def resolved(
    document: dict[str, Any], *, folder: Path | None = None, admission: Admission | None = None
) -> AnyDocument:
    (authored,) = parse_documents(as_json(document), source="f.yaml", folder=folder)
    return resolve(authored, catalogue=catalogue(), admission=admission or Admission(), topic_prefix="p.", author="ann")


def problems_of(document: dict[str, Any], folder: Path | None = None) -> list[str]:
    with pytest.raises(DocumentHasProblems) as caught:
        resolved(document, folder=folder)
    return [str(problem.problem) for problem in caught.value.problems]


def selected(**model: Any) -> dict[str, Any]:
    return {"variant": "a", "model": model}


@pytest.mark.parametrize(
    ("model", "number"),
    [
        ({"tag": "production"}, 1),
        ({"name": "lateness", "version": 2}, 2),
        ({"uuid": uuid_of(2)}, 2),
        ({"uuid": uuid_of(2), "sha256": sha256_of(2)}, 2),
    ],
)
def test_every_kind_of_selector_becomes_uuid_hash_and_the_whole_version(model: dict[str, Any], number: int) -> None:
    document = resolved(routing(serve=[selected(**model)], models=[]))
    assert isinstance(document, RoutingDocument)
    assert document.serve[0].model == ResolvedModel(uuid=UUID(uuid_of(number)), sha256=sha256_of(number))
    assert [version.version for version in document.models] == [number]
    assert unresolved_problems(document) == []


def test_arms_of_every_list_are_resolved_and_each_version_is_inlined_once() -> None:
    one, two = selected(tag="production"), {"variant": "b", "model": {"name": "lateness", "version": 2}}
    document = resolved(
        routing(
            serve=[one, two],
            fallback=one,
            shadow=[{**two, "variant": "c"}],
            segments=[{"match": {"x": 1}, "serve": [two]}],
            models=[],
        )
    )
    assert isinstance(document, RoutingDocument)
    assert [version.version for version in document.models] == [1, 2]
    assert all(isinstance(each.model, ResolvedModel) for each in document.variants())


def test_versions_that_no_arm_names_any_more_are_left_out() -> None:
    document = resolved(routing(serve=[arm("a", 1)], models=[model_version(1), model_version(2)]))
    assert isinstance(document, RoutingDocument)
    assert [version.version for version in document.models] == [1]


def test_an_inlined_version_needs_no_registry() -> None:
    document = resolved(routing(serve=[arm("a", 9)]))
    assert isinstance(document, RoutingDocument)
    assert [version.version for version in document.models] == [9]


def test_everything_that_cannot_be_resolved_is_told_at_once() -> None:
    arms = [
        {"variant": "a", "model": {"tag": "producton"}},
        {"variant": "b", "model": {"name": "lateness", "version": 9}},
        {"variant": "c", "model": {"name": "latenes", "version": 1}},
        {"variant": "d", "model": {"name": "lateness", "version": 3}},
        {"variant": "e", "model": {"uuid": uuid_of(7), "sha256": sha256_of(7)}},
        {"variant": "f", "model": {"uuid": uuid_of(2), "sha256": sha256_of(7)}},
    ]
    told = problems_of(routing(serve=arms, models=[]))
    for problem, said in zip(
        told,
        ["serve[0].model.tag: .*production", "serve[1].model.name: .*no version 9", "serve[2].model.name: .*lateness",
         "serve[3].model.name: .*retired.*wrong labels", "serve[4].model.uuid", "serve[5].model.sha256"],
        strict=True,
    ):  # fmt: skip
        place, _, text = said.partition(": .*")
        assert problem.startswith(place)
        assert all(part in problem for part in text.split(".*"))


def test_schemas_beside_the_document_are_inlined_and_topics_named(tmp_path: Path) -> None:
    (tmp_path / "event.avsc").write_text(json.dumps(EVENT_SCHEMA))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "output.avsc").write_text(json.dumps(OUTPUT_SCHEMA))
    document = resolved(
        {
            "kind": "endpoint",
            "name": "flights",
            "events": {"schema": "event.avsc", "id": "flight_id", "writer_schemas": ["event.avsc"]},
            "output": {"schema": "sub/output.avsc", "topic": "mine"},
        },
        folder=tmp_path,
    )
    assert isinstance(document, EndpointDocument)
    assert document.events.schema_ == EVENT_SCHEMA == document.events.writer_schemas[0]
    assert document.output.schema_ == OUTPUT_SCHEMA
    assert (document.events.topic, document.output.topic) == ("p.flights.events", "mine")
    assert (document.topics.shadow, document.topics.dead_letters) == ("p.flights.shadow", "p.flights.dead-letters")
    assert unresolved_problems(document) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing.avsc", "there is no such file"),
        ("../outside.avsc", "outside the document's folder"),
        ("/etc/hostname", "outside the document's folder"),
        ("link.avsc", "outside the document's folder"),
        ("folder", "there is no such file"),
        ("broken.avsc", "cannot read the schema file"),
        ("list.avsc", "holds no record schema"),
        ("binary.avsc", "cannot read the schema file"),
        ("deep.avsc", "cannot read the schema file"),
        ("large.avsc", "more than 1,048,576 bytes"),
        ("nul\x00.avsc", "cannot read the schema file"),
    ],
)
def test_schema_files_that_cannot_be_used_are_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "outside.avsc").write_text(json.dumps(EVENT_SCHEMA))
    folder = tmp_path / "documents"
    (folder / "folder").mkdir(parents=True)
    (folder / "link.avsc").symlink_to(tmp_path / "outside.avsc")
    (folder / "broken.avsc").write_text("{")
    (folder / "list.avsc").write_text("[]")
    (folder / "binary.avsc").write_bytes(b"\xff\xfe")
    (folder / "deep.avsc").write_text("[" * 100_000)
    (folder / "large.avsc").write_text(" " * (2**20 + 1))
    document = endpoint(output={"topic": "o", "schema": name})
    (problem,) = problems_of(document, folder)
    assert problem.startswith("output.schema: ")
    assert said in problem


def test_without_a_file_schemas_must_be_inlined() -> None:
    (problem,) = problems_of(endpoint(output={"schema": "o.avsc"}))
    assert "must be inlined" in problem


def test_based_on_and_author_are_filled_in_and_never_overwritten() -> None:
    admission = Admission()
    admission.fold(0, b"endpoint/flights", as_json(endpoint()), 0)
    document = resolved(endpoint(), admission=admission)
    assert (document.based_on, document.author) == (1, "ann")
    kept = resolved(endpoint(based_on=0, author="bob"), admission=admission)
    assert (kept.based_on, kept.author) == (0, "bob")


def test_resolving_twice_changes_nothing() -> None:
    once = resolved(routing(serve=[selected(tag="production")], models=[]))
    again = resolve(
        AuthoredDocument.without_file(once),
        catalogue=Catalogue(),
        admission=Admission(),
        topic_prefix="other.",
        author="bob",
    )
    assert again == once
