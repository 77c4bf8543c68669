"""The last look at what checks have put together: no secret is in it, and nothing is without measure.

Everything is redacted at capture.  But an endpoint may hand out a key in pieces, over the
deltas of a stream for example, and a check that joins them quotes the whole.  And a check
that quotes a model's name or a header quotes a megabyte where there is one, which every
kind of report would then have to carry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from probe.exchange import Evidence
from probe.model import CheckRecord, Finding, Hop, Report, ServerInfo, Verdict
from probe.redaction.redactor import Redactor
from probe.report import tidy

#: Characters of one text of a check; the exchanges have the whole.
LONGEST = 4_000


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def without_secrets(report: Report, redactor: Redactor) -> Report:
    """The report with no secret in anything a check said, which is cut to a bearable length.

    Its exchanges hold no secret already.
    """
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
        ),
        server=_server(report.server, redactor),
        capabilities={name: _verdict(item, redactor) for name, item in report.capabilities.items()},
        facts=_facts(report.facts, redactor),
        findings=tuple(_finding(item, redactor) for item in report.findings),
        checks=tuple(_record(item, redactor) for item in report.checks),
    )


def _facts(facts: Mapping[str, object], redactor: Redactor) -> dict[str, object]:
    return {name: redactor.value(value) for name, value in facts.items()}


def _verdict(verdict: Verdict, redactor: Redactor) -> Verdict:
    return replace(verdict, note=_cut(redactor.text(verdict.note)))


def _record(record: CheckRecord, redactor: Redactor) -> CheckRecord:
    return replace(record, reason=_cut(redactor.text(record.reason)))


def _finding(finding: Finding, redactor: Redactor) -> Finding:
    evidence: tuple[Evidence, ...] = tuple(
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
