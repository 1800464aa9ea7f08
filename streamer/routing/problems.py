"""What is wrong with a document, each problem with its place in it; all are collected, not only the first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import ValidationError

Location = tuple[str | int, ...]


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes:
        location: Keys and list indices that lead to it; empty for the document as a whole.
        what: What is wrong there, without a full stop.
        advice: What to do about it; may be empty.
    """

    location: Location
    what: str
    advice: str = ""

    def __str__(self) -> str:
        text = f"{location_text(self.location)}: {self.what}" if self.location else self.what
        return f"{text}. {self.advice}" if self.advice else text


def location_text(location: Location) -> str:
    """``serve[1].model.tag``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def in_one_line(problems: Iterable[Problem], at_most: int = 10) -> str:
    """All problems as one text, the first ``at_most`` of them spelt out."""
    listed = list(problems)
    text = "; ".join(str(problem) for problem in listed[:at_most])
    rest = len(listed) - at_most
    return f"{text}; and {rest} more" if rest > 0 else text


# What pydantic puts into a location to name the branch of a union that it tried.
_BRANCHES = {"selector", "resolved", "str", "int", "bool", "float", "dict[str,any]", "constrained-str"}


_MAX_ERRORS = 1000


def from_pydantic(error: ValidationError, at_most: int = 100) -> list[Problem]:
    """The problems that pydantic found, in words and with locations as the document's writer knows them."""
    if error.error_count() > _MAX_ERRORS:  # spelling out a million of them takes seconds
        return [Problem((), f"{error.error_count():,} things are wrong with it: it is no {error.title}")]
    problems: dict[tuple[Location, str], Problem] = {}
    for found in error.errors(include_url=False, include_input=True)[:at_most]:
        location = _document_location(found["loc"])
        what, advice = _in_words(found["type"], found["msg"], found.get("ctx") or {}, found.get("input"))
        problems.setdefault((location, what), Problem(location, what, advice))
    return list(problems.values())


def _document_location(loc: tuple[int | str, ...]) -> Location:
    """Without the names of union branches, which stand nowhere in the document.

    A branch follows the key whose value was tried: ``("events", "schema", "str")``. The names also are legal keys of
    maps, so only the places where a union can be are looked at.
    """
    location: list[str | int] = []
    for position, part in enumerate(loc):
        before = location[-1] if location else None
        in_model = before == "model" and part in ("selector", "resolved")
        last = position == len(loc) - 1
        in_value = last and part in _BRANCHES and (before in ("schema", "version") or _after(location, "match", 1))
        in_nulls = last and part in _BRANCHES and _after(location, "nulls", 1)
        in_writers = last and part in _BRANCHES and _after(location, "writer_schemas", 1)
        if not (in_model or in_value or in_nulls or in_writers):
            location.append(part)
    return tuple(location)


def _after(location: list[str | int], key: str, steps: int) -> bool:
    return len(location) > steps and location[-1 - steps] == key


def _in_words(kind: str, message: str, context: dict[str, object], value: object) -> tuple[str, str]:
    if kind == "extra_forbidden":
        return "unknown key", "Remove it, or check its spelling"
    if kind == "missing":
        return "is missing", ""
    if kind == "finite_number":
        return "must be a finite number", ""
    if kind == "value_error":
        return message.removeprefix("Value error, "), ""
    if kind == "string_pattern_mismatch":
        shown = repr(value)[:60]
        return (
            f"{shown} is not a usable name",
            "Use letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )
    text = message.removeprefix("Input should be ").removeprefix("Input ")
    prefix = "must be " if message.startswith("Input should be ") else ""
    shown = f", not {value!r}" if isinstance(value, str | int | float | bool) and len(repr(value)) <= 60 else ""
    return f"{prefix}{text[0].lower() + text[1:]}{shown}", ""
