"""YAML (and so JSON) to plain values with the line of each, for text that nobody has checked.

Read as YAML 1.2's core schema says, not as 1.1: ``NO``, ``on`` and ``12:30`` are text, as people mean them. Tags are
refused, so nothing is ever constructed but text, numbers, booleans, null, lists and dicts; so are repeated keys.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from streamer.routing.problems import Location, Problem

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 64
MAX_VALUES = 200_000
"""Values of one file with its aliases written out, so that a few lines of aliases cannot become gigabytes."""

# libyaml's parser is ten times faster, where it was built.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
# Longer digits are an identifier that happens to have no letters.
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}\.[0-9]{0,30}|[0-9]{1,30}(?=[eE]))([eE][-+]?[0-9]{1,3})?")
# JSON writes characters beyond the first 65,536 as two escapes, which YAML does not know.
_ESCAPED_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class PlainDocument(NamedTuple):
    """One document of a file.

    Attributes:
        value: Text, int, float, bool, None, and lists and dicts of them.
        lines: Location to line, counted from 1; the root's is ``()``.
    """

    value: Any
    lines: dict[Location, int]


class UnreadableYaml(Exception):
    """The text is no YAML that is read here: (line, what is wrong), the first place only."""

    def __init__(self, line: int, problem: Problem) -> None:
        super().__init__(line, problem)
        self.line = line
        self.problem = problem


def read_yaml(data: bytes) -> list[PlainDocument]:
    """Every document of a file that is not empty.

    Raises:
        UnreadableYaml: Not UTF-8, not YAML, beyond the limits, with tags, or with a repeated key.
    """
    if len(data) > MAX_BYTES:
        raise _unreadable(1, f"the file has {len(data):,} bytes, more than {MAX_BYTES:,}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _unreadable(line, "the file is not UTF-8 text", "Save it as UTF-8") from error
    if text.lstrip()[:1] in ("{", "["):
        text = _ESCAPED_PAIR.sub(_character, text)
    try:
        _check_events(text)
        documents = [_plain(node) for node in yaml.compose_all(text, Loader=_Loader)]
        return [document for document in documents if document.value is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        context = f" {error.context}" if error.context else ""
        raise _unreadable(mark.line + 1 if mark else 1, f"not YAML: {error.problem}{context}") from error
    except yaml.YAMLError as error:
        raise _unreadable(1, f"not YAML: {error}") from error


def _character(pair: re.Match[str]) -> str:
    high, low = int(pair[2], 16), int(pair[3], 16)
    return f"{pair[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08X}"


def _check_events(text: str) -> None:
    """The parser's events come without recursion: depth and tags are seen before a tree is built."""
    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _unreadable(_line(event), f"values stand more than {MAX_DEPTH} deep in each other")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if getattr(event, "tag", None) is not None:
            raise _unreadable(_line(event), f"the tag {event.tag!r:.60} is refused", "Write plain values")


def _plain(root: yaml.Node) -> PlainDocument:
    reader = _NodeReader()
    return PlainDocument(reader.read(root, ()), reader.lines)


class _NodeReader:
    """Turns the nodes of one document into values."""

    def __init__(self) -> None:
        self.lines: dict[Location, int] = {}
        self._values = 0

    def read(self, node: yaml.Node, location: Location) -> Any:
        line = _line(node)
        self._values += 1
        if self._values > MAX_VALUES:
            raise _unreadable(line, f"the file holds more than {MAX_VALUES:,} values once aliases are written out")
        if len(location) > MAX_DEPTH:  # an alias inside what it stands for
            raise _unreadable(line, f"values stand more than {MAX_DEPTH} deep in each other")
        self.lines.setdefault(location, line)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*location, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, location))
        return _scalar(node, location)

    def _pairs(self, node: yaml.MappingNode, location: Location) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = _line(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                raise _unreadable(line, "a list or an object stands where a key should", location=location)
            key = str(key_node.value)
            if key in seen:
                what = f"the key {key!r:.100} stands here again, after line {seen[key]}"
                raise _unreadable(line, what, "Remove one of them", location)
            seen[key] = line
            self.lines[(*location, key)] = line
            yield key, self.read(value_node, (*location, key))


def _scalar(node: Any, location: Location) -> Any:
    text = str(node.value)
    if node.style not in (None, ""):  # quoted, or a block
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NOT_FINITE.fullmatch(text):
        raise _unreadable(_line(node), f"{text} is not a finite number", location=location)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise _unreadable(_line(node), f"{text} is not a finite number", location=location)
        return number
    return text


def needs_quotes(text: str) -> bool:
    """Whether this text, written without quotes, would be read as something else."""
    patterns = (_NULL, _TRUE, _FALSE, _INTEGER, _FLOAT, _NOT_FINITE)
    return any(pattern.fullmatch(text) for pattern in patterns)


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _unreadable(line: int, what: str, advice: str = "", location: Location = ()) -> UnreadableYaml:
    return UnreadableYaml(line, Problem(location, what, advice))
