"""Documents change while events flow: nothing is lost, doubled or reordered, and a bad one never stops serving."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from streamer.records.worker_status import WorkerState
from tests.support.deployment import arm
from tests.support.event_feed import events
from tests.support.small_models import SmallModel, boosted_trees, constant

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

SWAPS = 20


def test_twenty_swaps_under_load_lose_double_and_reorder_nothing(deployment: Deployment) -> None:
    models = [boosted_trees(), constant(1.0)]
    documents = [model.document(deployment.folder) for model in models]

    def swap_to(number: int) -> int:
        # Both models in every revision: what is swapped is who serves, not what is loaded.
        arms = [arm(f"m{place}", model) for place, model in enumerate(models)]
        return deployment.publish_routing([arms[number]], fallback=arms[1 - number], models=documents)

    deployment.publish_endpoint()
    revision = swap_to(0)
    worker = deployment.start_serving()
    reader = deployment.read()
    with deployment.feeding(events(0, 300_000), 3_000):
        for swap in range(1, SWAPS + 1):
            reader.await_count(len(reader) + 200)
            revision = swap_to(swap % 2)
            deployment.await_revision(revision, worker)
        reader.await_count(len(reader) + 200)
    deployment.await_committed()
    assert worker.stop() == 0
    inferences = deployment.check_copy(reader)
    for partition in range(deployment.partitions):
        revisions = [seen.envelope["routing_revision"] for seen in inferences if seen.source[0] == partition]
        assert all(earlier <= later for earlier, later in pairwise(revisions))
    assert {seen.envelope["routing_revision"] for seen in inferences} >= {1, SWAPS + 1}
    for seen in inferences:
        expected = models[(seen.envelope["routing_revision"] - 1) % 2]
        assert str(seen.envelope["model_id"]) == expected.uuid, "an inference names the model of its own revision"


def test_routings_that_cannot_be_prepared_never_stop_serving_and_a_good_one_recovers(deployment: Deployment) -> None:
    deployment.publish_endpoint()
    deployment.publish_routing({"champion": constant(1.0)})
    worker = deployment.start_serving()
    reader = deployment.read()
    with deployment.feeding(events(0, 300_000), 1_000):
        for broken, complaint in _broken_versions(deployment, constant(3.0)):
            version = broken["artifact"]
            serve = [{"variant": "bad", "model": {"uuid": broken["uuid"], "sha256": version["sha256"]}}]
            revision = deployment.publish_routing(serve, models=[broken])
            status = deployment.await_status(
                worker,
                lambda status, new=revision: status.refused is not None and status.refused.revision == new,  # type: ignore[misc]
            )
            assert status.state is WorkerState.degraded
            assert status.routing_revision == 1
            assert status.refused is not None
            assert complaint in status.refused.reason, status.refused.reason
            assert status.degraded is not None
            assert complaint in status.degraded
            reader.await_count(len(reader) + 500)
        assert deployment.metrics(worker)["streamer_degraded"] == 1
        revision = deployment.publish_routing({"champion": constant(2.0)})
        deployment.await_status(
            worker,
            lambda status: (
                status.routing_revision == revision
                and status.state is WorkerState.serving
                and status.refused is None
                and status.degraded is None
            ),
        )
        reader.await_count(len(reader) + 500)
    deployment.await_committed()
    assert worker.stop() == 0
    inferences = deployment.check_copy(reader)
    assert {seen.envelope["variant"] for seen in inferences} == {"champion"}
    assert {seen.envelope["routing_revision"] for seen in inferences} == {1, revision}


def test_documents_that_are_not_admitted_change_nothing(deployment: Deployment) -> None:
    deployment.publish_endpoint()
    deployment.publish_routing({"champion": constant(1.0)})
    worker = deployment.start_serving()
    key = b"routing/rides"
    model = constant(2.0).document(deployment.folder)
    stale: dict[str, Any] = {"kind": "routing", "endpoint": "rides", "reason": "late", "based_on": 0, "models": [model]}
    for value in (b"", b"{", b"[1]", b"\xff\xfe", json.dumps({**stale, "serve": [arm("x", constant(2.0))]}).encode()):
        deployment.append(deployment.kafka.config_topic, key, value)
    deployment.append(deployment.kafka.config_topic, None, b"{}")
    deployment.feed.send_all(events(0, 500))
    deployment.await_committed()
    revision = deployment.publish_routing({"champion": constant(3.0)})
    assert revision == 2
    deployment.await_revision(revision, worker)
    assert worker.stop() == 0
    assert {seen.envelope["output"]["score"] for seen in deployment.check_copy()} == {1.0}


def test_a_routing_deleted_and_made_again_goes_on_where_it_was(deployment: Deployment) -> None:
    deployment.publish_endpoint()
    deployment.publish_routing({"champion": constant(1.0)})
    worker = deployment.start_serving()
    deployment.feed.send_all(events(0, 300))
    deployment.await_committed()
    assert deployment.publish("routing", None) == 2
    status = deployment.await_status(worker, lambda status: status.routing_revision is None)
    assert status.state in (WorkerState.starting, WorkerState.degraded)
    assert "routing" in (status.degraded or "")
    deployment.feed.send_all(events(300, 300))
    revision = deployment.publish_routing({"champion": constant(2.0)})
    assert revision == 3
    deployment.await_revision(revision, worker)
    deployment.await_committed()
    assert worker.stop() == 0
    scores = [seen.envelope["output"]["score"] for seen in deployment.check_copy()]
    assert sorted(scores) == [1.0] * 300 + [2.0] * 300


def test_batch_size_and_delivery_of_a_changed_endpoint_document_take_effect(deployment: Deployment) -> None:
    deployment.publish_endpoint(batch={"max_records": 500, "max_wait_ms": 5})
    deployment.publish_routing({"champion": constant(1.0)})
    worker = deployment.start_serving()
    deployment.publish_endpoint(batch={"max_records": 3, "max_wait_ms": 5})
    deployment.await_status(worker, lambda status: status.endpoint_revision == 2)
    before = deployment.metrics(worker)
    deployment.feed.send_all(events(0, 60))
    deployment.await_committed()
    after = deployment.await_metric(worker, "streamer_events_total", lambda count: count == 60)
    batches = after["streamer_batch_records_count"] - before.get("streamer_batch_records_count", 0.0)
    assert batches >= 60 / 3

    deployment.publish_endpoint(delivery="at_least_once", batch={"max_records": 500, "max_wait_ms": 5})
    deployment.await_status(
        worker, lambda status: status.endpoint_revision == 3 and status.state is WorkerState.serving
    )
    reader = deployment.read()
    uncommitted = deployment.read(isolation="read_uncommitted")
    deployment.feed.send_all(events(60, 1000))
    deployment.await_committed()
    assert worker.stop() == 0
    assert len(deployment.check_copy(reader)) == 1060
    # Without transactions no markers stand between the records: 1000 more records are 1000 more offsets.
    places = [record for record in uncommitted.read_to_end() if deployment.decode(record).envelope["event_time"]]
    for partition in range(deployment.partitions):
        offsets = [record.offset for record in places if record.partition == partition]
        assert offsets[-500:] == list(range(offsets[-500], offsets[-500] + 500))


def _broken_versions(deployment: Deployment, model: SmallModel) -> list[tuple[dict[str, Any], str]]:
    missing = model.document(deployment.folder)
    missing["artifact"] = {**missing["artifact"], "uri": (deployment.folder / "nowhere.onnx").as_uri()}
    wrong_bytes = constant(4.0).document(deployment.folder)
    other = deployment.folder / "other.onnx"
    other.write_bytes(b"x" * wrong_bytes["artifact"]["size_bytes"])
    wrong_bytes["artifact"] = {**wrong_bytes["artifact"], "uri": other.as_uri()}
    broken = SmallModel("broken", 1, b"this is no model", "score")
    document = model.document(deployment.folder)
    path = deployment.folder / "broken.onnx"
    path.write_bytes(broken.artifact)
    document = {
        **document,
        "uuid": broken.uuid,
        "name": "broken",
        "artifact": {"uri": path.as_uri(), "sha256": broken.sha256, "size_bytes": len(broken.artifact)},
    }
    return [(missing, "nowhere.onnx"), (wrong_bytes, "sha256"), (document, "cannot load")]
