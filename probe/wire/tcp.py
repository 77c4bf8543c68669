"""What the TCP connection below an exchange knows: TCP_INFO, and an autopsy of a silent one.

Keepalive from the start prevents the very fault that is looked for, so a connection is
left alone until it has been silent for long, and only then asked for a sign of life: TCP
keepalive is switched on for the live socket (tcp(7): TCP_KEEPIDLE, TCP_KEEPINTVL,
TCP_KEEPCNT).  Nothing is written to HTTP.  An answer within a second or so means that the
next TCP peer is there and the silence comes from behind it; a reset means that something
on the way has forgotten the connection; no answer at all means that it drops what we send.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from probe.exchange import Autopsy

ALIVE = "alive"
RESET = "reset"
NO_ANSWER = "no-answer"
UNSUPPORTED = "unsupported"
PENDING = "pending"

#: One probe a second, given up after the third (tcp(7)); about 4 s in all on Linux.
PROBE_EVERY_S = 1
PROBES = 3
_POLL_S = 0.05
_PATIENCE_S = 6.0


@dataclass(frozen=True)
class TcpInfo:
    """A part of Linux's ``struct tcp_info`` (include/uapi/linux/tcp.h).

    Times in milliseconds, counts of packets.  ``probes`` are keepalive probes without an
    answer; ``last_ack_recv_ms`` is how long ago the peer last acknowledged anything.
    """

    state: int
    retransmits: int
    probes: int
    unacked: int
    last_data_recv_ms: int
    last_ack_recv_ms: int
    rtt_us: int


def supported() -> bool:
    """Whether this system tells about its TCP connections (Linux does)."""
    return sys.platform == "linux" and hasattr(socket, "TCP_INFO")


def tcp_info(sock: Any) -> TcpInfo | None:
    """What the kernel knows about a connection; None where it does not say.

    Args:
        sock: a socket, or asyncio's view of one.
    """
    if not supported():
        return None
    try:
        raw: bytes = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    except (OSError, AttributeError):
        return None
    if len(raw) < 72:
        return None

    def word(offset: int) -> int:
        return int(struct.unpack_from("=I", raw, offset)[0])

    return TcpInfo(raw[0], raw[2], raw[3], word(24), word(52), word(56), word(68))


def socket_of(stream: Any) -> Any:
    """The socket below an HTTP client's network stream (httpcore "Network Backends"), or None."""
    if stream is None:
        return None
    try:
        return stream.get_extra_info("socket")
    except Exception:  # a closed stream may refuse; the socket is then not known
        return None


def keepalive_options(seconds: int) -> list[tuple[int, int, int]]:
    """Socket options that arm TCP keepalive; whole seconds is all that Linux takes."""
    if seconds <= 0:
        return []
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))
    if idle is not None:
        options.append((socket.IPPROTO_TCP, idle, seconds))
    if hasattr(socket, "TCP_KEEPINTVL"):
        options.append((socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds))
    return options


def tls_facts(stream: Any) -> Mapping[str, Any] | None:
    """Protocol, cipher and certificate of the connection, from the live TLS object."""
    if stream is None:
        return None
    try:
        tls = stream.get_extra_info("ssl_object")
    except Exception:  # a closed stream may refuse; the facts are then not known
        return None
    if tls is None:
        return None
    try:
        certificate = tls.getpeercert() or {}
    except ValueError:  # the handshake was not finished
        certificate = {}
    cipher = tls.cipher()
    return {
        "version": tls.version(),
        "cipher": cipher[0] if cipher else None,
        "alpn": tls.selected_alpn_protocol(),
        "not_after": certificate.get("notAfter"),
        "names": [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"][:20],
    }


@contextlib.contextmanager
def _probing(sock: Any) -> Iterator[None]:
    """TCP keepalive at its fastest while the block runs, then as it was before."""
    numbers = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    before = [sock.getsockopt(socket.IPPROTO_TCP, number) for number in numbers]
    was_on = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    for number, value in zip(numbers, (PROBE_EVERY_S, PROBE_EVERY_S, PROBES), strict=True):
        sock.setsockopt(socket.IPPROTO_TCP, number, value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the connection may be gone by now
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, was_on)
            for number, value in zip(numbers, before, strict=True):
                sock.setsockopt(socket.IPPROTO_TCP, number, value)


class Autopsies:
    """Asks the peer of one connection for a sign of life; ``found`` holds what came of it.

    The answer may also come as an error of the request that is waiting on the connection,
    so ``conclude`` takes that into account.
    """

    def __init__(self, begin: float) -> None:
        self.begin = begin
        self.found: Autopsy | None = None

    def _note(self, verdict: str, asked: float, silent_s: float, info: TcpInfo | None) -> None:
        now = time.monotonic()
        self.found = Autopsy(
            at_s=asked - self.begin,
            silent_s=silent_s,
            verdict=verdict,
            took_s=now - asked,
            probes=info.probes if info else 0,
            unacked=info.unacked if info else 0,
            last_ack_s=info.last_ack_recv_ms / 1000 if info else None,
        )

    async def ask(self, sock: Any, silent_s: float) -> None:
        """Probe the live socket until the peer answers or is given up."""
        asked = time.monotonic()
        if sock is None or not supported():
            self._note(UNSUPPORTED, asked, silent_s, None)
            return
        try:
            with _probing(sock):
                await self._watch(sock, asked, silent_s)
        except OSError:
            self._note(PENDING, asked, silent_s, None)

    async def _watch(self, sock: Any, asked: float, silent_s: float) -> None:
        while time.monotonic() - asked < _PATIENCE_S:
            info = tcp_info(sock)
            if info is None:
                self._note(PENDING, asked, silent_s, None)
                return
            passed_ms = (time.monotonic() - asked) * 1000
            if info.last_ack_recv_ms < passed_ms and not info.unacked:
                self._note(ALIVE, asked, silent_s, info)
                return
            self._note(PENDING, asked, silent_s, info)
            await anyio.sleep(_POLL_S)
        self._note(NO_ANSWER, asked, silent_s, tcp_info(sock))

    def conclude(self, failure_kind: str | None) -> Autopsy | None:
        """The autopsy, its open end settled by how the request failed (``probe.wire.failures``)."""
        found = self.found
        if found is None or found.verdict != PENDING:
            return found
        from dataclasses import replace

        verdict = {"reset": RESET, "timeout": NO_ANSWER, "unreachable": NO_ANSWER}.get(failure_kind or "")
        if verdict is None and found.probes >= 2:
            verdict = NO_ANSWER
        return replace(found, verdict=verdict or PENDING)
