"""report.junit.xml: one test case a check, for CI systems that read JUnit's XML.

Valid against both schemas in use (the one of Apache Ant's junitreport and the stricter
one of Jenkins' xUnit plugin): attribute and element names, their order, and time stamps
without a zone.  What could not be told is a skipped case with its reason, since a CI
system knows no third answer; a fault of this program is an error, never a failure.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree

from probe.model import CheckRecord, Finding, Outcome, Report
from reports import summary
from reports.text import visible

#: XML 1.0, section 2.2: what is no character at all, beyond what ``visible`` writes out.
_ILLEGAL = re.compile("[\ufffe\uffff\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f]")


def legal(text: str) -> str:
    """The text with only characters that XML 1.0 allows."""
    return _ILLEGAL.sub("\ufffd", visible(text))


def render(report: Report) -> bytes:
    """The report as JUnit XML, UTF-8."""
    counted = [check.outcome for check in report.checks]
    skipped = counted.count(Outcome.SKIP) + counted.count(Outcome.INCONCLUSIVE)
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {
            "name": "endpoint-probe",
            "package": "endpoint-probe",
            "id": "0",
            "timestamp": _stamp(report.run.started_at),
            "hostname": legal(_host(report)),
            "tests": str(len(counted)),
            "failures": str(counted.count(Outcome.FAIL)),
            "errors": str(counted.count(Outcome.ERROR)),
            "skipped": str(skipped),
            "time": f"{report.run.duration_s:.3f}",
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(report):
        ElementTree.SubElement(properties, "property", {"name": name, "value": legal(value)})
    for check in report.checks:
        _case(suite, check, [item for item in report.findings if item.code in check.findings])
    ElementTree.SubElement(suite, "system-out").text = legal(_told(report))
    ElementTree.SubElement(suite, "system-err").text = ""
    ElementTree.indent(root)
    made: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _host(report: Report) -> str:
    try:
        return urlsplit(report.target.endpoint).hostname or "unknown"
    except ValueError:
        return "unknown"


def _stamp(text: str) -> str:
    """ISO 8601 in UTC without a zone, as the schemas want it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.fromtimestamp(0, UTC)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


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


def _case(suite: ElementTree.Element, check: CheckRecord, findings: list[Finding]) -> None:
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
    if check.outcome is Outcome.FAIL:
        codes = ",".join(check.findings) or "finding"
        failure = ElementTree.SubElement(case, "failure", {"message": reason, "type": legal(codes)})
        failure.text = legal("\n\n".join(_finding(item) for item in findings) or check.reason)
    elif check.outcome is Outcome.SKIP:
        ElementTree.SubElement(case, "skipped", {"message": reason})
    elif check.outcome is Outcome.INCONCLUSIVE:
        ElementTree.SubElement(case, "skipped", {"message": f"could not tell: {reason}"})
    elif check.outcome is Outcome.ERROR:
        ElementTree.SubElement(case, "error", {"message": reason, "type": "endpoint-probe"})


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


def _told(report: Report) -> str:
    lines = [summary.headline(report), f"{summary.found(report)}; {summary.spent(report)}"]
    lines += [f"{item.severity}: {item.code}: {item.title}" for item in report.findings]
    return "\n".join(lines)
