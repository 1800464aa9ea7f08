"""Prometheus metrics: seconds and counts, never keys or ids of records in a label."""

from streamer.metrics.vector_histogram import VectorHistogram
from streamer.metrics.worker_metrics import WorkerMetrics

__all__ = ["VectorHistogram", "WorkerMetrics"]
