"""Sends a planned response on a connection, each write at its time."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
import sys
import time
from collections.abc import Callable
from itertools import chain

from probe.simulator.request import Request
from probe.simulator.response import End, Response

Stamps = list[tuple[float, int]]
"""(time.monotonic() just before an event was written, number of the event)."""


class Player:
    """Sends bytes on one connection. `aborted` is set once it must not be closed in the orderly way any more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        # drain() then waits until the kernel has every byte. Not high=0: asyncio's TLS transport pauses at `>= high`,
        # so it would stay paused with an empty buffer.
        self._writer.transport.set_write_buffer_limits(high=1, low=0)
        self.aborted = False
        self._socket = writer.get_extra_info("socket")
        if self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def send(self, data: bytes) -> None:
        """Write bytes and wait until they have left the process; raises ConnectionError when the client has gone."""
        if self._writer.is_closing():
            raise ConnectionResetError("the client has gone")
        self._writer.write(data)
        await self._writer.drain()

    async def play(
        self, request: Request, response: Response, head: bytes, change: Callable[[bytes], bytes], stamps: Stamps
    ) -> None:
        """Send one response, whatever its end.

        `head` is the encoded status line and fields (empty for none); `change` sees all bytes just before they are
        written; the time of each event is appended to `stamps`.
        """
        start = request.time
        has_body = request.method != "HEAD" or response.framing == "none"
        await _until(start + response.head_at)
        first = response.writes[0].at if response.writes and has_body else None
        if head and (first is None or first > response.head_at):
            await self.send(change(head))
            head = b""
        for write in chain(response.writes, response.more() if response.more else ()) if has_body else ():
            await _until(start + write.at)
            if write.event is not None:
                stamps.append((time.monotonic(), write.event))
            data = write.data
            if response.framing == "chunked" and data:
                data = b"%x\r\n%b\r\n" % (len(data), data)
            await self.send(change(head + data))
            head = b""
        await _until(start + response.end_at)
        if response.framing == "chunked" and has_body and response.end in ("complete", "mid-chunk"):
            await self.send(change(b"0\r\n\r\n" if response.end == "complete" else b"ff\r\ndata: {"))
        await self.finish(response.end)

    async def finish(self, end: End) -> None:
        """End the connection in that way; `complete`, `cut` and `mid-chunk` leave the closing to the caller.

        Raises ConnectionError when the client leaves during a silence without an end.
        """
        if end == "reset":
            # SO_LINGER with a time of 0: closing sends RST instead of FIN (socket(7)).
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if end in ("reset", "unclean"):
            self.aborted = True
            self._writer.transport.abort()
        if end == "lost" and sys.platform == "linux":
            # A classic BPF program that accepts no byte of any segment (socket(7), SO_ATTACH_FILTER).
            program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
            self._socket.setsockopt(socket.SOL_SOCKET, 26, struct.pack("@HP", 1, ctypes.addressof(program)))
        if end in ("hang", "lost"):
            while await self._reader.read(65536):
                pass
            raise ConnectionResetError("the client has gone")


async def _until(moment: float) -> None:
    """Sleep until time.monotonic() reaches the moment: an absolute schedule does not drift."""
    wait = moment - time.monotonic()
    if wait > 0:
        await asyncio.sleep(wait)
