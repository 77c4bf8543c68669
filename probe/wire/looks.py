"""Looks at a port below HTTP: does it speak TLS, which certificates does it send, which addresses of a host answer.

No byte of HTTP is sent here, and no secret: a TCP connection, at most a TLS handshake without verification, and the
end.  It shows why a request failed where the failed request cannot.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import ByteStream

from probe.wire import failures

#: The longest look, in seconds; and what a server may send meanwhile, in bytes.
HANDSHAKE_S = 5.0
CONNECT_S = 3.0
_MOST_BYTES = 256 * 1024
#: A server with TLS 1.3 refuses a client without a certificate after the client's side of the handshake is done.
_AFTER_S = 0.4
#: Addresses of one host that are tried.
MOST_ADDRESSES = 6

_ALERT, _HANDSHAKE, _ENCRYPTED = 0x15, 0x16, 0x17
_CERTIFICATE_REQUEST = 13


@dataclass(frozen=True)
class Handshake:
    """What a port does when a client begins a TLS handshake.

    Attributes:
        spoken: it answered in TLS (RFC 8446, section 5.1: a handshake or an alert record).
        finished: the handshake was completed.
        wants_certificate: it refused a client without a certificate: by an alert that is about certificates, or by any
            end of the connection after it had asked for one.
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
    tls = _Dialogue(context, host)
    finished, ended = False, ""
    with anyio.move_on_after(HANDSHAKE_S):
        try:
            async with await anyio.connect_tcp(host, port) as stream:
                while not finished and not ended and len(tls.received) < _MOST_BYTES:
                    finished, ended = _advance(tls.object.do_handshake)
                    await tls.flush(stream)
                    if not finished and not ended:
                        await tls.receive(stream)
                if finished:
                    with anyio.move_on_after(_AFTER_S):
                        await tls.receive(stream)
                    _, ended = _advance(lambda: tls.object.read(1))
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream):
            ended = "closed"
    received = bytes(tls.received)
    spoken = len(received) > 2 and received[0] in (_ALERT, _HANDSHAKE) and received[1] == 3
    wanted = bool(failures.ABOUT_CLIENT_CERTIFICATE.search(ended)) or (bool(ended) and tls.certificate_requested())
    return Handshake(spoken, finished, spoken and wanted, _chain(tls.object))


class _Dialogue:
    """One TLS object and the bytes that went to and fro."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.received = bytearray()
        self.sent = bytearray()

    async def flush(self, stream: ByteStream) -> None:
        if self._outgoing.pending:
            data = self._outgoing.read()
            self.sent += data
            await stream.send(data)

    async def receive(self, stream: ByteStream) -> None:
        data = await stream.receive(16_384)
        self.received += data
        self._incoming.write(data)

    def certificate_requested(self) -> bool:
        """Whether the server asked for a certificate of the client.

        Up to TLS 1.2 its CertificateRequest is in the clear (RFC 5246, section 7.4.4).  In TLS 1.3 the answer shows it:
        an encrypted Certificate message before the Finished message, which is else the only encrypted record
        (RFC 8446, section 4.4.2).
        """
        clear = b"".join(body for kind, body in _records(bytes(self.received)) if kind == _HANDSHAKE)
        at = 0
        while at + 4 <= len(clear) and self.object.version() != "TLSv1.3":
            if clear[at] == _CERTIFICATE_REQUEST:
                return True
            at += 4 + int.from_bytes(clear[at + 1 : at + 4], "big")
        encrypted = [body for kind, body in _records(bytes(self.sent)) if kind == _ENCRYPTED]
        return self.object.version() == "TLSv1.3" and len(encrypted) > 1


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each whole TLS record (RFC 8446, section 5.1)."""
    at = 0
    while at + 5 <= len(data):
        end = at + 5 + int.from_bytes(data[at + 3 : at + 5], "big")
        if end > len(data):
            return
        yield data[at], data[at + 5 : end]
        at = end


def _advance(step: Callable[[], Any]) -> tuple[bool, str]:
    """Do one step of TLS: whether it is done, and OpenSSL's name of what ended it; neither where it waits for bytes."""
    try:
        step()
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False, ""
    except (ssl.SSLError, ValueError) as error:
        return False, getattr(error, "reason", None) or "failed"
    return True, ""


def _chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates presented, as far as this Python gives them (all of them from 3.10 on, else the first)."""
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
