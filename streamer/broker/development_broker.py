"""Starting, finding and stopping the development broker.

There is at most one broker that outlives its starter per cache folder (`up()`), and any number of ephemeral
ones (`up(ephemeral=True)`), each bound to the process that started it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streamer.broker.broker_handle import BrokerHandle, require_supported_node_count
from streamer.broker.broker_node import BrokerNode
from streamer.broker.broker_record import BrokerRecord, NodeRecord, read_record, write_record
from streamer.broker.cache_directory import cache_directory
from streamer.broker.cluster_start import ClusterStart
from streamer.broker.ephemeral_folder import EphemeralFolder
from streamer.broker.file_lock import file_lock
from streamer.broker.java import find_java
from streamer.broker.kafka_distribution import KAFKA_VERSION, kafka_server_class_path
from streamer.broker.node_plan import BrokerOptions, plan_nodes
from streamer.broker.server_properties import new_cluster_id
from streamer.errors import BrokerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class BrokerStatus:
    """What `status` found.

    Attributes:
        running: Whether all of the broker's processes run.
        ready: Whether every node answers and knows every other.
        bootstrap_servers: What clients are given; empty unless the broker runs.
        pids: The processes that run.
        kafka_version: The version of Apache Kafka.
        folder: Where settings, data and logs are; None if no broker was ever started.
        logs: The nodes' log files.
    """

    running: bool
    ready: bool
    bootstrap_servers: str
    pids: tuple[int, ...]
    kafka_version: str
    folder: Path | None
    logs: tuple[Path, ...]


def up(
    *,
    ephemeral: bool = False,
    port: int | None = None,
    nodes: int = 1,
    throughput: bool | None = None,
    properties: Mapping[str, str] | None = None,
    format_arguments: Sequence[str] = (),
    cache: Path | None = None,
    timeout_seconds: float = 120.0,
) -> BrokerHandle:
    """Start a Kafka broker on 127.0.0.1 and return once it answers; find the one that runs already.

    Args:
        ephemeral: Start one of its own in a temporary folder, which ends with this process however that ends.
            Without, the broker outlives this process until `down`, and keeps its data for the next `up`.
        port: The first node's port; the next nodes take the numbers after it. By default free ports are chosen
            (and those of the last time taken again).
        nodes: 1, or 3 or 5 that replicate (factor 3, two in-sync replicas needed).
        throughput: Run Java for a loaded broker rather than for a small and quick one. By default only a
            broker that outlives its starter does.
        properties: Kafka broker settings that win over the built-in ones.
        format_arguments: More arguments for Kafka's storage tool when it formats the data folder.
        cache: The folder for Kafka itself, data and logs, by default `cache_directory()`.
        timeout_seconds: How long the broker may take to become ready.

    Raises:
        BrokerFailed: Java or Maven is missing, or the broker did not start; the message says why.
    """
    require_supported_node_count(nodes)
    cache = cache or cache_directory()
    java = find_java()
    class_path = kafka_server_class_path(cache)
    options = BrokerOptions(
        throughput=not ephemeral if throughput is None else throughput,
        properties=dict(properties or {}),
        format_arguments=tuple(format_arguments),
    )
    start = ClusterStart(java, class_path, options, port, nodes, timeout_seconds)
    if ephemeral:
        return _up_ephemeral(start)
    path = _record_path(cache)
    with file_lock(path.with_suffix(".lock")):
        record = read_record(path)
        return _find_running(path, record, start) or _up_lasting(path, record, start)


def status(cache: Path | None = None) -> BrokerStatus:
    """Look for the broker that outlives its starter.

    Raises:
        BrokerFailed: The record of the broker cannot be read.
    """
    record = read_record(_record_path(cache or cache_directory()))
    if record is None:
        return BrokerStatus(False, False, "", (), KAFKA_VERSION, None, ())
    handle = _handle(record, lambda: None)
    pids = tuple(node.pid for node in handle.nodes if node.is_alive())
    running = len(pids) == len(handle.nodes)
    return BrokerStatus(
        running=running,
        ready=running and handle.is_ready(),
        bootstrap_servers=handle.bootstrap_servers if running else "",
        pids=pids,
        kafka_version=record.kafka_version,
        folder=record.folder,
        logs=tuple(node.plan.log for node in handle.nodes),
    )


def down(*, delete_data: bool = False, cache: Path | None = None) -> bool:
    """Stop the broker that outlives its starter.

    Args:
        delete_data: Remove its topics too, so that the next `up` starts empty.
        cache: The cache folder, by default `cache_directory()`.

    Returns:
        Whether a broker ran.

    Raises:
        BrokerFailed: It could not be stopped.
    """
    path = _record_path(cache or cache_directory())
    with file_lock(path.with_suffix(".lock")):
        record = read_record(path)
        if record is None:
            return False
        ran = record.has_living_process()
        _handle(record, lambda: _forget_processes(path)).stop()
        if delete_data:
            shutil.rmtree(record.folder, ignore_errors=True)
            path.unlink()
        return ran


def _find_running(path: Path, record: BrokerRecord | None, start: ClusterStart) -> BrokerHandle | None:
    """Return the broker that runs already and answers; end what is left of one that runs in part."""
    if record is None or not record.has_living_process():
        return None
    handle = _handle(record, lambda: _forget_processes(path), start.java_command)
    if not all(node.is_alive() for node in handle.nodes):
        handle.stop()
        return None
    running_port = handle.nodes[0].plan.ports.client
    if start.node_count != len(handle.nodes) or start.port not in (None, running_port):
        raise BrokerFailed(
            f"a broker with {len(handle.nodes)} node(s) runs already, at {handle.bootstrap_servers}",
            advice="Stop it with `streamer broker down` to start another",
        )
    handle.wait_until_ready(start.timeout_seconds)
    return handle


def _up_lasting(path: Path, record: BrokerRecord | None, start: ClusterStart) -> BrokerHandle:
    folder = path.parent / f"kafka-{KAFKA_VERSION}" / f"{start.node_count}-node"
    if record is None or record.folder != folder or not folder.is_dir():
        record = BrokerRecord(KAFKA_VERSION, _cluster_id(folder), folder, ())

    def remember(nodes: Sequence[BrokerNode]) -> None:
        records = tuple(NodeRecord(node.identity, node.plan.ports) for node in nodes)
        write_record(path, replace(record, nodes=records))

    earlier = [node.ports for node in record.nodes]
    nodes = start.run(folder, record.cluster_id, earlier, ephemeral=False, on_processes=remember)
    return BrokerHandle(nodes, folder, started=True, ephemeral=False, after_stop=lambda: _forget_processes(path))


def _up_ephemeral(start: ClusterStart) -> BrokerHandle:
    folder = EphemeralFolder()
    try:
        nodes = start.run(folder.path, new_cluster_id(), (), ephemeral=True)
    except BaseException:
        folder.remove()
        raise
    return BrokerHandle(nodes, folder.path, started=True, ephemeral=True, after_stop=folder.remove)


def _handle(record: BrokerRecord, after_stop: Callable[[], None], java_command: Sequence[str] = ()) -> BrokerHandle:
    """Return a handle for a broker that an earlier process started.

    Without a Java command its nodes can be stopped but not started.
    """
    ports = [node.ports for node in record.nodes]
    plans = plan_nodes(java_command, record.folder, record.cluster_id, ports, ephemeral=False)
    nodes = [BrokerNode(plan, node.process) for plan, node in zip(plans, record.nodes, strict=True)]
    return BrokerHandle(nodes, record.folder, started=False, ephemeral=False, after_stop=after_stop)


def _forget_processes(path: Path) -> None:
    """Keep the ports and the cluster id for the next start, but not the processes."""
    record = read_record(path)
    if record is not None:
        nodes = tuple(replace(node, process=None) for node in record.nodes)
        write_record(path, replace(record, nodes=nodes))


def _cluster_id(folder: Path) -> str:
    """Return the id that a cluster folder's data was formatted with, or a new one for an empty folder."""
    for meta in folder.glob("node-*/data/meta.properties"):
        for line in meta.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            if key == "cluster.id":
                return value
    return new_cluster_id()


def _record_path(cache: Path) -> Path:
    return cache / "broker" / "broker.json"
