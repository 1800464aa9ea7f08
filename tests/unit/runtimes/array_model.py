"""A model made of a function, and short ways to write signatures and schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamer.errors import PredictionFailed
from streamer.records.model_version import Signature, TensorSpec
from streamer.runtimes.tensor_check import checked_inputs, checked_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.runtimes.protocol import OutputValues


def spec(name: str, dtype: str, *sizes: int | None, labels: tuple[Any, ...] | None = None) -> TensorSpec:
    """An input or output of n rows, each of these sizes."""
    return TensorSpec(name=name, dtype=dtype, shape=(None, *sizes), labels=labels)


def field(avro_type: Any, **more: Any) -> dict[str, Any]:
    """A field with a default or an attribute, for `record`."""
    return {"field": {"type": avro_type, **more}}


def record(name: str = "event", **fields: Any) -> dict[str, Any]:
    """A record schema: each field an Avro type, or made with `field`."""
    return {
        "type": "record",
        "name": name,
        "fields": [
            {"name": key, **(given["field"] if isinstance(given, dict) and "field" in given else {"type": given})}
            for key, given in fields.items()
        ],
    }


class ArrayModel:
    """Answers with a function of the inputs; counts its calls."""

    def __init__(
        self,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        answer: Callable[[Mapping[str, NDArray[Any]]], dict[str, Any]],
    ) -> None:
        self.signature = Signature(inputs=tuple(inputs), outputs=tuple(outputs))
        self.calls: list[int] = []
        self.seen: Mapping[str, NDArray[Any]] = {}
        self.closed = False
        self._answer = answer

    def predict_batch(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None
    ) -> dict[str, OutputValues]:
        if self.closed:
            raise PredictionFailed("the model was closed")
        n = checked_inputs(self.signature, inputs)
        self.calls.append(n)
        self.seen = inputs
        answers = self._answer(inputs)
        return {name: answers[name] for name in checked_outputs(self.signature, outputs)}

    def close(self) -> None:
        self.closed = True
