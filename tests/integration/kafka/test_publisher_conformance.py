"""What every Publisher promises, on a real broker, whatever its guarantee."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from streamer import errors
from streamer.config import KafkaSettings
from streamer.kafka.at_least_once import AtLeastOncePublisher
from streamer.kafka.consumer import Committed, GroupConsumer, PolledBatch
from streamer.kafka.exactly_once import ExactlyOncePublisher
from streamer.kafka.log import LogRecord, LogWriter, read_log
from streamer.kafka.publisher import Positions, Publisher
from streamer.kafka.topics import TopicAdmin, TopicSpec
from tests.support.await_condition import await_until

N = 100


class Listener:
    def assigned(self, committed: Mapping[int, Committed]) -> None: ...

    def revoked(self, partitions: Iterable[int]) -> None: ...

    def lost(self, partitions: Iterable[int]) -> None: ...


@dataclass
class Bench:
    """One publisher, the group whose offsets it commits, and topics of its own."""

    kafka: KafkaSettings
    name: str
    consumer: GroupConsumer
    publisher: Publisher
    exactly_once: bool

    @property
    def events(self) -> str:
        return f"{self.name}.in"

    @property
    def outputs(self) -> str:
        return f"{self.name}.out"

    def poll(self, records: int) -> PolledBatch:
        return await_until(lambda: self.consumer.poll_batch(records, 0.2, 0.2), 30, "a batch")

    def positions(self, batch: PolledBatch) -> Positions:
        return Positions(self.events, batch.positions, "note", batch.group_metadata)

    def commit(self, batch: PolledBatch) -> None:
        positions = self.positions(batch)
        self.publisher.commit(positions)
        self.publisher.finish(positions)

    def abort(self) -> None:
        try:
            self.publisher.abort()
        except errors.ProducerLost:  # the abort overtook the first AddPartitionsToTxn
            self.publisher.reopen()

    def seen(self) -> list[LogRecord]:
        return read_log(self.kafka, self.outputs)

    def committed(self) -> dict[int, int]:
        return TopicAdmin(self.kafka).committed(f"{self.name}.group", self.events)


def _exactly_once(kafka: KafkaSettings, name: str, _: GroupConsumer) -> Publisher:
    return ExactlyOncePublisher(kafka, name)


def _at_least_once(kafka: KafkaSettings, name: str, consumer: GroupConsumer) -> Publisher:
    return AtLeastOncePublisher(kafka, name, consumer.commit)


Make = Callable[[KafkaSettings, str, GroupConsumer], Publisher]


@pytest.fixture(params=[_exactly_once, _at_least_once], ids=["exactly_once", "at_least_once"])
def bench(request: pytest.FixtureRequest, broker: str, unique: str) -> Iterator[Bench]:
    kafka = KafkaSettings(bootstrap_servers=broker)
    small = {"max.message.bytes": "2000"}
    TopicAdmin(kafka).create([TopicSpec(f"{unique}.in", 1), TopicSpec(f"{unique}.out", 2, config=small)])
    with LogWriter(kafka) as writer:
        writer.append_many(f"{unique}.in", [(b"k", str(i).encode()) for i in range(N)], partition=0)
    consumer = GroupConsumer(kafka, f"{unique}.in", f"{unique}.group", Listener(), unique)
    make: Make = request.param
    publisher = make(kafka, unique, consumer)
    publisher.open()
    yield Bench(kafka, unique, consumer, publisher, make is _exactly_once)
    publisher.close()
    consumer.close()


def test_what_is_sent_in_a_batch_arrives_as_it_was_in_its_order_and_partition(bench: Bench) -> None:
    batch = bench.poll(10)
    bench.publisher.begin()
    bench.publisher.send_batch(bench.outputs, 1, [{"value": b"a", "key": b"1"}, {"value": b"b", "key": None}])
    bench.publisher.send(bench.outputs, None, b"2", 1, [("h", b"\xff"), ("h", None), ("i", b"")])
    bench.publisher.send_batch(bench.outputs, 1, [{"value": b"c", "key": b""}])
    bench.publisher.send_batch(bench.outputs, 0, [{"value": b"d", "key": b"3"}])
    bench.commit(batch)
    records = bench.seen()
    assert [(r.key, r.value, r.headers) for r in records if r.partition == 1] == [
        (b"1", b"a", []),
        (None, b"b", []),
        (b"2", None, [("h", b"\xff"), ("h", None), ("i", b"")]),
        (b"", b"c", []),
    ]
    assert [(r.key, r.value) for r in records if r.partition == 0] == [(b"3", b"d")]
    assert bench.committed() == {0: 10}


def test_batches_follow_each_other_and_the_committed_offset_with_them(bench: Bench) -> None:
    for number in range(1, 6):
        batch = bench.poll(5)
        bench.publisher.begin()
        messages = [{"value": value, "key": None} for value in batch.values]
        bench.publisher.send_batch(bench.outputs, 0, messages)
        bench.commit(batch)
        assert bench.committed() == {0: batch.positions[0]}
        assert number >= 1
    values = [record.value for record in bench.seen()]
    assert values == [str(i).encode() for i in range(len(values))]


def test_a_batch_without_messages_moves_the_positions(bench: Bench) -> None:
    batch = bench.poll(7)
    bench.publisher.begin()
    bench.commit(batch)
    assert bench.committed() == {0: batch.positions[0]}
    assert bench.seen() == []


def test_without_a_partition_the_key_decides_always_the_same(bench: Bench) -> None:
    batch = bench.poll(1)
    bench.publisher.begin()
    for key in (b"x", b"y", b"x", b"y", b"z"):
        bench.publisher.send(bench.outputs, key, key, None, [])
    bench.commit(batch)
    places: dict[bytes, set[int]] = {}
    for record in bench.seen():
        places.setdefault(record.key or b"", set()).add(record.partition)
    assert all(len(partitions) == 1 for partitions in places.values())


def test_after_an_abort_nothing_is_committed_and_the_next_batch_is(bench: Bench) -> None:
    batch = bench.poll(10)
    bench.publisher.begin()
    bench.publisher.send_batch(bench.outputs, 0, [{"value": b"never", "key": None}])
    bench.abort()
    assert bench.committed() == {}
    bench.publisher.begin()
    bench.publisher.send_batch(bench.outputs, 0, [{"value": b"now", "key": None}])
    bench.commit(batch)
    values = [record.value for record in bench.seen()]
    assert values == ([b"now"] if bench.exactly_once else [b"never", b"now"])


def test_a_record_that_the_topic_does_not_take_fails_its_batch_and_later_ones_are_committed(bench: Bench) -> None:
    batch = bench.poll(10)
    bench.publisher.begin()
    bench.publisher.send_batch(bench.outputs, 0, [{"value": b"x" * 5000, "key": None}])
    # In a transaction librdkafka sometimes tells the consequence instead of the cause.
    expected = (errors.RecordRefused, errors.TransactionAborted) if bench.exactly_once else errors.RecordRefused
    with pytest.raises(expected):
        bench.commit(batch)
    bench.abort()
    assert bench.committed() == {}

    def committed() -> bool:
        bench.publisher.begin()
        bench.publisher.send_batch(bench.outputs, 0, [{"value": b"small", "key": None}])
        try:
            bench.commit(batch)
        except errors.TransactionAborted:  # the gap in the sequence numbers that the refused record left
            bench.abort()
            return False
        return True

    await_until(committed, 30, "a later batch to be committed")
    assert [record.value for record in bench.seen()] == [b"small"]


def test_reopened_it_goes_on(bench: Bench) -> None:
    batch = bench.poll(10)
    bench.publisher.begin()
    bench.publisher.send_batch(bench.outputs, 0, [{"value": b"lost", "key": None}])
    bench.publisher.reopen()
    bench.publisher.begin()
    bench.publisher.send_batch(bench.outputs, 0, [{"value": b"kept", "key": None}])
    bench.commit(batch)
    values = [record.value for record in bench.seen()]
    assert values[-1] == b"kept"
    assert not bench.exactly_once or values == [b"kept"]


def test_an_unknown_topic_fails_the_batch_and_moves_nothing(bench: Bench) -> None:
    batch = bench.poll(10)
    with pytest.raises(errors.KafkaError):  # at once, or only in the commit
        bench.publisher.begin()
        bench.publisher.send_batch(bench.outputs, 99, [{"value": b"nowhere", "key": None}])
        bench.commit(batch)
    assert bench.committed() == {}
