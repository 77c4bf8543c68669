"""Running the checks as a graph: requirements first, timing checks alone, errors contained.

The edges follow from what checks require and provide.  Ready checks run concurrently, up to the
chosen concurrency; an exclusive check runs when no other does.  An exception inside a check
becomes outcome ``error`` and affects no other check; cancellation is never caught.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

import anyio

from probe.catalogue.registry import graph
from probe.catalogue.typical import typical
from probe.model import (
    Check,
    CheckRecord,
    Event,
    Finding,
    Outcome,
    Result,
    ServerInfo,
    Severity,
    State,
    Verdict,
    with_check,
)
from probe.run.budget import Budget
from probe.run.context import DEADLINE_GRACE_S, Context
from probe.run.options import Options, Settled
from probe.run.order import Order
from probe.run.outcomes import BudgetExceeded, Inconclusive, Skip, failed_at
from probe.run.process_state import Alone
from probe.run.run_state import Log
from probe.run.watchdog import HUNG_S, Stalled
from probe.wire.client import Client

#: Seconds that a check may take in addition to those of its requests.
CHECK_SLACK_S = 30.0
_POLL_S = 0.25


class GraphError(Exception):
    """The requirements of the checks form a circle: an error of this program or of a plugin."""


class Scheduler:
    """Runs the chosen checks to their end, the deadline or cancellation.

    Args:
        options, target, client, budget, log: for the context of every check.
        alone: runs an exclusive check elsewhere and keeps the run's other requests back meanwhile;
            without it an exclusive check runs in place while no other check runs.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        options: Options,
        target: Settled,
        client: Client,
        budget: Budget,
        log: Log,
        alone: Alone | None = None,
    ) -> None:
        self.checks = {item.id: item for item in checks}
        self.options = options
        self.target = target
        self.client = client
        self.budget = budget
        self.log = log
        self.alone = alone
        self.findings: list[Finding] = []
        self.verdicts: list[tuple[str, str, Verdict]] = []
        self._met: set[str] = set()
        self._records: dict[str, CheckRecord] = {}
        self._contexts: dict[str, Context] = {}
        self._edges = graph(checks)
        self.order = Order(checks, self._edges, options, log.speed)
        self.started = time.monotonic()
        #: Set when arrival times were measured and other checks run.
        self.calm = anyio.Event()

    @property
    def records(self) -> tuple[CheckRecord, ...]:
        return tuple(self._records[name] for name in sorted(self._records))

    async def run(self) -> None:
        """Run all checks.

        Raises:
            GraphError: the requirements form a circle.
        """
        sorter = TopologicalSorter(self._edges)
        try:
            sorter.prepare()
        except CycleError as error:
            raise GraphError(f"checks wait for each other: {' -> '.join(error.args[1])}") from None
        ready: list[str] = list(sorter.get_ready())
        running: set[str] = set()
        changed = anyio.Event()

        async def one(name: str) -> None:
            nonlocal changed
            try:
                await self.run_check(self.checks[name])
            finally:
                running.discard(name)
                sorter.done(name)
                changed.set()

        async with anyio.create_task_group() as group:
            group.start_soon(self._end_hung_checks)
            while ready or running:
                order = self.order.next(ready, running)
                timed = any(self.checks[item].exclusive for item in running)
                if not running or (self.alone is not None and not timed):
                    # An exclusive check costs its whole time in any place; begun first, it lets the
                    # checks that wait for it run together with the others.
                    alone = next((item for item in order if self.checks[item].exclusive), None)
                    if alone is not None:
                        ready.remove(alone)
                        running.add(alone)
                        group.start_soon(one, alone)
                        timed = True
                for name in [item for item in order if not self.checks[item].exclusive]:
                    waits = sum(typical(self.checks[item]).waits for item in running)
                    if (timed and self.alone is None) or len(running) - timed - waits >= self.options.concurrency:
                        break
                    ready.remove(name)
                    running.add(name)
                    group.start_soon(one, name)
                timed = any(self.checks[item].exclusive for item in running)
                if running and not timed and any(record.exclusive for record in self._records.values()):
                    self.calm.set()
                if running:
                    await changed.wait()
                    changed = anyio.Event()
                ready.extend(sorter.get_ready())
            group.cancel_scope.cancel()

    def abandon(self, reason: str) -> None:
        """Record every check that has not ended as skipped, for a partial report."""
        for item in self.checks.values():
            if item.id not in self._records:
                self._record(item, Outcome.SKIP, reason)

    def _is_hung(self, item: Check, context: Context, slack_s: float) -> bool:
        """Whether a check has waited for no answer for longer than it declared."""
        return context.activity.idle_s > item.max_seconds + slack_s

    async def _end_hung_checks(self) -> None:
        while True:
            await anyio.sleep(_POLL_S)
            for name, context in self._contexts.items():
                if self._is_hung(self.checks[name], context, CHECK_SLACK_S):
                    context.scope.deadline = anyio.current_time()

    # One check --------------------------------------------------------------------------------------

    def _record(self, item: Check, outcome: Outcome, reason: str, **more: Any) -> CheckRecord:
        record = CheckRecord(item.id, item.version, item.title, outcome, reason, exclusive=item.exclusive, **more)
        self._records[item.id] = record
        return record

    def _unmet(self, item: Check) -> str | None:
        for need in sorted(item.requires - self._met):
            sources = sorted(other.id for other in self.checks.values() if need in other.provides)
            blamed = [name for name in sources if name in self._records]
            if blamed:
                # Of several that could have met it, the one that failed to.
                name = min(blamed, key=lambda name: (self._records[name].outcome in (Outcome.PASS, Outcome.SKIP), name))
                outcome = self._records[name].outcome
                if outcome is Outcome.PASS:
                    return f"needs {need}, which {name} did not find"
                return f"needs {need}, and {name} ended as {outcome}"
            return f"needs {need}, which no chosen check provides"
        return None

    async def carry_out(self, item: Check, context: Context) -> Result:
        """The check itself; the watchdog interrupts code in it that blocks the event loop, and only there."""
        if self.alone is not None and item.exclusive:
            with context.activity.waiting():
                return await self.alone(item, context)
        return await item.run(context)

    async def run_check(self, item: Check) -> None:
        """Run one check and record how it ended."""
        least = 1 if self.budget.max_requests is None else item.least_requests or item.max_requests
        unfit = self._unmet(item) or (self.budget.fits(least) if item.max_requests else None)
        unfit = unfit or self.order.left_out(item, time.monotonic() - self.started, self._contexts)
        if unfit is not None:
            self._record(item, Outcome.SKIP, unfit)
            self.log.emit(Event("check-finished", item.id, "skip", data={"reason": unfit}))
            return
        context = Context(item.id, self.options, self.target, self.client, self.budget, self.log)
        begin = time.monotonic()
        self.log.emit(Event("check-started", item.id, item.title))
        result = Result()
        patience = self.options.timeout_s * (2 if self.options.adaptive else 1)
        limit = item.max_seconds + item.max_requests * patience + CHECK_SLACK_S
        self._contexts[item.id] = context
        try:
            with anyio.fail_after(min(limit, self.budget.left_s + DEADLINE_GRACE_S)) as context.scope:
                result = await self.carry_out(item, context)
            outcome, reason = self._judge(item, result)
            if outcome is Outcome.PASS and "*" in item.after and not self._answered():
                outcome, reason = Outcome.SKIP, "there was no answer to look at"
        except BaseException as error:
            outcome, reason = self._ending(item, context, limit, error)
        finally:
            del self._contexts[item.id]
        if outcome is Outcome.ERROR:
            result = Result()
        self._take(item, result)
        record = self._record(
            item,
            outcome,
            reason,
            duration_s=round(max(0.0, time.monotonic() - begin - context.queued_s), 4),
            requests=context.requests,
            findings=tuple(finding.code for finding in result.findings),
            started_s=round(begin - self.started, 4),
            prompt_tokens=context.prompt_tokens,
            completion_tokens=context.completion_tokens,
        )
        self.log.records.append(record)
        found = [(str(one.severity), one.code, one.title) for one in result.findings]
        data = {"reason": reason, "findings": found, "retracts": sorted(result.retracts)}
        self.log.emit(Event("check-finished", item.id, str(outcome), data=data))
        left_s = self.order.left_s(self._records, time.monotonic() - self.started)
        if left_s is not None:
            self.log.emit(Event("estimate", data={"left_s": round(left_s, 1)}))

    def _ending(self, item: Check, context: Context, limit: float, error: BaseException) -> tuple[Outcome, str]:
        """The outcome of a check that raised; an exception that is not the check's is raised again."""
        if isinstance(error, Skip | BudgetExceeded):
            return Outcome.SKIP, str(error)
        if isinstance(error, Inconclusive):
            return Outcome.INCONCLUSIVE, str(error)
        if isinstance(error, Stalled) and not error.hung:
            return Outcome.INCONCLUSIVE, "the run ended while the check was computing"
        if isinstance(error, TimeoutError) and context.scope.cancel_called:
            if self._is_hung(item, context, min(CHECK_SLACK_S, HUNG_S)):
                idle = context.activity.idle_s
                return Outcome.ERROR, f"the check hung: for {idle:.0f} s it had waited for no answer"
            if self.budget.left_s <= 0:
                return Outcome.INCONCLUSIVE, "the deadline of the run passed"
            return Outcome.ERROR, f"the check did not end within {limit:.0f} s"
        if isinstance(error, Exception | SystemExit) or _is_foreign(error):
            return Outcome.ERROR, failed_at(error, item.run.__module__)
        raise error

    def _answered(self) -> bool:
        """Whether the endpoint has answered anything, so that a check that sends nothing had something to look at."""
        return any(exchange.response for exchange in self.log.exchanges)

    def _judge(self, item: Check, result: Result) -> tuple[Outcome, str]:
        if not isinstance(result, Result):
            return Outcome.ERROR, f"the check returned a {type(result).__name__} and not a Result"
        if misshapen := _misshapen(result):
            return Outcome.ERROR, f"the check returned a Result whose {misshapen}"
        declared = {diagnosis.code for diagnosis in item.emits}
        if undeclared := sorted({finding.code for finding in result.findings} - declared):
            return Outcome.ERROR, f"the check made an undeclared finding: {', '.join(undeclared)}"
        if undeclared := sorted(set(result.verdicts) - item.provides):
            return Outcome.ERROR, f"the check judged what it does not provide: {', '.join(undeclared)}"
        bad = [finding for finding in result.findings if finding.severity is not Severity.INFO]
        if bad:
            return Outcome.FAIL, "; ".join(finding.title for finding in bad)
        if result.verdicts and all(v.verdict is State.UNKNOWN for v in result.verdicts.values()):
            return Outcome.INCONCLUSIVE, next((v.note for v in result.verdicts.values() if v.note), result.note)
        return Outcome.PASS, result.note

    def _take(self, item: Check, result: Result) -> None:
        for finding in result.findings:
            self.findings.append(with_check(finding, item.id))
            self.log.codes.add(finding.code)
        for capability, verdict in result.verdicts.items():
            self.verdicts.append((item.id, capability, verdict))
            self.log.verdicts[capability] = verdict
            if verdict.verdict is State.WORKS:
                self._met.add(capability)
            elif verdict.verdict is not State.UNKNOWN and capability in item.requires:
                self._met.discard(capability)  # a second look at what another check had found to work
        self._met |= result.provides
        self.log.facts.update({key: value for key, value in result.facts.items() if value is not None})
        self.target.settle(result.settles)
        if result.retracts:
            self._retract(result.retracts, result.note)

    def _retract(self, families: Set[str], reason: str) -> None:
        """Withdraw the findings of these families or checks and their verdicts other than ``works``."""

        def stays(check: str) -> bool:
            return families.isdisjoint((check, check.partition(".")[0]))

        self.findings = [item for item in self.findings if stays(item.check)]
        empty = Verdict(State.UNKNOWN, 0.0, note=reason)
        self.verdicts = [
            (name, capability, verdict if stays(name) or verdict.verdict is State.WORKS else empty)
            for name, capability, verdict in self.verdicts
        ]
        for name, record in self._records.items():
            if not stays(name) and record.findings:
                self._records[name] = replace(record, outcome=Outcome.INCONCLUSIVE, reason=reason, findings=())


def _is_foreign(error: BaseException) -> bool:
    """Whether a check raised an exception of the event loop or the user itself, such as an unprovoked cancellation."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_foreign, error.exceptions))
    return not isinstance(error, KeyboardInterrupt) and anyio.current_effective_deadline() != -math.inf


def _misshapen(result: Result) -> str | None:
    """What in a Result is not of its declared type, in words; plugins may be written without a type checker."""
    if not all(isinstance(finding, Finding) for finding in result.findings):
        return "findings are not all made by a Diagnosis"
    for name in ("verdicts", "facts", "settles"):
        value = getattr(result, name)
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            return f"{name} are not a mapping of names"
    if not all(isinstance(verdict, Verdict) for verdict in result.verdicts.values()):
        return "verdicts are not all a Verdict"
    if unknown := sorted(set(result.settles) - Settled.names()):
        return f"settles name no field of the target: {', '.join(unknown)}"
    if not isinstance(result.settles.get("server"), ServerInfo | None):
        return "server is not a ServerInfo"
    if not isinstance(result.provides, Set) or not isinstance(result.note, str):
        return "provides are not a set or whose note is not a text"
    try:
        json.dumps(dict(result.facts), default=str)
    except (TypeError, ValueError, RecursionError):
        return "facts cannot be written as JSON"
    return None
