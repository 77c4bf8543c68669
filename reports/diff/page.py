"""A comparison of two reports as one self-contained HTML page."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from reports import html
from reports.diff import Difference
from reports.diff import text as difftext
from reports.text import shorten

_LONGEST = 2_000


def as_html(found: Difference) -> bytes:
    """The page, UTF-8; everything in it that came from an endpoint is escaped."""
    style = html.asset("page.css")
    state = "bad" if any(item.regression for item in found.changes) else "mixed" if found.changes else "good"
    text = html.environment().get_template("diff.html.j2").render(
        style=Markup(style),
        policy=html.policy(style),
        headline=difftext.headline(found),
        state=state,
        swapped=difftext.swapped(found),
        sides=[("Old", difftext.side(found.old)), ("New", difftext.side(found.new))],
        conditions=difftext.conditions(found),
        groups=[
            (heading, [_row(item) for item in found.changes if item.turn is turn])
            for turn, heading in difftext.HEADINGS.items()
        ],
        untold=[
            (reason, [(item.name, difftext.said(item)) for item in items])
            for reason, items in difftext.untold_groups(found)
        ],
        tool=found.new.tool,
    )  # fmt: skip
    return text.encode("utf-8", "replace")


def _row(item: Any) -> dict[str, str]:
    return {
        "area": item.area,
        "name": shorten(item.name, _LONGEST),
        "said": difftext.said(item),
        "note": shorten(item.note, _LONGEST),
        "remedy": shorten(item.remedy, _LONGEST),
        "severity": str(item.regression or ""),
    }
