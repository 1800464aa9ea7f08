"""A model bound to an endpoint: event columns in, columns of the endpoint's output record out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from streamer.avro.avro_types import NO_DEFAULT, Record, describe, nullable
from streamer.avro.defaults import default_value
from streamer.avro.schema import Schema, parse_schema
from streamer.errors import ModelInvalid, PredictionFailed
from streamer.records.columns import ConstantColumn
from streamer.records.model_version import TensorSpec
from streamer.runtimes.failure_isolation import merged, predict_around_failures
from streamer.runtimes.field_path import resolve_path
from streamer.runtimes.input_tensor import InputTensor
from streamer.runtimes.input_values import natural_dtype
from streamer.runtimes.output_expression import resolve_expression
from streamer.runtimes.output_field import OutputField
from streamer.runtimes.rejections import Rejections

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from streamer.avro.avro_types import AvroType, Field
    from streamer.records.columns import Column, FeatureBatch
    from streamer.records.model_version import Mapping as ModelMapping
    from streamer.runtimes.failure_isolation import Outputs
    from streamer.runtimes.protocol import LoadedModel

SchemaLike: TypeAlias = "Schema | Mapping[str, Any] | str"
"""An Avro schema: parsed, or its JSON as an object or text."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answers to a batch of n records.

    Attributes:
        columns: Dotted name of each field of the output record to a column of n rows. Rows that failed hold
            something harmless.
        failed: Shape (n,), True for the rows that have no answer.
        reasons: Row to (code, message), for every failed row; see `Rejections` for the codes.
    """

    columns: dict[str, Column]
    failed: NDArray[np.bool_]
    reasons: dict[int, tuple[str, str]]


class BoundModel:
    """A loaded model with its mapping compiled against an endpoint's schemas.

    `predict` may be called from several threads at once. It allocates per batch and keeps nothing.

    Args:
        model: The model; the binding owns it from here on.
        mapping: How events become inputs and outputs the output record.
        event_schema: The endpoint's events, a record.
        output_schema: The endpoint's output, a record. A field may say ``"allow_nan": true``.

    Raises:
        ModelInvalid: Something does not fit; the message names the field, what is there and what is needed.
        SchemaError: A schema is malformed.
    """

    def __init__(
        self, model: LoadedModel, mapping: ModelMapping, event_schema: SchemaLike, output_schema: SchemaLike
    ) -> None:
        self._model = model
        self._event_type = _record(event_schema, "event")
        self._inputs = _bind_inputs(model, mapping, self._event_type)
        self._fields, self._constants = _bind_outputs(model, mapping, _schema(output_schema))
        self._wanted = list(dict.fromkeys(field.pick.spec.name for field in self._fields))

    @property
    def model(self) -> LoadedModel:
        """The model that answers."""
        return self._model

    @property
    def event_columns(self) -> frozenset[str]:
        """Dotted names of the batch's columns that `predict` reads."""
        return frozenset().union(*(tensor.columns for tensor in self._inputs))

    @property
    def event_type(self) -> Record:
        """The type of the events that it was bound to."""
        return self._event_type

    def predict(self, batch: FeatureBatch) -> Prediction:
        """Answers n records.

        It does not raise for anything that the model or the events do: the rows concerned fail with a reason. A
        model that raises is asked again for parts of the batch, a bounded number of times, so that one record does
        not fail its neighbours.
        """
        rejections = Rejections(batch.n)
        inputs = {tensor.name: tensor.gather(batch, rejections) for tensor in self._inputs}
        return self._answer(inputs, batch.n, rejections)

    def predict_zeros(self, n: int) -> Prediction:
        """The answers to n rows of zeros and empty texts: shows whether the model runs at all, and warms it."""
        return self._answer({tensor.name: tensor.zeros(n) for tensor in self._inputs}, n, Rejections(n))

    def close(self) -> None:
        """Lets go of the model."""
        self._model.close()

    def _answer(self, inputs: dict[str, NDArray[Any]], n: int, rejections: Rejections) -> Prediction:
        good = np.arange(n) if not rejections.reasons else np.flatnonzero(~rejections.failed)
        if len(good) < n:
            inputs = {name: array[good] for name, array in inputs.items()}
        asked = Rejections(len(good))
        parts = predict_around_failures(self._ask, inputs, len(good), asked) if len(good) else []
        if asked.reasons and parts:
            answered = np.concatenate([np.arange(rows.start, rows.stop) for rows, _ in parts])
        else:
            answered = np.arange(len(good) if parts else 0)
        for row, (code, message) in asked.reasons.items():
            rejections.add([int(good[row])], code, message)
        columns = self._convert(merged(parts) if parts else {}, good[answered], n, rejections)
        return Prediction(columns, rejections.failed, rejections.reasons)

    def _ask(self, inputs: dict[str, NDArray[Any]]) -> Outputs:
        return self._model.predict_batch(inputs, self._wanted)

    def _convert(self, outputs: Outputs, rows: NDArray[np.int64], n: int, rejections: Rejections) -> dict[str, Column]:
        """The output columns, of n rows, from answers to the given rows of the batch."""
        refused = Rejections(len(rows))
        columns: dict[str, Column] = {name: ConstantColumn(value, n) for name, value in self._constants.items()}
        try:
            converted = {
                field.name: field.column(outputs[field.pick.spec.name], len(rows), refused)
                for field in self._fields
                if len(rows)
            }
        except PredictionFailed as failure:
            rejections.add(rows.tolist(), "output_malformed", failure.what)
            converted = {}
        for row, (code, message) in refused.reasons.items():
            rejections.add([int(rows[row])], code, message)
        if not converted:
            return columns | {field.name: ConstantColumn(None, n) for field in self._fields}
        if len(rows) == n:
            return columns | converted
        places = np.zeros(n, np.int64)
        places[rows] = np.arange(len(rows))
        return columns | {name: column.take(places) for name, column in converted.items()}


def _bind_inputs(model: LoadedModel, mapping: ModelMapping, events: Record) -> list[InputTensor]:
    specs = {spec.name: spec for spec in model.signature.inputs}
    if specs and mapping.inputs.keys() != specs.keys():
        missing = sorted(specs.keys() - mapping.inputs.keys())
        unknown = sorted(mapping.inputs.keys() - specs.keys())
        what = [f"inputs without a field: {', '.join(missing)}"] if missing else []
        what += [f"no inputs of the model: {', '.join(unknown)}"] if unknown else []
        raise ModelInvalid(
            f"the mapping does not fit the model; {'; '.join(what)}",
            where="inputs",
            advice=f"The model takes: {', '.join(specs)}.",
        )
    tensors = []
    for name, fields in mapping.inputs.items():
        paths = (fields,) if isinstance(fields, str) else tuple(fields)
        if not paths:
            raise ModelInvalid("an input needs at least one field", where=f"inputs.{name}")
        spec = specs.get(name) or _spec_from_field(name, paths, events)
        tensors.append(InputTensor(spec, paths, mapping.nulls, events))
    used = {path for fields in mapping.inputs.values() for path in ((fields,) if isinstance(fields, str) else fields)}
    if unused := sorted(mapping.nulls.keys() - used):
        raise ModelInvalid(
            f"a null policy for what is no input: {', '.join(unused)}", where="nulls", advice="Correct its name."
        )
    return tensors


def _spec_from_field(name: str, paths: tuple[str, ...], events: Record) -> TensorSpec:
    """The input of a model that takes any: one column, as its field is."""
    if len(paths) > 1:
        raise ModelInvalid(
            "this model takes one field per input", where=f"inputs.{name}", advice="Map every feature by its name."
        )
    source = resolve_path(paths[0], events)
    return TensorSpec(name=name, dtype=natural_dtype(source.type), shape=(None,))


def _bind_outputs(
    model: LoadedModel, mapping: ModelMapping, schema: Schema
) -> tuple[list[OutputField], dict[str, Any]]:
    """The fields that the model fills, and the constants of those that it does not."""
    root = schema.root
    if not isinstance(root, Record):
        raise ModelInvalid(f"the output schema must be a record, and is {describe(root)}")
    nan_allowed = set(_nan_allowed(json.loads(schema.json), ""))
    leaves = dict(output_leaves(root))
    if unknown := sorted(mapping.outputs.keys() - leaves.keys()):
        raise ModelInvalid(
            f"the output schema has no field {', '.join(unknown)}",
            where="outputs",
            advice=f"Fields: {', '.join(leaves)}.",
        )
    fields, constants = [], {}
    for name, field in leaves.items():
        expression = mapping.outputs.get(name)
        if expression is not None:
            pick = resolve_expression(expression, model.signature)
            fields.append(OutputField(name, field.type, name in nan_allowed, pick))
        elif field.default is not NO_DEFAULT:
            constants[name] = default_value(field.type, field.default)
        elif nullable(field.type) is not None:
            constants[name] = None
        else:
            raise ModelInvalid(
                f"nothing fills the field {name!r} of the output schema",
                where="outputs",
                advice="Map an output of the model to it, or give the field a default.",
            )
    return fields, constants


def output_leaves(record: Record, prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Dotted name and field of everything that a mapping can fill in an output record."""
    for field in record.fields:
        if isinstance(field.type, Record):
            yield from output_leaves(field.type, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field


def _nan_allowed(record: Any, prefix: str) -> Iterator[str]:
    """Dotted names of the fields that say ``"allow_nan": true``."""
    for field in record["fields"]:
        name = f"{prefix}{field['name']}"
        if field.get("allow_nan") is True:
            yield name
        inner = field["type"]
        if isinstance(inner, dict) and inner.get("type") == "record":
            yield from _nan_allowed(inner, f"{name}.")


def _schema(schema: SchemaLike) -> Schema:
    return schema if isinstance(schema, Schema) else parse_schema(schema)


def _record(schema: SchemaLike, what: str) -> Record:
    root: AvroType = _schema(schema).root
    if not isinstance(root, Record):
        raise ModelInvalid(f"the {what} schema must be a record, and is {describe(root)}")
    return root
