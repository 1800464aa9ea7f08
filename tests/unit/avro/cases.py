"""Generated schemas with values, and what a decoder should make of them."""

from __future__ import annotations

import io
import itertools
import struct
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import fastavro
from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
EXACT = Context(prec=100)
INT = st.integers(-(2**31), 2**31 - 1) | st.integers(-70, 70)
LONG = st.integers(-(2**63), 2**63 - 1) | st.integers(-70, 70) | st.integers(0, 2**40)
FLOAT = st.floats(width=32)
DOUBLE = st.floats() | st.sampled_from([-0.0, 1e308, float("nan"), float("inf"), 5e-324])


@dataclass(frozen=True)
class Case:
    """A schema as JSON and a strategy for its values."""

    schema: Any
    values: st.SearchStrategy[Any]


_names = itertools.count()


def _name(prefix: str) -> str:
    return f"{prefix}{next(_names)}"


def primitive(name: str) -> Case:
    values = {
        "null": st.none(),
        "boolean": st.booleans(),
        "int": INT,
        "long": LONG,
        "float": FLOAT,
        "double": DOUBLE,
        "bytes": st.binary(max_size=80),
        "string": TEXT,
    }
    return Case(name, values[name])


@st.composite
def enums(draw: st.DrawFn) -> Case:
    symbols = [f"S{i}" for i in range(draw(st.sampled_from([1, 2, 5, 70])))]
    return Case({"type": "enum", "name": _name("Enum"), "symbols": symbols}, st.sampled_from(symbols))


@st.composite
def fixeds(draw: st.DrawFn) -> Case:
    size = draw(st.sampled_from([0, 1, 3, 8, 16]))
    schema = {"type": "fixed", "name": _name("Fixed"), "size": size}
    return Case(schema, st.binary(min_size=size, max_size=size))


@st.composite
def decimals(draw: st.DrawFn) -> Case:
    precision = draw(st.integers(1, 30))
    scale = draw(st.integers(0, precision))
    schema: dict[str, Any] = {"logicalType": "decimal", "precision": precision, "scale": scale}
    if draw(st.booleans()):
        schema |= {"type": "fixed", "name": _name("Decimal"), "size": 16}
    else:
        schema |= {"type": "bytes"}
    bound = 10**precision - 1
    return Case(schema, st.integers(-bound, bound).map(lambda unscaled: Decimal(unscaled).scaleb(-scale, EXACT)))


LOGICAL = st.sampled_from(
    [
        ({"type": "long", "logicalType": "timestamp-micros"}, LONG),
        ({"type": "long", "logicalType": "timestamp-millis"}, LONG),
        ({"type": "int", "logicalType": "date"}, INT),
        ({"type": "int", "logicalType": "time-millis"}, INT),
        ({"type": "string", "logicalType": "uuid"}, st.uuids().map(str)),
    ]
).map(lambda pair: Case(*pair))

SCALARS = st.one_of(
    st.sampled_from(["boolean", "int", "long", "float", "double", "bytes", "string"]).map(primitive),
    enums(),
    fixeds(),
    decimals(),
    LOGICAL,
)


@st.composite
def nullables(draw: st.DrawFn, inner: st.SearchStrategy[Case]) -> Case:
    case = draw(inner)
    branches = ["null", case.schema] if draw(st.booleans()) else [case.schema, "null"]
    return Case(branches, st.none() | case.values)


@st.composite
def records(draw: st.DrawFn, fields: st.SearchStrategy[Case], most: int = 6) -> Case:
    cases = draw(st.lists(fields, max_size=most))
    schema = {
        "type": "record",
        "name": _name("Record"),
        "fields": [{"name": f"f{index}", "type": case.schema} for index, case in enumerate(cases)],
    }
    return Case(schema, st.fixed_dictionaries({f"f{i}": case.values for i, case in enumerate(cases)}))


@st.composite
def complexes(draw: st.DrawFn) -> Case:
    kind = draw(st.sampled_from(["array", "map", "union"]))
    if kind == "union":
        schema = ["null", "string", "long", {"type": "array", "items": "double"}]
        return Case(schema, st.one_of(st.none(), TEXT, LONG, st.lists(DOUBLE, max_size=3)))
    inner = draw(SCALARS | nullables(SCALARS) | records(nullables(SCALARS), most=2))
    if kind == "map":
        return Case({"type": "map", "values": inner.schema}, st.dictionaries(TEXT, inner.values, max_size=3))
    if _takes_nothing(inner.schema):
        inner = primitive("int")
    return Case({"type": "array", "items": inner.schema}, st.lists(inner.values, max_size=3))


def _takes_nothing(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return schema == "null"
    return schema.get("size") == 0 or (
        schema["type"] == "record" and all(_takes_nothing(field["type"]) for field in schema["fields"])
    )


FLAT = SCALARS | nullables(SCALARS) | nullables(SCALARS) | st.just(primitive("null"))
NESTED = records(FLAT, most=4)
EVENTS = records(FLAT | FLAT | NESTED | nullables(NESTED) | nullables(records(NESTED | FLAT, most=3)) | complexes())
COLUMNAR_EVENTS = records(FLAT | NESTED | nullables(NESTED))


def raw(schema: Any) -> Any:
    """The schema without its logical types but decimals: what the columns hold."""
    if isinstance(schema, list):
        return [raw(branch) for branch in schema]
    if isinstance(schema, dict):
        plain = {key: raw(value) if key in ("type", "items", "values") else value for key, value in schema.items()}
        if schema.get("logicalType") != "decimal":
            plain.pop("logicalType", None)
        if "fields" in schema:
            plain["fields"] = [{**field, "type": raw(field["type"])} for field in schema["fields"]]
        return plain
    return schema


def write(schema: Any, value: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(raw(schema)), value)
    return stream.getvalue()


def read(writer: Any, data: bytes, reader: Any = None) -> Any:
    parsed = None if reader is None else fastavro.parse_schema(raw(reader))
    return fastavro.schemaless_reader(io.BytesIO(data), fastavro.parse_schema(raw(writer)), parsed)


def flat(schema: Any, value: Any, prefix: str = "") -> dict[str, Any]:
    """A record's value under dotted names, as a row of a batch has it."""
    row = {}
    for field in schema["fields"]:
        name, kind = prefix + field["name"], field["type"]
        inner = value if value is None else value[field["name"]]
        if isinstance(kind, list) and len(kind) == 2 and "null" in kind:
            kind = next(branch for branch in kind if branch != "null")
        if isinstance(kind, dict) and kind["type"] == "record":
            row |= flat(kind, inner, f"{name}.")
        else:
            row[name] = inner
    return row


def exact(value: Any) -> Any:
    """The value in a form whose equality tells -0.0 from 0.0 and finds NaN equal to itself."""
    if isinstance(value, float):
        return "NaN" if value != value else struct.pack("<d", value)
    if isinstance(value, dict):
        return {key: exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    return type(value).__name__, value
