"""Reading an endpoint's inferences."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from streamer.avro.envelope import inference_schema
from streamer.avro.schema import parse_schema
from streamer.client.avro_topic import AvroTopic, SchemaSource, load_schema, parse_framing, settings_for
from streamer.client.endpoint_lookup import find_endpoint
from streamer.client.inference import Inference, InferenceBatch
from streamer.errors import ConfigurationError, DecodeError
from streamer.kafka.record_reader import RecordReader

if TYPE_CHECKING:
    from streamer.config import Settings
    from streamer.kafka.log import LogRecord
    from streamer.routing.documents import EndpointDocument

_MAX_BATCH_RECORDS = 10_000
_ROWS_AT_ONCE = 1_000
_POLL_SECONDS = 0.25


class InferenceConsumer:
    """Reads what an endpoint answered: committed records only, so each serving inference is seen once.

        for inference in InferenceConsumer("flights", group="pager"):
            if inference.output["late_probability"] > 0.9:
                ...

    Args:
        endpoint: The endpoint's name; its document on the config topic says everything else.
        bootstrap_servers: Kafka; by default that of ``settings``.
        settings: By default those of the environment (``STREAMER_*``).
        group: A consumer group. Its members share the partitions; call :meth:`commit` to remember what is done.
            None: this consumer reads every partition and remembers nothing.
        start: Where to begin where nothing is committed: ``beginning``, ``end``, or a moment.
        shadows: Read what shadow variants said instead.
        topic: Without an endpoint: the topic.
        schema: Without an endpoint: the schema of its records, the whole envelope.
        framing: Without an endpoint: ``single_object``, ``confluent`` or ``bare``.
        timeout_seconds: An iteration ends when nothing has come for so long; None: never.

    Raises:
        ConfigurationError: There is no such endpoint, or neither endpoint nor topic and schema are given.
        KafkaError: Kafka does not answer, refuses us, or the topic does not exist.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        bootstrap_servers: str | None = None,
        settings: Settings | None = None,
        group: str | None = None,
        start: Literal["beginning", "end"] | datetime = "beginning",
        shadows: bool = False,
        topic: str | None = None,
        schema: SchemaSource | None = None,
        framing: str = "single_object",
        timeout_seconds: float | None = None,
    ) -> None:
        settings = settings_for(bootstrap_servers, settings)
        if endpoint is not None:
            if topic is not None:
                raise ConfigurationError("give an endpoint or a topic, not both")
            source = inference_topic(find_endpoint(settings.kafka, endpoint), shadows=shadows)
        elif topic is None or schema is None:
            raise ConfigurationError(
                "neither an endpoint nor a topic with its schema was given",
                advice='Write InferenceConsumer("my-endpoint"), or give topic= and schema=',
            )
        else:
            source = AvroTopic(topic, load_schema(schema), parse_framing(framing))
        self._timeout_seconds = timeout_seconds
        self._patience_seconds = _POLL_SECONDS if timeout_seconds is None else timeout_seconds
        self._topic = source.name
        with ExitStack() as resources:
            self._decoder = source.decoder(settings, resources)
            self._reader = RecordReader(settings.kafka, source.name, group=group, start=start)
            self._resources = resources.pop_all()
        self._assignments = 0
        self._handed_out: dict[int, int] = {}

    @property
    def topic(self) -> str:
        """Where the inferences come from."""
        return self._topic

    def poll(self, timeout_seconds: float, max_records: int = _MAX_BATCH_RECORDS) -> InferenceBatch | None:
        """The next inferences, as soon as there are any.

        Args:
            timeout_seconds: How long to wait for the first.
            max_records: At most so many.

        Returns:
            None if nothing came.

        Raises:
            DecodeError: A record is no inference of this endpoint; ``where`` names its partition and offset. The
                next call goes on behind the records of this one.
            KafkaError: Kafka refuses us, or the topic is gone.
        """
        batch = self._read(timeout_seconds, max_records)
        if batch is not None:
            for partition in np.unique(batch.partitions).tolist():
                self._handed_out[partition] = int(batch.offsets[batch.partitions == partition][-1]) + 1
        return batch

    def batches(self, max_records: int = _MAX_BATCH_RECORDS) -> Iterator[InferenceBatch]:
        """Batch after batch, until nothing has come for ``timeout_seconds``."""
        while True:
            batch = self.poll(self._patience_seconds, max_records)
            if batch is not None:
                yield batch
            elif self._timeout_seconds is not None:
                return

    def __iter__(self) -> Iterator[Inference]:
        """One inference after the other, until nothing has come for ``timeout_seconds``."""
        while True:
            batch = self._read(self._patience_seconds, _ROWS_AT_ONCE)
            if batch is not None:
                places = zip(batch.partitions.tolist(), batch.offsets.tolist(), strict=True)
                for row, (partition, offset) in zip(batch.rows(), places, strict=True):
                    # Before the loop's body runs, so that a commit() in it includes this inference and none after.
                    self._handed_out[partition] = offset + 1
                    yield row
            elif self._timeout_seconds is not None:
                return

    def at_end(self) -> bool:
        """Whether everything that was there when the consumer was made has been read."""
        return self._reader.at_end()

    def commit(self) -> None:
        """Remembers for the group that everything handed out so far is done.

        Raises:
            ConfigurationError: The consumer has no group.
            KafkaError: The broker refused; the partition may have moved on, and is read again by its new owner.
        """
        self._reader.commit(self._handed_out)
        self._handed_out.clear()

    def close(self) -> None:
        """Leaves the group. Commits nothing."""
        self._reader.close()
        self._resources.close()

    def _read(self, timeout_seconds: float, max_records: int) -> InferenceBatch | None:
        deadline = time.monotonic() + timeout_seconds
        records: list[LogRecord] = []
        while not records:
            # In short steps, so that control-C is heard.
            left_seconds = max(deadline - time.monotonic(), 0)
            records = self._reader.poll(max_records, min(left_seconds, _POLL_SECONDS))
            if self._reader.assignments != self._assignments:
                # Partitions came or went: their next owner has read on, and must not be set back.
                self._assignments = self._reader.assignments
                self._handed_out.clear()
            if not records and left_seconds == 0:
                return None
        headers = [record.headers for record in records] if any(record.headers for record in records) else None
        decoded = self._decoder.decode([record.value for record in records], headers)
        if decoded.failures:
            failure = decoded.failures[0]
            record = records[failure.row]
            raise DecodeError(
                f"a record is not an inference of this endpoint: {failure.message}",
                where=f"{self._topic}[{record.partition}] at offset {record.offset}",
                advice="Something else writes to this topic, or the schema or framing is another",
            )
        partitions = np.fromiter((record.partition for record in records), np.int32, len(records))
        offsets = np.fromiter((record.offset for record in records), np.int64, len(records))
        return InferenceBatch(decoded.batch, partitions, offsets)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def inference_topic(document: EndpointDocument, *, shadows: bool = False) -> AvroTopic:
    """Where an endpoint's answers are, and their schema: the envelope around its output record."""
    assert isinstance(document.output.schema_, dict)  # a resolved document has every schema spelt out
    name = document.topics.shadow if shadows else document.output.topic
    assert name is not None
    schema = parse_schema(inference_schema(document.name, document.output.schema_))
    return AvroTopic(name, schema, parse_framing(document.output.framing))
