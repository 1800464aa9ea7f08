"""The model that every contestant asks: 50 boosted trees, trained by scikit-learn, run by ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from streamer.records.model_version import Artifact, Mapping, ModelVersion
from streamer.runtimes.protocol import runtime_for

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.events import EventShape

TREES = 50
DEPTH = 3
_TRAINING_ROWS = 4000

OUTPUT_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Score",
    "namespace": "bench",
    "fields": [{"name": "probability", "type": "float"}, {"name": "positive", "type": "long"}],
}


@dataclass(frozen=True)
class TrainedModel:
    """An artifact on disk, and the model version that describes it to Streamer."""

    path: Path
    version: ModelVersion


def train(shape: EventShape, folder: Path, *, number: int) -> TrainedModel:
    """Trains version `number` for events of this shape; other numbers see other data."""
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingClassifier

    random = np.random.default_rng(number)
    x = random.normal(size=(_TRAINING_ROWS, len(shape.features))).astype(np.float32)
    y = (x.sum(axis=1) + random.normal(size=_TRAINING_ROWS) > 0).astype(np.int64)
    estimator = GradientBoostingClassifier(n_estimators=TREES, max_depth=DEPTH, random_state=number).fit(x, y)
    artifact = to_onnx(estimator, x[:1], options={"zipmap": False}).SerializeToString()
    path = folder / f"trees-{len(shape.fields)}-{number}.onnx"
    path.write_bytes(artifact)
    return TrainedModel(path, _version(shape, artifact, path, number))


def _version(shape: EventShape, artifact: bytes, path: Path, number: int) -> ModelVersion:
    loaded = runtime_for("onnx").load(artifact)
    signature = loaded.signature
    loaded.close()
    return ModelVersion(
        uuid=uuid5(NAMESPACE_URL, f"bench/{len(shape.fields)}/{number}"),
        name="trees",
        version=number,
        format="onnx",
        artifact=Artifact(uri=path.as_uri(), sha256=sha256(artifact).hexdigest(), size_bytes=len(artifact)),
        signature=signature,
        mapping=Mapping(
            inputs={signature.inputs[0].name: shape.features},
            nulls=dict.fromkeys(shape.nullable_features, 0.0),
            outputs={"probability": "probabilities[1]", "positive": "label"},
        ),
        created_at=datetime.now(UTC),
    )
