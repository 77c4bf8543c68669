"""One audit: plan it or resume it, run the jobs that are left, keep every outcome as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from probe.fleet.executors import Executor
from probe.fleet.job import Cell, Fleet, Job, Outcome, Target
from probe.fleet.store import FAILED, PLANNED, Audit, Planned, Store
from probe.wording import amount

#: An audit that was interrupted longer ago is not resumed: half of its matrix would be of another day.
_RESUMABLE = timedelta(hours=24)


class Progress:
    """Receives the progress of an audit; this one ignores it."""

    def note(self, text: str) -> None:
        """A line for the user."""

    def started(self, done: int, total: int) -> None:
        """The plan is made, or resumed with some jobs done."""

    def finished(self, done: int, total: int, outcome: Outcome) -> None:
        """One more outcome was kept."""


async def audit(fleet: Fleet, store: Store, executor: Executor, progress: Progress, *, resume: bool) -> Audit:
    """Run an audit of a fleet to its end.

    Args:
        resume: continue the fleet's last audit where it was interrupted; its finished jobs
            are not run again.  Where there is none to continue, a new one is begun.

    Raises:
        StoreError, ExecutorError: the store or the executor fails.
    """
    found = _resumable(fleet, store, progress.note) if resume else None
    if found is None:
        found = store.begin(fleet.name, fleet.digest, executor.name, await _planned(fleet, executor, progress))
    plan = store.plan(found)
    left = [item for item in plan if item.state == PLANNED]
    done = len(plan) - len(left)
    progress.started(done, len(plan))

    async def keep(outcome: Outcome) -> None:
        nonlocal done
        if store.record(found, outcome):
            done += 1
            progress.finished(done, len(plan), outcome)

    await executor.run([_job(fleet, store, found, item) for item in left], keep)
    store.finish(found)
    return found


def _resumable(fleet: Fleet, store: Store, note: Callable[[str], None]) -> Audit | None:
    """The fleet's last audit, if it was interrupted and can be resumed; else None, with a note that says why."""
    found = store.unfinished(fleet.name)
    if found is None:
        note(f"no audit of '{fleet.name}' was interrupted: a new one is begun")
        return None
    begun = datetime.fromisoformat(found.started_at)
    if found.digest != fleet.digest:
        note(f"the fleet file has changed since {begun:%Y-%m-%d %H:%M} UTC: a new audit is begun")
        return None
    if datetime.now(UTC) - begun > _RESUMABLE:
        note(f"the interrupted audit is from {begun:%Y-%m-%d %H:%M} UTC: a new audit is begun")
        return None
    return found


def _job(fleet: Fleet, store: Store, found: Audit, item: Planned) -> Job:
    known = {name: judged.state for name, judged in store.before(found, item.cell).items()}
    return Job(item.cell, fleet.target(item.cell.target), known, fleet.settings.confirm)


async def _planned(fleet: Fleet, executor: Executor, progress: Progress) -> list[Planned]:
    """Every cell of the fleet; targets with ``discover`` are asked for their models first."""
    asking = [
        Job(Cell(target.name, "", place), target, discover=True)
        for target in fleet.targets
        if target.discover
        for place in target.vantage or ("",)
    ]
    listed: dict[Cell, Outcome] = {}
    if asking:
        progress.note(f"asking {amount(len(asking), 'endpoint')} for {'its' if len(asking) == 1 else 'their'} models")

        async def take(outcome: Outcome) -> None:
            listed[outcome.cell] = outcome

        await executor.run(asking, take)
    return [item for target in fleet.targets for item in _cells(target, listed)]


def _cells(target: Target, listed: dict[Cell, Outcome]) -> list[Planned]:
    found = []
    for place in target.vantage or ("",):
        models: Sequence[str] = target.models or ("",)
        if target.discover:
            outcome = listed[Cell(target.name, "", place)]
            if outcome.models is None:
                failed = _plan(target, Cell(target.name, "", place))
                found.append(replace(failed, state=FAILED, problem=outcome.problem))
                continue
            models = outcome.models
        found += [_plan(target, Cell(target.name, model, place)) for model in models]
    return found


def _plan(target: Target, cell: Cell) -> Planned:
    expect = {**target.expect, **target.expect_of.get(cell.model, {})}
    return Planned(cell, target.endpoint, target.labels, expect)
