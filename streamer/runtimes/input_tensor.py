"""One input of a model, gathered from a batch of events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.errors import ModelInvalid
from streamer.runtimes.field_path import resolve_path
from streamer.runtimes.input_values import REJECT, InputValues

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from streamer.avro.avro_types import AvroType
    from streamer.records.columns import FeatureBatch
    from streamer.records.model_version import NullPolicy, TensorSpec
    from streamer.runtimes.rejections import Rejections


class InputTensor:
    """Fills one input: a column per field, in the order of the fields, in one array that is allocated once a batch.

    Args:
        spec: The input as the model declares it.
        paths: The event fields.
        nulls: Field path to null policy.
        record: The type of the events.

    Raises:
        ModelInvalid: A field does not exist, does not fit the dtype, or their number is not the input's width.
    """

    def __init__(
        self, spec: TensorSpec, paths: tuple[str, ...], nulls: Mapping[str, NullPolicy], record: AvroType
    ) -> None:
        self.name = spec.name
        sources = [resolve_path(path, record) for path in paths]
        self._values = [InputValues(source, spec.dtype, nulls.get(source.path, REJECT)) for source in sources]
        self._width = sum(source.width for source in sources)
        self._dtype = np.dtype(object if spec.dtype == "string" else spec.dtype)
        self._shape = _shape(spec, self._width)

    @property
    def columns(self) -> set[str]:
        """Names of the batch's columns that it reads."""
        return {values.source.column for values in self._values}

    def gather(self, batch: FeatureBatch, rejections: Rejections) -> NDArray[Any]:
        """The input for n records, in the shape and dtype of the model; see `InputValues.fill`."""
        out = np.empty((batch.n, self._width), self._dtype)
        start = 0
        for values in self._values:
            stop = start + values.source.width
            values.fill(batch, out[:, start:stop], rejections)
            start = stop
        return out.reshape(batch.n, *self._shape)

    def zeros(self, n: int) -> NDArray[Any]:
        """The input for n records of zeros, or of empty texts."""
        fill: Any = "" if self._dtype.kind == "O" else 0
        return np.full((n, *self._shape), fill, self._dtype)


def _shape(spec: TensorSpec, width: int) -> tuple[int, ...]:
    """The sizes of the axes after the first, with the open one worked out from the number of columns."""
    sizes = list(spec.shape[1:])
    unknown = [axis for axis, size in enumerate(sizes) if size is None]
    known = math.prod(size for size in sizes if size is not None)
    if len(unknown) == 1 and known and width % known == 0:
        sizes[unknown[0]] = width // known
    elif unknown or known != width:
        wanted = f"{known} columns" if not unknown else f"the shape {spec.shape}"
        raise ModelInvalid(
            f"input {spec.name!r} has {wanted}, and the mapping gives it {width}",
            where=f"inputs.{spec.name}",
            advice="List every column of the training data, in its order.",
        )
    return tuple(size for size in sizes if size is not None)
