"""Which answers of a model go into which fields, where nobody says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamer.avro.avro_types import NO_DEFAULT, Array, Enum, Primitive, Record, nullable
from streamer.avro.schema import parse_schema
from streamer.errors import ModelInvalid
from streamer.runtimes.binding import output_leaves
from streamer.runtimes.output_expression import describe_output, resolve_expression

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamer.avro.avro_types import AvroType, Field
    from streamer.records.model_version import Signature

_FLOATS = frozenset({"float", "double"})
_DISCRETE = frozenset({"string", "int", "long", "boolean"})
_AVRO_OF_DTYPE = {"string": "string", "bool": "boolean", "object": "string"}


def fit_outputs(defaults: Mapping[str, str], signature: Signature, output_schema: Mapping[str, Any]) -> dict[str, str]:
    """Spreads a model's default outputs over the fields of an output schema, where there is only one way.

    A field of the same name takes its default. For the rest, the only number goes to the only float or double field
    that is left, the label to the only text, enum, integer or boolean field, a list to the only array.

    Raises:
        ModelInvalid: There are several ways, or none.
    """
    root = parse_schema(output_schema).root
    if not isinstance(root, Record):
        raise ModelInvalid("the output schema must be a record")
    fields = dict(output_leaves(root))
    chosen = {name: expression for name, expression in defaults.items() if name in fields}
    open_fields = {name: field for name, field in fields.items() if name not in chosen}
    for name, expression in defaults.items():
        if name in chosen:
            continue
        fitting = [field for field in open_fields if _kind(open_fields[field].type) == _expected(expression, signature)]
        required = [field for field in fitting if _is_required(open_fields[field])]
        candidates = required or fitting
        if len(candidates) == 1:
            chosen[candidates[0]] = expression
            del open_fields[candidates[0]]
    left = [name for name, field in open_fields.items() if _is_required(field)]
    if left or not chosen:
        raise ModelInvalid(
            f"it is not clear what fills {', '.join(left) or 'the output schema'}",
            where="outputs",
            advice="Say so: outputs={field: expression}. The model gives "
            f"{', '.join(describe_output(spec) for spec in signature.outputs)}.",
        )
    return chosen


def schema_of_outputs(outputs: Mapping[str, str], signature: Signature) -> dict[str, Any]:
    """An output schema that takes these expressions, where no endpoint says what it is."""
    return {
        "type": "record",
        "name": "output",
        "fields": [{"name": name, "type": _avro_type(expression, signature)} for name, expression in outputs.items()],
    }


def _avro_type(expression: str, signature: Signature) -> Any:
    pick = resolve_expression(expression, signature)
    dtype = pick.spec.dtype
    if dtype == "map":
        return {"type": "map", "values": "double"} if pick.whole_row else ["double", "null"]
    name = "double" if dtype.startswith("float") else _AVRO_OF_DTYPE.get(dtype, "long")
    return {"type": "array", "items": name} if pick.whole_row else [name, "null"]


def _expected(expression: str, signature: Signature) -> str:
    pick = resolve_expression(expression, signature)
    if pick.whole_row:
        return "many"
    return "number" if pick.spec.dtype.startswith("float") or pick.spec.dtype == "map" else "discrete"


def _kind(avro_type: AvroType) -> str:
    optional = nullable(avro_type)
    inner = avro_type if optional is None else optional[1]
    if isinstance(inner, Array):
        return "many"
    if isinstance(inner, Primitive) and inner.name in _FLOATS:
        return "number"
    return "discrete" if isinstance(inner, Enum) or (isinstance(inner, Primitive) and inner.name in _DISCRETE) else ""


def _is_required(field: Field) -> bool:
    return field.default is NO_DEFAULT and nullable(field.type) is None
