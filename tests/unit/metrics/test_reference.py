from __future__ import annotations

from pathlib import Path

from streamer.metrics import WorkerMetrics
from streamer.metrics.reference import LABELS, label_names, reference

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_is_in_step_with_the_metrics() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "run `python -m streamer.metrics.reference docs/metrics.md` and commit the page"
    )


def test_every_metric_has_a_row_with_its_exposed_name() -> None:
    for metric in WorkerMetrics().registry.collect():
        ending = "_total" if metric.type == "counter" else ""
        assert f"| `{metric.name}{ending}` | {metric.type} |" in reference()


def test_every_label_is_explained_and_every_explained_label_exists() -> None:
    used = {label for metric in WorkerMetrics().registry.collect() for label in label_names(metric)}
    assert used == LABELS.keys()


def test_names_say_their_unit() -> None:
    for metric in WorkerMetrics().registry.collect():
        if metric.type == "histogram":
            assert metric.name.endswith(("_seconds", "_records"))
