"""What the runs of one process share when there are many of them.

A run on its own needs none of this.  Where many run beside each other, they build one TLS
context in place of many, watch the event loop once, take turns at a host, and hand the
checks that measure time to where it is quiet.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from probe.model import Check, Exchange, Result
from probe.wire.loop_lag import LagMonitor
from probe.wire.transport import Transport

if TYPE_CHECKING:
    from probe.run.context import Context
    from probe.run.scheduler import Scheduler

#: Longer than any run: a deadline moved so far off cannot pass meanwhile.
_FAR_S = 1e6


class Alone(Protocol):
    """Runs an exclusive check where nothing else keeps the event loop busy.

    The other checks of its run go on meanwhile, so their requests must be kept back while it measures.
    """

    def __call__(self, scheduler: Scheduler, item: Check, context: Context, /) -> Awaitable[Result]:
        """What the check says; raises what the check raises."""


class Turns(Protocol):
    """Who may send when."""

    def turn(self, url: str, context: Context) -> AbstractAsyncContextManager[Callable[[Exchange], None]]:
        """Wait until a request may go to this URL; what is yielded is told the exchange."""


@dataclass(frozen=True)
class Shared:
    """What the runs of a process share.

    Attributes:
        lag: the loop-lag monitor, running already.
        tls: the TLS context of a transport.
        turns: who may send when.
        alone: runs an exclusive check; None runs it in place.
    """

    lag: LagMonitor
    tls: Callable[[Transport], ssl.SSLContext]
    turns: Turns
    alone: Alone | None = None


@contextmanager
def off_the_clock(context: Context) -> Iterator[None]:
    """Waiting here is for other runs of this program: neither the check nor the run pays for it."""
    begin = time.monotonic()
    scope = context.scope
    scope.deadline += _FAR_S
    try:
        with context.budget.paused():
            yield
    finally:
        scope.deadline += time.monotonic() - begin - _FAR_S
