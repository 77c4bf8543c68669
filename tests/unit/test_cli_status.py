"""The exit status: interruption first, then no chat completion, then what was found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.cli.run import status_of
from probe.model import Report, State, Verdict
from tests.reports_fixtures import faulty, healthy, verdicts

LOST = Verdict(State.UNKNOWN, 0.0, None, ("url.resolve",), "needs reachable, and connect.open ended as inconclusive")
UNREACHED = replace(faulty(), capabilities=verdicts(chat=LOST))
REFUSED = replace(faulty(), capabilities=verdicts(chat=Verdict(State.REJECTED, 1.0, None, ("url.resolve",))))
#: The run chose no check that asks for a chat completion.
NOT_ASKED = replace(faulty(), capabilities=verdicts(), checks=faulty().checks[:1])
WARNED = replace(faulty(), findings=faulty().findings[1:])


@pytest.mark.parametrize(
    ("report", "fail_on", "status"),
    [
        (healthy(), "error", 0),
        (healthy(), "warning", 0),
        (faulty(), "error", 1),
        (faulty(), "warning", 1),
        (faulty(), "never", 0),
        (WARNED, "error", 0),
        (WARNED, "warning", 1),
        (UNREACHED, "error", 3),
        (UNREACHED, "never", 3),
        (replace(UNREACHED, findings=()), "error", 3),
        (REFUSED, "error", 3),
        (NOT_ASKED, "error", 1),
        (replace(NOT_ASKED, findings=()), "error", 0),
    ],
)
def test_statuses(report: Report, fail_on: str, status: int) -> None:
    report = replace(report, run=replace(report.run, fail_on=fail_on))
    assert status_of(report, interrupted=False) == status
    assert status_of(report, interrupted=True) == 130
