"""A TCP gate in front of a server: closed, it refuses connections and cuts those that stand; the server lives on."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

from streamer.broker import free_ports

if TYPE_CHECKING:
    from types import TracebackType


class TcpGate:
    """Passes connections on while it is open; made open.

    Args:
        target_port: Where the server listens on this machine.

    Attributes:
        port: Where the gate listens, always the same.
    """

    def __init__(self, target_port: int) -> None:
        self.port = free_ports(1)[0]
        self._target_port = target_port
        self._listener: socket.socket | None = None
        self._standing: set[socket.socket] = set()
        self.open()

    def open(self) -> None:
        """Lets clients through."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=[self._listener], name="gate", daemon=True).start()

    def close(self) -> None:
        """An outage begins."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accept
            self._listener.close()
            self._listener = None
        for standing in list(self._standing):
            with contextlib.suppress(OSError):
                standing.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target_port))
                for source, sink in ((client, server), (server, client)):
                    self._standing.add(source)
                    threading.Thread(target=self._pass_on, args=[source, sink], name="gate", daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with source, contextlib.suppress(OSError):
            while chunk := source.recv(65_536):
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
        self._standing.discard(source)
