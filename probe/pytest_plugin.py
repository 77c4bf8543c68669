"""A pytest plugin: `pytest --endpoint-probe URL` shows each check as a test.

For teams whose gate is pytest.  Without the option it does nothing and imports nothing
but pytest.  The endpoint is diagnosed once, when the first of its tests is set up; each
test then says how its check ended:

    pass           passed
    fail           failed, with the findings and their remedies; passed where none of
                   them is at or above --endpoint-probe-fail-on
    skip           skipped, with the reason
    inconclusive   skipped, with "inconclusive" and the reason
    error          error: a fault of endpoint-probe, never the endpoint's
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from probe.model import Check, CheckRecord, Report
    from probe.run.options import Options
    from probe.run.typed_options import Given

#: pytest's option and the option of `endpoint-probe run` that it stands for.
_PASSED_ON = {
    "--endpoint-probe-depth": ("--depth", "quick, standard or deep; default standard"),
    "--endpoint-probe-model": ("--model", "model to use; default the only listed one, or the first"),
    "--endpoint-probe-key-env": ("--api-key-env", "environment variable that holds the key"),
    "--endpoint-probe-only": ("--only", "only checks whose id fits this glob; repeatable"),
    "--endpoint-probe-skip": ("--skip", "no checks whose id fits this glob; repeatable"),
    "--endpoint-probe-idle": ("--idle", "longest silence to try, in seconds"),
    "--endpoint-probe-fail-on": ("--fail-on", "error, warning or never; default error"),
}
_REPEATABLE = ("--endpoint-probe-only", "--endpoint-probe-skip")
_SESSION = pytest.StashKey["Session"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, in a group of their own."""
    group = parser.getgroup("endpoint-probe", "checks of an OpenAI-compatible chat endpoint")
    group.addoption("--endpoint-probe", metavar="URL", help="diagnose this endpoint, a test for each check")
    for name, (_, text) in _PASSED_ON.items():
        action = "append" if name in _REPEATABLE else "store"
        group.addoption(name, metavar="VALUE", action=action, help=text)
    group.addoption(
        "--endpoint-probe-out", metavar="DIR", help="write report.json and report.html there; default: nowhere"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the options now, so that what is unusable is said before anything is collected."""
    url = config.getoption("--endpoint-probe")
    if not url:
        return
    if getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
        raise pytest.UsageError("--endpoint-probe diagnoses the endpoint once, in one process; leave out -n")
    config.stash[_SESSION] = Session(config, url)


def pytest_report_header(config: pytest.Config) -> str | None:
    """What is diagnosed, in the head of the run."""
    session = config.stash.get(_SESSION, None)
    return f"endpoint-probe: {session.shown_url}, depth {session.options.depth}" if session else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the checks to what was collected, before -k and -m choose."""
    ours = config.stash.get(_SESSION, None)
    if ours is not None:
        items.extend(Checks.from_parent(session, name="endpoint-probe", nodeid="endpoint-probe", ours=ours).collect())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The time of a check's test is the check's own, and not that of the run that had them all."""
    report = yield
    if isinstance(item, CheckItem) and item.ours.report is not None:
        record = item.record()
        report.duration = record.duration_s if record and report.when == "call" else 0.0
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The result in a line, and where the report is."""
    ours = config.stash.get(_SESSION, None)
    if ours is not None and ours.report is not None:
        terminalreporter.write_sep("-", "endpoint-probe")
        for line in ours.closing_lines():
            terminalreporter.write_line(line)


class Session:
    """One diagnosis, made when it is first asked for.

    Args:
        config: pytest's, with our options.
        url: the endpoint as typed.

    Raises:
        pytest.UsageError: an option cannot be used; the message is one line.
    """

    def __init__(self, config: pytest.Config, url: str) -> None:
        import click

        from probe.cli.run import check_folder, run_command, select
        from probe.run.typed_options import Given, Unusable, endpoint_and_known, options_for

        try:
            context = run_command.make_context("pytest", [*_arguments(config), "--", url])
            self.given: Given = Given(**{name: value for name, value in context.params.items() if name != "endpoint"})
            typed, known = endpoint_and_known(url)
            self.options: Options = options_for(typed, self.given, known)
            self.checks: list[Check] = select(self.options)
            out = config.getoption("--endpoint-probe-out")
            self.out = Path(out) if out else None
            if self.out:
                check_folder(self.out)
        except click.ClickException as error:
            raise pytest.UsageError(f"endpoint-probe: {error.format_message()}") from None
        except Unusable as error:
            raise pytest.UsageError(f"endpoint-probe: {error}") from None
        self.report: Report | None = None
        self.written: list[Path] = []
        self._failure: str | None = None

    @property
    def shown_url(self) -> str:
        """The endpoint without what may be secret in it."""
        return self.options.endpoint.origin + self.options.endpoint.path

    def diagnosed(self, wanted: Iterable[str]) -> Report:
        """The report; the first call makes it.

        Args:
            wanted: ids of the checks that were chosen; what they need comes along.
        """
        if self._failure:
            raise OwnFault(self._failure)
        if self.report is None:
            try:
                self.report = self._run(list(wanted))
            except Exception as error:
                self._failure = f"the diagnosis broke: {type(error).__name__}: {error}"
                raise OwnFault(self._failure) from error
        return self.report

    def _run(self, wanted: list[str]) -> Report:
        import anyio

        from probe.catalogue import registry
        from probe.run.runner import run
        from reports.registry import chosen

        chosen_checks = registry.select(self.options.depth, wanted, self.options.skip)

        async def main() -> Report:
            return await run(self.options, checks=chosen_checks)

        report = anyio.run(main)
        report = replace(report, run=replace(report.run, fail_on=self.given.fail_on))
        if self.out:
            from probe.files import write_whole

            for reporter in chosen(self.given.formats or ("json", "html")):
                write_whole(self.out / reporter.filename, reporter.render(report))
                self.written.append(self.out / reporter.filename)
        return report

    def closing_lines(self) -> list[str]:
        """What is said at the end of pytest's run."""
        from probe.catalogue import registry
        from reports import summary
        from reports.text import printable

        if self.report is None:
            return []
        lines = [f"{summary.in_one_line(self.report)}; {summary.spent(self.report)}"]
        if self.written:
            lines.append("Report: " + ", ".join(str(path) for path in reversed(self.written)))
        return [printable(line) for line in (*lines, *registry.problems())]


def _arguments(config: pytest.Config) -> list[str]:
    """Our options as those of `endpoint-probe run`."""
    words: list[str] = []
    for name, (option, _) in _PASSED_ON.items():
        value = config.getoption(name)
        for item in value if isinstance(value, list) else [] if value is None else [value]:
            words += [option, str(item)]
    return words


class Checks(pytest.Collector):
    """The checks of one endpoint, as a collector of tests."""

    def __init__(self, *, ours: Session, **more: Any) -> None:
        super().__init__(**more)
        self.ours = ours

    def collect(self) -> list[pytest.Item]:
        """A test for each check of the run, by id."""
        return [CheckItem.from_parent(self, name=check.id, check=check) for check in self.ours.checks]


class CheckItem(pytest.Item):
    """One check as a test."""

    parent: Checks

    def __init__(self, *, check: Check, **more: Any) -> None:
        super().__init__(**more)
        self.check = check
        self.ours = self.parent.ours

    def record(self) -> CheckRecord | None:
        """How the check ended, once the endpoint is diagnosed."""
        report = self.ours.report
        return next((item for item in report.checks if item.id == self.check.id), None) if report else None

    def setup(self) -> None:
        wanted = [item.check.id for item in self.session.items if isinstance(item, CheckItem)]
        self.ours.diagnosed(wanted)
        record = self.record()
        if record is None:
            raise OwnFault(f"{self.check.id} was not run")
        outcome = str(record.outcome)
        if outcome == "error":
            raise OwnFault(f"{record.id} broke inside endpoint-probe: {_safe(record.reason)}")
        if outcome in ("skip", "inconclusive") and not self._failed(record):
            _skip(f"inconclusive: {record.reason}" if outcome == "inconclusive" else record.reason)

    def runtest(self) -> None:
        record = self.record()
        if record is not None and self._failed(record):
            raise Found(self._findings(record))

    def _failed(self, record: CheckRecord) -> bool:
        from probe.model import counts_as_failed

        assert self.ours.report is not None
        return counts_as_failed(self.ours.report, record)

    def _findings(self, record: CheckRecord) -> str:
        """The findings of the check, a paragraph each."""
        assert self.ours.report is not None
        found = [item for item in self.ours.report.findings if item.code in record.findings]
        paragraphs = []
        for finding in found:
            lines = [f"{finding.severity}: {finding.code}: {finding.title}", finding.detail]
            lines += [f"Fix: {finding.remedy}"] if finding.remedy else []
            lines.append(f"Who can fix it: {finding.owner}")
            paragraphs.append("\n".join(_safe(line) for line in lines))
        return "\n\n".join(paragraphs) or _safe(record.reason)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The findings and nothing of our own source; a fault of ours keeps its traceback."""
        if isinstance(excinfo.value, Found | OwnFault):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"endpoint-probe {self.check.id}"


class Found(Exception):
    """A check found something; the text names it with its remedy."""


class OwnFault(Exception):
    """A fault of endpoint-probe itself."""


def _skip(reason: str) -> NoReturn:
    pytest.skip(_safe(reason))


def _safe(text: str) -> str:
    """Text of the endpoint without anything that a terminal would obey."""
    from reports.text import printable

    return printable(text)
