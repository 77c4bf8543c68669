"""The matrix as CSV, JSON, Markdown and metrics."""

from __future__ import annotations

import csv
import io
from datetime import datetime

import msgspec

from probe.model import SEVERITIES
from probe.report import escaped
from probe.wording import amount
from reports.markdown import code, inline, table
from reports.matrix.table import STATES, Matrix, Row, headline, label_names
from reports.text import visible

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SHOWN_ROWS = 400


def as_json(matrix: Matrix) -> bytes:
    """The matrix as JSON, UTF-8, indented."""
    return escaped(msgspec.json.format(msgspec.json.encode(matrix), indent=2)) + b"\n"


def as_csv(matrix: Matrix) -> bytes:
    """One line per row, one column per capability; UTF-8, RFC 4180."""
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
    """Text that no spreadsheet reads as a formula (OWASP, "CSV Injection")."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def as_markdown(matrix: Matrix) -> bytes:
    """A summary for job pages and chats: headline, changes, missed expectations, matrix."""
    parts = [f"## endpoint-probe: {inline(matrix.fleet)}: {inline(headline(matrix))}"]
    if matrix.changes:
        rows = [
            (
                *(inline(item.kind), code(item.name), code(item.capability), f"{item.before} -> {item.after}"),
                *(inline(item.trial_words), code(item.finding) if item.finding else ""),
            )
            for item in matrix.changes
        ]
        head = ("Kind", "Where", "Capability", "Verdict", "Trials", "Finding")
        parts += [f"### Changes, compared {inline(matrix.compared_with)}", table(head, rows)]
    elif matrix.compared_with:
        parts.append(f"Compared {inline(matrix.compared_with)}, nothing changed.")
    unmet = [
        (code(row.name), code(name), inline(" or ".join(row.marks[name].expected)), inline(row.marks[name].state))
        for row in matrix.rows
        for name in row.unmet
    ]
    if unmet:
        parts += ["### Not as expected", table(("Where", "Capability", "Expected", "Verdict"), unmet)]
    if matrix.paths:
        parts += ["### Differences between places", "\n".join(f"- {inline(text)}" for text in matrix.paths)]
    failed = [(code(row.name), inline(row.problem)) for row in matrix.rows if row.state == "failed"]
    if failed:
        parts += ["### Could not be probed", table(("Where", "Why"), failed)]
    parts += ["### Matrix", _matrix(matrix)]
    more = len(matrix.rows) - _SHOWN_ROWS
    if more > 0:
        parts.append(f"{amount(more, 'more row')} in matrix.html and matrix.csv.")
    parts.append(f"Written by endpoint-probe {inline(matrix.tool)}; audit {code(matrix.audit)}.")
    return ("\n\n".join(parts) + "\n").encode("utf-8", "replace")


def _matrix(matrix: Matrix) -> str:
    names = matrix.tried
    head = ("Where", "Usable", "Findings", *(code(name) for name in names))
    return table(head, [_row(row, names) for row in matrix.rows[:_SHOWN_ROWS]])


def _row(row: Row, names: list[str]) -> list[str]:
    usable = "yes" if row.usable else f"**no**: {inline(row.cause)}" if row.state == "done" else inline(row.state)
    found = ", ".join(
        f"{row.count(severity)} {word}" for severity, word in (("error", "E"), ("warning", "W")) if row.count(severity)
    )
    states = [row.marks[name].state if name in row.marks else "" for name in names]
    return [code(row.name), usable, found, *(state if state in ("works", "") else f"**{state}**" for state in states)]


# Metrics -------------------------------------------------------------------------------------------


def as_metrics(matrix: Matrix) -> bytes:
    """The matrix as metrics for node_exporter's textfile collector or any scraper, UTF-8.

    The text is valid OpenMetrics 1.0 and has the same meaning in Prometheus's own text format: gauges
    only, one sample per line, labels escaped, ``# EOF`` at the end.
    """
    done = [(row, _labels(row)) for row in matrix.done]
    marks = [(labels | {"capability": name}, mark) for row, labels in done for name, mark in row.marks.items()]
    fleet = {"fleet": matrix.fleet}
    families: list[tuple[str, str, list[tuple[dict[str, str], float]]]] = [
        ("usable", "Whether chat works.", [(labels, row.usable) for row, labels in done]),
        (
            "capability",
            "1 for the state of a capability, 0 for the others.",
            [(labels | {"state": state}, mark.state == state) for labels, mark in marks for state in STATES],
        ),
        (
            "expectation_met",
            "Whether a capability is as the fleet file expects; absent where the verdict is unknown.",
            [(labels, mark.met) for labels, mark in marks if mark.expected and mark.met is not None],
        ),
        (
            "findings",
            "Number of findings of a severity.",
            [(labels | {"severity": word}, row.count(word)) for row, labels in done for word in SEVERITIES],
        ),
        ("run_duration_seconds", "Duration of the run.", [(labels, row.duration_s) for row, labels in done]),
        ("run_requests", "Requests that the run sent.", [(labels, row.requests) for row, labels in done]),
        (
            "run_timestamp_seconds",
            "Start of the run, in seconds since 1970.",
            [(labels, _since_1970(row.started_at)) for row, labels in done],
        ),
        (
            "changes",
            "Verdicts that changed since the run before, by kind.",
            [
                (fleet | {"kind": kind}, len(matrix.changed(kind)))
                for kind in ("regression", "flapping", "change", "recovery")
            ],
        ),
        (
            "audit_timestamp_seconds",
            "Start of the audit, in seconds since 1970.",
            [(fleet, _since_1970(matrix.started_at))],
        ),
        (
            "audit_rows",
            "Rows of the audit by state.",
            [
                (fleet | {"state": state}, sum(row.state == state for row in matrix.rows))
                for state in ("done", "failed", "planned")
            ],
        ),
    ]
    lines: list[str] = []
    for name, meaning, samples in families:
        lines += [f"# TYPE endpoint_probe_{name} gauge", f"# HELP endpoint_probe_{name} {meaning}"]
        for labels, value in samples:
            shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            lines.append(f"endpoint_probe_{name}{{{shown}}} {float(value):.3f}".removesuffix(".000"))
    return ("\n".join([*lines, "# EOF"]) + "\n").encode("utf-8", "replace")


def _labels(row: Row) -> dict[str, str]:
    own = {f"label_{name.replace('-', '_')}": value for name, value in sorted(row.labels.items())}
    return {"target": row.target, "model": row.model, "vantage": row.vantage, **own}


def _since_1970(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _escaped(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", " ")
