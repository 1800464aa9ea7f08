"""Applying a routing really tries its models: fetched, hashed, bound to the endpoint, golden records asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.config import KafkaSettings, Settings
from streamer.control.apply import ApplyResult, Outcome, apply
from streamer.control.bootstrap import ensure_control_topics
from streamer.control.document_files import parse_documents
from streamer.kafka.log import LogWriter
from tests.support.event_feed import EVENT_SCHEMA, OUTPUT_SCHEMA
from tests.support.small_models import SmallModel, constant
from tests.unit.routing.documents_for_tests import as_json

pytestmark = pytest.mark.real

ENDPOINT: dict[str, Any] = {
    "kind": "endpoint",
    "name": "rides",
    "events": {"schema": EVENT_SCHEMA, "id": "id", "partitions": 1},
    "output": {"schema": OUTPUT_SCHEMA},
}


@pytest.fixture
def settings(broker: str, unique: str, tmp_path: Path) -> Settings:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=f"{unique}.")
    ensure_control_topics(kafka)
    return Settings(kafka=kafka, cache_dir=tmp_path / "cache")


def register(settings: Settings, folder: Path, model: SmallModel, **changes: Any) -> None:
    version = model.document(folder, **changes)
    with LogWriter(settings.kafka) as writer:
        writer.append(settings.kafka.models_topic, version["uuid"].encode(), as_json(version))


def apply_routing_of(settings: Settings, model: SmallModel) -> ApplyResult:
    routing = {
        "kind": "routing",
        "endpoint": "rides",
        "reason": "try it",
        "serve": [{"variant": "a", "model": {"name": model.name, "version": model.version}}],
    }
    documents = parse_documents(as_json(ENDPOINT)) + parse_documents(as_json(routing))
    return apply(settings, documents, author="ann", wait_seconds=0)


def reason(result: ApplyResult) -> str:
    assert [one.outcome for one in result.documents] == [Outcome.withheld, Outcome.refused]
    (problem,) = result.documents[1].problems
    assert "serve[0].model" in str(problem)
    return str(problem)


def test_a_working_model_is_published(settings: Settings, tmp_path: Path) -> None:
    register(settings, tmp_path, constant(0.5))
    result = apply_routing_of(settings, constant(0.5))
    assert [one.outcome for one in result.documents] == [Outcome.published] * 2, result


def test_an_artifact_that_changed_after_it_was_hashed_is_refused(settings: Settings, tmp_path: Path) -> None:
    register(settings, tmp_path, constant(0.5))
    (tmp_path / f"{constant(0.5).sha256}.onnx").write_bytes(constant(0.7).artifact)
    assert "sha256" in reason(apply_routing_of(settings, constant(0.5)))


def test_a_missing_artifact_is_refused(settings: Settings, tmp_path: Path) -> None:
    register(settings, tmp_path, constant(0.5))
    (tmp_path / f"{constant(0.5).sha256}.onnx").unlink()
    assert f"{constant(0.5).sha256}.onnx" in reason(apply_routing_of(settings, constant(0.5)))


def test_a_mapping_that_does_not_fit_the_events_is_refused(settings: Settings, tmp_path: Path) -> None:
    mapping = {"inputs": {"X": ["x0", "x1", "x2", "missing"]}, "outputs": {"score": "score"}}
    register(settings, tmp_path, constant(0.5), mapping=mapping)
    assert "missing" in reason(apply_routing_of(settings, constant(0.5)))


def test_a_golden_record_that_comes_out_otherwise_is_refused(settings: Settings, tmp_path: Path) -> None:
    event = {"x0": 1.0, "x1": 1.0, "x2": 1.0, "x3": 1.0}
    register(settings, tmp_path, constant(0.5), golden=[{"event": event, "output": {"score": 0.6}}])
    assert "golden" in reason(apply_routing_of(settings, constant(0.5)))
