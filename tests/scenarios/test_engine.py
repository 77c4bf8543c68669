"""The scheduler, the budget and the registry: order, containment, exclusiveness, limits."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.from_thread
import pytest

from probe.catalogue import registry
from probe.model import (
    Check,
    Depth,
    Diagnosis,
    Event,
    Outcome,
    Owner,
    Report,
    Result,
    Severity,
    State,
    Verdict,
    unknown,
    works,
)
from probe.parsing.urls import parse
from probe.run.budget import Budget
from probe.run.options import Auth, Options, Settled
from probe.run.outcomes import BudgetExceeded, Inconclusive, Skip
from probe.run.run_state import Log
from probe.run.runner import run
from probe.run.scheduler import GraphError, Scheduler, graph
from probe.run.watchdog import Stalled

FAULT = Diagnosis("demo.fault", Severity.ERROR, Owner.SERVER, "A fault", "w", "y", "r")


def make(
    name: str,
    body: Callable[[Any], Awaitable[Result]] | None = None,
    *,
    requires: set[str] | None = None,
    provides: set[str] | None = None,
    **more: Any,
) -> Check:
    async def empty(_ctx: Any) -> Result:
        return Result(provides=frozenset(provides or ()))

    return Check(
        id=name,
        version=1,
        title=name,
        proves="",
        run=body or empty,
        requires=frozenset(requires or ()),
        provides=frozenset(provides or ()),
        max_requests=more.pop("max_requests", 0),
        **more,
    )


def report_of(*checks: Check, emit: Callable[[Event], None] = lambda event: None, **options: Any) -> Report:
    settings = Options(parse("http://127.0.0.1:9/v1"), **options)
    return anyio.run(lambda: run(settings, checks=list(checks), emit=emit))


def outcomes(report: Report) -> dict[str, tuple[Outcome, str]]:
    return {item.id: (item.outcome, item.reason) for item in report.checks}


def test_needs_run_first_and_unmet_needs_skip_with_the_name() -> None:
    order: list[str] = []

    def noting(name: str, provides: set[str]) -> Callable[[Any], Awaitable[Result]]:
        async def body(_ctx: Any) -> Result:
            order.append(name)
            return Result(provides=frozenset(provides))

        return body

    async def refuses(_ctx: Any) -> Result:
        raise Inconclusive("could not tell")

    report = report_of(
        make("c.third", noting("third", set()), requires={"two"}),
        make("b.second", noting("second", {"two"}), requires={"one"}, provides={"two"}),
        make("a.first", noting("first", {"one"}), provides={"one"}),
        make("d.none", refuses, provides={"lost"}),
        make("e.after", noting("never", set()), requires={"lost"}),
    )
    assert order == ["first", "second", "third"]
    assert outcomes(report)["e.after"] == (Outcome.SKIP, "needs lost, and d.none ended as inconclusive")


def test_an_exception_is_this_programs_fault_and_stops_nothing() -> None:
    async def breaks(_ctx: Any) -> Result:
        raise ZeroDivisionError("sk-secret in a message")

    report = report_of(make("a.breaks", breaks), make("b.fine"))
    outcome, reason = outcomes(report)["a.breaks"]
    assert outcome is Outcome.ERROR
    assert "ZeroDivisionError" in reason
    assert "sk-secret" not in reason
    assert outcomes(report)["b.fine"][0] is Outcome.PASS


def test_undeclared_findings_and_verdicts_are_errors_and_are_dropped() -> None:
    async def emits(_ctx: Any) -> Result:
        return Result(findings=(FAULT.found("x"),))

    async def judges(_ctx: Any) -> Result:
        return Result(verdicts={"vision": works()})

    report = report_of(make("a.emits", emits), make("b.judges", judges), make("c.ok", emits, emits=(FAULT,)))
    assert outcomes(report)["a.emits"][0] is Outcome.ERROR
    assert outcomes(report)["b.judges"][0] is Outcome.ERROR
    assert outcomes(report)["c.ok"][0] is Outcome.FAIL
    assert [finding.check for finding in report.findings] == ["c.ok"]
    assert report.capabilities["vision"].verdict is State.UNKNOWN


def test_skip_inconclusive_and_unknown_are_told_apart() -> None:
    async def skips(_ctx: Any) -> Result:
        raise Skip("does not apply")

    async def wonders(_ctx: Any) -> Result:
        return Result(verdicts={"tools": unknown("a weak model")})

    found = outcomes(report_of(make("a.s", skips), make("b.u", wonders, provides={"tools"})))
    assert found["a.s"] == (Outcome.SKIP, "does not apply")
    assert found["b.u"] == (Outcome.INCONCLUSIVE, "a weak model")


def test_an_exclusive_check_runs_alone() -> None:
    running: set[str] = set()
    beside: dict[str, set[str]] = {}

    def body(name: str) -> Callable[[Any], Awaitable[Result]]:
        async def work(_ctx: Any) -> Result:
            running.add(name)
            beside[name] = set(running)
            for _ in range(5):
                await anyio.sleep(0.01)
                beside[name] |= running
            running.discard(name)
            return Result()

        return work

    names = [f"x.n{number}" for number in range(6)]
    report_of(*(make(name, body(name)) for name in names), make("y.alone", body("y.alone"), exclusive=True))
    assert beside["y.alone"] == {"y.alone"}
    assert any(len(beside[name]) > 1 for name in names)
    assert max(len(beside[name]) for name in names) <= 4


def test_outputs_are_rehearsed_while_a_run_waits_and_what_that_raises_is_dropped() -> None:
    async def measures(_ctx: Any) -> Result:
        seen.append("measured")
        return Result()

    async def waits(_ctx: Any) -> Result:
        with anyio.fail_after(5):
            await rehearsed.wait()
        return Result()

    def rehearse(report: Report) -> None:
        seen.append(tuple(item.id for item in report.checks))
        anyio.from_thread.run_sync(rehearsed.set)
        raise ValueError

    seen: list[Any] = []
    rehearsed = anyio.Event()
    settings = Options(parse("http://127.0.0.1:9/v1"))
    checks = [make("a", measures, exclusive=True), make("b", waits, after=frozenset({"a"}))]
    report = anyio.run(lambda: run(settings, checks=checks, rehearse=rehearse))
    assert seen == ["measured", ("a",)]
    assert [item.outcome for item in report.checks] == [Outcome.PASS, Outcome.PASS]


def test_a_circle_of_needs_is_named() -> None:
    one = make("a.one", requires={"b"}, provides={"a"})
    two = make("b.two", requires={"a"}, provides={"b"})
    with pytest.raises(GraphError, match=r"a\.one|b\.two"):
        anyio.run(Scheduler([one, two], Options(parse("http://h/")), Settled(), None, Budget(None, None, 9), Log()).run)  # type: ignore[arg-type]


def test_last_checks_wait_for_all_others() -> None:
    edges = graph(
        [make("a.x"), make("b.y"), make("z.last", after=frozenset({"*"})), make("z.other", after=frozenset({"*"}))]
    )
    assert edges["z.last"] == {"a.x", "b.y"}
    assert edges["z.other"] == {"a.x", "b.y"}


def test_budget_holds_to_the_last_unit() -> None:
    budget = Budget(2, 100, 60)
    budget.reserve(40)
    budget.settle(40, 10, 20)
    assert budget.fits(1, 70) is None
    assert "71 tokens, 70 are left" in str(budget.fits(1, 71))
    budget.reserve(70)
    with pytest.raises(BudgetExceeded, match="0 are left"):
        budget.reserve(0)
    assert budget.requests == 2


def test_a_check_that_does_not_fit_is_skipped_with_the_reason() -> None:
    report = report_of(make("a.big", max_requests=5), max_requests=4)
    assert outcomes(report)["a.big"] == (Outcome.SKIP, "needs 5 requests, 4 are left in the budget")


def test_a_hung_check_ends_with_the_deadline_and_the_report_says_so() -> None:
    async def hangs(_ctx: Any) -> Result:
        await anyio.sleep(3600)
        return Result()

    import probe.run.scheduler as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHECK_SLACK_S", 0.2)
        report = report_of(make("a.hangs", hangs), make("b.fine"))
    assert outcomes(report)["a.hangs"][0] is Outcome.ERROR
    assert outcomes(report)["b.fine"][0] is Outcome.PASS


@pytest.mark.timeout(60, method="thread")  # the watchdog needs SIGALRM for itself
def test_the_watchdog_interrupts_checks_and_nothing_else() -> None:
    """A run whose time is over may be busy outside of a check, as where its events are redacted on a loaded machine."""

    def busy(event: Event) -> None:
        until = time.monotonic() + (1.8 if event.kind == "check-finished" else 0.0)
        while time.monotonic() < until:
            pass

    report = report_of(make("a.fine"), emit=busy, deadline_s=0.1)
    assert outcomes(report)["a.fine"][0] is Outcome.PASS


@pytest.mark.parametrize(
    ("blocked_s", "processor_s", "hung"), [(5.0, 4.9, True), (5.0, 0.0, True), (5.0, 1.2, False), (1.0, 1.0, False)]
)
def test_what_seldom_has_a_processor_is_not_hung(blocked_s: float, processor_s: float, hung: bool) -> None:
    assert Stalled(blocked_s, processor_s).hung is hung


def test_the_deadline_ends_a_run() -> None:
    async def waits(_ctx: Any) -> Result:
        await anyio.sleep(3600)
        return Result()

    import probe.run.scheduler as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "DEADLINE_GRACE_S", 0.1)
        report = report_of(make("a.waits", waits), deadline_s=0.2)
    assert outcomes(report)["a.waits"] == (Outcome.INCONCLUSIVE, "the deadline of the run passed")
    assert not report.run.complete


def test_select_brings_what_is_required_and_names_the_nearest() -> None:
    chosen = {item.id for item in registry.select(Depth.QUICK, only=["models.identity"])}
    assert {"models.identity", "url.resolve", "connect.reach"} <= chosen
    with pytest.raises(registry.RegistryError, match=r"did you mean 'url\.resolve'"):
        registry.select(Depth.QUICK, only=["url.resolv"])


def test_verdicts_merge_by_the_worse_definite_word() -> None:
    from probe.run.outcomes import merge

    merged = merge(
        [
            ("a", "tools", works()),
            ("b", "tools", Verdict(State.BROKEN, finding="tools.x")),
            ("c", "vision", unknown("?")),
            ("d", "vision", works()),
        ]
    )
    assert (merged["tools"].verdict, merged["tools"].checks) == (State.BROKEN, ("a", "b"))
    assert merged["vision"].verdict is State.WORKS
    assert merged["chat"].note == "not tried"


def test_wilson_interval_against_published_values() -> None:
    from probe.run.outcomes import wilson

    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_key_is_only_for_the_typed_origin() -> None:
    asked: list[str | None] = []

    async def asks(ctx: Any) -> Result:
        asked.append(ctx.may_carry_key("http://127.0.0.1:9/x"))
        asked.append(ctx.may_carry_key("http://127.0.0.1:10/x"))
        asked.append(ctx.may_carry_key("https://127.0.0.1:9/x"))
        return Result()

    report_of(make("a.asks", asks), auth=Auth(key="sk-12345678"))
    assert asked[0] is None
    assert asked[1]
    assert asked[2]


def test_a_report_lists_first_what_to_mend_first() -> None:
    async def both(_ctx: Any) -> Result:
        return Result(findings=(late.found("d"), early.found("d")))

    early, late = (Diagnosis(code, Severity.ERROR, Owner.SERVER, "t", "w", "y", "r") for code in ("url.x", "tools.x"))
    report = report_of(make("demo.both", both, emits=(early, late)))
    assert [finding.code for finding in report.findings] == ["url.x", "tools.x"]


def test_a_chat_that_could_not_be_judged_says_why() -> None:
    async def silent(_ctx: Any) -> Result:
        raise Inconclusive("the endpoint kept answering 429")

    report = report_of(make("demo.chat", silent, provides={"chat"}))
    chat = report.capabilities["chat"]
    assert (chat.verdict, chat.checks, chat.note) == (State.UNKNOWN, ("demo.chat",), "the endpoint kept answering 429")
    assert report_of(make("demo.other")).capabilities["chat"].checks == ()
