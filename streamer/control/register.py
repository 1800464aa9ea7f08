"""`streamer.register`: from an estimator in a notebook to a model version, in one call."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from streamer.avro.schema import parse_schema
from streamer.config import Settings
from streamer.control.estimator_artifact import estimator_artifact
from streamer.control.golden_choice import event_schema_of, golden_records
from streamer.control.model_versions import check_names, endpoint_document, publish, schemas_of
from streamer.control.output_choice import fit_outputs, schema_of_outputs
from streamer.control.training_columns import training_columns
from streamer.errors import ConfigurationError, ModelInvalid, SchemaError
from streamer.records.model_version import Mapping as ModelMapping
from streamer.registry.artifacts import ArtifactStore
from streamer.registry.registry import NewVersion
from streamer.runtimes.binding import BoundModel
from streamer.runtimes.field_path import parse_path
from streamer.runtimes.protocol import runtime_for

if TYPE_CHECKING:
    from streamer.control.training_columns import TrainingColumn
    from streamer.records.model_version import ModelVersion, NullPolicy

SchemaSource: TypeAlias = Mapping[str, Any] | str | Path
"""An Avro schema, or the .avsc file that holds it."""


def register(
    estimator: Any,
    X: Any,  # noqa: N803 - scikit-learn's name for it
    y: Any = None,
    *,
    name: str,
    tags: Sequence[str] = (),
    endpoint: str | None = None,
    outputs: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
    nulls: Mapping[str, NullPolicy] | None = None,
    feature_names: Sequence[str] | None = None,
    events: SchemaSource | None = None,
    output: SchemaSource | None = None,
    description: str = "",
    golden: int = 5,
    tolerance: float = 1e-4,
    max_disagreement: float = 0.001,
    settings: Settings | None = None,
) -> ModelVersion:
    """Registers a fitted scikit-learn estimator or pipeline, or a river model, as a new model version.

    A scikit-learn estimator is converted to ONNX, and its answers on `X` are compared with the ONNX form's before
    anything is stored. Stored are the artifact, its signature, the mapping from event fields to inputs and from
    outputs to the endpoint's output fields, and golden records: rows of `X` with the answers that every worker must
    find again.

        streamer.register(pipeline, X, y, name="lateness", tags=["production"], endpoint="flights")

    Args:
        estimator: Fitted. For river: a classifier, regressor, anomaly detector or clusterer.
        X: The data that it was fitted on, or a part of it: a pandas or polars frame (columns of numbers, truth values,
            text or categories), or a matrix with `feature_names`.
        y: The labels of `X`; checked against the classes of a classifier.
        name: The model's name. The version gets the next number of this name.
        tags: Put on the new version; each then means it.
        endpoint: The endpoint that it is for: the mapping is checked against its schemas.
        outputs: Field of the endpoint's output to an output of the model: ``{"late_probability": "probabilities[1]",
            "late": "label"}``. None: a classifier of two classes gives ``probability`` (of the second) and ``label``,
            one of more classes ``probabilities`` and ``label``, a regressor ``prediction``; with `endpoint` or
            `output` they are matched to its fields where there is only one way.
        fields: Column of `X` to event field path, for those whose names differ: ``{"hour": "departure.hour"}``.
        nulls: Column of `X` to what stands in for null: a value, ``"nan"`` or ``"reject"``. None: ``nan`` where `X`
            has nulls in a number column, otherwise events with a null are rejected.
        feature_names: Names of the columns of a matrix.
        events: Event schema to check against, where there is no endpoint yet: a dict or an .avsc file.
        output: Output schema, likewise.
        description: For people.
        golden: How many golden records.
        tolerance: Largest difference between estimator and ONNX that counts as the same.
        max_disagreement: Share of rows of `X` in which they may differ.
        settings: How to reach Kafka and the artifact store; None: from the environment.

    Returns:
        The model version as registered.

    Raises:
        ModelInvalid: It cannot be converted, answers otherwise than the estimator, or does not fit the endpoint.
        DocumentInvalid: There is no such endpoint.
        KafkaError: The broker does not answer or refuses.
    """
    settings = settings or Settings()
    event_schema, output_schema = _schemas(settings, endpoint, events, output)
    columns = training_columns(X, feature_names)
    paths = _paths(columns, fields or {})
    made = estimator_artifact(estimator, columns, X, y, paths, tolerance=tolerance, max_disagreement=max_disagreement)
    if outputs is None:
        outputs = made.default_outputs
        if output_schema is not None:
            outputs = fit_outputs(outputs, made.signature, output_schema)
    mapping = ModelMapping(inputs=made.inputs, nulls=_nulls(columns, paths, nulls or {}), outputs=dict(outputs))
    check_names(mapping, made.signature)
    bound = BoundModel(
        runtime_for(made.format).load(made.data),
        mapping,
        event_schema or event_schema_of(columns, paths),
        output_schema or schema_of_outputs(outputs, made.signature),
    )
    records = golden_records(columns, paths, bound, golden)
    bound.close()
    new = NewVersion(
        name=name,
        format=made.format,
        artifact=ArtifactStore(settings).put(made.data, suffix=f".{made.format}"),
        signature=made.signature,
        mapping=mapping,
        golden=records,
        description=description,
    )
    return publish(settings, new, tags)


def _schemas(
    settings: Settings, endpoint: str | None, events: SchemaSource | None, output: SchemaSource | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The event and output schemas to fit, where they are known."""
    if endpoint is None:
        return _read_schema(events), _read_schema(output)
    if events is not None or output is not None:
        raise ConfigurationError("give endpoint, or events and output, not both")
    return schemas_of(endpoint_document(settings, endpoint))


def _read_schema(source: SchemaSource | None) -> dict[str, Any] | None:
    if source is None or isinstance(source, Mapping):
        return None if source is None else dict(source)
    try:
        text = Path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise SchemaError(f"the schema cannot be read: {error.strerror}", where=str(source)) from error
    schema: dict[str, Any] = json.loads(parse_schema(text).json)
    return schema


def _paths(columns: Sequence[TrainingColumn], fields: Mapping[str, str]) -> dict[str, str]:
    """Column name to event field path."""
    names = [column.name for column in columns]
    if unknown := sorted(fields.keys() - set(names)):
        raise ModelInvalid(f"X has no column {', '.join(unknown)}", where="fields", advice=f"Columns: {names}.")
    paths = {name: fields.get(name, name) for name in names}
    odd = {name: re.sub(r"\W+", "_", path).strip("_") for name, path in paths.items() if not _is_path(path)}
    if odd:
        raise ModelInvalid(
            f"{len(odd)} columns have names that no event field can have",
            where="fields",
            advice=f"Say which fields they come from, for example fields={odd!r:.500}.",
        )
    return paths


def _nulls(
    columns: Sequence[TrainingColumn], paths: Mapping[str, str], given: Mapping[str, NullPolicy]
) -> dict[str, NullPolicy]:
    """Event field path to null policy. An estimator that has answered rows with NaN copes with them."""
    if unknown := sorted(given.keys() - paths.keys()):
        raise ModelInvalid(f"X has no column {', '.join(unknown)}", where="nulls", advice=f"Columns: {list(paths)}.")
    found: dict[str, NullPolicy] = {
        column.name: "nan" for column in columns if column.kind == "float" and column.has_null
    }
    return {paths[name]: policy for name, policy in {**found, **given}.items()}


def _is_path(text: str) -> bool:
    try:
        parse_path(text)
    except ModelInvalid:
        return False
    return True
