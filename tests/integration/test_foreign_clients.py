"""Other schemas and other clients than ours: no code is changed for them, and none of ours is needed.

Events with nested records and arrays; a resolved routing that Kafka's own console producer publishes; inferences
that Kafka's own console consumer reads and Avro's own tools decode.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import streamer
from streamer.avro.envelope import inference_schema
from streamer.broker import find_java, kafka_tools_class_path
from streamer.client import EventProducer
from streamer.config import KafkaSettings, Settings
from tests.support.foreign import consume_with_kafka, decode_with_avro_tools
from tests.support.worker_subprocess import WorkerSubprocess

READING = {
    "type": "record",
    "name": "Reading",
    "namespace": "weather",
    "fields": [
        {"name": "reading", "type": "long"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {
            "name": "station",
            "type": {
                "type": "record",
                "name": "Station",
                "fields": [{"name": "city", "type": "string"}, {"name": "height", "type": ["null", "double"]}],
            },
        },
        {"name": "samples", "type": {"type": "array", "items": "double"}},
        {"name": "remarks", "type": {"type": "map", "values": "string"}, "default": {}},
    ],
}
FORECAST = {
    "type": "record",
    "name": "Forecast",
    "namespace": "weather",
    "fields": [{"name": "temperature", "type": "double"}, {"name": "unit", "type": "string", "default": "C"}],
}
ENDPOINT = """
kind: endpoint
name: forecast
events: {schema: reading.avsc, id: reading, time: at, bucket_by: station.city, partitions: 2}
output: {schema: forecast.avsc}
"""
ROUTING = """
kind: routing
endpoint: forecast
reason: the first forecast
serve: [{variant: linear, model: {tag: production}}]
segments:
  - {match: {station.city: Oslo}, serve: [{variant: oslo, model: {tag: production}}]}
"""
N = 200


def events(seed: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    return [
        {
            "reading": i,
            "at": 1_700_000_000_000 + i,
            "station": {"city": ("Oslo", "Rome")[i % 2], "height": None if i % 10 == 0 else float(random.normal())},
            "samples": random.normal(size=3 + i % 3).tolist(),
            "remarks": {"sky": "clear"} if i % 5 == 0 else {},
        }
        for i in range(N)
    ]


def features(event: dict[str, Any]) -> list[float]:
    return [event["station"]["height"] or 0.0, *event["samples"][:3]]


def produce_with_kafka(bootstrap_servers: str, topic: str, lines: str) -> None:
    """Key, tab, value: one record a line, as Kafka's console producer takes them."""
    properties = {"parse.key": "true", "key.separator": "\t"}
    command = [
        *(str(find_java()), "-Xmx256m", "-cp", kafka_tools_class_path(), "org.apache.kafka.tools.ConsoleProducer"),
        *("--bootstrap-server", bootstrap_servers, "--topic", topic),
        *(word for key, value in properties.items() for word in ("--reader-property", f"{key}={value}")),
    ]
    run = subprocess.run(command, input=lines, text=True, capture_output=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr[-3000:]


@pytest.fixture
def environment(broker: str, unique: str, tmp_path: Path) -> dict[str, str]:
    return {
        "STREAMER_KAFKA__BOOTSTRAP_SERVERS": broker,
        "STREAMER_KAFKA__TOPIC_PREFIX": f"{unique}.",
        "STREAMER_CACHE_DIR": str(tmp_path / "cache"),
    }


def run_streamer(environment: dict[str, str], *arguments: str, folder: Path) -> str:
    command = [str(Path(sys.executable).with_name("streamer")), *arguments]
    run = subprocess.run(
        command, env={**os.environ, **environment}, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, f"{arguments}: {run.stdout}\n{run.stderr}"
    return run.stdout


def test_nested_events_a_routing_from_any_client_and_a_reader_that_is_not_ours(
    broker: str, unique: str, environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in {
        "reading.avsc": json.dumps(READING),
        "forecast.avsc": json.dumps(FORECAST),
        "endpoint.yaml": ENDPOINT,
        "routing.yaml": ROUTING,
    }.items():
        (folder / name).write_text(text)
    run_streamer(environment, "apply", "endpoint.yaml", folder=folder)

    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=f"{unique}.")
    settings = Settings(kafka=kafka, cache_dir=tmp_path / "cache")
    training = np.array([features(event) for event in events(seed=1)])
    estimator = LinearRegression().fit(training, training @ np.array([1.0, 2.0, -3.0, 0.5]) + 7)
    streamer.register(
        estimator,
        training,
        name="temperature",
        tags=["production"],
        endpoint="forecast",
        feature_names=["height", "first", "second", "third"],
        fields={"height": "station.height", "first": "samples[0]", "second": "samples[1]", "third": "samples[2]"},
        nulls={"height": 0.0},
        golden=0,
        settings=settings,
    )

    resolved = run_streamer(environment, "resolve", "routing.yaml", folder=folder)
    produce_with_kafka(broker, kafka.config_topic, resolved)

    worker = WorkerSubprocess("forecast", 0, environment, tmp_path)
    try:
        sent = events(seed=2)
        with EventProducer("forecast", settings=settings) as producer:
            for event in sent:
                producer.send(event)
        records = consume_with_kafka(broker, f"{unique}.forecast.inferences", N, timeout_seconds=60)
        assert worker.stop() == 0
    finally:
        worker.close()

    schema = json.loads(run_streamer(environment, "get", "forecast", "--schema", "inference", folder=folder))
    payloads = [record.value or b"" for record in records]
    assert all(payload[:2] == b"\xc3\x01" for payload in payloads)
    inferences = decode_with_avro_tools(schema, [payload[10:] for payload in payloads])
    assert sorted(int(inference["event_id"]) for inference in inferences) == list(range(N))
    expected = estimator.predict(np.array([features(event) for event in sent]))
    for inference in inferences:
        event = sent[int(inference["event_id"])]
        assert inference["output"]["temperature"] == pytest.approx(expected[event["reading"]], abs=1e-4)
        assert inference["output"]["unit"] == "C"
        assert inference["variant"] == ("oslo" if event["station"]["city"] == "Oslo" else "linear")
        assert inference["event_time"] == event["at"] * 1000


def test_the_published_schema_is_the_envelope_of_every_endpoint() -> None:
    published = json.loads((Path(__file__).parents[2] / "schemas" / "inference.avsc").read_text())
    ours = inference_schema("forecast", FORECAST)
    names = [field["name"] for field in ours["fields"]]
    assert [field["name"] for field in published["fields"]] == names
