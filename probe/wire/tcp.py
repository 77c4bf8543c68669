"""The state of the TCP connection of an exchange: TCP_INFO, and the probe of a silent connection.

Keepalive from the start would prevent the fault that is looked for.  So it is switched on for the
live socket (tcp(7): TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT) only after a long silence; nothing is
written to HTTP.  An answer within a second or so means that the next TCP peer is there and the
silence comes from behind it; a reset means that a device in between has forgotten the connection;
no answer means that it drops the packets.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import anyio

from probe.exchange import Autopsy

ALIVE = "alive"
RESET = "reset"
NO_ANSWER = "no-answer"
UNSUPPORTED = "unsupported"
PENDING = "pending"

#: One probe a second, three in all (tcp(7)); about 4 s on Linux.
PROBE_EVERY_S = 1
PROBES = 3
_POLL_S = 0.05
_PATIENCE_S = 6.0


@dataclass(frozen=True)
class TcpInfo:
    """A part of Linux's ``struct tcp_info`` (include/uapi/linux/tcp.h).

    Times in milliseconds, counts of packets.  ``probes`` are unanswered keepalive probes;
    ``last_ack_recv_ms`` is the time since the last acknowledgement of the peer.
    """

    state: int
    retransmits: int
    probes: int
    unacked: int
    last_data_recv_ms: int
    last_ack_recv_ms: int
    rtt_us: int


def supported() -> bool:
    """Whether this system has TCP_INFO, as Linux has."""
    return sys.platform == "linux" and hasattr(socket, "TCP_INFO")


def tcp_info(sock: Any) -> TcpInfo | None:
    """The kernel's state of a connection, or None; ``sock`` is a socket or asyncio's view of one."""
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


def _extra(stream: Any, name: str) -> Any:
    """A property of a network stream (httpcore, "Network Backends"), or None; a closed stream may refuse."""
    try:
        return stream.get_extra_info(name) if stream is not None else None
    except Exception:
        return None


def socket_of(stream: Any) -> Any:
    """The socket of an HTTP client's network stream, or None."""
    return _extra(stream, "socket")


def keepalive_options(seconds: int) -> list[tuple[int, int, int]]:
    """Socket options for TCP keepalive, in whole seconds."""
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
    tls = _extra(stream, "ssl_object")
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
    """TCP keepalive at its fastest in the block, then as before."""
    numbers = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    before = [sock.getsockopt(socket.IPPROTO_TCP, number) for number in numbers]
    was_on = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    for number, value in zip(numbers, (PROBE_EVERY_S, PROBE_EVERY_S, PROBES), strict=True):
        sock.setsockopt(socket.IPPROTO_TCP, number, value)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the connection may be closed
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, was_on)
            for number, value in zip(numbers, before, strict=True):
                sock.setsockopt(socket.IPPROTO_TCP, number, value)


class Autopsies:
    """Probes the peer of one connection; ``found`` holds the result.

    The answer may also come as an error of the waiting request, which ``conclude`` takes into account.
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
        """Probe the live socket until the peer answers or the time is over."""
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
        """The result; a pending one is decided by the failure of the request (``probe.wire.failures``)."""
        found = self.found
        if found is None or found.verdict != PENDING:
            return found
        verdict = {"reset": RESET, "timeout": NO_ANSWER, "unreachable": NO_ANSWER}.get(failure_kind or "")
        if verdict is None and found.probes >= 2:
            verdict = NO_ANSWER
        return replace(found, verdict=verdict or PENDING)
