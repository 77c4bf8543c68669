"""Running the checks as a graph: needs first, timing checks alone, faults contained.

The graph follows from what checks require and provide.  Whatever is ready runs beside
each other, up to the concurrency asked for; an exclusive check waits until nothing else
runs and keeps everything else waiting.  An exception inside a check becomes outcome
``error`` (this program's fault) and stops nothing else; cancellation is never caught.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

import anyio

from probe.catalogue.registry import graph
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
from probe.run.context import Context
from probe.run.options import Options, Settled
from probe.run.outcomes import BudgetExceeded, Inconclusive, KeyWithheld, Skip, Throttled, failed_at
from probe.run.process_state import Alone
from probe.run.run_state import Log
from probe.wire.client import Client

#: A check may take its requests' time and this much more before it counts as hung.
CHECK_SLACK_S = 30.0
#: What is under way at the deadline gets this long to end by itself.
DEADLINE_GRACE_S = 2.0
#: At the deadline a check that has waited for no answer for so long is called hung.
HUNG_S = 4.0
_LOOK_EVERY_S = 0.25


class GraphError(Exception):
    """The needs of the checks form a circle; a fault of this program or of a plugin."""


def tails(checks: Sequence[Check], edges: Mapping[str, set[str]]) -> dict[str, int]:
    """For each check the length of the longest chain it heads, in requests it is likely to send."""
    heads: dict[str, set[str]] = {}
    for name, waits in edges.items():
        for other in waits:
            heads.setdefault(other, set()).add(name)
    lengths: dict[str, int] = {}
    weights = {item.id: min(item.max_requests, 2) for item in checks}
    with suppress(CycleError):  # run() names the circle
        for name in reversed(list(TopologicalSorter(edges).static_order())):
            lengths[name] = weights[name] + max((lengths[other] for other in heads.get(name, ())), default=0)
    return {item.id: lengths.get(item.id, 0) for item in checks}


class Scheduler:
    """Runs chosen checks to the end, the deadline or cancellation.

    Args:
        checks: the chosen checks.
        options, target, client, budget, log: handed on to every check's context.
        alone: runs an exclusive check somewhere quiet and keeps the endpoint to it; without it,
            it is run in place while no other check runs.
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
        self.results: dict[str, Result] = {}
        self.findings: list[Finding] = []
        self.verdicts: list[tuple[str, str, object]] = []
        self._met: set[str] = set()
        self._records: dict[str, CheckRecord] = {}
        self._contexts: dict[str, Context] = {}
        self._edges = graph(checks)
        self._tails = tails(checks, self._edges)
        self._limit = anyio.CapacityLimiter(max(1, options.concurrency))
        self.started = time.monotonic()

    @property
    def records(self) -> tuple[CheckRecord, ...]:
        return tuple(self._records[name] for name in sorted(self._records))

    async def run(self) -> None:
        """Run everything that is chosen; returns when all checks have ended.

        Raises:
            GraphError: the needs form a circle.
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
                # The run costs what its longest chain costs, so that chain is begun first.
                ready.sort(key=lambda name: (-self._tails[name], name))
                timed = any(self.checks[item].exclusive for item in running)
                if not running or (self.alone is not None and not timed):
                    # What must be alone costs its whole time wherever it stands; begun first, it
                    # lets what waits for it go on beside the rest.
                    alone = next((item for item in ready if self.checks[item].exclusive), None)
                    if alone is not None:
                        ready.remove(alone)
                        running.add(alone)
                        group.start_soon(one, alone)
                        timed = True
                for name in [item for item in ready if not self.checks[item].exclusive]:
                    # Who runs it elsewhere keeps this run's requests back while it measures, and
                    # until then the rest may go on.
                    if timed and self.alone is None:
                        break
                    if len(running) - timed >= self._limit.total_tokens:
                        break
                    ready.remove(name)
                    running.add(name)
                    group.start_soon(one, name)
                if running:
                    await changed.wait()
                    changed = anyio.Event()
                ready.extend(sorter.get_ready())
            group.cancel_scope.cancel()

    def abandon(self, reason: str) -> None:
        """Record every check that has not ended as skipped, for a partial report."""
        for name in self.checks:
            if name not in self._records:
                self._note(self.checks[name], Outcome.SKIP, reason)

    def _is_hung(self, item: Check, context: Context, slack_s: float) -> bool:
        """Whether a check has waited for no answer for longer than it said it would need."""
        return context.activity.idle_s > item.max_seconds + slack_s

    async def _end_hung_checks(self) -> None:
        while True:
            await anyio.sleep(_LOOK_EVERY_S)
            for name, context in self._contexts.items():
                if self._is_hung(self.checks[name], context, CHECK_SLACK_S):
                    context.scope.deadline = anyio.current_time()

    # One check ---------------------------------------------------------------------------

    def _note(self, item: Check, outcome: Outcome, reason: str, findings: Iterable[Finding] = ()) -> None:
        self._records[item.id] = CheckRecord(
            item.id,
            item.version,
            item.title,
            outcome,
            reason,
            findings=tuple(finding.code for finding in findings),
            exclusive=item.exclusive,
        )

    def _unmet(self, item: Check) -> str | None:
        for need in sorted(item.requires - self._met):
            sources = sorted(other.id for other in self.checks.values() if need in other.provides)
            blamed = [name for name in sources if name in self._records]
            if blamed:
                # Of several that could have given it, the one that failed to.
                name = min(blamed, key=lambda name: (self._records[name].outcome in (Outcome.PASS, Outcome.SKIP), name))
                return f"needs {need}, and {name} ended as {self._records[name].outcome}"
            return f"needs {need}, which no chosen check provides"
        return None

    async def run_check(self, item: Check) -> None:
        """Run one check to its record; the watchdog interrupts what blocks the event loop below this function."""
        reason = self._unmet(item)
        if reason is None and item.max_requests:
            reason = self.budget.fits(1, 0)
        if reason is None and self.budget.max_requests is not None:
            reason = self.budget.fits(item.least_requests or item.max_requests, 0)
        if reason is not None:
            self._note(item, Outcome.SKIP, reason)
            self.log.emit(Event("check-finished", item.id, "skip", data={"reason": reason}))
            return
        context = Context(item.id, self.options, self.target, self.client, self.budget, self.log)
        begin = time.monotonic()
        self.log.emit(Event("check-started", item.id, item.title))
        result = Result()
        outcome = Outcome.PASS
        limit = item.max_seconds + item.max_requests * self.options.timeout_s + CHECK_SLACK_S
        self._contexts[item.id] = context
        try:
            with anyio.fail_after(min(limit, self.budget.left_s + DEADLINE_GRACE_S)) as context.scope:
                if self.alone is not None and item.exclusive:
                    with context.activity.waiting():
                        result = await self.alone(item, context)
                else:
                    result = await item.run(context)
            outcome, reason = self._judge(item, result)
        except (Skip, BudgetExceeded) as said:
            outcome, reason = Outcome.SKIP, str(said)
        except (Throttled, KeyWithheld, Inconclusive) as said:
            outcome, reason = Outcome.INCONCLUSIVE, str(said)
        except TimeoutError as error:
            idle = context.activity.idle_s
            if not context.scope.cancel_called:  # raised by the check itself, long before its time was up
                outcome, reason = Outcome.ERROR, failed_at(error, item.run.__module__)
            elif self._is_hung(item, context, min(CHECK_SLACK_S, HUNG_S)):
                outcome, reason = Outcome.ERROR, f"the check hung: for {idle:.0f} s it had waited for no answer"
            elif self.budget.left_s <= 0:
                outcome, reason = Outcome.INCONCLUSIVE, "the deadline of the run passed"
            else:
                outcome, reason = Outcome.ERROR, f"the check did not end within {limit:.0f} s"
        except (Exception, SystemExit) as error:
            outcome, reason = Outcome.ERROR, failed_at(error, item.run.__module__)
        except BaseException as error:
            if not _is_strange(error):
                raise
            outcome, reason = Outcome.ERROR, failed_at(error, item.run.__module__)
        finally:
            del self._contexts[item.id]
        if outcome is Outcome.ERROR:
            result = Result()
        self._take(item, result)
        record = CheckRecord(
            item.id,
            item.version,
            item.title,
            outcome,
            reason or "",
            round(time.monotonic() - begin, 4),
            context.requests,
            tuple(finding.code for finding in result.findings),
            round(begin - self.started, 4),
            item.exclusive,
            context.prompt_tokens,
            context.completion_tokens,
        )
        self._records[item.id] = record
        self.log.records.append(record)
        self.log.emit(Event("check-finished", item.id, str(outcome), data={"reason": reason or ""}))

    def _judge(self, item: Check, result: Result) -> tuple[Outcome, str]:
        if not isinstance(result, Result):
            return Outcome.ERROR, f"the check gave back a {type(result).__name__} and no Result"
        misshapen = _misshapen(result)
        if misshapen:
            return Outcome.ERROR, f"the check gave back a Result whose {misshapen}"
        declared = {diagnosis.code for diagnosis in item.emits}
        undeclared = sorted({finding.code for finding in result.findings} - declared)
        if undeclared:
            return Outcome.ERROR, f"the check made an undeclared finding: {', '.join(undeclared)}"
        strange = sorted(set(result.verdicts) - item.provides)
        if strange:
            return Outcome.ERROR, f"the check judged what it does not provide: {', '.join(strange)}"
        bad = [finding for finding in result.findings if finding.severity is not Severity.INFO]
        if bad:
            return Outcome.FAIL, "; ".join(finding.title for finding in bad)
        if result.verdicts and all(v.verdict is State.UNKNOWN for v in result.verdicts.values()):
            return Outcome.INCONCLUSIVE, next((v.note for v in result.verdicts.values() if v.note), result.note)
        return Outcome.PASS, result.note

    def _take(self, item: Check, result: Result) -> None:
        self.results[item.id] = result
        for finding in result.findings:
            self.findings.append(with_check(finding, item.id))
            self.log.codes.add(finding.code)
        for capability, verdict in result.verdicts.items():
            self.verdicts.append((item.id, capability, verdict))
            self.log.verdicts[capability] = verdict
            if verdict.verdict is State.WORKS:
                self._met.add(capability)
        self._met |= result.provides
        self.log.facts.update({key: value for key, value in result.facts.items() if value is not None})
        self.target.settle(result.settles)


def _is_strange(error: BaseException) -> bool:
    """Whether a check raised what only the event loop or the user may: a cancellation nobody asked for, for one."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_strange, error.exceptions))
    return not isinstance(error, KeyboardInterrupt) and anyio.current_effective_deadline() != -math.inf


def _misshapen(result: Result) -> str | None:
    """What of a Result is not what its type says, in words; checks are also written by strangers, without a checker."""
    if not all(isinstance(finding, Finding) for finding in result.findings):
        return "findings are not all made by a Diagnosis"
    for name in ("verdicts", "facts", "settles"):
        value = getattr(result, name)
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            return f"{name} are no mapping of names"
    if not all(isinstance(verdict, Verdict) for verdict in result.verdicts.values()):
        return "verdicts are not all a Verdict"
    unknown = sorted(set(result.settles) - Settled.names())
    if unknown:
        return f"settles name no field of the target: {', '.join(unknown)}"
    if not isinstance(result.settles.get("server"), ServerInfo | None):
        return "server is no ServerInfo"
    if not isinstance(result.provides, Set) or not isinstance(result.note, str):
        return "provides are no set or whose note is no text"
    try:
        json.dumps(dict(result.facts), default=str)
    except (TypeError, ValueError, RecursionError):
        return "facts cannot be written as JSON"
    return None
