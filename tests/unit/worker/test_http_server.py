"""The worker's HTTP server: three pages, and no client can make it stop answering the others."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from streamer.config.settings import HttpSettings
from streamer.errors import ConfigurationError
from streamer.worker import http_server
from streamer.worker.http_server import WorkerHttpServer
from tests.support.await_condition import await_until


class Bench:
    def __init__(self) -> None:
        self.well, self.ready = True, False
        registry = CollectorRegistry()
        Counter("seen_total", "Seen.", registry=registry).inc(3)
        self.server = WorkerHttpServer(
            HttpSettings(), registry, lambda: (self.well, {"silent": 0}), lambda: (self.ready, {"state": "starting"})
        )
        host, _, port = self.server.address.partition(":")
        self.address = (host, int(port))

    def get(self, path: str) -> tuple[int, str, str]:
        try:
            with urllib.request.urlopen(f"http://{self.server.address}{path}", timeout=10) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read().decode()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=10)


@pytest.fixture(scope="module")
def serving() -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_server, "_REQUEST_SECONDS", 0.5)
        made = Bench()
        yield made
        made.server.close()


@pytest.fixture
def bench(serving: Bench) -> Bench:
    serving.well, serving.ready = True, False
    return serving


def test_metrics_are_in_prometheus_format(bench: Bench) -> None:
    status, content_type, body = bench.get("/metrics")
    assert status == 200
    assert content_type.startswith("text/plain")
    assert "seen_total 3.0" in body


def test_health_and_readiness_answer_200_or_503_with_the_reason(bench: Bench) -> None:
    status, content_type, body = bench.get("/healthz")
    assert (status, content_type, json.loads(body)) == (200, "application/json", {"silent": 0})
    assert bench.get("/readyz")[0] == 503
    assert json.loads(bench.get("/readyz")[2]) == {"state": "starting"}
    bench.well, bench.ready = False, True
    assert bench.get("/healthz")[0] == 503
    assert bench.get("/readyz?verbose=1")[0] == 200


@pytest.mark.parametrize("path", ["/", "/metrics/", "/..", "/%2e%2e/etc/passwd", "/nothing"])
def test_an_unknown_path_is_404(bench: Bench, path: str) -> None:
    assert bench.get(path)[0] == 404


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"nonsense\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"\x16\x03\x01\x02\x00" * 100 + b"\r\n\r\n",
        b"",
    ],
)
def test_requests_that_are_none_are_turned_away_and_the_next_is_answered(bench: Bench, request_bytes: bytes) -> None:
    with bench.connect() as client:
        client.sendall(request_bytes)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while chunk := client.recv(65_536):
                answer += chunk
        except ConnectionResetError:
            pass
    assert b" 200 " not in answer[:20]
    assert bench.get("/metrics")[0] == 200


def test_a_forged_host_changes_nothing(bench: Bench) -> None:
    with bench.connect() as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        answer = client.recv(65_536)
    assert answer.split()[1] == b"200"
    assert b"evil" not in answer


def test_a_client_that_sends_a_byte_now_and_then_is_cut_off(bench: Bench) -> None:
    with bench.connect() as client:
        client.settimeout(10)
        request = iter(b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 10_000)

        def cut_off() -> bool:
            try:
                client.send(bytes([next(request)]))
            except OSError:
                return True
            return False

        await_until(cut_off, 10, "the slow client to be cut off")
    assert bench.get("/metrics")[0] == 200


def test_more_connections_than_allowed_are_turned_away_and_the_rest_is_served(bench: Bench) -> None:
    idle = [bench.connect() for _ in range(http_server._MAX_CONNECTIONS)]
    try:
        with bench.connect() as extra:
            assert extra.recv(1) == b"", "one too many is closed at once"
    finally:
        for client in idle:
            client.close()
    await_until(lambda: _answers(bench), 10, "the server to answer again")


def _answers(bench: Bench) -> bool:
    try:
        return bench.get("/metrics")[0] == 200
    except OSError:
        return False


def test_an_address_that_is_taken_is_a_configuration_error_that_names_it(bench: Bench) -> None:
    settings = HttpSettings(port=bench.address[1])
    with pytest.raises(ConfigurationError, match=str(bench.address[1])):
        WorkerHttpServer(settings, CollectorRegistry(), lambda: (True, {}), lambda: (True, {}))
