"""What the columns of a CSV file hold, judged by every value of its first rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from streamer.errors import ConfigurationError

MAX_ROWS = 100_000
_NULLS = frozenset({"", "na", "n/a", "nan", "null", "none"})
_BOOLEANS = frozenset({"true", "false"})
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_PADDED = re.compile(r"[-+]?0[0-9]+")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?|[-+]?inf")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ColumnType(StrEnum):
    """What all values of a column are."""

    boolean = "boolean"
    integer = "integer"
    number = "number"
    timestamp = "timestamp"
    text = "text"


@dataclass(frozen=True, slots=True)
class CsvColumn:
    """One column.

    Attributes:
        header: As it stands in the file.
        name: The same as a name that Avro admits.
        type: Text if the values agree on nothing narrower, or if there are none.
        nullable: Some value was empty.
        distinct: How many different values there were, nulls aside.
        values: How many there were, nulls aside.
        example: The first of them; empty if there is none.
    """

    header: str
    name: str
    type: ColumnType
    nullable: bool
    distinct: int
    values: int
    example: str

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value of its own."""
        return not self.nullable and self.values > 0 and self.distinct == self.values


def read_columns(path: Path, *, max_rows: int = MAX_ROWS) -> list[CsvColumn]:
    """Judges the columns by the first ``max_rows`` rows after the header.

    Raises:
        ConfigurationError: The file cannot be read, has no header or no rows, or a row has more values than the
            header; the message names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _judge(csv.reader(file), path, max_rows)
    except OSError as error:
        raise ConfigurationError(f"cannot read the file: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError("the file is not UTF-8 text", where=str(path), advice="Save it as UTF-8") from error
    except csv.Error as error:
        raise ConfigurationError(f"not CSV: {error}", where=str(path)) from error


def avro_name(header: str, taken: set[str]) -> str:
    """A header as a name that Avro admits and that is not taken yet."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", header.strip()).strip("_") or "column"
    if not _NAME.fullmatch(name):
        name = f"_{name}"
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique


def _judge(rows: Iterator[list[str]], path: Path, max_rows: int) -> list[CsvColumn]:
    headers = next(rows, None)
    if not headers or not any(header.strip() for header in headers):
        raise ConfigurationError("the file has no header", where=str(path), advice="Name the columns in its first line")
    columns: list[list[str]] = [[] for _ in headers]
    count = 0
    for line, row in enumerate(rows, start=2):
        if count == max_rows:
            break
        if not row:
            continue
        if len(row) > len(headers):
            what = f"{len(row)} values for {len(headers)} columns"
            raise ConfigurationError(what, where=f"{path}:{line}", advice="Quote values that hold commas")
        count += 1
        for column, value in zip(columns, [*row, *[""] * (len(headers) - len(row))], strict=True):
            column.append(value.strip())
    if not count:
        raise ConfigurationError("the file has no rows", where=str(path), advice="Give a few real events")
    taken: set[str] = set()
    judged = []
    for header, values in zip(headers, columns, strict=True):
        name = avro_name(header, taken)
        taken.add(name)
        judged.append(_column(header, name, values))
    return judged


def _column(header: str, name: str, values: list[str]) -> CsvColumn:
    present = [value for value in values if value.lower() not in _NULLS]
    distinct = set(present)
    return CsvColumn(
        header=header,
        name=name,
        type=_type_of(distinct),
        nullable=len(present) < len(values),
        distinct=len(distinct),
        values=len(present),
        example=present[0] if present else "",
    )


def _type_of(values: set[str]) -> ColumnType:
    if not values:
        return ColumnType.text
    if all(value.lower() in _BOOLEANS for value in values):
        return ColumnType.boolean
    if any(_PADDED.fullmatch(value) for value in values):  # 007 is a code: as a number it would lose its zeros
        return ColumnType.text
    if all(_INTEGER.fullmatch(value) for value in values):
        return ColumnType.integer
    if all(_FLOAT.fullmatch(value.lower()) for value in values):
        return ColumnType.number
    if all(_is_timestamp(value) for value in values):
        return ColumnType.timestamp
    return ColumnType.text


def _is_timestamp(value: str) -> bool:
    if len(value) < len("2026-01-01") or not value[0].isdigit():
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return "-" in value[4:8]
