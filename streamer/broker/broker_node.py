"""One Kafka server process of the development broker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.broker.process_identity import ProcessIdentity
from streamer.broker.readiness_probe import live_broker_count
from streamer.errors import BrokerFailed

if TYPE_CHECKING:
    from streamer.broker.node_plan import NodePlan

_GUARDIAN = str(Path(__file__).with_name("guardian.py"))
_POLL_SECONDS = 0.05
_PROBE_SECONDS = 2.0
_STOP_SECONDS = 30.0
_KILL_SECONDS = 10.0
_QUOTED_LINES = 15
_TELLING = re.compile(r"\] (ERROR|FATAL) |^Caused by: |Exception: |^Error ")


class BrokerNode:
    """One node: started, and then stopped, killed, frozen or thawed at will.

    Not safe for use from several threads at once.

    Args:
        plan: How to start it.
        identity: The process, when it already runs.
    """

    def __init__(self, plan: NodePlan, identity: ProcessIdentity | None = None) -> None:
        self.plan = plan
        self._identity = identity
        self._guardian: subprocess.Popen[bytes] | None = None

    @property
    def node_id(self) -> int:
        """The node's id in the cluster, from 1."""
        return self.plan.node_id

    @property
    def pid(self) -> int:
        """The pid of its newest process."""
        return self._started_identity().pid

    @property
    def identity(self) -> ProcessIdentity | None:
        """Its newest process; None before the first start."""
        return self._identity

    def is_alive(self) -> bool:
        """Whether its process runs (frozen counts as running)."""
        return self._identity is not None and self._identity.is_alive()

    def live_broker_count(self, timeout_seconds: float = _PROBE_SECONDS) -> int:
        """Ask the node how many live brokers the cluster has: 0 if it does not answer."""
        return live_broker_count(self.plan.ports.client, self.plan.cluster_id, timeout_seconds)

    def start(self) -> None:
        """Start the process, if it does not run; return without waiting for it to answer.

        Raises:
            BrokerFailed: The process could not be started.
        """
        if self.is_alive():
            return
        self._release_guardian()
        command = [sys.executable, "-I", _GUARDIAN, *self._guardian_options(), "--", *self.plan.command]
        with self.plan.log.open("ab") as log:
            guardian = subprocess.Popen(  # noqa: S603  the command line is our own
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in the terminal is for the owner, who then stops the node
            )
        assert guardian.stdout is not None
        self._guardian = guardian
        line = guardian.stdout.readline()
        self._identity = ProcessIdentity.of(int(line)) if line.strip() else None
        if not self.plan.ephemeral:
            self._release_guardian()
        if self._identity is None:
            self._release_guardian()
            raise self.failure("the broker's process ended at once")

    def stop(self, timeout_seconds: float = _STOP_SECONDS) -> None:
        """End the process in good order (SIGTERM), and with SIGKILL if it takes longer than the timeout."""
        if self.is_alive():
            self.thaw()
            self._send(signal.SIGTERM)
            if not self._await_end(timeout_seconds):
                self._send(signal.SIGKILL)
        self._await_killed()

    def kill(self) -> None:
        """End the process at once (SIGKILL), as a crash would."""
        self._send(signal.SIGKILL)
        self._await_killed()

    def freeze(self) -> None:
        """Stop the process in its tracks (SIGSTOP): connections stay open and nothing answers."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process run on (SIGCONT)."""
        self._send(signal.SIGCONT)

    def failure(self, what: str) -> BrokerFailed:
        """Return an error about this node that quotes the telling lines of its log, or else the last ones."""
        try:
            lines = self.plan.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        telling = [line for line in lines if _TELLING.search(line) and not line.startswith("\tat ")]
        quoted = "\n".join((telling or lines)[-_QUOTED_LINES:])
        return BrokerFailed(f"{what}; its log says:\n{quoted}\n", where=str(self.plan.log))

    def _guardian_options(self) -> list[str | os.PathLike[str]]:
        if self.plan.ephemeral:
            return ["tied", str(os.getpid()), self.plan.log, self.plan.cluster_folder]
        return ["detached", self.plan.log]

    def _started_identity(self) -> ProcessIdentity:
        if self._identity is None:
            raise BrokerFailed(f"node {self.node_id} was never started")
        return self._identity

    def _send(self, number: signal.Signals) -> None:
        if self._identity is not None:
            self._identity.send_signal(number)

    def _await_end(self, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _await_killed(self) -> None:
        if not self._await_end(_KILL_SECONDS):
            raise BrokerFailed(f"process {self.pid} did not end within {_KILL_SECONDS:g} s of SIGKILL")
        self._release_guardian()

    def _release_guardian(self) -> None:
        """Wait for the guardian of a process that has ended, and close its pipes."""
        guardian, self._guardian = self._guardian, None
        if guardian is None:
            return
        for pipe in (guardian.stdin, guardian.stdout):
            if pipe is not None:
                pipe.close()
        guardian.wait()
