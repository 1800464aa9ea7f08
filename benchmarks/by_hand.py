"""The usual loop, as one writes it by hand and with care: batches, fastavro, one session call, `produce_batch`.

It answers with the output record and the event's id only: no envelope, no routing, no dead letters, at-least-once
with offsets committed in the background.
"""

from __future__ import annotations

import json
import signal
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import onnxruntime
from confluent_kafka import Consumer, Producer

from benchmarks.client_settings import BASELINE_BATCH_RECORDS, consumer_settings, producer_settings

_FRAMING_BYTES = 10


def by_hand(bootstrap_servers: str, events_topic: str, output_topic: str, group: str, task: dict[str, Any]) -> None:
    """Runs until SIGTERM.

    Args:
        bootstrap_servers: The broker.
        events_topic: Where events come from.
        output_topic: Where answers go.
        group: The consumer group.
        task: `event_schema`, `output_schema`, `prefix` (hexadecimal), `features`, `model` (a path).
    """
    event_schema = fastavro.parse_schema(_without_logical_types(task["event_schema"]))
    output_schema = fastavro.parse_schema(task["output_schema"])
    prefix = bytes.fromhex(task["prefix"])
    features = task["features"]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(Path(task["model"]).read_bytes(), options)
    model_input = session.get_inputs()[0].name
    consumer = Consumer(consumer_settings(bootstrap_servers, group))
    producer = Producer(producer_settings(bootstrap_servers))
    consumer.subscribe([events_topic])
    read, write = fastavro.schemaless_reader, fastavro.schemaless_writer
    while True:
        records: list[Any] = consumer.consume(BASELINE_BATCH_RECORDS, 0.02)
        if not records:
            continue
        events: list[Any] = [read(BytesIO(record.value()[_FRAMING_BYTES:]), event_schema, None) for record in records]
        inputs = np.array([[event[name] or 0.0 for name in features] for event in events], np.float32)
        labels, probabilities = session.run(None, {model_input: inputs})
        messages = []
        for record, event, label, probability in zip(
            records, events, labels.tolist(), probabilities[:, 1].tolist(), strict=True
        ):
            buffer = BytesIO()
            buffer.write(prefix)
            write(
                buffer,
                output_schema,
                {"event_id": event["event_id"], "probability": probability, "positive": label},
            )
            messages.append({"value": buffer.getvalue(), "key": record.key()})
        producer.produce_batch(output_topic, messages)
        producer.poll(0)


def _without_logical_types(schema: dict[str, Any]) -> dict[str, Any]:
    """Nobody looks at the time here, and fastavro takes 2 us to make a datetime of it."""
    fields = [
        {**field, "type": field["type"]["type"] if isinstance(field["type"], dict) else field["type"]}
        for field in schema["fields"]
    ]
    return {**schema, "fields": fields}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    bootstrap, events_name, output_name, group_id, encoded_task = sys.argv[1:]
    by_hand(bootstrap, events_name, output_name, group_id, json.loads(encoded_task))
