"""Jobs on an existing Dask cluster, to probe the same endpoints from other machines.

Secrets are sent as references and resolved by the worker.  A vantage point is a worker
resource of that name (``dask worker ... --resources "dmz=1"``).  The jobs of a worker that
is lost are run again by another with the same resource; the store keeps each outcome once.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from probe.fleet.executors import Done, ExecutorError
from probe.fleet.job import Job, Outcome

if TYPE_CHECKING:
    from distributed import Client

#: Limit of connecting to the scheduler.
_CONNECT_S = 10
#: A job during which this many workers were lost is not run again.
_LOST_WORKERS = 3
#: One job at a time in a worker process, so that nothing else disturbs the checks that measure time.
_ALONE = threading.Lock()


def perform(job: Job) -> Outcome:
    """Run one job; called in a worker."""
    from dataclasses import replace

    from probe.fleet.job_runner import probe

    with _ALONE:
        outcome = anyio.run(partial(probe, job))
    return replace(outcome, place=_worker_name())


def _worker_name() -> str:
    from distributed import get_worker

    try:
        return str(get_worker().name)
    except ValueError:
        return ""


class DaskExecutor:
    """Runs jobs on a Dask cluster.

    Args:
        client: connected and asynchronous.
        address: as the user wrote it.
    """

    def __init__(self, client: Client, address: str) -> None:
        self._client = client
        self.name = f"dask://{address}"
        self.clerk = anyio.CapacityLimiter(1)

    @classmethod
    @asynccontextmanager
    async def open(cls, address: str) -> AsyncIterator[DaskExecutor]:
        """An executor that is connected to the scheduler at ``HOST:PORT``.

        Raises:
            ExecutorError: the package is missing, or no scheduler answers there.
        """
        try:
            import dask
            from distributed import Client
        except ImportError:
            raise ExecutorError(
                "dask:// needs the package distributed; install it in a checkout of endpoint-probe with: "
                "pip install '.[distributed]'"
            ) from None
        with dask.config.set({"distributed.scheduler.allowed-failures": _LOST_WORKERS}):
            try:
                client = await Client(  # type: ignore[no-untyped-call]
                    f"tcp://{address}", asynchronous=True, timeout=_CONNECT_S
                )
            except (OSError, TimeoutError, ValueError) as error:
                raise ExecutorError(
                    f"no Dask scheduler answers at {address} ({type(error).__name__}); start one with: dask scheduler"
                ) from None
        try:
            yield cls(client, address)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(5, shield=True):
                await client.close()

    async def run(self, jobs: Sequence[Job], done: Done) -> None:
        """Run every job on the cluster; ``done`` is awaited with each outcome, one at a time.

        Raises:
            ExecutorError: there is no worker, or none at the vantage point of a job.
        """
        if not jobs:
            return
        await self._check_workers(jobs)
        futures = {self._submit(job): job for job in jobs}
        from distributed import as_completed

        async for future in as_completed(list(futures)):  # type: ignore[no-untyped-call]
            job = futures.pop(future)
            await done(await self._outcome(future, job))
            future.release()

    def _submit(self, job: Job) -> Any:
        place = job.cell.vantage
        resources = {place: 1} if place else None
        return self._client.submit(perform, job, pure=False, retries=0, resources=resources)

    async def _outcome(self, future: Any, job: Job) -> Outcome:
        from distributed import KilledWorker

        try:
            found = await future.result()
        except KilledWorker:
            return Outcome(job.cell, problem=f"{_LOST_WORKERS} workers were lost while probing it")
        except Exception as error:
            return Outcome(job.cell, problem=f"the worker failed ({type(error).__name__}); is the same version there?")
        return found if isinstance(found, Outcome) else Outcome(job.cell, problem="the worker returned no outcome")

    async def _check_workers(self, jobs: Sequence[Job]) -> None:
        scheduler: Any = self._client.scheduler
        info = await scheduler.identity()
        workers = list(info.get("workers", {}).values())
        if not workers:
            raise ExecutorError("the Dask scheduler has no workers; start one with: dask worker HOST:PORT --nthreads 1")
        offered = {name for worker in workers for name in worker.get("resources", {})}
        missing = sorted({job.cell.vantage for job in jobs if job.cell.vantage} - offered)
        if missing:
            raise ExecutorError(
                f"no worker is at the vantage point {', '.join(missing)}; start one there with: "
                f"dask worker HOST:PORT --nthreads 1 --resources '{missing[0]}=1'"
            )
