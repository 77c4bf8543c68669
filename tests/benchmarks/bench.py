"""All figures with their machine and commit: `make bench`, or `python -m tests.benchmarks.bench [SECTION ...]`.

Each section prints its own tables while it runs; the last table has a line for every figure, with its limit where
there is one.  The exit status is 1 when a limit is passed.  A section that breaks is a line in the table too.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from probe.model import Depth

ROOT = Path(__file__).resolve().parents[2]
CONSOLE = Console(width=140, markup=False, highlight=False)
#: Generated hostile responses; the target in their own package plays 10,000, and every entry of the corpus.
HOSTILE_COUNT = 300
_SEED = "1"
#: Fewer than the benchmark of fleets takes by itself, where it also compares the verdicts with those of single runs.
FLEET_ENDPOINTS = 60


@dataclass(frozen=True)
class Figure:
    """One line of the table; ``holds`` is None where nothing is promised."""

    what: str
    value: str
    limit: str = ""
    holds: bool | None = None
    section: str = ""


def at_most(what: str, value: float, most: float, unit: str, digits: int = 1) -> Figure:
    """A figure with an upper limit."""
    return Figure(what, f"{value:.{digits}f} {unit}".strip(), f"<= {most:g}", value <= most)


def startup() -> list[Figure]:
    from tests.benchmarks import startup as module

    found = module.medians()
    CONSOLE.print(module.table(found))
    bare = found[module.BARE]
    return [
        Figure(f"CPU of {module.BARE}, median of {module.TIMES}", f"{bare * 1000:.0f} ms"),
        at_most(f"CPU of {module.HELP} over it", found[module.HELP] / bare, module.MOST_RATIO, "x", 2),
        *(
            Figure(f"CPU of {name} over it", f"{seconds / bare:.2f} x ({seconds * 1000:.0f} ms)")
            for name, seconds in found.items()
            if name not in (module.BARE, module.HELP)
        ),
    ]


def cost() -> list[Figure]:
    from probe.simulator import all_styles
    from tests.benchmarks import cost as module

    shown = Table("style", "depth", "requests", "prompt tokens", "completion tokens", "seconds", "over the limit")
    shown.title = f"A healthy endpoint at {module.RATE_TOKENS_S:g} tokens/s"
    figures = []
    for depth in Depth:
        reports = {item.name: module.measure(item.name, depth, 2.0) for item in all_styles()}
        limits = module.LIMITS[depth]
        over = []
        for style, report in reports.items():
            run = report.run
            passed = limits.passed(report) if limits else []
            over += passed
            figure = (run.requests, run.prompt_tokens, run.completion_tokens, f"{run.duration_s:.1f}")
            shown.add_row(style, str(depth), *map(str, figure), "; ".join(passed))
        runs = [report.run for report in reports.values()]
        most = f"{max(run.requests for run in runs)} requests, {max(run.prompt_tokens for run in runs)} prompt and "
        most += f"{max(run.completion_tokens for run in runs)} completion tokens, "
        most += f"{max(run.duration_s for run in runs):.1f} s"
        promised = "" if limits is None else _promise(limits)
        figures.append(
            Figure(f"most of {len(runs)} styles, {depth}", most, promised, None if limits is None else not over)
        )
    CONSOLE.print(shown)
    return figures


def _promise(limits: object) -> str:
    names = {"requests": "requests", "prompt_tokens": "prompt", "completion_tokens": "completion", "seconds": "s"}
    return ", ".join(
        f"<= {getattr(limits, name):g} {word}" for name, word in names.items() if getattr(limits, name) is not None
    )


def quick() -> list[Figure]:
    """Quick depth without any added latency, its streaming check included."""
    from probe.simulator import Simulator
    from tests.scenarios.runs import against

    with Simulator(first_token_s=0.0) as sim:
        report = against(sim, depth=Depth.QUICK, idle_s=0.0)
    ran = {check.id for check in report.checks if check.requests and check.outcome == "pass"}
    streamed = any(name.startswith("stream.") for name in ran)
    figure = at_most("quick depth, no added latency", report.run.duration_s, 5.0, "s")
    return [replace(figure, holds=bool(figure.holds) and streamed, value=f"{figure.value}, {len(ran)} checks passed")]


def walltime() -> list[Figure]:
    status, said = ran("tests.benchmarks.walltime")
    return [_read("wall time over critical path, worst", said, r"worst ratio ([\d.]+), at most ([\d.]+)", status, "x")]


def recall() -> list[Figure]:
    from tests.benchmarks import recall as module

    found = module.score(module.outcomes(module.cases(), module.JOBS))
    if found.wrong:
        CONSOLE.print(module.table(found))
    return [
        Figure(
            "faults with exactly their codes", f"{found.exact} of {found.faulty}", "all", found.exact == found.faulty
        ),
        Figure("healthy endpoints with a false alarm", f"{found.alarms} of {found.healthy}", "none", not found.alarms),
        Figure("endpoints with a broken check, or diagnosed again alone", f"{len(found.broken)}, {found.repeated}"),
    ]


def arrival() -> list[Figure]:
    status, said = ran("tests.benchmarks.arrival")
    lines = re.findall(r"with (\d+) other requests wanted: (.+ in (\d+) of (\d+) runs)", said)
    if not lines:
        return [Figure("error of arrival stamps", f"status {status}, no figures", holds=False)]
    return [
        Figure(f"error of arrival stamps beside {others} requests", text, "4 of 5", int(good) >= 0.8 * int(runs))
        for others, text, good, runs in lines
    ]


def hostile() -> list[Figure]:
    if find_spec("tests.hostile.soak") is None:
        return [Figure("hostile corpus", "not there")]
    status, said = ran("tests.hostile.soak", "--no-corpus", "--count", str(HOSTILE_COUNT), "--seed", _SEED)
    rows = re.findall(r"^(responses|runs|worst time|peak memory|failures)\s{2,}(.+)$", said, re.MULTILINE)
    if not rows:
        return [Figure("hostile corpus", f"status {status}, no figures", holds=False)]
    found = dict(rows)
    holds = {"failures": found.get("failures") == "0", "peak memory": int(found["peak memory"].split()[0]) < 250}
    limits = {"failures": "0", "peak memory": "< 250 MiB"}
    return [Figure(f"hostile endpoints, {name}", text, limits.get(name, ""), holds.get(name)) for name, text in rows]


def fleet() -> list[Figure]:
    status, said = ran("tests.benchmarks.fleet", "--endpoints", str(FLEET_ENDPOINTS), "--no-verify")
    return [
        _read("audit of a fleet over a bare httpx script", said, r"ratio ([\d.]+) \(at most ([\d.]+)\)", status, "x"),
        _read("largest process of it", said, r"process (\d+) MB \(at most (\d+)\)", status, "MB"),
    ]


def report() -> list[Figure]:
    from tests.benchmarks import reportsize as module

    found = module.measure()
    CONSOLE.print(module.table(found))
    return [
        Figure(f"report.{item.form}, {item.endpoint}", f"{item.kilobytes:.0f} kB, {item.usual_ms:.0f} ms to render")
        for item in found
        if item.form in ("json", "html")
    ]


def peers() -> list[Figure]:
    from tests.benchmarks import peers as module

    rows = module.compare(module.PEERS, module.ENDPOINTS)
    for shown in module.tables(rows):
        CONSOLE.print(shown)
    figures = []
    for name in dict.fromkeys((module.OURS, *(row.who for row in rows))):
        own = [row for row in rows if row.who == name]
        words = [row.verdict.word for row in own]
        faulty = sum(row.endpoint.rule is not None for row in own)
        text = (
            f"exact cause {words.count('exact')} of {faulty}, noticed {words.count('noticed')}, "
            f"false alarms {words.count('false alarm')}, {sum(row.requests for row in own)} requests, "
            f"{sum(row.seconds for row in own):.0f} s"
        )
        if own[0].verdict.word == "not installed":
            text = own[0].why
        ours = name == module.OURS
        limit = "all, no false alarm" if ours else ""
        figures.append(Figure(f"the same endpoints: {name}", text, limit, module.ours_is_exact(rows) if ours else None))
    return figures


SECTIONS: dict[str, Callable[[], list[Figure]]] = {
    "startup": startup,
    "quick": quick,
    "cost": cost,
    "walltime": walltime,
    "arrival": arrival,
    "report": report,
    "recall": recall,
    "fleet": fleet,
    "hostile": hostile,
    "peers": peers,
}


def _read(what: str, said: str, pattern: str, status: int, unit: str) -> Figure:
    found = re.search(pattern, said)
    if found is None:
        return Figure(what, f"status {status}, no figure", holds=False)
    return Figure(what, f"{found[1]} {unit}", f"<= {found[2]}", float(found[1]) <= float(found[2]))


def ran(module: str, *words: str) -> tuple[int, str]:
    """A benchmark that is a program of its own: its status and what it printed, which is shown as well."""
    done = subprocess.run(
        [sys.executable, "-m", module, *words], cwd=ROOT, check=False, capture_output=True, text=True, timeout=1200
    )
    CONSOLE.print(done.stdout.strip() or done.stderr.strip()[-2000:])
    return done.returncode, done.stdout


def machine() -> str:
    """Processor, cores, memory, Python and kernel."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE)
        model = found[1] if found else model
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    kernel = f"{platform.system()} {platform.release()}"
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {kernel}, {load} at the start"


def commit() -> str:
    """The commit, and whether files differ from it."""
    words = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "no git checkout"


def measured(name: str) -> list[Figure]:
    """A section's figures; where it breaks, a figure that says so."""
    CONSOLE.rule(name)
    begin = time.monotonic()
    try:
        figures = SECTIONS[name]()
    except Exception as error:
        traceback.print_exc()
        figures = [Figure(f"the section {name}", f"broke: {type(error).__name__}", holds=False)]
    CONSOLE.print(f"{name}: {time.monotonic() - begin:.0f} s")
    return [replace(figure, section=name) for figure in figures]


def summary(figures: list[Figure], where: str, version: str) -> Table:
    """The table of all figures."""
    shown = Table("section", "figure", "value", "limit", "holds", title=f"{version}\n{where}")
    words = {True: "yes", False: "NO", None: ""}
    for figure in figures:
        shown.add_row(figure.section, figure.what, figure.value, figure.limit, words[figure.holds])
    return shown


def main(words: list[str] | None = None) -> int:
    """Print the sections and the table; 1 when a limit was passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default: all")
    given = parser.parse_args(words)
    unknown = [name for name in given.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no such section: {', '.join(unknown)}; there are: {', '.join(SECTIONS)}")
    where, version, begin = machine(), commit(), time.monotonic()
    figures = [figure for name in given.sections or SECTIONS for figure in measured(name)]
    CONSOLE.print(summary(figures, where, version))
    bad = [figure for figure in figures if figure.holds is False]
    CONSOLE.print(f"{len(figures)} figures, {len(bad)} over their limit; {time.monotonic() - begin:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
