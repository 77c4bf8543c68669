"""Wall time of a run over the length of its critical path: `python -m tests.benchmarks.walltime`.

Against an endpoint that takes 300 ms before it answers.  No schedule can be shorter than its
critical path: the longest chain of checks that wait for each other, and beside it every
exclusive check, since nothing runs while one does.  The exit status is 1 when a run takes
more than 1.25 times that.
"""

from __future__ import annotations

import argparse
import sys
from graphlib import TopologicalSorter

from rich.console import Console
from rich.table import Table

from probe.catalogue import registry
from probe.model import Depth, Report
from probe.run.scheduler import graph
from probe.simulator import Simulator
from tests.scenarios.runs import against

LATENCY_S = 0.3
MOST = 1.25


def critical_path(report: Report) -> tuple[float, list[str]]:
    """Seconds of the shortest possible schedule of the checks that ran, and the chain that makes it.

    The chain is counted without the exclusive checks on it; these are added as a whole,
    wherever they stand.
    """
    ran = {item.id: item for item in report.checks if item.started_s is not None}
    declared = [item for item in registry.checks() if item.id in ran]
    edges = graph(declared)
    length: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for name in TopologicalSorter(edges).static_order():
        own = 0.0 if ran[name].exclusive else ran[name].duration_s
        best = max(edges[name], key=lambda other: length[other], default=None)
        length[name] = own + (length[best] if best else 0.0)
        before[name] = best
    last: str | None = max(length, key=lambda name: length[name])
    total = length[last] if last else 0.0
    chain: list[str] = []
    while last is not None:
        chain.insert(0, last)
        last = before[last]
    return total + sum(item.duration_s for item in ran.values() if item.exclusive), chain


def main(words: list[str] | None = None) -> int:
    """Print the table; 1 when a run took too long."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.walltime", description=__doc__)
    parser.add_argument("--styles", default="openai,vllm,llamacpp")
    parser.add_argument("--depths", default="quick,standard")
    parser.add_argument("--latency", type=float, default=LATENCY_S, help="seconds before every answer")
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--idle", type=float, default=0.0, help="silence to wait out, seconds")
    parser.add_argument("--chart", action="store_true", help="also print when each check ran")
    given = parser.parse_args(words)
    console = Console(width=120)
    table = Table("style", "depth", "wall s", "critical path s", "ratio", "exclusive s", "the chain")
    table.title = f"Wall time at {given.latency * 1000:g} ms latency, concurrency {given.concurrency}"
    worst = 0.0
    charts: list[tuple[str, Report]] = []
    for style in given.styles.split(","):
        for depth in map(Depth, given.depths.split(",")):
            with Simulator(style, latency_s=given.latency) as sim:
                report = against(sim, depth=depth, concurrency=given.concurrency, idle_s=given.idle)
            path, chain = critical_path(report)
            ratio = report.run.duration_s / path if path else 0.0
            worst = max(worst, ratio)
            alone = sum(item.duration_s for item in report.checks if item.exclusive and item.started_s is not None)
            cells = (f"{report.run.duration_s:.2f}", f"{path:.2f}", f"{ratio:.2f}", f"{alone:.2f}", " > ".join(chain))
            table.add_row(style, str(depth), *cells)
            charts.append((f"{style}, {depth}", report))
    console.print(table)
    console.print(f"worst ratio {worst:.2f}, at most {MOST}")
    if given.chart:
        for title, report in charts:
            console.print(chart(title, report))
    return 1 if worst > MOST else 0


def chart(title: str, report: Report) -> Table:
    """When each check ran, as bars over the run's time."""
    width = 70
    span = max(report.run.duration_s, 0.001)
    table = Table("check", "started", "seconds", "", title=title)
    for item in sorted(report.checks, key=lambda check: check.started_s or 0.0):
        if item.started_s is None:
            continue
        start = round(item.started_s / span * width)
        bar = " " * start + ("=" if item.exclusive else "-") * max(1, round(item.duration_s / span * width))
        table.add_row(item.id, f"{item.started_s:.2f}", f"{item.duration_s:.2f}", bar[: width + 1])
    return table


if __name__ == "__main__":
    sys.exit(main())
