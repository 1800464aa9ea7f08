"""Making a model version ready to serve: load, bind, warm, and check its golden records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamer.errors import ModelInvalid
from streamer.runtimes.binding import BoundModel
from streamer.runtimes.golden import check_golden, golden_batch
from streamer.runtimes.protocol import runtime_for

if TYPE_CHECKING:
    from streamer.records.model_version import ModelVersion, Signature
    from streamer.runtimes.binding import SchemaLike

WARM_RECORDS = 1024


def prepare(
    version: ModelVersion,
    artifact: bytes,
    event_schema: SchemaLike,
    output_schema: SchemaLike,
    *,
    warm_records: int = WARM_RECORDS,
) -> BoundModel:
    """A model version that is ready to answer an endpoint's events.

    Args:
        version: What the registry says of it.
        artifact: Its bytes, which have the sha256 that the version names.
        event_schema: The endpoint's events.
        output_schema: The endpoint's output.
        warm_records: The size of the batch that it is warmed with.

    Raises:
        ModelInvalid: The artifact does not load or has another signature, the mapping does not fit, the model fails,
            or a golden record's answer differs.
        SchemaError: A schema is malformed.
    """
    where = f"{version.name} version {version.version}"
    model = runtime_for(version.format).load(artifact)
    try:
        _check_signature(version.signature, model.signature)
        bound = BoundModel(model, version.mapping, event_schema, output_schema)
        if version.golden:
            _check_with_golden(bound, version, warm_records)
        else:
            _check_with_zeros(bound, warm_records)
    except ModelInvalid as error:
        model.close()
        place = f"{where}, {error.where}" if error.where else where
        raise ModelInvalid(error.what, where=place, advice=error.advice) from error
    except BaseException:
        model.close()
        raise
    return bound


def _check_with_golden(bound: BoundModel, version: ModelVersion, warm_records: int) -> None:
    events = golden_batch(version.golden, bound.event_type, bound.event_columns)
    check_golden(version.golden, bound.predict(events))
    bound.predict(events.take(np.arange(warm_records) % events.n))


def _check_with_zeros(bound: BoundModel, warm_records: int) -> None:
    for n in (1, warm_records):
        prediction = bound.predict_zeros(n)
        broken = [
            message for code, message in prediction.reasons.values() if code in ("model_raised", "output_malformed")
        ]
        if broken:
            raise ModelInvalid(
                f"asked with zeros and empty texts, {broken[0]}",
                advice="If such an input is none of its kind, give the version golden records: they are asked instead.",
            )


def _check_signature(registered: Signature, found: Signature) -> None:
    if registered != found:
        raise ModelInvalid(
            "the artifact has another signature than the version says",
            where="signature",
            advice="Register the artifact again: the signature is read from it.",
        )
