"""Asking a broker, in Kafka's own protocol, whether it is ready.

Two requests over a plain socket, so that the broker's supervision needs no Kafka client: ApiVersions (does a
Kafka broker answer here?) and Metadata (is it of our cluster, and how many brokers take part and are not fenced?).
The layouts are those of https://kafka.apache.org/protocol.
"""

from __future__ import annotations

import socket
import struct

_METADATA_KEY = 3
_METADATA_VERSION = 2
_API_VERSIONS_KEY = 18
_API_VERSIONS_VERSION = 0
_CLIENT_ID = b"streamer-probe"
_LARGEST_ANSWER_BYTES = 1 << 20


def live_broker_count(port: int, cluster_id: str, timeout_seconds: float) -> int:
    """Return how many live brokers the broker at this port of 127.0.0.1 knows.

    Returns:
        The number; 0 if nobody answers properly, or if it is a broker of another cluster.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds) as connection:
            connection.settimeout(timeout_seconds)
            versions = _ask(connection, _API_VERSIONS_KEY, _API_VERSIONS_VERSION, b"")
            (error_code,) = struct.unpack_from(">h", versions)
            if error_code != 0:
                return 0
            no_topics = struct.pack(">i", 0)
            return _broker_count(_ask(connection, _METADATA_KEY, _METADATA_VERSION, no_topics), cluster_id)
    except (OSError, struct.error):
        return 0


def _broker_count(metadata: bytes, cluster_id: str) -> int:
    (brokers,) = struct.unpack_from(">i", metadata)
    position = 4
    for _ in range(brokers):
        position += 4  # node id
        _, position = _string(metadata, position)  # host
        position += 4  # port
        _, position = _string(metadata, position)  # rack
    found, _ = _string(metadata, position)
    return int(brokers) if found == cluster_id.encode() else 0


def _string(metadata: bytes, position: int) -> tuple[bytes, int]:
    """Return a string (empty for null) and the position after it."""
    (length,) = struct.unpack_from(">h", metadata, position)
    end = position + 2 + max(length, 0)
    return metadata[position + 2 : end], end


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
