"""Files of endpoint and routing documents, as people write them: YAML or JSON, several in one file."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from streamer.control.placed_problems import DocumentHasProblems, PlacedProblem
from streamer.control.yaml_reader import PlainDocument, UnreadableYaml, read_yaml
from streamer.routing.documents import DOCUMENT_TYPES, EndpointDocument, RoutingDocument, document_key
from streamer.routing.problems import Location, Problem, from_pydantic


@dataclass(frozen=True, slots=True)
class AuthoredDocument:
    """A document and where it came from.

    Attributes:
        document: As written: selectors and names of schema files may stand in it.
        source: What to call the file in messages.
        folder: What names of schema files are relative to; None if there is no file.
        lines: Location in the document to line of the file.
    """

    document: EndpointDocument | RoutingDocument
    source: str
    folder: Path | None
    lines: dict[Location, int]

    @property
    def key(self) -> str:
        """``endpoint/<name>`` or ``routing/<name>``."""
        return document_key(self.document)

    def placed(self, problem: Problem) -> PlacedProblem:
        """The problem with the file and line where it stands."""
        return PlacedProblem(_place(self.source, self.lines, problem.location), problem)

    @classmethod
    def without_file(cls, document: EndpointDocument | RoutingDocument) -> AuthoredDocument:
        """A document that a program made; its key stands for the file."""
        return cls(document, document_key(document), None, {})


def load_documents(path: Path) -> list[AuthoredDocument]:
    """Reads every document of a file.

    Raises:
        DocumentHasProblems: The file cannot be read, or documents in it are malformed: every problem of all of them,
            with file, line and key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        advice = "Check the path"
        problem = Problem((), f"cannot read the file: {error.strerror or error}", advice)
        raise DocumentHasProblems([PlacedProblem(str(path), problem)]) from error
    return parse_documents(data, source=str(path), folder=path.resolve().parent)


def parse_documents(data: bytes, *, source: str = "<text>", folder: Path | None = None) -> list[AuthoredDocument]:
    """The same for text that is no file.

    Raises:
        DocumentHasProblems: As for `load_documents`.
    """
    try:
        plain = read_yaml(data)
    except UnreadableYaml as error:
        raise DocumentHasProblems([PlacedProblem(f"{source}:{error.line}", error.problem)]) from error
    if not plain:
        raise DocumentHasProblems([PlacedProblem(source, Problem((), "there is no document in it"))])
    documents: list[AuthoredDocument] = []
    problems: list[PlacedProblem] = []
    for each in plain:
        document = _parsed(each, source, problems)
        if document is not None:
            documents.append(AuthoredDocument(document, source, folder, each.lines))
    problems += _repeated(documents)
    if problems:
        raise DocumentHasProblems(problems)
    return documents


def _parsed(
    plain: PlainDocument, source: str, problems: list[PlacedProblem]
) -> EndpointDocument | RoutingDocument | None:
    def note(problem: Problem) -> None:
        problems.append(PlacedProblem(_place(source, plain.lines, problem.location), problem))

    if not isinstance(plain.value, dict):
        note(Problem((), "a document is keys with values", "Begin it with `kind: endpoint` or `kind: routing`"))
        return None
    kind = plain.value.get("kind")
    if kind not in DOCUMENT_TYPES:
        what = "`kind` is missing" if kind is None else f"{kind!r:.60} is no kind of document"
        note(Problem(("kind",) if kind is not None else (), what, "Write `kind: endpoint` or `kind: routing`"))
        return None
    try:
        return DOCUMENT_TYPES[kind].model_validate(plain.value)
    except ValidationError as error:
        for problem in from_pydantic(error):
            note(_with_suggestion(problem, kind))
        return None


def _repeated(documents: list[AuthoredDocument]) -> list[PlacedProblem]:
    seen: dict[str, AuthoredDocument] = {}
    problems = []
    for each in documents:
        if each.key in seen:
            what = f"{each.key} is here twice, first in line {seen[each.key].lines.get((), 1)}"
            problems.append(each.placed(Problem((), what, "Keep one of them")))
        seen.setdefault(each.key, each)
    return problems


def _place(source: str, lines: dict[Location, int], location: Location) -> str:
    """The line of the location, or of the nearest thing around it that stands in the file."""
    for length in range(len(location), -1, -1):
        line = lines.get(location[:length])
        if line is not None:
            return f"{source}:{line}"
    return source


def _with_suggestion(problem: Problem, kind: str) -> Problem:
    """An unknown key gets the known key that it resembles, or all known ones."""
    if problem.what != "unknown key":
        return problem
    known = sorted(_keys_at(kind, problem.location[:-1]))
    near = difflib.get_close_matches(str(problem.location[-1]), known, n=1, cutoff=0.6)
    advice = f"Did you mean `{near[0]}`?" if near else f"Known keys here: {', '.join(known)}"
    return problem._replace(advice=advice)


def _keys_at(kind: str, location: Location) -> set[str]:
    """The keys that a document may have at a place, from its JSON Schema."""
    schema = _schema_of(kind)
    here: list[Any] = [schema]
    for part in location:
        here = [child for node in here for child in _children(_branches(node, schema), part)]
    return {key for node in here for branch in _branches(node, schema) for key in branch.get("properties", {})}


def _branches(node: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return _branches(schema["$defs"][node["$ref"].rsplit("/", 1)[-1]], schema)
    alternatives = node.get("anyOf") or node.get("oneOf")
    if alternatives:
        return [branch for alternative in alternatives for branch in _branches(alternative, schema)]
    return [node]


def _children(branches: list[dict[str, Any]], part: str | int) -> list[dict[str, Any]]:
    if isinstance(part, int):
        return [branch["items"] for branch in branches if isinstance(branch.get("items"), dict)]
    named = [branch["properties"][part] for branch in branches if part in branch.get("properties", {})]
    free = [branch.get("additionalProperties") for branch in branches]
    return named or [schema for schema in free if isinstance(schema, dict)]


@cache
def _schema_of(kind: str) -> dict[str, Any]:
    return DOCUMENT_TYPES[kind].model_json_schema(by_alias=True)
