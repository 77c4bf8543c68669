"""What happens to one request on the wire, noted while it happens, and how much of a body is kept.

The read path only stamps and appends, so that a stamp says when bytes came.  What a body
may take is bounded three times: by its size, by the number of its pieces (each costs more
than its bytes), and by what all bodies of the run take together.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from probe.wire.content_coding import BODY_LIMIT
from probe.wire.tcp import Autopsies, socket_of

#: After ``[DONE]`` a server gets this long to end the response by itself.
DONE_GRACE_S = 1.0
#: A body is read in at most so many pieces; 5,000 tokens streamed one by one are 5,000.
MOST_READS = 12_000
#: What the bodies of a run may take together, and what each may take when that is used up.
RUN_LIMIT = 16 * 1024 * 1024
LEAST = 64 * 1024
LEAST_READS = 2_000
#: What a read costs beside what was read, as so many bytes: memory, and the work of telling it from the next.
_READ_COST = 400


@dataclass
class Room:
    """How much memory the bodies of a run may still take, in bytes."""

    left: int = RUN_LIMIT

    @property
    def reads(self) -> int:
        """In how many pieces a body may come."""
        return MOST_READS if self.left > 0 else LEAST_READS

    def limit(self, size: int = 0) -> int:
        """How long a body may become that is so many bytes long already."""
        return BODY_LIMIT if self.left > 0 else max(LEAST, min(size, BODY_LIMIT))


class Recorder:
    """What happened to one request, filled in while it happens."""

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

    async def leave(self) -> None:
        """Close the connection below, which nobody else has any more."""
        if self.stream is not None:
            with contextlib.suppress(Exception):  # it may be closed or broken already
                await self.stream.aclose()

    def _last_byte(self) -> float | None:
        """When something last moved, in seconds after the begin; None before the request is out."""
        if self.reads:
            return self.reads[-1][0]
        return self.marks.get("headers", self.marks.get("sent"))

    async def watch(self, silence_s: float) -> None:
        """Ask the peer for a sign of life once in every silence that lasts so long."""
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

    async def read(self, response: httpx.Response, room: Room) -> None:
        """Take the body as it comes, up to its end or a limit."""
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
            if over > 0 or len(reads) >= room.reads:
                self.cut = True
                break
            tail = (tail + chunk)[-32:] if len(chunk) < 32 else chunk[-32:]
            if grace is None and b"[DONE]" in tail:
                grace = clock() + DONE_GRACE_S
