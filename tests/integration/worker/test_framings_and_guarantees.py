"""Other framings than the default, an outage of the Schema Registry, and at-least-once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx

from tests.support.apicurio import Apicurio
from tests.support.await_condition import await_until
from tests.support.deployment import ENDPOINT, Deployment
from tests.support.event_feed import EVENT_SCHEMA, EventEncoder, events
from tests.support.inference_check import InferenceDecoder
from tests.support.small_models import constant
from tests.support.tcp_gate import TcpGate

if TYPE_CHECKING:
    from pathlib import Path

WIDER_EVENT_SCHEMA = {
    **EVENT_SCHEMA,
    "fields": [*EVENT_SCHEMA["fields"], {"name": "comment", "type": "string", "default": ""}],
}


def _registered(registry: Apicurio, subject: str, schema: dict[str, object]) -> int:
    answer = httpx.post(
        f"{registry.url}/subjects/{subject}/versions", json={"schema": json.dumps(schema)}, trust_env=False
    )
    return int(answer.raise_for_status().json()["id"])


def _prefix(schema_id: int) -> bytes:
    return b"\x00" + schema_id.to_bytes(4, "big")


def test_confluent_framing_an_outage_keeps_known_ids_working_and_an_unknown_one_waits(
    broker: str, unique: str, tmp_path: Path
) -> None:
    with Apicurio() as registry, TcpGate(httpx.URL(registry.url).port or 0) as gate:
        subject = f"{unique}-events-value"
        known_id = _registered(registry, subject, EVENT_SCHEMA)
        through_gate = str(httpx.URL(registry.url).copy_with(port=gate.port))
        with Deployment(
            broker,
            unique,
            tmp_path,
            environment={"STREAMER_SCHEMA_REGISTRY__URL": through_gate},
            encode=EventEncoder(_prefix(known_id)),
            events={"framing": "confluent"},
        ) as deployment:
            deployment.publish_endpoint(output={**deployment.endpoint["output"], "framing": "confluent"})
            deployment.publish_routing({"champion": constant(1.0)})
            worker = deployment.start_serving()
            deployment.feed.send_all(events(0, 100))
            deployment.await_committed()

            gate.close()
            deployment.feed.send_all(events(100, 100))
            deployment.await_committed()  # known ids need no registry

            unknown_id = _registered(registry, subject, WIDER_EVENT_SCHEMA)
            wider = EventEncoder(_prefix(unknown_id), WIDER_EVENT_SCHEMA)
            (late,) = events(200, 1)
            deployment.feed.encode = lambda record: wider({**record, "comment": "hello"})  # type: ignore[assignment]
            deployment.feed.send_all([late])
            await_until(lambda: "reading again" in worker.log(), 60, "the worker to wait for the registry")
            assert worker.is_running()
            assert deployment.committed()[0] == 100
            gate.open()
            deployment.await_committed()
            assert worker.stop() == 0
            output_subject = f"{deployment.topics['inferences']}-value"
            answer = httpx.get(f"{registry.url}/subjects/{output_subject}/versions/latest", trust_env=False)
            output_id = int(answer.raise_for_status().json()["id"])
            deployment.decode = InferenceDecoder(ENDPOINT, prefix=_prefix(output_id))
            assert len(deployment.check_copy()) == 201


def test_at_least_once_answers_every_event_though_its_worker_is_killed(deployment: Deployment) -> None:
    deployment.publish_endpoint(delivery="at_least_once", batch={"max_records": 20, "max_wait_ms": 5})
    deployment.publish_routing({"champion": constant(1.0)})
    worker = deployment.start_serving()
    reader = deployment.read()
    with deployment.feeding(events(0, 200_000), 1_000):
        reader.await_count(1_000)
        worker.kill()
        worker = deployment.start_serving()
        reader.await_count(len(reader) + 1_000)
    deployment.await_committed()
    assert worker.stop() == 0
    answered = {seen.source for seen in deployment.inferences(reader)}
    assert answered == {(p, offset) for p, entries in deployment.feed.good().items() for offset, _ in entries}


def test_bare_framing_of_the_one_schema_that_the_topic_has(broker: str, unique: str, tmp_path: Path) -> None:
    with Deployment(broker, unique, tmp_path, encode=EventEncoder(b""), events={"framing": "bare"}) as deployment:
        deployment.publish_endpoint(output={**deployment.endpoint["output"], "framing": "bare"})
        deployment.publish_routing({"champion": constant(1.0)})
        worker = deployment.start_serving()
        deployment.feed.send_all(events(0, 100))
        deployment.await_committed()
        assert worker.stop() == 0
        deployment.decode = InferenceDecoder(ENDPOINT, prefix=b"")
        assert len(deployment.check_copy()) == 100
