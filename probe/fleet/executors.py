"""Where jobs are run.  Every executor takes jobs and hands outcomes back as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import anyio
import anyio.to_process

from probe.catalogue import registry
from probe.fleet.host_limits import HostTurns, Places, host_of
from probe.fleet.job import Job, Outcome, Settings
from probe.fleet.job_runner import packed, probe
from probe.fleet.timing_workers import QuietPlaces, tls_of
from probe.model import Report
from probe.run.process_state import Shared
from probe.wire.loop_lag import LagMonitor

Done = Callable[[Outcome], Awaitable[None]]


class ExecutorError(RuntimeError):
    """The jobs cannot be run there; the message is one line."""


class Executor(Protocol):
    """Runs jobs."""

    name: str

    async def run(self, jobs: Sequence[Job], done: Done) -> None:
        """Run every job; ``done`` is awaited with each outcome, one at a time."""


class LocalExecutor:
    """Many endpoints in this process: one event loop, one TLS context, turns at each host.

    Checks that measure time go to worker processes, one at a time each.
    """

    name = "local"

    def __init__(self, settings: Settings, shared: Shared, places: Places) -> None:
        self._settings = settings
        self._shared = shared
        self._places = places

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[LocalExecutor]:
        """An executor with its workers started."""
        registry.load()
        turns = HostTurns(settings.concurrency, settings.requests_per_second)
        lag = LagMonitor()
        places = Places(settings.concurrency)
        quiet = QuietPlaces(settings.quiet, turns, places, settings.requests_per_second)
        async with anyio.create_task_group() as group:
            group.start_soon(quiet.start)
            group.start_soon(lag.run)
            yield cls(settings, Shared(lag, tls_of, turns, quiet), places)
            group.cancel_scope.cancel()

    async def run(self, jobs: Sequence[Job], done: Done) -> None:
        """Run every job; hosts take turns, and one host has at most ``per_host`` of them at once."""
        queues: dict[str, list[Job]] = {}
        for job in reversed(jobs):
            queues.setdefault(host_of(job.target.endpoint), []).append(job)
        one_at_a_time = anyio.Lock()
        packers = anyio.CapacityLimiter(1)

        async def pack(report: Report) -> bytes:
            # Half of what a run costs this process is writing its report down: that is done elsewhere.
            return await anyio.to_process.run_sync(packed, report, cancellable=True, limiter=packers)

        async def serve(queue: list[Job]) -> None:
            while queue:
                async with self._places.limit:
                    if not queue:
                        return
                    outcome = await probe(queue.pop(), self._shared, pack)
                async with one_at_a_time:
                    await done(outcome)

        async with anyio.create_task_group() as group:
            for host in reversed(list(queues)):
                for _ in range(min(self._settings.per_host, len(queues[host]))):
                    group.start_soon(serve, queues[host])
