"""`audit`: many endpoints and models, one matrix."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_process
import click
from sqlalchemy.exc import SQLAlchemyError

from probe.catalogue import registry
from probe.cli import webhook
from probe.cli.audit_matrix import FORMATS, assemble, complete_reports, write, write_matrix, write_report
from probe.cli.options import Number, Unusable
from probe.cli.run_and_report import FOUND, INTERRUPTED, NO_CHAT, check_folder
from probe.fleet import file
from probe.fleet.audit import Watch, audit
from probe.fleet.database import StoreError
from probe.fleet.executors import Executor, ExecutorError, LocalExecutor
from probe.fleet.job import Fleet, Outcome
from probe.fleet.job_runner import BadTarget, options_of
from probe.fleet.store import Audit, Store, stamp
from probe.fleet.time_spec import moment
from reports.matrix import metrics
from reports.matrix.formats import as_json
from reports.matrix.table import Matrix, headline
from reports.text import printable


@click.command("audit", context_settings={"max_content_width": 100})
@click.argument("fleet", metavar="FLEET.toml")
@click.option("--resume", is_flag=True, help="Go on with an audit that was interrupted; nothing is done twice.")
@click.option("--store", metavar="URL", help="Where history is kept; default: history.sqlite3 in the folder of --out.")
@click.option("--executor", metavar="WHERE", default="local", show_default=True, help="local, or dask://HOST:PORT.")
@click.option("--since", metavar="WHEN", help="Show what changed since then, as in --since tuesday; default: last run.")
@click.option(
    "--concurrency",
    metavar="N",
    type=click.UNPROCESSED,
    callback=Number("endpoints", 1, 256, whole=True, example="16"),
    help="Endpoints at once, and requests in flight over all; default: the file's, or 16.",
)
@click.option("--out", metavar="DIR", default="endpoint-audit", show_default=True, help="Folder for the files.")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["html", "json", "csv", "markdown", "junit"]),
    multiple=True,
    help="Formats of the matrix; repeatable; default: all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print matrix.json on standard output and nothing else.")
@click.option("--metrics", metavar="FILE", help="Also write metrics, for node_exporter's textfile collector.")
@click.option("--webhook", metavar="URL", help="POST regressions there; ${VAR} is read from the environment.")
@click.option("--webhook-secret-env", metavar="NAME", help="Variable with the secret that signs the webhook's body.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "expectation", "regression", "never"]),
    default="error",
    show_default=True,
    help="When the exit status is 1: a finding of this severity, a missed expectation, a regression.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be probed and spent at most; send nothing.")
@click.option("--quiet", "-q", is_flag=True, help="No progress: one line with the result.")
def command(fleet: str, **given: Any) -> int:
    """Diagnose every endpoint and model of a fleet file and write one matrix.

    Every run is kept in the store, so the next audit says what changed.  A verdict that
    changed is tried again before it is believed.
    """
    try:
        import alembic  # noqa: F401
        import sqlalchemy  # noqa: F401
    except ImportError:
        raise Unusable(
            "audit needs SQLAlchemy and alembic; install them in a checkout of endpoint-probe with: "
            "pip install '.[fleet]'"
        ) from None

    return conduct(fleet, given)


# What is said while an audit goes on: a line for each job, with an estimate of the rest. -----------


def spent(seconds: float) -> str:
    """A time in the unit people would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Teller:
    """Says on standard error how far the audit is.

    Args:
        quiet: say nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._begin = time.monotonic()
        self._before = 0

    @property
    def watch(self) -> Watch:
        """What the audit calls."""
        return Watch(self.say, self.discovering, self.started, self.progress)

    def say(self, text: str) -> None:
        """One line."""
        if not self._quiet:
            try:
                print(printable(text, 240), file=sys.stderr, flush=True)
            except OSError:  # whoever read it has gone; the audit goes on
                self._quiet = True

    def discovering(self, count: int) -> None:
        """So many endpoints are asked for their models first."""
        self.say(f"asking {count} endpoint{'' if count == 1 else 's'} for their models")

    def started(self, done: int, total: int) -> None:
        """The plan is made, or taken up again with some of it done."""
        self._begin = time.monotonic()
        self._before = done
        self.say(f"{total} to probe" + (f", {done} of them done before" if done else ""))

    def progress(self, done: int, total: int, outcome: Outcome) -> None:
        """One more is done."""
        elapsed = time.monotonic() - self._begin
        each = elapsed / max(1, done - self._before)
        left = f"; about {spent(each * (total - done))} left" if done < total else ""
        summary = outcome.summary
        if summary is None:
            said = outcome.problem
        else:
            number = sum(item.severity == "error" for item in summary.findings)
            said = ("usable" if summary.usable else "not usable") + (f", {number} errors" if number else "")
        place = f" on {outcome.place}" if outcome.place else ""
        self.say(f"[{elapsed:6.1f} s] {done}/{total} {outcome.cell}{place}: {said}{left}")


# An audit as a user sees it: what is checked first, what is written, and the exit status. ----------

STORE_FILE = "history.sqlite3"
_TELLING = (StoreError, ExecutorError, Unusable, SQLAlchemyError)


@dataclass(frozen=True)
class Wanted:
    """An audit's settings, checked: nothing is sent before all of them can be used."""

    fleet: Fleet
    out: Path
    store: str
    executor: str
    since: str | None
    alarm: tuple[str, bytes | None] | None
    given: Mapping[str, Any]


def conduct(path: str, given: Mapping[str, Any]) -> int:
    """Check everything that was given, audit, write and tell; returns the exit status.

    Raises:
        Unusable: something given cannot be used; nothing was sent.
    """
    wanted = _checked(Path(path), given)
    if given["dry_run"]:
        _show_plan(wanted.fleet)
        return 0
    check_folder(wanted.out)
    teller = Teller(quiet=given["quiet"])
    try:
        with Store.open(wanted.store) as store:
            return _audited(wanted, store, teller)
    except (StoreError, ExecutorError) as error:
        raise Unusable(str(error)) from None


def _checked(path: Path, given: Mapping[str, Any]) -> Wanted:
    try:
        fleet = file.load(path)
    except file.BadFleet as error:
        raise Unusable(str(error)) from None
    if given["concurrency"]:
        fleet = replace(fleet, settings=replace(fleet.settings, concurrency=int(given["concurrency"])))
    executor = given["executor"]
    if executor != "local" and not executor.startswith("dask://"):
        raise Unusable(f"--executor cannot be '{executor[:40]}'; write local, or dask://HOST:PORT")
    if executor == "local":
        _references(path, fleet)
        placed = next((target for target in fleet.targets if target.vantage), None)
        if placed is not None:
            line = file.line_of(path, placed.name)
            said = f"'{placed.name}' has a vantage, which needs workers: --executor dask://HOST:PORT"
            raise Unusable(f"{path}:{line}: {said}")
    since = None
    if given["since"] is not None:
        try:
            since = stamp(moment(given["since"], datetime.now().astimezone()))
        except ValueError as error:
            raise Unusable(f"--since {error}") from None
    out = Path(given["out"])
    alarm = webhook.resolve(given["webhook"], given["webhook_secret_env"])
    return Wanted(fleet, out, given["store"] or str(out / STORE_FILE), executor, since, alarm, given)


def _references(path: Path, fleet: Fleet) -> None:
    """Every key and variable must be there before the first request goes out.

    Raises:
        Unusable: one is not; the line of its target is named.
    """
    for target in fleet.targets:
        try:
            options = options_of(target, None)
            registry.select(options.depth, options.only, options.skip)
        except (BadTarget, registry.RegistryError) as error:
            line = file.line_of(path, target.name)
            raise Unusable(f"{path}:{line}: target '{target.name}': {error}") from None


def _show_plan(fleet: Fleet) -> None:
    """What would be probed and the most it can cost."""
    requests = 0
    for target in fleet.targets:
        models = "the models it lists" if target.discover else ", ".join(target.models) or "its only or first model"
        depth = target.options.get("depth", "standard")
        each = sum(check.max_requests for check in registry.checks() if check.depth.rank <= _rank(depth))
        cells = max(1, len(target.models)) * max(1, len(target.vantage))
        requests += each * cells
        print(printable(f"{target.name}: {target.endpoint}: {models} (depth {depth})"))
    print(f"\nNothing is sent. At most {requests} requests, models that are yet to be discovered not counted.")


def _rank(depth: str) -> int:
    return ("quick", "standard", "deep").index(depth)


def _audited(wanted: Wanted, store: Store, teller: Teller) -> int:
    try:
        found = anyio.run(_run, wanted, store, teller)
    except BaseExceptionGroup as group:
        raise _cause(group) from None
    if found is None:
        begun = store.unfinished(wanted.fleet.name)
        if begun is not None:
            write_matrix(assemble(store, begun, wanted.since), wanted.out, _formats(wanted))
        print("endpoint-probe: interrupted; --resume goes on where it stopped", file=sys.stderr)
        return INTERRUPTED
    if wanted.fleet.settings.keep_days is not None:
        store.prune(wanted.fleet.name, wanted.fleet.settings.keep_days)
    matrix = assemble(store, found, wanted.since)
    complete_reports(store, found, wanted.out)
    written = write_matrix(matrix, wanted.out, _formats(wanted))
    if wanted.given["metrics"]:
        write(Path(wanted.given["metrics"]), metrics.render(matrix))
    told = _alarm(wanted, store, found, matrix)
    _say(matrix, wanted, written)
    return max(_status(matrix, wanted.given["fail_on"]), 0 if told else FOUND)


def _cause(error: BaseException) -> BaseException:
    """What a group of exceptions is about: what can be told in a line before what cannot."""
    if not isinstance(error, BaseExceptionGroup):
        return Unusable(f"cannot write the reports ({error.strerror})") if isinstance(error, OSError) else error
    causes = [_cause(item) for item in error.exceptions]
    return next((item for item in causes if isinstance(item, _TELLING)), causes[0])


def _formats(wanted: Wanted) -> tuple[str, ...]:
    return tuple(dict.fromkeys(wanted.given["formats"])) or tuple(FORMATS)


async def _run(wanted: Wanted, store: Store, teller: Teller) -> Audit | None:
    """The audit, or None when a signal ended it."""
    found: Audit | None = None
    watch = teller.watch
    writers = anyio.CapacityLimiter(1)

    async def keep_report(outcome: Outcome) -> None:
        assert outcome.summary is not None
        stem = str(wanted.out / "reports" / f"{outcome.cell.slug}-{outcome.summary.run_id[:8]}")
        await anyio.to_process.run_sync(write_report, outcome.report, stem, cancellable=True, limiter=writers)

    async with anyio.create_task_group() as group:

        def progress(done: int, total: int, outcome: Outcome) -> None:
            watch.progress(done, total, outcome)
            if outcome.summary is not None:
                writing.start_soon(keep_report, outcome)

        group.start_soon(_watch_signals, group.cancel_scope)
        async with anyio.create_task_group() as writing, _executor(wanted) as executor:
            kept = replace(watch, progress=progress)
            found = await audit(wanted.fleet, store, executor, kept, resume=wanted.given["resume"])
        group.cancel_scope.cancel()
    return found


async def _watch_signals(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


def _executor(wanted: Wanted) -> AbstractAsyncContextManager[Executor]:
    if wanted.executor == "local":
        return LocalExecutor.open(wanted.fleet.settings)
    from probe.fleet.dask import DaskExecutor

    return DaskExecutor.open(wanted.executor.removeprefix("dask://"))


def _alarm(wanted: Wanted, store: Store, found: Audit, matrix: Matrix) -> bool:
    """Send the alarm where there is reason; False when it could not be delivered."""
    if wanted.alarm is None:
        return True
    # However far back the changes are shown, an alarm is given once: against the run before.
    content = webhook.body(matrix if wanted.since is None else assemble(store, found))
    if content is None:
        return True
    why = webhook.send(*wanted.alarm, content)
    if why is not None:
        print(f"endpoint-probe: the webhook could not be told ({printable(why)})", file=sys.stderr)
    return why is None


def _say(matrix: Matrix, wanted: Wanted, written: list[Path]) -> None:
    if wanted.given["as_json"]:
        sys.stdout.buffer.write(as_json(matrix))
        sys.stdout.flush()
        return
    if not wanted.given["quiet"]:
        for item in matrix.changes:
            line = f"{item.kind}: {item.name}: {item.capability} {item.before} -> {item.after}, {item.trial_words}"
            print(printable(line + (f" ({item.finding})" if item.finding else "")))
        for text in matrix.paths:
            print(printable(f"path: {text}"))
        for row in matrix.rows:
            for name in row.unmet:
                mark = row.marks[name]
                print(printable(f"expected: {row.name}: {name} {' or '.join(mark.expected)}, found {mark.state}"))
            if row.state == "failed":
                print(printable(f"failed: {row.name}: {row.problem}"))
    print(printable(f"{matrix.fleet}: {headline(matrix)}"))
    if not wanted.given["quiet"]:
        print(f"Written: {', '.join(map(str, written))}")


def _status(matrix: Matrix, fail_on: str) -> int:
    """The exit status: 3 when no row is usable, 1 for what ``--fail-on`` names, else 0.

    A missed expectation and a row that could not be probed count for everything but ``never``.
    """
    if not any(row.usable for row in matrix.rows):
        return NO_CHAT
    if fail_on == "never":
        return 0
    failed = any(row.unmet or row.state == "failed" for row in matrix.rows)
    severities = {"error": ("error",), "warning": ("error", "warning")}.get(fail_on, ())
    failed = failed or any(row.count(severity) for row in matrix.rows for severity in severities)
    failed = failed or (fail_on == "regression" and bool(matrix.changed("regression")))
    return FOUND if failed else 0
