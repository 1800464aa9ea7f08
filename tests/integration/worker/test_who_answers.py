"""Segments, sticky shares and tracing headers, end to end; and inferences read by software that is not ours."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.deployment import arm
from tests.support.event_feed import OUTPUT_SCHEMA, Headers, events
from tests.support.foreign import consume_with_kafka, decode_with_avro_tools
from tests.support.small_models import constant

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

N = 3000
_SCHEMAS = Path(__file__).parents[3] / "schemas"


def _trace(i: int) -> str:
    return f"00-{i:032x}-{i + 1:016x}-01"


def test_segments_shares_and_traces(deployment: Deployment) -> None:
    champion, canary, bern = constant(1.0), constant(2.0), constant(3.0)
    deployment.publish_endpoint()
    deployment.publish_routing(
        [arm("champion", champion, weight=80), arm("canary", canary, weight=20)],
        segments=[{"match": {"city": "Bern"}, "serve": [arm("bern", bern)]}],
        models=[model.document(deployment.folder) for model in (champion, canary, bern)],
        salt="s",
    )
    worker = deployment.start_serving()
    some = events(0, N)
    for event in some:
        headers: Headers | None = None
        if event.i % 3 == 1:
            headers = [("traceparent", _trace(event.i).encode()), ("tracestate", b"a=1"), ("other", b"stays here")]
        deployment.feed.send(event, headers=headers)
    deployment.feed.flush()
    deployment.await_committed()
    assert worker.stop() == 0
    inferences = deployment.check_copy()
    by_id = {event.id: event for event in some}
    variants_of_rider: dict[str, set[str]] = defaultdict(set)
    for seen in inferences:
        event = by_id[seen.event_id]
        variant = seen.envelope["variant"]
        assert (event.city == "Bern") == (variant == "bern")
        assert seen.envelope["output"]["score"] == {"champion": 1.0, "canary": 2.0, "bern": 3.0}[variant]
        if variant != "bern":
            variants_of_rider[event.rider].add(variant)
        expected = [("traceparent", _trace(event.i).encode()), ("tracestate", b"a=1")] if event.i % 3 == 1 else []
        assert seen.record.headers == expected
    assert all(len(variants) == 1 for variants in variants_of_rider.values()), "a rider stays with its variant"
    riders = [next(iter(variants)) for variants in variants_of_rider.values()]
    share = riders.count("canary") / len(riders)
    assert 0.13 < share < 0.27, f"{share} of {len(riders)} riders, 4 standard deviations around 0.2"


def test_inferences_are_read_and_decoded_by_foreign_software(deployment: Deployment) -> None:
    deployment.publish_endpoint()
    deployment.publish_routing({"champion": constant(2.5)})
    worker = deployment.start_serving()
    deployment.feed.send_all(events(0, 40))
    deployment.await_committed()
    assert worker.stop() == 0
    records = consume_with_kafka(deployment.bootstrap_servers, deployment.topics["inferences"], 40)
    assert len(records) == 40
    framing_bytes = 10
    payloads = [(record.value or b"")[framing_bytes:] for record in records]
    decoded = decode_with_avro_tools(_shipped_schema("rides"), payloads)
    for record, said in zip(records, decoded, strict=True):
        i = int(said["event_id"].removeprefix("event-"))
        assert said["role"] == "serving"
        assert said["output"] == {"score": 2.5}
        assert said["source"] == {"partition": record.partition, "offset": i // deployment.partitions}
        assert record.key == said["event_id"].encode()


def _shipped_schema(endpoint: str) -> dict[str, Any]:
    """`schemas/inference.avsc` with the endpoint's own output and namespace put in, as its placeholder says."""
    schema: dict[str, Any] = json.loads((_SCHEMAS / "inference.avsc").read_text(encoding="utf-8"))
    schema["namespace"] = f"streamer.{endpoint}"
    (output,) = [field for field in schema["fields"] if field["name"] == "output"]
    output["type"] = OUTPUT_SCHEMA
    return schema
