"""Every simulated fault and every healthy endpoint as a case, diagnosed by the whole program.

A case is an endpoint and the finding codes that a right diagnosis of it gives.  The run is the command line's own
(`endpoint-probe run`, in this process): what was typed is parsed, every check of the depth runs, all report files are
written, and the verdict is read from report.json, so that a code counts only where a user would see it.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

from probe.catalogue import registry
from probe.cli import main
from probe.model import Depth, Report, Severity
from probe.report import load
from probe.simulator import Simulator, all_faults, all_styles
from reports.registry import chosen
from tests.scenarios.runs import TIMEOUT_S, codes, errors

#: Personalities of a healthy endpoint's model that are no fault of the endpoint; `plain` is the styles' own row.
PERSONALITIES = ("chatty", "reasoning", "weak")
#: Silences that the idle faults need; the others end their runs before.
IDLE_S = 3.0
#: Tokens a second of the simulated model: slow enough for the stream checks to measure, and fast for all the others.
STREAM_RATE = 80.0
OTHER_RATE = 200.0
#: Faults of an API other than chat completions, and the checks of their runs but for the first fault of each code,
#: whose run is whole: what is judged on chat completions before that API.
OTHER_APIS = ("responses-", "messages-")
BEFORE = ("responses.*", "messages.*", "apis.*", "stream.shape", "tools.call", "tools.results", "tools.stream")
#: What is judged before by the words in a fault's name.
BEFORE_TOO = {"picture": "vision.*", "schema": "output.json-schema", "second": "tools.parallel"}
#: Families whose checks measure the time between tokens.
TIMED = ("stream", "idle")
FORMATS = ("json", "html", "markdown", "junit", "sarif")
#: Formats that are made once more from the saved report: Markdown has the clients' rows, notes and configurations.
SAME = ("json", "markdown", "junit", "sarif")
KEY_VARIABLE = "ENDPOINT_PROBE_CASE_KEY"


@dataclass(frozen=True)
class Case:
    """An endpoint and the finding codes that a right diagnosis of it gives; `only` names the checks of its run."""

    name: str
    style: str
    expected: frozenset[str]
    fault: str | None = None
    personality: str = "plain"
    deep: bool = False
    only: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with it: no fault, or a harmless one."""
        return self.fault is None or not self.expected

    @property
    def depth(self) -> Depth:
        """The least depth, from standard on, whose checks can find all of its codes."""
        return Depth.DEEP if self.deep else depth_for(self.expected)

    @property
    def timed(self) -> bool:
        """Whether the diagnosis depends on the time between tokens."""
        return any(code.partition(".")[0] in TIMED for code in self.expected)


@dataclass(frozen=True)
class Diagnosed:
    """How the program ended for a case.

    status    the exit status
    printed   standard output and standard error
    files     names of the report files that were written, and their bytes
    base_url  the base URL that is right for a client of the endpoint
    differing formats in which the saved report says something else than the run did
    """

    case: Case
    report: Report
    status: int
    printed: str
    files: Mapping[str, int]
    base_url: str
    differing: tuple[str, ...]

    @property
    def found(self) -> frozenset[str]:
        """The codes that are judged: all of a fault's run; of a healthy style's run the alarms and the expected ones.

        What a healthy server honestly lacks (no pictures, say) is information and no alarm.
        """
        found = frozenset(codes(self.report))
        if self.case.fault is None:
            return frozenset(codes(self.report, least=Severity.WARNING)) | (found & self.case.expected)
        return found

    @property
    def broken(self) -> tuple[str, ...]:
        """The checks that ended as a fault of this program, with their reasons."""
        return tuple(errors(self.report))


def cases() -> list[Case]:
    """The table: all faults on their style, all styles, all personalities."""
    made = [Case(item.name, item.home, frozenset(item.yields), item.name, deep=item.deep) for item in all_faults()]
    whole: set[frozenset[str]] = set()
    for place, item in enumerate(made):
        if item.name.startswith(OTHER_APIS):
            more = tuple(check for word, check in BEFORE_TOO.items() if word in item.name)
            made[place] = replace(item, only=(*BEFORE, *more) if item.expected in whole else ())
            whole.add(item.expected)
    for style in all_styles():
        made.append(Case(style.name, style.name, frozenset(style.yields)))
    made += [Case(f"openai, {name} model", "openai", frozenset(), None, name) for name in PERSONALITIES]
    return made


def depth_for(expected: frozenset[str]) -> Depth:
    """The least depth, from standard on, whose checks can find all of these codes."""
    needed = [Depth.STANDARD]
    for code in expected:
        able = [check for check in registry.checks() if any(item.code == code for item in check.emits)]
        family = code.partition(".")[0]
        own = [check.depth for check in able if check.id.partition(".")[0] == family]
        needed.append(min(own or [check.depth for check in able], key=lambda depth: depth.rank))
    return max(needed, key=lambda depth: depth.rank)


def diagnose(case: Case) -> Diagnosed:
    """One run of the depth and the patience that show the fault."""
    given = [] if case.fault is None else [case.fault]
    idle = IDLE_S if case.fault and case.fault.startswith("idle-") else 0.0
    rate = STREAM_RATE if case.timed else OTHER_RATE
    with (
        Simulator(case.style, given, personality=case.personality, rate_tokens_s=rate) as sim,
        tempfile.TemporaryDirectory(prefix="endpoint-probe-case-") as folder,
    ):
        words = ["run", sim.typed_url, "--model", sim.model, "--depth", case.depth.value]
        words += ["--idle", str(idle), "--timeout", str(TIMEOUT_S), "--out", folder]
        words += [word for name in FORMATS for word in ("--format", name)]
        words += [word for glob in case.only for word in ("--only", glob)]
        words += ["--ca-bundle", str(sim.ca_bundle)] if sim.ca_bundle else []
        words += ["--api-key-env", KEY_VARIABLE] if sim.key else []
        printed = io.StringIO()
        with (
            _environment({KEY_VARIABLE: sim.key} if sim.key else {}),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            status = main(words)
        files = {path.name: path.stat().st_size for path in Path(folder).iterdir()}
        report = load(Path(folder) / "report.json")
        differing = tuple(
            item.name
            for item in (chosen(SAME) if crc32(case.name.encode()) % 3 == 0 else ())  # a third: it costs a run's time
            if item.filename in files and item.render(report) != (Path(folder) / item.filename).read_bytes()
        )
        return Diagnosed(case, report, status, printed.getvalue(), files, sim.base_url, differing)


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables that are there meanwhile."""
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            del os.environ[name]
