from __future__ import annotations

import random
import socket

import pytest

from streamer.broker.free_ports import free_ports, is_free
from streamer.errors import BrokerFailed


def test_the_ports_are_distinct_and_free() -> None:
    ports = free_ports(6)
    assert len(set(ports)) == 6
    assert all(is_free(port) for port in ports)


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not is_free(listener.getsockname()[1])


def test_the_choice_follows_the_randomness_that_is_passed_in() -> None:
    assert free_ports(2, random.Random(7)) == free_ports(2, random.Random(7))


def test_a_machine_without_free_ports_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(free_ports.__globals__, "is_free", lambda port: False)
    with pytest.raises(BrokerFailed, match="no 2 free ports"):
        free_ports(2)
