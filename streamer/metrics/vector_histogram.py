"""A Prometheus histogram that observes a whole array in one call."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector


class VectorHistogram(Collector):
    """Counts of values in buckets, for values that come as arrays.

    Args:
        name: Metric name, with its unit.
        help_text: What it measures.
        bounds: Upper bounds of the buckets, ascending, without +Inf.
        registry: Where to register it.
    """

    def __init__(self, name: str, help_text: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._help = help_text
        self._bounds = np.asarray(bounds, np.float64)
        self._counts = np.zeros(len(bounds) + 1, np.int64)
        self._sum = 0.0
        self._lock = threading.Lock()
        registry.register(self)

    def observe(self, values: NDArray[np.float64]) -> None:
        """Adds values (n,)."""
        slots = np.searchsorted(self._bounds, values, side="left")
        counts = np.bincount(slots, minlength=len(self._counts))
        with self._lock:
            self._counts += counts
            self._sum += float(values.sum())

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """Lets the registry know the name without collecting."""
        return [HistogramMetricFamily(self._name, self._help)]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The cumulative buckets, as Prometheus wants them."""
        with self._lock:
            cumulative = np.cumsum(self._counts)
            total = self._sum
        bounds = [*self._bounds.tolist(), math.inf]
        labelled = [
            ("+Inf" if math.isinf(bound) else repr(bound), float(count))
            for bound, count in zip(bounds, cumulative, strict=True)
        ]
        family = HistogramMetricFamily(self._name, self._help)
        family.add_metric([], labelled, total)
        return [family]
