"""One HTTP/1.1 request as it came over the wire, read by h11.

h11 parses only; it never writes a response. The responses of the simulated endpoint must be able to break every rule,
so their bytes are made elsewhere (`player`). That is also why each request gets a parser of its own: h11 would not
start a second cycle before it has sent a response itself.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

MAX_HEAD = 128 * 1024
"""Bytes of a request line with its fields; more is answered with 431."""
MAX_BODY = 32 * 1024 * 1024
"""Bytes of a request body; more is answered with 413."""


class BadRequest(Exception):
    """The bytes received are not a request that this server accepts; `status` is the answer they get."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One received request. `time` is time.monotonic() when its last byte was read; field names keep their case."""

    time: float
    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        """The path exactly as sent (not normalised), without the query."""
        if self.target.startswith(("http://", "https://")):
            return urlsplit(self.target).path or "/"
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The part of the target after `?`, or an empty string."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The first field of that name (case-insensitive), or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to keep the connection open (RFC 9112 section 9.3)."""
        connection = (self.header("connection") or "").lower()
        return "keep-alive" in connection if self.version == "HTTP/1.0" else "close" not in connection


class RequestReader:
    """Reads the requests of one connection in order; pipelined bytes are kept for the next request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        self._reader, self._writer, self._connection = reader, writer, connection
        self._pipelined = b""

    async def next(self) -> Request | None:
        """The next request, or None when the client closed the connection between two requests.

        Raises BadRequest for bytes that are not a request, ConnectionError when the client leaves within a body.
        """
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        blank = not self._pipelined.strip()
        if self._pipelined:
            parser.receive_data(self._pipelined)
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = _next_event(parser)
            if isinstance(event, h11.EndOfMessage):
                self._pipelined = parser.trailing_data[0]
                assert head is not None
                return self._request(head, bytes(body))
            if isinstance(event, h11.Request):
                head = event
                _check_head(head)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_BODY:
                    raise BadRequest(413, "the request body is too large")
            else:
                if parser.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                    self._writer.write(parser.send(go_on) or b"")
                    await self._writer.drain()
                received = await self._reader.read(65536)
                blank = blank and not received.strip()
                if received:
                    parser.receive_data(received)
                elif blank:
                    return None
                elif head is None:
                    raise BadRequest(400, "the request head is incomplete")
                else:
                    raise ConnectionResetError("the client left in the middle of the body")

    def _request(self, head: h11.Request, body: bytes) -> Request:
        fields = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items())
        version = "HTTP/" + head.http_version.decode()
        method, target = head.method.decode(), head.target.decode("latin-1")
        return Request(time.monotonic(), method, target, version, fields, body, self._connection)


def _next_event(parser: h11.Connection) -> object:
    try:
        return parser.next_event()
    except h11.RemoteProtocolError as wrong:
        # h11 quotes the received bytes, which may hold a key: its text is not passed on.
        text = "the request head is too large" if wrong.error_status_hint == 431 else "this is not an HTTP/1.1 request"
        raise BadRequest(wrong.error_status_hint, text) from wrong


def _check_head(head: h11.Request) -> None:
    if not head.http_version.startswith(b"1."):
        raise BadRequest(505, "only HTTP/1.1 is spoken here")
    length = dict(head.headers).get(b"content-length", b"0")
    if int(length) > MAX_BODY:
        raise BadRequest(413, "the request body is too large")
