"""A histogram that observes arrays counts as Prometheus's own does."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from streamer.metrics import VectorHistogram

BOUNDS = (0.125, 1.0, 2.5, 10.0)


def exposed(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if not line.startswith("# HELP") and "_created" not in line]


@given(st.lists(st.lists(st.sampled_from([-1.0, 0.0, 0.125, 0.5, 1.0, 2.5, 3.0, 10.0, 10.5, 1e9])), max_size=5))
def test_it_exposes_what_prometheus_own_histogram_would(batches: list[list[float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    vector = VectorHistogram("age_seconds", "Ages.", BOUNDS, ours)
    scalar = Histogram("age_seconds", "Ages.", buckets=BOUNDS, registry=theirs)
    for batch in batches:
        vector.observe(np.array(batch, np.float64))
        for value in batch:
            scalar.observe(value)
    assert exposed(ours) == exposed(theirs)


def test_a_second_histogram_of_the_same_name_is_refused() -> None:
    registry = CollectorRegistry()
    VectorHistogram("age_seconds", "Ages.", BOUNDS, registry)
    try:
        VectorHistogram("age_seconds", "Ages.", BOUNDS, registry)
    except ValueError as refused:
        assert "age_seconds" in str(refused)
    else:
        raise AssertionError("it was registered twice")
