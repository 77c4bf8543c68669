"""report.junit.xml: one test case per check, for CI systems that read JUnit's XML.

Valid against both schemas in use, Apache Ant's junitreport and the stricter one of Jenkins' xUnit
plugin: element and attribute names, their order, and timestamps without a time zone.  A check
counts as failed by the same rule as the exit status (``--fail-on``).  An inconclusive check is a
skipped case with its reason; an internal error of this program is an ``error`` and never a failure.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree

from probe.model import CheckRecord, Finding, Outcome, Report, counts_as_failed
from reports import summary
from reports.text import visible

#: XML 1.0, section 2.2: code points outside the permitted ranges that ``visible`` does not write out.
_ILLEGAL = re.compile("[\ufffe\uffff\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f]")


def legal(text: str) -> str:
    """The text with only characters that XML 1.0 allows."""
    return _ILLEGAL.sub("\ufffd", visible(text))


def render(report: Report) -> bytes:
    """The report as JUnit XML, UTF-8."""
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {
            "name": "endpoint-probe",
            "package": "endpoint-probe",
            "id": "0",
            "timestamp": timestamp(report.run.started_at),
            "hostname": legal(host(report.target.endpoint)),
            "time": f"{report.run.duration_s:.3f}",
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(report):
        ElementTree.SubElement(properties, "property", {"name": name, "value": legal(value)})
    for check in report.checks:
        _case(suite, check, report)
    lines = [summary.headline(report), f"{summary.found(report)}; {summary.spent(report)}"]
    lines += [f"{item.severity}: {item.code}: {item.title}" for item in report.findings]
    close_suite(suite, "\n".join(lines))
    return document(root)


def close_suite(suite: ElementTree.Element, output: str = "") -> None:
    """Count the cases of a suite and add what the schemas want at its end."""
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))
    ElementTree.SubElement(suite, "system-out").text = legal(output)
    ElementTree.SubElement(suite, "system-err").text = ""


def document(root: ElementTree.Element) -> bytes:
    """The XML document, UTF-8."""
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def host(endpoint: str) -> str:
    """The host of an endpoint, or ``unknown``."""
    try:
        return urlsplit(endpoint).hostname or "unknown"
    except ValueError:
        return "unknown"


def timestamp(text: str) -> str:
    """ISO 8601 in UTC without a zone, as the schemas require it."""
    return f"{summary.utc(text) or datetime.fromtimestamp(0, UTC):%Y-%m-%dT%H:%M:%S}"


def _properties(report: Report) -> list[tuple[str, str]]:
    target = report.target
    return [
        ("endpoint", target.endpoint),
        ("base_url", target.base_url or ""),
        ("model", target.model or ""),
        ("server", summary.server(report)),
        ("depth", report.run.depth),
        ("complete", str(report.run.complete).lower()),
        *((f"capability.{name}", str(verdict.verdict)) for name, verdict in report.capabilities.items()),
    ]


def _case(suite: ElementTree.Element, check: CheckRecord, report: Report) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "name": legal(check.id),
            "classname": legal(f"endpoint-probe.{check.id.partition('.')[0]}"),
            "time": f"{check.duration_s:.3f}",
        },
    )
    reason = legal(check.reason)
    if check.outcome is Outcome.ERROR:
        ElementTree.SubElement(case, "error", {"message": reason, "type": "endpoint-probe"})
    elif counts_as_failed(report, check):
        kind = legal(",".join(check.findings) or "chat")
        failure = ElementTree.SubElement(case, "failure", {"message": reason, "type": kind})
        found = [_finding(item) for item in report.findings if item.code in check.findings]
        failure.text = legal("\n\n".join(found) or check.reason)
    elif check.outcome is Outcome.SKIP:
        ElementTree.SubElement(case, "skipped", {"message": reason})
    elif check.outcome is Outcome.INCONCLUSIVE:
        ElementTree.SubElement(case, "skipped", {"message": f"inconclusive: {reason}"})


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
