"""What decoding and encoding cost: columns against fastavro, in one process, taking turns.

Run `python -m benchmarks.decode` for the table.
"""

from __future__ import annotations

import io
import json
import random
import time
from typing import TYPE_CHECKING, Any

import fastavro
import numpy as np

from streamer.avro.decoder import EventDecoder
from streamer.avro.encoder import RecordEncoder
from streamer.avro.envelope import inference_schema
from streamer.avro.framing import Framing, single_object_prefix
from streamer.avro.schema import parse_schema
from streamer.records.columns import Column, ConstantColumn, NumericColumn, TextColumn

if TYPE_CHECKING:
    from collections.abc import Callable

DECODE_BATCH = 1_000
ENCODE_BATCH = 2_000
ROUNDS = 40


def ten_fields() -> dict[str, Any]:
    """An event of ten doubles."""
    return _record([(f"d{i}", "double") for i in range(10)])


def twenty_four_fields() -> dict[str, Any]:
    """An event of 6 texts, 3 ints, 3 longs and 12 doubles, 17 of the 24 nullable."""
    fields: list[tuple[str, Any]] = [(f"s{i}", "string" if i < 2 else ["null", "string"]) for i in range(6)]
    fields += [(f"i{i}", "int" if i < 1 else ["null", "int"]) for i in range(3)]
    fields += [(f"l{i}", "long" if i < 1 else ["null", "long"]) for i in range(3)]
    fields += [(f"d{i}", ["null", "double"] if i < 9 else "double") for i in range(12)]
    return _record(fields)


def _record(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {"type": "record", "name": "Event", "fields": [{"name": n, "type": t} for n, t in fields]}


def event(schema: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A random event; one nullable value in ten is null."""
    return {field["name"]: _value(field, chance) for field in schema["fields"]}


def _value(field: dict[str, Any], chance: random.Random) -> Any:
    if isinstance(field["type"], list) and chance.random() < 0.1:
        return None
    match field["name"][0]:
        case "s":
            return "".join(chance.choices("ABCDEFGHIJ0123456789", k=chance.randint(3, 14)))
        case "i":
            return chance.randint(0, 50 if field["name"] == "i0" else 100_000)
        case "l":
            return 1_700_000_000_000_000 + chance.randint(0, 10**12)
        case _:
            return chance.random()


def _written(schema: Any, record: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, record)
    return stream.getvalue()


def _microseconds(tasks: dict[str, Callable[[], object]], records: int) -> dict[str, float]:
    """The best time of each task per record; they take turns, so that noise meets all of them alike."""
    best = dict.fromkeys(tasks, float("inf"))
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            best[name] = min(best[name], time.perf_counter() - start)
    return {name: round(seconds * 1e6 / records, 4) for name, seconds in best.items()}


def measure_decode(schema: dict[str, Any]) -> dict[str, float]:
    """Microseconds per record to decode batches of 1,000 in the single-object framing."""
    parsed, foreign, chance = parse_schema(schema), fastavro.parse_schema(schema), random.Random(1)
    bodies = [_written(foreign, event(schema, chance)) for _ in range(DECODE_BATCH)]
    framed = [single_object_prefix(parsed) + body for body in bodies]
    decoder = EventDecoder(parsed, Framing.SINGLE_OBJECT, [parsed])
    assert decoder.decode(framed).batch.n == DECODE_BATCH

    def with_fastavro() -> None:
        for body in bodies:
            fastavro.schemaless_reader(io.BytesIO(body), foreign)

    times = _microseconds({"columnar": lambda: decoder.decode(framed), "fastavro": with_fastavro}, DECODE_BATCH)
    return times | {"ratio": round(times["fastavro"] / times["columnar"], 2)}


def measure_encode() -> dict[str, float]:
    """Microseconds per record to encode inferences with two outputs in batches of 2,000."""
    output = {
        "type": "record",
        "name": "Lateness",
        "fields": [{"name": "late_probability", "type": "double"}, {"name": "late", "type": "boolean"}],
    }
    schema = inference_schema("flights", output)
    parsed, foreign, n = parse_schema(schema), fastavro.parse_schema(schema), ENCODE_BATCH
    chance = np.random.default_rng(1)
    probability = chance.random(n)
    columns: dict[str, Column] = {
        "event_id": TextColumn.from_strings([f"{row:012d}" for row in range(n)]),
        "event_time": NumericColumn(1_700_000_000_000_000 + chance.integers(0, 10**10, n)),
        "scored_at": ConstantColumn(1_700_000_100_000_000, n),
        "variant": ConstantColumn("champion", n),
        "role": ConstantColumn("serving", n),
        "bucket": NumericColumn(chance.integers(0, 10_000, n).astype(np.int32)),
        "model_id": ConstantColumn("6f1c3b1e-0000-4000-8000-000000000000", n),
        "model_name": ConstantColumn("lateness", n),
        "model_version": ConstantColumn(3, n),
        "routing_revision": ConstantColumn(41, n),
        "learned_through": ConstantColumn(None, n),
        "source.partition": NumericColumn(chance.integers(0, 4, n).astype(np.int32)),
        "source.offset": NumericColumn(1_000_000 + np.arange(n)),
        "output.late_probability": NumericColumn(probability),
        "output.late": NumericColumn(probability > 0.5),
    }
    encoder, prefix = RecordEncoder(parsed), single_object_prefix(parsed)
    payloads = encoder.encode(columns, n, prefix)
    records = [fastavro.schemaless_reader(io.BytesIO(payload[len(prefix) :]), foreign) for payload in payloads]

    def with_fastavro() -> None:
        for record in records:
            _written(foreign, record)

    tasks: dict[str, Callable[[], object]] = {
        "columnar": lambda: encoder.encode(columns, n, prefix),
        "fastavro": with_fastavro,
    }
    times = _microseconds(tasks, n)
    return times | {"ratio": round(times["fastavro"] / times["columnar"], 2)}


def measure() -> dict[str, Any]:
    """Microseconds per record, and how many times the columns are faster."""
    return {
        "decode_10_fields": measure_decode(ten_fields()),
        "decode_24_fields": measure_decode(twenty_four_fields()),
        "encode_inference": measure_encode(),
        "decode_batch_records": DECODE_BATCH,
        "encode_batch_records": ENCODE_BATCH,
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
