"""report.junit.xml: one test case per check, for CI systems that read JUnit's XML.

Valid against both schemas in use, Apache Ant's junitreport and the stricter one of Jenkins' xUnit
plugin: element and attribute names, their order, and timestamps without a time zone.  A check
counts as failed by the same rule as the exit status (``--fail-on``).  An inconclusive check is a
skipped case with its reason; an internal error of this program is an ``error`` and never a failure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree

from probe.gate import counts_as_failed
from probe.model import CheckRecord, Finding, Outcome, Report
from probe.wording import utc
from reports import summary
from reports.text import visible

#: XML 1.0, section 2.2: code points outside the permitted ranges that ``visible`` does not write out.
_ILLEGAL = re.compile("[\ufffe\uffff\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f]")


def legal(text: str) -> str:
    """The text with only characters that XML 1.0 allows."""
    return _ILLEGAL.sub("\ufffd", visible(text))


@dataclass(frozen=True)
class Result:
    """What a test case holds: a failure, an error or skipped, with a message, a type and a text."""

    tag: str
    message: str
    kind: str = ""
    text: str = ""


@dataclass(frozen=True)
class Case:
    """A test case; without a result it passed."""

    name: str
    classname: str
    duration_s: float
    result: Result | None = None


def add_suite(
    root: ElementTree.Element,
    name: str,
    package: str,
    started_at: str,
    endpoint: str,
    duration_s: float,
    cases: Sequence[Case],
    properties: Iterable[tuple[str, str]] = (),
    output: str = "",
) -> None:
    """Add a suite with its counts and everything that the schemas require."""
    tags = [case.result.tag for case in cases if case.result]
    head = {
        "name": name,
        "package": package,
        "id": str(len(root)),
        "timestamp": f"{utc(started_at) or datetime.fromtimestamp(0, UTC):%Y-%m-%dT%H:%M:%S}",
        "hostname": _host(endpoint),
        "tests": str(len(cases)),
        "failures": str(tags.count("failure")),
        "errors": str(tags.count("error")),
        "skipped": str(tags.count("skipped")),
        "time": f"{duration_s:.3f}",
    }
    suite = _add(root, "testsuite", **head)
    parent = _add(suite, "properties")
    for key, value in properties:
        _add(parent, "property", name=key, value=value)
    for case in cases:
        element = _add(suite, "testcase", name=case.name, classname=case.classname, time=f"{case.duration_s:.3f}")
        if case.result:
            kind = {"type": case.result.kind} if case.result.kind else {}
            made = _add(element, case.result.tag, message=case.result.message, **kind)
            made.text = legal(case.result.text) or None
    _add(suite, "system-out").text = legal(output)
    _add(suite, "system-err").text = ""


def _add(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, {name: legal(value) for name, value in attributes.items()})


def _host(endpoint: str) -> str:
    try:
        return urlsplit(endpoint).hostname or "unknown"
    except ValueError:
        return "unknown"


def document(root: ElementTree.Element) -> bytes:
    """The XML document, UTF-8."""
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def render(report: Report) -> bytes:
    """The report as JUnit XML, UTF-8."""
    target, run = report.target, report.run
    cases = [
        Case(check.id, f"endpoint-probe.{check.id.partition('.')[0]}", check.duration_s, _result(check, report))
        for check in report.checks
    ]
    properties = [
        ("endpoint", target.endpoint),
        ("base_url", target.base_url or ""),
        ("model", target.model or ""),
        ("server", summary.server(report)),
        ("depth", run.depth),
        ("complete", str(run.complete).lower()),
        *((f"capability.{name}", str(verdict.verdict)) for name, verdict in report.capabilities.items()),
    ]
    lines = [summary.headline(report), f"{summary.found(report)}; {summary.spent(report)}"]
    lines += [f"{item.severity}: {item.code}: {item.title}" for item in report.findings]
    root = ElementTree.Element("testsuites")
    name = "endpoint-probe"
    add_suite(root, name, name, run.started_at, target.endpoint, run.duration_s, cases, properties, "\n".join(lines))
    return document(root)


def _result(check: CheckRecord, report: Report) -> Result | None:
    if check.outcome is Outcome.ERROR:
        return Result("error", check.reason, "endpoint-probe")
    if counts_as_failed(report, check):
        found = [_finding(item) for item in report.findings if item.code in check.findings]
        kind = ",".join(check.findings) or "chat"
        return Result("failure", check.reason, kind, "\n\n".join(found) or check.reason)
    if check.outcome in (Outcome.SKIP, Outcome.INCONCLUSIVE):
        prefix = "inconclusive: " if check.outcome is Outcome.INCONCLUSIVE else ""
        return Result("skipped", prefix + check.reason)
    return None


def _finding(finding: Finding) -> str:
    lines = [f"{finding.severity}: {finding.code}: {finding.title}", finding.detail]
    if finding.remedy:
        lines.append(f"Fix: {finding.remedy}")
    lines.append(f"Who can fix it: {finding.owner}")
    lines += [
        f"Evidence: {item.exchange} {item.pointer} expected {item.expected!r}, got {item.actual!r}"
        for item in finding.evidence[:4]
    ]
    return "\n".join(lines)
