"""From polled records to events: ids, times, bucketing values, and dead letters for what is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from streamer.avro.decoder import EventDecoder
from streamer.avro.framing import Framing
from streamer.avro.schema import parse_schema
from streamer.worker.dead_letters import Stage
from streamer.worker.events import EventReader
from tests.support.event_feed import EventEncoder, events
from tests.unit.worker.polled import batch_of

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "E",
    "fields": [
        {"name": "id", "type": ["null", "string"]},
        {"name": "number", "type": "long"},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "user", "type": ["null", "string"]},
    ],
}
encode = EventEncoder(b"", SCHEMA)


def reader(**changes: Any) -> EventReader:
    fields = {"id": "id", "time": "at", "bucket_by": "user", **changes}
    schema = parse_schema(SCHEMA)
    endpoint: Any = SimpleNamespace(events=SimpleNamespace(**fields))
    return EventReader(endpoint, EventDecoder(schema, Framing.BARE, [schema]), "timestamp-millis")


def record(**changes: Any) -> bytes:
    return encode({"id": "a", "number": 1, "at": None, "user": None, **changes})


def places(n: int) -> list[tuple[int, int]]:
    return [(0, row) for row in range(n)]


def test_ids_times_and_bucketing_values_are_found() -> None:
    values = [record(id="a", user="u"), record(id="b", user=None)]
    batch = reader().read(batch_of(places(2), values=values))
    assert batch.event_ids.to_pylist() == ["a", "b"]
    assert list(batch.id_bytes) == [b"a", b"b"]
    assert list(batch.bucketing) == [b"u", b"b"], "a null user is bucketed by the event's id"
    assert batch.null_bucketing == 1
    assert batch.dead_letters == []


def test_events_can_be_known_by_a_number() -> None:
    batch = reader(id="number", bucket_by="number").read(batch_of(places(2), values=[record(number=-5), record()]))
    assert batch.event_ids.to_pylist() == ["-5", "1"]
    assert list(batch.bucketing) == [b"-5", b"1"]


def test_an_event_without_an_id_is_a_dead_letter_and_its_neighbours_stay_in_their_rows() -> None:
    values = [record(id="a"), record(id=None), record(id="c")]
    batch = reader().read(batch_of(places(3), values=values))
    assert batch.rows.tolist() == [0, 2]
    assert batch.event_ids.to_pylist() == ["a", "c"]
    ((row, stage, reason),) = [(letter.row, letter.stage, letter.reason) for letter in batch.dead_letters]
    assert (row, stage, reason) == (1, Stage.decode, "MissingId")


def test_time_comes_from_the_event_and_else_from_kafka() -> None:
    values = [record(at=7), record(at=None)]
    polled = batch_of(places(2), values=values, timestamps_ms=[1000, 2000])
    assert reader().read(polled).event_times_us.tolist() == [7_000, 2_000_000]
    assert reader(time=None).read(polled).event_times_us.tolist() == [1_000_000, 2_000_000]


@pytest.mark.parametrize("timestamp_ms", [-1, 0, 2**53])
def test_any_kafka_timestamp_is_a_time(timestamp_ms: int) -> None:
    polled = batch_of(places(1), values=[record()], timestamps_ms=[timestamp_ms])
    assert reader(time=None).read(polled).event_times_us.tolist() == [timestamp_ms * 1000]


def test_records_that_do_not_decode_are_dead_letters_in_their_own_rows() -> None:
    batch = reader().read(batch_of(places(4), values=[b"", record(), None, record(id="d") + b"!"]))
    assert batch.rows.tolist() == [1]
    assert sorted(letter.row for letter in batch.dead_letters) == [0, 2, 3]
    assert {letter.stage for letter in batch.dead_letters} == {Stage.decode}


def test_quarantined_records_are_not_looked_at_and_say_why() -> None:
    values = [record(id="a"), b"bad", record(id="c"), b"bad"]
    batch = reader().read(batch_of(places(4), values=values), {0: ("Odd", "it is odd"), 3: ("Odd", "it is odd")})
    assert batch.rows.tolist() == [2]
    letters = {letter.row: (letter.stage, letter.reason, letter.message) for letter in batch.dead_letters}
    assert letters[0] == letters[3] == (Stage.internal, "Odd", "it is odd")
    assert letters[1][0] is Stage.decode
    assert len(letters) == 3


def test_keys_of_all_or_some_events() -> None:
    values = [record(id="a"), b"bad", record(id="c")]
    batch = reader().read(batch_of(places(3), values=values, keys=[b"x", b"y", None]))
    assert batch.keys() == [b"x", None]
    assert batch.keys(np.array([1])) == [None]


def test_the_feeds_of_the_integration_tests_are_what_they_say() -> None:
    (event,) = events(3, 1)
    assert event.record()["id"] == "event-3"
    assert len(event.x) == 4


@pytest.mark.parametrize("sign", [-1, 1])
def test_an_absurd_event_time_does_not_wrap_around(sign: int) -> None:
    polled = batch_of(places(1), values=[record(at=sign * (2**63 - 1))], timestamps_ms=[0])
    (time_us,) = reader().read(polled).event_times_us.tolist()
    assert sign * time_us > 9_000_000_000_000_000_000
