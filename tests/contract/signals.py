"""Signals at random moments: `python -m tests.contract.signals [--count N] [--pauses N] [--seed N]`.

The program runs as a user runs it, in a session of its own, against a simulated endpoint that this process serves.
A moment is drawn between the first request that reaches the endpoint and the end of such a run when nobody interrupts
it; where the run is over before its moment comes, another one is drawn.  After every moment the program must leave

- exit status 130 and a report that says `run.complete: false`, or, where the run was already complete when the signal
  came, a report that says so and the status the run has without a signal;
- report.json valid against the published schema, and report.html whole;
- no traceback, no process of its session, no established connection, and no other file anywhere it may write.

Before its first request there is no run to report on.  A tenth as many moments are drawn there, and counted apart: the
program ends quietly with status 130, with or without a report, or, where Python has not yet read a line of it, by the
signal itself; never with half a file.  A third of all moments is followed by a second signal within half a second.

A pause is a SIGSTOP, and a SIGCONT up to three seconds later: the run goes on to its usual end.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

from probe.catalogue.docs import schema_text
from probe.simulator import Simulator
from tests.contract.running import ROOT, command, environment

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
KEY = "sk-signals-0123456789abcdef"
#: Longest time from the signal to the end of the process, on a machine that does other work as well.
PATIENCE_S = 30.0
#: The same where nothing else keeps the processors busy; the figures are held against it.
PROMPT_S = 3.0
#: An uninterrupted run that takes longer than this does not end.
LONGEST_S = 60.0
_SECOND_SHARE, _SECOND_WITHIN_S = 1 / 3, 0.5
_LOOK_S = 0.002
_LONGEST_PAUSE_S = 3.0
#: A check that would compute for ever, as code of a plugin.
_TARRIES = """
import re
from probe.api import Context, Result, check

@check("tarries.long", title="t", proves="Nothing.", requires={"chat"}, max_requests=0)
async def tarries(ctx: Context) -> Result:
    re.match("(a+)+$", "a" * 64 + "!")
    return Result()
"""


@dataclass(frozen=True)
class Variant:
    """A run to be interrupted: the endpoint's faults, the options of the program, tokens a second."""

    name: str
    faults: tuple[str, ...] = ()
    options: tuple[str, ...] = ("--depth", "quick")
    rate_tokens_s: float = 120.0
    computes: bool = False


VARIANTS = (
    Variant("quick"),
    Variant("standard", options=("--idle", "1"), rate_tokens_s=200.0),
    Variant("held stream", ("stream-held",)),
    Variant("no answer", ("connect-silent",), ("--depth", "quick", "--timeout", "1")),
    Variant("rate limited", ("rate-limited=2",)),
    Variant("computing", options=("--depth", "quick", "--deadline", "6"), computes=True),
)


@dataclass
class Moment:
    """One run and its signal."""

    variant: Variant
    number: signal.Signals
    second: signal.Signals | None
    after_s: float
    early: bool
    outcome: str = ""
    ended_s: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        twice = f" then {self.second.name}" if self.second else ""
        since = "the start" if self.early else "the first request"
        return f"{self.variant.name}, {self.number.name}{twice} {self.after_s:.3f} s after {since}"


class Running:
    """The program under way in a folder of its own, which is all it may write to."""

    def __init__(self, sim: Simulator, variant: Variant, folder: Path) -> None:
        self.folder, self.port = folder, sim.site.port
        for name in ("home", "tmp", "work"):
            (folder / name).mkdir()
        self._err = (folder / "stderr").open("w+b")
        self._out = (folder / "stdout").open("w+b")
        env = environment({"KEY": KEY, "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")})
        if variant.computes:
            (folder / "tarries.py").write_text(_TARRIES)
            info = folder / "tarries-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tarries\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text("[endpoint_probe.checks]\ntarries = tarries\n")
            env |= {"PYTHONPATH": f"{folder}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            command("run", sim.typed_url, "--api-key-env", "KEY", *variant.options),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
            cwd=folder / "work",
            env=env,
            start_new_session=True,
        )

    def ended(self, within_s: float) -> bool:
        """Whether the process ends in time."""
        try:
            self.process.wait(max(0.0, within_s))
        except subprocess.TimeoutExpired:
            return False
        return True

    def text(self) -> str:
        """What it said on both streams."""
        said = b""
        for stream in (self._err, self._out):
            stream.seek(0)
            said += stream.read()
        return said.decode(errors="replace")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._err.close()
        self._out.close()


@contextmanager
def started(sim: Simulator, variant: Variant) -> Iterator[Running]:
    """The program, started; killed after the block where it still runs."""
    with tempfile.TemporaryDirectory(prefix="endpoint-probe-tests-") as name:
        running = Running(sim, variant, Path(name))
        try:
            yield running
        finally:
            running.close()


def await_request(sim: Simulator, running: Running) -> bool:
    """Whether a request reached the endpoint before the process ended."""
    seen, deadline = len(sim.journal), time.monotonic() + PATIENCE_S
    while len(sim.journal) == seen and time.monotonic() < deadline:
        if running.process.poll() is not None:
            return False
        time.sleep(_LOOK_S)
    return len(sim.journal) > seen


def established(port: int) -> int:
    """Connections to this port that are open at both ends (proc(5), /proc/net/tcp: state 01)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(item[3] == "01" and int(item[1].rpartition(":")[2], 16) == port for item in lines)


def of_session(leader: int) -> list[int]:
    """Processes of a session (proc(5), stat: field 6)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def _soon(holds: Callable[[], bool], within_s: float = 2.0) -> bool:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def judge(running: Running, usual: int, *, early: bool) -> tuple[str, list[str]]:
    """What the process left: a word for it, and everything that is wrong with it.

    Args:
        usual: the exit status of the same run when nobody interrupts it.
        early: the signal came before the first request.
    """
    wrong = _strays(running)
    status, said = running.process.returncode, running.text()
    out = running.folder / "work" / "endpoint-report"
    files = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if early and not files and status != INTERRUPTED:
        if status not in (*(-number for number in SIGNALS), 1) or re.search(
            "/(probe|click)/", said.partition("Traceback")[2]
        ):
            wrong.append(f"status {status} without a report")
        return "ended by the signal: Python was still starting", wrong
    if "Traceback" in said:
        wrong.append("a traceback")
    if early and not files:
        return "quiet, without a report", wrong
    if files != {"report.json", "report.html"}:
        last = next(reversed(said.splitlines()), "")
        return "no whole report", [*wrong, f"status {status}, left {sorted(files)}; said last: {last[:200]}"]
    complete, invalid = read_report((out / "report.json").read_bytes(), (out / "report.html").read_bytes())
    if status != (usual if complete else INTERRUPTED):
        wrong.append(f"status {status} with run.complete {complete}")
    return ("complete before the signal" if complete else "partial report"), wrong + invalid


def read_report(content: bytes, page: bytes) -> tuple[bool, list[str]]:
    """Whether a report says that its run was complete, and what is wrong with it or its page."""
    wrong = [] if page.rstrip().endswith(b"</html>") else ["report.html is cut short"]
    if KEY.encode() in content + page:
        wrong.append("the key is in a report")
    try:
        report: Any = json.loads(content)
    except ValueError as error:
        return False, [*wrong, f"report.json is no JSON: {error}"]
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    wrong += [f"report.json: {error.json_path} {error.message}"[:200] for error in validator.iter_errors(report)]
    run = report.get("run", {})
    outcomes = [check.get("outcome") for check in report.get("checks", ()) if check.get("id") != "tarries.long"]
    if not outcomes or "error" in outcomes:
        wrong.append(f"{outcomes.count('error')} of {len(outcomes)} checks ended as error")
    return bool(run.get("complete")), wrong


def _strays(running: Running) -> list[str]:
    wrong = []
    if not _soon(lambda: established(running.port) == 0):
        wrong.append(f"{established(running.port)} connections are left")
    if left := of_session(running.process.pid):
        wrong.append(f"processes {left} are left")
    allowed = {running.folder / "work" / "endpoint-report" / name for name in ("report.json", "report.html")}
    for name in ("home", "tmp", "work"):
        strays = [path for path in (running.folder / name).rglob("*") if path.is_file() and path not in allowed]
        wrong += [f"left {path.relative_to(running.folder)}" for path in strays]
    return wrong


@dataclass(frozen=True)
class Usual:
    """A run that nobody interrupts: seconds to the first request, and from there to the end; exit status."""

    first_s: float
    rest_s: float
    status: int


class Trial:
    """Draws moments and plays them, from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.redrawn = 0
        self._usual: dict[str, Usual] = {}

    def usual(self, variant: Variant) -> Usual:
        """The uninterrupted run of a variant, made once."""
        if variant.name not in self._usual:
            with Simulator(faults=variant.faults, key=KEY, rate_tokens_s=variant.rate_tokens_s) as sim:
                begin = time.monotonic()
                with started(sim, variant) as running:
                    asked = await_request(sim, running)
                    first_s = time.monotonic() - begin
                    if not asked or not running.ended(LONGEST_S):
                        raise RuntimeError(f"the run '{variant.name}' sends nothing or does not end")
                    status = running.process.returncode
                    self._usual[variant.name] = Usual(first_s, time.monotonic() - begin - first_s, status)
        return self._usual[variant.name]

    def moment(self, variant: Variant, *, early: bool) -> Moment:
        """One moment that came while the program ran, played and judged."""
        usual = self.usual(variant)
        span_s = usual.first_s if early else usual.rest_s
        while True:
            number = self.random.choice(SIGNALS)
            second = self.random.choice(SIGNALS) if self.random.random() < _SECOND_SHARE else None
            pause_s = self.random.uniform(0.0, _SECOND_WITHIN_S)
            moment = Moment(variant, number, second, self.random.uniform(0.0, span_s), early)
            if self._play(moment, usual, pause_s):
                return moment
            self.redrawn += 1

    def pause(self, variant: Variant) -> Moment:
        """One run that is stopped and continued at a random moment, played and judged."""
        usual = self.usual(variant)
        with (
            Simulator(faults=variant.faults, key=KEY, rate_tokens_s=variant.rate_tokens_s) as sim,
            started(sim, variant) as running,
        ):
            moment = Moment(variant, signal.SIGSTOP, signal.SIGCONT, self.random.uniform(0.0, usual.rest_s), False)
            await_request(sim, running)
            if not running.ended(moment.after_s):
                running.process.send_signal(signal.SIGSTOP)
                time.sleep(self.random.uniform(0.1, _LONGEST_PAUSE_S))
                running.process.send_signal(signal.SIGCONT)
            begin = time.monotonic()
            if not running.ended(LONGEST_S):
                moment.wrong.append(f"still running {LONGEST_S:g} s after the pause")
                return moment
            moment.ended_s = time.monotonic() - begin
            moment.outcome, moment.wrong = judge(running, usual.status, early=False)
            if moment.outcome == "partial report" and not variant.computes:
                moment.wrong.append("the pause ended the run early")
        return moment

    def _play(self, moment: Moment, usual: Usual, pause_s: float) -> bool:
        variant = moment.variant
        with (
            Simulator(faults=variant.faults, key=KEY, rate_tokens_s=variant.rate_tokens_s) as sim,
            started(sim, variant) as running,
        ):
            if not moment.early and not await_request(sim, running):
                moment.wrong.append("the run sent nothing")
                return True
            if running.ended(moment.after_s):
                return False
            early = not sim.journal
            if moment.early and not early:
                return False
            begin = time.monotonic()
            running.process.send_signal(moment.number)
            if moment.second is not None and not running.ended(pause_s):
                running.process.send_signal(moment.second)
            if not running.ended(PATIENCE_S):
                moment.wrong.append(f"still running {PATIENCE_S:g} s after the signal")
                return True
            moment.ended_s = time.monotonic() - begin
            moment.outcome, moment.wrong = judge(running, usual.status, early=moment.early)
        return True


def play(count: int, seed: int, variants: tuple[Variant, ...] = VARIANTS) -> Iterator[Moment]:
    """`count` moments while a run is under way, then a tenth as many before one, all from one seed."""
    trial = Trial(seed)
    for early, wanted in ((False, count), (True, max(1, count // 10))):
        for number in range(wanted):
            yield trial.moment(variants[number % len(variants)], early=early)


def main(words: list[str] | None = None) -> int:
    """Print the figures; 1 when a moment left anything wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract.signals", description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pauses", type=int, default=20)
    given = parser.parse_args(words)
    begin = time.monotonic()
    moments: list[Moment] = []
    for moment in play(given.count, given.seed):
        moments.append(moment)
        if moment.wrong:
            print(f"{moment}: {moment.outcome}: {'; '.join(moment.wrong)}", flush=True)
    for early, title in ((False, "while a run is under way"), (True, "before the first request")):
        own = [moment for moment in moments if moment.early is early]
        tally = Counter(moment.outcome for moment in own)
        signals = Counter(moment.number.name for moment in own)
        print(f"{len(own)} moments {title}: " + ", ".join(f"{n} {name}" for name, n in sorted(tally.items())))
        twice = sum(moment.second is not None for moment in own)
        print(f"  {', '.join(f'{n} {name}' for name, n in sorted(signals.items()))}; {twice} with a second signal")
        ends = sorted(moment.ended_s for moment in own)
        print(f"  from signal to exit: median {ends[len(ends) // 2]:.2f} s, longest {ends[-1]:.2f} s")
        if ends[-1] > PROMPT_S:
            late = [moment for moment in own if moment.ended_s > PROMPT_S]
            print(f"  longer than {PROMPT_S:g} s: {'; '.join(f'{one} took {one.ended_s:.1f} s' for one in late)}")
    trial = Trial(given.seed + 1)
    pauses = [trial.pause(VARIANTS[number % len(VARIANTS)]) for number in range(given.pauses)]
    for moment in pauses:
        if moment.wrong:
            print(f"{moment}: {moment.outcome}: {'; '.join(moment.wrong)}", flush=True)
    print(f"{len(pauses)} pauses: {sum(not moment.wrong for moment in pauses)} runs went on to their end")
    moments += pauses
    bad = sum(bool(moment.wrong) for moment in moments)
    print(f"{bad} moments left anything wrong; seed {given.seed}, {time.monotonic() - begin:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
