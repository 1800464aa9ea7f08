"""Finding the records that make a model raise, so that one of them does not take its neighbours along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from streamer.runtimes.protocol import OutputValues
    from streamer.runtimes.rejections import Rejections

Inputs = dict[str, "NDArray[Any]"]
Outputs = dict[str, "OutputValues"]

EXTRA_CALLS = 64
"""How often a model may be asked again for one batch: enough for two bad records among 8,192."""


def predict_around_failures(
    predict: Callable[[Inputs], Outputs], inputs: Inputs, n: int, rejections: Rejections
) -> list[tuple[slice, Outputs]]:
    """The answers to n records, in parts that leave out those on which the model raises.

    A batch that raises is halved until single records are left or `EXTRA_CALLS` are spent; then what was not
    answered is rejected with the last error.

    Args:
        predict: Answers inputs, all arrays of the same number of rows.
        inputs: Arrays of n rows.
        n: The number of records.
        rejections: Gets the rows that have no answer.

    Returns:
        Rows and their outputs, in ascending order of the rows.
    """
    parts: list[tuple[slice, Outputs]] = []
    pending = [slice(0, n)]
    calls = -1
    failure = ""
    while pending:
        rows = pending.pop()
        size = rows.stop - rows.start
        if calls >= EXTRA_CALLS:
            rejections.add(range(rows.start, rows.stop), "model_raised", failure)
            continue
        calls += 1
        try:
            part = inputs if size == n else {name: array[rows] for name, array in inputs.items()}
            parts.append((rows, predict(part)))
        except Exception as error:  # a model is foreign code: anything may come out of it
            failure = f"the model raised {type(error).__name__}: {str(error)[:500]}"
            if size == 1:
                rejections.add([rows.start], "model_raised", failure)
            else:
                middle = rows.start + size // 2
                pending += [slice(middle, rows.stop), slice(rows.start, middle)]
    return parts


def merged(parts: list[tuple[slice, Outputs]]) -> Outputs:
    """The outputs of several parts, one below the other."""
    if len(parts) == 1:
        return parts[0][1]
    joined: Outputs = {}
    for name, first in parts[0][1].items():
        if isinstance(first, list):
            joined[name] = [row for _, outputs in parts for row in outputs[name]]
        else:
            joined[name] = np.concatenate([outputs[name] for _, outputs in parts])
    return joined
