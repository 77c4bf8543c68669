"""history.html: what changed in a fleet, on a time axis and as a table; loads nothing from the network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from markupsafe import Markup

from probe.wording import amount
from reports.html import layout, svg
from reports.html.charts import NARROW, WIDE
from reports.matrix.table import ChangeLine
from reports.text import clip

#: The mark of each kind, the most urgent first.
MARKS = {"regression": "▼", "flapping": "◆", "change": "●", "recovery": "▲"}
_ROW, _TOP, _RIGHT = 22.0, 24.0, 24.0
#: More lines than these would be a grey field.
_MOST_LINES = 60
_MOST_ROWS, _MOST_CHANGES = 60, 300
#: Characters of a name and the left edge of the axis, on wide screens and on phones.
_NAMES = {WIDE: (40, 260.0), NARROW: (18, 128.0)}


def render(fleet: str, audits: Sequence[str], changes: Sequence[ChangeLine]) -> bytes:
    """The page, UTF-8.

    Args:
        audits: the times at which the audits shown began.
        changes: what changed, the newest first.
    """
    counts = {kind: sum(item.kind == kind for item in changes) for kind in MARKS}
    names = {"regression": "regressions", "flapping": "flapping", "change": "changes", "recovery": "recoveries"}
    told = [
        amount(count, kind, names[kind]) if kind != "flapping" else f"{count} flapping"
        for kind, count in counts.items()
        if count
    ]
    return layout.page(
        "history.html.j2",
        style=("page.css", "matrix.css"),
        fleet=fleet,
        headline=", ".join(told) or "No verdict changed",
        state="bad" if counts["regression"] else "mixed" if told else "good",
        period=f"{_minute(min(audits))} to {_minute(max(audits))} UTC" if audits else "no audit",
        audits=amount(len(audits), "audit"),
        marks=MARKS,
        lines=len(audits) <= _MOST_LINES,
        changes=[(item, _minute(item.since)) for item in changes[:_MOST_CHANGES]],
        left_out=max(0, len(changes) - _MOST_CHANGES),
        drawings={width: Markup(draw(audits, changes, width)) for width in _NAMES} if changes else {},
        more_rows=max(0, len({item.name for item in changes}) - _MOST_ROWS),
    )


def draw(audits: Sequence[str], changes: Sequence[ChangeLine], width: float = WIDE) -> str:
    """A row for each target and model that changed, the newest change first, as SVG markup."""
    rows: dict[str, dict[str, list[str]]] = {}
    for item in changes:
        rows.setdefault(item.name, {}).setdefault(item.since, []).append(item.kind)
    shown = dict(list(rows.items())[:_MOST_ROWS])
    longest, left = _NAMES[width]
    times = [_seconds(text) for text in (*audits, *(since for row in shown.values() for since in row))]
    first = min(times)
    axis = svg.Axis(left, width - _RIGHT, max(max(times) - first, 1.0))
    bottom = _TOP + _ROW * len(shown)
    root = svg.drawing(
        width, bottom + 24, "Changes over time", f"{amount(len(changes), 'change')} in {len(rows)} rows."
    )
    for audit in audits if len(audits) <= _MOST_LINES else ():
        x = axis.at(_seconds(audit) - first)
        svg.add(root, "line", "grid", x1=x, x2=x, y1=_TOP - 8, y2=bottom)
    steps = 4 if width == WIDE else 2
    for step in range(steps + 1):
        text = _minute(datetime.fromtimestamp(first + axis.longest_s * step / steps, UTC).isoformat())
        anchor = "start" if step == 0 else "end" if step == steps else "middle"
        svg.label(root, axis.at(axis.longest_s * step / steps), bottom + 16, text[5:], anchor=anchor)
    for number, (name, row) in enumerate(shown.items()):
        y = _TOP + _ROW * number + 10
        svg.label(root, left - 10, y, clip(name, longest).replace("\n", " "), anchor="end")
        svg.add(root, "line", "grid", x1=axis.left, x2=axis.right, y1=y + 5, y2=y + 5)
        for since, kinds in row.items():
            worst = min(kinds, key=list(MARKS).index)
            mark = MARKS[worst] + (str(len(kinds)) if len(kinds) > 1 else "")
            svg.label(root, axis.at(_seconds(since) - first), y, mark, f"kind {worst}", "middle")
    return svg.markup(root)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")
