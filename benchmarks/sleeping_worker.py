"""`streamer worker`, but one of its models sleeps a second in each batch: the one whose sha256 comes first.

Only the model is replaced, behind the runtime's own protocol; routing, threads and publishing are the worker's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from streamer.cli.app import main
from streamer.runtimes.onnx import OnnxModel, OnnxRuntime

SLEEP_SECONDS = 1.0


class SleepingModel:
    """A loaded model that takes its time."""

    def __init__(self, model: OnnxModel) -> None:
        self._model = model
        self.signature = model.signature
        self.close = model.close

    def predict_batch(self, inputs: Mapping[str, Any], outputs: Sequence[str] | None = None) -> dict[str, Any]:
        time.sleep(SLEEP_SECONDS)
        return self._model.predict_batch(inputs, outputs)


def make_sleep(artifact_sha256: str) -> None:
    """From now on, this artifact loads as a model that sleeps."""
    load = OnnxRuntime.load

    def sleepily(self: OnnxRuntime, artifact: bytes) -> Any:
        model = load(self, artifact)
        return SleepingModel(model) if sha256(artifact).hexdigest() == artifact_sha256 else model

    OnnxRuntime.load = sleepily  # type: ignore[method-assign]


if __name__ == "__main__":
    make_sleep(sys.argv.pop(1))
    main()
