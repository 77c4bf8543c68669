"""Executors: they run jobs and hand back each outcome as soon as it is there."""

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
from probe.fleet.timing_workers import TimingWorkers
from probe.model import Report
from probe.run.interruption import Interrupted
from probe.run.process_state import Shared
from probe.wire.loop_lag import LagMonitor
from probe.wire.recorder import RUN_LIMIT

#: Bytes of the bodies of all runs that send at a time, and of one run at the least: a long model list, twice.
_ROOM, _LEAST_ROOM = 64 * 2**20, 2 * 2**20
Done = Callable[[Outcome], Awaitable[None]]


def room_of_a_run(concurrency: int) -> int:
    """The bytes that the bodies of one run may take where so many runs are in one process."""
    return max(_LEAST_ROOM, min(RUN_LIMIT, _ROOM // concurrency))


class ExecutorError(RuntimeError):
    """The executor cannot run the jobs; the message is one line."""


class Executor(Protocol):
    """Runs jobs; ``clerk`` is the limit for the one process that encodes and writes reports."""

    name: str
    clerk: anyio.CapacityLimiter

    async def run(self, jobs: Sequence[Job], done: Done) -> None:
        """Run every job; ``done`` is awaited with each outcome, one at a time."""


class LocalExecutor:
    """Many endpoints in this process: one event loop, one TLS context, limits for each host.

    Checks that measure time run in worker processes, one at a time in each.
    """

    name = "local"

    def __init__(self, settings: Settings, shared: Shared, places: Places) -> None:
        self._settings = settings
        self._shared = shared
        self._places = places
        self.clerk = anyio.CapacityLimiter(1)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, interrupted: Interrupted | None = None) -> AsyncIterator[LocalExecutor]:
        """Start an executor and its worker processes; ``interrupted`` says whether a signal ended the audit."""
        registry.load()
        turns = HostTurns(settings.concurrency, settings.requests_per_second)
        lag = LagMonitor()
        places = Places(settings.concurrency)
        workers = TimingWorkers(settings.quiet, turns, places, settings.requests_per_second)
        async with anyio.create_task_group() as group:
            group.start_soon(workers.start)
            group.start_soon(lag.run)
            room = room_of_a_run(settings.concurrency)
            yield cls(settings, Shared(lag, turns, workers, interrupted, room), places)
            group.cancel_scope.cancel()

    async def run(self, jobs: Sequence[Job], done: Done) -> None:
        """Run every job, at most ``per_host`` of one host at a time, alternating between hosts."""
        queues: dict[str, list[Job]] = {}
        for job in reversed(jobs):
            queues.setdefault(host_of(job.target.endpoint), []).append(job)
        keeping = anyio.Lock()

        async def pack(report: Report) -> bytes:
            # Encoding a report costs as much processor time as the run itself, so another process does it.
            return await anyio.to_process.run_sync(packed, report, cancellable=True, limiter=self.clerk)

        async def serve(queue: list[Job]) -> None:
            while queue:
                async with self._places.limit:
                    if not queue:
                        return
                    outcome = await probe(queue.pop(), self._shared, pack)
                async with keeping:
                    await done(outcome)

        async with anyio.create_task_group() as group:
            for host in reversed(list(queues)):
                for _ in range(min(self._settings.per_host, len(queues[host]))):
                    group.start_soon(serve, queues[host])
