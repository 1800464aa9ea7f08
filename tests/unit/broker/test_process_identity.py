from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from streamer.broker.process_identity import ProcessIdentity
from tests.support.await_condition import await_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_a_running_process_is_alive_and_receives_signals(sleeper: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(sleeper.pid)
    assert identity is not None
    assert identity.is_alive()
    assert identity.send_signal(signal.SIGTERM)
    assert sleeper.wait() == -signal.SIGTERM
    assert not identity.is_alive()
    assert not identity.send_signal(signal.SIGTERM)


def test_a_zombie_is_not_alive(sleeper: subprocess.Popen[bytes]) -> None:
    identity = ProcessIdentity.of(sleeper.pid)
    assert identity is not None
    os.kill(sleeper.pid, signal.SIGKILL)
    await_until(lambda: not identity.is_alive(), 10, "the process to end, though nobody waited for it")
    assert ProcessIdentity.of(sleeper.pid) is None


def test_a_recycled_pid_is_never_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    earlier_owner_of_the_pid = ProcessIdentity(sleeper.pid, "started long ago")
    assert not earlier_owner_of_the_pid.is_alive()
    assert not earlier_owner_of_the_pid.send_signal(signal.SIGKILL)
    assert sleeper.poll() is None


def test_two_processes_with_different_starts_differ(sleeper: subprocess.Popen[bytes]) -> None:
    assert ProcessIdentity.of(sleeper.pid) != ProcessIdentity.of(os.getpid())
    assert ProcessIdentity.of(sleeper.pid) == ProcessIdentity.of(sleeper.pid)
