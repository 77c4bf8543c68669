"""report.md: for pull requests, job summaries and chats that render GitHub's Markdown.

Text of the endpoint stays text: markup is escaped, and what a forge would turn into a link or a
mention (URLs, ``@name``, ``#12``) is put into a code span.  Rules: GitHub Flavored Markdown, sections
2.4, 4.10, 6.1, 6.3 and 6.9.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

from probe.model import Finding, Outcome, Report
from probe.wording import shown
from reports import summary
from reports.clients import compatibility
from reports.text import clip, visible

_MARKUP = re.compile(r"([\\`*_\[\]~$#!{}])")
#: A code span or a word; and the part of a word that a forge would link.  They are two patterns, since one that looks
#: for a link in every word would scan a word of a megabyte once for each of its letters.
_TOKEN = re.compile(r"(`[^`]+`)|[^\s`]+")
_LINKED = re.compile(r"://|www\.|@|#\d|GH-\d", re.IGNORECASE)
_OPENING = re.compile(r"^(\d*)([-+=.)])")
_LONGEST = 800
_LONGEST_CONFIG = 4_000
_EVIDENCE_SHOWN = 4


def code(text: str) -> str:
    """The text as a code span on one line."""
    flat = re.sub(r"\s+", " ", visible(text)).strip() or " "
    longest = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest or flat == " " else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def inline(text: str) -> str:
    """The text with nothing in it that is markup, a link or a mention."""
    flat = re.sub(r"\s+", " ", visible(text)).strip()
    pieces: list[str] = []
    position = 0
    for match in _TOKEN.finditer(flat):
        if not match[1] and not _LINKED.search(match[0]):
            continue
        token = match[1] or match[0].rstrip(".,;:)'\"") or match[0]
        pieces += [_plain(flat[position : match.start()]), code(match[1][1:-1] if match[1] else token)]
        position = match.start() + len(token)
    pieces.append(_plain(flat[position:]))
    return "".join(pieces)


def paragraph(text: str) -> str:
    """Inline text for the start of a line, where it must not begin a list or a heading."""
    return _OPENING.sub(r"\1\\\2", inline(text))


def _plain(text: str) -> str:
    text = _MARKUP.sub(r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cell(text: str) -> str:
    """Inline Markdown for a table cell, which a bar would end, in code spans too."""
    # A backslash right before a bar would cancel the bar's own escape, so a space goes between them.
    return re.sub(r"(?<!\\)(\\*)\|", lambda found: (found[1] + " " if found[1] else "") + "\\|", text)


def block(text: str, longest: int = _LONGEST) -> str:
    """A fenced block that the text cannot end, clipped to so many characters."""
    shown = clip(visible(text).rstrip("\n"), longest)
    longest = max((len(run) for run in re.findall(r"`{3,}", shown)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}text\n{shown}\n{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of finished inline Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(item) for item in row)} |" for row in lines)


def render(report: Report) -> bytes:
    """The report as Markdown, UTF-8."""
    parts = [
        f"## endpoint-probe: {inline(summary.headline(report))}",
        table(("", ""), _facts_of_run(report)),
        "### Findings",
        *([_finding(finding) for finding in report.findings] or ["None."]),
        *_capabilities(report),
        *_clients(report),
        *_details(report),
        f"{inline(summary.spent(report))}. Written by {inline(report.tool.name)} {inline(report.tool.version)}.",
    ]
    return ("\n\n".join(parts) + "\n").encode("utf-8", "replace")


def _facts_of_run(report: Report) -> list[tuple[str, str]]:
    target = report.target
    rows = [
        ("Endpoint", code(target.endpoint)),
        ("Base URL for clients", code(target.base_url) if target.base_url else summary.base_url(report)),
        ("Model", code(target.model) if target.model else ""),
        ("Proxy", f"{code(target.proxy)} ({inline(target.proxy_source or '')})" if target.proxy else ""),
        ("Server", inline(summary.server(report))),
        ("Result", inline(summary.found(report))),
        ("Gate", inline(summary.acceptances(report))),
        ("Checks", inline(summary.outcomes(report.checks))),
        ("Note", "" if report.run.complete else summary.INCOMPLETE),
    ]
    return [row for row in rows if row[1]]


def _finding(finding: Finding) -> str:
    evidence = [
        f"- **Evidence:** {code(item.exchange)} {code(item.pointer)}: expected {_value(item.expected)}, "
        f"got {_value(item.actual)}"
        for item in finding.evidence[:_EVIDENCE_SHOWN]
    ]
    fix = ["- **Fix:** " + inline(finding.remedy)] if finding.remedy else []
    title = f"#### {summary.SEVERITY_WORDS[finding.severity]}: {inline(finding.title)} ({code(finding.code)})"
    lines = [*fix, "- **Who can fix it:** " + inline(str(finding.owner)), *evidence]
    return f"{title}\n\n{paragraph(finding.detail) or 'No detail.'}\n\n" + "\n".join(lines)


def _value(value: Any) -> str:
    return code(shown(value, 200))


def _capabilities(report: Report) -> list[str]:
    untried = summary.untried(report)
    rows = [
        (
            code(name),
            f"**{inline(str(verdict.verdict))}**",
            "" if verdict.confidence == 0 else f"{verdict.confidence:.0%}",
            " ".join(filter(None, (code(verdict.finding) if verdict.finding else "", inline(verdict.note)))),
        )
        for name, verdict in report.capabilities.items()
        if name not in untried
    ]
    parts = ["### Capabilities"]
    if rows:
        parts.append(table(("Capability", "Verdict", "Confidence", "Why"), rows))
    if untried:
        parts.append("Not tried: " + ", ".join(code(name) for name in untried) + ".")
    return parts


def _clients(report: Report) -> list[str]:
    """The clients with their answer, and the folded configuration of those that work."""
    found = compatibility.rows(report)
    if not found:
        return []
    rows = [
        (
            inline(row.fit.title),
            f"**{inline(str(row.fit.answer))}**",
            " ".join([*(code(name) for name in row.fit.codes), inline(row.fit.why)]).strip(),
        )
        for row in found
    ]
    parts = ["### Works with", table(("Client", "Works", "Settings, or the reason"), rows)]
    for row in found:
        if row.text is not None:
            notes = "".join(f"- {inline(note)}\n" for note in row.notes)
            # A part of a configuration would be useless.
            content = (
                block(row.text, _LONGEST_CONFIG) if len(row.text) <= _LONGEST_CONFIG else _too_long(row.fit.client)
            )
            title = f"Configuration for {row.fit.title}"
            parts.append(_folded(title, f"File: {code(row.file)}\n\n{notes}\n{content}"))
    return parts


def _too_long(client: str) -> str:
    return f"Too long to show here; {code(f'endpoint-probe export report.json --to {client}')} writes it."


def _details(report: Report) -> list[str]:
    parts: list[str] = []
    if report.facts:
        facts = ((code(name), _value(value)) for name, value in report.facts.items())
        parts.append(_folded("Facts", table(("Fact", "Value"), facts)))
    rows = [
        (code(check.id), inline(str(check.outcome)), str(check.requests), inline(check.reason))
        for check in report.checks
    ]
    title = f"Checks: {summary.outcomes(report.checks)}"
    parts.append(_folded(title, table(("Check", "Outcome", "Requests", "Reason"), rows)))
    broken = [check for check in report.checks if check.outcome is Outcome.ERROR]
    parts += [f"{code(check.id)} crashed {summary.OWN_FAULT}:\n\n{block(check.reason)}" for check in broken]
    return parts


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{html.escape(title)}</summary>\n\n{body}\n\n</details>"
