"""Who may send when: requests in flight over all hosts, and politeness towards each.

A host that says "not now" is left alone by every run, not only by the one it said it to.
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
    """When the next request may go to a host, and who is there.

    Attributes:
        next_at: the monotonic time from which on the next request may go there.
        busy: how many requests are under way.
        claimed: whether a check is going to have it alone; the next one waits for that.
        kept: whether a check has it alone, or has it as soon as what is under way has ended.
    """

    next_at: float = 0.0
    busy: int = 0
    claimed: bool = False
    kept: bool = False
    changed: anyio.Event = field(default_factory=anyio.Event)

    def wake(self) -> None:
        """Let whoever waits for this host look again."""
        self.changed.set()
        self.changed = anyio.Event()


class Slots:
    """So many requests in flight; who waits comes in the order of asking, checks that measure time before others.

    Such a check keeps a worker process and a host waiting while it waits, an ordinary request only itself.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._urgent: deque[anyio.Event] = deque()
        self._others: deque[anyio.Event] = deque()

    @asynccontextmanager
    async def one(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """Hold one of them."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(self._urgent if urgent else self._others)
        try:
            yield
        finally:
            self._give()

    async def _wait(self, queue: deque[anyio.Event]) -> None:
        mine = anyio.Event()
        queue.append(mine)
        try:
            await mine.wait()
        except BaseException:
            if mine.is_set():  # given and cancelled at once
                self._give()
            else:
                queue.remove(mine)
            raise

    def _give(self) -> None:
        queue = self._urgent or self._others
        if queue:
            queue.popleft().set()
        else:
            self._free += 1


class Places:
    """So many runs at once; one that only waits lets another begin, up to twice as many in all."""

    def __init__(self, count: int) -> None:
        self.limit = anyio.CapacityLimiter(count)
        self._count = count
        self._waiting = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """This run sends nothing for the length of the block; afterwards it goes on without asking again."""
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        self._waiting += by
        self.limit.total_tokens = self._count + min(self._count, self._waiting)


async def _until(hosts: Collection[Host], free: Callable[[Host], bool]) -> None:
    """Wait until this holds for all of the hosts at once."""
    while found := next((item for item in hosts if not free(item)), None):
        await found.changed.wait()


class HostTurns:
    """Takes turns at hosts.

    Args:
        in_flight: requests in flight over all hosts; None is no limit.
        requests_per_second: the most to one host; None is no limit.
    """

    def __init__(self, in_flight: int | None = None, requests_per_second: float | None = None) -> None:
        self.gap_s = 1 / requests_per_second if requests_per_second else 0.0
        self._slots = Slots(in_flight) if in_flight else None
        self._hosts: dict[str, Host] = {}

    def host(self, url: str) -> Host:
        """What is known of a URL's host."""
        return self._hosts.setdefault(host_of(url), Host())

    @asynccontextmanager
    async def turn(self, url: str, sender: Sender) -> AsyncIterator[Callable[[Exchange], None]]:
        """Wait until a request may go to this URL; what is yielded is told the exchange.

        A request to another host than its run's waits for both: what a run measures is not
        to be disturbed by itself either.
        """
        host = self.host(url)
        hosts = self._homes(sender, host)
        async with AsyncExitStack() as stack:
            with off_the_clock(sender):
                await stack.enter_async_context(await self._in_turn(host, hosts))
                for item in hosts:
                    item.busy += 1
                    stack.callback(self._left, item)
            yield lambda exchange: self._told(host, exchange)

    def _homes(self, sender: Sender, *others: Host) -> Collection[Host]:
        """The hosts that a run's requests usually go to, and these, each once."""
        urls = (sender.options.endpoint.origin, sender.target.chat_url)
        return {id(item): item for item in (*(self.host(url) for url in urls if url), *others)}.values()

    async def _in_turn(self, host: Host, hosts: Collection[Host]) -> AsyncExitStack:
        """A slot in which a request may be sent at once; what is not sent yet makes nobody wait."""
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
        # The next one is told its time before this one is sent, so that several never leave at once.
        host.next_at = time.monotonic() + self.gap_s

    def _told(self, host: Host, exchange: Exchange) -> None:
        if is_throttled(exchange):
            wait = retry_after(exchange)
            if wait is not None:
                host.next_at = max(host.next_at, time.monotonic() + min(wait, _LONGEST_REST_S))

    @asynccontextmanager
    async def claim(self, sender: Sender) -> AsyncIterator[Collection[Host]]:
        """Wait until no other check has a run's hosts alone or is about to; yields them, and requests go on."""
        hosts = self._homes(sender)
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

        Yields the seconds until the first request may go there.
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
