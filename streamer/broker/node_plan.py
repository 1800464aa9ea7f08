"""What starting one node takes: its folder, its settings and its Java command line."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.broker.server_properties import NodePorts, properties_text, server_properties
from streamer.errors import BrokerFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_FORMAT_SECONDS = 120
_SMALL_JVM = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
# Kafka's own defaults for servers, with a heap for a shared machine.
_THROUGHPUT_JVM = ("-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35")
_LOG_FORMAT = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)


@dataclass(frozen=True)
class BrokerOptions:
    """How the nodes of a cluster are to run.

    Attributes:
        throughput: Whether Java may use the memory and compile time that a loaded broker pays back. Without, a
            node starts quickly and stays small.
        properties: Settings for `server.properties` that win over the built-in ones, for every node.
        format_arguments: More arguments for Kafka's storage tool, such as `("--add-scram", "...")`.
    """

    throughput: bool
    properties: Mapping[str, str]
    format_arguments: Sequence[str] = ()


@dataclass(frozen=True)
class NodePlan:
    """Everything that starting one node takes.

    Attributes:
        node_id: The node's id in the cluster, from 1.
        ports: Its ports.
        java: The Java command line up to the main class.
        folder: The node's own folder: settings, data and log.
        cluster_folder: The folder with the folders of all nodes.
        cluster_id: The id that tells the cluster from any other.
        ephemeral: Whether the node must end with the process that starts it, and its folder with it.
    """

    node_id: int
    ports: NodePorts
    java: Sequence[str]
    folder: Path
    cluster_folder: Path
    cluster_id: str
    ephemeral: bool

    @property
    def log(self) -> Path:
        """The file for what the process prints."""
        return self.folder / "server.log"

    @property
    def settings_file(self) -> Path:
        """The node's `server.properties`."""
        return self.folder / "server.properties"

    @property
    def command(self) -> list[str]:
        """The command line of the node's process."""
        return [*self.java, "kafka.Kafka", str(self.settings_file)]


def java_command(java: Path, class_path: str, *, throughput: bool) -> list[str]:
    """Return the Java command line up to the main class."""
    jvm = _THROUGHPUT_JVM if throughput else _SMALL_JVM
    return [str(java), *jvm, *_LOG_FORMAT, "-Djava.awt.headless=true", "-cp", class_path]


def plan_nodes(
    java: Sequence[str],
    cluster_folder: Path,
    cluster_id: str,
    ports: Sequence[NodePorts],
    *,
    ephemeral: bool,
) -> list[NodePlan]:
    """Return the plans for all nodes of a cluster."""
    return [
        NodePlan(number, own, java, cluster_folder / f"node-{number}", cluster_folder, cluster_id, ephemeral)
        for number, own in enumerate(ports, start=1)
    ]


def prepare_folder(plan: NodePlan, ports: Sequence[NodePorts], options: BrokerOptions) -> None:
    """Write the node's settings and format its data folder, unless it is formatted already.

    Raises:
        BrokerFailed: Kafka's storage tool refused the settings.
    """
    data = plan.folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    settings = server_properties(plan.node_id - 1, ports, data, options.properties)
    plan.settings_file.write_text(properties_text(settings), encoding="ascii")
    if plan.log.exists():
        plan.log.replace(plan.log.with_suffix(".previous.log"))
    if (data / "meta.properties").exists():
        return
    tool = [*plan.java, "kafka.tools.StorageTool", "format", "-t", plan.cluster_id, "-c", str(plan.settings_file)]
    try:
        run = subprocess.run(  # noqa: S603  the command line is our own
            [*tool, *options.format_arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_FORMAT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BrokerFailed(
            f"formatting the data folder took longer than {_FORMAT_SECONDS} s", where=str(data)
        ) from error
    if run.returncode != 0:
        said = (run.stderr + run.stdout).splitlines()
        telling = [line for line in said if line and not line.startswith("\tat ") and " INFO " not in line]
        raise BrokerFailed(
            "Kafka's storage tool refused to format the data folder: " + " ".join(telling), where=str(data)
        )
