"""The ceiling: consume batches, produce as many values as large as the inferences, do nothing in between."""

from __future__ import annotations

import signal
import sys

from confluent_kafka import Consumer, Producer

from benchmarks.client_settings import BASELINE_BATCH_RECORDS, consumer_settings, producer_settings


def pass_through(bootstrap_servers: str, events_topic: str, output_topic: str, group: str, value_bytes: int) -> None:
    """Runs until SIGTERM."""
    consumer = Consumer(consumer_settings(bootstrap_servers, group))
    producer = Producer(producer_settings(bootstrap_servers))
    consumer.subscribe([events_topic])
    value = bytes(value_bytes)
    while True:
        records = consumer.consume(BASELINE_BATCH_RECORDS, 0.02)
        if not records:
            continue
        producer.produce_batch(output_topic, [{"value": value, "key": record.key()} for record in records])
        producer.poll(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    bootstrap, events, output, group_id, size = sys.argv[1:]
    pass_through(bootstrap, events, output, group_id, int(size))
