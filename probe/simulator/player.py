"""Plays a planned response on a connection, on an absolute schedule."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from probe.simulator.http11 import head_bytes

if TYPE_CHECKING:
    from probe.simulator.call import Call
    from probe.simulator.script import Headers, Script, Write


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
