"""River models, predicting only. The only module, with its unpickler, that imports river."""

from __future__ import annotations

import pickle
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from river import __version__ as _installed  # type: ignore[attr-defined]  # it is there, and not in __all__
from river import base, compose

from streamer.errors import ModelInvalid, PredictionFailed
from streamer.records.model_version import Signature, TensorSpec
from streamer.runtimes.river_container import pack, unpack
from streamer.runtimes.river_unpickler import unpickle_state
from streamer.runtimes.tensor_check import checked_inputs, checked_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.runtimes.protocol import OutputValues
    from streamer.runtimes.river_container import FeatureDtype


RIVER_VERSION: str = _installed
"""The installed version; only models that it stored are read."""

_LABEL = TensorSpec(name="label", dtype="object", shape=(None,))
_PROBABILITIES = TensorSpec(name="probabilities", dtype="map", shape=(None,))
_PREDICTION = TensorSpec(name="prediction", dtype="float64", shape=(None,))
_SCORE = TensorSpec(name="score", dtype="float64", shape=(None,))
_CLUSTER = TensorSpec(name="cluster", dtype="int64", shape=(None,))
_KINDS = (
    (base.Classifier, (_LABEL, _PROBABILITIES)),
    (base.Regressor, (_PREDICTION,)),
    (base.AnomalyDetector, (_SCORE,)),
    (base.SupervisedAnomalyDetector, (_SCORE,)),
    (base.Clusterer, (_CLUSTER,)),
)
_SEVERAL_OUTPUTS = (base.MultiLabelClassifier, base.MultiTargetRegressor)
_METHODS = {
    "label": "predict_one",
    "probabilities": "predict_proba_one",
    "prediction": "predict_one",
    "score": "score_one",
    "cluster": "predict_one",
}


def dump_river(model: Any, inputs: Mapping[str, FeatureDtype] | None = None) -> bytes:
    """The artifact of a river model.

    Args:
        model: A classifier, regressor, anomaly detector or clusterer of river, or a pipeline that ends in one.
        inputs: The features that it takes, name to ``float64``, ``int64``, ``bool`` or ``string``. None: any; their
            types are then those of the event fields.

    Raises:
        ModelInvalid: The model is of another kind, or holds something that could not be read back.
    """
    _outputs(model)
    try:
        state = pickle.dumps(model, protocol=5)
    except Exception as error:  # pickling runs the model's own code
        raise ModelInvalid(
            f"the model cannot be pickled: {error}", advice="Leave out functions and classes of your own."
        ) from error
    unpickle_state(state)
    name = f"{type(model).__module__}.{type(model).__qualname__}"
    return pack(state, RIVER_VERSION, name, None if inputs is None else dict(inputs))


class RiverRuntime:
    """Loads what `dump_river` wrote with the same version of river."""

    format: ClassVar[str] = "river"

    def load(self, artifact: bytes) -> RiverModel:
        """See `Runtime.load`."""
        header, state = unpack(artifact)
        if header.river != RIVER_VERSION:
            raise ModelInvalid(
                f"the model was stored by river {header.river}, and river {RIVER_VERSION} is installed",
                advice=f"State is not carried over between versions: install river=={header.river} here, or store "
                "the model again.",
            )
        model = unpickle_state(state)
        inputs = tuple(
            TensorSpec(name=name, dtype=dtype, shape=(None,)) for name, dtype in (header.inputs or {}).items()
        )
        return RiverModel(model, Signature(inputs=inputs, outputs=_outputs(model)))


class RiverModel:
    """One river model. Asked record by record, as river is.

    Args:
        model: The estimator.
        signature: What it takes and gives; without inputs it takes columns of any name.
    """

    def __init__(self, model: Any, signature: Signature) -> None:
        self._model = model
        self._signature = signature
        # Some models keep caches while they predict.
        self._lock = threading.Lock()

    @property
    def signature(self) -> Signature:
        """See `LoadedModel.signature`."""
        return self._signature

    def predict_batch(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None
    ) -> dict[str, OutputValues]:
        """See `LoadedModel.predict_batch`."""
        model = self._model
        if model is None:
            raise PredictionFailed("the model was closed")
        names = checked_outputs(self._signature, outputs)
        n = checked_inputs(_open(self._signature, inputs), inputs)
        columns = [array.tolist() for array in inputs.values()]
        records = [dict(zip(inputs, row, strict=True)) for row in zip(*columns, strict=True)] if columns else []
        assert len(records) == n
        specs = {spec.name: spec for spec in self._signature.outputs}
        try:
            with self._lock:
                return {name: _ask(getattr(model, _METHODS[name]), records, specs[name]) for name in names}
        except Exception as error:  # an estimator may raise anything
            raise PredictionFailed(f"river raised {type(error).__name__}: {str(error)[:300]}") from error

    def close(self) -> None:
        """See `LoadedModel.close`."""
        self._model = None


def _ask(method: Any, records: list[dict[str, Any]], spec: TensorSpec) -> OutputValues:
    # A copy each: pipelines may write into what they are given.
    answers = [method(dict(record)) for record in records]
    if spec.dtype == "map":
        return [{label: float(value) for label, value in answer.items()} for answer in answers]
    if spec.dtype == "object":
        return np.fromiter(answers, object, len(answers))
    return np.array(answers, spec.dtype)


def _open(signature: Signature, inputs: Mapping[str, NDArray[Any]]) -> Signature:
    """A signature without inputs takes any columns of one value per record."""
    if signature.inputs:
        return signature
    if not inputs:
        raise PredictionFailed("the model was given no inputs")
    specs = tuple(TensorSpec(name=name, dtype="object", shape=(None,)) for name in inputs)
    return Signature(inputs=specs, outputs=signature.outputs)


def _outputs(model: Any) -> tuple[TensorSpec, ...]:
    """What a model of its kind gives. A pipeline, or a wrapper around one, is of the kind of what stands last in it."""
    inner = model
    while isinstance(inner, compose.Pipeline | base.Wrapper):
        inner = list(inner.steps.values())[-1] if isinstance(inner, compose.Pipeline) else inner._wrapped_model
    if not isinstance(inner, _SEVERAL_OUTPUTS):
        for kind, outputs in _KINDS:
            if isinstance(inner, kind):
                return outputs
    raise ModelInvalid(
        f"{type(model).__module__}.{type(model).__qualname__} is not a river classifier, regressor, anomaly detector "
        "or clusterer with one output"
    )
