"""A server that is a script: it reads one request, and then does with the socket what it is told."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

Script = Callable[[socket.socket], None]

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One HTTP chunk (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(text: str) -> bytes:
    """One chunk with one event that says a word."""
    return chunk(b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % text.encode())


def reset(connection: socket.socket) -> None:
    """End the connection by RST (socket(7): SO_LINGER with a time of 0)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def deaf(connection: socket.socket) -> None:
    """Drop all that the peer sends from now on, probes too: a filter that takes nothing (socket(7), Linux)."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0 bytes
    wanted = struct.pack("@HP", 1, ctypes.addressof(program))
    connection.setsockopt(socket.SOL_SOCKET, 26, wanted)  # SO_ATTACH_FILTER


def read_request(connection: socket.socket) -> bytes:
    """One request with its body by Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def serving(*scripts: Script, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve one connection a script, in order (the last one goes on), on the port that is yielded."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    over = threading.Event()
    workers: list[threading.Thread] = []

    def work(connection: socket.socket, script: Script) -> None:
        with contextlib.suppress(OSError):
            connection.settimeout(20)
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            script(connection)
        with contextlib.suppress(OSError):
            connection.close()

    def accept() -> None:
        count = 0
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                script = scripts[min(count, len(scripts) - 1)]
                count += 1
                worker = threading.Thread(target=work, args=(connection, script), daemon=True)
                worker.start()
                workers.append(worker)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        over.set()
        thread.join()
        listener.close()
        for worker in workers:
            worker.join(timeout=25)
