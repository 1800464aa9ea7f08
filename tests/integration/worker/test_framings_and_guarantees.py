"""Other framings than the default, an outage of the Schema Registry, and at-least-once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx

from streamer.avro.envelope import inference_schema
from tests.support.apicurio import Apicurio
from tests.support.await_condition import await_until
from tests.support.deployment import ENDPOINT, Deployment
from tests.support.event_feed import EVENT_SCHEMA, OUTPUT_SCHEMA, EventEncoder, events
from tests.support.inference_check import InferenceDecoder
from tests.support.small_models import constant

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
    with Apicurio() as registry:
        known_id = _registered(registry, f"{unique}-events-value", EVENT_SCHEMA)
        port = int(httpx.URL(registry.url).port or 0)
        environment = {"STREAMER_SCHEMA_REGISTRY__URL": registry.url}
        with Deployment(
            broker,
            unique,
            tmp_path,
            environment=environment,
            encode=EventEncoder(_prefix(known_id)),
            events={"framing": "confluent"},
            endpoint={},
        ) as deployment:
            output = {**deployment.endpoint["output"], "framing": "confluent"}
            deployment.publish_endpoint(output=output)
            deployment.publish_routing({"champion": constant(1.0)})
            worker = deployment.start_serving()
            deployment.feed.send_all(events(0, 100))
            deployment.await_committed()

            registry.stop()
            deployment.feed.send_all(events(100, 100))
            deployment.await_committed()  # known ids need no registry

            # Apicurio counts its ids from 1 again after a restart: the next one it gives will be this.
            unknown = EventEncoder(_prefix(known_id + 2), WIDER_EVENT_SCHEMA)
            (late,) = events(200, 1)
            deployment.feed.encode = lambda record: unknown({**record, "comment": "hello"})  # type: ignore[assignment]
            deployment.feed.send(late)
            deployment.feed.flush()
            await_until(lambda: "chema" in worker.log() and "reading again" in worker.log(), 60, "it to wait")
            assert worker.is_running()
            assert deployment.committed()[0] == 100

            with Apicurio(port) as revived:
                assert _registered(revived, f"{unique}-events-value", EVENT_SCHEMA) == known_id
                subject = f"{deployment.topics['inferences']}-value"
                output_id = _registered(revived, subject, inference_schema(ENDPOINT, OUTPUT_SCHEMA))
                assert _registered(revived, f"{unique}-events-value", WIDER_EVENT_SCHEMA) == known_id + 2
                deployment.await_committed()
                assert worker.stop() == 0
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
    with Deployment(
        broker, unique, tmp_path, encode=EventEncoder(b""), events={"framing": "bare"}, endpoint={}
    ) as deployment:
        deployment.publish_endpoint(output={**deployment.endpoint["output"], "framing": "bare"})
        deployment.publish_routing({"champion": constant(1.0)})
        worker = deployment.start_serving()
        deployment.feed.send_all(events(0, 100))
        deployment.await_committed()
        assert worker.stop() == 0
        deployment.decode = InferenceDecoder(ENDPOINT, prefix=b"")
        assert len(deployment.check_copy()) == 100
