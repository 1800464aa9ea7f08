"""The `server.properties` of the development broker's nodes."""

from __future__ import annotations

import random
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class NodePorts:
    """The two ports of one node.

    Attributes:
        client: Where clients and the other brokers connect.
        controller: Where the metadata quorum talks.
    """

    client: int
    controller: int


def server_properties(
    index: int, ports: Sequence[NodePorts], data_folder: Path, overrides: Mapping[str, str]
) -> dict[str, str]:
    """Return the settings of one node that is broker and controller in one (KRaft's combined mode).

    Args:
        index: Which node, counted from 0; its node id is one more.
        ports: The ports of all nodes of the cluster.
        data_folder: Where the node keeps its logs.
        overrides: Settings that win over these.
    """
    nodes = len(ports)
    replicas = str(min(nodes, 3))
    in_sync = str(2 if nodes >= 3 else 1)
    own = ports[index]
    voters = ",".join(f"{number}@127.0.0.1:{node.controller}" for number, node in enumerate(ports, start=1))
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(index + 1),
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{own.client},CONTROLLER://127.0.0.1:{own.controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{own.client}",
        "log.dirs": str(data_folder),
        # A misspelt topic must be an error, not a new topic.
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": "5",
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": "5",
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": "5",
        # Groups form at once instead of waiting 3 s for more members.
        "group.initial.rebalance.delay.ms": "0",
        # Transactions of a killed producer end when they time out, not up to 10 s later.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        # A killed broker may register again, and a frozen one is fenced, after 6 s instead of 9.
        "broker.session.timeout.ms": "6000",
        # Few threads and a small compaction buffer (128 MB by default): this machine is shared with the clients.
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": "8388608",
        "num.recovery.threads.per.data.dir": "1",
    }
    return settings | dict(overrides)


def properties_text(settings: Mapping[str, str]) -> str:
    r"""Render settings in Java's properties format.

    >>> properties_text({"log.dirs": "C:\\logs"})
    'log.dirs=C:\\\\logs\n'
    """
    return "".join(f"{key}={_escaped(value)}\n" for key, value in settings.items())


def new_cluster_id(randomness: random.Random | None = None) -> str:
    """Return a cluster id in Kafka's form: a UUID in 22 characters of URL-safe base 64."""
    bits = (randomness or random.SystemRandom()).getrandbits(128)
    # A leading dash would look like an option on the command line that formats the data folder.
    text = urlsafe_b64encode(uuid.UUID(int=bits, version=4).bytes).decode("ascii")[:22]
    return "A" + text[1:] if text.startswith("-") else text


def _escaped(value: str) -> str:
    backslashed = value.replace("\\", "\\\\").replace("\n", "\\n")
    return "".join(character if ord(character) < 127 else f"\\u{ord(character):04x}" for character in backslashed)
