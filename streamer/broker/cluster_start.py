"""Starting all nodes of a cluster, with other ports if some were taken meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.broker.broker_handle import BrokerHandle
from streamer.broker.broker_node import BrokerNode
from streamer.broker.free_ports import free_ports, is_free
from streamer.broker.node_plan import BrokerOptions, java_command, plan_nodes, prepare_folder
from streamer.broker.server_properties import NodePorts
from streamer.errors import BrokerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_PORT_ATTEMPTS = 4
_PORT_TAKEN = "Address already in use"


@dataclass(frozen=True)
class ClusterStart:
    """What every attempt at starting a cluster has in common.

    Attributes:
        java: The `java` command.
        class_path: The class path of the Kafka server.
        options: How the nodes are to run.
        port: The first node's port; None for any free ones.
        node_count: The number of nodes.
        timeout_seconds: How long the cluster may take to become ready.
    """

    java: Path
    class_path: str
    options: BrokerOptions
    port: int | None
    node_count: int
    timeout_seconds: float

    @property
    def java_command(self) -> list[str]:
        """The Java command line of every node, up to the main class."""
        return java_command(self.java, self.class_path, throughput=self.options.throughput)

    def run(
        self,
        folder: Path,
        cluster_id: str,
        earlier_ports: Sequence[NodePorts],
        *,
        ephemeral: bool,
        on_processes: Callable[[Sequence[BrokerNode]], None] = lambda nodes: None,
    ) -> list[BrokerNode]:
        """Start the nodes and return when all of them are ready; leave none running otherwise.

        Args:
            folder: The cluster's folder.
            cluster_id: The id to format new data folders with.
            earlier_ports: The ports of the last time, which are taken again if they are free.
            ephemeral: Whether the nodes must end with this process.
            on_processes: Called as soon as the processes run, before they are ready.

        Raises:
            BrokerFailed: They did not start.
        """
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            ports = self._choose_ports(earlier_ports if attempt == 1 else ())
            try:
                return self._attempt(folder, cluster_id, ports, ephemeral, on_processes)
            except BrokerFailed as error:
                if _PORT_TAKEN not in error.what or self.port is not None or attempt == _PORT_ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _attempt(
        self,
        folder: Path,
        cluster_id: str,
        ports: Sequence[NodePorts],
        ephemeral: bool,
        on_processes: Callable[[Sequence[BrokerNode]], None],
    ) -> list[BrokerNode]:
        plans = plan_nodes(self.java_command, folder, cluster_id, ports, ephemeral=ephemeral)
        with ThreadPoolExecutor(max_workers=len(plans)) as pool:
            prepared = [pool.submit(prepare_folder, plan, ports, self.options) for plan in plans]
        for folder_prepared in prepared:
            folder_prepared.result()
        nodes = [BrokerNode(plan) for plan in plans]
        handle = BrokerHandle(nodes, folder, started=True, ephemeral=ephemeral, after_stop=lambda: None)
        try:
            for node in nodes:
                node.start()
            on_processes(nodes)
            handle.wait_until_ready(self.timeout_seconds)
        except BaseException:
            for node in nodes:
                node.kill()
            raise
        return nodes

    def _choose_ports(self, earlier: Sequence[NodePorts]) -> list[NodePorts]:
        """Return the ports asked for, or else the earlier ones, or else any that are free."""
        if self.port is None:
            if len(earlier) == self.node_count and all(
                is_free(node.client) and is_free(node.controller) for node in earlier
            ):
                return list(earlier)
            chosen = free_ports(2 * self.node_count)
            return [NodePorts(*pair) for pair in zip(chosen[: self.node_count], chosen[self.node_count :], strict=True)]
        clients = list(range(self.port, self.port + self.node_count))
        for client in clients:
            if not is_free(client):
                raise BrokerFailed(
                    f"port {client} is taken by another server",
                    advice="Choose another with --port, or leave the choice to Streamer",
                )
        controllers = [port for port in free_ports(2 * self.node_count) if port not in clients]
        return [NodePorts(*pair) for pair in zip(clients, controllers[: self.node_count], strict=True)]
