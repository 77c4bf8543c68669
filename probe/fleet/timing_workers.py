"""Checks that measure time, run in processes of their own.

In a process with many runs the event loop is never quiet, so an exclusive check goes to a
worker process: it gets a copy of what its run knows so far, has a loop to itself, and
sends back what it saw.  A worker does one check at a time.  While it does, nothing else of
this program talks to the same host; the other checks of its run go on, and wait when they
want to send.
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
from anyio.abc import SocketAttribute, SocketStream

from probe.catalogue import registry
from probe.exchange import Exchange
from probe.fleet.host_limits import HostTurns, Places
from probe.model import Check, Result, Verdict
from probe.parsing.chat_completion import read_stream
from probe.redaction.redactor import Redactor
from probe.run.budget import Budget
from probe.run.context import Context
from probe.run.options import Options, Settled
from probe.run.outcomes import BudgetExceeded, Inconclusive, Skip
from probe.run.process_state import off_the_clock
from probe.run.run_state import Log
from probe.wire.client import Client, ssl_context
from probe.wire.loop_lag import LagMonitor
from probe.wire.transport import Transport

if TYPE_CHECKING:
    import ssl

#: How long the workers may take to start.
_START_S = 15.0
#: How a check may end without a result; raised again where the run is.
_ENDS = (Skip, BudgetExceeded, Inconclusive)
#: What a worker answers itself before its first check.
_REHEARSAL = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    b'data: {"choices": [{"index": 0, "delta": {"content": "1"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
)


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
    _ready()
    tls_of(errand.options.transport)
    return anyio.run(_perform, errand)


def warm() -> None:
    """Load what a worker needs before its first check."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _ready()


@cache
def _ready() -> None:
    """Do once what is slow the first time, so that the loop does not pause for it while a check measures."""
    registry.load()
    with contextlib.suppress(OSError):  # no loopback here: then the first check is measured as well as can be
        anyio.run(_rehearse)


async def _rehearse() -> None:
    """One streamed exchange with this process itself."""

    async def answer(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(_REHEARSAL)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        Client(Transport(), Redactor({}), tls=tls_of) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, answer)
        url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/"
        exchange = await client.send(
            exchange_id="x000", check="", method="POST", url=url, headers={}, body={}, timeout_s=5
        )
        read_stream(exchange)
        group.cancel_scope.cancel()


async def _perform(errand: Errand) -> Brought:
    from probe.run.runner import redactor_for

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
        turns=turns,
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
        runs: told which runs only wait for a place, so that others may begin.
        per_second: requests a second to one host, or None.
    """

    def __init__(self, count: int, turns: HostTurns, runs: Places, per_second: float | None) -> None:
        self._limit = anyio.CapacityLimiter(count)
        self._turns = turns
        self._runs = runs
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

    async def __call__(self, item: Check, context: Context, /) -> Result:
        """Run an exclusive check of a run in a worker and take over what it saw.

        The run's other checks go on while this one waits for a worker, and wait to send while it measures.
        """
        async with contextlib.AsyncExitStack() as stack:
            with off_the_clock(context), self._runs.waiting():
                hosts = await stack.enter_async_context(self._turns.claim(context))
                await self._limit.acquire_on_behalf_of(stack)
                stack.callback(self._limit.release_on_behalf_of, stack)
                first_s = await stack.enter_async_context(self._turns.alone(hosts))
                await stack.enter_async_context(self._turns.slot(urgent=True))
            errand = self._errand(item, context, first_s)
            brought = await anyio.to_process.run_sync(perform, errand, cancellable=True, limiter=_free())
        _take(brought, context)
        if brought.ended is not None:
            raise brought.ended
        return brought.result or Result()

    def _errand(self, item: Check, context: Context, first_s: float) -> Errand:
        log, budget = context.log, context.budget
        left = None if budget.max_requests is None else budget.max_requests - budget.requests
        tokens = None if budget.max_tokens is None else budget.max_tokens - budget.tokens
        return Errand(
            item.id,
            context.options,
            replace(context.target),
            tuple(log.exchanges),
            dict(log.results),
            tuple(log.throttled),
            dict(log.verdicts),
            dict(log.facts),
            frozenset(log.codes),
            dict(log.nonces),
            log.counter,
            context.client.epoch,
            left,
            tokens,
            budget.left_s,
            first_s,
            self._per_second,
        )


def _free() -> anyio.CapacityLimiter:
    """A limit that never holds: the places are counted already."""
    return anyio.CapacityLimiter(1)


def _take(brought: Brought, context: Context) -> None:
    log, budget = context.log, context.budget
    log.exchanges.extend(brought.exchanges)
    log.throttled.extend(brought.throttled)
    # A check of this run that waits to send may have asked for the same in the meantime, and goes by its own.
    for name, found in brought.results.items():
        log.results.setdefault(name, found)
    for label, code in brought.nonces.items():
        log.nonces.setdefault(label, code)
    log.counter = max(log.counter, brought.counter)
    context.target.thinks = context.target.thinks or brought.thinks
    budget.requests += brought.requests
    budget.prompt_tokens += brought.prompt_tokens
    budget.completion_tokens += brought.completion_tokens
    context.requests += brought.requests
    context.prompt_tokens += brought.prompt_tokens
    context.completion_tokens += brought.completion_tokens
