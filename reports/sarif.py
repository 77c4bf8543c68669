"""report.sarif: findings for code-scanning pages, as SARIF 2.1.0 (OASIS standard).

One rule a finding code, one result a finding.  What is wrong lies in an endpoint and in no
source file, so the endpoint is the logical location; because GitHub takes no result
without a physical one (its page "SARIF support for code scanning"), the finding's line in
report.json is given too.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any

from probe.model import Diagnosis, Finding, Outcome, Report, Severity
from reports import markdown, summary
from reports.text import shorten, visible

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_LONGEST = 4_000


def plain(text: str) -> str:
    """The text as SARIF reads it: brackets that would be an embedded link (section 3.11.6) are escaped."""
    return re.sub(r"([\[\]\\])", r"\\\1", visible(shorten(text, _LONGEST)))


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
    return json.dumps(log, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _catalogue() -> dict[str, Diagnosis]:
    """What is known of the codes beside what the report says of them."""
    from probe.catalogue import registry

    try:
        return registry.catalogue()
    except registry.RegistryError:  # a plugin's fault takes nothing from the report itself
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
    lines = _lines(report)
    made = []
    for number, finding in enumerate(report.findings):
        text = finding.detail or finding.title
        if finding.remedy:
            text += f"\n\nHow to fix it: {finding.remedy}"
        made.append(
            {
                "ruleId": visible(finding.code),
                "ruleIndex": codes.index(finding.code),
                "level": _LEVEL[finding.severity],
                "message": {"text": plain(text)},
                "locations": [
                    {
                        "physicalLocation": {
                            "artifactLocation": {"uri": "report.json"},
                            "region": {"startLine": lines[number]},
                        },
                        "logicalLocations": [
                            {"name": visible(_where(report)), "fullyQualifiedName": visible(_where(report)),
                             "kind": "resource"}
                        ],
                    }
                ],
                "partialFingerprints": {"primaryLocationLineHash": _fingerprint(report, finding)},
                "rank": round(100 * finding.confidence, 1),
                "properties": {
                    "owner": str(finding.owner),
                    "check": visible(finding.check),
                    "evidence": [f"{visible(item.exchange)}{visible(item.pointer)}" for item in finding.evidence],
                },
            }
        )  # fmt: skip
    return made


def _lines(report: Report) -> list[int]:
    """For each finding the line in report.json on which it begins, counted from 1."""
    from probe.report import encode

    found: list[int] = []
    inside = False
    for number, line in enumerate(encode(report).split(b"\n"), 1):
        if line.startswith(b'  "findings": ['):
            inside = True
        elif inside and line.startswith(b"  ]"):
            break
        elif inside and line == b"    {":
            found.append(number)
    return found


def _fingerprint(report: Report, finding: Finding) -> str:
    """The same for the same fault of the same endpoint in every run."""
    name = "\n".join((finding.code, _where(report), report.target.model or ""))
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16] + ":1"


def _invocation(report: Report) -> dict[str, Any]:
    shown: dict[str, Any] = {"executionSuccessful": report.run.complete}
    for name, text in (("startTimeUtc", report.run.started_at), ("endTimeUtc", report.run.finished_at)):
        stamp = _stamp(text)
        if stamp:
            shown[name] = stamp
    broken = [check for check in report.checks if check.outcome is Outcome.ERROR]
    if broken:
        shown["toolExecutionNotifications"] = [
            {"level": "error", "message": {"text": plain(f"{check.id} crashed: {check.reason}")}} for check in broken
        ]
    return shown


def _stamp(text: str) -> str | None:
    """RFC 3339 in UTC, or None where the text is no time."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):
        return None
