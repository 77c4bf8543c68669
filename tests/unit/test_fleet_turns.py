"""Who may send when, in an audit: slots, hosts that are kept quiet, and runs that only wait."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from probe.fleet.host_limits import HostTurns, Places, Slots
from probe.model import Check, Result
from probe.parsing.urls import parse
from probe.redaction.redactor import Redactor
from probe.run.budget import Budget
from probe.run.context import Context
from probe.run.options import Auth, Options, Settled
from probe.run.run_state import Log
from probe.run.scheduler import Scheduler
from probe.wire.client import Client
from probe.wire.transport import Transport

ONE, TWO = "http://one.test:8000/v1", "http://two.test:8000/v1"


def context(url: str, budget: Budget | None = None) -> Context:
    """What a check of a run against this URL is given."""
    target = Settled(base_url=url, chat_url=f"{url}/chat/completions")
    options = Options(parse(url), Auth("none"))
    client = Client(Transport(), Redactor())
    return Context("a.check", options, target, client, budget or Budget(None, None, 60.0), Log())


async def settled() -> None:
    """Until every task has got as far as it can."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


def played(scene: Callable[[list[str], anyio.abc.TaskGroup], Awaitable[None]]) -> list[str]:
    """Run a scene under a task group; what it noted, in order."""
    noted: list[str] = []

    async def main() -> None:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                await scene(noted, group)

    anyio.run(main)
    return noted


def test_who_measures_gets_the_next_slot() -> None:
    async def scene(noted: list[str], group: anyio.abc.TaskGroup) -> None:
        slots = Slots(1)

        async def one(name: str, urgent: bool) -> None:
            async with slots.one(urgent=urgent):
                noted.append(name)

        async with slots.one():
            for name, urgent in (("first", False), ("second", False), ("measures", True)):
                group.start_soon(one, name, urgent)
                await settled()
            assert noted == []

    assert played(scene) == ["measures", "first", "second"]


def test_a_slot_is_not_lost_with_who_waited_for_it() -> None:
    async def scene(noted: list[str], group: anyio.abc.TaskGroup) -> None:
        slots = Slots(1)

        async def one(name: str) -> None:
            async with slots.one():
                noted.append(name)

        async with slots.one(), anyio.create_task_group() as ended:
            ended.start_soon(one, "cancelled while it waited")
            await settled()
            ended.cancel_scope.cancel()
        async with anyio.create_task_group() as late, slots.one():
            late.start_soon(one, "cancelled when its turn came")
            await settled()
            late.cancel_scope.cancel()
        group.start_soon(one, "next")

    assert played(scene) == ["next"]


def test_a_run_that_waits_lets_another_begin_up_to_twice_as_many() -> None:
    places = Places(2)
    assert places.limit.total_tokens == 2
    with places.waiting():
        assert places.limit.total_tokens == 3
        with places.waiting(), places.waiting():
            assert places.limit.total_tokens == 4
    assert places.limit.total_tokens == 2


def test_a_host_that_is_kept_gets_no_other_request_and_others_do() -> None:
    async def scene(noted: list[str], group: anyio.abc.TaskGroup) -> None:
        turns = HostTurns(8)

        async def request(name: str, url: str, run: str) -> None:
            async with turns.turn(url, context(run)):
                noted.append(name)

        async with turns.claim(context(ONE)) as hosts:
            await request("before", ONE, ONE)  # a claim alone keeps nobody back
            async with turns.alone(hosts):
                group.start_soon(request, "same host", ONE, ONE)
                group.start_soon(request, "same run, other host", TWO, ONE)
                group.start_soon(request, "other run", TWO, TWO)
                await settled()
                noted.append("measured")

    found = played(scene)
    assert found[:3] == ["before", "other run", "measured"]
    assert set(found[3:]) == {"same host", "same run, other host"}


def test_who_measures_waits_for_what_is_under_way_and_not_for_what_waits() -> None:
    async def scene(noted: list[str], group: anyio.abc.TaskGroup) -> None:
        turns = HostTurns(1)
        answered = anyio.Event()

        async def request(name: str) -> None:
            async with turns.turn(ONE, context(ONE)):
                noted.append(f"{name} sent")
                await answered.wait()
                noted.append(f"{name} answered")

        async def measure() -> None:
            async with turns.claim(context(ONE)) as hosts, turns.alone(hosts), turns.slot(urgent=True):
                noted.append("measured")

        for name in ("first", "second"):
            group.start_soon(request, name)
            await settled()
        group.start_soon(measure)
        await settled()
        assert noted == ["first sent"]
        answered.set()

    assert played(scene) == ["first sent", "first answered", "measured", "second sent", "second answered"]


def test_two_that_measure_at_one_host_take_turns() -> None:
    async def scene(noted: list[str], group: anyio.abc.TaskGroup) -> None:
        turns = HostTurns(8)

        async def measure(name: str) -> None:
            async with turns.claim(context(ONE)) as hosts, turns.alone(hosts):
                noted.append(f"{name} begins")
                await settled()
                noted.append(f"{name} ends")

        group.start_soon(measure, "a")
        group.start_soon(measure, "b")

    assert played(scene) == ["a begins", "a ends", "b begins", "b ends"]


def test_the_deadline_of_a_run_stands_still_while_something_of_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    budget = Budget(None, None, 10.0)
    now[0] += 4
    with budget.paused():
        now[0] += 20
        assert budget.left_s == 6
        with budget.paused():
            now[0] += 20
        assert budget.left_s == 6
    assert budget.left_s == 6
    now[0] += 7
    assert budget.left_s == 0


def test_a_run_goes_on_while_its_timing_check_waits_for_a_worker() -> None:
    noted: list[str] = []
    done = anyio.Event()

    async def plain(_: Context) -> Result:
        noted.append("plain")
        if noted.count("plain") == 3:
            done.set()
        return Result()

    async def timed(_: Context) -> Result:
        raise AssertionError("it was run in place")

    async def alone(item: Check, _: Context, /) -> Result:
        noted.append(f"{item.id} waits")
        await done.wait()
        noted.append(f"{item.id} measured")
        return Result()

    def made(name: str, body: Callable[[Context], Awaitable[Result]], *, exclusive: bool = False) -> Check:
        return Check(
            id=name, version=1, title=name, proves="", run=body, requires=frozenset(), provides=frozenset(),
            max_requests=0, exclusive=exclusive,
        )  # fmt: skip

    async def main() -> None:
        given = context(ONE)
        options = given.options
        checks = [made(f"p.{number}", plain) for number in range(3)]
        checks += [made(f"t.{number}", timed, exclusive=True) for number in range(2)]
        async with Client(options.transport, Redactor()) as client:
            scheduler = Scheduler(checks, options, given.target, client, given.budget, Log(), alone)
            with anyio.fail_after(10):
                await scheduler.run()
        assert {str(record.outcome) for record in scheduler.records} == {"pass"}

    anyio.run(main)
    assert noted[0] == "t.0 waits"
    assert noted[1:4] == ["plain"] * 3
    assert noted[4:] == ["t.0 measured", "t.1 waits", "t.1 measured"]
