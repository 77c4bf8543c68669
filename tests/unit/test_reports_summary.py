"""The first sentence of every report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.cli.run import status_of
from probe.model import CAPABILITIES, Outcome, Report, Severity, State, Verdict, in_order, worst
from reports import summary
from reports.registry import reporters
from tests.reports_fixtures import faulty, healthy, record, verdicts


def unreached(*checks: Outcome, complete: bool = True, chat: Verdict | None = None) -> Report:
    """A report without a base URL; ``chat`` was not asked for unless it is given."""
    report = healthy()
    return replace(
        report,
        target=replace(report.target, base_url=None),
        run=replace(report.run, complete=complete),
        capabilities=verdicts(chat=chat) if chat else verdicts(),
        checks=tuple(record(f"connect.c{number}", outcome) for number, outcome in enumerate(checks)),
    )


def judged(state: State, note: str = "", finding: str | None = None) -> Verdict:
    """What url.resolve says of chat."""
    return Verdict(state, 1.0, finding, ("url.resolve",), note)


def with_error(report: Report, code: str, title: str) -> Report:
    """The report with one error."""
    return replace(report, findings=(replace(faulty().findings[0], code=code, title=title),))


REFUSED = unreached(Outcome.PASS, chat=judged(State.REJECTED, "the best answer was 500"))
BUSY = unreached(Outcome.PASS, chat=judged(State.UNKNOWN, "the endpoint kept answering 429"))
NO_KEY = with_error(unreached(chat=judged(State.REJECTED, "", "auth.rejected")), "auth.rejected", "API key refused")
UNREACHABLE = with_error(
    unreached(Outcome.FAIL, chat=judged(State.UNKNOWN, "needs reachable")), "connect.dns", "No DNS"
)
#: A base URL was found and the answer was empty: the two old rules disagreed on this one.
EMPTY = replace(healthy(), capabilities=verdicts(chat=judged(State.UNKNOWN, "a completion came, but no text in it")))
NO_CHAT = "Not usable: no chat completion could be had"


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (healthy(), "Usable: chat works, and nothing wrong was found."),
        (faulty(), "Usable with limits: chat works, and 1 error will break or mislead clients."),
        (replace(faulty(), findings=faulty().findings[1:]), "Usable: chat works, with 1 warning."),
        (replace(faulty(), findings=faulty().findings[2:]), "Usable: chat works, and nothing wrong was found."),
        (REFUSED, f"{NO_CHAT} (the best answer was 500)."),
        (BUSY, f"{NO_CHAT} (the endpoint kept answering 429)."),
        (NO_KEY, f"{NO_CHAT} (auth.rejected: API key refused)."),
        (UNREACHABLE, f"{NO_CHAT} (connect.dns: No DNS)."),
        (EMPTY, f"{NO_CHAT} (a completion came, but no text in it)."),
        (unreached(Outcome.PASS), "Not known: the run did not ask for a chat completion."),
        (unreached(Outcome.FAIL), "Not known: the run did not ask for a chat completion."),
        (unreached(Outcome.SKIP, complete=False), "Not known: the run ended before a chat completion."),
    ],
)
def test_headlines(report: Report, sentence: str) -> None:
    assert summary.headline(report) == sentence


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("base_url", [None, "https://api.example.com/v1"])
def test_headline_exit_status_and_every_format_agree_whatever_chat_is(state: State, base_url: str | None) -> None:
    report = replace(
        healthy(),
        target=replace(healthy().target, base_url=base_url),
        capabilities=verdicts(**{**dict.fromkeys(CAPABILITIES, judged(State.UNKNOWN)), "chat": judged(state, "why")}),
    )
    usable = state is State.WORKS
    assert summary.headline(report).startswith("Usable" if usable else f"{NO_CHAT} (why).")
    assert status_of(report, interrupted=False) == (0 if usable else 3)
    for name in ("html", "markdown", "junit", "sarif", "terminal"):
        content = " ".join(reporters()[name].render(report).decode().split())
        assert (NO_CHAT in content) is not usable, name
    junit = reporters()["junit"].render(report).decode()
    assert ("<failure" in junit) is not usable


def test_a_report_of_an_older_version_shows_by_its_skipped_checks_that_chat_was_asked_for() -> None:
    skipped = record("tools.auto-call", Outcome.SKIP, "needs chat, and url.resolve ended as skip")
    report = with_error(replace(unreached(), checks=(skipped,)), "connect.dns", "No DNS")
    assert summary.headline(report) == f"{NO_CHAT} (connect.dns: No DNS)."
    assert status_of(report, interrupted=False) == 3


def test_one_line_names_the_code_to_mend_first_once() -> None:
    assert summary.in_one_line(faulty()).endswith("clients. 1 error, 1 warning, 1 note; fix first: stream.replayed")
    assert summary.in_one_line(healthy()) == "Usable: chat works, and nothing wrong was found. no findings"
    assert summary.in_one_line(NO_KEY).count("auth.rejected") == 1


def test_what_was_found_is_counted_by_severity() -> None:
    assert summary.found(faulty()) == "1 error, 1 warning, 1 note"
    assert summary.found(healthy()) == "no findings"


def test_the_worst_finding_is_not_a_note() -> None:
    first = worst(faulty())
    assert first is not None
    assert first.code == "stream.replayed"
    assert worst(replace(faulty(), findings=faulty().findings[2:])) is None


def test_findings_are_ordered_by_severity_then_by_when_a_client_meets_them_then_by_confidence() -> None:
    error = replace(faulty().findings[0], confidence=0.8)
    codes = ("tools.ignored", "plugin.fault", "content.null-rejected", "url.missing-v1", "stream.held", "limits.quota")
    findings = [replace(error, code=code) for code in codes]
    findings += [replace(error, code="auth.rejected", severity=Severity.WARNING)]
    findings += [replace(error, code="tools.rejected", confidence=0.9), replace(error, code="connect.dns")]
    assert [item.code for item in in_order(findings)] == [
        "connect.dns",
        "url.missing-v1",
        "limits.quota",
        "content.null-rejected",
        "stream.held",
        "tools.rejected",
        "tools.ignored",
        "plugin.fault",
        "auth.rejected",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-03-01T12:00:02.500+00:00", "2026-03-01 12:00:02 UTC"),
        ("2026-03-01T13:00:02+01:00", "2026-03-01 12:00:02 UTC"),
        ("yesterday", "yesterday"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_moment_reads_alike_in_every_zone(text: str, shown: str) -> None:
    assert summary.moment(text) == shown
