"""One audit: plan it or take it up again, run what is left, keep every outcome as it comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from probe.fleet.executors import Executor
from probe.fleet.job import Cell, Fleet, Job, Outcome, Target
from probe.fleet.store import FAILED, PLANNED, Audit, Planned, Store

#: What was interrupted longer ago is not gone on with: half of the matrix would be of another day.
FRESH = timedelta(hours=24)
#: Told of every outcome that was kept: how many jobs are done, of how many, and the outcome.
Progress = Callable[[int, int, Outcome], None]


@dataclass(frozen=True)
class Watch:
    """Who is told what goes on."""

    say: Callable[[str], None]
    discovering: Callable[[int], None]
    started: Callable[[int, int], None]
    progress: Progress


async def audit(fleet: Fleet, store: Store, executor: Executor, watch: Watch, *, resume: bool) -> Audit:
    """Run an audit of a fleet to its end.

    Args:
        resume: take up the fleet's last audit where it was interrupted; its done jobs are
            not run again.  Where there is none to take up, a new one is begun.

    Raises:
        StoreError, ExecutorError: the store or the place of work fails.
    """
    found = resumable(fleet, store, watch.say) if resume else None
    if found is None:
        plan = await _planned(fleet, executor, watch)
        found = store.begin(fleet.name, fleet.digest, executor.name, plan)
    plan = store.plan(found)
    left = [item for item in plan if item.state == PLANNED]
    done = len(plan) - len(left)
    watch.started(done, len(plan))

    async def keep(outcome: Outcome) -> None:
        nonlocal done
        if store.record(found, outcome):
            done += 1
            watch.progress(done, len(plan), outcome)

    await executor.run([_job(fleet, store, found, item) for item in left], keep)
    store.finish(found)
    return found


def resumable(fleet: Fleet, store: Store, say: Callable[[str], None]) -> Audit | None:
    """The fleet's last audit, where it was interrupted and can be taken up; else None, and why is said."""
    found = store.unfinished(fleet.name)
    if found is None:
        say(f"no audit of '{fleet.name}' was interrupted: a new one is begun")
        return None
    begun = datetime.fromisoformat(found.started_at)
    if found.digest != fleet.digest:
        say(f"the fleet file has changed since {begun:%Y-%m-%d %H:%M} UTC: a new audit is begun")
        return None
    if datetime.now(UTC) - begun > FRESH:
        say(f"what was interrupted is of {begun:%Y-%m-%d %H:%M} UTC: a new audit is begun")
        return None
    return found


def _job(fleet: Fleet, store: Store, found: Audit, item: Planned) -> Job:
    known = {name: judged.state for name, judged in store.before(found, item.cell).items()}
    return Job(item.cell, fleet.target(item.cell.target), known, fleet.settings.confirm)


async def _planned(fleet: Fleet, executor: Executor, watch: Watch) -> list[Planned]:
    """Every cell of the fleet, the models of discovering targets looked up first."""
    asking = [
        Job(Cell(target.name, "", place), target, discover=True)
        for target in fleet.targets
        if target.discover
        for place in target.vantage or ("",)
    ]
    listed: dict[Cell, Outcome] = {}
    if asking:
        watch.discovering(len(asking))

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
