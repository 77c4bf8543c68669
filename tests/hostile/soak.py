"""Thousands of hostile responses through the whole tool: ``python -m tests.hostile.soak --count 10000 --seed 1``.

Every entry of the corpus has its runs, in between of runs against right answers with
twists, until so many generated responses have been given.  Prints what it took, and for
each failure the command that repeats it; the exit status is 1 when there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from itertools import count as counting
from multiprocessing import get_context
from pathlib import Path

from probe.parsing import chat_completion
from tests.hostile.farm import Farm
from tests.hostile.keys import where_is
from tests.hostile.runs import Ended, judge, names, play_of
from tests.hostile.scripts import corpus

#: The tool may take so much memory, in MiB.
MOST_MB = 250
#: Something must have ended after so many seconds.
PATIENCE_S = 120.0
#: A run that waited for a processor for this share of its time says nothing about deadlines.
STARVED = 0.4
#: Processes that run the tool: two would hide each other's memory, so each tells its own.
WORKERS = 2
#: The tool is a process a run.  One that makes hundreds ends up with memory in pieces that no run is to blame for.
RUNS_A_PROCESS = 40


@dataclass
class Tally:
    """What all runs came to."""

    runs: int = 0
    repeated: int = 0
    generated: int = 0
    of_corpus: int = 0
    peak_mb: float = 0.0
    peak_name: str = ""
    worst: Ended | None = None
    failures: list[Ended] = field(default_factory=list)

    def add(self, ended: Ended) -> None:
        self.runs += 1
        self.repeated += ended.repeated
        if ended.name.isdigit():
            self.generated += ended.answers
        else:
            self.of_corpus += ended.answers
        if ended.peak_mb > self.peak_mb:
            self.peak_mb, self.peak_name = ended.peak_mb, ended.name
        if self.worst is None or ended.late_s > self.worst.late_s:
            self.worst = ended
        if ended.wrong:
            self.failures.append(ended)


_FARM: Farm | None = None


def _worker(inside: str) -> None:
    """Prepare a process that runs the tool: its server process, and a folder for whatever it leaves behind."""
    global _FARM
    _FARM = Farm().__enter__()
    folder = tempfile.mkdtemp(dir=inside)
    tempfile.tempdir = folder
    os.environ["TMPDIR"] = folder


def one(name: str, seed: int) -> Ended:
    """One run of the tool, judged; again, at most twice, where it failed while others had the processors."""
    _tidy_up()
    ended = _once(name, seed)
    for again in (1, 2):
        if not ended.wrong or ended.waited_s < STARVED * ended.seconds:
            break
        ended = replace(_once(name, seed), repeated=again)
    return ended


def _tidy_up() -> None:
    """Give back what earlier runs left unused: the tool is one process a run, and this one makes hundreds."""
    chat_completion.forget_readings()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)


def _once(name: str, seed: int) -> Ended:
    """One run of the tool, judged, and a look at what it left in its temporary folder."""
    assert _FARM is not None
    ended = judge(_FARM, name, seed)
    left = [item for item in Path(tempfile.gettempdir()).rglob("*") if item.is_file()]
    if not left:
        return ended
    wrong = [f"temporary files were left: {[item.name for item in left][:5]}"]
    wrong += where_is(play_of(name, seed)[0].key, [(item.name, item.read_bytes()) for item in left])
    for item in left:
        item.unlink()
    return replace(ended, wrong=(*ended.wrong, *wrong))


def _waiting(entries: list[str], tally: Tally, wanted: int) -> Iterator[str]:
    """Names of runs, corpus and generated ones in turn, until there is enough of both."""
    numbers = counting()
    while True:
        if entries:
            yield entries.pop()
        if tally.generated < wanted:
            yield str(next(numbers))
        elif not entries:
            return


def _tell(ended: Ended, seed: int) -> None:
    print(f"FAILED {ended.name}; again: python -m tests.hostile.soak --seed {seed} --run {ended.name}")
    for line in ended.wrong[:6]:
        print(f"  {line[:500]}", flush=True)


def soak(wanted: int, seed: int, only: list[str], entries: list[str], workers: int = WORKERS) -> Tally:
    """Run until there are so many generated responses and every entry has had its runs."""
    tally = Tally()
    ahead = iter(only) if only else _waiting(entries, tally, wanted)
    under_way: dict[Future[Ended], str] = {}
    begin = told = time.monotonic()
    temporary = tempfile.TemporaryDirectory(prefix="endpoint-probe-soak-")
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), _worker, (temporary.name,), max_tasks_per_child=RUNS_A_PROCESS
    )
    try:
        while True:
            while len(under_way) < workers and (name := next(ahead, None)) is not None:
                under_way[pool.submit(one, name, seed)] = name
            if not under_way:
                break
            done, _ = wait(under_way, PATIENCE_S, FIRST_COMPLETED)
            if not done:
                for name in under_way.values():
                    tally.add(ended := Ended(name, (f"no end after {PATIENCE_S:g} s",), 0, PATIENCE_S, 0.0, 0.0))
                    _tell(ended, seed)
                break
            for future in done:
                tally.add(ended := future.result())
                del under_way[future]
                if ended.wrong:
                    _tell(ended, seed)
            if time.monotonic() - told > 30:
                told = time.monotonic()
                shown = f"{tally.runs} runs, {tally.generated} generated and {tally.of_corpus} corpus responses"
                print(f"  {told - begin:4.0f} s: {shown}, {len(tally.failures)} failures", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted; what was done until then:")
    except BrokenProcessPool:
        tally.add(ended := Ended(" or ".join(under_way.values()), ("the tool's process died",), 0, 0.0, 0.0, 0.0))
        _tell(ended, seed)
    finally:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=not under_way, cancel_futures=True)
        for process in processes if under_way else ():
            process.kill()
            process.join()
        temporary.cleanup()
    return tally


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.soak", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="generated responses (default 10000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes that run the tool (default 2)")
    parser.add_argument("--no-corpus", action="store_true", help="generated responses alone")
    parser.add_argument("--run", action="append", default=[], metavar="NAME", help="repeat this run alone; repeatable")
    given = parser.parse_args(arguments)
    begin = time.monotonic()
    entries = [] if given.no_corpus else names(given.seed)
    tally = soak(given.count, given.seed, given.run, entries, given.workers)
    total = tally.generated + tally.of_corpus
    print(f"responses     {total} ({tally.generated} generated, {tally.of_corpus} of {len(corpus())} corpus entries)")
    again = f", {tally.repeated} repeated since the machine was busy" if tally.repeated else ""
    print(f"runs          {tally.runs} in {time.monotonic() - begin:.0f} s, seed {given.seed}{again}")
    if tally.worst is not None:
        worst = tally.worst
        busy = f"{worst.waited_s:.2f} s of it without a processor"
        print(f"worst time    {worst.seconds:.2f} s, {busy}, with a deadline of {worst.deadline_s:g} s ({worst.name})")
    print(f"peak memory   {tally.peak_mb:.0f} MiB of {MOST_MB} allowed ({tally.peak_name})")
    print(f"failures      {len(tally.failures)}")
    return 1 if tally.failures or tally.peak_mb >= MOST_MB else 0


if __name__ == "__main__":
    sys.exit(main())
