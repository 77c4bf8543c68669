"""Who may send when: requests in flight over all hosts, and politeness towards each.

A host that says "not now" is left alone by every run, not only by the one it said it to.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio

from probe.completion import is_throttled
from probe.context import retry_after
from probe.exchange import Exchange
from probe.shared import off_the_clock

if TYPE_CHECKING:
    from probe.context import Context

#: A host is not left alone for longer because of one answer; whoever asks next finds out for itself.
_LONGEST_REST_S = 60.0


def host_of(url: str) -> str:
    """Host and port of a URL: what politeness counts by."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        return f"{(parts.hostname or '').lower()}:{parts.port or {'https': 443}.get(parts.scheme, 80)}"
    except ValueError:  # a port that is still a reference
        return parts.netloc.lower()


@dataclass
class Host:
    """When the next request may go to a host, and how many are under way."""

    next_at: float = 0.0
    busy: int = 0
    quiet: bool = False
    changed: anyio.Event = field(default_factory=anyio.Event)

    def wake(self) -> None:
        """Let whoever waits for this host look again."""
        self.changed.set()
        self.changed = anyio.Event()


class _Slot:
    """A token of a limiter that a task may hold several of."""

    def __init__(self, limiter: anyio.CapacityLimiter) -> None:
        self._limiter = limiter

    async def __aenter__(self) -> None:
        await self._limiter.acquire_on_behalf_of(self)

    async def __aexit__(self, *_: object) -> None:
        self._limiter.release_on_behalf_of(self)


class HostTurns:
    """Takes turns at hosts.

    Args:
        in_flight: requests in flight over all hosts; None is no limit.
        requests_per_second: the most to one host; None is no limit.
    """

    def __init__(self, in_flight: int | None = None, requests_per_second: float | None = None) -> None:
        self.gap_s = 1 / requests_per_second if requests_per_second else 0.0
        self._slots = anyio.CapacityLimiter(in_flight) if in_flight else None
        self._hosts: dict[str, Host] = {}

    def host(self, url: str) -> Host:
        """What is known of a URL's host."""
        return self._hosts.setdefault(host_of(url), Host())

    @asynccontextmanager
    async def turn(self, url: str, context: Context) -> AsyncIterator[Callable[[Exchange], None]]:
        """Wait until a request may go to this URL; what is yielded is told the exchange."""
        host = self.host(url)
        async with AsyncExitStack() as stack:
            with off_the_clock(context):
                await self._paced(host)
                host.busy += 1
                stack.callback(self._left, host)
                await stack.enter_async_context(self.slot())
            yield lambda exchange: self._told(host, exchange)

    def slot(self) -> AbstractAsyncContextManager[Any]:
        """One of the requests in flight over all hosts."""
        return nullcontext() if self._slots is None else _Slot(self._slots)

    def _left(self, host: Host) -> None:
        host.busy -= 1
        host.wake()

    async def _paced(self, host: Host) -> None:
        while True:
            if host.quiet:
                await host.changed.wait()
                continue
            wait = host.next_at - time.monotonic()
            if wait <= 0:
                break
            await anyio.sleep(wait)
        # The next one is told its time before this one is sent, so that several never leave at once.
        host.next_at = time.monotonic() + self.gap_s

    def _told(self, host: Host, exchange: Exchange) -> None:
        if is_throttled(exchange):
            wait = retry_after(exchange)
            if wait is not None:
                host.next_at = max(host.next_at, time.monotonic() + min(wait, _LONGEST_REST_S))

    @asynccontextmanager
    async def alone(self, url: str) -> AsyncIterator[float]:
        """Keep every other run from this host; yields the seconds until the first request may go there."""
        host = self.host(url)
        while host.quiet or host.busy:
            await host.changed.wait()
        host.quiet = True
        try:
            yield max(0.0, host.next_at - time.monotonic())
        finally:
            host.quiet = False
            host.next_at = max(host.next_at, time.monotonic() + self.gap_s)
            host.wake()
