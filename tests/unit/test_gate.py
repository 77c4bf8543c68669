"""One rule decides what fails a build, and every output tells the same: the table of the gate."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from probe.cli.audit import _status
from probe.cli.run import status_of
from probe.gate import BadAcceptance, checked, counts_as_failed, expired
from probe.model import Report, Severity
from reports import github, junit, markdown, sarif, terminal
from reports.diff import compare
from reports.matrix.table import FindingLine, Matrix, Row
from tests.reports_fixtures import faulty

BASE = faulty()
ERROR = next(item for item in BASE.findings if item.severity is Severity.ERROR)
WARNING = next(item for item in BASE.findings if item.severity is Severity.WARNING)
STARTED = BASE.run.started_at
TODAY, BEFORE = STARTED[:10], "2001-01-31"
#: Findings, --fail-on, --accept, whether the build fails.
TABLE = [
    ([WARNING], "error", (), False),
    ([WARNING], "warning", (), True),
    ([WARNING], "warning", (WARNING.code,), False),
    ([WARNING], "warning", (f"{WARNING.code}={TODAY}",), False),
    ([WARNING], "warning", (f"{WARNING.code}={BEFORE}",), True),
    ([ERROR], "error", (), True),
    ([ERROR], "never", (), False),
    ([ERROR], "error", (ERROR.code,), False),
    ([ERROR], "error", (f"{ERROR.code}={BEFORE}",), True),
    ([ERROR, WARNING], "error", (ERROR.code,), False),
    ([ERROR, WARNING], "warning", (ERROR.code,), True),
    ([ERROR, WARNING], "warning", (ERROR.code, WARNING.code), False),
]


def made(findings: list, fail_on: str, accept: tuple[str, ...]) -> Report:
    return replace(BASE, findings=tuple(findings), run=replace(BASE.run, fail_on=fail_on, accept=accept))


@pytest.mark.parametrize(("findings", "fail_on", "accept", "fails"), TABLE)
def test_every_output_tells_the_same(findings: list, fail_on: str, accept: tuple[str, ...], fails: bool) -> None:
    report = made(findings, fail_on, accept)
    assert (status_of(report, interrupted=False) == 1) is fails
    assert any(counts_as_failed(report, check) for check in report.checks) is fails
    suite = ElementTree.fromstring(junit.render(report))
    assert (suite.find(".//failure") is not None) is fails
    results = json.loads(sarif.render(report))["runs"][0]["results"]
    levels = {"error": {"error"}, "warning": {"error", "warning"}, "never": set()}[fail_on]
    assert any(item["level"] in levels and not item.get("suppressions") for item in results) is fails
    assert ("::error " in github.render(report).decode()) is fails
    lines = tuple(FindingLine(item.code, str(item.severity), str(item.owner), item.title) for item in findings)
    row = Row("a", "m", "", "http://a", {}, "done", usable=True, started_at=STARTED, findings=lines)
    matrix = Matrix("endpoint-probe", "fleet", "1", STARTED, STARTED, "local", (), (row,))
    assert (_status(matrix, fail_on, accept) == 1) is fails


def test_what_is_accepted_and_what_no_longer_is_said() -> None:
    report = made([ERROR, WARNING], "warning", (ERROR.code, f"{WARNING.code}={BEFORE}"))
    for shown in (terminal.render(report).decode(), markdown.render(report).decode()):
        text = " ".join(shown.split())
        assert f"Accepted and not counted: {ERROR.code}." in text
        assert f"No longer accepted: {WARNING.code} (ended {BEFORE})." in text
    assert "(accepted)" in github.render(report).decode()


def test_nothing_is_said_where_nothing_is_accepted() -> None:
    assert "ccepted" not in terminal.render(made([WARNING], "error", ())).decode()


def test_a_regression_that_is_accepted_fails_no_comparison() -> None:
    old, new = made([WARNING], "error", ()), made([ERROR, WARNING], "error", ())
    assert compare(old, new).regressed("error")
    assert not compare(old, made([ERROR, WARNING], "error", (ERROR.code,))).regressed("error")


@pytest.mark.parametrize("text", ["tools.nosuch", "", "=2027-01-01", "stream.held=soon", "stream.held=2027-02-30"])
def test_what_cannot_be_accepted(text: str) -> None:
    with pytest.raises(BadAcceptance):
        checked([text], {"stream.held"})


def test_an_unreadable_acceptance_of_a_saved_report_accepts_nothing() -> None:
    report = made([ERROR], "error", (f"{ERROR.code}=never",))
    assert status_of(report, interrupted=False) == 1
    assert expired(report.run.accept, STARTED) == {}


def test_annotations_cannot_be_broken_out_of() -> None:
    hostile = replace(ERROR, title="a,b:c\n::error::x", detail="one\r\n::add-mask::y%0A", remedy="##[error]z")
    text = github.render(made([hostile], "error", ())).decode()
    assert [line[:8] for line in text.splitlines()] == ["::error ", "::error "]
    assert "%2C" in text.splitlines()[0].split("::")[1]
