"""The broker itself, real and started for each test."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streamer.broker import BrokerHandle, cache_directory, down, free_ports, status, up
from streamer.broker.process_identity import ProcessIdentity
from streamer.errors import BrokerFailed
from tests.support.await_condition import await_until

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = """
import sys, time
from streamer.broker import up
broker = up(ephemeral=True)
print(broker.pid, broker.folder, flush=True)
time.sleep(600)
"""
STARTER = """
import sys
from pathlib import Path
from streamer.broker import up
print(up(cache=Path(sys.argv[1])).pid)
"""


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Path]:
    """A cache folder of the test's own, but for Kafka itself."""
    fetched = cache_directory() / "maven"
    fetched.mkdir(parents=True, exist_ok=True)
    (tmp_path / "maven").symlink_to(fetched)
    yield tmp_path
    down(cache=tmp_path)


def wait_for_live_brokers(broker: BrokerHandle, count: int, asked: int = 0) -> None:
    await_until(
        lambda: broker.nodes[asked].live_broker_count() == count, 60, f"node {asked + 1} to see {count} brokers"
    )


def test_an_ephemeral_broker_answers_and_leaves_nothing() -> None:
    with up(ephemeral=True) as broker:
        assert broker.is_ready()
        assert broker.folder.exists()
        pid = broker.pid
    assert ProcessIdentity.of(pid) is None
    assert not broker.folder.exists()


def test_an_ephemeral_broker_ends_when_its_owner_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        server = ProcessIdentity.of(int(pid))
        assert server is not None
        owner.send_signal(signal.SIGKILL)
    await_until(lambda: not server.is_alive(), 20, "Kafka to end with its owner")
    await_until(lambda: not Path(folder).exists(), 20, "its folder to be removed")


def test_a_lasting_broker_is_found_again_and_keeps_its_port_and_data(cache: Path) -> None:
    assert not status(cache).running
    assert not down(cache=cache)
    first = up(cache=cache)
    assert first.started
    found = up(cache=cache)
    assert (found.started, found.pid, found.bootstrap_servers) == (False, first.pid, first.bootstrap_servers)
    state = status(cache)
    assert (state.running, state.ready, state.pids) == (True, True, (first.pid,))
    assert state.bootstrap_servers == first.bootstrap_servers
    with pytest.raises(BrokerFailed, match=r"runs already, at .*streamer broker down"):
        up(cache=cache, port=1)
    identity = (first.folder / "node-1" / "data" / "meta.properties").read_text()
    assert down(cache=cache)
    assert not status(cache).running
    assert not first.nodes[0].is_alive()
    again = up(cache=cache)
    assert again.started
    assert again.bootstrap_servers == first.bootstrap_servers
    assert (again.folder / "node-1" / "data" / "meta.properties").read_text() == identity
    assert down(cache=cache, delete_data=True)
    assert not again.folder.exists()


def test_two_starts_at_once_make_one_broker(cache: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(cache)]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    pids = {starter.communicate()[0] for starter in starters}
    assert [starter.returncode for starter in starters] == [0, 0]
    assert pids == {f"{status(cache).pids[0]}\n"}


def test_a_crashed_broker_is_noticed_and_started_again(cache: Path) -> None:
    crashed = up(cache=cache)
    crashed.nodes[0].kill()
    assert not status(cache).running
    again = up(cache=cache)
    assert again.started
    assert again.is_ready()


def test_a_taken_port_is_refused_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BrokerFailed, match=rf"port {port} is taken"):
            up(ephemeral=True, port=port)


def test_ports_that_were_taken_meanwhile_are_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with up(ephemeral=True) as other, monkeypatch.context() as patch:
        taken = other.nodes[0].plan.ports.client
        choices = [[taken, *free_ports(1)], free_ports(2)]
        patch.setattr("streamer.broker.cluster_start.free_ports", lambda count: choices.pop(0))
        with up(ephemeral=True) as broker:
            assert broker.nodes[0].plan.ports.client != taken
            assert broker.is_ready()
        assert other.is_ready()


def test_settings_that_kafka_refuses_are_explained_in_its_words() -> None:
    with pytest.raises(BrokerFailed, match=r"refused to format[^\n]*nonsense for configuration compression\.type"):
        up(ephemeral=True, properties={"compression.type": "nonsense"})


def test_a_broker_that_ends_while_it_starts_has_its_log_quoted_and_leaves_nothing() -> None:
    with pytest.raises(BrokerFailed, match=r"node 1 of the broker ended[^$]*no\.such\.Authorizer") as caught:
        up(ephemeral=True, properties={"authorizer.class.name": "no.such.Authorizer"})
    assert caught.value.where is not None
    assert not Path(caught.value.where).exists()


def test_three_nodes_replicate_and_survive_the_loss_of_one() -> None:
    with up(ephemeral=True, nodes=3) as broker:
        assert len(broker.bootstrap_servers.split(",")) == 3
        broker.nodes[1].kill()
        assert not broker.nodes[1].is_alive()
        wait_for_live_brokers(broker, 2)
        broker.nodes[1].start()
        broker.wait_until_ready(60)

        broker.nodes[2].freeze()
        assert broker.nodes[2].is_alive()
        assert broker.nodes[2].live_broker_count(timeout_seconds=0.2) == 0
        broker.nodes[2].thaw()
        broker.wait_until_ready(60)

        broker.nodes[0].stop()
        wait_for_live_brokers(broker, 2, asked=1)
