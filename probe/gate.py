"""What fails a build: one rule for the exit status, JUnit, SARIF, annotations, the pytest plugin and audits.

A finding fails it when its severity is at or above ``--fail-on`` and its code is not accepted (``--accept``) on the day
of the run.  A known fault so does not stop a rollout, and a new one does.  A chat that does not work is never accepted:
it fails a build whatever else was found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime

from probe.model import SEVERITIES, CheckRecord, Finding, Report, lacks_chat
from probe.wording import did_you_mean, utc

FAILING = {"error": SEVERITIES[:1], "warning": SEVERITIES[:2], "never": ()}


class BadAcceptance(ValueError):
    """A value of ``--accept`` that cannot be used; the message is one line."""


def acceptance(text: str) -> tuple[str, date | None]:
    """The code and the last day of a value of ``--accept``: ``CODE`` or ``CODE=YYYY-MM-DD``.

    Raises:
        BadAcceptance: the day is none.
    """
    code, given, day = text.strip().partition("=")
    try:
        return code.strip(), date.fromisoformat(day.strip()) if given else None
    except ValueError:
        raise BadAcceptance(
            f"'{day[:20]}' is not a date; write the last day, as in --accept {code[:60]}=2027-01-31"
        ) from None


def checked(accept: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """The values of ``--accept``, each with a code of the catalogue.

    Raises:
        BadAcceptance: a code is not known, or a day is none.
    """
    for text in accept:
        code, _ = acceptance(text)
        if code not in known:
            hint = did_you_mean(code, sorted(known), "'endpoint-probe explain' lists the codes")
            raise BadAcceptance(f"--accept: there is no finding '{code[:40]}'; {hint}")
    return tuple(accept)


def in_force(accept: Iterable[str], started_at: str) -> set[str]:
    """The codes that are accepted on the day of a run, the last day included; an unreadable value accepts nothing."""
    return {code for code, last in _read(accept) if last is None or _day(started_at) <= last}


def expired(accept: Iterable[str], started_at: str) -> dict[str, date]:
    """The codes whose acceptance had ended before the day of a run, with the last day."""
    return {code: last for code, last in _read(accept) if last is not None and _day(started_at) > last}


def _read(accept: Iterable[str]) -> Iterator[tuple[str, date | None]]:
    for text in accept:
        with suppress(BadAcceptance):
            yield acceptance(text)


def _day(started_at: str) -> date:
    """The day of a run, UTC; today where the time cannot be read."""
    return (utc(started_at) or datetime.now(UTC)).date()


def accepted(report: Report) -> list[Finding]:
    """The findings of a report that its run accepted (`--accept`)."""
    codes = in_force(report.run.accept, report.run.started_at)
    return [finding for finding in report.findings if finding.code in codes]


def failing(report: Report) -> list[Finding]:
    """The findings of a report that fail a build."""
    level, known = FAILING.get(report.run.fail_on, FAILING["error"]), accepted(report)
    return [finding for finding in report.findings if finding.severity in level and finding not in known]


def counts_as_failed(report: Report, check: CheckRecord) -> bool:
    """Whether a check fails a build.

    It does with a finding that does.  A chat that does not work always fails a build: if no finding does, the check
    that judged it counts as failed.
    """
    found = failing(report)
    if any(finding.code in check.findings for finding in found):
        return True
    chat = report.capabilities.get("chat")
    judged_chat = chat is not None and check.id in chat.checks
    return judged_chat and lacks_chat(report) and not found
