"""What all checks of a run share: the exchanges so far, what was said, and the lanes to send in."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from probe.model import Check, CheckRecord, Event, Exchange, Result, Verdict
from probe.wire.loop_lag import LagMonitor
from probe.wire.transport import Transport

if TYPE_CHECKING:
    from probe.run.context import Context
    from probe.run.scheduler import Scheduler


# What the runs of one process share when there are many of them. -----------------------------------
#
# A run on its own needs none of this.  Where many run beside each other, they build one TLS
# context in place of many, watch the event loop once, take turns at a host, and hand the
# checks that measure time to where it is quiet.

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


# What all checks of a run share: the exchanges so far, what was said, and the lanes to send in. ----

_WORDS = tuple(
    (
        "ZEBRA AMBER COPPER FALCON MAPLE ORBIT QUARTZ RAVEN SAFFRON TULIP VELVET WALNUT INDIGO JASPER "
        "KESTREL LAGOON MARBLE NECTAR OPAL PEBBLE RUBY SIERRA TIMBER UMBER VIOLET WILLOW CEDAR DELTA "
        "EMBER FJORD GINGER HAZEL IVORY JUNIPER KOALA LOTUS MANGO NUTMEG OLIVE PLUM"
    ).split()
)


def _unheard(_exchange: Exchange) -> None:
    return None


@dataclass
class Log:
    """What all checks of a run share: the exchanges, the shared ones by name, events."""

    exchanges: list[Exchange] = field(default_factory=list)
    shared: dict[str, anyio.Event] = field(default_factory=dict)
    results: dict[str, Exchange | Exception] = field(default_factory=dict)
    throttled: list[Exchange] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    records: list[CheckRecord] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    nonces: dict[str, str] = field(default_factory=dict)
    counter: int = 0
    lane: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(4))
    emit: Callable[[Event], None] = lambda event: None
    turns: Turns | None = None

    def turn(self, url: str, context: Context) -> AbstractAsyncContextManager[Callable[[Exchange], None]]:
        """Wait for a turn at this URL's host, where other runs of the process want one too."""
        return nullcontext(_unheard) if self.turns is None else self.turns.turn(url, context)

    def nonce(self, label: str) -> str:
        """A code no model can guess; the same for the same label, another word for another."""
        if label not in self.nonces:
            source = random.SystemRandom()
            used = {code.partition("-")[0] for code in self.nonces.values()}
            words = [word for word in _WORDS if word not in used] or list(_WORDS)
            self.nonces[label] = f"{source.choice(words)}-{source.randrange(10_000, 99_999)}"
        return self.nonces[label]
