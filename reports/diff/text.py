"""A comparison of two reports as text, JSON, Markdown and HTML; the wording of a change is the same in all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from itertools import groupby
from textwrap import fill
from typing import Any

from probe.model import SEVERITIES, Report
from probe.report import escaped
from probe.wording import amount, shown, utc
from reports import markdown, summary
from reports.diff import Change, Difference, Direction, NotCompared
from reports.html import layout
from reports.text import clip, inert, printable

_HEADINGS = {Direction.WORSE: "Worse", Direction.BETTER: "Better", Direction.OTHER: "Other changes"}
_WIDTH = 80
_VALUE = 200
_LONGEST = 2_000
_SWAPPED = "The old report is newer than the new one: are the two swapped?"


def side(report: Report) -> dict[str, Any]:
    """The identity of one run."""
    return {
        "endpoint": report.target.endpoint,
        "base_url": report.target.base_url,
        "model": report.target.model,
        "server": summary.server(report),
        "depth": report.run.depth,
        "complete": report.run.complete,
        "run": report.run.id,
        "finished_at": summary.moment(report.run.finished_at),
    }


def headline(found: Difference) -> str:
    """One sentence: is there a regression."""
    counted = [change for change in found.changes if change.regression]
    if counted:
        return f"Regression: {amount(len(counted), 'change')} for the worse that clients will notice."
    if found.changes:
        return f"No regression: {amount(len(found.changes), 'change')}."
    return "No change."


def swapped(found: Difference) -> bool:
    """Whether the report given as the old one is the newer one."""
    old, new = (utc(report.run.started_at) for report in (found.old, found.new))
    return old is not None and new is not None and old > new


def conditions(found: Difference) -> str:
    """The differences in what the runs were asked for, in a sentence, or empty."""
    parts = [f"{name} ({value(old)}, then {value(new)})" for name, old, new in found.conditions]
    return f"The runs differ in {', '.join(parts)}." if parts else ""


def value(item: Any) -> str:
    """A value in a sentence: text as it is, everything else as JSON."""
    return "none" if item is None else shown(item, _VALUE)


def describe(item: Change | NotCompared) -> str:
    """The old and the new value in a few words."""
    if isinstance(item.old, list) or isinstance(item.new, list):
        parts = [f"{word} {value(part)}" for word, part in (("removed:", item.old), ("added:", item.new)) if part]
        return ", ".join(parts)
    if item.area in ("finding", "hop") and item.old is None:
        return "appeared" if item.area == "hop" else f"appeared ({item.new})"
    if item.area in ("finding", "hop") and item.new is None and isinstance(item, Change):
        return "disappeared" if item.area == "hop" else f"disappeared ({item.old})"
    return f"{value(item.old)} -> {value(item.new)}"


def not_compared(found: Difference) -> list[tuple[str, list[NotCompared]]]:
    """What could not be compared, by its reason, which names the run."""

    def reason(item: NotCompared) -> str:
        return f"the {item.side} run: {item.reason}"

    return [(key, list(items)) for key, items in groupby(sorted(found.not_compared, key=reason), key=reason)]


def as_json(found: Difference) -> bytes:
    """The comparison as a JSON object."""
    content = {
        "old": side(found.old),
        "new": side(found.new),
        "regression": next(
            (str(level) for level in SEVERITIES if any(item.regression is level for item in found.changes)),
            None,
        ),
        "conditions": [{"name": name, "old": old, "new": new} for name, old, new in found.conditions],
        "changes": [asdict(item) for item in found.changes],
        "not_compared": [asdict(item) for item in found.not_compared],
    }
    return escaped(json.dumps(content, indent=2, ensure_ascii=False).encode("utf-8", "replace")) + b"\n"


def as_text(found: Difference) -> bytes:
    """The comparison for a terminal, 80 columns wide, without control characters."""
    lines = [headline(found), ""]
    for word, report in (("Old", found.old), ("New", found.new)):
        target = report.target
        lines += _folded(
            f"{word}  {printable(target.endpoint, _VALUE)}, {printable(summary.moment(report.run.finished_at), 40)}",
            5,
        )
    lines += _folded(printable(conditions(found)), 0) if found.conditions else []
    if swapped(found):
        lines += _folded(_SWAPPED, 0)
    for direction, items in _by_direction(found):
        lines += ["", _HEADINGS[direction]]
        for item in items:
            lines += _folded(f"  {item.area} {printable(f'{item.name}: {describe(item)}')}", 4)
            for word, text in (("", item.note), ("Fix: ", item.remedy)):
                lines += _folded(f"      {word}{printable(text, 900)}", 6) if text else []
    if found.not_compared:
        lines += ["", "Not comparable"]
        for reason, unseen in not_compared(found):
            names = ", ".join(f"{item.name} ({describe(item)})" for item in unseen)
            lines += _folded(f"  {printable(names)}: {printable(reason, 300)}", 4)
    return (inert("\n".join(lines)) + "\n").encode("utf-8", "replace")


def _by_direction(found: Difference) -> Iterable[tuple[Direction, list[Change]]]:
    return ((turn, list(items)) for turn, items in groupby(found.changes, key=lambda item: item.turn))


def _folded(text: str, indent: int) -> list[str]:
    """The text on several lines of 80 columns, in which a longer word is broken."""
    leading = text[: len(text) - len(text.lstrip(" "))]
    return fill(
        text.strip(), _WIDTH, initial_indent=leading, subsequent_indent=" " * indent, break_on_hyphens=False
    ).split("\n")


def as_markdown(found: Difference) -> bytes:
    """The comparison for pull requests and job summaries."""
    inline, code, table = markdown.inline, markdown.code, markdown.table
    rows = [
        (word, code(report.target.endpoint), code(report.target.model or "none"), inline(report.run.depth),
         inline(summary.moment(report.run.finished_at)))
        for word, report in (("Old", found.old), ("New", found.new))
    ]  # fmt: skip
    parts = [
        f"## endpoint-probe diff: {inline(headline(found))}",
        table(("", "Endpoint", "Model", "Depth", "Ended"), rows),
    ]
    if found.conditions:
        parts.append(inline(conditions(found)))
    if swapped(found):
        parts.append(_SWAPPED)
    for direction, items in _by_direction(found):
        parts += [f"### {_HEADINGS[direction]}", *(_item(item) for item in items)]
    if found.not_compared:
        lines = [
            f"- {', '.join(f'{code(item.name)} ({inline(describe(item))})' for item in unseen)}: {inline(reason)}"
            for reason, unseen in not_compared(found)
        ]
        parts += ["### Not comparable", "\n".join(lines)]
    return ("\n\n".join(parts) + "\n").encode("utf-8", "replace")


def _item(item: Change) -> str:
    lines = [f"- {item.area.capitalize()} {markdown.code(item.name)}: **{markdown.inline(describe(item))}**"]
    if item.note:
        lines.append(f"  {markdown.paragraph(item.note)}")
    if item.remedy:
        lines.append(f"  Fix: {markdown.inline(item.remedy)}")
    # Two spaces at a line's end keep the lines of one item apart.
    return "  \n".join(lines)


def as_html(found: Difference) -> bytes:
    """The comparison as one HTML page, UTF-8."""
    return layout.page(
        "diff.html.j2",
        style=("page.css",),
        headline=headline(found),
        state="bad" if any(item.regression for item in found.changes) else "mixed" if found.changes else "good",
        swapped=_SWAPPED if swapped(found) else "",
        sides=[("Old", side(found.old)), ("New", side(found.new))],
        conditions=conditions(found),
        groups=[
            (heading, [_row(item) for item in found.changes if item.turn is direction])
            for direction, heading in _HEADINGS.items()
        ],
        not_compared=[
            (reason, [(item.name, describe(item)) for item in items]) for reason, items in not_compared(found)
        ],
        tool=found.new.tool,
    )


def _row(item: Change) -> dict[str, str]:
    return {
        "area": item.area,
        "name": clip(item.name, _LONGEST),
        "change": describe(item),
        "note": clip(item.note, _LONGEST),
        "remedy": clip(item.remedy, _LONGEST),
        "severity": str(item.regression or ""),
    }


FORMS: dict[str, Callable[[Difference], bytes]] = {
    "text": as_text,
    "json": as_json,
    "markdown": as_markdown,
    "html": as_html,
}
