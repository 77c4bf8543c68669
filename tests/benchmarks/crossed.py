"""Each fault of a family on each server style: `python -m tests.benchmarks.crossed [--family tools] [--seconds 900]`.

tests.benchmarks.recall runs each fault on one style.  A cause has to be found behind every server, so this runs the
product, in a random order until the time is up, and counts what was said of each run:

- exact: the codes that the fault yields and those of the healthy style, no more and no fewer;
- could not tell: some of them are missing, and nothing else is said;
- wrong: a code that is not there.

What is not exact is repeated once, alone.  The exit status is 1 when something wrong is left.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from rich.console import Console
from rich.table import Table

from probe.simulator import all_faults, all_styles
from tests.benchmarks.recall import Outcome, outcome
from tests.scenarios.cases import Case

JOBS = 8
KINDS = ("exact", "could not tell", "wrong")
#: The checks that see the faults of a family, where those of the family itself are not all.
CHECKS: Mapping[str, tuple[str, ...]] = {"tools": ("tools.*", "roles.turns", "params.limit")}


def healthy(family: str) -> list[Case]:
    """Each style without a fault."""
    only = CHECKS.get(family, (f"{family}.*",))
    return [Case(style.name, style.name, frozenset(), only=only) for style in all_styles()]


def crossed(family: str, usual: Mapping[str, frozenset[str]]) -> list[Case]:
    """Each fault of the family on each style.

    Args:
        usual: the codes of each healthy style.
    """
    only = CHECKS.get(family, (f"{family}.*",))
    faults = [item for item in all_faults() if any(code.partition(".")[0] == family for code in item.yields)]
    return [
        Case(f"{fault.name} on {style}", style, frozenset(fault.yields) | codes, fault.name, deep=fault.deep, only=only)
        for fault in faults
        for style, codes in usual.items()
    ]


def kind(item: Outcome) -> str:
    """What was said of a run."""
    if item.extra or item.broken:
        return KINDS[2]
    return KINDS[1] if item.missed else KINDS[0]


def within(cases: Sequence[Case], jobs: int, seconds: float) -> Iterator[Outcome]:
    """The outcomes of as many cases as begin in time."""
    left, running = list(reversed(cases)), set[Future[Outcome]]()
    end = time.monotonic() + seconds
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        while running or (left and time.monotonic() < end):
            while left and len(running) < jobs and time.monotonic() < end:
                running.add(pool.submit(outcome, left.pop()))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)


def table(found: Iterable[Outcome]) -> Table:
    """How many runs of each style were of each kind."""
    shown = Table("style", *KINDS, title="Exact causes")
    rows: dict[str, list[int]] = {}
    for item in found:
        for name in (item.case.style, "all"):
            rows.setdefault(name, [0] * len(KINDS))[KINDS.index(kind(item))] += 1
    for name in sorted(rows, key=lambda name: (name == "all", name)):
        shown.add_row(name, *(f"{count} ({100 * count / sum(rows[name]):.1f} %)" for count in rows[name]))
    return shown


def main(words: list[str] | None = None) -> int:
    """Print the table and what was not exact; 1 when something wrong was said."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.crossed", description=__doc__)
    parser.add_argument("--family", default="tools", help="family of the faults' codes")
    parser.add_argument("--seconds", type=float, default=900, help="no run begins later")
    parser.add_argument("--jobs", type=int, default=JOBS, help="endpoints diagnosed at once")
    parser.add_argument("--seed", type=int, default=1, help="of the order")
    given = parser.parse_args(words)
    begin = time.monotonic()
    usual = {item.case.style: item.found for item in within(healthy(given.family), given.jobs, given.seconds)}
    cases = crossed(given.family, usual)
    random.Random(given.seed).shuffle(cases)
    found = list(within(cases, given.jobs, given.seconds - (time.monotonic() - begin)))
    found = [item if kind(item) == KINDS[0] else outcome(item.case, repeated=True) for item in found]
    console = Console(width=120)
    console.print(table(found))
    for item in found:
        if kind(item) != KINDS[0]:
            said = f"missed {', '.join(sorted(item.missed)) or '-'}; not there {', '.join(sorted(item.extra)) or '-'}"
            console.print(f"{item.case.name}: {kind(item)}: {said} {'; '.join(item.broken)}", highlight=False)
    console.print(f"{len(found)} of {len(cases)} runs, seed {given.seed}; {time.monotonic() - begin:.0f} s")
    return int(any(kind(item) == KINDS[2] for item in found))


if __name__ == "__main__":
    sys.exit(main())
