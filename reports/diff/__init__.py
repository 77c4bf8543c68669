"""What changed between two reports, and whether it is a regression; pure functions.

Only what both runs could judge is compared.  Identifiers, times and the wording of details differ
between any two runs and are not changes.  A verdict or a finding that one of the runs could not see
is listed separately and never counts as a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from probe.gate import FAILING, in_force
from probe.model import SEVERITIES, Finding, Outcome, Report, Severity, State, lacks_chat, usable
from reports import summary


class Direction(StrEnum):
    """Whether a change is for the worse or the better for the users of the endpoint."""

    WORSE = "worse"
    BETTER = "better"
    OTHER = "other"


@dataclass(frozen=True)
class Change:
    """One difference between what both runs saw.

    ``area`` is capability, finding, address, server, hop, connection, fact or timing.
    ``old`` and ``new`` are JSON values; None where a side has none.
    ``regression`` is the severity for ``--fail-on``, None where the change does not count.
    ``note`` and ``remedy`` come from the report with the change.
    """

    area: str
    name: str
    old: Any
    new: Any
    turn: Direction = Direction.OTHER
    regression: Severity | None = None
    note: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class NotCompared:
    """A verdict or finding that one of the runs could not see, so that it cannot be compared.

    ``side`` is old or new: the run that could not; ``reason`` is from its report.
    """

    area: str
    name: str
    old: Any
    new: Any
    side: str
    reason: str


@dataclass(frozen=True)
class Difference:
    """Two runs compared.

    ``conditions`` are (name, old, new) of the differences in what the runs were asked to do.
    """

    old: Report
    new: Report
    conditions: tuple[tuple[str, Any, Any], ...]
    changes: tuple[Change, ...]
    not_compared: tuple[NotCompared, ...]

    def regressed(self, fail_on: str) -> bool:
        """Whether there is a regression at or above ``--fail-on`` (error, warning or never) that is not accepted."""
        known = in_force(self.new.run.accept, self.new.run.started_at)
        return any(
            change.regression in FAILING[fail_on] and not (change.area == "finding" and change.name in known)
            for change in self.changes
        )


@dataclass(frozen=True)
class Band:
    """How far a measured value must move to count as a change: both bounds must be passed.

    ``factor`` is a ratio, ``least`` a difference in the value's unit; two values above ``ceiling``
    are equal.  ``lower_is_better`` is None where a change is neither better nor worse.
    """

    factor: float
    least: float
    lower_is_better: bool | None
    ceiling: float = float("inf")

    def moved(self, old: float, new: float) -> bool:
        """Whether the second value is outside the band around the first."""
        low, high = sorted((old, new))
        if low >= self.ceiling:
            return False
        return high - low >= self.least and high >= self.factor * low


#: A run measures each value once.  The first token waits for other work of the server, so it must
#: double and differ by a time that a person notices.  The same llama.cpp on the same machine gave 75 to
#: 150 tokens per second, and from some hundreds on the speed of the reading client is measured.
#: Heartbeats and limits are timers of whole seconds, measured with the delay of the network.
BANDS = {
    "first_token_s": Band(2.0, 0.5, True),
    "tokens_per_s": Band(2.0, 5.0, False, ceiling=500.0),
    "heartbeat_s": Band(1.2, 0.5, None),
    "idle_limit_s": Band(1.1, 1.0, False),
}
#: Facts that describe the endpoint and not the run.  The others are left out: the roles are capabilities,
#: the delivery and the kind of a limit have their own findings, and the meaning of facts of plugins is
#: not known here.
FACTS = ("context_length", "max_tokens_param", "reasoning_field", "tool_call_format", "tool_parser")


def compare(old: Report, new: Report) -> Difference:
    """Everything that differs between two reports, the worst first."""
    changes = [
        *_address(old, new),
        *_capabilities(old, new),
        *_findings(old, new),
        *_server(old, new),
        *_facts(old, new),
        *_timing(old, new),
    ]
    order = list(Direction)
    changes.sort(key=lambda change: order.index(change.turn))
    not_compared = (*_unseen_capabilities(old, new), *_unseen_findings(old, new))
    return Difference(old, new, tuple(_conditions(old, new)), tuple(changes), not_compared)


def _conditions(old: Report, new: Report) -> Iterator[tuple[str, Any, Any]]:
    """Differences in what was asked for, which are not changes of the endpoint."""
    for name, before, after in (
        ("endpoint", old.target.endpoint, new.target.endpoint),
        ("model", old.target.model, new.target.model),
        ("depth", old.run.depth, new.run.depth),
        ("key sent as", old.target.auth.header, new.target.auth.header),
        ("tool version", old.tool.version, new.tool.version),
        ("complete", old.run.complete, new.run.complete),
    ):
        if before != after:
            yield name, before, after


def _address(old: Report, new: Report) -> Iterator[Change]:
    """The base URL for clients; of two different endpoints only whether they have one."""
    before, after = old.target.base_url, new.target.base_url
    if before == after or (before and after and old.target.endpoint != new.target.endpoint):
        return
    if before and after:
        yield Change("address", "base_url", before, after)
    elif after and lacks_chat(old):
        yield Change("address", "base_url", None, after, Direction.BETTER, note="chat completions are possible again")
    elif before and lacks_chat(new):
        yield Change("address", "base_url", before, None, Direction.WORSE, Severity.ERROR, summary.no_chat(new))


def _states(old: Report, new: Report) -> Iterator[tuple[str, State, State]]:
    """The capabilities with different verdicts, and both verdicts."""
    for name in dict.fromkeys([*old.capabilities, *new.capabilities]):
        before, after = (
            report.capabilities[name].verdict if name in report.capabilities else State.UNKNOWN for report in (old, new)
        )
        if before is not after:
            yield name, before, after


def _capabilities(old: Report, new: Report) -> Iterator[Change]:
    for name, before, after in _states(old, new):
        if State.UNKNOWN in (before, after):
            continue
        lost, gained = before is State.WORKS, after is State.WORKS
        verdict = new.capabilities[name]
        yield Change(
            "capability",
            name,
            str(before),
            str(after),
            Direction.WORSE if lost else Direction.BETTER if gained else Direction.OTHER,
            Severity.ERROR if lost else None,
            note=verdict.finding or verdict.note,
        )


def _unseen_capabilities(old: Report, new: Report) -> Iterator[NotCompared]:
    for name, before, after in _states(old, new):
        if State.UNKNOWN in (before, after):
            side, report, other = ("old", old, new) if before is State.UNKNOWN else ("new", new, old)
            verdict = report.capabilities.get(name)
            # Where no check judged the capability, the check that did so in the other run has the reason.
            reasons = (_why_not_seen(report, check) for check in other.capabilities[name].checks)
            reason = verdict.note if verdict and verdict.checks else next(filter(None, reasons), None)
            yield NotCompared("capability", name, str(before), str(after), side, reason or "not tried")


def _by_code(report: Report) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    for finding in report.findings:
        found.setdefault(finding.code, finding)
    return found


def _why_not_seen(report: Report, check: str) -> str | None:
    """Why a check could not see its findings in this run, or None where it passed or failed."""
    record = next((item for item in report.checks if item.id == check), None)
    if record is None:
        return f"{check} did not run"
    if record.outcome in (Outcome.PASS, Outcome.FAIL):
        return None
    if record.outcome is Outcome.SKIP:
        return record.reason or f"{check} was skipped"
    return f"{check} {summary.OUTCOMES[record.outcome]}: {record.reason}"


def _findings(old: Report, new: Report) -> Iterator[Change]:
    before, after = _by_code(old), _by_code(new)
    for code in dict.fromkeys([*after, *before]):
        was, now = before.get(code), after.get(code)
        if now is None:
            if was is not None and _why_not_seen(new, was.check) is None:
                direction = Direction.OTHER if was.severity is Severity.INFO else Direction.BETTER
                yield Change("finding", code, str(was.severity), None, direction, note=was.title)
            continue
        if was is not None and was.severity is now.severity:
            continue
        note = now.detail or now.title
        if was is None:
            direction = Direction.OTHER if now.severity is Severity.INFO else Direction.WORSE
            if unseen := _why_not_seen(old, now.check):
                note += f" (It may be older: in the old run {unseen}.)"
        else:
            worse = SEVERITIES.index(now.severity) < SEVERITIES.index(was.severity)
            direction = Direction.WORSE if worse else Direction.BETTER
        counts = now.severity if direction is Direction.WORSE else None
        severity = str(was.severity) if was else None
        yield Change("finding", code, severity, str(now.severity), direction, counts, note, now.remedy)


def _unseen_findings(old: Report, new: Report) -> Iterator[NotCompared]:
    """Findings that are missing only because their check could not see them."""
    after = _by_code(new)
    for code, was in _by_code(old).items():
        reason = None if code in after else _why_not_seen(new, was.check)
        if reason:
            yield NotCompared("finding", code, str(was.severity), None, "new", reason)


def _server(old: Report, new: Report) -> Iterator[Change]:
    """Software, hops and protocol; only where chat worked in both runs."""
    if not (usable(old) and usable(new)):
        return
    before, after = old.server, new.server
    if before.software != after.software:
        yield Change("server", "software", before.software, after.software)
    elif before.version and after.version and before.version != after.version:
        yield Change("server", "version", f"{before.software} {before.version}", f"{after.software} {after.version}")
    was, now = ([hop.software for hop in server.hops] for server in (before, after))
    for name in dict.fromkeys([*was, *now]):
        if (name in was) != (name in now):
            yield Change("hop", name, name if name in was else None, name if name in now else None)
    if old.target.http_version and new.target.http_version and old.target.http_version != new.target.http_version:
        yield Change("connection", "http_version", old.target.http_version, new.target.http_version)
    secured, secures = ((report.target.tls or {}).get("version") for report in (old, new))
    if secured and secures and secured != secures:
        yield Change("connection", "tls", secured, secures)


def _facts(old: Report, new: Report) -> Iterator[Change]:
    for name in FACTS:
        before, after = old.facts.get(name), new.facts.get(name)
        if before is not None and after is not None and before != after:
            yield Change("fact", name, before, after)
    yield from _listed(old, new, "models")
    # The fact is absent where no parameter is refused, so absence means something only between runs of one depth.
    whole = all(report.run.complete and usable(report) for report in (old, new))
    if whole and old.run.depth == new.run.depth:
        yield from _listed(old, new, "rejected_params", absent=[])


def _listed(old: Report, new: Report, name: str, absent: Any = None) -> Iterator[Change]:
    """What was removed from a list and what was added; the order does not count."""
    before, after = old.facts.get(name, absent), new.facts.get(name, absent)
    if not isinstance(before, list | tuple) or not isinstance(after, list | tuple):
        return
    removed = [item for item in before if item not in after]
    added = [item for item in after if item not in before]
    if removed or added:
        yield Change("fact", name, removed or None, added or None)


def _timing(old: Report, new: Report) -> Iterator[Change]:
    for name, band in BANDS.items():
        before, after = _number(old.facts.get(name)), _number(new.facts.get(name))
        if before is None or after is None or not band.moved(before, after):
            continue
        if name == "tokens_per_s" and not (old.facts.get("delivery") == new.facts.get("delivery") == "streaming"):
            continue  # the speed of a buffered stream is only an estimate
        turn = Direction.OTHER
        if band.lower_is_better is not None:
            turn = Direction.BETTER if (after < before) is band.lower_is_better else Direction.WORSE
        yield Change("timing", name, before, after, turn, note=f"{after / before:.2g} times as much" if before else "")


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
