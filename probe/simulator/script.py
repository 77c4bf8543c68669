"""A response as a script: what is written, and when.

The stand-in model knows its whole answer at once, so a response is planned before its first byte is sent:
a head, a list of writes with their times, and an end. Faults of delivery (buffering, timers, cuts) are then
plain functions from script to script, and they compose.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import socket
import struct
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from probe.simulator.http11 import head_bytes

if TYPE_CHECKING:
    from probe.simulator.call import Call

Headers = list[tuple[str, str]]

End = Literal["complete", "cut", "mid-chunk", "reset", "hang", "lost"]
"""How the body ends: complete; FIN without the last chunk; FIN inside a chunk; RST; never; never, and deaf
to what the client sends, TCP's own probes too."""

Framing = Literal["length", "chunked", "close"]


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes of the body and when they are sent, in seconds after the request was received.

    `event` numbers the server-sent event the bytes belong to (None for anything else).
    """

    at: float
    data: bytes
    event: int | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """One planned response. Times are seconds after the last byte of the request was read."""

    status: int
    headers: Headers
    writes: list[Write] = field(default_factory=list)
    head_at: float = 0.0
    end_at: float = 0.0
    framing: Framing = "length"
    end: End = "complete"
    close: bool = False

    @property
    def body(self) -> bytes:
        """All body bytes joined."""
        return b"".join(write.data for write in self.writes)

    @property
    def streamed(self) -> bool:
        """Whether this is a server-sent event stream (by how it was built, not by its content type)."""
        return self.framing == "chunked"

    def header(self, name: str) -> str | None:
        """The value of the first field of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def with_header(self, name: str, value: str | None) -> Script:
        """A copy in which the field is replaced (or, with None, removed)."""
        kept = [(key, old) for key, old in self.headers if key.lower() != name.lower()]
        if value is not None:
            kept.append((name, value))
        return replace(self, headers=kept)

    def with_body(self, body: bytes) -> Script:
        """A copy with this body sent in one write at the time of the end."""
        return replace(self, writes=[Write(self.end_at, body)] if body else [])

    def finished_at(self) -> float:
        """When the last scheduled thing of this response happens."""
        return max([self.end_at, self.head_at, *(write.at for write in self.writes)])


def to_json(value: Any) -> bytes:
    """Compact JSON in UTF-8, as the servers of this field send it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def plain(status: int, body: bytes, content_type: str | None, headers: Headers | None = None) -> Script:
    """A response of known length, sent at once."""
    fields = list(headers or [])
    if content_type:
        fields.append(("Content-Type", content_type))
    return Script(status, fields, [Write(0.0, body)] if body else [])


def send_json(status: int, payload: Any, headers: Headers | None = None) -> Script:
    """A JSON response, sent at once."""
    return plain(status, to_json(payload), "application/json", headers)


def send_text(status: int, text: str, headers: Headers | None = None) -> Script:
    """A text/plain response, sent at once."""
    return plain(status, text.encode(), "text/plain; charset=utf-8", headers)


def send_html(status: int, text: str, headers: Headers | None = None) -> Script:
    """A web page, sent at once."""
    return plain(status, text.encode(), "text/html; charset=utf-8", headers)


def send_empty(status: int, headers: Headers | None = None) -> Script:
    """A response without a body."""
    return plain(status, b"", None, headers)


def delayed(script: Script, seconds: float) -> Script:
    """The same response, everything in it `seconds` later."""
    return replace(
        script,
        writes=[replace(write, at=write.at + seconds) for write in script.writes],
        head_at=script.head_at + seconds,
        end_at=script.end_at + seconds,
    )


# Plays a planned response on a connection, on an absolute schedule. --------------------------------


class Player:
    """Sends bytes on one connection; `broken` is set when it must not be closed politely."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        # drain() then waits until the kernel has it all. Not high=0: asyncio's TLS transport pauses at `>= high`,
        # so it would stay paused with an empty buffer.
        self._writer.transport.set_write_buffer_limits(high=1, low=0)
        self.broken = False
        sock = writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def send(self, data: bytes) -> None:
        """Writes bytes and waits until they left the process; raises ConnectionError when the client is gone."""
        if self._writer.is_closing():
            raise ConnectionResetError("the client is gone")
        self._writer.write(data)
        await self._writer.drain()

    async def reset(self) -> None:
        """Ends the connection with RST instead of FIN (SO_LINGER 0, see socket(7))."""
        sock = self._writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.broken = True
        self._writer.transport.abort()

    async def hang(self) -> None:
        """Says nothing more until the client leaves or the server stops."""
        while await self._reader.read(65536):
            pass
        raise ConnectionResetError("the client is gone")

    async def lose(self) -> None:
        """Drops whatever the client sends, unacknowledged, as a network does that has forgotten the connection."""
        sock = self._writer.get_extra_info("socket")
        if sock is not None and sys.platform == "linux":
            # A classic BPF program that takes nothing of any segment (socket(7), SO_ATTACH_FILTER).
            program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
            sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack("@HP", 1, ctypes.addressof(program)))
        await self.hang()

    async def play(self, call: Call, script: Script, stamps: list[tuple[float, int]]) -> bool:
        """Sends one response; returns whether the connection may carry another request."""
        start = call.request.time
        head = call.request.method == "HEAD"
        if script.framing == "chunked" and call.request.version == "HTTP/1.0":
            script = replace(script, framing="close")  # RFC 9112, section 6.1: HTTP/1.0 knows no chunks
        keep = call.request.keep_alive and script.framing != "close" and script.end == "complete" and not script.close
        if script.status == 0:  # torn down before any answer
            await _until(start + script.end_at)
            if script.end == "lost":
                await self.lose()
            await self.reset()
            return False
        pending = head_bytes(script.status, self._fields(call, script, keep))
        await _until(start + script.head_at)
        writes = [] if head else script.writes
        if not (writes and writes[0].at <= script.head_at):
            await self.send(pending)
            pending = b""
        for write in writes:
            await _until(start + write.at)
            if write.event is not None:
                stamps.append((time.monotonic(), write.event))
            await self.send(pending + _framed(script, write))
            pending = b""
        await _until(start + script.end_at)
        return await self._end(script, keep, head)

    async def _end(self, script: Script, keep: bool, head: bool) -> bool:
        if script.end == "reset":
            await self.reset()
            return False
        if script.end == "hang":
            await self.hang()
        if script.end == "lost":
            await self.lose()
        if script.end == "mid-chunk":
            await self.send(b"ff\r\ndata: {")
        if script.end == "complete" and script.framing == "chunked" and not head:
            await self.send(b"0\r\n\r\n")
        return keep

    def _fields(self, call: Call, script: Script, keep: bool) -> Headers:
        fields = [*call.site.style.fixed_headers(call, script), *script.headers]
        if script.framing == "chunked":
            fields.append(("Transfer-Encoding", "chunked"))
        elif script.framing == "length" and script.status != 204:
            promised = len(script.body) + (1024 if script.end in ("cut", "reset") and script.writes else 0)
            fields.append(("Content-Length", str(promised)))
        style = call.site.style
        fields = [
            (name, style.json_type if name == "Content-Type" and value == "application/json" else value)
            for name, value in fields
        ]
        if not keep and not any(name.lower() == "connection" for name, _ in fields):
            fields.append(("Connection", "close"))
        return [(name.lower(), value) for name, value in fields] if style.lower_case else fields


def _framed(script: Script, write: Write) -> bytes:
    if script.framing == "chunked" and write.data:
        return b"%x\r\n%b\r\n" % (len(write.data), write.data)
    return write.data


async def _until(moment: float) -> None:
    """Sleeps until time.monotonic() reaches the moment: an absolute schedule does not drift."""
    wait = moment - time.monotonic()
    if wait > 0:
        await asyncio.sleep(wait)
