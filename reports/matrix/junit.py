"""matrix.junit.xml: the expectations of the fleet file as assertions.

One suite per target, one case per expectation.  A verdict that is unknown is skipped with its
reason.  A row without expectations has one case: whether it is usable.
"""

from __future__ import annotations

from xml.etree import ElementTree

from reports.junit import close_suite, document, host, legal, timestamp
from reports.matrix.table import Mark, Matrix, Row


def render(matrix: Matrix) -> bytes:
    """The expectations as JUnit XML, UTF-8."""
    root = ElementTree.Element("testsuites")
    groups: dict[str, list[Row]] = {}
    for row in matrix.rows:
        groups.setdefault(row.target, []).append(row)
    for number, (target, rows) in enumerate(groups.items()):
        _suite(root, number, target, rows, matrix)
    return document(root)


def _suite(root: ElementTree.Element, number: int, target: str, rows: list[Row], matrix: Matrix) -> None:
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {
            "name": legal(target),
            "package": "endpoint-probe.audit",
            "id": str(number),
            "timestamp": timestamp(rows[0].started_at or matrix.started_at),
            "hostname": legal(host(rows[0].endpoint)),
            "time": f"{sum(row.duration_s for row in rows):.3f}",
        },
    )
    ElementTree.SubElement(suite, "properties")
    for row in rows:
        _cases(suite, row)
    close_suite(suite)


def _cases(suite: ElementTree.Element, row: Row) -> None:
    wanted = {name: mark for name, mark in row.marks.items() if mark.expected}
    where = f"endpoint-probe.{row.target}" + (f".{row.vantage}" if row.vantage else "")
    seconds = f"{row.duration_s:.3f}"
    if row.state != "done" or not wanted:
        case = _case(suite, where, f"{row.model} is usable".lstrip(), seconds)
        if row.state == "failed":
            ElementTree.SubElement(case, "error", {"message": legal(row.problem), "type": "endpoint-probe"})
        elif row.state != "done":
            ElementTree.SubElement(case, "skipped", {"message": "the audit ended before this row was probed"})
        elif not row.usable:
            _fail(case, "chat does not work", row)
        return
    for name, mark in wanted.items():
        expected = " or ".join(mark.expected)
        case = _case(suite, where, f"{row.model} {name} is {expected}".lstrip(), seconds)
        if mark.met is False:
            _fail(case, f"{name} is {mark.state}, expected {expected}", row, mark)
        elif mark.met is None:
            ElementTree.SubElement(case, "skipped", {"message": legal(f"inconclusive: {mark.note}")})


def _case(suite: ElementTree.Element, where: str, name: str, seconds: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", {"name": legal(name), "classname": legal(where), "time": seconds})


def _fail(case: ElementTree.Element, message: str, row: Row, mark: Mark | None = None) -> None:
    kind = mark.finding if mark and mark.finding else "expectation"
    failure = ElementTree.SubElement(case, "failure", {"message": legal(message), "type": legal(kind)})
    lines = [mark.note] if mark and mark.note else []
    lines += [f"{item.severity}: {item.code}: {item.title}" for item in row.findings]
    failure.text = legal("\n".join(lines) or message)
