"""The kind of a network failure, from the exception chain and not from messages.

httpx has the cause several links deep, often under an empty message (a reset is a
``ReadError("")`` three links above ``ConnectionResetError``), so the chain is walked.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator

from probe.exchange import Failure

# kinds
DNS = "dns"
REFUSED = "refused"
UNREACHABLE = "unreachable"
TIMEOUT = "timeout"
RESET = "reset"
CLOSED = "closed"
TRUNCATED = "truncated"
PROTOCOL = "protocol"
STREAM_RESET = "stream-reset"
TLS_UNTRUSTED = "tls-untrusted"
TLS_EXPIRED = "tls-expired"
TLS_HOSTNAME = "tls-hostname"
TLS_OTHER = "tls-other"
TLS_CLIENT_CERTIFICATE = "tls-client-certificate"
ENCODING = "encoding"
PROXY = "proxy"
INVALID = "invalid-request"

#: OpenSSL verify codes (x509_vfy.h): 9/10 not yet valid / expired, 62/63/64 wrong name.
_EXPIRED = {9, 10, 13, 14}
_HOSTNAME = {62, 63, 64}
#: Alerts of a server about the certificate of the client, missing or refused (RFC 8446, section 6.2), as OpenSSL names
#: them.  Servers with TLS 1.3 send certificate_required; Go with TLS 1.2 sends bad_certificate.
ABOUT_CLIENT_CERTIFICATE = re.compile(
    r"ALERT_(?:CERTIFICATE_(?:REQUIRED|UNKNOWN|EXPIRED|REVOKED)|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|"
    r"NO_CERTIFICATE)$"
)
#: Not errors of TLS: asyncio's TLS layer waits by them, so that they are in the chain below a reset.
_NO_TLS_ERROR = (ssl.SSLEOFError, ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLZeroReturnError)


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """The exception and its causes, outermost first, each once."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(current.exceptions)
        waiting.extend(link for link in (current.__cause__, current.__context__) if link is not None)


def _tls_kind(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _EXPIRED:
            return TLS_EXPIRED
        if error.verify_code in _HOSTNAME:
            return TLS_HOSTNAME
        return TLS_UNTRUSTED
    return TLS_CLIENT_CERTIFICATE if ABOUT_CLIENT_CERTIFICATE.search(error.reason or "") else TLS_OTHER


def _os_kind(error: OSError) -> str | None:
    if isinstance(error, socket.gaierror):
        return DNS
    if isinstance(error, ConnectionRefusedError):
        return REFUSED
    if isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return RESET
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
        return UNREACHABLE
    if error.errno == errno.ETIMEDOUT or isinstance(error, TimeoutError):
        return TIMEOUT
    return None


def name(error: BaseException, phase: str) -> Failure:
    """The failure that an exception of the HTTP client means.

    Args:
        error: what httpx (or the body reader) raised.
        phase: of the exchange: connect, tls, send, headers or body.
    """
    links = list(chain_of(error))
    kind: str | None = None
    number: int | None = None
    for link in links:
        if isinstance(link, ssl.SSLError) and not isinstance(link, _NO_TLS_ERROR):
            kind = _tls_kind(link)
            break
        if isinstance(link, OSError):
            kind = kind or _os_kind(link)
            number = number or link.errno
    names = [type(link).__name__ for link in links]
    message = next((str(link) for link in links if str(link)), names[0])
    if kind is None:
        kind = _by_name(names, message, phase)
    return Failure(kind, phase, message, number, tuple(names))


def _by_name(names: list[str], message: str, phase: str) -> str:
    outer = names[0]
    if "StreamReset" in message or "ConnectionTerminated" in message:
        return STREAM_RESET
    if "Timeout" in outer:
        return TIMEOUT
    if outer == "ProxyError":
        return PROXY
    if outer in ("UnsupportedProtocol", "InvalidURL", "LocalProtocolError"):
        return INVALID
    if outer == "RemoteProtocolError":
        if "incomplete chunked read" in message or "without sending complete message body" in message:
            return TRUNCATED
        if "disconnected" in message or "closed connection" in message.lower():
            return CLOSED
        return PROTOCOL
    if "SSLEOFError" in names:
        return TLS_OTHER if phase in ("connect", "tls") else CLOSED
    if outer in ("ReadError", "WriteError", "CloseError"):
        return RESET
    if outer == "ConnectError":
        return RESET if phase != "connect" else UNREACHABLE
    return PROTOCOL
