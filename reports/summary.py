"""What every format says first: can the endpoint be used, with which settings, what is worst."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from probe.model import CheckRecord, Finding, Outcome, Report, Severity, State

SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.INFO)
#: How each outcome is said, in the order in which they are counted.
OUTCOMES = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.INCONCLUSIVE: "could not tell",
    Outcome.SKIP: "skipped",
    Outcome.ERROR: "broke inside this program",
}
NOT_TRIED = "not tried"
#: What a client meets first, first; families that are not named come after these.
_BASIC = ("connect", "tls", "url", "auth", "models", "limits", "idle", "stream")


def usable(report: Report) -> bool:
    """Whether a base URL was found under which chat completions work."""
    return report.target.base_url is not None


def chat_asked(report: Report) -> bool:
    """Whether having no chat completion says something: the run asked for one, or found why it could not."""
    return "chat" not in untried(report) or any(check.outcome is Outcome.FAIL for check in report.checks)


def headline(report: Report) -> str:
    """One sentence: can it be used."""
    if not usable(report):
        if chat_asked(report):
            return "Not usable: no chat completion could be had."
        why = "did not ask for" if report.run.complete else "ended before"
        return f"Not known: the run {why} a chat completion."
    errors = count(report.findings, Severity.ERROR)
    if errors:
        return f"Usable with limits: chat works, and {plural(errors, 'fault')} will break or mislead clients."
    if count(report.findings, Severity.WARNING):
        return "Usable: chat works; see the warnings."
    return "Usable: chat works, and nothing wrong was found."


def worst(report: Report) -> Finding | None:
    """The finding to look at first, information left out: of the gravest ones the most basic.

    While the address or the key is wrong nothing else can be mended, so those come first.
    """
    grave = [item for item in report.findings if item.severity is not Severity.INFO]
    return min(grave, key=lambda item: (SEVERITIES.index(item.severity), _depth(item.code)), default=None)


def _depth(code: str) -> int:
    family = code.partition(".")[0]
    return _BASIC.index(family) if family in _BASIC else len(_BASIC)


def count(findings: Sequence[Finding], severity: Severity) -> int:
    """How many findings are of this severity."""
    return sum(finding.severity is severity for finding in findings)


def plural(number: int, word: str) -> str:
    """``1 fault``, ``2 faults``."""
    return f"{number} {word}" + ("" if number == 1 else "s")


def found(report: Report) -> str:
    """``1 error, 2 warnings``, or ``no findings``."""
    parts = []
    for severity, word in ((Severity.ERROR, "error"), (Severity.WARNING, "warning")):
        number = count(report.findings, severity)
        if number:
            parts.append(plural(number, word))
    notes = count(report.findings, Severity.INFO)
    if notes:
        parts.append(plural(notes, "note"))
    return ", ".join(parts) or "no findings"


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
        f"{plural(run.requests, 'request')}, {run.prompt_tokens} prompt and {run.completion_tokens} completion "
        f"tokens, {run.duration_s:.1f} s"
    )


def moment(text: str) -> str:
    """A time stamp of the report as people read it: to the second, in UTC; what is none stays as it is."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return text


def untried(report: Report) -> list[str]:
    """The capabilities that no check of this run looked at."""
    return [
        name
        for name, verdict in report.capabilities.items()
        if verdict.verdict is State.UNKNOWN and verdict.note == NOT_TRIED and not verdict.checks
    ]
