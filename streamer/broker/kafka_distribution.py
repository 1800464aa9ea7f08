"""The Apache Kafka that the development broker runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.broker.cache_directory import cache_directory
from streamer.broker.maven import MavenArtifact, class_path, fetch_artifacts

if TYPE_CHECKING:
    from pathlib import Path

KAFKA_VERSION = "4.3.1"

# Kafka logs through slf4j and brings no implementation that prints.
_SLF4J = MavenArtifact("org.slf4j", "slf4j-simple", "1.7.36")
_SERVER = (MavenArtifact("org.apache.kafka", "kafka_2.13", KAFKA_VERSION), _SLF4J)
_TOOLS = (MavenArtifact("org.apache.kafka", "kafka-tools", KAFKA_VERSION), *_SERVER)


def kafka_server_class_path(cache: Path | None = None) -> str:
    """Return the class path of the Kafka server, fetched on first use (44 MB)."""
    return class_path(fetch_artifacts(f"kafka-{KAFKA_VERSION}", _SERVER, cache or cache_directory()))


def kafka_tools_class_path(cache: Path | None = None) -> str:
    """Return the class path of Kafka's command line tools, fetched on first use (54 MB).

    `java -cp PATH org.apache.kafka.tools.consumer.ConsoleConsumer` is the console consumer;
    `org.apache.kafka.tools.TopicCommand`, `.TransactionsCommand` and `.DumpLogSegments` are there too.
    """
    return class_path(fetch_artifacts(f"kafka-tools-{KAFKA_VERSION}", _TOOLS, cache or cache_directory()))
