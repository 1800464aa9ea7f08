"""One record at a time to Avro: ten times as quick, for one, as a batch of one row would be.

Values are judged by the same rules as the columns of a batch; what writes each field is compiled once per schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.avro.avro_types import NO_DEFAULT, Array, AvroType, Map, Record, Union, nullable
from streamer.avro.defaults import default_value
from streamer.avro.leaf_encoding import ColumnEncoder, ComplexEncoder, Misfit
from streamer.avro.leaves import Leaf, root_record
from streamer.avro.limits import DEFAULT_LIMITS
from streamer.errors import EncodeError

if TYPE_CHECKING:
    from streamer.avro.schema import Schema

Write = Callable[[Any], bytes]


class RowEncoder:
    """Encodes single records of one schema.

    Args:
        schema: A record.
        prefix: The framing's bytes in front of each payload.
    """

    def __init__(self, schema: Schema, prefix: bytes = b"") -> None:
        self._write = _record_writer(root_record(schema), "")
        self._prefix = prefix

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """The payload of one record. A field that it lacks has its default.

        Raises:
            EncodeError: A field is missing, unknown, or of the wrong type; ``where`` names it.
        """
        try:
            return self._prefix + self._write(record)
        except Misfit as misfit:
            raise EncodeError(misfit.what, where=f"field {misfit.path}", advice=_ADVICE) from misfit


_ADVICE = "Correct the value, or the schema"


def as_mapping(record: Any) -> Mapping[str, Any]:
    """A mapping, a dataclass or a pydantic model as a mapping.

    Raises:
        EncodeError: It is none of them.
    """
    if isinstance(record, Mapping):
        return record
    if is_dataclass(record) and not isinstance(record, type):
        return {field.name: getattr(record, field.name) for field in fields(record)}
    if hasattr(record, "model_dump"):
        dumped: Mapping[str, Any] = record.model_dump()
        return dumped
    raise EncodeError(
        f"a {type(record).__name__} is not a record", advice="Pass a dict, a dataclass or a pydantic model"
    )


def value_at(record: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None where it, or a record on the way, is missing or null."""
    value: Any = record
    for name in path.split("."):
        if value is None:
            return None
        value = as_mapping(value).get(name)
    return value


def _writer(avro_type: AvroType, path: str) -> Write:
    branch = nullable(avro_type)
    null_index, inner = (None, avro_type) if branch is None else branch
    if isinstance(inner, Record):
        return _nested_writer(_record_writer(inner, f"{path}."), null_index, path)
    if isinstance(inner, Array | Map | Union):
        return _plain(ComplexEncoder(path, avro_type, DEFAULT_LIMITS).constant)
    return _plain(ColumnEncoder(Leaf(path, inner, null_index is not None), null_index).constant)


def _plain(write: Write) -> Write:
    """Takes numpy's scalars and arrays too."""
    return lambda value: write(value.tolist() if isinstance(value, np.generic | np.ndarray) else value)


def _nested_writer(write: Write, null_index: int | None, path: str) -> Write:
    if null_index is None:
        return write
    null, present = bytes([2 * null_index]), bytes([2 - 2 * null_index])
    return lambda value: null if value is None else present + write(value)


def _record_writer(record: Record, prefix: str) -> Write:
    names = frozenset(field.name for field in record.fields)
    steps: list[tuple[str, Write, bytes | None]] = []
    for field in record.fields:
        write = _writer(field.type, prefix + field.name)
        default = None if field.default is NO_DEFAULT else write(default_value(field.type, field.default))
        steps.append((field.name, write, default))

    def write_record(value: Any) -> bytes:
        if value is None:
            raise Misfit(prefix.rstrip("."), "null for a record that is not nullable")
        try:
            mapping = value if type(value) is dict else as_mapping(value)
        except EncodeError as error:
            raise Misfit(prefix.rstrip("."), error.what) from error
        parts = []
        for name, write, default in steps:
            if name in mapping:
                parts.append(write(mapping[name]))
            elif default is not None:
                parts.append(default)
            else:
                raise Misfit(prefix + name, "the field is missing, and the schema has no default for it")
        if not names >= mapping.keys():
            unknown = min(str(key) for key in mapping.keys() - names)
            raise Misfit(prefix + unknown, f"the schema {record.name} has no such field; it has {_listed(names)}")
        return b"".join(parts)

    return write_record


def _listed(names: frozenset[str]) -> str:
    return f"{', '.join(sorted(names)):.500}"
