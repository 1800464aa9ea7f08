"""Documents on a real log: applied, refused, raced for, rolled back, deleted."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from streamer.config import KafkaSettings, Settings
from streamer.control.apply import ApplyResult, Outcome, Progress, apply
from streamer.control.bootstrap import ensure_control_topics
from streamer.control.config_log import publish, read_admission
from streamer.control.delete import delete
from streamer.control.document_files import AuthoredDocument, load_documents, parse_documents
from streamer.control.get import get, list_documents
from streamer.control.history import history
from streamer.control.model_sources import read_catalogue
from streamer.control.resolve import resolve
from streamer.control.rollback import rollback
from streamer.control.worker_answers import AnswerState
from streamer.errors import DocumentInvalid, ModelInvalid, TopicProblem
from streamer.kafka.log import LogWriter
from streamer.kafka.topics import TopicAdmin, TopicSpec
from streamer.records.model_version import ModelVersion
from streamer.records.worker_status import RefusedRouting, WorkerState, WorkerStatus
from streamer.routing.admission import Admitted, Refused
from tests.unit.routing.documents_for_tests import (
    EVENT_SCHEMA,
    OUTPUT_SCHEMA,
    as_json,
    endpoint,
    model_version,
    routing,
    uuid_of,
)

pytestmark = pytest.mark.real

ENDPOINT_YAML = """\
kind: endpoint
name: flights
events: {schema: departure.avsc, id: flight_id, time: departed_at, bucket_by: tail_number, partitions: 3}
output: {schema: lateness.avsc}
"""
ROUTING_YAML = """\
kind: routing
endpoint: flights
reason: first
salt: late-1
serve:
  - {variant: champion, model: {tag: production}, weight: 95}
  - {variant: canary, model: {name: lateness, version: 2}, weight: 5}
"""


@pytest.fixture
def settings(broker: str, unique: str, tmp_path: Path) -> Settings:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=f"{unique}.")
    return Settings(kafka=kafka, cache_dir=tmp_path / "cache")


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    """A folder with schemas; model versions 1 and 2 are registered, 1 with the tag production."""
    (tmp_path / "departure.avsc").write_text(json.dumps(EVENT_SCHEMA))
    (tmp_path / "lateness.avsc").write_text(json.dumps(OUTPUT_SCHEMA))
    ensure_control_topics(settings.kafka)
    with LogWriter(settings.kafka) as writer:
        records = [(uuid_of(n).encode(), as_json(model_version(n))) for n in (1, 2, 3)]
        writer.append_many(settings.kafka.models_topic, records)
        tag(writer, settings, 1)
    return tmp_path


def tag(writer: LogWriter, settings: Settings, number: int) -> None:
    move = as_json({"uuid": uuid_of(number), "at": "2026-01-01T00:00:00Z"})
    writer.append(settings.kafka.models_topic, b"tag/production", move)


def sound(version: ModelVersion, events: dict[str, Any], output: dict[str, Any]) -> None:
    """Stands in for trying the artifact, which other tests do."""


def written(folder: Path, text: str, name: str = "flights.yaml") -> list[AuthoredDocument]:
    (folder / name).write_text(text)
    return load_documents(folder / name)


def apply_text(settings: Settings, folder: Path, text: str, **more: Any) -> ApplyResult:
    return apply(settings, written(folder, text), author="ann", **{"check_model": sound, "wait_seconds": 0, **more})


def reasons(result: ApplyResult) -> str:
    return "\n".join(str(problem) for document in result.documents for problem in document.problems)


def applied(settings: Settings, folder: Path) -> None:
    assert apply_text(settings, folder, f"{ENDPOINT_YAML}---\n{ROUTING_YAML}").succeeded


def test_endpoint_and_routing_of_one_file_are_published_resolved(settings: Settings, folder: Path) -> None:
    heard: list[Progress] = []
    result = apply_text(settings, folder, f"{ROUTING_YAML}---\n{ENDPOINT_YAML}", progress=heard.append)
    assert [(one.key, one.outcome, one.revision) for one in result.documents] == [
        ("endpoint/flights", Outcome.published, 1),
        ("routing/flights", Outcome.published, 1),
    ], reasons(result)
    admission = read_admission(settings.kafka)
    routed = admission.routing("flights")
    assert routed is not None
    assert [arm.model.uuid for arm in routed.document.serve] == [UUID(int=1), UUID(int=2)]
    assert [version.version for version in routed.document.models] == [1, 2]
    assert (routed.author, routed.document.based_on) == ("ann", 0)
    prefix = settings.kafka.topic_prefix
    described = TopicAdmin(settings.kafka).describe(result.documents[0].created_topics)
    assert {name: topic.partitions for name, topic in described.items()} == {
        f"{prefix}flights.{what}": 3 for what in ("events", "inferences", "shadow", "dead-letters")
    }
    assert "publishing" in {progress.what for progress in heard}
    assert any("validating lateness version 2" in progress.what for progress in heard)


def test_applying_the_same_file_again_is_unchanged_whoever_does_it_and_why(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    again = apply_text(settings, folder, f"{ENDPOINT_YAML}---\n{ROUTING_YAML.replace('first', 'another reason')}")
    assert [(one.outcome, one.revision) for one in again.documents] == [(Outcome.unchanged, 1)] * 2
    assert again.succeeded
    assert len(history(settings.kafka, "routing/flights")) == 1


def test_a_moved_tag_changes_nothing_until_the_next_apply(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    with LogWriter(settings.kafka) as writer:
        tag(writer, settings, 3)
    before = read_admission(settings.kafka).routing("flights")
    assert before is not None
    assert before.document.serve[0].model.uuid == UUID(int=1)
    (result,) = apply_text(settings, folder, ROUTING_YAML).documents
    assert (result.outcome, result.revision, result.rollback_to) == (Outcome.published, 2, 1)
    after = read_admission(settings.kafka).routing("flights")
    assert after is not None
    assert after.document.serve[0].model.uuid == UUID(int=3)


def test_an_unresolved_document_from_a_plain_producer_is_refused_with_the_way_out(
    settings: Settings, folder: Path
) -> None:
    applied(settings, folder)
    document = {
        "kind": "routing",
        "endpoint": "flights",
        "reason": "by kcat",
        "based_on": 1,
        "serve": [{"variant": "a", "model": {"tag": "production"}}],
    }
    with LogWriter(settings.kafka) as writer:
        writer.append(settings.kafka.config_topic, b"routing/flights", as_json(document))
    entry = history(settings.kafka, "routing/flights")[-1]
    assert (entry.outcome, entry.revision, entry.based_on) == ("refused", None, 1)
    assert "streamer resolve FILE" in entry.text


def test_a_resolved_document_from_a_plain_producer_is_admitted(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    (authored,) = written(folder, ROUTING_YAML.replace("weight: 5", "weight: 10"))
    resolved = resolve(
        authored,
        catalogue=read_catalogue(settings.kafka),
        admission=read_admission(settings.kafka),
        topic_prefix=settings.kafka.topic_prefix,
        author="kcat",
    )
    with LogWriter(settings.kafka) as writer:
        value = resolved.model_dump_json(by_alias=True).encode()
        writer.append(settings.kafka.config_topic, b"routing/flights", value)
    newest = get(settings.kafka, "routing/flights")
    assert (newest.revision, newest.author) == (2, "kcat")


def test_of_two_racing_appliers_one_wins_and_the_other_is_told(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    meeting = threading.Barrier(2, timeout=60)

    def meet(version: ModelVersion, events: dict[str, Any], output: dict[str, Any]) -> None:
        if version.version == 1:  # both have read the log, neither has published
            meeting.wait()

    results: list[ApplyResult] = []

    def race(weight: int) -> None:
        name, text = f"{weight}.yaml", ROUTING_YAML.replace("weight: 5", f"weight: {weight}")
        documents = written(folder, text, name)
        results.append(apply(settings, documents, author=f"w{weight}", check_model=meet, wait_seconds=0))

    threads = [threading.Thread(target=race, args=(weight,)) for weight in (10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    outcomes = sorted(result.documents[0].outcome for result in results)
    assert outcomes == [Outcome.published, Outcome.refused]
    loser = next(result for result in results if not result.succeeded)
    assert "somebody else changed it at the same moment" in reasons(loser)
    assert [entry.outcome for entry in history(settings.kafka, "routing/flights")] == [
        "admitted",
        "admitted",
        "refused",
    ]


def test_a_stale_based_on_in_the_file_is_refused_before_anything_is_published(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    assert apply_text(settings, folder, ROUTING_YAML.replace("weight: 5", "weight: 10")).succeeded
    result = apply_text(settings, folder, f"{ROUTING_YAML}based_on: 1\n")
    assert result.documents[0].outcome is Outcome.refused
    assert "flights.yaml:8: based_on: is 1, but the newest revision is 2" in reasons(result)
    assert len(history(settings.kafka, "routing/flights")) == 2


def test_one_unsound_document_withholds_the_others_and_every_problem_is_told(settings: Settings, folder: Path) -> None:
    broken = ROUTING_YAML.replace("tag: production", "tag: producton").replace("version: 2", "version: 9")
    result = apply_text(settings, folder, f"{ENDPOINT_YAML}---\n{broken}")
    assert [one.outcome for one in result.documents] == [Outcome.withheld, Outcome.refused]
    told = reasons(result)
    assert "flights.yaml:11: serve[0].model.tag" in told
    assert "production" in told
    assert "serve[1].model" in told
    assert list_documents(settings.kafka) == []
    assert TopicAdmin(settings.kafka).describe([f"{settings.kafka.topic_prefix}flights.events"]) == {}


def test_a_model_that_does_not_work_is_refused_at_every_variant_that_names_it(settings: Settings, folder: Path) -> None:
    def check(version: ModelVersion, events: dict[str, Any], output: dict[str, Any]) -> None:
        if version.version == 2:
            raise ModelInvalid("golden record 0 differs", where="lateness version 2", advice="Retrain it.")

    result = apply_text(settings, folder, f"{ENDPOINT_YAML}---\n{ROUTING_YAML}", check_model=check)
    assert "serve[1].model: lateness version 2: golden record 0 differs. Retrain it" in reasons(result)
    assert "serve[0]" not in reasons(result)


def test_the_artifact_is_really_fetched_and_hashed(settings: Settings, folder: Path) -> None:
    result = apply(settings, written(folder, f"{ENDPOINT_YAML}---\n{ROUTING_YAML}"), author="ann", wait_seconds=0)
    assert not result.succeeded
    assert "m1.onnx" in reasons(result)


def test_a_routing_for_an_unknown_endpoint_is_refused(settings: Settings, folder: Path) -> None:
    assert "there is no endpoint flights" in reasons(apply_text(settings, folder, ROUTING_YAML))


def test_an_endpoint_change_that_would_break_its_routing_is_refused(settings: Settings, folder: Path) -> None:
    segments = "segments:\n  - {match: {origin: JFK}, serve: [{variant: jfk, model: {tag: production}}]}\n"
    assert apply_text(settings, folder, f"{ENDPOINT_YAML}---\n{ROUTING_YAML}{segments}").succeeded
    fields = [field for field in EVENT_SCHEMA["fields"] if field["name"] != "origin"]
    (folder / "departure.avsc").write_text(json.dumps({**EVENT_SCHEMA, "fields": fields}))
    result = apply_text(settings, folder, ENDPOINT_YAML)
    assert "routing revision 1 would no longer work" in reasons(result)
    assert "segments[0].match.origin" in reasons(result)


def test_rollback_publishes_the_earlier_content_as_a_new_revision(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    assert apply_text(settings, folder, ROUTING_YAML.replace("weight: 5", "weight: 50")).succeeded
    options = {"author": "bob", "check_model": sound, "wait_seconds": 0}
    result = rollback(settings, "routing/flights", **options)  # type: ignore[arg-type]
    assert (result.documents[0].outcome, result.documents[0].revision) == (Outcome.published, 3), reasons(result)
    entries = history(settings.kafka, "routing/flights")
    assert [(entry.revision, entry.author, entry.text) for entry in entries] == [
        (1, "ann", "first"),
        (2, "ann", "first"),
        (3, "bob", "roll back to revision 1"),
    ]
    assert entries[2].document is not None
    assert entries[2].document.serve[1].weight == 5  # type: ignore[union-attr]
    forward = rollback(settings, "routing/flights", to=2, reason="no, on", **options)  # type: ignore[arg-type]
    assert forward.documents[0].revision == 4
    with pytest.raises(DocumentInvalid, match="no revision 9"):
        rollback(settings, "routing/flights", to=9, **options)  # type: ignore[arg-type]


def test_there_is_nothing_before_the_first_revision_to_roll_back_to(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    with pytest.raises(DocumentInvalid, match="no earlier revision"):
        rollback(settings, "routing/flights", author="bob", check_model=sound, wait_seconds=0)


def test_a_deleted_routing_comes_back_by_rollback(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    delete(settings.kafka, "routing/flights")
    result = rollback(settings, "routing/flights", author="bob", check_model=sound, wait_seconds=0)
    assert (result.documents[0].outcome, result.documents[0].revision) == (Outcome.published, 3), reasons(result)


def test_a_routing_is_withheld_when_its_endpoint_lost_a_race(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    raced = False

    def meanwhile(progress: Progress) -> None:
        nonlocal raced
        if progress.what == "publishing" and not raced:
            raced = True
            others = ENDPOINT_YAML + "description: by somebody else\n"
            assert apply(settings, written(folder, others, "o.yaml"), author="bob", check_model=sound).succeeded

    text = f"{ENDPOINT_YAML}description: mine\n---\n{ROUTING_YAML.replace('weight: 5', 'weight: 9')}"
    result = apply_text(settings, folder, text, progress=meanwhile)
    assert [one.outcome for one in result.documents] == [Outcome.refused, Outcome.withheld]
    assert "somebody else changed it at the same moment" in reasons(result)
    assert len(history(settings.kafka, "routing/flights")) == 1


def test_deleting_leaves_the_history_and_the_topics(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    assert delete(settings.kafka, "routing/flights").revision == 2
    with pytest.raises(DocumentInvalid, match="endpoint/flights"):
        get(settings.kafka, "routing/flights")
    with pytest.raises(DocumentInvalid):
        delete(settings.kafka, "routing/flights")
    assert [entry.outcome for entry in history(settings.kafka, "routing/flights")] == ["admitted", "deleted"]
    (result,) = apply_text(settings, folder, ROUTING_YAML).documents
    assert (result.outcome, result.revision) == (Outcome.published, 3)


def test_outputs_get_as_many_partitions_as_the_events_and_existing_topics_are_kept(
    settings: Settings, folder: Path
) -> None:
    prefix = settings.kafka.topic_prefix
    admin = TopicAdmin(settings.kafka)
    admin.create([TopicSpec(f"{prefix}flights.events", 5), TopicSpec(f"{prefix}flights.inferences", 2)])
    text = ENDPOINT_YAML.replace(", partitions: 3", "")
    (result,) = apply_text(settings, folder, text).documents
    assert result.grown_topics == (f"{prefix}flights.inferences",)
    assert len(result.created_topics) == 2
    names = [f"{prefix}flights.{what}" for what in ("events", "inferences", "shadow", "dead-letters")]
    assert {topic.partitions for topic in admin.describe(names).values()} == {5}


def test_topics_that_cannot_work_are_refused(settings: Settings, folder: Path) -> None:
    prefix = settings.kafka.topic_prefix
    TopicAdmin(settings.kafka).create(
        [
            TopicSpec(f"{prefix}flights.events", 5),
            TopicSpec(f"{prefix}flights.inferences", 5, config={"cleanup.policy": "compact"}),
        ]
    )
    topics = f"topics: {{dead_letters: {settings.kafka.config_topic}}}\n"
    told = reasons(apply_text(settings, folder, ENDPOINT_YAML + topics))
    assert "has 5 partitions, not 3" in told
    assert "is compacted" in told
    assert "is a topic of Streamer itself" in told


def test_a_config_topic_that_would_lose_its_history_is_refused(broker: str, unique: str) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=f"{unique}.")
    TopicAdmin(kafka).create([TopicSpec(kafka.config_topic, 1, config={"retention.ms": "1000"})])
    with pytest.raises(TopicProblem, match=r"retention\.ms=-1"):
        ensure_control_topics(kafka)
    other = kafka.model_copy(update={"topic_prefix": f"{unique}.other."})
    TopicAdmin(other).create([TopicSpec(other.models_topic, 2)])
    with pytest.raises(TopicProblem, match="2 partitions"):
        ensure_control_topics(other)


def test_a_document_of_two_megabytes_fits(settings: Settings) -> None:
    ensure_control_topics(settings.kafka)
    (large,) = parse_documents(as_json(endpoint(description="x" * 2_000_000)))
    assert isinstance(publish(settings.kafka, large.document), Admitted)


def test_hostile_records_on_the_config_topic_change_nothing(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    with LogWriter(settings.kafka) as writer:
        for key, value in [(None, b"x"), (b"\xff", None), (b"routing/flights", b"["), (b"routing/flights", b"")]:
            writer.append(settings.kafka.config_topic, key, value)
    assert get(settings.kafka, "routing/flights").revision == 1
    verdict = publish(settings.kafka, parse_documents(as_json(routing(reason="late", based_on=7)))[0].document)
    assert isinstance(verdict, Refused)


class FakeWorker:
    """Publishes the statuses that a worker would; the real ones are tested with the worker."""

    def __init__(self, settings: Settings, slot: int, **status: Any) -> None:
        self._kafka = settings.kafka
        self._slot = slot
        self._instance = uuid4()
        self.say(**status)

    def say(self, *, at: float | None = None, **changes: Any) -> None:
        status = WorkerStatus(
            worker=f"flights/{self._slot}", endpoint="flights", slot=self._slot, instance=self._instance, host="h",
            pid=1, version="0", state=changes.pop("state", WorkerState.serving), at=at or time.time(), started_at=0.0,
            heartbeat_seconds=30.0, **changes,
        )  # fmt: skip
        with LogWriter(self._kafka) as writer:
            value = status.model_dump_json().encode()
            writer.append(self._kafka.status_topic, status.worker.encode(), value)


def test_apply_waits_for_every_live_worker_and_shows_each_answer(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    one, other = (FakeWorker(settings, slot, endpoint_revision=1, routing_revision=1) for slot in (0, 1))
    FakeWorker(settings, 2, at=time.time() - 1000, routing_revision=1)
    FakeWorker(settings, 3, state=WorkerState.stopped, routing_revision=1)
    heard: list[Progress] = []

    def hear(progress: Progress) -> None:
        heard.append(progress)
        states = [answer.state for answer in progress.workers]
        if states == [AnswerState.waiting, AnswerState.waiting]:
            one.say(routing_revision=1, preparing=2)
        elif states == [AnswerState.preparing, AnswerState.waiting]:
            one.say(routing_revision=2)
        elif states == [AnswerState.active, AnswerState.waiting]:
            other.say(
                routing_revision=1, state=WorkerState.degraded, refused=RefusedRouting(revision=2, reason="no memory")
            )

    text = ROUTING_YAML.replace("weight: 5", "weight: 10")
    (result,) = apply_text(settings, folder, text, progress=hear, wait_seconds=60).documents
    assert result.outcome is Outcome.published
    assert not result.succeeded
    assert result.rollback_to == 1
    assert [(answer.worker, answer.state, answer.serving_revision, answer.reason) for answer in result.workers] == [
        ("flights/0", AnswerState.active, 2, ""),
        ("flights/1", AnswerState.refused, 1, "no memory"),
    ]


def test_without_workers_apply_does_not_wait(settings: Settings, folder: Path) -> None:
    result = apply_text(settings, folder, f"{ENDPOINT_YAML}---\n{ROUTING_YAML}", wait_seconds=600)
    assert result.succeeded
    assert all(document.workers == () for document in result.documents)


def test_a_worker_that_never_answers_is_named_at_the_deadline(settings: Settings, folder: Path) -> None:
    applied(settings, folder)
    FakeWorker(settings, 0, routing_revision=1)
    text = ROUTING_YAML.replace("weight: 5", "weight: 10")
    (result,) = apply_text(settings, folder, text, wait_seconds=1).documents
    assert [answer.state for answer in result.workers] == [AnswerState.waiting]
    assert not result.succeeded
