"""report.svg: a summary card for a README or a wiki, with each tried capability and its verdict.

A picture of its own: it loads nothing, runs nothing, and its text is elements and never markup.
"""

from __future__ import annotations

from probe.model import Report, State
from reports import summary
from reports.html import svg
from reports.text import clip

_WIDTH, _COLUMNS, _ROW = 720.0, 4, 22.0
_TOP = 92.0
_COLOURS = {
    State.WORKS: "#14633a",
    State.BROKEN: "#a3211a",
    State.IGNORED: "#a3211a",
    State.REJECTED: "#7a4b00",
    State.UNKNOWN: "#535e6b",
}
_HEADLINE = {"good": "#14633a", "mixed": "#7a4b00", "bad": "#a3211a"}


def render(report: Report) -> bytes:
    """The card as SVG, UTF-8."""
    untried = set(summary.untried(report))
    cells = [(name, verdict.verdict) for name, verdict in report.capabilities.items() if name not in untried]
    rows = -(-len(cells) // _COLUMNS)
    height = _TOP + _ROW * rows + 34
    root = svg.drawing(_WIDTH, height, "endpoint-probe", summary.in_one_line(report))
    root.set("xmlns", "http://www.w3.org/2000/svg")
    root.set("width", f"{_WIDTH:g}")
    root.set("height", f"{height:g}")
    frame = svg.add(root, "rect", "frame", x=0.5, y=0.5, width=_WIDTH - 1, height=height - 1, rx=6)
    frame.set("fill", "#ffffff")
    frame.set("stroke", "#d4dae1")
    _text(root, 16, 28, clip(report.target.base_url or report.target.endpoint, 70), "#1a2027", 16, bold=True)
    known = " · ".join(filter(None, (clip(report.target.model or "", 40), clip(summary.server(report), 40))))
    _text(root, 16, 48, known, "#535e6b", 12)
    _text(root, 16, 72, clip(summary.headline(report), 90), _HEADLINE[summary.state(report)], 13, bold=True)
    for number, (name, state) in enumerate(cells):
        x = 16 + number % _COLUMNS * (_WIDTH - 32) / _COLUMNS
        y = _TOP + _ROW * (number // _COLUMNS) + 12
        _text(
            root,
            x,
            y,
            f"{summary.SYMBOLS[state]} {name.replace('_', ' ')}",
            _COLOURS[state],
            12,
            bold=state is not State.WORKS,
        )
    _text(root, 16, height - 14, summary.made(report), "#535e6b", 11)
    return svg.markup(root).encode("utf-8", "replace") + b"\n"


def _text(root: svg.Element, x: float, y: float, text: str, colour: str, size: int, *, bold: bool = False) -> None:
    svg.label(root, x, y, text)
    made = root[-1]
    made.set("fill", colour)
    made.set("font-family", "system-ui, sans-serif")
    made.set("font-size", f"{size}")
    if bold:
        made.set("font-weight", "600")
