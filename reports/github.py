"""report.github.txt: the findings as GitHub's workflow commands, so that a run annotates a pull request.

`run` also prints them, since GitHub reads them from the output of a step, and adds the Markdown report to the job's
summary (GITHUB_STEP_SUMMARY).  A finding that fails the build is an error, another error or warning a warning, and
what is accepted or only information a notice.  Escaping as in actions/toolkit, packages/core/src/command.ts.
"""

from __future__ import annotations

import os
from pathlib import Path

from probe import gate
from probe.model import Finding, Report, Severity, in_order
from reports import markdown, summary
from reports.text import printable

_DETAIL, _REMEDY = 600, 900
#: GitHub refuses a summary of more than 1 MiB ("Adding a job summary").
_SUMMARY_BYTES = 1_000_000


def render(report: Report) -> bytes:
    """One command a finding, then one with the headline, UTF-8."""
    known, failing = gate.accepted(report), gate.failing(report)
    lines = [_line(item, report, accepted=item in known, fails=item in failing) for item in in_order(report.findings)]
    fails = bool(failing) or summary.state(report) == "bad"
    text = f"{summary.headline(report)} {summary.acceptances(report)}".strip()
    lines.append(_command("error" if fails else "notice", "endpoint-probe", text))
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _line(finding: Finding, report: Report, *, accepted: bool, fails: bool) -> str:
    minor = accepted or finding.severity is Severity.INFO
    kind = "error" if fails else "notice" if minor else "warning"
    text = printable(finding.detail or finding.title, _DETAIL)
    if finding.remedy:
        text += f"\nFix ({finding.owner}): {printable(finding.remedy, _REMEDY)}"
    where = report.target.base_url or report.target.endpoint
    note = " (accepted)" if accepted else ""
    return _command(kind, f"{finding.code}{note}: {finding.title}", f"{text}\nEndpoint: {printable(where, 300)}")


def _command(kind: str, title: str, text: str) -> str:
    shown = _escaped(printable(title, 200)).replace(":", "%3A").replace(",", "%2C")
    lines = "\n".join(printable(line) for line in text.split("\n"))
    return f"::{kind} title={shown}::{_escaped(lines)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def add_summary(report: Report) -> None:
    """Add the report to the job's summary, where this runs as a step of a workflow.

    Raises:
        OSError: the file cannot be written.
    """
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    content = markdown.render(report)
    if len(content) > _SUMMARY_BYTES:
        content = f"## endpoint-probe: {markdown.inline(summary.headline(report))}\n".encode()
    with Path(path).open("ab") as file:
        file.write(content)
