"""The transaction procedure on a real broker: what is committed is seen once, what is not is never seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import pytest

from streamer import errors
from streamer.config import KafkaSettings
from streamer.kafka.at_least_once import AtLeastOncePublisher
from streamer.kafka.consumer import Committed, GroupConsumer, PolledBatch
from streamer.kafka.exactly_once import ExactlyOncePublisher
from streamer.kafka.log import LogWriter, read_log
from streamer.kafka.publisher import Positions
from streamer.kafka.topics import TopicAdmin, TopicSpec
from tests.support.await_condition import await_until

PARTITIONS = 2


class Listener:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.owned: dict[int, Committed] = {}

    def assigned(self, committed: Mapping[int, Committed]) -> None:
        self.owned = dict(committed)

    def revoked(self, partitions: Iterable[int]) -> None:
        self.owned = {}

    def lost(self, partitions: Iterable[int]) -> None:
        self.owned = {}


@pytest.fixture
def kafka(broker: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=broker)


@pytest.fixture
def topics(kafka: KafkaSettings, unique: str) -> tuple[str, str]:
    names = (f"{unique}.in", f"{unique}.out")
    TopicAdmin(kafka).create(TopicSpec(name, PARTITIONS) for name in names)
    with LogWriter(kafka) as writer:
        for partition in range(PARTITIONS):
            records = [(b"k", f"{partition}/{i}".encode()) for i in range(50)]
            writer.append_many(names[0], records, partition=partition)
    return names


Connect = Callable[[Listener], GroupConsumer]


@pytest.fixture
def connect(kafka: KafkaSettings, topics: tuple[str, str], unique: str) -> Iterator[Connect]:
    consumers = []

    def make(listener: Listener) -> GroupConsumer:
        consumers.append(GroupConsumer(kafka, topics[0], f"{unique}.group", listener, unique))
        return consumers[-1]

    yield make
    for consumer in consumers:
        consumer.close()


def poll(consumer: GroupConsumer, records: int = 1000) -> PolledBatch:
    return await_until(lambda: consumer.poll_batch(records, 0.2, 0.0), 30, "a batch")


def answer(publisher: ExactlyOncePublisher | AtLeastOncePublisher, topics: tuple[str, str], batch: PolledBatch) -> None:
    publisher.begin()
    for value, key, partition in zip(batch.values, batch.keys, batch.partitions.tolist(), strict=True):
        publisher.send_batch(topics[1], partition, [{"value": value, "key": key}])
    positions = Positions(topics[0], batch.positions, "note", batch.group_metadata)
    publisher.commit(positions)
    publisher.finish(positions)


def seen(kafka: KafkaSettings, topic: str) -> list[bytes | None]:
    return [record.value for record in read_log(kafka, topic)]


def test_batches_that_take_turns_are_seen_once_and_in_partition_order(
    kafka: KafkaSettings, topics: tuple[str, str], connect: Connect, unique: str
) -> None:
    consumer = connect(Listener())
    publisher = ExactlyOncePublisher(kafka, unique)
    publisher.open()
    answered = 0
    while answered < 100:
        batch = poll(consumer, records=7)
        answer(publisher, topics, batch)
        answered += len(batch)
    publisher.close()
    records = read_log(kafka, topics[1])
    for partition in range(PARTITIONS):
        expected = [f"{partition}/{i}".encode() for i in range(50)]
        assert [r.value for r in records if r.partition == partition] == expected


def test_the_next_owner_finds_offset_and_metadata(
    kafka: KafkaSettings, topics: tuple[str, str], connect: Connect, unique: str
) -> None:
    first = connect(Listener())
    publisher = ExactlyOncePublisher(kafka, unique)
    publisher.open()
    batch = poll(first, records=20)
    answer(publisher, topics, batch)
    publisher.close()
    first.close()
    listener = Listener()
    second = connect(listener)
    poll(second)
    for partition, position in batch.positions.items():
        assert listener.owned[partition] == Committed(position, "note")


def test_an_aborted_batch_is_never_seen_and_is_read_again(
    kafka: KafkaSettings, topics: tuple[str, str], connect: Connect, unique: str
) -> None:
    consumer = connect(Listener())
    publisher = ExactlyOncePublisher(kafka, unique)
    publisher.open()
    first = poll(consumer, records=10)
    publisher.begin()
    publisher.send_batch(topics[1], 0, [{"value": b"never", "key": b"k"}])
    try:
        publisher.abort()
    except errors.ProducerLost:  # the abort overtook the first AddPartitionsToTxn
        publisher.reopen()
    consumer.rewind()
    again = poll(consumer, records=10)
    assert again.offsets[0] == 0
    assert set(first.values) & set(again.values)
    assert seen(kafka, topics[1]) == []
    publisher.close()


def test_a_batch_of_an_ended_generation_is_refused(
    kafka: KafkaSettings, topics: tuple[str, str], connect: Connect, unique: str
) -> None:
    mine, theirs = Listener(), Listener()
    consumer = connect(mine)
    held = poll(consumer, records=10)
    other = connect(theirs)

    def both_have_one() -> bool:
        consumer.poll_batch(1, 0.05, 0.0)
        other.poll_batch(1, 0.05, 0.0)
        return len(mine.owned) == 1 and len(theirs.owned) == 1

    await_until(both_have_one, 30, "the group to give each consumer one partition")
    publisher = ExactlyOncePublisher(kafka, unique)
    publisher.open()
    with pytest.raises(errors.TransactionAborted):
        answer(publisher, topics, held)
    publisher.abort()
    publisher.close()
    assert seen(kafka, topics[1]) == []


def test_a_second_worker_with_the_same_id_fences_the_first(
    kafka: KafkaSettings, topics: tuple[str, str], connect: Connect, unique: str
) -> None:
    consumer = connect(Listener())
    first = ExactlyOncePublisher(kafka, unique)
    first.open()
    second = ExactlyOncePublisher(kafka, unique)
    second.open()
    with pytest.raises(errors.ProducerFenced):
        answer(first, topics, poll(consumer))
    second.close()
    assert seen(kafka, topics[1]) == []


def test_three_fencings_within_a_minute_mean_that_the_slot_is_in_use(
    kafka: KafkaSettings, topics: tuple[str, str], connect: Connect, unique: str
) -> None:
    batch = poll(connect(Listener()))
    publisher = ExactlyOncePublisher(kafka, unique, monotonic=lambda: 1000.0)
    for expected in (errors.ProducerFenced, errors.ProducerFenced, errors.SlotInUse):
        publisher.open()
        rival = ExactlyOncePublisher(kafka, unique)
        rival.open()
        rival.close()
        with pytest.raises(expected):
            answer(publisher, topics, batch)


def test_a_successor_ends_what_a_killed_worker_left_open(
    kafka: KafkaSettings, topics: tuple[str, str], unique: str
) -> None:
    killed = ExactlyOncePublisher(kafka, unique)
    killed.open()
    killed.begin()
    killed.send_batch(topics[1], 0, [{"value": b"never", "key": b"k"}])
    successor = ExactlyOncePublisher(kafka, unique)
    await_until(
        lambda: TopicAdmin(kafka).end_offsets(topics[1], committed_only=False)[0] > 0, 30, "the open transaction"
    )
    successor.open()
    successor.close()
    stable = lambda: TopicAdmin(kafka).end_offsets(topics[1])  # noqa: E731
    high = TopicAdmin(kafka).end_offsets(topics[1], committed_only=False)
    await_until(lambda: stable() == high, 10, "the last stable offset to pass the aborted transaction")
    assert seen(kafka, topics[1]) == []


def test_at_least_once_commits_the_same_positions(
    kafka: KafkaSettings, topics: tuple[str, str], connect: Connect, unique: str
) -> None:
    consumer = connect(Listener())
    publisher = AtLeastOncePublisher(kafka, unique, consumer.commit)
    publisher.open()
    batch = poll(consumer, records=30)
    answer(publisher, topics, batch)
    publisher.close()
    assert sorted(seen(kafka, topics[1])) == sorted(batch.values)  # type: ignore[type-var]
    assert TopicAdmin(kafka).committed(f"{unique}.group", topics[0]) == batch.positions
