"""Looks at a port below HTTP: does it speak TLS, which certificates does it send, which addresses of a host answer.

No byte of HTTP is sent here, and no secret: a TCP connection, at most a TLS handshake without verification, and the
end.  It tells why a request failed where the failed request cannot.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import ByteStream

#: The longest look, in seconds; and what a server may send meanwhile, in bytes.
HANDSHAKE_S = 5.0
CONNECT_S = 3.0
_MOST_BYTES = 256 * 1024
#: A server with TLS 1.3 refuses a client without a certificate after the client's side of the handshake is done.
_AFTER_S = 0.4
#: Addresses of one host that are tried.
MOST_ADDRESSES = 6

_ALERT, _HANDSHAKE = 0x15, 0x16
_CERTIFICATE_REQUEST = 13


@dataclass(frozen=True)
class Handshake:
    """What a port does when a client begins a TLS handshake.

    Attributes:
        spoken: it answered in TLS (RFC 8446, section 5.1: a handshake or an alert record).
        finished: the handshake was completed.
        wants_certificate: it asked for a certificate of the client in the clear, as servers up to TLS 1.2 do, and
            refused the client that has none.
        chain: the certificates presented, the server's own first, in DER.
    """

    spoken: bool
    finished: bool = False
    wants_certificate: bool = False
    chain: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Address:
    """One address of a host: whether a connection to it opens, or how it fails (``refused`` or ``timeout``)."""

    text: str
    trouble: str | None = None


async def handshake(host: str, port: int) -> Handshake:
    """Begin a TLS handshake with a port, without verification; never raises for what the network does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    received = bytearray()
    finished = refused = False
    with anyio.move_on_after(HANDSHAKE_S), contextlib.suppress(OSError, anyio.BrokenResourceError, anyio.EndOfStream):
        async with await anyio.connect_tcp(host, port) as stream:
            while len(received) < _MOST_BYTES:
                state = _advance(tls.do_handshake)
                finished, refused = state == "done", state == "failed"
                await _flush(stream, outgoing)
                if finished or refused:
                    break
                await _receive(stream, incoming, received)
            if finished:
                with anyio.move_on_after(_AFTER_S), contextlib.suppress(anyio.EndOfStream):
                    await _receive(stream, incoming, received)
                refused = _advance(lambda: tls.read(1)) == "failed"
    spoken = len(received) > 2 and received[0] in (_ALERT, _HANDSHAKE) and received[1] == 3
    wanted = refused and _asks_for_certificate(bytes(received))
    return Handshake(spoken, finished, wanted, _chain(tls))


def _advance(step: Callable[[], Any]) -> str:
    """Do one step of TLS: ``done``, ``waits`` for more bytes, or ``failed``."""
    try:
        step()
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return "waits"
    except (ssl.SSLError, ValueError):
        return "failed"
    return "done"


async def _flush(stream: ByteStream, outgoing: ssl.MemoryBIO) -> None:
    if outgoing.pending:
        await stream.send(outgoing.read())


async def _receive(stream: ByteStream, incoming: ssl.MemoryBIO, received: bytearray) -> None:
    data = await stream.receive(16_384)
    received += data
    incoming.write(data)


def _chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates presented, as far as this Python tells (all of them from 3.10 on, else the first)."""
    holder = tls if hasattr(tls, "get_unverified_chain") else getattr(tls, "_sslobj", None)
    try:
        found = holder.get_unverified_chain() if holder is not None else None
        if found:
            return tuple(item if isinstance(item, bytes) else _der(item) for item in found)
        first = tls.getpeercert(binary_form=True)
    except (AttributeError, ValueError, ssl.SSLError):
        return ()
    return (first,) if first else ()


def _der(certificate: Any) -> bytes:
    """The DER form of a certificate object of CPython's ``_ssl`` module (its encoding number 2)."""
    return bytes(certificate.public_bytes(2))


def _asks_for_certificate(received: bytes) -> bool:
    """Whether the clear part of a handshake has a CertificateRequest (RFC 5246, section 7.4.4)."""
    messages, at = b"", 0
    while at + 5 <= len(received):
        size = int.from_bytes(received[at + 3 : at + 5], "big")
        if received[at] != _HANDSHAKE:
            break
        messages += received[at + 5 : at + 5 + size]
        at += 5 + size
    at = 0
    while at + 4 <= len(messages):
        if messages[at] == _CERTIFICATE_REQUEST:
            return True
        at += 4 + int.from_bytes(messages[at + 1 : at + 4], "big")
    return False


async def addresses(host: str, port: int) -> tuple[Address, ...]:
    """Connect to each address of a host once; empty where the name does not resolve."""
    with contextlib.suppress(OSError, UnicodeError):
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        names = list(dict.fromkeys(str(item[4][0]) for item in found))[:MOST_ADDRESSES]
        return await each(names, port) if len(names) > 1 else tuple(Address(name) for name in names)
    return ()


async def each(names: list[str], port: int) -> tuple[Address, ...]:
    """Connect to each of these addresses once, at the same time; those that this machine cannot route to are left out.

    Args:
        names: IP addresses.
    """
    said: dict[str, Address] = {}

    async def connect(name: str) -> None:
        trouble: str | None = "timeout"
        with anyio.move_on_after(CONNECT_S):
            try:
                await (await anyio.connect_tcp(name, port)).aclose()
                trouble = None
            except OSError as error:
                links = (error, error.__cause__, error.__context__)
                if not any(isinstance(link, ConnectionRefusedError) for link in links):
                    return
                trouble = "refused"
        said[name] = Address(name, trouble)

    async with anyio.create_task_group() as group:
        for name in names:
            group.start_soon(connect, name)
    return tuple(said[name] for name in names if name in said)
