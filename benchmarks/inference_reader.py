"""Reads inferences as an application would, `read_committed`, and notes when each arrived: a process of its own."""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path

import numpy as np
from confluent_kafka import Consumer, TopicPartition

from benchmarks.client_settings import PARTITIONS
from benchmarks.documents import ENDPOINT
from benchmarks.model import OUTPUT_SCHEMA
from streamer.avro.decoder import EventDecoder
from streamer.avro.envelope import inference_schema
from streamer.avro.framing import Framing
from streamer.avro.schema import parse_schema
from streamer.config import KafkaSettings
from streamer.kafka.topics import TopicAdmin
from streamer.records.columns import NumericColumn

READY = "reading"
_SILENCE_SECONDS = 20.0


def read(bootstrap_servers: str, topic: str, n: int, result: Path) -> None:
    """Reads the next n inferences, then writes what it saw.

    The file holds arrays of n rows in order of arrival: `arrived_us`, `event_time_us`, `partition`, `source_partition`,
    `source_offset`, `routing_revision`. Fewer rows, if no more came for 20 seconds.
    """
    ends = TopicAdmin(KafkaSettings(bootstrap_servers=bootstrap_servers)).end_offsets(topic)
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "benchmark-reader",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.assign([TopicPartition(topic, partition, ends[partition]) for partition in range(PARTITIONS)])
    consumer.consume(1, 0.5)
    print(READY, flush=True)
    gc.disable()
    values: list[bytes | None] = []
    partitions: list[int | None] = []
    arrivals: list[tuple[float, int]] = []
    while len(values) < n:
        records = consumer.consume(1, _SILENCE_SECONDS)
        if not records:
            break
        records += consumer.consume(20_000, 0)
        now = time.time()
        good = [record for record in records if record.error() is None]
        values += [record.value() for record in good]
        partitions += [record.partition() for record in good]
        arrivals.append((now, len(good)))
    consumer.close()
    _write(values, partitions, arrivals, result)


def _write(
    values: list[bytes | None], partitions: list[int | None], arrivals: list[tuple[float, int]], result: Path
) -> None:
    schema = parse_schema(inference_schema(ENDPOINT, OUTPUT_SCHEMA))
    decoded = EventDecoder(schema, Framing.SINGLE_OBJECT, [schema]).decode(values)
    if decoded.failures:
        raise RuntimeError(f"inferences that cannot be decoded: {decoded.failures[:3]}")

    def column(name: str) -> NumericColumn:
        found = decoded.batch[name]
        assert isinstance(found, NumericColumn)
        return found

    np.savez(
        result,
        arrived_us=np.repeat([at * 1e6 for at, _ in arrivals], [count for _, count in arrivals]),
        event_time_us=column("event_time").values,
        partition=np.array(partitions),
        source_partition=column("source.partition").values,
        source_offset=column("source.offset").values,
        routing_revision=column("routing_revision").values,
    )


if __name__ == "__main__":
    servers, inferences_topic, count, file = sys.argv[1:]
    read(servers, inferences_topic, int(count), Path(file))
