"""Choosing TCP ports that nobody listens on."""

from __future__ import annotations

import random
import socket

from streamer.errors import BrokerFailed

# Below the range from which systems take the local ports of outgoing connections: a port from there could be
# gone again by the time that a broker is restarted on it.
_LOWEST_PORT = 10_000
_HIGHEST_PORT = 32_000
_ATTEMPTS = 1_000


def free_ports(count: int, randomness: random.Random | None = None) -> list[int]:
    """Return distinct ports of 127.0.0.1 that are free now.

    Nothing reserves them: who starts a server on one must be ready to choose again.

    Raises:
        BrokerFailed: Too few free ports were found.
    """
    randomness = randomness or random.SystemRandom()
    found: list[int] = []
    for _ in range(_ATTEMPTS):
        port = randomness.randint(_LOWEST_PORT, _HIGHEST_PORT)
        if port not in found and is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise BrokerFailed(
        f"no {count} free ports between {_LOWEST_PORT} and {_HIGHEST_PORT}",
        advice="End some of the servers that run on this machine",
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As Kafka does; otherwise a port whose last connections are in TIME_WAIT would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
