"""matrix.junit.xml: the expectations of the fleet file as assertions.

One suite per target, one case per expectation.  A verdict that is unknown is skipped with its
reason.  A row without expectations has one case: whether it is usable.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from reports.junit import Case, Result, add_suite, document
from reports.matrix.table import Mark, Matrix, Row


def render(matrix: Matrix) -> bytes:
    """The expectations as JUnit XML, UTF-8."""
    root = ElementTree.Element("testsuites")
    groups: dict[str, list[Row]] = {}
    for row in matrix.rows:
        groups.setdefault(row.target, []).append(row)
    for target, rows in groups.items():
        started_at = rows[0].started_at or matrix.started_at
        duration_s = sum(row.duration_s for row in rows)
        cases = [case for row in rows for case in _cases(row)]
        add_suite(root, target, "endpoint-probe.audit", started_at, rows[0].endpoint, duration_s, cases)
    return document(root)


def _cases(row: Row) -> Iterator[Case]:
    wanted = {name: mark for name, mark in row.marks.items() if mark.expected}
    where = f"endpoint-probe.{row.target}" + (f".{row.vantage}" if row.vantage else "")
    if row.state != "done" or not wanted:
        result = None
        if row.state == "failed":
            result = Result("error", row.problem, "endpoint-probe")
        elif row.state != "done":
            result = Result("skipped", "the audit ended before this row was probed")
        elif not row.usable:
            result = _failure("chat does not work", row)
        yield Case(f"{row.model} is usable".lstrip(), where, row.duration_s, result)
        return
    for name, mark in wanted.items():
        expected = " or ".join(mark.expected)
        result = None
        if mark.met is False:
            result = _failure(f"{name} is {mark.state}, expected {expected}", row, mark)
        elif mark.met is None:
            result = Result("skipped", f"inconclusive: {mark.note}")
        yield Case(f"{row.model} {name} is {expected}".lstrip(), where, row.duration_s, result)


def _failure(message: str, row: Row, mark: Mark | None = None) -> Result:
    lines = [mark.note] if mark and mark.note else []
    lines += [f"{item.severity}: {item.code}: {item.title}" for item in row.findings]
    kind = mark.finding if mark and mark.finding else "expectation"
    return Result("failure", message, kind, "\n".join(lines) or message)
