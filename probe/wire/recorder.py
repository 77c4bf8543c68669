"""Recording one request while it is on the wire, and the limits of a body.

The read path only notes the time and appends, so that a time is that of the arrival.  A body is
limited by its size, by the number of its reads (each costs more than its bytes), and by the size
of all bodies of the run together.
"""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from probe.wire.tcp import Autopsies, socket_of

#: Time for the server to end the response after ``[DONE]``.
DONE_GRACE_S = 1.0
#: The most bytes of a body that are read, before and after content decoding.
BODY_LIMIT = 8 * 1024 * 1024
#: Bytes of all bodies of a run, and the bytes and reads of each when those are used up.
RUN_LIMIT = 16 * 1024 * 1024
LEAST = 64 * 1024
LEAST_READS = 2_000
#: Memory that each read takes in addition to its bytes.
_READ_COST = 400


@dataclass
class Room:
    """The memory in bytes that the bodies of a run may still take."""

    left: int = RUN_LIMIT

    def reads(self, most: int) -> int:
        """The most reads of a body, of which ``most`` are allowed while there is room."""
        return most if self.left > 0 else min(most, LEAST_READS)

    def limit(self, size: int = 0) -> int:
        """The most bytes of a body that has ``size`` bytes already."""
        return BODY_LIMIT if self.left > 0 else max(LEAST, min(size, BODY_LIMIT))


class Recorder:
    """The times and the bytes of one request, noted while it is on the wire."""

    def __init__(self) -> None:
        self.begin = time.monotonic()
        self.phase = "connect"
        self.marks: dict[str, float] = {}
        self.reads: list[tuple[float, bytes]] = []
        self.size = 0
        self.cut = False
        self.stream: Any = None
        self.autopsies = Autopsies(self.begin)

    def mark(self, name: str) -> None:
        self.marks.setdefault(name, time.monotonic() - self.begin)

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Follow httpcore's trace events (httpcore docs, "Request extensions")."""
        if event.endswith(("connect_tcp.complete", "connect_unix_socket.complete")):
            self.mark("connect")
            self.stream = info.get("return_value")
            self.phase = "send"
        elif event.endswith("start_tls.started"):
            self.phase = "tls"
        elif event.endswith("start_tls.complete"):
            self.mark("tls")
            self.phase = "send"
        elif event.endswith("send_request_headers.started"):
            self.mark("send")
            self.phase = "send"
        elif event.endswith("send_request_body.complete"):
            self.mark("sent")
            self.phase = "headers"

    async def close(self) -> None:
        """Close the connection, to which nothing else has a reference any more."""
        if self.stream is not None:
            with contextlib.suppress(Exception):  # it may be closed or broken already
                await self.stream.aclose()

    def _last_byte(self) -> float | None:
        """The time of the last byte in seconds after the begin; None before the request was sent."""
        if self.reads:
            return self.reads[-1][0]
        return self.marks.get("headers", self.marks.get("sent"))

    async def watch(self, silence_s: float) -> None:
        """Probe the TCP peer once in every silence of this length."""
        asked: float | None = None
        while True:
            last = self._last_byte()
            if last is None or last == asked:
                await anyio.sleep(min(silence_s, 0.25))
                continue
            silent = time.monotonic() - self.begin - last
            if silent < silence_s:
                await anyio.sleep(silence_s - silent)
                continue
            asked = last
            await self.autopsies.ask(socket_of(self.stream), silent)

    async def read(self, response: httpx.Response, room: Room, most_reads: int) -> None:
        """Read the body up to its end or a limit."""
        clock = time.monotonic
        begin = self.begin
        reads = self.reads
        tail = b""
        grace: float | None = None
        iterator = response.aiter_raw()
        while True:
            try:
                if grace is None:
                    chunk = await anext(iterator)
                else:
                    with anyio.move_on_after(max(0.0, grace - clock())) as scope:
                        chunk = await anext(iterator)
                    if scope.cancelled_caught:
                        self.mark("open_after_done")
                        break
            except StopAsyncIteration:
                break
            at = clock() - begin
            self.size += len(chunk)
            room.left -= len(chunk) + _READ_COST
            over = self.size - room.limit()
            if over > 0:
                chunk = chunk[: max(0, len(chunk) - over)]
            reads.append((at, chunk))
            if over > 0 or len(reads) >= room.reads(most_reads):
                self.cut = True
                break
            tail = (tail + chunk)[-32:] if len(chunk) < 32 else chunk[-32:]
            if grace is None and b"[DONE]" in tail:
                grace = clock() + DONE_GRACE_S


def decode(chunks: list[bytes], encoding: str, limit: int = BODY_LIMIT) -> tuple[list[bytes], bool, str | None]:
    """The body without its content coding (RFC 9110, 8.4.1), read by read.

    Returns:
        the decoded chunks up to ``limit`` bytes, whether the limit cut them, and the error or None.
    """
    if encoding in ("", "identity"):
        return chunks, False, None
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return chunks, False, f"content coding '{encoding}' was not offered"
    machine = zlib.decompressobj(16 + zlib.MAX_WBITS if "gzip" in encoding else zlib.MAX_WBITS)
    decoded: list[bytes] = []
    room = limit
    for index, chunk in enumerate(chunks):
        if machine.eof:  # bytes after the compressed body are ignored
            decoded.append(b"")
            continue
        try:
            try:
                piece = machine.decompress(chunk, room)
            except zlib.error:
                if index or encoding != "deflate":
                    raise
                machine = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers send the raw form (RFC 9110, 8.4.1.2)
                piece = machine.decompress(chunk, room)
        except zlib.error as error:
            return decoded, False, f"broken {encoding} body: {error}"
        decoded.append(piece)
        room -= len(piece)
        if room <= 0:
            return decoded, True, None
    return decoded, False, None
