"""A real Apache Kafka broker in one call, for development, demonstrations and tests.

    with up(ephemeral=True) as broker:
        print(broker.bootstrap_servers)

It is downloaded from Maven Central on first use, runs on this machine alone, and needs Java 17 or newer.
"""

from streamer.broker.broker_handle import BrokerHandle
from streamer.broker.broker_node import BrokerNode
from streamer.broker.cache_directory import cache_directory
from streamer.broker.development_broker import BrokerStatus, down, status, up
from streamer.broker.free_ports import free_ports
from streamer.broker.java import find_java
from streamer.broker.kafka_distribution import KAFKA_VERSION, kafka_tools_class_path
from streamer.broker.maven import MavenArtifact, class_path, fetch_artifacts

__all__ = [
    "KAFKA_VERSION",
    "BrokerHandle",
    "BrokerNode",
    "BrokerStatus",
    "MavenArtifact",
    "cache_directory",
    "class_path",
    "down",
    "fetch_artifacts",
    "find_java",
    "free_ports",
    "kafka_tools_class_path",
    "status",
    "up",
]
