"""The Java program of docs/clients.md, as it stands there, against a real broker."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from pathlib import Path

import pytest

from streamer.avro.encoder import RecordEncoder
from streamer.avro.envelope import inference_schema
from streamer.avro.framing import single_object_prefix
from streamer.avro.schema import parse_schema
from streamer.broker import (
    MavenArtifact,
    cache_directory,
    class_path,
    fetch_artifacts,
    find_java,
    kafka_tools_class_path,
)
from streamer.client import EventProducer
from streamer.config import KafkaSettings, Settings
from streamer.kafka.log import LogWriter, read_log
from streamer.kafka.topics import TopicAdmin, TopicSpec

pytestmark = pytest.mark.real

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
AVRO = MavenArtifact("org.apache.avro", "avro", "1.12.1")
EVENT = {
    "type": "record",
    "name": "Departure",
    "namespace": "demo",
    "fields": [
        {"name": "flight_id", "type": "string"},
        {"name": "tail_number", "type": ["null", "string"], "default": None},
        {"name": "distance", "type": "double"},
        {"name": "hour", "type": ["null", "int"], "default": None},
    ],
}
OUTPUT = {"type": "record", "name": "Lateness", "fields": [{"name": "probability", "type": "double"}]}


def test_the_java_program_writes_what_we_read_and_reads_what_we_write(broker: str, unique: str, tmp_path: Path) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker)
    events, inferences = f"{unique}.events", f"{unique}.inferences"
    TopicAdmin(kafka).create([TopicSpec(events, 7), TopicSpec(inferences, 1)])
    inference = parse_schema(inference_schema("flights", OUTPUT))
    (tmp_path / "departure.avsc").write_text(json.dumps(EVENT))
    (tmp_path / "flights.inference.avsc").write_text(inference.json)
    row = {
        "event_id": "UA-1545",
        "event_time": 0,
        "scored_at": 0,
        "variant": "champion",
        "role": "serving",
        "bucket": 1,
        "model_id": "6f1c0d9e-0000-4000-8000-000000000001",
        "model_name": "lateness",
        "model_version": 1,
        "routing_revision": 1,
        "source": {"partition": 0, "offset": 0},
        "output": {"probability": 0.25},
    }
    with LogWriter(kafka) as writer:
        [value] = RecordEncoder(inference).encode_rows([row], single_object_prefix(inference))
        writer.append(inferences, None, value)

    [program] = re.findall(r"```java\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for shown, real in (
        ("localhost:9092", broker),
        ('"flights.events"', f'"{events}"'),
        ('"flights.inferences"', f'"{inferences}"'),
        ('"pager"', f'"{unique}"'),
    ):
        assert shown in program
        program = program.replace(shown, real)
    (tmp_path / "Flights.java").write_text(program)
    jars = f"{kafka_tools_class_path()}:{class_path(fetch_artifacts('avro-1.12.1', [AVRO], cache_directory()))}"
    command = [str(find_java()), "-cp", jars, "Flights.java"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as java:
        timer = threading.Timer(90, java.kill)
        timer.start()
        assert java.stdout is not None
        line = java.stdout.readline()
        java.kill()
        timer.cancel()
        said = java.communicate()[1]
    assert line == 'UA-1545 champion {"probability": 0.25}\n', said

    # Byte for byte and partition for partition what our own producer writes.
    ours = {"flight_id": "UA-1545", "tail_number": "N14228", "distance": 1400.0, "hour": 5}
    with EventProducer(topic=events, schema=EVENT, key="tail_number", settings=Settings(kafka=kafka)) as producer:
        producer.send(ours)
    theirs_and_ours = read_log(kafka, events)
    assert len(theirs_and_ours) == 2
    assert len({(record.partition, record.key, record.value) for record in theirs_and_ours}) == 1
