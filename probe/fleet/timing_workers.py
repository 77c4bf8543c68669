"""Worker processes for exclusive checks, which measure time.

In a process with many runs the event loop is always busy.  So an exclusive check runs in a
worker process: it gets a copy of the state of its run, has an event loop to itself, and
sends back its exchanges.  A worker runs one check at a time.  Meanwhile nothing else of this
program sends to the same host; the other checks of the run continue until they send.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterable
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
from probe.wire.recorder import LEAST
from probe.wire.transport import Transport

if TYPE_CHECKING:
    pass

#: How long the workers may take to start.
_START_S = 15.0
_SPAWNED_S = 0.2
#: Ways to end a check without a result; raised again in the process of the run.
_WITHOUT_RESULT = (Skip, BudgetExceeded, Inconclusive)
#: Bytes of bodies that are copied to a worker whole; a report keeps less of one.
COPIED = 1024 * 1024
#: The response of the loopback exchange by which a worker warms up.
_WARM_UP_RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    b'data: {"choices": [{"index": 0, "delta": {"content": "1"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
)


@dataclass(frozen=True)
class WorkerTask:
    """The state of a run that a worker needs for one check."""

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
    room: int


@dataclass(frozen=True)
class WorkerResult:
    """The result of a worker: that of the check or the exception that ended it, and everything that was added."""

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
    uncounted_tokens: int
    received: int


def perform(task: WorkerTask) -> WorkerResult:
    """Run one check in this process; called in a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process decides when to stop
    _ready()
    ssl_context(task.options.transport)
    return anyio.run(_perform, task)


def warm() -> None:
    """Prepare a worker for its first check."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _ready()


@cache
def _ready() -> None:
    """Do once what is slow the first time, so that it does not delay the event loop during a check."""
    registry.load()
    with contextlib.suppress(OSError):  # without loopback the first check is measured less exactly
        anyio.run(_warm_up)


async def _warm_up() -> None:
    """Send one streamed exchange to this process itself."""

    async def answer(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(_WARM_UP_RESPONSE)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        Client(Transport(), Redactor()) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, answer)
        url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/"
        exchange = await client.send(
            exchange_id="x000", check="", method="POST", url=url, headers={}, body={}, timeout_s=5
        )
        read_stream(exchange)
        group.cancel_scope.cancel()


async def _perform(task: WorkerTask) -> WorkerResult:
    from probe.run.runner import redactor_for

    item = next(check for check in registry.checks() if check.id == task.check)
    lag = LagMonitor()
    turns = HostTurns(None, task.per_second)
    if task.target.chat_url:
        turns.host(task.target.chat_url).next_at = time.monotonic() + task.first_s
    log = Log(
        exchanges=list(task.exchanges),
        results=dict(task.results),
        throttled=list(task.throttled),
        verdicts=task.verdicts,
        facts=task.facts,
        codes=set(task.codes),
        nonces=dict(task.nonces),
        counter=task.counter,
        lane=anyio.CapacityLimiter(max(1, task.options.concurrency)),
        turns=turns,
    )
    budget = Budget(task.requests_left, task.tokens_left, task.seconds_left)
    redactor = redactor_for(task.options)
    result: Result | None = None
    ended: Exception | None = None
    client = Client(task.options.transport, redactor, lag=lag, epoch=task.epoch, room=task.room)
    async with client:
        context = Context(item.id, task.options, task.target, client, budget, log)
        async with anyio.create_task_group() as group:
            group.start_soon(lag.run)
            try:
                result = await item.run(context)
            except _WITHOUT_RESULT as error:
                ended = error
            group.cancel_scope.cancel()
    return WorkerResult(
        result,
        ended,
        tuple(log.exchanges[len(task.exchanges) :]),
        {name: value for name, value in log.results.items() if name not in task.results},
        tuple(log.throttled[len(task.throttled) :]),
        dict(log.nonces),
        log.counter,
        task.target.thinks,
        budget.requests,
        budget.prompt_tokens,
        budget.completion_tokens,
        budget.uncounted_tokens,
        task.room - client.room.left,
    )


def _unblock(numbers: set[signal.Signals]) -> None:
    with contextlib.suppress(AttributeError):  # Windows has no signal masks
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


class TimingWorkers:
    """Worker processes for exclusive checks.

    Args:
        count: number of processes; each runs one check at a time.
        turns: the limits of the audit, which keep other requests from the host.
        runs: the limit on runs, raised while a run only waits for a worker.
        per_second: most requests a second to one host, or None.
    """

    def __init__(self, count: int, turns: HostTurns, runs: Places, per_second: float | None) -> None:
        self._limit = anyio.CapacityLimiter(count)
        self._turns = turns
        self._runs = runs
        self._per_second = per_second

    async def start(self) -> None:
        """Start every worker with SIGINT blocked: the parent process decides when it ends."""
        numbers = {signal.SIGINT}
        with contextlib.suppress(AttributeError):  # Windows has no signal masks
            signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        try:
            # A worker that is cancelled while it starts would never be reaped, so starting is shielded.
            with anyio.move_on_after(_START_S, shield=True):
                async with anyio.create_task_group() as group:
                    for _ in range(int(self._limit.total_tokens)):
                        group.start_soon(lambda: anyio.to_process.run_sync(warm, cancellable=True, limiter=self._limit))
                    # By then they are processes with the mask of this one; a signal to it must not wait for them.
                    await anyio.sleep(_SPAWNED_S)
                    _unblock(numbers)
        finally:
            _unblock(numbers)

    async def __call__(self, item: Check, context: Context, /) -> Result:
        """Run an exclusive check in a worker and add its exchanges to the run.

        The run's other checks continue while this one waits for a worker; while it runs they wait to send.
        """
        async with contextlib.AsyncExitStack() as stack:
            with off_the_clock(context), self._runs.waiting():
                hosts = await stack.enter_async_context(self._turns.claim(context))
                await self._limit.acquire_on_behalf_of(stack)
                stack.callback(self._limit.release_on_behalf_of, stack)
                first_s = await stack.enter_async_context(self._turns.alone(hosts))
                await stack.enter_async_context(self._turns.slot(urgent=True))
            task = self._task(item, context, first_s)
            done = await anyio.to_process.run_sync(perform, task, cancellable=True, limiter=_unlimited())
        _merge(done, context)
        if done.ended is not None:
            raise done.ended
        return done.result or Result()

    def _task(self, item: Check, context: Context, first_s: float) -> WorkerTask:
        log, budget = context.log, context.budget
        short = shortened(log.exchanges)
        left = None if budget.max_requests is None else budget.max_requests - budget.requests
        tokens = None if budget.max_tokens is None else budget.max_tokens - budget.tokens
        return WorkerTask(
            item.id,
            context.options,
            replace(context.target),
            tuple(short.get(item.id, item) for item in log.exchanges),
            {
                name: short.get(item.id, item) if isinstance(item, Exchange) else item
                for name, item in log.results.items()
            },
            tuple(short.get(item.id, item) for item in log.throttled),
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
            context.client.room.left,
        )


def shortened(exchanges: Iterable[Exchange]) -> dict[str, Exchange]:
    """Those of the exchanges, by id, whose bodies are too long to be copied to a worker, with the beginning of each."""
    left, found = COPIED, {}
    for item in exchanges:
        if item.response is None:
            continue
        size = len(item.response.content)
        if size > max(left, LEAST):
            size = LEAST
            found[item.id] = replace(
                item, response=replace(item.response, content=item.response.content[:size], cut=True)
            )
        left -= size
    return found


def _unlimited() -> anyio.CapacityLimiter:
    """A limiter that never blocks: the workers are counted already."""
    return anyio.CapacityLimiter(1)


def _merge(done: WorkerResult, context: Context) -> None:
    log, budget = context.log, context.budget
    log.exchanges.extend(done.exchanges)
    log.throttled.extend(done.throttled)
    # Another check of this run may have sent the same shared request in the meantime; its result is kept.
    for name, found in done.results.items():
        log.results.setdefault(name, found)
    for label, code in done.nonces.items():
        log.nonces.setdefault(label, code)
    log.counter = max(log.counter, done.counter)
    context.client.room.left -= done.received
    context.target.thinks = context.target.thinks or done.thinks
    budget.requests += done.requests
    budget.prompt_tokens += done.prompt_tokens
    budget.completion_tokens += done.completion_tokens
    budget.uncounted_tokens += done.uncounted_tokens
    context.requests += done.requests
    context.prompt_tokens += done.prompt_tokens
    context.completion_tokens += done.completion_tokens
