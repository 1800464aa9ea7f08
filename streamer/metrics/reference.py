"""Writes docs/metrics.md from the metrics themselves.

python -m streamer.metrics.reference docs/metrics.md
"""

from __future__ import annotations

import sys
from pathlib import Path

from prometheus_client.metrics_core import Metric

from streamer.metrics.worker_metrics import WorkerMetrics

LABELS = {
    "variant": "An arm of the routing, by the name that the document gives it.",
    "role": "`serving`, `shadow` or `fallback`.",
    "model": "The model version's name.",
    "version": "The model version's number.",
    "partition": "A partition of the events topic.",
    "stage": (
        "Of `streamer_stage_seconds`: `poll` (for events, so it is long when idle), `decode`, `route`, "
        "`await_predict` (what was left of the models' time), `encode`, `await_commit` (of the batch before), "
        "`publish`. Of `streamer_dead_letters_total`: `decode`, `predict`, `internal`."
    ),
    "reason": (
        "A short stable code. Of dead letters at `decode`: `tombstone`, `too_large`, `bad_magic`, `unknown_schema`, "
        "`schema_mismatch`, `truncated`, `trailing_bytes`, `bad_varint`, `bad_utf8`, ... or `MissingId`; at "
        "`predict`: `null_input`, `input_range`, `model_raised`, `output_malformed`, `output_range`, "
        "`output_not_finite`, or the name of the exception that a whole batch raised; at `internal`: `Quarantined`. "
        "Of dropped shadow answers: `busy`, `late`, `failed`, `encode`, `breaker`."
    ),
    "result": "`committed` or `aborted`.",
}
"""What the values of each label are."""

_HEAD = """\
# Metrics

Each worker serves its metrics at `http://HOST:PORT/metrics` for Prometheus; `STREAMER_HTTP__HOST` and
`STREAMER_HTTP__PORT` say where, and `streamer status` shows the address of each worker. Times are in seconds. No
label ever carries a key or an id of a record, so the number of series is bounded by the documents.

Counters of events, inferences and dead letters count what is **committed**: what a `read_committed` reader sees. Over
all workers, events = serving + fallback inferences + dead letters.

This page is written by `python -m streamer.metrics.reference docs/metrics.md`; a test compares them.

| metric | type | labels | what it says |
|---|---|---|---|
"""

_TAIL = """
## Questions and where the answer is

| question | expression |
|---|---|
| events per second | `sum(rate(streamer_events_total[1m]))` |
| share of a variant | `sum by (variant) (rate(streamer_inferences_total{role="serving"}[5m]))` over the sum of all |
| p99 to the answer | `histogram_quantile(0.99, sum by (le) (rate(streamer_event_to_output_seconds_bucket[5m])))` |
| records behind | `sum(streamer_lag_records)` |
| do all workers serve the same revision | `min(streamer_routing_revision) == max(streamer_routing_revision)` |
| bad input, by reason | `sum by (stage, reason) (rate(streamer_dead_letters_total[5m]))` |
| does the shadow keep up | `sum by (variant, reason) (rate(streamer_shadow_dropped_total[5m]))` |
| where the time goes | `sum by (stage) (rate(streamer_stage_seconds_sum[5m]))` |
"""


def reference() -> str:
    """The whole page as Markdown."""
    metrics = list(WorkerMetrics().registry.collect())
    rows = [_row(metric) for metric in sorted(metrics, key=lambda metric: metric.name)]
    labels = [f"| `{name}` | {meaning} |" for name, meaning in LABELS.items()]
    return "".join(
        (
            _HEAD,
            "\n".join(rows),
            "\n\n## Labels\n\n| label | values |\n|---|---|\n",
            "\n".join(labels),
            "\n",
            _TAIL,
        )
    )


def label_names(metric: Metric) -> tuple[str, ...]:
    """The labels that a metric was declared with."""
    return _declared_labels().get(metric.name, ())


def _declared_labels() -> dict[str, tuple[str, ...]]:
    # A metric with labels has no samples before the first value, so the declaration is asked.
    declared = {}
    for attribute in vars(WorkerMetrics()).values():
        if hasattr(attribute, "_labelnames"):
            declared[attribute._name] = tuple(attribute._labelnames)
    return declared


def _row(metric: Metric) -> str:
    # prometheus_client keeps a counter's name without the ending that its series have.
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    labels = ", ".join(f"`{label}`" for label in label_names(metric)) or "-"
    return f"| `{name}` | {metric.type} | {labels} | {metric.documentation} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
