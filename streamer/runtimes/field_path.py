"""Paths to values inside an event, and what they lead to in a schema.

distance              a field
address.city          a field of a nested record
readings[0]           an item of an array
embedding[0:128]      128 items of an array, as as many columns
attributes["colour"]  the value under a key of a map
legs[0].carrier       they combine
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from streamer.avro.avro_types import Array, Field, Map, Record, Union, describe, nullable
from streamer.errors import ModelInvalid

if TYPE_CHECKING:
    from streamer.avro.avro_types import AvroType

MAX_SLICE = 100_000


@dataclass(frozen=True, slots=True)
class Key:
    """The value under this key of a map."""

    text: str


@dataclass(frozen=True, slots=True)
class Slice:
    """The items of an array from `start` up to, not including, `stop`."""

    start: int
    stop: int


Step: TypeAlias = str | int | Slice | Key

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | \[(?P<start>\d{1,9}):(?P<stop>\d{1,9})\]
      | \[(?P<index>\d{1,9})\]
      | \[(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)')\]""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class FieldSource:
    """Where the values of a path are found in a batch, and what they are.

    Attributes:
        path: The path as it was written.
        column: Dotted name of the batch's column.
        steps: What to do with each of its values; empty: the column's values are meant.
        type: The Avro type of one value, without null.
        nullable: Whether a value can be null or missing.
        width: The number of columns that it makes: 1, or the length of a slice.
    """

    path: str
    column: str
    steps: tuple[Step, ...]
    type: AvroType
    nullable: bool
    width: int


def parse_path(path: str) -> tuple[Step, ...]:
    """The steps of a path.

    Raises:
        ModelInvalid: It is not a path.
    """
    first = _NAME.match(path)
    if first is None:
        raise _malformed(path)
    steps: list[Step] = [first[0]]
    position = first.end()
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None or isinstance(steps[-1], Slice):
            raise _malformed(path)
        steps.append(_step(match, path))
        position = match.end()
    return tuple(steps)


def resolve_path(path: str, record: AvroType) -> FieldSource:
    """What a path leads to in records of this type.

    Raises:
        ModelInvalid: It leads nowhere; the message names the nearest place that exists.
    """
    names: list[str] = []
    inner: list[Step] = []
    may_be_null = False
    here = record
    for step in parse_path(path):
        here, reached_null = _without_null(here)
        may_be_null |= reached_null
        follows, can_miss = _follow(step, here, path)
        if isinstance(step, str) and not inner:
            names.append(step)
        else:
            inner.append(step)
        may_be_null |= can_miss
        here = follows
    here, reached_null = _without_null(here)
    last = inner[-1] if inner else None
    width = last.stop - last.start if isinstance(last, Slice) else 1
    return FieldSource(path, ".".join(names), tuple(inner), here, may_be_null or reached_null, width)


def value_at(value: Any, steps: tuple[Step, ...]) -> Any:
    """Follows the steps inside one Python value; None where something is null or missing on the way."""
    for step in steps:
        if value is None:
            return None
        if isinstance(step, Key):
            value = value.get(step.text)
        elif isinstance(step, str):
            value = value.get(step)
        elif isinstance(step, Slice):
            value = value[step.start : step.stop]
        else:
            value = value[step] if step < len(value) else None
    return value


def _step(match: re.Match[str], path: str) -> Step:
    if match["name"] is not None:
        return match["name"]
    if match["index"] is not None:
        return int(match["index"])
    if match["start"] is None:
        return Key(match["double"] if match["double"] is not None else match["single"])
    start, stop = int(match["start"]), int(match["stop"])
    if not start < stop <= start + MAX_SLICE:
        raise ModelInvalid(f"the slice in {path!r} must take 1 to {MAX_SLICE} items", where=path)
    return Slice(start, stop)


def _without_null(avro_type: AvroType) -> tuple[AvroType, bool]:
    optional = nullable(avro_type)
    if optional is not None:
        return optional[1], True
    if isinstance(avro_type, Union):
        return avro_type, any(describe(branch) == "null" for branch in avro_type.branches)
    return avro_type, False


def _follow(step: Step, here: AvroType, path: str) -> tuple[AvroType, bool]:
    """The type behind one step, and whether it can be missing although the schema knows it."""
    if isinstance(step, str):
        return _field(step, here, path).type, False
    if isinstance(step, Key):
        if not isinstance(here, Map):
            raise ModelInvalid(f'["{step.text}"] needs a map, and there is {_article(here)}', where=path)
        return here.values, True
    if not isinstance(here, Array):
        raise ModelInvalid(f"an index needs an array, and there is {_article(here)}", where=path)
    return here.items, True


def _field(name: str, here: AvroType, path: str) -> Field:
    if not isinstance(here, Record):
        raise ModelInvalid(f"{name!r} would be a field, but there is {_article(here)}", where=path)
    for field in here.fields:
        if field.name == name:
            return field
    known = ", ".join(field.name for field in here.fields)
    raise ModelInvalid(f"the event schema has no field {name!r}", where=path, advice=f"Fields of {here.name}: {known}.")


def _article(avro_type: AvroType) -> str:
    text = describe(avro_type)
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def _malformed(path: str) -> ModelInvalid:
    return ModelInvalid(
        f"{path!r} is not a field path",
        where=path,
        advice='Write it as: distance, address.city, readings[0], embedding[0:128] or attributes["colour"].',
    )
