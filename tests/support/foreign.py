"""Reading what Streamer wrote with software that is not ours: Kafka's console consumer and Avro's own tools."""

from __future__ import annotations

import json
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.broker import (
    MavenArtifact,
    cache_directory,
    fetch_artifacts,
    find_java,
    kafka_tools_class_path,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AVRO_VERSION = "1.12.2"
_AVRO_TOOLS = MavenArtifact("org.apache.avro", "avro-tools", AVRO_VERSION, with_dependencies=False)
_QUICK_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_RUN_SECONDS = 120


@dataclass(frozen=True)
class ForeignRecord:
    """One record as Kafka's console consumer shows it.

    Attributes:
        partition: The partition.
        offset: The offset.
        key: The key's bytes; None if it has no key.
        value: The value's bytes; None for a tombstone.
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def consume_with_kafka(
    bootstrap_servers: str,
    topic: str,
    count: int,
    *,
    isolation_level: str = "read_committed",
    timeout_seconds: float = 30.0,
) -> list[ForeignRecord]:
    """Read a topic from its beginning with `kafka-console-consumer`.

    It prints the bytes as they are; random separators keep records apart whatever their bytes are.

    Args:
        bootstrap_servers: The broker.
        topic: The topic.
        count: How many records to read; fewer come back if no more arrive within the timeout.
        isolation_level: `read_committed` or `read_uncommitted`.
        timeout_seconds: How long to wait for one more record.
    """
    field, record, nothing = (uuid.uuid4().hex for _ in range(3))
    properties = {
        "print.partition": "true",
        "print.offset": "true",
        "print.key": "true",
        "key.separator": field,
        "line.separator": record,
        "null.literal": nothing,
    }
    arguments = [
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "--bootstrap-server", bootstrap_servers, "--topic", topic, "--from-beginning",
        "--max-messages", str(count), "--timeout-ms", str(int(timeout_seconds * 1000)),
        "--isolation-level", isolation_level,
        *(word for key, value in properties.items() for word in ("--formatter-property", f"{key}={value}")),
    ]  # fmt: skip
    printed = _java(["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", kafka_tools_class_path(), *arguments])
    return [_record(line, field.encode(), nothing.encode()) for line in printed.split(record.encode())[:-1]]


def decode_with_avro_tools(schema: str | Mapping[str, Any], payloads: Sequence[bytes]) -> list[Any]:
    """Decode Avro payloads, without framing bytes, with `avro-tools fragtojson`.

    Args:
        schema: The writer's schema.
        payloads: The payloads.

    Returns:
        Each payload in Avro's JSON encoding: a union's value that is not null is wrapped as `{"type": value}`.
    """
    (jar,) = fetch_artifacts(f"avro-tools-{AVRO_VERSION}", [_AVRO_TOOLS], cache_directory()).glob("*.jar")
    with tempfile.TemporaryDirectory() as folder:
        schema_file, payload_file = Path(folder) / "schema.avsc", Path(folder) / "payloads.bin"
        schema_file.write_text(schema if isinstance(schema, str) else json.dumps(schema), encoding="utf-8")
        payload_file.write_bytes(b"".join(payloads))
        arguments = ["fragtojson", "--no-pretty", "--schema-file", str(schema_file), str(payload_file)]
        printed = _java(["-jar", str(jar), *arguments]).decode()
    decoded = []
    decoder, rest = json.JSONDecoder(), printed.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        decoded.append(value)
        rest = rest[end:].strip()
    return decoded


def _record(line: bytes, field: bytes, nothing: bytes) -> ForeignRecord:
    partition, offset, key, value = line.split(field)
    return ForeignRecord(
        int(partition.removeprefix(b"Partition:")),
        int(offset.removeprefix(b"Offset:")),
        None if key == nothing else key,
        None if value == nothing else value,
    )


def _java(arguments: Sequence[str]) -> bytes:
    run = subprocess.run(
        [str(find_java()), *_QUICK_JVM, *arguments], capture_output=True, timeout=_RUN_SECONDS, check=False
    )
    assert run.returncode == 0, run.stderr.decode(errors="replace")[-3000:]
    return run.stdout
