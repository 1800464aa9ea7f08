"""Looking before and after: dry runs on real events, explanations and status from a real log."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import fastavro
import pytest

from streamer.avro.framing import Framing, prefix_of
from streamer.avro.schema import parse_schema
from streamer.config import KafkaSettings, Settings
from streamer.control.apply import Outcome, apply
from streamer.control.bootstrap import ensure_control_topics
from streamer.control.config_log import read_admission_or_empty
from streamer.control.document_files import AuthoredDocument, parse_documents
from streamer.control.dry_run import dry_run
from streamer.control.explain import explain
from streamer.control.status import status
from streamer.errors import DocumentInvalid, TopicProblem
from streamer.kafka.log import LogWriter
from streamer.kafka.topics import TopicAdmin
from streamer.records.model_version import ModelVersion
from streamer.records.worker_status import WorkerState, WorkerStatus
from tests.unit.routing.documents_for_tests import EVENT_SCHEMA, arm, as_json, endpoint, routing

pytestmark = pytest.mark.real


@pytest.fixture
def settings(broker: str, unique: str, tmp_path: Path) -> Settings:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=f"{unique}.")
    return Settings(kafka=kafka, cache_dir=tmp_path / "cache")


def sound(version: ModelVersion, events: dict[str, Any], output: dict[str, Any]) -> None:
    """Stands in for trying the artifact, which other tests do."""


def own_endpoint(settings: Settings) -> dict[str, Any]:
    document = endpoint()
    del document["topics"], document["output"]["topic"]
    return {**document, "events": {**document["events"], "topic": f"{settings.kafka.topic_prefix}in", "partitions": 2}}


def authored(*documents: dict[str, Any]) -> list[AuthoredDocument]:
    return [one for document in documents for one in parse_documents(as_json(document))]


def apply_all(settings: Settings, *documents: dict[str, Any]) -> None:
    result = apply(settings, authored(*documents), author="ann", check_model=sound, wait_seconds=0)
    assert result.succeeded, result


def send_events(settings: Settings, n: int) -> None:
    schema = parse_schema(json.dumps(EVENT_SCHEMA))
    prefix = prefix_of(Framing.SINGLE_OBJECT, schema, None)
    parsed = fastavro.parse_schema(json.loads(json.dumps(EVENT_SCHEMA)))
    records = []
    for number in range(n):
        event = {
            "flight_id": f"f{number}", "departed_at": 1_357_000_000_000 + number, "tail_number": f"N{number % 200}",
            "origin": "JFK" if number % 200 < 50 else "EWR", "dest": "LAX", "hour": number % 24, "is_holiday": False,
            "distance": 100.0, "carrier": "AA", "plane": None, "tags": ["x"],
        }  # fmt: skip
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, parsed, event)
        records.append((event["tail_number"].encode(), prefix + buffer.getvalue()))
    with LogWriter(settings.kafka) as writer:
        writer.append_many(f"{settings.kafka.topic_prefix}in", [*records, (b"bad", b"not avro"), (b"none", None)])


def test_a_dry_run_changes_nothing_and_says_what_would_happen(settings: Settings) -> None:
    first, second = dry_run(settings, authored(own_endpoint(settings), routing()), author="ann", check_model=sound)
    assert (first.key, first.outcome, first.current_revision) == ("endpoint/flights", Outcome.published, None)
    assert first.topics is not None
    assert len(first.topics.create) == 4
    assert second.routing is not None
    assert (second.routing.sample, second.routing.moved_users) == ("made-up keys", None)
    assert TopicAdmin(settings.kafka).describe([spec.name for spec in first.topics.create]) == {}
    assert read_admission_or_empty(settings.kafka).keys() == []


def test_a_dry_run_routes_the_newest_real_events(settings: Settings) -> None:
    apply_all(settings, own_endpoint(settings), routing())
    send_events(settings, 1_000)
    segments = [{"match": {"origin": "JFK"}, "serve": [arm("jfk", 3)]}]
    (planned,) = dry_run(settings, authored(routing(segments=segments)), author="ann", check_model=sound)
    preview = planned.routing
    assert preview is not None
    assert (preview.sample, preview.events, preview.users, preview.moved_users) == ("recent events", 1_000, 200, 50)
    assert [(part.match, part.events) for part in preview.parts] == [({}, 750), ({"origin": "JFK"}, 250)]
    assert any("segments[origin='JFK'].jfk" in change.path for change in planned.changes)
    (again,) = dry_run(settings, authored(routing(reason="other")), author="bob", check_model=sound)
    assert (again.outcome, again.changes, again.current_revision) == (Outcome.unchanged, (), 1)


def test_a_dry_run_tells_problems(settings: Settings) -> None:
    (planned,) = dry_run(settings, authored(routing()), author="ann", check_model=sound)
    assert planned.outcome is Outcome.refused
    assert "there is no endpoint flights" in str(planned.problems[0])


def test_explanations_follow_the_revision(settings: Settings) -> None:
    apply_all(settings, own_endpoint(settings), routing(salt="one"))
    apply_all(settings, routing(salt="two"))
    newest, first = (explain(settings.kafka, "flights", "N1", revision=revision) for revision in (None, 1))
    assert (newest.revision, newest.salt, first.revision, first.salt) == (2, "two", 1, "one")
    assert newest.hash_hex != first.hash_hex
    with pytest.raises(DocumentInvalid, match="Did you mean routing/flights"):
        explain(settings.kafka, "flight", "N1")


def test_the_status_shows_workers_revisions_and_lag(settings: Settings) -> None:
    apply_all(settings, own_endpoint(settings), routing())
    send_events(settings, 100)
    say(settings, slot=0, routing_revision=1)
    say(settings, slot=1, routing_revision=None, at=time.time() - 1_000)
    say(settings, slot=2, routing_revision=1, state=WorkerState.stopped, at=time.time() - 100_000)
    with LogWriter(settings.kafka) as writer:
        writer.append(settings.kafka.status_topic, b"flights/9", b"not a status")
    (one,) = status(settings.kafka, "flights")
    assert [(view.status.slot, view.alive) for view in one.workers] == [(0, True), (1, False)]
    assert (one.endpoint_revision, one.routing_revision, one.routing_author) == (1, 1, "ann")
    assert one.up_to_date
    assert (one.lag, len(one.partitions)) == (102, 2)
    assert all(partition.committed is None for partition in one.partitions)
    assert [each.endpoint for each in status(settings.kafka)] == ["flights"]
    with pytest.raises(DocumentInvalid, match="There are: flights"):
        status(settings.kafka, "other")


def test_before_anything_is_applied_the_advice_is_to_apply(settings: Settings) -> None:
    with pytest.raises(TopicProblem, match="streamer apply FILE"):
        status(settings.kafka)


def test_control_topics_are_created_once(settings: Settings) -> None:
    assert len(ensure_control_topics(settings.kafka)) == 3
    assert ensure_control_topics(settings.kafka) == []


def say(settings: Settings, *, slot: int, at: float | None = None, **changes: Any) -> None:
    """A status as a worker would publish it."""
    record = WorkerStatus(
        worker=f"flights/{slot}", endpoint="flights", slot=slot, instance=uuid4(), host="h", pid=1, version="0",
        state=changes.pop("state", WorkerState.serving), at=at or time.time(), started_at=0.0, heartbeat_seconds=30.0,
        **changes,
    )  # fmt: skip
    with LogWriter(settings.kafka) as writer:
        value = record.model_dump_json().encode()
        writer.append(settings.kafka.status_topic, record.worker.encode(), value)
