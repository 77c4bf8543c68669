"""The matrix as metrics in a text file, for node_exporter's textfile collector or any scraper.

The text is valid OpenMetrics 1.0 and reads the same in Prometheus's own text format:
gauges only, one sample a line, labels escaped, ``# EOF`` at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from reports.matrix.table import STATES, Matrix, Row
from reports.text import visible

_PREFIX = "endpoint_probe"
_Sample = tuple[Mapping[str, str], float]


def render(matrix: Matrix) -> bytes:
    """The metrics, UTF-8."""
    rows = matrix.done
    lines: list[str] = []
    families: list[tuple[str, str, Iterable[_Sample]]] = [
        ("usable", "Whether a chat completion could be had.", [(_of(row), float(row.usable)) for row in rows]),
        ("capability", "1 for the state a capability is in, 0 for the others.", _states(rows)),
        (
            "expectation_met",
            "Whether a capability is as the fleet file expects; absent where it could not be told.",
            [
                ({**_of(row), "capability": name}, float(mark.met))
                for row in rows
                for name, mark in row.marks.items()
                if mark.expected and mark.met is not None
            ],
        ),
        (
            "findings",
            "How many findings of a severity the run had.",
            [
                ({**_of(row), "severity": severity}, float(row.count(severity)))
                for row in rows
                for severity in ("error", "warning", "info")
            ],
        ),
        ("run_duration_seconds", "How long the run took.", [(_of(row), row.duration_s) for row in rows]),
        ("run_requests", "How many requests the run sent.", [(_of(row), float(row.requests)) for row in rows]),
        (
            "run_timestamp_seconds",
            "When the run began, in seconds since 1970.",
            [(_of(row), datetime.fromisoformat(row.started_at).timestamp()) for row in rows],
        ),
        (
            "changes",
            "How many verdicts changed since the run before, by kind.",
            [
                ({"fleet": matrix.fleet, "kind": kind}, float(len(matrix.changed(kind))))
                for kind in ("regression", "flapping", "change", "recovery")
            ],
        ),
        (
            "audit_timestamp_seconds",
            "When the audit began, in seconds since 1970.",
            [({"fleet": matrix.fleet}, datetime.fromisoformat(matrix.started_at).timestamp())],
        ),
        (
            "audit_rows",
            "Rows of the audit by what became of them.",
            [
                ({"fleet": matrix.fleet, "state": state}, float(sum(row.state == state for row in matrix.rows)))
                for state in ("done", "failed", "planned")
            ],
        ),
    ]
    for name, told, samples in families:
        lines += [f"# TYPE {_PREFIX}_{name} gauge", f"# HELP {_PREFIX}_{name} {told}"]
        lines += [_line(f"{_PREFIX}_{name}", labels, value) for labels, value in samples]
    return ("\n".join([*lines, "# EOF"]) + "\n").encode("utf-8", "replace")


def _of(row: Row) -> dict[str, str]:
    own = {f"label_{name.replace('-', '_')}": value for name, value in sorted(row.labels.items())}
    return {"target": row.target, "model": row.model, "vantage": row.vantage, **own}


def _states(rows: Iterable[Row]) -> list[_Sample]:
    return [
        ({**_of(row), "capability": name, "state": state}, float(mark.state == state))
        for row in rows
        for name, mark in row.marks.items()
        for state in STATES
    ]


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{shown}}} {value:.3f}".removesuffix(".000")


def _escaped(text: str) -> str:
    return visible(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", " ")
