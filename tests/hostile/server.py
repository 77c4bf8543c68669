"""A loopback server whose every byte is a script's, and that ends when its block ends.

Nothing here is polite: a script may flood, stall or tear the connection.  What keeps the
tests safe is on this side: a script is stopped when the server is, and no connection is
sent more than ``MOST_BYTES``.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from probe.simulator.request import Request

#: More than any limit of the tool, and still nothing a test machine notices.
MOST_BYTES = 160 * 1024 * 1024
_PATIENCE_S = 30.0


class Stopped(Exception):
    """The server is ending, or the script has sent all it may."""


class Peer:
    """One connection as a script sees it."""

    def __init__(self, connection: socket.socket, server: Server, number: int) -> None:
        self.socket = connection
        self.server = server
        self.number = number
        self.requests = 0
        self._sent = 0
        self._rest = b""

    def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            Stopped, OSError: there is nobody to send to any more.
        """
        view = memoryview(data)
        while view:
            self._sent += len(view[:65536])
            if self.server.over.is_set() or self._sent > MOST_BYTES:
                raise Stopped
            with contextlib.suppress(TimeoutError, ssl.SSLWantWriteError):
                view = view[self.socket.send(view[:65536]) :]

    def pause(self, seconds: float) -> None:
        """Wait, but never longer than the server lives."""
        if self.server.over.wait(min(seconds, _PATIENCE_S)):
            raise Stopped

    def hang(self) -> None:
        """Say nothing more until the client leaves or the server ends."""
        ends = time.monotonic() + _PATIENCE_S
        while time.monotonic() < ends and not self.server.over.is_set():
            with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
                if not self.socket.recv(65536):
                    return
        raise Stopped

    def reset(self) -> None:
        """End the connection by RST (socket(7): SO_LINGER with a time of 0)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def receive(self) -> bytes:
        """The next bytes from the client; empty when it has left."""
        ends = time.monotonic() + _PATIENCE_S
        while time.monotonic() < ends and not self.server.over.is_set():
            with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
                return self.socket.recv(65536)
        raise Stopped

    def head(self) -> Request | None:
        """The next request's head, its body not read; None when the client has left."""
        while b"\r\n\r\n" not in self._rest:
            more = self.receive()
            if not more:
                return None
            self._rest += more
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = (*first.split(" "), "", "")[:3]
        fields = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        return self._noted(Request(time.monotonic(), method, target, version, fields, b"", self.number))

    def request(self) -> Request | None:
        """The next request with its body by Content-Length; None when the client has left."""
        found = self.head()
        if found is None:
            return None
        length = int(found.header("content-length") or 0)
        while len(self._rest) < length:
            more = self.receive()
            if not more:
                return None
            self._rest += more
        body, self._rest = self._rest[:length], self._rest[length:]
        whole = Request(
            time.monotonic(), found.method, found.target, found.version, found.headers, body, found.connection
        )
        with self.server.lock:
            self.server.journal[self.server.journal.index(found)] = whole
        return whole

    def _noted(self, request: Request) -> Request:
        self.requests += 1
        with self.server.lock:
            self.server.journal.append(request)
        return request


class Server:
    """Listens on loopback and hands every connection to ``serve``, each in a thread.

    Args:
        serve: called with a ``Peer``; whatever it raises ends that connection.
        tls: makes it an HTTPS server.
    """

    def __init__(self, serve: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> None:
        self.serve = serve
        self.tls = tls
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.journal: list[Request] = []
        self.faults: list[BaseException] = []
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._workers: list[threading.Thread] = []

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The base URL a user would type."""
        return f"https://localhost:{self.port}/v1" if self.tls else f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.settimeout(0.05)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._thread.join()
        self._listener.close()
        with self.lock:
            waiting = list(self._open)
        for connection in waiting:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for worker in self._workers:
            worker.join(timeout=5)

    def _accept(self) -> None:
        while not self.over.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                connection, _ = self._listener.accept()
                self.connections += 1
                worker = threading.Thread(target=self._work, args=(connection, self.connections), daemon=True)
                self._workers.append(worker)
                worker.start()

    def _work(self, connection: socket.socket, number: int) -> None:
        with self.lock:
            self._open.add(connection)
        try:
            connection.settimeout(0.2)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                connection.settimeout(5)
                wrapped = self.tls.wrap_socket(connection, server_side=True)
                with self.lock:
                    self._open.discard(connection)
                    self._open.add(wrapped)
                connection = wrapped
                connection.settimeout(0.2)
            self.serve(Peer(connection, self, number))
        except (OSError, Stopped):
            pass
        except BaseException as error:  # a mistake in a script must be seen
            self.faults.append(error)
        finally:
            with self.lock:
                self._open.discard(connection)
            with contextlib.suppress(OSError):
                connection.close()
