"""An HTTPS server with certificates of its own authority, which can demand one from the client."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from typing import TYPE_CHECKING, Any

import trustme

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self


class TlsServer:
    """Answers every GET with the same JSON, over TLS.

    Attributes:
        url: Where it listens.
        ca_file: The certificate of its authority.
        client_certificate_file: A certificate that it accepts from a client.
        client_key_file: The key of that certificate.
        authorizations: The `Authorization` headers that it was sent.
    """

    def __init__(self, folder: Path, answer: object, *, demands_client_certificate: bool) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.client_certificate_file, self.client_key_file = folder / "client.pem", folder / "client.key"
        authority.cert_pem.write_to_path(str(self.ca_file))
        client = authority.issue_cert("client.example.org")
        client.cert_chain_pems[0].write_to_path(str(self.client_certificate_file))
        client.private_key_pem.write_to_path(str(self.client_key_file))

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        if demands_client_certificate:
            authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        self.authorizations: list[str | None] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler(json.dumps(answer).encode()))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        # A client that does not trust us hangs up: that is its answer, not our failure.
        self._server.handle_error = lambda *arguments: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self, answer: bytes) -> type[http.server.BaseHTTPRequestHandler]:
        authorizations = self.authorizations

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                authorizations.append(self.headers["Authorization"])
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: Any) -> None:
                pass

        return Handler
