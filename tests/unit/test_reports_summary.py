"""The first sentence of every report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.model import Outcome, Report, Severity, State, Verdict
from reports import summary
from tests.reports_fixtures import faulty, healthy, record, verdicts


def unreached(*checks: Outcome, complete: bool = True) -> Report:
    """No base URL, and chat was not looked at."""
    report = healthy()
    return replace(
        report,
        target=replace(report.target, base_url=None),
        run=replace(report.run, complete=complete),
        capabilities=verdicts(),
        checks=tuple(record(f"connect.c{number}", outcome) for number, outcome in enumerate(checks)),
    )


REFUSED = replace(
    unreached(Outcome.PASS), capabilities=verdicts(chat=Verdict(State.REJECTED, 1.0, None, ("url.resolve",), "401"))
)


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (healthy(), "Usable: chat works, and nothing wrong was found."),
        (faulty(), "Usable with limits: chat works, and 1 fault will break or mislead clients."),
        (replace(faulty(), findings=faulty().findings[1:]), "Usable: chat works; see the warnings."),
        (replace(faulty(), findings=faulty().findings[2:]), "Usable: chat works, and nothing wrong was found."),
        (unreached(Outcome.FAIL, Outcome.SKIP), "Not usable: no chat completion could be had."),
        (REFUSED, "Not usable: no chat completion could be had."),
        (unreached(Outcome.PASS), "Not known: the run did not ask for a chat completion."),
        (unreached(Outcome.SKIP, complete=False), "Not known: the run ended before a chat completion."),
    ],
)
def test_headlines(report: Report, sentence: str) -> None:
    assert summary.headline(report) == sentence


def test_what_was_found_is_counted_by_severity() -> None:
    assert summary.found(faulty()) == "1 error, 1 warning, 1 note"
    assert summary.found(healthy()) == "no findings"


def test_the_worst_finding_is_no_note() -> None:
    worst = summary.worst(faulty())
    assert worst is not None
    assert worst.code == "stream.replayed"
    assert summary.worst(replace(faulty(), findings=faulty().findings[2:])) is None


def test_of_two_errors_the_more_basic_one_is_the_worst() -> None:
    error = faulty().findings[0]
    codes = ("tools.ignored", "plugin.fault", "url.missing-v1", "stream.held")
    findings = tuple(replace(error, code=code) for code in codes)
    worst = summary.worst(replace(faulty(), findings=findings))
    assert worst is not None
    assert worst.code == "url.missing-v1"
    warning = replace(findings[2], severity=Severity.WARNING)
    assert summary.worst(replace(faulty(), findings=(findings[0], warning))) == findings[0]


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
