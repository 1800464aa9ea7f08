"""What a runtime is: the seam between an artifact format and everything else.

A new format is one module with a `Runtime`, one line in `_RUNTIMES`, and a factory in the conformance suite.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from streamer.errors import ModelInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streamer.records.model_version import Signature

OutputValues: TypeAlias = "NDArray[Any] | list[dict[Any, float]]"
"""One output for n records: an array of n rows, or for dtype ``map`` n dicts of class label to probability."""


class LoadedModel(Protocol):
    """One artifact, ready to predict."""

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""

    def predict_batch(
        self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None
    ) -> dict[str, OutputValues]:
        """The model's answers to n records. May be called from several threads at once; changes nothing.

        Args:
            inputs: Every input of the signature by name, each of n rows, with exactly its dtype (``string``: object
                arrays of str) and shape.
            outputs: Names of the outputs that are wanted. None: all.

        Returns:
            The wanted outputs by name, n rows each, as the model gave them.

        Raises:
            PredictionFailed: An input is missing, unknown or of another dtype or shape; the model raised; or it was
                closed.
        """

    def close(self) -> None:
        """Lets go of the model's memory. Calls that are under way end as usual; later ones fail. Idempotent."""


class Runtime(Protocol):
    """Executes artifacts of one format."""

    @property
    def format(self) -> str:
        """The value of `ModelVersion.format` that it stands for."""

    def load(self, artifact: bytes) -> LoadedModel:
        """Makes a model from the bytes of an artifact, running no code that the bytes bring along.

        Raises:
            ModelInvalid: The bytes are not an artifact of this format, or one that it refuses.
        """


_RUNTIMES = {"onnx": ("streamer.runtimes.onnx", "OnnxRuntime"), "river": ("streamer.runtimes.river", "RiverRuntime")}


def formats() -> list[str]:
    """The formats that have a runtime."""
    return sorted(_RUNTIMES)


def runtime_for(format: str) -> Runtime:
    """The runtime of a format; its library is imported here and not before.

    Raises:
        ModelInvalid: There is no such format.
    """
    if format not in _RUNTIMES:
        raise ModelInvalid(f"there is no runtime for the format {format!r}", advice=f"Formats: {', '.join(formats())}.")
    module, name = _RUNTIMES[format]
    return cast("Runtime", getattr(import_module(module), name)())
