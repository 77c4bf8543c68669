"""How large a run's files are and how long each takes to make: `python -m tests.benchmarks.reportsize`.

One standard run of a healthy endpoint and one of a faulty one; every format is rendered several times, and the median
counts.  The first time, which loads the templates, is shown as well.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from probe.model import Report
from reports.registry import reporters
from tests.scenarios.runs import diagnose

TIMES = 5
ENDPOINTS = {"healthy": (), "held stream, leaking tool calls": ("stream-held", "tools-as-hermes")}


@dataclass(frozen=True)
class Size:
    """One file: kilobytes, and milliseconds to render it the first time and usually."""

    endpoint: str
    form: str
    kilobytes: float
    first_ms: float
    usual_ms: float


def sizes(endpoint: str, report: Report, times: int = TIMES) -> list[Size]:
    """Every built-in format of a report."""
    found = []
    for name, reporter in reporters().items():
        spent = []
        content = b""
        for _ in range(times):
            begin = time.perf_counter()
            content = reporter.render(report)
            spent.append((time.perf_counter() - begin) * 1000)
        found.append(Size(endpoint, name, len(content) / 1000, spent[0], statistics.median(spent)))
    return found


def measure() -> list[Size]:
    """Both endpoints' files."""
    return [item for name, given in ENDPOINTS.items() for item in sizes(name, diagnose(given))]


def table(found: list[Size]) -> Table:
    """A row for each file."""
    shown = Table("endpoint", "format", "kB", "first ms", "median ms", title="Report files of a standard run")
    for item in found:
        shown.add_row(item.endpoint, item.form, f"{item.kilobytes:.0f}", f"{item.first_ms:.1f}", f"{item.usual_ms:.1f}")
    return shown


def main() -> int:
    """Print the table."""
    Console(width=100).print(table(measure()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
