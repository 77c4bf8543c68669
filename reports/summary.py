"""What every format says first: can the endpoint be used, with which settings, what is worst."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from probe.model import CheckRecord, Finding, Outcome, Report, Severity, lacks_chat, tried, usable, worst
from probe.wording import amount, cut

#: How each outcome is said, in the order in which they are counted.
OUTCOMES = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.SKIP: "skipped",
    Outcome.ERROR: "crashed",
}
OWN_FAULT = "(internal error of endpoint-probe)"
NOT_TRIED = "not tried"
_NOUNS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_LONGEST_CAUSE = 200


def headline(report: Report) -> str:
    """One sentence: can the endpoint be used, and if not, for which cause."""
    if lacks_chat(report):
        return f"Not usable: {no_chat(report)}."
    if not usable(report):
        why = "did not ask for" if report.run.complete else "ended before"
        return f"Not known: the run {why} a chat completion."
    errors = count(report.findings, Severity.ERROR)
    if errors:
        return f"Usable with limits: chat works, and {amount(errors, 'error')} will break or mislead clients."
    if count(report.findings, Severity.WARNING):
        return "Usable: chat works; see the warnings."
    return "Usable: chat works, and nothing wrong was found."


def no_chat(report: Report) -> str:
    """Why there was no chat completion: the finding behind the verdict, the gravest error, or the verdict's note."""
    chat = report.capabilities.get("chat")
    named = next((item for item in report.findings if chat and item.code == chat.finding), None)
    cause = named or worst(report)
    why = f"{cause.code}: {cause.title}" if cause and cause.severity is Severity.ERROR else chat.note if chat else ""
    return "no chat completion could be had" + (f" ({cut(why, _LONGEST_CAUSE)})" if why else "")


def in_one_line(report: Report) -> str:
    """The headline, the number of findings, and the code to mend first."""
    first = worst(report)
    line = f"{headline(report)} {found(report)}"
    return line if first is None or first.code in line else f"{line}; mend first: {first.code}"


def count(findings: Sequence[Finding], severity: Severity) -> int:
    """How many findings are of this severity."""
    return sum(finding.severity is severity for finding in findings)


def found(report: Report) -> str:
    """``1 error, 2 warnings``, or ``no findings``."""
    counted = [(count(report.findings, severity), word) for severity, word in _NOUNS.items()]
    return ", ".join(amount(number, word) for number, word in counted if number) or "no findings"


def outcomes(checks: Sequence[CheckRecord]) -> str:
    """``18 passed, 1 failed, 2 skipped``."""
    counted = Counter(check.outcome for check in checks)
    return ", ".join(f"{counted[kind]} {word}" for kind, word in OUTCOMES.items() if counted[kind]) or "no checks"


def server(report: Report) -> str:
    """What runs there, as far as it was recognised, and what stands before it."""
    name = report.server.software
    if report.server.version:
        name = f"{name} {report.server.version}"
    hops = [hop.software for hop in report.server.hops if hop.software != report.server.software]
    return f"{name}, behind {', '.join(hops)}" if hops else name


def spent(report: Report) -> str:
    """Requests, tokens and time of the run."""
    run = report.run
    return (
        f"{amount(run.requests, 'request')}, {run.prompt_tokens} prompt and {run.completion_tokens} completion "
        f"tokens, {run.duration_s:.1f} s"
    )


def moment(text: str) -> str:
    """A time stamp of the report as people read it: to the second, in UTC; what is none stays as it is."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return text


def untried(report: Report) -> list[str]:
    """The capabilities that no check of this run judged."""
    return [name for name, verdict in report.capabilities.items() if not tried(verdict)]
