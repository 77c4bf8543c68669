"""matrix.junit.xml: what the fleet file expects, as assertions.

One suite a target, one case an expectation.  What could not be told is skipped with the
reason; a row without expectations is asked only whether it is usable.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree

from reports.junit import legal
from reports.matrix.table import Mark, Matrix, Row


def render(matrix: Matrix) -> bytes:
    """The expectations as JUnit XML, UTF-8."""
    root = ElementTree.Element("testsuites")
    groups: dict[str, list[Row]] = {}
    for row in matrix.rows:
        groups.setdefault(row.target, []).append(row)
    for number, (target, rows) in enumerate(groups.items()):
        _suite(root, number, target, rows, matrix)
    ElementTree.indent(root)
    made: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _suite(root: ElementTree.Element, number: int, target: str, rows: list[Row], matrix: Matrix) -> None:
    suite = ElementTree.SubElement(root, "testsuite")
    ElementTree.SubElement(suite, "properties")
    for row in rows:
        _cases(suite, row)
    cases = suite.findall("testcase")
    counts = {tag: sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error", "skipped")}
    suite.attrib.update(
        {
            "name": legal(target),
            "package": "endpoint-probe.audit",
            "id": str(number),
            "timestamp": _stamp(rows[0].started_at or matrix.started_at),
            "hostname": legal(_host(rows[0].endpoint)),
            "tests": str(len(cases)),
            "failures": str(counts["failure"]),
            "errors": str(counts["error"]),
            "skipped": str(counts["skipped"]),
            "time": f"{sum(row.duration_s for row in rows):.3f}",
        }
    )
    ElementTree.SubElement(suite, "system-out").text = ""
    ElementTree.SubElement(suite, "system-err").text = ""


def _stamp(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%S")


def _host(endpoint: str) -> str:
    try:
        return urlsplit(endpoint).hostname or "unknown"
    except ValueError:
        return "unknown"


def _cases(suite: ElementTree.Element, row: Row) -> None:
    wanted = {name: mark for name, mark in row.marks.items() if mark.expected}
    where = f"endpoint-probe.{row.target}" + (f".{row.vantage}" if row.vantage else "")
    seconds = f"{row.duration_s:.3f}"
    if row.state != "done" or not wanted:
        case = _case(suite, where, f"{row.model} is usable".lstrip(), seconds)
        if row.state == "failed":
            said = {"message": legal(row.problem), "type": "endpoint-probe"}
            ElementTree.SubElement(case, "error", said)
        elif row.state != "done":
            ElementTree.SubElement(case, "skipped", {"message": "the audit ended before it was probed"})
        elif not row.usable:
            _fail(case, "no chat completion could be had", row)
        return
    for name, mark in wanted.items():
        expected = " or ".join(mark.expected)
        case = _case(suite, where, f"{row.model} {name} is {expected}".lstrip(), seconds)
        if mark.met is False:
            _fail(case, f"{name} is {mark.state}, expected {expected}", row, mark)
        elif mark.met is None:
            ElementTree.SubElement(case, "skipped", {"message": legal(f"could not tell: {mark.note}")})


def _case(suite: ElementTree.Element, where: str, name: str, seconds: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", {"name": legal(name), "classname": legal(where), "time": seconds})


def _fail(case: ElementTree.Element, message: str, row: Row, mark: Mark | None = None) -> None:
    kind = mark.finding if mark and mark.finding else "expectation"
    failure = ElementTree.SubElement(case, "failure", {"message": legal(message), "type": legal(kind)})
    lines = [mark.note] if mark and mark.note else []
    lines += [f"{item.severity}: {item.code}: {item.title}" for item in row.findings]
    failure.text = legal("\n".join(lines) or message)
