"""The matrix of an audit, assembled from the store, and its files: the matrix in every format and each run's report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path

from probe.cli.options import Unusable, write
from probe.files import write_whole
from probe.fleet.changes import Change, changes, ordered, path_differences
from probe.fleet.job import Cell, Judged
from probe.fleet.store import Audit, Planned, Ran, Store, definite
from probe.model import CAPABILITIES
from probe.report import BadReport, decode, unpacked
from probe.version import VERSION
from reports import summary
from reports.matrix import formats as tables
from reports.matrix import junit, page
from reports.matrix.table import ChangeLine, FindingLine, Mark, Matrix, Point, Row

#: Audits in the trend.
_TREND = 30


def assemble(store: Store, audit: Audit, since: str | None = None, *, links: bool = True) -> Matrix:
    """The matrix of an audit.

    Args:
        since: compare with what was known at this time (as the store keeps times) instead of
            with the run before.
        links: whether the matrix links to the reports.
    """
    runs = {run.cell: run for run in store.runs(audit=audit)}
    earlier = [item for item in store.audits(audit.fleet) if item.started_at < audit.started_at]
    found: list[Change] = []
    for cell, run in runs.items():
        before = store.look_back(audit, cell, since)
        found += changes(definite(before), run, before)
    changed = {(item.cell, item.capability): item.before for item in found}
    rows = []
    for item in store.plan(audit):
        ran = runs.get(item.cell)
        was = {name: before for (cell, name), before in changed.items() if cell == item.cell}
        rows.append(_row(item, ran, was, links=links))
    compared = f"with what was known at {since[:16]}" if since else "with the run before" if earlier else ""
    finished = next((item.finished_at for item in store.audits(audit.fleet) if item.id == audit.id), None)
    return Matrix(
        tool=VERSION,
        fleet=audit.fleet,
        audit=audit.id,
        started_at=audit.started_at,
        finished_at=finished,
        executor=audit.executor,
        capabilities=CAPABILITIES,
        rows=tuple(rows),
        changes=tuple(change_line(item) for item in ordered(found)),
        compared_with=compared,
        paths=tuple(str(item) for item in path_differences(runs.values())),
        trend=_trend(store, audit),
    )


def report_name(cell: Cell, run_id: str) -> str:
    """The file name of a run's report, without its ending; no two runs share one."""
    return f"{cell.slug}-{re.sub(r'[^0-9A-Za-z]', '_', run_id[:8])}"


def change_line(item: Change) -> ChangeLine:
    """A change as the matrix shows it."""
    cell = item.cell
    known = {name.name: getattr(item, name.name) for name in fields(item) if name.name != "cell"}
    return ChangeLine(target=cell.target, model=cell.model, vantage=cell.vantage, **known)


def _row(item: Planned, run: Ran | None, changed: Mapping[str, str], *, links: bool) -> Row:
    cell = item.cell
    row = Row(cell.target, cell.model, cell.vantage, item.endpoint, item.labels, item.state, item.problem)
    if run is None:
        return row
    known = [name for name in CAPABILITIES if name in run.verdicts]
    names = (*known, *(set(run.verdicts) - set(known)))
    return replace(
        row,
        usable=run.usable,
        complete=run.complete,
        base_url=run.base_url,
        server=summary.software(run.software, run.version, run.hops),
        started_at=run.started_at,
        duration_s=run.duration_s,
        requests=run.requests,
        findings=tuple(FindingLine(each.code, each.severity, each.owner, each.title) for each in run.findings),
        marks={name: _mark(run.verdicts[name], item, run, changed.get(name, "")) for name in names},
        report=f"reports/{report_name(cell, run.id)}.html" if links else None,
    )


def _mark(judged: Judged, item: Planned, run: Ran, changed: str) -> Mark:
    expected = tuple(item.expect.get(judged.capability, ()))
    return Mark(
        judged.state,
        judged.confidence,
        judged.finding,
        judged.note,
        judged.trials,
        judged.agreed,
        expected,
        is_met(judged.state, expected, usable=run.usable),
        changed,
    )


def is_met(state: str, expected: tuple[str, ...], *, usable: bool) -> bool | None:
    """Whether an expectation is met; None where there is none or the verdict is unknown.

    Without a usable chat completion an unknown capability counts as missed.
    """
    if not expected or (usable and state == "unknown" and state not in expected):
        return None
    return state in expected


def _trend(store: Store, audit: Audit) -> tuple[Point, ...]:
    found = [item for item in store.audits(audit.fleet, _TREND + 1) if item.started_at <= audit.started_at]
    points = []
    for item in reversed(found[:_TREND]):
        runs = store.runs(audit=item, brief=True)
        states = Counter(judged.state for run in runs for judged in run.verdicts.values())
        points.append(Point(item.started_at, len(runs), sum(run.usable for run in runs), dict(states)))
    return tuple(points)


# The files -----------------------------------------------------------------------------------------------

FORMATS: dict[str, tuple[str, Callable[[Matrix], bytes]]] = {
    "html": ("matrix.html", page.render),
    "json": ("matrix.json", tables.as_json),
    "csv": ("matrix.csv", tables.as_csv),
    "markdown": ("matrix.md", tables.as_markdown),
    "junit": ("matrix.junit.xml", junit.render),
}


def write_matrix(matrix: Matrix, out: Path, formats: Iterable[str]) -> list[Path]:
    """Write the matrix in these formats, each file whole or not at all.

    Raises:
        Unusable: a file cannot be written.
    """
    written = []
    for name in formats:
        file, render = FORMATS[name]
        write(out / file, render(matrix), "name another folder with --out")
        written.append(out / file)
    return written


def write_report(content: bytes, stem: str) -> None:
    """Write one run's report as JSON and HTML; called in a worker process.

    Args:
        content: report.json, compressed with gzip.
        stem: the path without its ending.
    """
    from reports.html import page

    plain = unpacked(content)
    write_whole(Path(f"{stem}.json"), plain)
    write_whole(Path(f"{stem}.html"), page.render(decode(plain)))


_ENDINGS = (".html", ".json")


def complete_reports(store: Store, audit: Audit, out: Path) -> None:
    """Write the reports that are missing, and delete those of earlier runs of the fleet that the store has.

    Raises:
        Unusable: a file cannot be written.
    """
    folder = out / "reports"
    kept: set[str] = set()
    try:
        for run in store.runs(audit=audit):
            stem = report_name(run.cell, run.id)
            kept |= {stem + end for end in _ENDINGS}
            if (folder / f"{stem}.html").exists():
                continue
            content = store.report(run.id)
            if content is not None:
                write_report(content, str(folder / stem))
        names = {f"{report_name(cell, run)}{end}" for cell, run in store.recorded(audit.fleet) for end in _ENDINGS}
        for name in names - kept:
            (folder / name).unlink(missing_ok=True)
    except (OSError, BadReport) as error:
        raise Unusable(f"cannot write the reports to {folder} ({error}); name another folder with --out") from None
