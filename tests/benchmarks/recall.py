"""Every simulated fault and every healthy endpoint, diagnosed: `python -m tests.benchmarks.recall [--jobs N]`.

The cases, and what counts as found, are those of tests/scenarios/cases.py: a fault is found when the finding codes of
its run are exactly those that it yields, no more and no fewer.  `make test` runs the same cases one by one
(tests/scenarios/test_every_fault.py); this prints the figures.  A run that is not exact is repeated once, alone,
because timing faults are judged by time and this benchmark keeps the machine busy; how many were is printed.  The exit
status is 1 when anything is left.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tests.scenarios.cases import Case, cases, diagnose

JOBS = 6


@dataclass(frozen=True)
class Outcome:
    """What a run said of a case."""

    case: Case
    found: frozenset[str]
    broken: tuple[str, ...]
    repeated: bool
    requests: int
    seconds: float

    @property
    def missed(self) -> frozenset[str]:
        return self.case.expected - self.found

    @property
    def extra(self) -> frozenset[str]:
        return self.found - self.case.expected

    @property
    def right(self) -> bool:
        return self.found == self.case.expected and not self.broken


def outcome(case: Case, *, repeated: bool = False) -> Outcome:
    """A case's run, judged."""
    done = diagnose(case)
    run = done.report.run
    return Outcome(case, done.found, done.broken, repeated, run.requests, round(run.duration_s, 2))


def outcomes(wanted: Iterable[Case], jobs: int) -> Iterator[Outcome]:
    """Every case's outcome, so many at once; what is not right is repeated alone at the end."""
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        first = list(pool.map(outcome, wanted))
    for item in first:
        yield item if item.right else outcome(item.case, repeated=True)


@dataclass(frozen=True)
class Score:
    """How many faults were found exactly, and how many healthy endpoints were left alone."""

    faulty: int
    exact: int
    healthy: int
    alarms: int
    repeated: int
    wrong: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        return not self.wrong

    @property
    def broken(self) -> tuple[str, ...]:
        """Endpoints at which a check of ours ended in error."""
        return tuple(item.case.name for item in self.wrong if item.broken)


def score(found: Iterable[Outcome]) -> Score:
    """The figures of all outcomes."""
    every = list(found)
    faulty = [item for item in every if not item.case.healthy]
    healthy = [item for item in every if item.case.healthy]
    return Score(
        len(faulty),
        sum(item.right for item in faulty),
        len(healthy),
        sum(bool(item.extra) for item in healthy),
        sum(item.repeated for item in every),
        tuple(item for item in every if not item.right),
    )


def table(found: Score) -> Table:
    """What was not as it should be; empty when all was."""
    shown = Table("endpoint", "missed", "not there", "broken checks", title="Not exact")
    for item in found.wrong:
        shown.add_row(
            item.case.name, ", ".join(sorted(item.missed)), ", ".join(sorted(item.extra)), "; ".join(item.broken)
        )
    return shown


def main(words: list[str] | None = None) -> int:
    """Print the figures; 1 when a diagnosis was not exact."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.recall", description=__doc__)
    parser.add_argument("--jobs", type=int, default=JOBS, help="endpoints diagnosed at once")
    parser.add_argument("--only", default="", help="comma-separated names of faults or styles")
    given = parser.parse_args(words)
    wanted = [case for case in cases() if not given.only or case.name in given.only.split(",")]
    begin = time.monotonic()
    found = score(outcomes(wanted, given.jobs))
    console = Console(width=120)
    if found.wrong:
        console.print(table(found))
    console.print(f"exact cause found: {found.exact} of {found.faulty} faults")
    console.print(f"false alarms: {found.alarms} of {found.healthy} healthy endpoints")
    console.print(f"{found.repeated} runs were repeated alone; {time.monotonic() - begin:.0f} s")
    return 0 if found.passed else 1


if __name__ == "__main__":
    sys.exit(main())
