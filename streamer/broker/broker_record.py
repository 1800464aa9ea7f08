"""What is remembered on disk about the broker that outlives its starter."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.broker.process_identity import ProcessIdentity
from streamer.broker.server_properties import NodePorts
from streamer.errors import BrokerFailed

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class NodeRecord:
    """One node: which process it is and which ports it was given.

    Attributes:
        process: The process; None once it was stopped.
        ports: Its ports, taken again on the next start if they are free.
    """

    process: ProcessIdentity | None
    ports: NodePorts


@dataclass(frozen=True)
class BrokerRecord:
    """The broker as last started.

    Attributes:
        kafka_version: The version that it runs.
        cluster_id: The id that its data folders were formatted with.
        folder: The cluster's folder.
        nodes: Its nodes, by ascending node id.
    """

    kafka_version: str
    cluster_id: str
    folder: Path
    nodes: tuple[NodeRecord, ...]

    def has_living_process(self) -> bool:
        """Whether any of the nodes' processes still runs."""
        return any(node.process is not None and node.process.is_alive() for node in self.nodes)


def read_record(path: Path) -> BrokerRecord | None:
    """Return the record in a file, or None if there is none.

    Raises:
        BrokerFailed: The file holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return BrokerRecord(
            content["kafka_version"],
            content["cluster_id"],
            Path(content["folder"]),
            tuple(_node(node) for node in content["nodes"]),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise BrokerFailed(
            "this is not a record of a broker",
            where=str(path),
            advice="Stop the Kafka process by hand if one runs, then remove the file",
        ) from error


def write_record(path: Path, record: BrokerRecord) -> None:
    """Write the record so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = asdict(record) | {"folder": str(record.folder)}
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    scratch.replace(path)


def _node(content: Mapping[str, Mapping[str, int] | None]) -> NodeRecord:
    process, ports = content["process"], content["ports"]
    if ports is None:
        raise ValueError("no ports")
    return NodeRecord(
        None if process is None else ProcessIdentity(int(process["pid"]), str(process["started"])),
        NodePorts(int(ports["client"]), int(ports["controller"])),
    )
