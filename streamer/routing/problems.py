"""What is wrong with a document, each problem with its place in it; all are collected, not only the first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import ValidationError

Location = tuple[str | int, ...]

_LONGEST_KEY = 256
"""A key that somebody made a megabyte long is cut in messages."""


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
            shown = part if len(part) <= _LONGEST_KEY else f"{part[:_LONGEST_KEY]}..."
            text += f".{shown}" if text else shown
    return text


def in_one_line(problems: Iterable[Problem], at_most: int = 10) -> str:
    """All problems as one text, the first ``at_most`` of them spelt out."""
    listed = list(problems)
    text = "; ".join(str(problem) for problem in listed[:at_most])
    rest = len(listed) - at_most
    return f"{text}; and {rest} more" if rest > 0 else text


# A value that may be of several types gives one error per type, with the type's name at the end of its location.
_TYPE_NAMES = {"str", "int", "bool", "float", "dict[str,any]"}
_OF_SEVERAL_TYPES = {
    "match": "must be text, a whole number, true or false",
    "nulls": "must be a number, text, true or false",
    "schema": "must be a schema, or the name of an .avsc file",
    "writer_schemas": "must be a schema, or the name of an .avsc file",
}
_MAX_ERRORS = 1000
_EMPTY = "must not be empty"


def from_pydantic(error: ValidationError, at_most: int = 100) -> list[Problem]:
    """The problems that pydantic found, in words and with locations as the document's writer knows them."""
    if error.error_count() > _MAX_ERRORS:  # spelling out a million of them takes seconds
        return [Problem((), f"{error.error_count():,} things are wrong with it: it is no {error.title}")]
    problems: dict[tuple[Location, str], Problem] = {}
    for found in error.errors(include_url=False, include_input=True)[:at_most]:
        location = _without_model_branch(found["loc"])
        several = _several_types(location)
        if several is not None:
            location, (what, advice) = location[:-1], (several, "")
        else:
            what, advice = _in_words(found["type"], found["msg"], found.get("input"))
        problems.setdefault((location, what), Problem(location, what, advice))
    # Of a list whose only item is wrong, pydantic also says that it is empty.
    found_at = {location for location, _ in problems}
    return [
        problem
        for problem in problems.values()
        if problem.what != _EMPTY or not any(_is_inside(other, problem.location) for other in found_at)
    ]


def _is_inside(location: Location, outer: Location) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def _without_model_branch(location: Location) -> Location:
    """``model`` is followed by the name of the kind of reference that was read, which stands nowhere in the file."""
    kept: list[str | int] = []
    for part in location:
        if not (kept and kept[-1] == "model" and part in ("selector", "resolved")):
            kept.append(part)
    return tuple(kept)


def _several_types(location: Location) -> str | None:
    """What must stand there, if the location ends in the name of one of several types of one value."""
    if len(location) < 2 or location[-1] not in _TYPE_NAMES:
        return None
    keys = [part for part in location[-3:-1] if part in _OF_SEVERAL_TYPES]
    return _OF_SEVERAL_TYPES[str(keys[-1])] if keys else None


def _in_words(kind: str, message: str, value: object) -> tuple[str, str]:
    if kind == "extra_forbidden":
        return "unknown key", "Remove it, or check its spelling"
    if kind == "missing":
        return "is missing", ""
    if kind == "finite_number":
        return "must be a finite number", ""
    if kind == "string_type" and isinstance(value, int | float):
        return f"must be text, not {str(value)[:60]}", "Put it in quotes"
    if kind.startswith("uuid"):
        return f"{str(value)[:60]!r} is not a UUID", ""
    if kind == "too_short":
        return _EMPTY, ""
    if kind == "too_long":
        return message.replace("Tuple", "The list").replace(" after validation", ""), ""
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
