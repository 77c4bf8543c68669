"""report.sarif: findings for code-scanning pages, as SARIF 2.1.0 (OASIS standard).

One rule per finding code, one result per finding.  A finding is about an endpoint and not about a
source file, so the endpoint is the logical location.  GitHub accepts no result without a physical
location ("SARIF support for code scanning"), so the finding's line in report.json is given too.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from probe import gate
from probe.model import Diagnosis, Finding, Outcome, Report, Severity
from probe.report import escaped
from probe.wording import utc
from reports import markdown, summary
from reports.text import clip, visible

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_LONGEST = 4_000


def plain(text: str) -> str:
    """The text with escaped brackets, which would be an embedded link (SARIF, section 3.11.6)."""
    return re.sub(r"([\[\]\\])", r"\\\1", visible(clip(text, _LONGEST)))


def render(report: Report) -> bytes:
    """The report as a SARIF log, UTF-8."""
    codes = list(dict.fromkeys(finding.code for finding in report.findings))
    known = _catalogue()
    first = {code: next(item for item in report.findings if item.code == code) for code in codes}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": visible(report.tool.name),
                "semanticVersion": visible(report.tool.version),
                "rules": [_rule(first[code], known.get(code)) for code in codes],
            }
        },
        "automationDetails": {"id": f"endpoint-probe/{visible(_where(report))}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report)],
        "results": _results(report, codes),
        "properties": {"summary": visible(summary.headline(report))},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return escaped(json.dumps(log, indent=2, ensure_ascii=False).encode("utf-8", "replace")) + b"\n"


def _catalogue() -> dict[str, Diagnosis]:
    """The diagnoses of the catalogue by code."""
    from probe.catalogue import registry

    try:
        return registry.catalogue()
    except registry.RegistryError:  # a broken plugin must not cost the report
        return {}


def _where(report: Report) -> str:
    return report.target.base_url or report.target.endpoint


def _rule(finding: Finding, known: Diagnosis | None) -> dict[str, Any]:
    what = f"{known.what} {known.why}" if known else finding.title
    remedy = finding.remedy or (known.remedy if known else "") or "Nothing needs to be done."
    return {
        "id": visible(finding.code),
        "shortDescription": {"text": plain(finding.title)},
        "fullDescription": {"text": plain(what)},
        "defaultConfiguration": {"level": _LEVEL[known.severity if known else finding.severity]},
        "help": {
            "text": plain(f"{what}\n\nHow to fix it: {remedy}"),
            "markdown": f"{markdown.paragraph(what)}\n\n**How to fix it.** {markdown.inline(remedy)}",
        },
        "properties": {"tags": [visible(finding.code.partition(".")[0]), str(finding.owner)]},
    }


def _results(report: Report, codes: list[str]) -> list[dict[str, Any]]:
    where = visible(_where(report))
    logical = {"name": where, "fullyQualifiedName": where, "kind": "resource"}
    results: list[dict[str, Any]] = []
    known = gate.accepted(report)
    for finding, line in zip(report.findings, _lines(report), strict=True):
        text = finding.detail or finding.title
        if finding.remedy:
            text += f"\n\nHow to fix it: {finding.remedy}"
        physical = {"artifactLocation": {"uri": "report.json"}, "region": {"startLine": line}}
        results.append(
            {
                "ruleId": visible(finding.code),
                "ruleIndex": codes.index(finding.code),
                "level": _LEVEL[finding.severity],
                "message": {"text": plain(text)},
                "locations": [{"physicalLocation": physical, "logicalLocations": [logical]}],
                "partialFingerprints": {"primaryLocationLineHash": _fingerprint(report, finding)},
                "rank": round(100 * finding.confidence, 1),
                "properties": {
                    "owner": str(finding.owner),
                    "check": visible(finding.check),
                    "evidence": [f"{visible(item.exchange)}{visible(item.pointer)}" for item in finding.evidence],
                },
            }
        )
        if report.run.accept:  # section 3.27.23: on all results of a run or on none
            hidden = [{"kind": "external", "justification": "accepted with --accept"}] if finding in known else []
            results[-1]["suppressions"] = hidden
    return results


def _lines(report: Report) -> list[int]:
    """The line in report.json, from 1, on which each finding begins."""
    from probe.report import encode

    found: list[int] = []
    inside = False
    for number, line in enumerate(encode(report).split(b"\n"), 1):
        if line == b'  "findings": [':
            inside = True
        elif inside and line.startswith(b"  ]"):
            break
        elif inside and line == b"    {":
            found.append(number)
    return found


def _fingerprint(report: Report, finding: Finding) -> str:
    """The same in every run for the same code, endpoint and model."""
    name = "\n".join((finding.code, _where(report), report.target.model or ""))
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16] + ":1"


def _invocation(report: Report) -> dict[str, Any]:
    shown: dict[str, Any] = {"executionSuccessful": report.run.complete}
    for name, text in (("startTimeUtc", report.run.started_at), ("endTimeUtc", report.run.finished_at)):
        if when := utc(text):
            shown[name] = f"{when:%Y-%m-%dT%H:%M:%SZ}"
    broken = [check for check in report.checks if check.outcome is Outcome.ERROR]
    if broken:
        shown["toolExecutionNotifications"] = [
            {"level": "error", "message": {"text": plain(f"{check.id} crashed: {check.reason}")}} for check in broken
        ]
    return shown
