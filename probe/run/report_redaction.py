"""The last redaction of a report: no secret in what checks joined together, and no text without a limit.

Everything is redacted at capture.  But an endpoint may return a key in pieces, for example over the
deltas of a stream, and a check that joins them quotes the whole key.  And a check that quotes a
model's name or a header may quote a megabyte.
"""

from __future__ import annotations

from dataclasses import replace

from probe.model import Finding, Hop, Report, ServerInfo
from probe.redaction.redactor import Redactor
from probe.report import tidy

#: Characters of one text of a check; the exchanges have all of it.
LONGEST = 4_000


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def without_secrets(report: Report, redactor: Redactor) -> Report:
    """The report without secrets and with a limited length in all texts of checks; its exchanges are redacted."""
    text = redactor.text
    target = report.target
    return replace(
        report,
        target=replace(
            target,
            endpoint=text(target.endpoint),
            base_url=text(target.base_url) if target.base_url else target.base_url,
            chat_url=text(target.chat_url) if target.chat_url else target.chat_url,
            model=_cut(text(target.model)) if target.model else target.model,
            headers={name: text(value) for name, value in target.headers.items()},
        ),
        server=_server(report.server, redactor),
        capabilities={name: replace(item, note=_cut(text(item.note))) for name, item in report.capabilities.items()},
        facts={name: redactor.value(value) for name, value in report.facts.items()},
        findings=tuple(_finding(item, redactor) for item in report.findings),
        checks=tuple(replace(item, reason=_cut(text(item.reason))) for item in report.checks),
    )


def _finding(finding: Finding, redactor: Redactor) -> Finding:
    evidence = tuple(
        replace(item, expected=tidy(redactor.value(item.expected)), actual=tidy(redactor.value(item.actual)))
        for item in finding.evidence
    )
    return replace(
        finding,
        detail=_cut(redactor.text(finding.detail)),
        remedy=_cut(redactor.text(finding.remedy)),
        evidence=evidence,
    )


def _server(server: ServerInfo, redactor: Redactor) -> ServerInfo:
    def all_of(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_cut(redactor.text(item)) for item in texts)

    return replace(
        server,
        version=_cut(redactor.text(server.version)) if server.version else server.version,
        evidence=all_of(server.evidence),
        hops=tuple(Hop(_cut(redactor.text(hop.software)), all_of(hop.evidence)) for hop in server.hops),
    )
