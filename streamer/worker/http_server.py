"""The worker's own HTTP server: /metrics, /healthz and /readyz, on loopback unless told otherwise."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streamer.errors import ConfigurationError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from streamer.config.settings import HttpSettings

_REQUEST_SECONDS = 5.0
_MAX_CONNECTIONS = 32

Health = Callable[[], tuple[bool, dict[str, Any]]]


class _BoundedServer(ThreadingHTTPServer):
    """Answers at most so many clients at once; a slow one is cut off, one too many is turned away."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._free = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        request.settimeout(_REQUEST_SECONDS)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        # A time-out of a single read lets a client that sends a byte now and then stay for ever.
        cut = threading.Timer(_REQUEST_SECONDS, _cut_off, [request])
        cut.daemon = True
        cut.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            cut.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nobody's error."""


def _cut_off(request: socket.socket) -> None:
    # Both ways: closed for writing alone, or closed while the handler holds its files, it would still be read.
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class WorkerHttpServer:
    """Serves until closed.

    Args:
        settings: Host and port; port 0 picks a free one.
        registry: What /metrics shows.
        health: Whether the process is well: /healthz. A worker that is not should be restarted.
        ready: Whether it serves: /readyz.

    Attributes:
        address: ``host:port``, the port that was picked.

    Raises:
        ConfigurationError: The address is taken or not ours.
    """

    def __init__(self, settings: HttpSettings, registry: CollectorRegistry, health: Health, ready: Health) -> None:
        def metrics() -> tuple[HTTPStatus, str, bytes]:
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry)

        def answer(check: Health) -> Callable[[], tuple[HTTPStatus, str, bytes]]:
            def checked() -> tuple[HTTPStatus, str, bytes]:
                good, details = check()
                status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
                return status, "application/json", json.dumps(details).encode() + b"\n"

            return checked

        routes = {"/metrics": metrics, "/healthz": answer(health), "/readyz": answer(ready)}

        class Handler(BaseHTTPRequestHandler):
            server_version = "streamer"
            sys_version = ""

            def do_GET(self) -> None:
                route = routes.get(self.path.partition("?")[0])
                if route is None:
                    self.send_error(HTTPStatus.NOT_FOUND)
                    return
                status, content_type, body = route()
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Probes and scrapes are not worth a line each."""

        try:
            self._server = _BoundedServer((settings.host, settings.port or 0), Handler)
        except OSError as failure:
            raise ConfigurationError(
                f"cannot listen there: {failure}",
                where=f"{settings.host}:{settings.port}",
                advice="Set STREAMER_HTTP__PORT to a free port, or to 0 to have one picked",
            ) from failure
        self.address = f"{settings.host}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
