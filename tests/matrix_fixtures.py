"""Matrices for the tests of their formats: a calm one, one with everything in it, a hostile and a large one."""

from __future__ import annotations

from reports.matrix.table import ChangeLine, FindingLine, Mark, Matrix, Point, Row
from tests.reports_fixtures import ATTACKS

NAMES = ("chat", "streaming", "tools", "vision", "stop")
AT = "2026-11-24T06:00:00.000+00:00"


def row(number: int, *, name: str = "", tools: str = "works", **more: object) -> Row:
    """A usable row; ``tools`` is the state of that capability."""
    marks = {each: Mark("works", 1.0) for each in NAMES}
    marks["tools"] = Mark(tools, 1.0, None if tools == "works" else "tools.ignored", "a note", expected=("works",),
                          met=tools == "works", changed="" if tools == "works" else "works")  # fmt: skip
    marks["vision"] = Mark("unknown", 0.0, note="not tried")
    values: dict[str, object] = {
        "target": name or f"gw-{number:03d}",
        "model": "model-a",
        "vantage": "",
        "endpoint": f"https://gw{number}.example/v1",
        "labels": {"site": "ams" if number % 2 else "fra", "tier": "prod"},
        "state": "done",
        "usable": True,
        "server": "vllm 0.9, behind nginx",
        "started_at": AT,
        "duration_s": 3.25,
        "requests": 30,
        "marks": marks,
        "report": f"reports/gw-{number}.html",
    }
    return Row(**{**values, **more})  # type: ignore[arg-type]


def matrix(*rows: Row, **more: object) -> Matrix:
    values: dict[str, object] = {
        "tool": "0.1.0",
        "fleet": "production",
        "audit": "a" * 32,
        "started_at": AT,
        "finished_at": AT,
        "executor": "local",
        "capabilities": NAMES,
        "rows": rows,
    }
    return Matrix(**{**values, **more})  # type: ignore[arg-type]


def calm() -> Matrix:
    """Nothing to look at."""
    return matrix(*(row(number) for number in range(3)), compared_with="with the run before")


def eventful() -> Matrix:
    """A regression, a flapping verdict, a missed expectation, a failed row, a path, a trend."""
    lost = row(1, tools="ignored", findings=(FindingLine("tools.ignored", "error", "server", "Tools are dropped"),))
    dead = row(2, usable=False, marks={"chat": Mark("unknown", expected=("works",), met=False)})
    failed = Row("gw-bad", "", "", "https://bad.example", {"tier": "prod"}, "failed", "the variable K is not set")
    changes = (
        ChangeLine("regression", "gw-001", "model-a", "", "tools", "works", "ignored", 3, 3, "tools.ignored", AT),
        ChangeLine("flapping", "gw-000", "model-a", "dmz", "streaming", "works", "broken", 3, 1, "stream.held", AT),
    )
    trend = tuple(
        Point(f"2026-11-{day:02d}T06:00:00.000+00:00", 4, 3, {"works": 10 - day, "broken": day, "unknown": 2})
        for day in range(1, 9)
    )
    paths = ("gw-000 model-a: streaming broken from dmz; works from office (stream.held); only on that path: nginx",)
    return matrix(
        row(0, vantage="dmz"), lost, dead, failed, changes=changes, compared_with="with the run before", trend=trend,
        paths=paths,
    )  # fmt: skip


def hostile() -> Matrix:
    """Every text an endpoint or a fleet file could bring, at its worst."""
    rows = []
    for number, text in enumerate(ATTACKS):
        marks = {"tools": Mark("broken", 1.0, text, text, expected=("works",), met=False, changed="works")}
        rows.append(
            row(number, name=text, model=text, server=text, endpoint=text, marks=marks, problem=text,
                labels={"site": text.replace("\x00", "")}, findings=(FindingLine(text, "error", "server", text),))
        )  # fmt: skip
    changes = tuple(
        ChangeLine("regression", text, text, text, "tools", "works", "broken", 1, 1, text, AT, text) for text in ATTACKS
    )
    return matrix(*rows, fleet=ATTACKS[0], changes=changes, paths=tuple(ATTACKS), compared_with="with the run before")


def large(count: int) -> Matrix:
    """Many rows."""
    return matrix(*(row(number, tools="ignored" if number % 7 == 0 else "works") for number in range(count)))
