"""matrix.csv, matrix.json and matrix.md."""

from __future__ import annotations

import csv
import io

import msgspec

from reports.markdown import code, inline, table
from reports.matrix.table import Matrix, Row, headline, label_names
from reports.text import visible

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SHOWN_ROWS = 400


def as_json(matrix: Matrix) -> bytes:
    """The matrix as JSON, UTF-8, indented."""
    return msgspec.json.format(msgspec.json.encode(matrix), indent=2) + b"\n"


def as_csv(matrix: Matrix) -> bytes:
    """One line a row, one column a capability; UTF-8, RFC 4180."""
    labels = label_names(matrix.rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    head = [
        "target",
        "model",
        "vantage",
        "endpoint",
        *(f"label.{name}" for name in labels),
        "state",
        "usable",
        "server",
    ]
    head += ["errors", "warnings", "unmet", "problem", *matrix.capabilities]
    writer.writerow(head)
    for row in matrix.rows:
        cells = [row.target, row.model, row.vantage, row.endpoint, *(row.labels.get(name, "") for name in labels)]
        cells += [row.state, str(row.usable).lower(), row.server, str(row.count("error")), str(row.count("warning"))]
        cells += [" ".join(row.unmet), row.problem]
        cells += [row.marks[name].state if name in row.marks else "" for name in matrix.capabilities]
        writer.writerow([_harmless(cell) for cell in cells])
    return out.getvalue().encode("utf-8", "replace")


def _harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula (OWASP, "CSV Injection")."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def as_markdown(matrix: Matrix) -> bytes:
    """A summary for job pages and chats: the headline, what changed, what is not as expected, the matrix."""
    parts = [f"## endpoint-probe: {inline(matrix.fleet)}: {inline(headline(matrix))}"]
    if matrix.changes:
        rows = [
            (inline(item.kind), code(item.name), code(item.capability), f"{item.before} -> {item.after}",
             inline(item.trial_words), code(item.finding) if item.finding else "")
            for item in matrix.changes
        ]  # fmt: skip
        parts += [
            f"### Changed {inline(matrix.compared_with)}",
            table(("Kind", "Where", "Capability", "Verdict", "Sure", "Finding"), rows),
        ]
    elif matrix.compared_with:
        parts.append(f"Nothing changed {inline(matrix.compared_with)}.")
    unmet = [
        (code(row.name), code(name), inline(" or ".join(row.marks[name].expected)), inline(row.marks[name].state))
        for row in matrix.rows
        for name in row.unmet
    ]
    if unmet:
        parts += ["### Not as expected", table(("Where", "Capability", "Expected", "Verdict"), unmet)]
    if matrix.paths:
        parts += ["### Different from place to place", "\n".join(f"- {inline(text)}" for text in matrix.paths)]
    failed = [(code(row.name), inline(row.problem)) for row in matrix.rows if row.state == "failed"]
    if failed:
        parts += ["### Could not be probed", table(("Where", "Why"), failed)]
    parts += ["### Matrix", _matrix(matrix)]
    left = len(matrix.rows) - _SHOWN_ROWS
    if left > 0:
        parts.append(f"{left} more rows are in matrix.html and matrix.csv.")
    parts.append(f"Written by endpoint-probe {inline(matrix.tool)}; audit {code(matrix.audit)}.")
    return ("\n\n".join(parts) + "\n").encode("utf-8", "replace")


def _matrix(matrix: Matrix) -> str:
    names = matrix.tried
    head = ("Where", "Usable", "Findings", *(code(name) for name in names))
    return table(head, [_row(row, names) for row in matrix.rows[:_SHOWN_ROWS]])


def _row(row: Row, names: list[str]) -> list[str]:
    usable = "yes" if row.usable else "**no**" if row.state == "done" else inline(row.state)
    found = ", ".join(
        f"{row.count(severity)} {word}" for severity, word in (("error", "E"), ("warning", "W")) if row.count(severity)
    )
    states = [row.marks[name].state if name in row.marks else "" for name in names]
    return [code(row.name), usable, found, *(state if state in ("works", "") else f"**{state}**" for state in states)]
