"""Every simulated fault and every healthy endpoint, diagnosed: `python -m tests.benchmarks.recall [--jobs N]`.

A fault is found when the finding codes of its run are exactly those that it yields, no more and no fewer.  A harmless
fault must give no finding at all, a model of another personality neither; a healthy style no warning and no error but
what its own description says of it (that it honestly refuses pictures is information, and no alarm).  A run that says
otherwise is repeated once, alone, because timing faults are judged by time and this benchmark keeps the machine busy;
how many were is printed.  The exit status is 1 when anything is left.
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

from probe.catalogue import registry
from probe.model import Depth, Report, Severity
from probe.simulator import Simulator, all_faults, all_styles
from tests.scenarios.runs import against, codes, errors

#: Personalities of a healthy endpoint's model that are no fault of the endpoint; `plain` is the styles' own row.
PERSONALITIES = ("chatty", "reasoning", "weak")
JOBS = 6
#: Silences that the idle faults need; the others end their runs before.
IDLE_S = 3.0


@dataclass(frozen=True)
class Case:
    """An endpoint and the finding codes that a right diagnosis of it gives."""

    name: str
    style: str
    expected: frozenset[str]
    fault: str | None = None
    personality: str = "plain"

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with it: no fault, or a harmless one."""
        return self.fault is None or not self.expected


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


def cases() -> list[Case]:
    """The scenario table: all faults on the reference style, all styles, all personalities."""
    made = [Case(item.name, "openai", frozenset(item.yields), item.name) for item in all_faults()]
    for style in all_styles():
        made.append(Case(style.name, style.name, frozenset(style.yields)))
    made += [Case(f"openai, {name} model", "openai", frozenset(), None, name) for name in PERSONALITIES]
    return made


def diagnose(case: Case) -> Report:
    """One run of the depth and the patience that show the fault."""
    given = [] if case.fault is None else [case.fault]
    idle = IDLE_S if case.fault and case.fault.startswith("idle-") else 0.0
    with Simulator(case.style, given, personality=case.personality) as sim:
        return against(sim, depth=depth_for(case.expected), idle_s=idle)


def depth_for(expected: frozenset[str]) -> Depth:
    """The least depth, from standard on, whose checks can find all of these codes."""
    needed = [Depth.STANDARD]
    for code in expected:
        able = [check.depth for check in registry.checks() if any(item.code == code for item in check.emits)]
        needed.append(min(able, key=lambda depth: depth.rank))
    return max(needed, key=lambda depth: depth.rank)


def outcome(case: Case, *, repeated: bool = False) -> Outcome:
    """A case's run, judged."""
    report = diagnose(case)
    run = report.run
    found = frozenset(codes(report))
    if case.fault is None:
        found = frozenset(codes(report, least=Severity.WARNING)) | (found & case.expected)
    return Outcome(case, found, tuple(errors(report)), repeated, run.requests, round(run.duration_s, 2))


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
