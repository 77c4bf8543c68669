"""matrix.html: one page with the whole audit, which loads nothing from the network."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from reports.html import layout, svg
from reports.matrix.table import STATES, Mark, Matrix, Point, Row, headline, label_names
from reports.summary import SYMBOLS
from reports.text import clip

_CAUSE = 120
_NAME = 200
_NOTE = 300


def render(matrix: Matrix) -> bytes:
    """The matrix as one HTML page, UTF-8."""
    names = matrix.tried
    return layout.page(
        "matrix.html.j2",
        style=("page.css", "matrix.css"),
        script=("common.js", "matrix.js"),
        matrix=matrix,
        headline=headline(matrix),
        state=_state(matrix),
        capabilities=names,
        untried=[name for name in matrix.capabilities if name not in names],
        rows=[_row(row, names) for row in matrix.rows],
        filters=[
            (name, sorted({row.labels[name] for row in matrix.rows if name in row.labels}))
            for name in label_names(matrix.rows)
        ],
        unmet=[(row, name, row.marks[name]) for row in matrix.rows for name in row.unmet],
        failed=[row for row in matrix.rows if row.state == "failed"],
        symbols=SYMBOLS,
        trend=Markup(trend(matrix.trend) or ""),
    )


def _state(matrix: Matrix) -> str:
    if not any(row.usable for row in matrix.rows) or matrix.changed("regression"):
        return "bad"
    fine = all(row.usable and not row.unmet for row in matrix.rows)
    return "good" if fine else "mixed"


def _row(row: Row, names: list[str]) -> dict[str, Any]:
    changed = any(mark.changed for mark in row.marks.values())
    kinds = [
        kind
        for kind, fits in (
            ("changed", changed),
            ("unmet", bool(row.unmet)),
            ("unusable", row.state == "done" and not row.usable),
            ("failed", row.state != "done"),
        )
        if fits
    ]
    return {
        "row": row,
        "target": clip(row.target, _NAME),
        "model": clip(row.model, _NAME),
        "kinds": " ".join(kinds),
        "cells": [_cell(name, row.marks.get(name)) for name in names],
        "word": "usable"
        if row.usable
        else f"not usable: {clip(row.cause, _CAUSE)}"
        if row.state == "done"
        else row.state,
        "errors": row.count("error"),
        "warnings": row.count("warning"),
    }


def _cell(name: str, mark: Mark | None) -> dict[str, str]:
    if mark is None:
        return {"state": "none", "symbol": "", "words": "", "more": ""}
    words = [f"{name}: {mark.state}"]
    if mark.trials > 1:
        words.append(f"{mark.agreed} of {mark.trials} trials")
    words += [text for text in (mark.finding or "", mark.note) if text]
    if mark.changed:
        words.append(f"was {mark.changed}")
    if mark.met is False:
        words.append(f"expected {' or '.join(mark.expected)}")
    extra = " changed" if mark.changed else ""
    return {
        "state": mark.state,
        # The word is in the cell too, for readers who cannot see the symbol.
        "symbol": SYMBOLS.get(mark.state, "?"),
        "words": clip("; ".join(words), _NOTE),
        "more": extra + (" unmet" if mark.met is False else ""),
    }


def trend(points: tuple[Point, ...]) -> str | None:
    """The number of verdicts of each state in each audit, the oldest first; None for fewer than two audits."""
    if len(points) < 2:
        return None
    width, height, left, bottom = 720.0, 190.0, 44.0, 150.0
    tallest = max(1, *(sum(point.states.values()) for point in points))
    first, last = points[0], points[-1]
    description = (
        f"From {first.states.get('works', 0)} to {last.states.get('works', 0)} working capabilities, "
        f"from {first.usable} to {last.usable} usable rows."
    )
    root = svg.drawing(width, height, "Verdicts over time", description)
    step = (width - left) / len(points)
    svg.label(root, left - 6, 16, str(tallest), anchor="end")
    svg.label(root, left - 6, bottom, "0", anchor="end")
    for number, point in enumerate(points):
        top = bottom
        x = left + number * step
        for state in STATES:
            value = point.states.get(state, 0)
            size = value / tallest * (bottom - 10)
            top -= size
            bar = svg.add(
                root, "rect", f"trend-{state}", x=x + 1, y=top, width=max(1.0, min(step - 2, 40)), height=size
            )
            svg.tooltip(bar, f"{point.started_at[:16]}: {value} {state}, {point.usable} of {point.rows} rows usable")
        if number in (0, len(points) - 1):
            anchor = "start" if number == 0 else "end"
            at = x if number == 0 else min(width, x + min(step, 40))
            svg.label(root, at, bottom + 18, point.started_at[:16].replace("T", " "), anchor=anchor)
    return svg.markup(root)
