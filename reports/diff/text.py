"""A comparison of two reports as text, JSON and Markdown.

What is said of a change is decided here once; the page (``reports.diff.text``) lays out the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import groupby
from textwrap import fill
from typing import Any

from markupsafe import Markup

from probe.model import SEVERITIES, Report
from probe.wording import amount
from reports import html, markdown, summary
from reports.diff import Change, Difference, Turn, Untold
from reports.text import printable, shorten

HEADINGS = {Turn.WORSE: "Worse", Turn.BETTER: "Better", Turn.OTHER: "Other changes"}
_WIDTH = 80
_VALUE = 200


def side(report: Report) -> dict[str, Any]:
    """Which run this is."""
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
    """One sentence: is it worse."""
    counted = [change for change in found.changes if change.regression]
    if counted:
        return f"Regression: {amount(len(counted), 'change')} for the worse that clients will notice."
    if found.changes:
        return f"No regression: {amount(len(found.changes), 'change')}."
    return "No change."


def swapped(found: Difference) -> bool:
    """Whether the report given as the old one is the younger of the two."""
    old, new = (summary.moment(report.run.started_at) for report in (found.old, found.new))
    return all(text.endswith("UTC") for text in (old, new)) and old > new


def conditions(found: Difference) -> str:
    """What the runs were asked for or came to differently, in a sentence; empty where nothing."""
    parts = [f"{name} ({value(old)}, then {value(new)})" for name, old, new in found.conditions]
    return f"The runs differ in {', '.join(parts)}." if parts else ""


def value(item: Any) -> str:
    """A value in a line: text as it is, everything else as JSON."""
    if item is None:
        return "none"
    text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}…"


def said(item: Change | Untold) -> str:
    """The change in a few words: what it was and what it is."""
    if isinstance(item.old, list) or isinstance(item.new, list):
        parts = [f"{word} {value(part)}" for word, part in (("went:", item.old), ("came:", item.new)) if part]
        return ", ".join(parts)
    if item.area in ("finding", "hop") and item.old is None:
        return "appeared" if item.area == "hop" else f"appeared ({item.new})"
    if item.area in ("finding", "hop") and item.new is None and isinstance(item, Change):
        return "went" if item.area == "hop" else f"went ({item.old})"
    return f"{value(item.old)} -> {value(item.new)}"


def untold_groups(found: Difference) -> list[tuple[str, list[Untold]]]:
    """What could not be compared, by the reason, in order; the reason names the run."""

    def reason(item: Untold) -> str:
        return f"the {item.side} run: {item.reason}"

    return [(key, list(items)) for key, items in groupby(sorted(found.untold, key=reason), key=reason)]


def as_json(found: Difference) -> bytes:
    """The comparison as a JSON object."""
    shown = {
        "old": side(found.old),
        "new": side(found.new),
        "regression": next(
            (str(level) for level in SEVERITIES if any(item.regression is level for item in found.changes)),
            None,
        ),
        "conditions": [{"name": name, "old": old, "new": new} for name, old, new in found.conditions],
        "changes": [
            {
                "area": item.area,
                "name": item.name,
                "old": item.old,
                "new": item.new,
                "turn": str(item.turn),
                "regression": str(item.regression) if item.regression else None,
                "note": item.note,
                "remedy": item.remedy,
            }
            for item in found.changes
        ],
        "not_compared": [
            {"area": item.area, "name": item.name, "old": item.old, "new": item.new, "side": item.side,
             "reason": item.reason}
            for item in found.untold
        ],
    }  # fmt: skip
    return json.dumps(shown, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def as_text(found: Difference) -> bytes:
    """The comparison for a terminal, 80 columns wide, without anything a terminal would obey."""
    lines = [headline(found), ""]
    for word, report in (("Old", found.old), ("New", found.new)):
        target = report.target
        lines += _folded(
            f"{word}  {printable(target.endpoint, _VALUE)}, {printable(summary.moment(report.run.finished_at), 40)}",
            5,
        )
    lines += _folded(printable(conditions(found)), 0) if found.conditions else []
    if swapped(found):
        lines += _folded("The old report is the younger one: were the two swapped?", 0)
    for turn, items in _by_turn(found):
        lines += ["", HEADINGS[turn]]
        for item in items:
            lines += _folded(f"  {item.area} {printable(f'{item.name}: {said(item)}')}", 4)
            for word, text in (("", item.note), ("Fix: ", item.remedy)):
                lines += _folded(f"      {word}{printable(text, 900)}", 6) if text else []
    if found.untold:
        lines += ["", "Could not be compared"]
        for reason, untold in untold_groups(found):
            names = ", ".join(f"{item.name} ({said(item)})" for item in untold)
            lines += _folded(f"  {printable(names)}: {printable(reason, 300)}", 4)
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _by_turn(found: Difference) -> Iterable[tuple[Turn, list[Change]]]:
    return ((turn, list(items)) for turn, items in groupby(found.changes, key=lambda item: item.turn))


def _folded(text: str, indent: int) -> list[str]:
    """The text over several lines; a word that is too long is broken, so that 80 columns hold it."""
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
        parts.append("The old report is the younger one: were the two swapped?")
    for turn, items in _by_turn(found):
        parts += [f"### {HEADINGS[turn]}", *(_item(item) for item in items)]
    if found.untold:
        told = [
            f"- {', '.join(f'{code(item.name)} ({inline(said(item))})' for item in untold)}: {inline(reason)}"
            for reason, untold in untold_groups(found)
        ]
        parts += ["### Could not be compared", "\n".join(told)]
    return ("\n\n".join(parts) + "\n").encode("utf-8", "replace")


def _item(item: Change) -> str:
    lines = [f"- {inline_area(item)} {markdown.code(item.name)}: **{markdown.inline(said(item))}**"]
    if item.note:
        lines.append(f"  {markdown.paragraph(item.note)}")
    if item.remedy:
        lines.append(f"  Fix: {markdown.inline(item.remedy)}")
    # Two spaces at a line's end keep the lines of one item apart.
    return "  \n".join(lines)


def inline_area(item: Change) -> str:
    """The area of a change; the words are ours."""
    return item.area.capitalize()


FORMS: dict[str, Callable[[Difference], bytes]] = {"text": as_text, "json": as_json, "markdown": as_markdown}


# A comparison of two reports as one self-contained HTML page. --------------------------------------

_LONGEST = 2_000


def as_html(found: Difference) -> bytes:
    """The page, UTF-8; everything in it that came from an endpoint is escaped."""
    style = html.asset("page.css")
    state = "bad" if any(item.regression for item in found.changes) else "mixed" if found.changes else "good"
    text = html.environment().get_template("diff.html.j2").render(
        style=Markup(style),
        policy=html.policy(style),
        headline=headline(found),
        state=state,
        swapped=swapped(found),
        sides=[("Old", side(found.old)), ("New", side(found.new))],
        conditions=conditions(found),
        groups=[
            (heading, [_row(item) for item in found.changes if item.turn is turn])
            for turn, heading in HEADINGS.items()
        ],
        untold=[
            (reason, [(item.name, said(item)) for item in items])
            for reason, items in untold_groups(found)
        ],
        tool=found.new.tool,
    )  # fmt: skip
    return text.encode("utf-8", "replace")


def _row(item: Any) -> dict[str, str]:
    return {
        "area": item.area,
        "name": shorten(item.name, _LONGEST),
        "said": said(item),
        "note": shorten(item.note, _LONGEST),
        "remedy": shorten(item.remedy, _LONGEST),
        "severity": str(item.regression or ""),
    }
