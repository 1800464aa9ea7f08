"""Files of documents: every problem with file, line and key; hostile text refused; nothing constructed from tags."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.control.document_files import load_documents, parse_documents
from streamer.control.get import to_yaml
from streamer.control.placed_problems import DocumentHasProblems
from streamer.control.yaml_reader import MAX_BYTES, UnreadableYaml, read_yaml
from streamer.routing.documents import EndpointDocument, RoutingDocument
from tests.unit.routing.documents_for_tests import arm, endpoint, routing

TWO = """\
# a comment
kind: endpoint
name: flights
events: {schema: departure.avsc, id: flight_id}
output: {schema: lateness.avsc}
---
kind: routing
endpoint: flights
reason: first
serve:
  - variant: champion
    model: {tag: production}
"""


def problems_of(text: str) -> list[str]:
    with pytest.raises(DocumentHasProblems) as caught:
        parse_documents(text.encode(), source="f.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_several_documents_of_one_file_are_read_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(TWO)
    one, other = load_documents(tmp_path / "all.yaml")
    assert (one.key, other.key) == ("endpoint/flights", "routing/flights")
    assert one.folder == tmp_path.resolve()
    assert (one.lines[("events", "id")], other.lines[("serve", 0, "model", "tag")]) == (4, 12)


def test_json_is_read_by_the_same_door() -> None:
    (document,) = parse_documents(json.dumps(routing(), indent=1).encode())
    assert document.document == RoutingDocument.model_validate(routing())


def test_every_problem_of_every_document_is_told_with_its_line_and_a_suggestion() -> None:
    text = (
        TWO.replace("id: flight_id", "idd: flight_id")
        .replace("reason: first", "reasn: first")
        .replace("variant: champion", "variant: 2013\n    wieght: 5")
    )
    assert problems_of(text) == [
        "f.yaml:4: events.id: is missing",
        "f.yaml:4: events.idd: unknown key. Did you mean `id`?",
        "f.yaml:7: reason: is missing",
        "f.yaml:11: serve[0].variant: must be text, not 2013. Put it in quotes",
        "f.yaml:12: serve[0].wieght: unknown key. Did you mean `weight`?",
        "f.yaml:9: reasn: unknown key. Did you mean `reason`?",
    ]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("{tag: a, uuid: 00000000-0000-0000-0000-000000000001}", "exactly one of: uuid; tag; name together"),
        ("{name: a}", "name together with version"),
        ("{}", "exactly one of"),
        ("{tg: a}", "Did you mean `tag`?"),
        ("{uuid: 17}", "'17' is not a UUID"),
        ("{name: a, version: 0}", "greater than or equal to 1"),
        ("{uuid: 00000000-0000-0000-0000-000000000001, sha256: abc}", "serve[0].model.sha256"),
    ],
)  # fmt: skip
def test_model_references_that_cannot_be(model: str, said: str) -> None:
    problems = problems_of(TWO.replace("{tag: production}", model))
    assert all(problem.startswith("f.yaml:12: serve[0].model") for problem in problems)
    assert any(said in problem for problem in problems)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("flight_id}", "flight_id, schema: x}"), "f.yaml:4: events: the key 'schema' stands here again, after line 4"),
        (("kind: routing", "kind: routng"), "f.yaml:7: kind: 'routng' is no kind of document"),
        (("kind: routing\n", ""), "`kind` is missing"),
        (("first", "!!python/object/apply:os.system [touch /tmp/x]"), "the tag"),
        (("first", "!custom x"), "the tag"),
        (("first", ".nan"), "not a finite number"),
        (("first", "1e999"), "not a finite number"),
        (("flights\nreason", "x: y: z\nreason"), "not YAML"),
        (("reason: first", "? [a]\n: b"), "a list or an object stands where a key should"),
        (("reason: first", "\treason: first"), "not YAML"),
    ],
)  # fmt: skip
def test_malformed_text_is_refused_with_its_line(change: tuple[str, str], said: str) -> None:
    assert change[0] in TWO
    (problem,) = problems_of(TWO.replace(*change))
    assert said in problem


def test_the_same_document_twice_is_refused() -> None:
    routing_text = TWO.split("---\n")[1]
    (problem,) = problems_of(f"{TWO}---\n{routing_text}")
    assert "routing/flights is here twice, first in line 7" in problem


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n", "- a\n", "text", "7", "kind:\n"])
def test_files_without_a_document(text: str) -> None:
    assert len(problems_of(text)) == 1


def test_a_missing_file_is_a_problem_and_not_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(DocumentHasProblems, match="cannot read the file: No such file"):
        load_documents(tmp_path / "missing.yaml")
    with pytest.raises(DocumentHasProblems, match="cannot read the file"):
        load_documents(tmp_path)


BOMBS = {
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 10)}]\n" for i in range(9)),
    "an alias in itself": "a: &a [*a]\n",
    "depth of lists": "[" * 100_000,
    "depth of blocks": "".join(" " * i + "- \n" for i in range(200)) + " " * 200 + "- x",
    "depth of objects": "{a: " * 1_000 + "}" * 1_000,
    "values": "[" + "x," * 300_000 + "]",
    "size": "x" * (MAX_BYTES + 1),
    "tag": "!!python/name:os.system",
    "unknown alias": "a: *b",
    "control characters": "a: \x00",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused(text: str) -> None:
    with pytest.raises(UnreadableYaml):
        read_yaml(text.encode())


def test_text_that_is_not_utf_8_is_refused_with_its_line() -> None:
    with pytest.raises(UnreadableYaml) as caught:
        read_yaml(b"a: b\nc: \xff")
    assert caught.value.line == 2


def test_plain_words_are_what_people_mean() -> None:
    text = "{a: NO, b: on, c: 12:30, d: 2026-01-01, e: 1_000, f: 0x1F, g: 017, h: yes, i: 12345678901234567890}"
    (document,) = read_yaml(text.encode())
    assert document.value == {
        "a": "NO", "b": "on", "c": "12:30", "d": "2026-01-01", "e": "1_000", "f": "0x1F", "g": 17, "h": "yes",
        "i": "12345678901234567890",
    }  # fmt: skip


def test_numbers_truth_and_null_are_read_and_quotes_make_text() -> None:
    (document,) = read_yaml(b"a: true\nb: 7\nc: -1.5e3\nd: null\ne: ~\nf: 'true'\ng: \"7\"\nh:\ni: |\n  7\nj: .5\n")
    assert document.value == {
        "a": True, "b": 7, "c": -1500.0, "d": None, "e": None, "f": "true", "g": "7", "h": None, "i": "7\n", "j": 0.5,
    }  # fmt: skip


def test_aliases_within_bounds_are_read() -> None:
    (document,) = read_yaml(b"a: &x {b: 1}\nc: *x\n")
    assert document.value == {"a": {"b": 1}, "c": {"b": 1}}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef", min_size=1), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@given(_VALUES.filter(lambda value: value is not None))
@settings(max_examples=100, deadline=None)
def test_json_reads_as_itself(value: object) -> None:
    (document,) = read_yaml(json.dumps({"v": value}).encode())
    assert document.value == {"v": value}


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
@settings(max_examples=200, deadline=None)
def test_no_text_raises_anything_else(data: bytes) -> None:
    with contextlib.suppress(UnreadableYaml):
        read_yaml(data)


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=12))
@settings(max_examples=200, deadline=None)
def test_what_get_prints_reads_back_as_the_same_document(text: str) -> None:
    segments = [{"match": {"x": text, "y": 7}, "serve": [arm("champion")]}]
    document = RoutingDocument.model_validate(routing(salt=text, segments=segments))
    assert parse_documents(to_yaml(document).encode())[0].document == document


def test_an_endpoint_prints_and_reads_back() -> None:
    document = EndpointDocument.model_validate(endpoint())
    text = to_yaml(document)
    assert yaml.safe_load(text)["kind"] == "endpoint"
    assert parse_documents(text.encode())[0].document == document
