"""The foreign readers themselves, so that what they say of Streamer can be believed."""

from __future__ import annotations

import io
import time
from typing import Any

import fastavro
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support.foreign import ForeignRecord, consume_with_kafka, decode_with_avro_tools

AWKWARD_VALUES = [b"", b"\n\r\t\x00\xff", bytes(range(256)), b"null", "ünï".encode(), None]


def make_topic(broker: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker})
    (made,) = admin.create_topics([NewTopic(topic, 1, 1)]).values()
    made.result(timeout=30)


def test_kafkas_console_consumer_hands_over_every_byte(broker: str, unique: str) -> None:
    make_topic(broker, unique)
    producer = Producer({"bootstrap.servers": broker})
    for value in AWKWARD_VALUES:
        producer.produce(unique, value, key=value)
    assert producer.flush(30) == 0
    assert consume_with_kafka(broker, unique, len(AWKWARD_VALUES)) == [
        ForeignRecord(0, offset, value, value) for offset, value in enumerate(AWKWARD_VALUES)
    ]


def test_kafkas_console_consumer_shows_only_what_was_committed(broker: str, unique: str) -> None:
    make_topic(broker, unique)
    producer = Producer({"bootstrap.servers": broker, "transactional.id": unique})
    producer.init_transactions(30)
    for value, commits in [(b"aborted", False), (b"committed", True)]:
        producer.begin_transaction()
        producer.produce(unique, value)
        assert producer.flush(30) == 0
        (producer.commit_transaction if commits else producer.abort_transaction)(30)
    assert [record.value for record in consume_with_kafka(broker, unique, 1)] == [b"committed"]
    both = consume_with_kafka(broker, unique, 2, isolation_level="read_uncommitted")
    assert [record.value for record in both] == [b"aborted", b"committed"]


def test_fewer_records_come_back_when_no_more_arrive(broker: str, unique: str) -> None:
    make_topic(broker, unique)
    producer = Producer({"bootstrap.servers": broker})
    producer.produce(unique, b"alone")
    assert producer.flush(30) == 0
    started = time.monotonic()
    assert len(consume_with_kafka(broker, unique, 2, timeout_seconds=2)) == 1
    assert time.monotonic() - started < 60


def test_avros_own_tools_decode_payloads() -> None:
    schema: dict[str, Any] = {
        "type": "record",
        "name": "Flight",
        "fields": [
            {"name": "carrier", "type": ["null", "string"]},
            {"name": "distance", "type": "double"},
            {"name": "hour", "type": {"type": "int", "logicalType": "time-millis"}},
        ],
    }
    events = [{"carrier": "ü", "distance": 0.1, "hour": 5}, {"carrier": None, "distance": -1e300, "hour": 0}]
    payloads = []
    for event in events:
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, schema, event)
        payloads.append(buffer.getvalue())
    assert decode_with_avro_tools(schema, payloads) == [
        {"carrier": {"string": "ü"}, "distance": 0.1, "hour": 5},
        {"carrier": None, "distance": -1e300, "hour": 0},
    ]
