"""Below HTTP/1.1: handshakes that break off, and HTTP/2 connections that misbehave."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable

from tests.hostile.scripts import hostile_connection
from tests.hostile.server import Peer

RAW: tuple[str, ...] = ("raw",)
H2: tuple[str, ...] = ("h2",)


@hostile_connection("tls-closes-after-the-hello", tls=RAW)
def closes(peer: Peer, rng: random.Random) -> None:
    peer.receive()


@hostile_connection("tls-resets-after-the-hello", tls=RAW)
def resets(peer: Peer, rng: random.Random) -> None:
    peer.receive()
    peer.reset()


@hostile_connection("tls-never-answers-the-hello", tls=RAW, slow=True)
def silent(peer: Peer, rng: random.Random) -> None:
    peer.hang()


@hostile_connection("tls-half-a-hello", tls=RAW)
def half(peer: Peer, rng: random.Random) -> None:
    peer.receive()
    peer.send(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + rng.randbytes(20))


@hostile_connection("tls-noise", tls=RAW)
def noise(peer: Peer, rng: random.Random) -> None:
    peer.receive()
    peer.send(rng.randbytes(3000))


@hostile_connection("tls-alert", tls=RAW)
def alert(peer: Peer, rng: random.Random) -> None:
    peer.receive()
    peer.send(b"\x15\x03\x03\x00\x02\x02" + bytes([rng.choice([40, 42, 45, 46, 47, 48, 51, 70, 80, 112, 116])]))


@hostile_connection("tls-is-plain-http", tls=RAW)
def plain(peer: Peer, rng: random.Random) -> None:
    peer.receive()
    peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@hostile_connection("tls-endless-records", tls=RAW, heavy=True)
def records(peer: Peer, rng: random.Random) -> None:
    peer.receive()
    block = b"\x16\x03\x03\x40\x00" + b"\0" * 0x4000
    while True:
        peer.send(block)


@hostile_connection("tls-closes-after-the-handshake", tls=("http/1.1",))
def after_handshake(peer: Peer, rng: random.Random) -> None:
    return


@hostile_connection("tls-cut-without-notify", tls=("http/1.1",))
def unnotified(peer: Peer, rng: random.Random) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{")
    peer.reset()


# HTTP/2 ------------------------------------------------------------------------------------------------


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame (RFC 9113, section 4.1)."""
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


DATA, HEADERS, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
#: HPACK (RFC 7541): `:status: 200` is entry 8 of the static table.
STATUS_200 = b"\x88"
HELLO = frame(SETTINGS, 0, 0, b"")


def spam(one: bytes, times: int = 3000) -> Callable[[Peer], None]:
    """The frame again and again."""

    def send(peer: Peer) -> None:
        for _ in range(times):
            peer.send(one * 20)
            time.sleep(0.0005)

    return send


def open_stream(kind: bytes = b"application/json") -> bytes:
    """Response fields of stream 1; the content type is a literal with an indexed name (31)."""
    return frame(HEADERS, 4, 1, STATUS_200 + b"\x0f\x10" + bytes([len(kind)]) + kind)


ONCE: dict[str, bytes] = {
    "no-settings": b"",
    "http-1-answer": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "reset-stream": HELLO + frame(RST, 0, 1, struct.pack("!I", 2)),
    "reset-stream-refused": HELLO + frame(RST, 0, 1, struct.pack("!I", 7)),
    "reset-after-headers": HELLO + open_stream() + frame(DATA, 0, 1, b"{") + frame(RST, 0, 1, struct.pack("!I", 11)),
    "reset-of-no-stream": HELLO + frame(RST, 0, 0, struct.pack("!I", 2)),
    "goaway": HELLO + frame(GOAWAY, 0, 0, struct.pack("!II", 0, 0)),
    "goaway-enhance-your-calm": HELLO + frame(GOAWAY, 0, 0, struct.pack("!II", 0, 11) + b"too_many_pings" * 1000),
    "goaway-after-headers": HELLO + open_stream() + frame(GOAWAY, 0, 0, struct.pack("!II", 1, 2)),
    "push": HELLO + frame(PUSH, 4, 1, struct.pack("!I", 2) + STATUS_200),
    "no-status": HELLO + frame(HEADERS, 5, 1, b""),
    "bad-hpack": HELLO + frame(HEADERS, 4, 1, b"\xff\xff\xff\xff\xff\xff\xff"),
    "hpack-index-unknown": HELLO + frame(HEADERS, 4, 1, b"\xfe"),
    "data-before-headers": HELLO + frame(DATA, 0, 1, b"{}"),
    "data-on-an-unknown-stream": HELLO + frame(DATA, 0, 99, b"{}"),
    "continuation-alone": HELLO + frame(CONTINUATION, 4, 1, STATUS_200),
    "frame-too-large": HELLO + frame(DATA, 0, 1, b"\0" * 40_000),
    "settings-odd-length": frame(SETTINGS, 0, 0, b"\0\1\2"),
    "settings-absurd": frame(SETTINGS, 0, 0, struct.pack("!HIHI", 4, 2**32 - 1, 5, 1)),
    "no-streams-allowed": frame(SETTINGS, 0, 0, struct.pack("!HI", 3, 0)),
    "no-window": frame(SETTINGS, 0, 0, struct.pack("!HI", 4, 0)),
    "window-overflow": HELLO + frame(WINDOW, 0, 0, struct.pack("!I", 2**31 - 1)) * 3,
    "unknown-frames": HELLO + frame(77, 255, 1, b"?" * 100) * 50 + open_stream() + frame(DATA, 1, 1, b"{}"),
    "ends-twice": HELLO + open_stream() + frame(DATA, 1, 1, b"{}") + frame(DATA, 1, 1, b"{}"),
}
for _name, _bytes in ONCE.items():

    @hostile_connection(f"h2-{_name}", tls=H2)
    def once(peer: Peer, rng: random.Random, said: bytes = _bytes) -> None:
        peer.receive()
        peer.send(said)
        peer.pause(0.15)


FLOODS: dict[str, tuple[bytes, bytes]] = {
    "settings": (HELLO, HELLO),
    "pings": (HELLO, frame(PING, 0, 0, b"01234567")),
    "empty-data": (HELLO + open_stream(), frame(DATA, 0, 1, b"")),
    "one-byte-data": (HELLO + open_stream(), frame(DATA, 0, 1, b"1")),
    "continuations": (HELLO + frame(HEADERS, 0, 1, STATUS_200), frame(CONTINUATION, 0, 1, b"\x40\x01a\x01b")),
    "windows": (HELLO, frame(WINDOW, 0, 1, struct.pack("!I", 1))),
    "informational": (HELLO, frame(HEADERS, 4, 1, b"\x08\x03103")),
}
for _name, (_first, _again) in FLOODS.items():

    @hostile_connection(f"h2-flood-of-{_name}", tls=H2, slow=True)
    def flood(peer: Peer, rng: random.Random, first: bytes = _first, again: bytes = _again) -> None:
        peer.receive()
        peer.send(first)
        spam(again)(peer)


@hostile_connection("h2-never-answers", tls=H2, slow=True)
def h2_silent(peer: Peer, rng: random.Random) -> None:
    peer.send(HELLO)
    peer.hang()


@hostile_connection("h2-huge-fields", tls=H2)
def huge(peer: Peer, rng: random.Random) -> None:
    """100 fields of 10 kB, each put into the table of the compression, then named again and again."""
    peer.receive()
    peer.send(HELLO)
    literal = b"\x40\x01a" + b"\x7f\xb0\x1e" + b"b" * 3999
    block = STATUS_200 + literal + b"\xbe" * 12_000
    peer.send(frame(HEADERS, 0, 1, block[:16_000]))
    peer.send(frame(CONTINUATION, 4, 1, block[16_000:]))
    peer.pause(0.15)
