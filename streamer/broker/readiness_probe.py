"""Asking a broker, in Kafka's own protocol, whether it is ready.

Two requests over a plain socket, so that the broker's supervision needs no Kafka client: ApiVersions (does a
Kafka broker answer here?) and Metadata (how many brokers take part in the cluster and are not fenced?).
The layouts are those of https://kafka.apache.org/protocol.
"""

from __future__ import annotations

import socket
import struct

_METADATA_KEY = 3
_METADATA_VERSION = 1
_API_VERSIONS_KEY = 18
_API_VERSIONS_VERSION = 0
_CLIENT_ID = b"streamer-probe"
_LARGEST_ANSWER_BYTES = 1 << 20


def live_broker_count(port: int, timeout_seconds: float, host: str = "127.0.0.1") -> int:
    """Return how many brokers the broker at this port knows as live: 0 if it does not answer properly."""
    try:
        with socket.create_connection((host, port), timeout=timeout_seconds) as connection:
            connection.settimeout(timeout_seconds)
            versions = _ask(connection, _API_VERSIONS_KEY, _API_VERSIONS_VERSION, b"")
            (error_code,) = struct.unpack_from(">h", versions)
            if error_code != 0:
                return 0
            no_topics = struct.pack(">i", 0)
            metadata = _ask(connection, _METADATA_KEY, _METADATA_VERSION, no_topics)
            (brokers,) = struct.unpack_from(">i", metadata)
            return int(brokers)
    except (OSError, struct.error):
        return 0


def _ask(connection: socket.socket, key: int, version: int, body: bytes) -> bytes:
    """Send one request and return the body of its answer, without length and correlation id."""
    correlation = key
    header = struct.pack(">hhih", key, version, correlation, len(_CLIENT_ID)) + _CLIENT_ID
    request = header + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    (length,) = struct.unpack(">i", _receive(connection, 4))
    if not 4 <= length <= _LARGEST_ANSWER_BYTES:
        raise OSError("this is not a Kafka broker's answer")
    answer = _receive(connection, length)
    if struct.unpack_from(">i", answer)[0] != correlation:
        raise OSError("this is the answer to another question")
    return answer[4:]


def _receive(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        piece = connection.recv(count - len(received))
        if not piece:
            raise OSError("the connection ended within an answer")
        received += piece
    return bytes(received)
