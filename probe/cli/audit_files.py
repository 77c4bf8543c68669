"""The files of an audit: the matrix in every format, and each run's report beside it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from pathlib import Path

from probe.cli.audit_matrix import report_name
from probe.cli.options import Unusable
from probe.fleet.store import Audit, Store
from probe.report import BadReport, decode, write_whole
from reports.matrix import formats as tables
from reports.matrix import junit, page
from reports.matrix.table import Matrix

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
        write(out / file, render(matrix))
        written.append(out / file)
    return written


def write(path: Path, content: bytes) -> None:
    """Write one file whole or not at all.

    Raises:
        Unusable: it cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise Unusable(f"cannot write {path} ({error.strerror}); name another place") from None


def write_report(content: bytes, stem: str) -> None:
    """Write one run's report as JSON and HTML; called in a worker process.

    Args:
        content: report.json, compressed with gzip.
        stem: the path without its ending.
    """
    from reports import html

    plain = gzip.decompress(content)
    write_whole(Path(f"{stem}.json"), plain)
    write_whole(Path(f"{stem}.html"), html.render(decode(plain)))


def complete_reports(store: Store, audit: Audit, out: Path) -> None:
    """Write the reports that are missing, and take away those of earlier audits.

    Raises:
        Unusable: a file cannot be written.
    """
    folder = out / "reports"
    kept: set[str] = set()
    try:
        for run in store.runs(audit=audit):
            stem = report_name(run)
            kept |= {f"{stem}.html", f"{stem}.json"}
            if (folder / f"{stem}.html").exists():
                continue
            content = store.report(run.id)
            if content is not None:
                write_report(content, str(folder / stem))
        for file in folder.glob("*-????????-????????.*") if folder.is_dir() else ():
            if file.suffix in (".html", ".json") and file.name not in kept:
                file.unlink(missing_ok=True)
    except (OSError, BadReport) as error:
        raise Unusable(f"cannot write the reports to {folder} ({error}); name another folder with --out") from None
