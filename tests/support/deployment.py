"""One endpoint for one test: its topics and documents, events, worker processes, and readers of what they write.

Nothing of ours is used to set it up but the names of the topics: the documents are published as any Kafka client
could publish them. What is read is read by librdkafka and fastavro alone.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from streamer.config import KafkaSettings
from streamer.kafka.log import LogTail
from streamer.records.worker_status import WorkerState, WorkerStatus
from tests.support.await_condition import await_until
from tests.support.event_feed import EVENT_SCHEMA, OUTPUT_SCHEMA, EventEncoder, EventFeed
from tests.support.inference_check import InferenceDecoder, SeenInference, copy_problems
from tests.support.record_reader import RecordReader, SeenRecord
from tests.support.worker_subprocess import WorkerSubprocess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from tests.support.event_feed import Event
    from tests.support.small_models import SmallModel

ENDPOINT = "rides"
START_SECONDS = 60.0
"""How long a worker may take until it serves, on a busy machine."""
LARGEST_RECORD_BYTES = 2_000_000


class Deployment:
    """Topics, documents, workers and readers of one test, all under a prefix of its own.

    Args:
        bootstrap_servers: The broker.
        prefix: Stands before every name.
        folder: For artifacts, logs and the workers' cache.
        partitions: Of the events topic and of the outputs.
        environment: Further variables of the workers.
        encode: What the good events' values look like.
        events: Changes to the endpoint's `events`.
        endpoint: Changes to the rest of the endpoint document.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        prefix: str,
        folder: Path,
        *,
        partitions: int = 2,
        environment: Mapping[str, str] | None = None,
        encode: EventEncoder | None = None,
        events: Mapping[str, Any] | None = None,
        endpoint: Mapping[str, Any] | None = None,
    ) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.prefix = f"{prefix}."
        self.kafka = KafkaSettings(bootstrap_servers=bootstrap_servers, topic_prefix=self.prefix)
        self.folder = folder
        self.partitions = partitions
        self.topics = {
            what: f"{self.prefix}{ENDPOINT}.{what}" for what in ("events", "inferences", "shadow", "dead-letters")
        }
        self.endpoint = self._endpoint_document(dict(events or {}), dict(endpoint or {}))
        self.workers: list[WorkerSubprocess] = []
        self.decode = InferenceDecoder(ENDPOINT)
        self._revisions = {"endpoint": 0, "routing": 0}
        self._statuses: dict[str, list[WorkerStatus]] = {}
        self._environment = {
            "STREAMER_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers,
            "STREAMER_KAFKA__TOPIC_PREFIX": self.prefix,
            "STREAMER_CACHE_DIR": str(folder / "cache"),
            "STREAMER_LOG__FORM": "json",
            **(environment or {}),
        }
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers})
        self._producer = ck.Producer({"bootstrap.servers": bootstrap_servers, "enable.idempotence": True})
        self._open: list[Any] = []
        self._tail: LogTail | None = None
        self.create_topics(dict.fromkeys(self.topics.values(), partitions))
        self.create_topics({self.kafka.config_topic: 1, self.kafka.models_topic: 1, self.kafka.status_topic: 1})
        self.feed = EventFeed(bootstrap_servers, self.topics["events"], partitions, encode or EventEncoder())

    # Topics.

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        """Makes topics and waits until their leaders are elected."""
        config = {
            "max.message.bytes": str(LARGEST_RECORD_BYTES),
            "message.timestamp.after.max.ms": str(2**63 - 1),  # Kafka refuses the far future otherwise
        }
        new = [NewTopic(name, n, 1, config=config) for name, n in partitions.items()]
        for future in self._admin.create_topics(new).values():
            future.result(30)
        await_until(lambda: self._have_leaders(partitions), 30, f"leaders of {sorted(partitions)}")

    def grow_topic(self, name: str, partitions: int) -> None:
        """Adds partitions."""
        for future in self._admin.create_partitions([NewPartitions(name, partitions)]).values():
            future.result(30)
        await_until(lambda: self._have_leaders({name: partitions}), 30, f"leaders of {name}")

    def delete_topic(self, name: str) -> None:
        """Deletes a topic and waits until it is gone."""
        for future in self._admin.delete_topics([name]).values():
            future.result(30)
        await_until(lambda: name not in self._admin.list_topics(timeout=30).topics, 30, f"{name} to be gone")

    def delete_records(self, topic: str, before: Mapping[int, int]) -> None:
        """Moves the beginning of partitions up, as retention does."""
        places = [ck.TopicPartition(topic, partition, offset) for partition, offset in before.items()]
        for future in self._admin.delete_records(places).values():
            future.result(30)

    def committed(self) -> dict[int, int]:
        """Partition to the workers' committed offset."""
        group = ck.ConsumerGroupTopicPartitions(f"{self.prefix}streamer.{ENDPOINT}")
        answer = self._admin.list_consumer_group_offsets([group])[group.group_id].result(30)
        return {
            place.partition: place.offset
            for place in answer.topic_partitions or []
            if place.topic == self.topics["events"] and place.offset >= 0
        }

    def await_committed(self, deadline_seconds: float = 60.0) -> None:
        """Waits until everything that was fed is answered."""
        wanted = {partition: len(entries) for partition, entries in self.feed.placed.items() if entries}
        try:
            await_until(
                lambda: all(self.committed().get(p, 0) >= end for p, end in wanted.items()),
                deadline_seconds,
                f"the committed offsets to reach {wanted}",
            )
        except AssertionError as late:
            raise AssertionError(f"{late}; they are {self.committed()}; {self.last_words()}") from None

    # Documents.

    def publish_endpoint(self, **changes: Any) -> int:
        """The next revision of the endpoint document; returns its number."""
        self.endpoint = {**self.endpoint, **changes}
        return self.publish("endpoint", {**self.endpoint, "based_on": self._revisions["endpoint"]})

    def publish_routing(
        self,
        serve: Mapping[str, SmallModel] | list[dict[str, Any]],
        *,
        models: list[dict[str, Any]] | None = None,
        **more: Any,
    ) -> int:
        """The next revision of the routing; returns its number.

        Args:
            serve: Variant to model, all of the same weight; or the list as it stands in the document.
            models: The documents of the model versions, when `serve` does not say it.
            more: Further keys of the document.
        """
        if models is None:
            assert not isinstance(serve, list)
            models = [model.document(self.folder) for model in dict.fromkeys(serve.values())]
        arms = serve if isinstance(serve, list) else [arm(variant, model) for variant, model in serve.items()]
        document = {
            "kind": "routing",
            "endpoint": ENDPOINT,
            "reason": "a test",
            "serve": arms,
            "models": models,
            "based_on": self._revisions["routing"],
            **more,
        }
        return self.publish("routing", document)

    def publish(self, kind: str, document: Mapping[str, Any] | None) -> int:
        """Any document, or a tombstone; returns the revision that it has if it is admitted."""
        value = None if document is None else json.dumps(document).encode()
        self.append(self.kafka.config_topic, f"{kind}/{ENDPOINT}".encode(), value)
        self._revisions[kind] += 1
        return self._revisions[kind]

    def append(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """One record, acknowledged."""
        failures: list[Any] = []
        self._producer.produce(topic, value, key, on_delivery=lambda error, _: failures.append(error))
        assert self._producer.flush(30) == 0
        assert failures == [None]

    # Workers.

    def start_worker(
        self,
        slot: int = 0,
        *,
        alteration: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> WorkerSubprocess:
        """Starts one; does not wait for it to serve."""
        worker = WorkerSubprocess(ENDPOINT, slot, {**self._environment, **(environment or {})}, self.folder, alteration)
        self.workers.append(worker)
        return worker

    def start_serving(self, slot: int = 0, *, alteration: str | None = None) -> WorkerSubprocess:
        """Starts one and waits until it says that it serves."""
        worker = self.start_worker(slot, alteration=alteration)
        self.await_status(worker, lambda status: status.state is WorkerState.serving and bool(status.partitions))
        return worker

    def statuses(self) -> dict[str, list[WorkerStatus]]:
        """Worker to everything it has said so far."""
        if self._tail is None:
            self._tail = LogTail(self.kafka, self.kafka.status_topic)
        for record in self._tail.poll(0.0):
            assert record.key is not None
            assert record.value is not None
            said = WorkerStatus.model_validate_json(record.value)
            self._statuses.setdefault(record.key.decode(), []).append(said)
        return self._statuses

    def status_of(self, worker: WorkerSubprocess) -> WorkerStatus | None:
        """The newest of what this process has said."""
        said = self.statuses().get(f"{ENDPOINT}/{worker.slot}", [])
        return next((status for status in reversed(said) if status.pid == worker.pid), None)

    def await_status(
        self,
        worker: WorkerSubprocess,
        holds: Callable[[WorkerStatus], bool],
        deadline_seconds: float = START_SECONDS,
    ) -> WorkerStatus:
        """Waits until what this process says last fulfils the condition; fails at once if it ends."""

        def there() -> WorkerStatus | None:
            status = self.status_of(worker)
            if status is not None and holds(status):
                return status
            assert worker.is_running(), f"the worker ended:\n{worker.log()[-5000:]}"
            return None

        try:
            found = await_until(there, deadline_seconds, "the worker's status")
        except AssertionError as late:
            raise AssertionError(f"{late}; it said {self.status_of(worker)!r}; {self.last_words()}") from None
        assert found is not None
        return found

    def await_revision(self, revision: int, *workers: WorkerSubprocess) -> None:
        """Waits until these workers (default: all that run) serve a routing revision."""
        for worker in workers or [worker for worker in self.workers if worker.is_running()]:
            self.await_status(worker, lambda status: status.routing_revision == revision and status.refused is None)

    def metrics(self, worker: WorkerSubprocess) -> dict[str, float]:
        """Each sample of the worker's /metrics, by name and labels as they are printed."""
        status = self.await_status(worker, lambda status: status.http is not None)
        with urllib.request.urlopen(f"http://{status.http}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        samples = (re.fullmatch(r"(\S+(?:\{.*\})?) (\S+)", line) for line in lines if not line.startswith("#"))
        return {sample[1]: float(sample[2]) for sample in samples if sample is not None}

    def await_metric(
        self, worker: WorkerSubprocess, sample: str, holds: Callable[[float], bool], deadline_seconds: float = 30.0
    ) -> dict[str, float]:
        """Waits until one sample fulfils the condition (absent counts as 0); returns all.

        What is committed is counted a moment after its commit.
        """

        def there() -> dict[str, float] | None:
            samples = self.metrics(worker)
            return samples if holds(samples.get(sample, 0.0)) else None

        found = await_until(there, deadline_seconds, f"{sample} on /metrics")
        assert found is not None
        return found

    def last_words(self) -> str:
        """The end of every worker's log."""
        return "\n".join(f"slot {worker.slot} (pid {worker.pid}):\n{worker.log()[-3000:]}" for worker in self.workers)

    # Events, while other things happen.

    @contextmanager
    def feeding(self, some: list[Event], per_second: float) -> Iterator[Callable[[], None]]:
        """Sends events at a rate meanwhile; gives a call that waits until all are sent."""
        stop = threading.Event()
        failures: list[BaseException] = []

        def feed() -> None:
            try:
                self.feed.send_steadily(some, per_second, stop)
            except BaseException as failure:
                failures.append(failure)

        def finish() -> None:
            thread.join(2 * len(some) / per_second + 60)
            assert not thread.is_alive(), "the feed did not end"
            assert not failures, failures[0]

        thread = threading.Thread(target=feed, name="feed", daemon=True)
        thread.start()
        try:
            yield finish
        finally:
            stop.set()
            thread.join(60)

    # What came out.

    def read(self, what: str = "inferences", *, isolation: str = "read_committed") -> RecordReader:
        """A reader of one of the endpoint's topics that runs from now on."""
        reader = RecordReader(self.bootstrap_servers, self.topics[what], isolation=isolation)
        self._open.append(reader)
        return reader

    def read_all(self, what: str = "inferences") -> list[SeenRecord]:
        """Everything committed that stands on one of the endpoint's topics now."""
        with RecordReader(self.bootstrap_servers, self.topics[what]) as reader:
            return reader.read_to_end()

    def inferences(self, reader: RecordReader | None = None) -> list[SeenInference]:
        """The serving and fallback inferences, decoded, in the order in which they were read."""
        records = self.read_all() if reader is None else reader.read_to_end()
        return self.decode.all(records)

    def check_copy(self, reader: RecordReader | None = None) -> list[SeenInference]:
        """Fails unless each good event has exactly one inference, in partition order; returns them."""
        inferences = self.inferences(reader)
        problems = copy_problems(self.feed.good(), inferences)
        assert not problems, f"{problems}\n{self.last_words()}"
        return inferences

    def close(self) -> None:
        """Kills the workers that still run."""
        for worker in self.workers:
            worker.close()
        for reader in self._open:
            reader.close()
        if self._tail is not None:
            self._tail.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _endpoint_document(self, events: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        return {
            "kind": "endpoint",
            "name": ENDPOINT,
            "events": {
                "topic": self.topics["events"],
                "schema": EVENT_SCHEMA,
                "framing": "single_object",
                "id": "id",
                "time": "at",
                "bucket_by": "rider",
                **events,
            },
            "output": {"topic": self.topics["inferences"], "schema": OUTPUT_SCHEMA},
            "topics": {"shadow": self.topics["shadow"], "dead_letters": self.topics["dead-letters"]},
            "batch": {"max_records": 500, "max_wait_ms": 5},
            **changes,
        }

    def _have_leaders(self, partitions: Mapping[str, int]) -> bool:
        topics = self._admin.list_topics(timeout=30).topics
        return all(
            name in topics
            and len(topics[name].partitions) >= n
            and all(place.leader >= 0 for place in topics[name].partitions.values())
            for name, n in partitions.items()
        )


def arm(variant: str, model: SmallModel, **more: Any) -> dict[str, Any]:
    """One arm of a routing."""
    return {"variant": variant, "model": {"uuid": model.uuid, "sha256": model.sha256}, **more}
