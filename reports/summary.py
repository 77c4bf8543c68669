"""What every format says first: can the endpoint be used, what was found, what did the run cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from probe import gate
from probe.model import CheckRecord, Finding, Outcome, Report, Severity, State, lacks_chat, tried, usable, worst
from probe.wording import amount, cut, utc

SEVERITY_WORDS = {Severity.ERROR: "Error", Severity.WARNING: "Warning", Severity.INFO: "Note"}
#: The outcomes as participles, in the order in which they are counted.
OUTCOMES = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.SKIP: "skipped",
    Outcome.ERROR: "crashed",
}
#: A sign for each verdict, where there is no room for the word, or next to it.
SYMBOLS: Mapping[str, str] = {
    State.WORKS: "✓",
    State.BROKEN: "✕",
    State.IGNORED: "∅",
    State.REJECTED: "−",
    State.UNKNOWN: "?",
}
OWN_FAULT = "(internal error of endpoint-probe)"
INCOMPLETE = "The run did not finish; the report shows what was known when it ended."
_LONGEST_CAUSE = 200
_COMMON_TIMER_S = 60


def headline(report: Report) -> str:
    """One sentence: can the endpoint be used, and if not, for which cause."""
    if lacks_chat(report):
        return f"Not usable: {no_chat(report)}."
    if not usable(report):
        why = "did not ask for" if report.run.complete else "ended before"
        return f"Not known: the run {why} a chat completion."
    errors = count(report.findings, Severity.ERROR)
    if errors:
        return (
            f"Usable with limits: chat works{_otherwise(report)}, and {amount(errors, 'error')} will break or mislead "
            "clients."
        )
    if warnings := count(report.findings, Severity.WARNING):
        return f"Usable: chat works, with {amount(warnings, 'warning')}."
    return f"Usable: chat works, and nothing wrong was found{_not_tried(report)}."


def _otherwise(report: Report) -> str:
    """What had to differ from what the user typed before a chat worked."""
    errors = [item.code for item in report.findings if item.severity is Severity.ERROR]
    if report.target.base_url != report.target.endpoint and any(code.startswith("url.") for code in errors):
        return " with another base URL"
    return " with the key in another header" if "auth.wrong-scheme" in errors else ""


def _not_tried(report: Report) -> str:
    """How long a silence was tried, where the idle timers of proxies are often longer (nginx: 60 s)."""
    lasted = report.facts.get("silence_s")
    if not isinstance(lasted, int | float) or not 0 <= lasted < _COMMON_TIMER_S:
        return ""
    return f" (silences over {int(lasted)} s were not tried)" if lasted >= 1 else " (no silence was tried)"


def no_chat(report: Report) -> str:
    """Why there was no chat completion: the finding behind the verdict, the first error, or the verdict's note."""
    chat = report.capabilities.get("chat")
    named = next((item for item in report.findings if chat and item.code == chat.finding), None)
    cause = named or worst(report)
    why = f"{cause.code}: {cause.title}" if cause and cause.severity is Severity.ERROR else chat.note if chat else ""
    return "no chat completion could be had" + (f" ({cut(why, _LONGEST_CAUSE)})" if why else "")


def base_url(report: Report) -> str:
    """The base URL for clients, or why there is none: of a key that is refused nothing is known of the URL."""
    if report.target.base_url:
        return report.target.base_url
    wrong = any(item.code.startswith("url.") and item.severity is Severity.ERROR for item in report.findings)
    return "none works" if wrong else "not known"


def in_one_line(report: Report) -> str:
    """The headline, the number of findings, and the code to fix first."""
    first = worst(report)
    line = f"{headline(report)} {found(report)}"
    return line if first is None or first.code in line else f"{line}; fix first: {first.code}"


def state(report: Report) -> str:
    """The headline in one word, for colours: good, mixed or bad."""
    if not usable(report):
        return "bad"
    return "good" if worst(report) is None else "mixed"


def count(findings: Sequence[Finding], severity: Severity) -> int:
    """The number of findings of this severity."""
    return sum(finding.severity is severity for finding in findings)


def found(report: Report) -> str:
    """``1 error, 2 warnings``, or ``no findings``."""
    counted = [(count(report.findings, severity), word) for severity, word in SEVERITY_WORDS.items()]
    return ", ".join(amount(number, word.lower()) for number, word in counted if number) or "no findings"


def acceptances(report: Report) -> str:
    """One sentence about ``--accept``: which findings were accepted and which acceptances have ended, or nothing."""
    known = ", ".join(dict.fromkeys(item.code for item in gate.accepted(report)))
    over = gate.expired(report.run.accept, report.run.started_at)
    found = {item.code for item in report.findings}
    ended = ", ".join(f"{code} (ended {day})" for code, day in over.items() if code in found)
    parts = [f"Accepted and not counted: {known}." if known else "", f"No longer accepted: {ended}." if ended else ""]
    return " ".join(filter(None, parts))


def made(report: Report) -> str:
    """Program, depth and time of the run: ``endpoint-probe 0.1.0, depth standard, 2026-11-27 12:00:00 UTC``."""
    return f"{report.tool.name} {report.tool.version}, depth {report.run.depth}, {moment(report.run.started_at)}"


def outcomes(checks: Sequence[CheckRecord]) -> str:
    """``18 passed, 1 failed, 2 skipped``."""
    counted = Counter(check.outcome for check in checks)
    return ", ".join(f"{counted[kind]} {word}" for kind, word in OUTCOMES.items() if counted[kind]) or "no checks"


def server(report: Report) -> str:
    """The recognised software, and the proxies in front of it."""
    info = report.server
    return software(info.software, info.version, (hop.software for hop in info.hops))


def software(name: str, version: str | None, hops: Iterable[str]) -> str:
    """``vllm 0.16.0, behind nginx``."""
    proxies = ", ".join(hop for hop in hops if hop != name)
    shown = f"{name} {version}" if version else name
    return f"{shown}, behind {proxies}" if proxies else shown


def spent(report: Report) -> str:
    """Requests, tokens and time of the run."""
    run = report.run
    return (
        f"{amount(run.requests, 'request')}, {run.prompt_tokens} prompt and {run.completion_tokens} completion "
        f"tokens, {run.duration_s:.1f} s"
    )


def moment(text: str) -> str:
    """A timestamp of a report for people, to the second; other text stays as it is."""
    when = utc(text)
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when else text


def untried(report: Report) -> list[str]:
    """The capabilities that no check of this run judged."""
    return [name for name, verdict in report.capabilities.items() if not tried(verdict)]
