"""Sends events at a fixed rate, whatever becomes of them: the open loop's load, as a process of its own.

Every event's intended time is fixed before the first is sent: start + i / rate. It stands in the event. When the
generator is late, the event still says when it was due, so lateness counts as latency (no coordinated omission).
"""

from __future__ import annotations

import gc
import json
import sys
import time

import numpy as np
from confluent_kafka import Producer

from benchmarks.client_settings import producer_settings
from benchmarks.events import SHAPES, encode_events

TICK_SECONDS = 0.002
_ENCODE_SECONDS_PER_EVENT = 12e-6
_FLUSH_SECONDS = 30.0


def generate(bootstrap_servers: str, topic: str, fields: int, rate: float, seconds: float) -> dict[str, float]:
    """Prints when the first of rate * seconds events is due, in seconds since 1970, then sends them.

    Returns:
        How late they were handed to the client, in milliseconds: `late_p50_ms`, `late_p99_ms`, `late_max_ms`.
    """
    n = int(rate * seconds)
    producer = Producer({**producer_settings(bootstrap_servers), "linger.ms": 0})
    producer.list_topics(topic, timeout=10)
    encode_seconds = 0.5 + n * _ENCODE_SECONDS_PER_EVENT
    while True:
        started_at = time.time() + encode_seconds
        due_at = started_at + np.arange(n) / rate
        messages = encode_events(SHAPES[fields], (due_at * 1e6).astype(np.int64)).messages()
        gc.collect()
        if time.time() < started_at:
            break
        encode_seconds *= 2  # a busy machine
    gc.disable()
    print(started_at, flush=True)
    late_ms = np.zeros(n)
    sent = 0
    while sent < n:
        now = time.time()
        due = int(np.searchsorted(due_at, now, side="right"))
        if due > sent:
            taken = producer.produce_batch(topic, messages[sent:due])
            if taken != due - sent:
                raise RuntimeError(f"{due - sent - taken} events were not taken")
            late_ms[sent:due] = (now - due_at[sent:due]) * 1000
            sent = due
            producer.poll(0)
        time.sleep(TICK_SECONDS)
    if left := producer.flush(_FLUSH_SECONDS):
        raise RuntimeError(f"{left} events were not written")
    p50, p99 = np.percentile(late_ms, [50, 99])
    return {"late_p50_ms": float(p50), "late_p99_ms": float(p99), "late_max_ms": float(late_ms.max())}


if __name__ == "__main__":
    servers, events_topic, n_fields, per_second, duration = sys.argv[1:]
    print(json.dumps(generate(servers, events_topic, int(n_fields), float(per_second), float(duration))))
