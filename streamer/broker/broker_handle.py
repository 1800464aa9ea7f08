"""A running development broker: one node, or several that replicate."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from streamer.broker.broker_node import BrokerNode
from streamer.errors import BrokerFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_POLL_SECONDS = 0.05


class BrokerHandle:
    """What `up` returns: where the broker is, and how to stop it.

    As a context manager it stops, on leaving, the broker that it started; one that ran before stays.

    Attributes:
        nodes: The nodes, which tests may stop, kill, freeze, thaw and start one by one.
        folder: Where settings, data and logs are.
        started: Whether this call started the broker, rather than finding it running.
        ephemeral: Whether the broker ends with this process and its folder with it.
    """

    def __init__(
        self,
        nodes: Sequence[BrokerNode],
        folder: Path,
        *,
        started: bool,
        ephemeral: bool,
        after_stop: Callable[[], None],
    ) -> None:
        self.nodes = tuple(nodes)
        self.folder = folder
        self.started = started
        self.ephemeral = ephemeral
        self._after_stop = after_stop

    @property
    def bootstrap_servers(self) -> str:
        """What clients are given: `127.0.0.1:port`, separated by commas."""
        return ",".join(f"127.0.0.1:{node.plan.ports.client}" for node in self.nodes)

    @property
    def pid(self) -> int:
        """The pid of the first node's process."""
        return self.nodes[0].pid

    def is_ready(self) -> bool:
        """Whether every node answers and knows every other as live."""
        return all(node.live_broker_count() == len(self.nodes) for node in self.nodes)

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """Wait until every node answers and knows every other as live.

        Raises:
            BrokerFailed: A node ended, or the time was up.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self.is_ready():
            for node in self.nodes:
                if not node.is_alive():
                    raise node.failure(f"node {node.node_id} of the broker ended while it started")
            if time.monotonic() > deadline:
                waiting = [node for node in self.nodes if node.live_broker_count() < len(self.nodes)]
                raise (waiting or self.nodes)[0].failure(f"the broker was not ready after {timeout_seconds:g} s")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Stop every node; an ephemeral broker's folder goes too. Stopping twice does no harm.

        Raises:
            BrokerFailed: A process outlived SIGKILL.
        """
        # What an ephemeral broker would still write is thrown away with it, so it need not.
        end = BrokerNode.kill if self.ephemeral else BrokerNode.stop
        with ThreadPoolExecutor(max_workers=len(self.nodes)) as pool:
            # All at once: the last of several would wait in vain for a quorum to release it.
            for result in [pool.submit(end, node) for node in self.nodes]:
                result.result()
        self._after_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.started:
            self.stop()

    def __repr__(self) -> str:
        return f"BrokerHandle({self.bootstrap_servers!r}, ephemeral={self.ephemeral})"


def require_supported_node_count(nodes: int) -> None:
    """Refuse a number of nodes that makes no working cluster.

    Raises:
        BrokerFailed: It is neither 1 nor an odd number up to 5.
    """
    if nodes not in (1, 3, 5):
        raise BrokerFailed(f"a broker of {nodes} nodes has no use", advice="Ask for 1, 3 or 5 nodes")
