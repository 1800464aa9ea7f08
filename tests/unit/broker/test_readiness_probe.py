"""The probe against servers that are not Kafka; the real broker answers in the integration tests."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest

from streamer.broker.readiness_probe import live_broker_count

if TYPE_CHECKING:
    from collections.abc import Iterator

API_VERSIONS_ANSWER = struct.pack(">iihi", 10, 18, 0, 0)
CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"


def string(text: str | None) -> bytes:
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text)) + text.encode()


def broker(node_id: int, rack: str | None) -> bytes:
    return struct.pack(">i", node_id) + string("127.0.0.1") + struct.pack(">i", 9092) + string(rack)


def metadata(*brokers: bytes, cluster_id: str | None = CLUSTER_ID) -> bytes:
    body = struct.pack(">ii", 3, len(brokers)) + b"".join(brokers) + string(cluster_id) + struct.pack(">ii", 1, 0)
    return struct.pack(">i", len(body)) + body


@contextlib.contextmanager
def server_that_answers(*answers: bytes) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                for answer in answers:
                    connection.recv(1024)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_the_count_is_what_the_metadata_says() -> None:
    answer = metadata(broker(1, None), broker(2, "rack"))
    with server_that_answers(API_VERSIONS_ANSWER, answer) as port:
        assert live_broker_count(port, CLUSTER_ID, timeout_seconds=5) == 2


@pytest.mark.parametrize("cluster_id", ["another", "", None])
def test_a_broker_of_another_cluster_does_not_count(cluster_id: str | None) -> None:
    with server_that_answers(API_VERSIONS_ANSWER, metadata(broker(1, None), cluster_id=cluster_id)) as port:
        assert live_broker_count(port, CLUSTER_ID, timeout_seconds=5) == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",  # its first four bytes are no length of an answer
        b"",  # hangs up
        struct.pack(">i", 100) + b"too short",  # hangs up within the answer
        struct.pack(">iihi", 10, 99, 0, 0),  # answers another request
        struct.pack(">iihi", 10, 18, 35, 0),  # an error code
        struct.pack(">ii", 4, 18),  # no body
    ],
)
def test_anything_but_a_proper_answer_is_not_ready(answer: bytes) -> None:
    with server_that_answers(answer) as port:
        assert live_broker_count(port, CLUSTER_ID, timeout_seconds=5) == 0


def test_a_port_where_nobody_listens_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert live_broker_count(port, CLUSTER_ID, timeout_seconds=5) == 0


def test_a_server_that_never_answers_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert live_broker_count(listener.getsockname()[1], CLUSTER_ID, timeout_seconds=0.1) == 0
