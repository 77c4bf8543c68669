"""Limits on sending: requests in flight over all hosts, and the rate to each host.

A host that answers 429 or 503 with Retry-After gets no request from any run until then.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import anyio

from probe.exchange import Exchange
from probe.parsing.error_bodies import is_throttled, retry_after
from probe.run.process_state import off_the_clock
from probe.run.run_state import Sender

#: The longest time that one Retry-After keeps all runs from a host.
_LONGEST_REST_S = 60.0


def host_of(url: str) -> str:
    """Host and port of a URL, by which the limits count."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        return f"{(parts.hostname or '').lower()}:{parts.port or {'https': 443}.get(parts.scheme, 80)}"
    except ValueError:  # the port is an unresolved ${VAR}
        return parts.netloc.lower()


@dataclass
class Host:
    """The state of a host.

    Attributes:
        next_at: the monotonic time of the next request at the earliest.
        busy: requests in flight.
        claimed: whether an exclusive check is going to use it; the next such check waits.
        kept: whether an exclusive check uses it, or will when the requests in flight have ended.
    """

    next_at: float = 0.0
    busy: int = 0
    claimed: bool = False
    kept: bool = False
    changed: anyio.Event = field(default_factory=anyio.Event)

    def wake(self) -> None:
        """Wake the tasks that wait for this host."""
        self.changed.set()
        self.changed = anyio.Event()


class Slots:
    """A limit on requests in flight: first come, first served, exclusive checks first.

    A waiting exclusive check occupies a worker process and a host, a waiting request nothing.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._urgent: deque[anyio.Event] = deque()
        self._others: deque[anyio.Event] = deque()

    @asynccontextmanager
    async def one(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """Hold one slot."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(self._urgent if urgent else self._others)
        try:
            yield
        finally:
            self._release()

    async def _wait(self, queue: deque[anyio.Event]) -> None:
        mine = anyio.Event()
        queue.append(mine)
        try:
            await mine.wait()
        except BaseException:
            if mine.is_set():  # the slot was given and the task cancelled at the same time
                self._release()
            else:
                queue.remove(mine)
            raise

    def _release(self) -> None:
        queue = self._urgent or self._others
        if queue:
            queue.popleft().set()
        else:
            self._free += 1


class Places:
    """A limit on runs at once; while a run only waits another may begin, up to twice the limit."""

    def __init__(self, count: int) -> None:
        self.limit = anyio.CapacityLimiter(count)
        self._count = count
        self._waiting = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """This run sends nothing inside the block; afterwards it continues in any case."""
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        self._waiting += by
        self.limit.total_tokens = self._count + min(self._count, self._waiting)


async def _until(hosts: Collection[Host], free: Callable[[Host], bool]) -> None:
    """Wait until the condition holds for all of the hosts at once."""
    while found := next((item for item in hosts if not free(item)), None):
        await found.changed.wait()


class HostTurns:
    """The limits of an audit: who may send when.

    Args:
        in_flight: most requests in flight over all hosts; None for no limit.
        requests_per_second: most requests to one host; None for no limit.
    """

    def __init__(self, in_flight: int | None = None, requests_per_second: float | None = None) -> None:
        self.gap_s = 1 / requests_per_second if requests_per_second else 0.0
        self._slots = Slots(in_flight) if in_flight else None
        self._hosts: dict[str, Host] = {}

    def host(self, url: str) -> Host:
        """The state of a URL's host."""
        return self._hosts.setdefault(host_of(url), Host())

    @asynccontextmanager
    async def turn(self, url: str, sender: Sender) -> AsyncIterator[Callable[[Exchange], None]]:
        """Wait until a request may be sent to this URL; yields a function that takes the exchange.

        A request to another host than its run's waits for both, so that it does not disturb
        a measurement of the same run.
        """
        host = self.host(url)
        hosts = self._hosts_of(sender, host)
        async with AsyncExitStack() as stack:
            with off_the_clock(sender):
                await stack.enter_async_context(await self._in_turn(host, hosts))
                for item in hosts:
                    item.busy += 1
                    stack.callback(self._left, item)
            yield lambda exchange: self._heed_retry_after(host, exchange)

    def _hosts_of(self, sender: Sender, *others: Host) -> Collection[Host]:
        """The hosts of a run, and these, each once."""
        urls = (sender.options.endpoint.origin, sender.target.chat_url)
        return {id(item): item for item in (*(self.host(url) for url in urls if url), *others)}.values()

    async def _in_turn(self, host: Host, hosts: Collection[Host]) -> AsyncExitStack:
        """A slot for a request that may be sent now; a request that has to wait holds no slot."""
        while True:
            await _until(hosts, lambda item: not item.kept)
            await self._paced(host)
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(self.slot())
                if not any(item.kept for item in hosts):
                    return stack.pop_all()

    def slot(self, *, urgent: bool = False) -> AbstractAsyncContextManager[Any]:
        """One of the requests in flight over all hosts."""
        return nullcontext() if self._slots is None else self._slots.one(urgent=urgent)

    def _left(self, host: Host) -> None:
        host.busy -= 1
        host.wake()

    async def _paced(self, host: Host) -> None:
        while True:
            wait = host.next_at - time.monotonic()
            if wait <= 0:
                break
            await anyio.sleep(wait)
        # Set before this request is sent, so that two are never sent at once.
        host.next_at = time.monotonic() + self.gap_s

    def _heed_retry_after(self, host: Host, exchange: Exchange) -> None:
        if is_throttled(exchange):
            wait = retry_after(exchange)
            if wait is not None:
                host.next_at = max(host.next_at, time.monotonic() + min(wait, _LONGEST_REST_S))

    @asynccontextmanager
    async def claim(self, sender: Sender) -> AsyncIterator[Collection[Host]]:
        """Claim a run's hosts for an exclusive check, one check at a time; other requests continue."""
        hosts = self._hosts_of(sender)
        await _until(hosts, lambda host: not host.claimed)
        for host in hosts:
            host.claimed = True
        try:
            yield hosts
        finally:
            for host in hosts:
                host.claimed = False
                host.wake()

    @asynccontextmanager
    async def alone(self, hosts: Collection[Host]) -> AsyncIterator[float]:
        """Keep every other request from hosts that were claimed.

        Yields the seconds until the first request may be sent to them.
        """
        for host in hosts:
            host.kept = True
        try:
            await _until(hosts, lambda host: not host.busy)
            yield max(0.0, *(host.next_at - time.monotonic() for host in hosts))
        finally:
            for host in hosts:
                host.kept = False
                host.next_at = max(host.next_at, time.monotonic() + self.gap_s)
                host.wake()
