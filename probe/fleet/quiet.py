"""Checks that measure time, run in processes of their own.

In a process with many runs the event loop is never quiet, so an exclusive check goes to a
worker process: it gets a copy of what its run knows so far, has a loop to itself, and
sends back what it saw.  A worker does one check at a time.  While it does, nothing else of
this program talks to the same host.
"""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_process

from probe import registry
from probe.budget import Budget
from probe.client import Client, ssl_context
from probe.context import Context
from probe.exchange import Exchange
from probe.fleet.turns import HostTurns
from probe.lag import LagMonitor
from probe.model import Check, Result, Verdict
from probe.runlog import Log
from probe.session import Options, Settled
from probe.shared import off_the_clock
from probe.signals import BudgetExceeded, Inconclusive, Skip

if TYPE_CHECKING:
    import ssl

    from probe.scheduler import Scheduler
    from probe.transport import Transport

#: How long the workers may take to start.
_START_S = 15.0
#: How a check may end without a result; raised again where the run is.
_ENDS = (Skip, BudgetExceeded, Inconclusive)


@dataclass(frozen=True)
class Errand:
    """What a worker needs to run one check in place of its run."""

    check: str
    options: Options
    target: Settled
    exchanges: tuple[Exchange, ...]
    results: dict[str, Exchange | Exception]
    throttled: tuple[Exchange, ...]
    verdicts: dict[str, Verdict]
    facts: dict[str, Any]
    codes: frozenset[str]
    nonces: dict[str, str]
    counter: int
    epoch: float
    requests_left: int | None
    tokens_left: int | None
    seconds_left: float
    first_s: float
    per_second: float | None


@dataclass(frozen=True)
class Brought:
    """What a worker brings back: the result or how the check ended, and everything that is new."""

    result: Result | None
    ended: Exception | None
    exchanges: tuple[Exchange, ...]
    results: dict[str, Exchange | Exception]
    throttled: tuple[Exchange, ...]
    nonces: dict[str, str]
    counter: int
    thinks: bool
    requests: int
    prompt_tokens: int
    completion_tokens: int


@cache
def tls_of(transport: Transport) -> ssl.SSLContext:
    """The TLS context of a transport, made once a process."""
    return ssl_context(transport)


def perform(errand: Errand) -> Brought:
    """Run one check in this process; called in a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    return anyio.run(_perform, errand)


def warm() -> None:
    """Load what a worker needs before its first check."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    registry.load()
    import httpx  # noqa: F401


async def _perform(errand: Errand) -> Brought:
    from probe.runner import redactor_for

    item = next(check for check in registry.checks() if check.id == errand.check)
    lag = LagMonitor()
    turns = HostTurns(None, errand.per_second)
    if errand.target.chat_url:
        turns.host(errand.target.chat_url).next_at = time.monotonic() + errand.first_s
    log = Log(
        exchanges=list(errand.exchanges),
        results=dict(errand.results),
        throttled=list(errand.throttled),
        verdicts=errand.verdicts,
        facts=errand.facts,
        codes=set(errand.codes),
        nonces=dict(errand.nonces),
        counter=errand.counter,
        lane=anyio.CapacityLimiter(max(1, errand.options.concurrency)),
        turns=turns if errand.per_second else None,
    )
    budget = Budget(errand.requests_left, errand.tokens_left, errand.seconds_left)
    redactor = redactor_for(errand.options)
    result: Result | None = None
    ended: Exception | None = None
    async with Client(errand.options.transport, redactor, lag=lag, epoch=errand.epoch, tls=tls_of) as client:
        context = Context(item.id, errand.options, errand.target, client, budget, log)
        async with anyio.create_task_group() as group:
            group.start_soon(lag.run)
            try:
                result = await item.run(context)
            except _ENDS as error:
                ended = error
            group.cancel_scope.cancel()
    return Brought(
        result,
        ended,
        tuple(log.exchanges[len(errand.exchanges) :]),
        {name: value for name, value in log.results.items() if name not in errand.results},
        tuple(log.throttled[len(errand.throttled) :]),
        dict(log.nonces),
        log.counter,
        errand.target.thinks,
        budget.requests,
        budget.prompt_tokens,
        budget.completion_tokens,
    )


class QuietPlaces:
    """Worker processes for exclusive checks.

    Args:
        count: how many processes; each runs one check at a time.
        turns: the turns of the runs, so that a host is left alone meanwhile.
        per_second: requests a second to one host, or None.
    """

    def __init__(self, count: int, turns: HostTurns, per_second: float | None) -> None:
        self._limit = anyio.CapacityLimiter(count)
        self._turns = turns
        self._per_second = per_second

    async def start(self) -> None:
        """Start every worker, deaf to Ctrl-C from the beginning: the parent decides what it ends."""
        numbers = {signal.SIGINT}
        with contextlib.suppress(AttributeError):  # Windows has no signal masks
            signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        try:
            # A worker that is cancelled while it starts is never waited for, so it is let start.
            with anyio.move_on_after(_START_S, shield=True):
                async with anyio.create_task_group() as group:
                    for _ in range(int(self._limit.total_tokens)):
                        group.start_soon(lambda: anyio.to_process.run_sync(warm, cancellable=True, limiter=self._limit))
        finally:
            with contextlib.suppress(AttributeError):
                signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)

    async def __call__(self, scheduler: Scheduler, item: Check, context: Context, /) -> Result:
        """Run an exclusive check of a run in a worker and take over what it saw."""
        url = context.target.chat_url or context.options.endpoint.origin
        async with contextlib.AsyncExitStack() as stack:
            with off_the_clock(context):
                first_s = await stack.enter_async_context(self._turns.alone(url))
                await self._limit.acquire_on_behalf_of(stack)
                stack.callback(self._limit.release_on_behalf_of, stack)
                await stack.enter_async_context(self._turns.slot())
            errand = self._errand(scheduler, item, first_s)
            brought = await anyio.to_process.run_sync(perform, errand, cancellable=True, limiter=_free())
        _take(brought, scheduler, context)
        if brought.ended is not None:
            raise brought.ended
        return brought.result or Result()

    def _errand(self, scheduler: Scheduler, item: Check, first_s: float) -> Errand:
        log, budget = scheduler.log, scheduler.budget
        left = None if budget.max_requests is None else budget.max_requests - budget.requests
        tokens = None if budget.max_tokens is None else budget.max_tokens - budget.tokens
        return Errand(
            item.id,
            scheduler.options,
            replace(scheduler.target, extra=dict(scheduler.target.extra)),
            tuple(log.exchanges),
            dict(log.results),
            tuple(log.throttled),
            dict(log.verdicts),
            dict(log.facts),
            frozenset(log.codes),
            dict(log.nonces),
            log.counter,
            scheduler.client.epoch,
            left,
            tokens,
            budget.left_s,
            first_s,
            self._per_second,
        )


def _free() -> anyio.CapacityLimiter:
    """A limit that never holds: the places are counted already."""
    return anyio.CapacityLimiter(1)


def _take(brought: Brought, scheduler: Scheduler, context: Context) -> None:
    log, budget = scheduler.log, scheduler.budget
    log.exchanges.extend(brought.exchanges)
    log.results.update(brought.results)
    log.throttled.extend(brought.throttled)
    log.nonces.update(brought.nonces)
    log.counter = brought.counter
    scheduler.target.thinks = scheduler.target.thinks or brought.thinks
    budget.requests += brought.requests
    budget.prompt_tokens += brought.prompt_tokens
    budget.completion_tokens += brought.completion_tokens
    context.requests += brought.requests
    context.prompt_tokens += brought.prompt_tokens
    context.completion_tokens += brought.completion_tokens
