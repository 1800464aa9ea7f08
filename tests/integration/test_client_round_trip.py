"""Write here, read there, on a real broker."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pytest

from streamer.avro.encoder import RecordEncoder
from streamer.avro.envelope import inference_schema
from streamer.avro.framing import Framing, single_object_prefix
from streamer.avro.schema import parse_schema
from streamer.client import EventProducer, Inference, InferenceConsumer
from streamer.client.avro_topic import AvroTopic
from streamer.config import KafkaSettings, Settings
from streamer.config.settings import RegistrySettings
from streamer.errors import (
    ConfigurationError,
    DecodeError,
    EncodeError,
    KafkaError,
    KafkaUnavailable,
    TopicProblem,
)
from streamer.kafka.log import LogRecord, LogWriter, read_log
from streamer.kafka.topics import TopicAdmin, TopicSpec
from streamer.routing.documents import EndpointDocument, to_json
from tests.support.apicurio import Apicurio

EVENT = {
    "type": "record",
    "name": "Departure",
    "fields": [
        {"name": "flight_id", "type": "string"},
        {"name": "tail_number", "type": ["null", "string"], "default": None},
        {"name": "distance", "type": "double"},
        {"name": "hour", "type": ["null", "int"], "default": None},
    ],
}
OUTPUT = {"type": "record", "name": "Lateness", "fields": [{"name": "probability", "type": "double"}]}


@pytest.fixture
def settings(broker: str, unique: str) -> Settings:
    return Settings(kafka=KafkaSettings(bootstrap_servers=broker, topic_prefix=f"{unique}."))


@pytest.fixture
def topic(settings: Settings, unique: str) -> str:
    name = f"{unique}.events"
    TopicAdmin(settings.kafka).create([TopicSpec(name, 5)])
    return name


@pytest.fixture
def endpoint(settings: Settings, topic: str, unique: str) -> EndpointDocument:
    """An admitted endpoint with its topics."""
    document = EndpointDocument.model_validate(
        {
            "kind": "endpoint",
            "name": "flights",
            "events": {"topic": topic, "schema": EVENT, "id": "flight_id", "bucket_by": "tail_number"},
            "output": {"topic": f"{unique}.inferences", "schema": OUTPUT},
            "topics": {"shadow": f"{unique}.shadow", "dead_letters": f"{unique}.dead-letters"},
        }
    )
    names = [document.output.topic, document.topics.shadow, document.topics.dead_letters]
    TopicAdmin(settings.kafka).create(
        [TopicSpec(settings.kafka.config_topic, 1), *(TopicSpec(name, 3) for name in names if name is not None)]
    )
    with LogWriter(settings.kafka) as writer:
        writer.append(settings.kafka.config_topic, b"endpoint/flights", to_json(document))
    return document


def events_in(settings: Settings, topic: str, schema: Any = EVENT, framing: str = "single_object") -> list[Any]:
    """What a reader of the topic sees, in partition and offset order: (record, decoded event)."""
    records = sorted(read_log(settings.kafka, topic), key=lambda record: record[:2])
    with ExitStack() as resources:
        decoder = AvroTopic(topic, parse_schema(schema), Framing(framing)).decoder(settings, resources)
        decoded = decoder.decode([record.value for record in records])
    assert decoded.failures == []
    return list(zip(records, decoded.batch.to_rows(), strict=True))


@dataclass
class Departure:
    flight_id: str
    distance: float
    tail_number: str | None = None
    hour: int | None = None


COLUMNS = {
    "flight_id": ["a", "b", "c"],
    "tail_number": ["n1", None, "n2"],
    "distance": np.array([1.0, 2.0, 3.0]),
    "hour": [5, None, 7],
}
ROWS = [
    {"flight_id": "a", "tail_number": "n1", "distance": 1.0, "hour": 5},
    {"flight_id": "b", "tail_number": None, "distance": 2.0, "hour": None},
    {"flight_id": "c", "tail_number": "n2", "distance": 3.0, "hour": 7},
]


@pytest.mark.parametrize(
    "batch",
    [
        COLUMNS,
        pd.DataFrame(COLUMNS),
        pl.DataFrame({name: list(values) for name, values in COLUMNS.items()}),
        ROWS,
        [Departure(**row) for row in ROWS],
        iter(ROWS),
    ],
    ids=["columns", "pandas", "polars", "dicts", "dataclasses", "iterator"],
)
def test_a_batch_of_any_kind_arrives_whole_with_the_same_keys(
    endpoint: EndpointDocument, settings: Settings, topic: str, batch: Any
) -> None:
    with EventProducer("flights", settings=settings) as events:
        assert events.send_batch(batch) == 3
    arrived = sorted(events_in(settings, topic), key=lambda pair: pair[1]["flight_id"])
    assert [event for _, event in arrived] == ROWS
    # The key is the bucketing value; where that is null, the id.
    assert [record.key for record, _ in arrived] == [b"n1", b"b", b"n2"]


@pytest.mark.parametrize("event", [ROWS[0], Departure(**ROWS[0])], ids=["dict", "dataclass"])
def test_a_single_event_arrives_with_headers_and_timestamp(
    endpoint: EndpointDocument, settings: Settings, topic: str, event: Any
) -> None:
    with EventProducer("flights", settings=settings) as events:
        events.send(event, headers={"traceparent": "00-ab-cd-01", "none": None}, timestamp_ms=1_700_000_000_000)
    [(record, arrived)] = events_in(settings, topic)
    assert arrived == ROWS[0]
    assert record.headers == [("traceparent", b"00-ab-cd-01"), ("none", None)]
    assert (record.key, record.timestamp_ms) == (b"n1", 1_700_000_000_000)


# From the tests of Apache Kafka's own partitioner (UtilsTest.testMurmur2).
JAVA_MURMUR2 = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


@pytest.mark.parametrize("one_by_one", [True, False])
def test_keys_are_placed_where_java_places_them(settings: Settings, topic: str, one_by_one: bool) -> None:
    rows = [{"flight_id": key, "distance": 0.0} for key in JAVA_MURMUR2]
    with EventProducer(topic=topic, schema=EVENT, key="flight_id", settings=settings) as events:
        if one_by_one:
            for row in rows:
                events.send(row)
        else:
            events.send_batch(rows)
    placed = {record.key.decode(): record.partition for record, _ in events_in(settings, topic)}
    assert placed == {key: (value & 0x7FFFFFFF) % 5 for key, value in JAVA_MURMUR2.items()}


def test_the_order_of_a_key_is_kept_across_single_events_and_batches(settings: Settings, topic: str) -> None:
    with EventProducer(topic=topic, schema=EVENT, key="flight_id", settings=settings) as events:
        for number in range(0, 3000, 3):
            events.send({"flight_id": "one", "distance": float(number)})
            events.send_batch([{"flight_id": "one", "distance": float(number + step)} for step in (1, 2)])
    assert [event["distance"] for _, event in events_in(settings, topic)] == [float(n) for n in range(3000)]


def test_more_than_the_queue_holds_is_sent_at_the_brokers_pace(settings: Settings, topic: str) -> None:
    n = 250_000
    with EventProducer(topic=topic, schema=EVENT, settings=settings) as events:
        events.send_batch({"flight_id": "x", "distance": np.arange(n, dtype=np.float64)})
    assert sum(TopicAdmin(settings.kafka).end_offsets(topic).values()) == n


@pytest.mark.parametrize("framing", ["single_object", "bare"])
def test_framings_without_a_registry_round_trip(settings: Settings, topic: str, framing: str) -> None:
    with EventProducer(topic=topic, schema=EVENT, framing=framing, settings=settings) as events:
        events.send(ROWS[0])
        events.send_batch(ROWS[1:])
    arrived = events_in(settings, topic, framing=framing)
    assert sorted((event for _, event in arrived), key=lambda event: event["flight_id"]) == ROWS
    prefix = single_object_prefix(parse_schema(EVENT)) if framing == "single_object" else b""
    assert all(record.value.startswith(prefix) for record, _ in arrived)


@pytest.fixture(scope="module")
def apicurio() -> Iterator[Apicurio]:
    with Apicurio() as server:
        yield server


def test_the_confluent_framing_registers_and_finds_the_schema(
    settings: Settings, topic: str, apicurio: Apicurio
) -> None:
    settings = settings.model_copy(update={"schema_registry": RegistrySettings(url=apicurio.url)})
    with EventProducer(topic=topic, schema=EVENT, framing="confluent", settings=settings) as events:
        events.send(ROWS[0])
        events.send_batch(ROWS[1:])
    arrived = events_in(settings, topic, framing="confluent")
    assert sorted((event for _, event in arrived), key=lambda event: event["flight_id"]) == ROWS
    assert {record.value[0] for record, _ in arrived} == {0}


def test_the_confluent_framing_without_a_registry_says_what_to_set(settings: Settings, topic: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        EventProducer(topic=topic, schema=EVENT, framing="confluent", settings=settings)
    assert "STREAMER_SCHEMA_REGISTRY__URL" in str(refused.value)


def test_a_schema_can_be_a_file(settings: Settings, topic: str, tmp_path: Any) -> None:
    path = tmp_path / "departure.avsc"
    path.write_text(json.dumps(EVENT))
    with EventProducer(topic=topic, schema=path, settings=settings) as events:
        assert events.fields == ["flight_id", "tail_number", "distance", "hour"]
        events.send(ROWS[0])
    assert len(events_in(settings, topic)) == 1


def test_nothing_of_a_batch_with_a_bad_event_is_sent(settings: Settings, topic: str) -> None:
    with EventProducer(topic=topic, schema=EVENT, settings=settings) as events:
        with pytest.raises(EncodeError) as refused:
            events.send_batch([ROWS[0], {"flight_id": "b", "distance": "far"}])
        assert refused.value.where == "field distance, row 1"
        events.send(ROWS[2])
    assert [event["flight_id"] for _, event in events_in(settings, topic)] == ["c"]


def test_a_transaction_is_seen_whole_or_not_at_all(settings: Settings, topic: str, unique: str) -> None:
    with EventProducer(topic=topic, schema=EVENT, settings=settings, transactional_id=unique) as events:
        with events.transaction():
            events.send(ROWS[0])
        with pytest.raises(RuntimeError, match="changed my mind"), events.transaction():
            events.send(ROWS[1])
            events.flush()
            raise RuntimeError("changed my mind")
        with events.transaction():
            events.send_batch(ROWS[2:])
    assert sorted(event["flight_id"] for _, event in events_in(settings, topic)) == ["a", "c"]


def test_transactions_need_an_id(settings: Settings, topic: str) -> None:
    with (
        EventProducer(topic=topic, schema=EVENT, settings=settings) as events,
        pytest.raises(ConfigurationError, match="no transactions"),
        events.transaction(),
    ):
        pass


def test_an_event_that_the_broker_refuses_is_raised_by_flush(settings: Settings, unique: str) -> None:
    name = f"{unique}.small"
    TopicAdmin(settings.kafka).create([TopicSpec(name, 1, config={"max.message.bytes": "1000"})])
    events = EventProducer(topic=name, schema=EVENT, settings=settings)
    events.send({"flight_id": "x" * 5000, "distance": 1.0})
    with pytest.raises(KafkaError, match="delivering 1 record"):
        events.flush()
    events.send(ROWS[0])
    events.close()
    assert len(events_in(settings, name)) == 1


def test_a_missing_topic_is_said_at_once(settings: Settings, unique: str) -> None:
    with pytest.raises(TopicProblem) as refused:
        EventProducer(topic=f"{unique}.nowhere", schema=EVENT, settings=settings)
    assert refused.value.where == f"{unique}.nowhere"


def test_no_broker_is_said_within_the_time_out() -> None:
    settings = Settings(kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1", request_timeout_seconds=1))
    with pytest.raises(KafkaUnavailable) as refused:
        EventProducer(topic="t", schema=EVENT, settings=settings)
    assert "--bootstrap-servers" in str(refused.value)


def test_an_unknown_endpoint_names_the_near_ones(endpoint: EndpointDocument, settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="no endpoint 'flight'") as refused:
        EventProducer("flight", settings=settings)
    assert refused.value.advice == "Did you mean 'flights'?"


def test_a_cluster_where_nothing_was_applied_says_so(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="nothing was ever applied"):
        EventProducer("flights", settings=settings)


def test_a_schema_that_the_endpoint_does_not_accept_is_refused(endpoint: EndpointDocument, settings: Settings) -> None:
    other = EVENT | {"fields": [{"name": "flight_id", "type": "string"}]}
    with pytest.raises(ConfigurationError, match="does not accept"):
        EventProducer("flights", schema=other, settings=settings)


def test_a_key_field_that_is_not_there_is_refused(settings: Settings, topic: str) -> None:
    with pytest.raises(ConfigurationError, match="'tail'"):
        EventProducer(topic=topic, schema=EVENT, key="tail", settings=settings)


MODEL = UUID("6f1c0d9e-0000-4000-8000-000000000001")


def write_inferences(settings: Settings, endpoint: EndpointDocument, ids: list[str], topic: str | None = None) -> None:
    """What a worker would write: one inference per id, spread over the topic's partitions."""
    schema = parse_schema(inference_schema(endpoint.name, OUTPUT))
    rows = [
        {
            "event_id": event_id,
            "event_time": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
            "scored_at": datetime(2026, 1, 2, tzinfo=UTC),
            "variant": "champion",
            "role": "serving",
            "bucket": number % 10_000,
            "model_id": MODEL,
            "model_name": "lateness",
            "model_version": 3,
            "routing_revision": 7,
            "source": {"partition": 1, "offset": number},
            "output": {"probability": number / 2},
        }
        for number, event_id in enumerate(ids)
    ]
    values = RecordEncoder(schema).encode_rows(rows, single_object_prefix(schema))
    with LogWriter(settings.kafka) as writer:
        for number, value in enumerate(values):
            writer.append(topic or str(endpoint.output.topic), None, value, partition=number % 3)


def test_inferences_are_typed_rows(endpoint: EndpointDocument, settings: Settings) -> None:
    write_inferences(settings, endpoint, ["a", "b"])
    with InferenceConsumer("flights", settings=settings) as consumer:
        found = []
        for inference in consumer:
            found.append(inference)
            if len(found) == 2:
                break
    first = min(found, key=lambda inference: inference.event_id)
    assert first == Inference(
        event_id="a",
        event_time=datetime(2026, 1, 1, tzinfo=UTC),
        scored_at=datetime(2026, 1, 2, tzinfo=UTC),
        variant="champion",
        role="serving",
        bucket=0,
        model_id=MODEL,
        model_name="lateness",
        model_version=3,
        routing_revision=7,
        learned_through=None,
        source_partition=1,
        source_offset=0,
        output={"probability": 0.0},
    )


def test_inferences_are_columns_for_frames(endpoint: EndpointDocument, settings: Settings) -> None:
    ids = [str(number) for number in range(30)]
    write_inferences(settings, endpoint, ids)
    with InferenceConsumer("flights", settings=settings, timeout_seconds=0.5) as consumer:
        frame = pd.concat([pd.DataFrame(batch.to_dict()) for batch in consumer.batches()])
        assert consumer.at_end()
    assert sorted(frame["event_id"], key=int) == ids
    assert frame["output.probability"].dtype == np.float64
    assert frame["output.probability"].sum() == sum(range(30)) / 2


def test_only_committed_inferences_are_seen(endpoint: EndpointDocument, settings: Settings, unique: str) -> None:
    schema = inference_schema(endpoint.name, OUTPUT)
    write_inferences(settings, endpoint, ["committed"])
    [record] = read_log(settings.kafka, str(endpoint.output.topic))
    with InferenceConsumer("flights", settings=settings) as consumer:
        row = next(iter(consumer))
    output = {"topic": str(endpoint.output.topic), "schema": schema, "settings": settings}
    with EventProducer(**output, transactional_id=unique) as events:
        with pytest.raises(RuntimeError), events.transaction():
            events.send(inference_dict(row, "aborted"))
            events.flush()
            raise RuntimeError
        with events.transaction():
            events.send(inference_dict(row, "later"))
    assert isinstance(record, LogRecord)
    with InferenceConsumer("flights", settings=settings, timeout_seconds=0.5) as consumer:
        assert sorted(inference.event_id for inference in consumer) == ["committed", "later"]


def inference_dict(row: Inference, event_id: str) -> dict[str, Any]:
    names = ("event_time", "scored_at", "variant", "role", "bucket", "model_id", "model_name", "model_version")
    return {
        **{name: getattr(row, name) for name in names},
        "event_id": event_id,
        "routing_revision": 1,
        "source": {"partition": 0, "offset": 0},
        "output": {"probability": 0.5},
    }


def test_a_group_goes_on_behind_what_was_committed(endpoint: EndpointDocument, settings: Settings, unique: str) -> None:
    ids = [str(number) for number in range(12)]
    write_inferences(settings, endpoint, ids)
    seen = []
    with InferenceConsumer("flights", settings=settings, group=unique, timeout_seconds=10) as consumer:
        for inference in consumer:
            seen.append(inference.event_id)
            if len(seen) == 5:
                consumer.commit()  # the five that were handed out, not the batch that they came in
                break
    with InferenceConsumer("flights", settings=settings, group=unique, timeout_seconds=2) as consumer:
        rest = [inference.event_id for inference in consumer]
    assert len(rest) == 7
    assert sorted(seen + rest, key=int) == ids


def test_members_of_a_group_share_the_partitions(endpoint: EndpointDocument, settings: Settings, unique: str) -> None:
    ids = [str(number) for number in range(60)]
    seen: list[str] = []
    lock, ready = threading.Lock(), threading.Barrier(3)

    def read() -> None:
        with InferenceConsumer("flights", settings=settings, group=unique) as consumer:
            consumer.poll(5)  # join
            ready.wait(30)
            ready.wait(30)
            deadline = datetime.now(UTC) + timedelta(seconds=20)
            while datetime.now(UTC) < deadline:
                batch = consumer.poll(0.2)
                with lock:
                    if batch is not None:
                        seen.extend(row.event_id for row in batch.rows())
                    if len(seen) >= len(ids):
                        return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    ready.wait(30)
    write_inferences(settings, endpoint, ids)
    ready.wait(30)
    for reader in readers:
        reader.join()
    assert sorted(seen, key=int) == ids


def test_reading_can_begin_at_the_end_or_at_a_moment(endpoint: EndpointDocument, settings: Settings) -> None:
    write_inferences(settings, endpoint, ["before"])
    [record] = read_log(settings.kafka, str(endpoint.output.topic))
    moment = datetime.fromtimestamp((record.timestamp_ms + 1) / 1000, UTC)
    with (
        InferenceConsumer("flights", settings=settings, start="end", timeout_seconds=0.5) as at_end,
        InferenceConsumer("flights", settings=settings, start=moment, timeout_seconds=0.5) as at_moment,
    ):
        write_inferences(settings, endpoint, ["after"])
        assert [inference.event_id for inference in at_end] == ["after"]
        assert [inference.event_id for inference in at_moment] == ["after"]


def test_shadows_are_read_from_their_own_topic(endpoint: EndpointDocument, settings: Settings) -> None:
    write_inferences(settings, endpoint, ["s"], topic=endpoint.topics.shadow)
    with InferenceConsumer("flights", settings=settings, shadows=True, timeout_seconds=0.5) as consumer:
        assert [inference.event_id for inference in consumer] == ["s"]


def test_a_record_that_is_no_inference_is_named_and_passed(endpoint: EndpointDocument, settings: Settings) -> None:
    topic = str(endpoint.output.topic)
    with LogWriter(settings.kafka) as writer:
        writer.append(topic, None, b"garbage", partition=0)
    with InferenceConsumer("flights", settings=settings) as consumer:
        with pytest.raises(DecodeError) as refused:
            consumer.poll(10)
        assert refused.value.where == f"{topic}[0] at offset 0"
        write_inferences(settings, endpoint, ["good"])
        batch = consumer.poll(10)
    assert batch is not None
    assert [row.event_id for row in batch.rows()] == ["good"]


def test_committing_needs_a_group(endpoint: EndpointDocument, settings: Settings) -> None:
    with (
        InferenceConsumer("flights", settings=settings) as consumer,
        pytest.raises(ConfigurationError, match="without a group"),
    ):
        consumer.commit()
