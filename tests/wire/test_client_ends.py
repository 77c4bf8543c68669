"""Every way in which a response can end, as the client records it: kind, phase, and what had come."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import trustme

from probe.model import Exchange
from probe.redaction.redactor import Redactor
from probe.wire.client import Client
from probe.wire.transport import Transport, Wire
from tests.wire.rawserver import CHUNKED, Script, chunk, event, read_request, reset, serving

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def fetch(port: int, wire: Wire | None = None, *, scheme: str = "http", **settings: Any) -> Exchange:
    """One POST to a raw server."""
    transport = Transport(ca_bundle=settings.pop("ca_bundle", None))
    host = "localhost" if scheme == "https" else "127.0.0.1"

    async def send() -> Exchange:
        async with Client(transport, Redactor()) as client:
            return await client.send(
                exchange_id="x1",
                check="test",
                method="POST",
                url=f"{scheme}://{host}:{port}/v1/chat/completions",
                headers={},
                body={"stream": True},
                timeout_s=settings.get("timeout_s", 8.0),
                wire=wire or Wire(fresh=True),
            )

    return anyio.run(send)


def plays(*parts: bytes, then: Callable[[socket.socket], None] | None = None, pause: float = 0.05) -> Script:
    """Read the request, write the parts with a pause before each, then end."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        for part in parts:
            time.sleep(pause)
            connection.sendall(part)
        time.sleep(pause)
        if then is not None:
            then(connection)

    return script


def half_closed(connection: socket.socket) -> None:
    """Nothing more is sent, and the connection stays for reading."""
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)


ENDS: dict[str, tuple[Script, str | None, str, int]] = {
    "complete": (plays(CHUNKED + event("1"), chunk(b"")), None, "body", 1),
    "clean end by closing": (plays(CLOSE + b"data: x\n\n"), None, "body", 1),
    "FIN before any byte": (plays(), "closed", "headers", 0),
    "FIN in the head": (plays(b"HTTP/1.1 200 OK\r\nContent-"), "closed", "headers", 0),
    "RST before any byte": (plays(then=reset), "reset", "headers", 0),
    "last chunk missing": (plays(CHUNKED + event("1")), "truncated", "body", 1),
    "cut inside a chunk": (plays(CHUNKED, event("1") + b"ff\r\ndata: "), "truncated", "body", 2),
    "half-closed": (plays(CHUNKED + event("1"), then=half_closed), "truncated", "body", 1),
    "length too short": (plays(LENGTH + b'{"a":1'), "truncated", "body", 1),
    "RST in the body": (plays(CHUNKED + event("1"), then=reset), "reset", "body", 1),
    "bad chunk size": (plays(CHUNKED + event("1"), b"zz\r\n"), "protocol", "body", 1),
    "no HTTP": (plays(b"220 mail ready\r\n\r\n"), "protocol", "headers", 0),
}


@pytest.mark.parametrize("name", ENDS)
def test_how_it_ended(name: str) -> None:
    script, kind, phase, reads = ENDS[name]
    with serving(script) as port:
        found = fetch(port)
    if kind is None:
        assert found.error is None
    else:
        assert found.error is not None
        assert (found.error.kind, found.error.phase) == (kind, phase)
        assert found.error.chain
    assert len(found.timeline.reads) == reads
    assert (found.response is not None) == (phase == "body")


def test_a_reset_is_named_from_the_chain_and_not_from_its_empty_message() -> None:
    with serving(plays(CHUNKED + event("1"), then=reset)) as port:
        error = fetch(port).error
    assert error is not None
    assert error.errno == 104
    assert error.chain[0] == "ReadError"
    assert "ConnectionResetError" in error.chain


def test_a_silent_server_ends_in_a_timeout_of_our_own() -> None:
    over = threading.Event()
    with serving(plays(CHUNKED + event("1"), then=lambda _: over.wait(10) and None)) as port:
        found = fetch(port, timeout_s=0.6)
        over.set()
    assert found.error is not None
    assert (found.error.kind, found.error.phase, found.error.errno) == ("timeout", "body", None)
    assert found.response is not None
    assert b'"1"' in found.response.content


def test_what_came_before_the_cut_is_kept_and_dated() -> None:
    with serving(plays(CHUNKED, event("1"), event("2"), then=reset, pause=0.15)) as port:
        found = fetch(port)
    times = [at for at, _ in found.timeline.reads]
    assert len(times) == 2
    assert 0.1 < times[1] - times[0] < 1.0
    assert found.timeline.headers_s is not None
    assert found.timeline.headers_s < times[0] < found.timeline.end_s


def test_a_stream_that_stays_open_after_done_is_left() -> None:
    over = threading.Event()
    done = chunk(b"data: [DONE]\n\n")
    with serving(plays(CHUNKED + event("1") + done, then=lambda _: over.wait(10) and None)) as port:
        found = fetch(port)
        over.set()
    assert found.error is None
    assert found.timeline.open_after_done
    assert found.timeline.end_s < 5


@pytest.mark.parametrize("manner", [reset, None], ids=["RST", "nothing"])
def test_a_dead_kept_connection_shows_as_reused(manner: Callable[[socket.socket], None] | None) -> None:
    """The first answer keeps the connection; the second request on it is lost."""
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    over = threading.Event()

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(ok)
        read_request(connection)
        if manner is not None:
            manner(connection)
        over.wait(10)

    async def twice(port: int) -> list[Exchange]:
        found = []
        async with Client(Transport(), Redactor()) as client:
            for number in range(2):
                found.append(
                    await client.send(
                        exchange_id=f"x{number}",
                        check="test",
                        method="GET",
                        url=f"http://127.0.0.1:{port}/v1/models",
                        headers={},
                        timeout_s=0.8,
                        wire=Wire(pool_idle_s=None),
                    )
                )
        return found

    with serving(script) as port:
        first, second = anyio.run(twice, port)
        over.set()
    assert first.error is None
    assert not first.timeline.reused
    assert second.error is not None
    assert second.timeline.reused
    assert second.error.kind == ("reset" if manner else "timeout")


# HTTP/2 -------------------------------------------------------------------------------------


def over_http2(last: str) -> Script:
    """A stream of two events over HTTP/2 that ends as said: end, rst or goaway."""
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import RequestReceived

    def script(connection: socket.socket) -> None:
        h2 = H2Connection(H2Configuration(client_side=False))
        h2.initiate_connection()
        connection.sendall(h2.data_to_send())
        stream = None
        while stream is None:
            for seen in h2.receive_data(connection.recv(65536)):
                if isinstance(seen, RequestReceived):
                    stream = seen.stream_id
            connection.sendall(h2.data_to_send())
        h2.send_headers(stream, [(":status", "200"), ("content-type", "text/event-stream")])
        for word in (b"1", b"2"):
            h2.send_data(stream, b"data: " + word + b"\n\n")
            connection.sendall(h2.data_to_send())
            time.sleep(0.1)
        if last == "end":
            h2.end_stream(stream)
        elif last == "rst":
            h2.reset_stream(stream, 2)
        else:
            h2.close_connection(2, last_stream_id=0)
        connection.sendall(h2.data_to_send())
        time.sleep(0.2)

    return script


@pytest.mark.parametrize(("last", "kind"), [("end", None), ("rst", "stream-reset"), ("goaway", "stream-reset")])
def test_http2_streams(tmp_path: Any, last: str, kind: str | None) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    with serving(over_http2(last), tls=context) as port:
        found = fetch(port, scheme="https", ca_bundle=str(bundle))
    assert found.response is not None
    assert found.response.http_version == "HTTP/2"
    assert found.response.content.startswith(b"data: 1\n\n")
    assert (found.error.kind if found.error else None) == kind


def test_a_handshake_that_never_ends_leaves_no_socket() -> None:
    left = threading.Event()

    def endless(connection: socket.socket) -> None:
        block = b"\x16\x03\x03\x40\x00" + b"\0" * 0x4000  # records of a handshake, and no message whole
        connection.recv(65536)
        try:
            while True:
                connection.sendall(block)
        except TimeoutError:
            return
        except OSError:
            left.set()

    gc.disable()  # which would close in the end what was forgotten
    try:
        with serving(endless) as port:
            found = fetch(port, Wire(), scheme="https", timeout_s=0.5)
            assert left.wait(3)
    finally:
        gc.enable()
    assert found.error is not None
    assert found.error.phase == "tls"
