"""A tiny HTTP/1.1 request reader for the simulated endpoint.

Only what RFC 9112 asks of a server that is talked to by ordinary clients: request line, fields, bodies by
Content-Length or chunked coding, `Expect: 100-continue`, keep-alive. Written by hand so that the answering
side can control every byte, chunk and pause.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

MAX_HEAD = 128 * 1024
MAX_BODY = 32 * 1024 * 1024

REASONS = {
    100: "Continue", 200: "OK", 204: "No Content", 301: "Moved Permanently", 302: "Found",
    307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized",
    402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 411: "Length Required", 413: "Content Too Large", 415: "Unsupported Media Type",
    422: "Unprocessable Entity", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout", 524: "A Timeout Occurred",
}  # fmt: skip


class BadRequest(Exception):
    """The bytes received are not an HTTP request this server takes; `status` is what to answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One received request, as it came over the wire. `time` is time.monotonic() when its last byte was read."""

    time: float
    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        """The path exactly as sent (no normalising), without the query."""
        if self.target.startswith(("http://", "https://")):
            return urlsplit(self.target).path or "/"
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the `?`, or an empty string."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The first field of that name (case-insensitive), or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants the connection kept (RFC 9112 section 9.3)."""
        wish = (self.header("connection") or "").lower()
        if self.version == "HTTP/1.0":
            return "keep-alive" in wish
        return "close" not in wish


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> Request | None:
    """Reads one request; None when the client closed the connection between requests.

    Raises BadRequest for bytes that are no request, ConnectionError when the client leaves half-way.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if not end.partial.strip():
            return None
        raise BadRequest(400, "the request head is incomplete") from end
    except asyncio.LimitOverrunError as end:
        raise BadRequest(431, "the request head is too large") from end
    lines = head.decode("latin-1").lstrip("\r\n").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(400, "malformed request line")
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        if not line:
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or name != name.strip():
            raise BadRequest(400, "malformed header field")
        headers.append((name, value.strip()))
    partial = Request(0.0, parts[0], parts[1], parts[2], tuple(headers), b"", connection)
    if (partial.header("expect") or "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    try:
        body = await _read_body(reader, partial)
    except asyncio.IncompleteReadError as end:
        raise ConnectionResetError("the client left in the middle of the body") from end
    return Request(time.monotonic(), parts[0], parts[1], parts[2], tuple(headers), body, connection)


async def _read_body(reader: asyncio.StreamReader, request: Request) -> bytes:
    if "chunked" in (request.header("transfer-encoding") or "").lower():
        return await _read_chunked(reader)
    length = request.header("content-length")
    if length is None:
        return b""
    if not length.isdigit():
        raise BadRequest(400, "Content-Length is not a number")
    if int(length) > MAX_BODY:
        raise BadRequest(413, "the request body is too large")
    return await reader.readexactly(int(length))


async def _read_chunked(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    total = 0
    while True:
        line = (await reader.readuntil(b"\r\n")).split(b";")[0].strip()
        try:
            size = int(line, 16)
        except ValueError as wrong:
            raise BadRequest(400, "malformed chunk size") from wrong
        total += size
        if total > MAX_BODY:
            raise BadRequest(413, "the request body is too large")
        if size == 0:
            while (await reader.readuntil(b"\r\n")) != b"\r\n":
                pass  # trailer fields
            return b"".join(parts)
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)


def head_bytes(status: int, headers: list[tuple[str, str]], version: str = "HTTP/1.1") -> bytes:
    """The status line and fields of a response, ready to send."""
    lines = [f"{version} {status} {REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
