"""A pytest plugin: `pytest --endpoint-probe URL` shows each check of endpoint-probe as a test.

For teams whose gate is pytest.  Without the option it does nothing.  With it the endpoint is
diagnosed once, when the first of its tests is set up, and each test shows how its check ended:

    pass           passed
    fail           failed, with the findings and their remedies; passed if none of them is at
                   or above --endpoint-probe-fail-on
    skip           skipped, with the reason
    inconclusive   skipped, with "inconclusive" and the reason
    error          error: an internal error of endpoint-probe, never a fault of the endpoint

The project under test may have packages called ``probe``, ``checks`` or ``reports`` itself.  So
this module imports nothing of endpoint-probe: the program runs in a process of its own, in
Python's isolated mode (the working directory and PYTHONPATH are not on its import path), and
its JUnit report is read.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

#: Where this installation of the program is, and how it is started there.
_HOME = str(Path(__file__).resolve().parent)
_START = (
    "import sys; home = sys.argv.pop(1); home in sys.path or sys.path.insert(0, home); "
    "from probe.cli import main; sys.exit(main())"
)
#: pytest's options by the option of `endpoint-probe run` that each is passed on as.
_PASSED_ON = {
    "--endpoint-probe-depth": ("--depth", "quick, standard or deep; default standard"),
    "--endpoint-probe-model": ("--model", "model to use; default the only listed one, or the first"),
    "--endpoint-probe-key-env": ("--api-key-env", "environment variable that holds the key"),
    "--endpoint-probe-only": ("--only", "only checks whose id fits this glob; repeatable"),
    "--endpoint-probe-skip": ("--skip", "no checks whose id fits this glob; repeatable"),
    "--endpoint-probe-idle": ("--idle", "longest silence to try, in seconds"),
    "--endpoint-probe-fail-on": ("--fail-on", "error, warning or never; default error"),
    "--endpoint-probe-accept": ("--accept", "a finding code that fails no test, until a day: CODE[=DAY]; repeatable"),
}
_REPEATABLE = ("--endpoint-probe-only", "--endpoint-probe-skip", "--endpoint-probe-accept")
_DIAGNOSIS = pytest.StashKey["Diagnosis"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, in a group of their own."""
    group = parser.getgroup("endpoint-probe", "checks of an OpenAI-compatible chat endpoint")
    group.addoption("--endpoint-probe", metavar="URL", help="diagnose this endpoint, a test for each check")
    for name, (_, text) in _PASSED_ON.items():
        action = "append" if name in _REPEATABLE else "store"
        group.addoption(name, metavar="VALUE", action=action, help=text)
    group.addoption(
        "--endpoint-probe-out",
        metavar="DIR",
        help="write report.json, report.html and report.junit.xml there; default: nowhere",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the options now, so that an unusable one is reported before anything is collected."""
    url = config.getoption("--endpoint-probe")
    if not url:
        return
    if getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
        raise pytest.UsageError("--endpoint-probe diagnoses the endpoint once, in one process; leave out -n")
    config.stash[_DIAGNOSIS] = Diagnosis(config, url)


def pytest_report_header(config: pytest.Config) -> str | None:
    """The endpoint and the depth, in the header of the session."""
    diagnosis = config.stash.get(_DIAGNOSIS, None)
    return f"endpoint-probe: {diagnosis.plan['endpoint']}, depth {diagnosis.plan['depth']}" if diagnosis else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the checks to what was collected, before -k and -m choose."""
    diagnosis = config.stash.get(_DIAGNOSIS, None)
    if diagnosis is not None:
        checks = Checks.from_parent(session, name="endpoint-probe", nodeid="endpoint-probe", diagnosis=diagnosis)
        items.extend(checks.collect())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The duration of a check's test is that of the check; the first one would have that of the whole run."""
    report = yield
    if isinstance(item, CheckItem) and (case := item.case()) is not None:
        report.duration = float(case.get("time", 0)) if report.when == "call" else 0.0
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The result in two lines, and where the report is."""
    diagnosis = config.stash.get(_DIAGNOSIS, None)
    if diagnosis is not None and diagnosis.suite is not None:
        terminalreporter.write_sep("-", "endpoint-probe")
        for line in diagnosis.closing_lines():
            terminalreporter.write_line(line)


class InternalError(Exception):
    """An internal error of endpoint-probe."""


class Failed(Exception):
    """A check failed; the text holds its findings."""


class Diagnosis:
    """One diagnosis of an endpoint, made when it is first needed.

    Args:
        config: pytest's, with the options of this plugin.
        url: the endpoint as typed.

    Raises:
        pytest.UsageError: an option cannot be used; the message is one line.
    """

    def __init__(self, config: pytest.Config, url: str) -> None:
        self._url = url
        self._arguments = {name: _values(config, name) for name in _PASSED_ON}
        out = config.getoption("--endpoint-probe-out")
        self._out = Path(out) if out else None
        self.suite: ElementTree.Element | None = None
        self._problems: list[str] = []
        self._failure: str | None = None
        listed = self._program("--dry-run", "--json")
        if listed.returncode:
            raise pytest.UsageError(_last_line(listed.stderr))
        self.plan: dict[str, Any] = json.loads(listed.stdout)
        if self._out:
            try:
                self._out.mkdir(parents=True, exist_ok=True)
                tempfile.TemporaryFile(dir=self._out).close()
            except OSError as error:
                raise pytest.UsageError(f"endpoint-probe: cannot write to {out} ({error.strerror})") from None

    def _program(self, *more: str, only: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run `endpoint-probe run`; ``only`` are check ids in place of the typed globs."""
        words = [*more]
        for name, values in (self._arguments | ({"--endpoint-probe-only": list(only)} if only else {})).items():
            for value in values:
                words += [_PASSED_ON[name][0], value]
        return subprocess.run(
            [sys.executable, "-I", "-c", _START, _HOME, "run", *words, "--", self._url],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )

    def make(self, wanted: Iterable[str]) -> ElementTree.Element:
        """The test suite of the JUnit report; the first call runs the program.

        Args:
            wanted: ids of the chosen checks; the program adds those that they need.

        Raises:
            InternalError: the program gave no report.
        """
        if self.suite is None and self._failure is None:
            with tempfile.TemporaryDirectory() as folder:
                out = self._out or Path(folder)
                formats = [word for name in ("json", "html", "junit") for word in ("--format", name)]
                done = self._program("--quiet", "--out", str(out), *formats, only=wanted)
                try:
                    self.suite = ElementTree.parse(out / "report.junit.xml").getroot().find("testsuite")
                except (OSError, ElementTree.ParseError):
                    self._failure = f"the diagnosis failed: {_last_line(done.stderr)}"
            self._problems = [line for line in done.stderr.splitlines() if line.startswith("endpoint-probe: ")]
        if self.suite is None:
            raise InternalError(self._failure)
        return self.suite

    def closing_lines(self) -> list[str]:
        """The headline, the counts, where the report is, and warnings of the program."""
        assert self.suite is not None
        lines = (self.suite.findtext("system-out") or "").splitlines()[:2]
        if self._out:
            lines.append(f"Report: {self._out / 'report.html'}, {self._out / 'report.json'}")
        return lines + self._problems


def _values(config: pytest.Config, name: str) -> list[str]:
    value = config.getoption(name)
    return [str(item) for item in (value if isinstance(value, list) else [] if value is None else [value])]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["endpoint-probe ended without a message"])[-1]


class Checks(pytest.Collector):
    """The checks of one endpoint, as a collector of tests."""

    def __init__(self, *, diagnosis: Diagnosis, **more: Any) -> None:
        super().__init__(**more)
        self.diagnosis = diagnosis

    def collect(self) -> list[pytest.Item]:
        """A test for each check of the run, named by its id."""
        return [CheckItem.from_parent(self, name=check["id"]) for check in self.diagnosis.plan["checks"]]


class CheckItem(pytest.Item):
    """One check as a test."""

    parent: Checks

    def case(self) -> ElementTree.Element | None:
        """The check's test case in the JUnit report, once the endpoint is diagnosed."""
        cases = self.parent.diagnosis.suite
        return None if cases is None else next((c for c in cases.iter("testcase") if c.get("name") == self.name), None)

    def setup(self) -> None:
        self.parent.diagnosis.make(item.name for item in self.session.items if isinstance(item, CheckItem))
        case = self.case()
        if case is None:
            raise InternalError(f"{self.name} was not run")
        if (error := case.find("error")) is not None:
            raise InternalError(f"internal error of endpoint-probe in {self.name}: {error.get('message')}")
        if (skipped := case.find("skipped")) is not None:
            pytest.skip(skipped.get("message", ""))

    def runtest(self) -> None:
        case = self.case()
        if case is not None and (failure := case.find("failure")) is not None:
            raise Failed(failure.text or failure.get("message"))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The findings, without a traceback of this module."""
        if isinstance(excinfo.value, Failed | InternalError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"endpoint-probe {self.name}"
