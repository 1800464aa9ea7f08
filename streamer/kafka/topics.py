"""Creating and looking at topics."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, NamedTuple

import confluent_kafka as ck
from confluent_kafka.admin import ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType

from streamer import errors
from streamer.config import KafkaSettings
from streamer.kafka.client_errors import ErrorLatch, from_exception
from streamer.kafka.clients import new_admin

_POLL_SECONDS = 0.05

_NEW_LEADER = {
    ck.KafkaError.NOT_LEADER_FOR_PARTITION,
    ck.KafkaError.LEADER_NOT_AVAILABLE,
    ck.KafkaError.UNKNOWN_TOPIC_OR_PART,
    ck.KafkaError.OFFSET_NOT_AVAILABLE,
}


class TopicSpec(NamedTuple):
    """A topic to create. ``replication`` None: the broker's default."""

    name: str
    partitions: int
    replication: int | None = None
    config: dict[str, str] = {}  # noqa: RUF012 - never written to


class TopicDescription(NamedTuple):
    """A topic that exists."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


class TopicAdmin:
    """Administration of topics; every call waits for its result or raises within the request time-out."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._timeout = kafka.request_timeout_seconds
        self._latch = ErrorLatch()
        self._client = new_admin(kafka.client_config(), self._latch)

    def describe(self, names: Iterable[str]) -> dict[str, TopicDescription]:
        """The topics of these names that exist."""
        wanted = set(names)
        metadata = self._metadata()
        found = {name: topic for name, topic in metadata.topics.items() if name in wanted and topic.error is None}
        if not found:
            return {}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in found]
        answers = self._client.describe_configs(resources, request_timeout=self._timeout)
        configs = {
            resource.name: {key: entry.value for key, entry in self._wait(future, "describing topics").items()}
            for resource, future in answers.items()
        }
        return {
            name: TopicDescription(
                name, len(topic.partitions), min(len(p.replicas) for p in topic.partitions.values()), configs[name]
            )
            for name, topic in found.items()
        }

    def names(self) -> list[str]:
        """All topics, sorted."""
        return sorted(self._metadata().topics)

    def create(self, specs: Iterable[TopicSpec]) -> list[str]:
        """Creates those that are missing and waits until their leaders are elected.

        Returns:
            The names that were created.
        """
        specs = list(specs)
        if not specs:
            return []
        new = [
            NewTopic(
                spec.name,
                num_partitions=spec.partitions,
                replication_factor=spec.replication if spec.replication is not None else -1,
                config=dict(spec.config),
            )
            for spec in specs
        ]
        created = []
        for name, future in self._client.create_topics(new, request_timeout=self._timeout).items():
            try:
                future.result(self._timeout)
                created.append(name)
            except ck.KafkaException as exception:
                if exception.args[0].code() != ck.KafkaError.TOPIC_ALREADY_EXISTS:
                    raise from_exception(exception, f"creating topic {name}") from exception
            except TimeoutError as exception:
                raise self._latch.timed_out(f"creating topic {name}", self._timeout) from exception
        self._await_leaders({spec.name for spec in specs})
        return created

    def grow(self, name: str, partitions: int) -> None:
        """Raises the partition count of a topic to ``partitions``."""
        futures = self._client.create_partitions([NewPartitions(name, partitions)], request_timeout=self._timeout)
        self._wait(futures[name], f"adding partitions to {name}")
        self._await_leaders({name}, partitions)

    def delete(self, names: Iterable[str]) -> None:
        """Deletes topics and all their records."""
        for name, future in self._client.delete_topics(list(names), request_timeout=self._timeout).items():
            self._wait(future, f"deleting topic {name}")

    def end_offsets(self, topic: str, *, committed_only: bool = True) -> dict[int, int]:
        """Partition to last stable offset (or, not ``committed_only``, to the high watermark)."""
        return self._offsets(topic, OffsetSpec.latest(), committed_only)

    def begin_offsets(self, topic: str) -> dict[int, int]:
        """Partition to the oldest offset that is still kept."""
        return self._offsets(topic, OffsetSpec.earliest(), committed_only=False)

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition to the group's committed offset; partitions without one are absent."""
        request = [ck.ConsumerGroupTopicPartitions(group)]
        future = self._client.list_consumer_group_offsets(request, request_timeout=self._timeout)[group]
        answer = self._wait(future, f"reading the offsets of group {group}")
        return {p.partition: p.offset for p in answer.topic_partitions if p.topic == topic and p.offset >= 0}

    def _offsets(self, topic: str, spec: OffsetSpec, committed_only: bool) -> dict[int, int]:
        isolation = ck.IsolationLevel.READ_COMMITTED if committed_only else ck.IsolationLevel.READ_UNCOMMITTED
        deadline = time.monotonic() + self._timeout
        while True:
            metadata = self._metadata().topics.get(topic)
            if metadata is None or metadata.error is not None:
                raise errors.TopicProblem(
                    "the topic does not exist", where=topic, advice="Create it, or check its name"
                )
            request = {ck.TopicPartition(topic, partition): spec for partition in metadata.partitions}
            futures = self._client.list_offsets(request, isolation_level=isolation, request_timeout=self._timeout)
            try:
                return {
                    partition.partition: self._wait(future, f"reading the offsets of {topic}").offset
                    for partition, future in futures.items()
                }
            except errors.KafkaError as failure:
                if not _has_new_leader(failure) or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)

    def _metadata(self) -> Any:
        try:
            return self._client.list_topics(timeout=self._timeout)
        except ck.KafkaException as exception:
            denied = self._latch.denied()
            if denied is not None:
                raise self._latch.timed_out("reading the list of topics", self._timeout) from exception
            raise from_exception(exception, "reading the list of topics") from exception

    def _wait(self, future: Future[Any], doing: str) -> Any:
        try:
            return future.result(self._timeout)
        except ck.KafkaException as exception:
            raise from_exception(exception, doing) from exception
        except TimeoutError as exception:
            raise self._latch.timed_out(doing, self._timeout) from exception

    def _await_leaders(self, names: set[str], partitions: int = 1) -> None:
        """A created topic answers NOT_LEADER for a moment; wait until every partition has its leader."""
        deadline = time.monotonic() + self._timeout
        while True:
            topics = self._metadata().topics
            ready = all(
                name in topics
                and topics[name].error is None
                and len(topics[name].partitions) >= partitions
                and all(p.leader >= 0 for p in topics[name].partitions.values())
                for name in names
            )
            if ready:
                return
            if time.monotonic() > deadline:
                raise errors.KafkaUnavailable(f"no leaders for {', '.join(sorted(names))} within {self._timeout:g} s")
            time.sleep(_POLL_SECONDS)


def _has_new_leader(failure: errors.KafkaError) -> bool:
    """Whether the partition has a leader that does not know of it yet, as after its creation for a moment."""
    cause = failure.__cause__
    return isinstance(cause, ck.KafkaException) and cause.args[0].code() in _NEW_LEADER
