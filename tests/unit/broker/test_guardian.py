"""The guardian, with a shell in the place of Kafka."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import streamer.broker.guardian
from streamer.broker.process_identity import ProcessIdentity
from tests.support.await_condition import await_until

if TYPE_CHECKING:
    from collections.abc import Iterator

GUARDIAN = streamer.broker.guardian.__file__

# An owner as up() is one: it starts a guardian, tells the two pids, and then does nothing more. In the second
# form it has forked a child that goes on holding the pipe to the guardian.
OWNER = """
import os, subprocess, sys, time
guardian = subprocess.Popen(
    [sys.executable, "-I", sys.argv[1], "tied", str(os.getpid()), sys.argv[2] + ".log", sys.argv[2],
     "--", "sleep", "600"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
server = int(guardian.stdout.readline())
forked = os.fork() if sys.argv[3] == "forks" else 0
if sys.argv[3] == "forks" and forked == 0:
    time.sleep(600)
print(guardian.pid, server, forked, flush=True)
time.sleep(600)
"""


class Owned:
    def __init__(self, owner: subprocess.Popen[str], folder: Path) -> None:
        self.owner = owner
        self.folder = folder
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        self.guardian, self.server, self.forked = (ProcessIdentity.of(pid) if pid else None for pid in pids)
        assert self.guardian is not None
        assert self.server is not None

    def has_ended(self) -> bool:
        assert self.guardian is not None
        assert self.server is not None
        return not self.guardian.is_alive() and not self.server.is_alive()


@pytest.fixture(params=["alone", "forks"])
def owned(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Owned]:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "segment").write_text("records")
    command = [sys.executable, "-c", OWNER, GUARDIAN, str(folder), request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        owned = Owned(owner, folder)
        yield owned
        owner.kill()
        if owned.forked is not None:
            owned.forked.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_and_its_folder_go_with_the_owner_however_it_ends(owned: Owned, number: signal.Signals) -> None:
    assert not owned.has_ended()
    os.kill(owned.owner.pid, number)
    await_until(owned.has_ended, 20, "guardian and server to end with their owner")
    assert not owned.folder.exists()


def test_a_frozen_server_goes_too(owned: Owned) -> None:
    assert owned.server is not None
    owned.server.send_signal(signal.SIGSTOP)
    owned.owner.kill()
    await_until(owned.has_ended, 20, "guardian and frozen server to end with their owner")


if sys.platform == "linux":  # elsewhere no kernel ends a child with its parent

    def test_a_killed_guardian_takes_the_server_along(owned: Owned) -> None:
        assert owned.guardian is not None
        owned.guardian.send_signal(signal.SIGKILL)
        await_until(owned.has_ended, 20, "the server to end with its guardian")


def test_a_guardian_ends_with_its_server_and_leaves_the_folder_to_the_owner(owned: Owned) -> None:
    assert owned.server is not None
    owned.server.send_signal(signal.SIGKILL)
    await_until(owned.has_ended, 20, "the guardian to end with its server")
    assert owned.folder.exists()


def test_a_detached_server_outlives_its_starter(tmp_path: Path) -> None:
    command = [sys.executable, "-I", GUARDIAN, "detached", str(tmp_path / "log"), "--"]
    run = subprocess.run(
        [*command, "sh", "-c", "echo ready; exec sleep 600"], capture_output=True, text=True, check=True
    )
    server = ProcessIdentity.of(int(run.stdout))
    assert server is not None
    await_until(lambda: (tmp_path / "log").read_text() == "ready\n", 10, "the server's output in its log")
    assert server.is_alive()
    assert os.getsid(server.pid) == server.pid
    assert server.send_signal(signal.SIGKILL)
