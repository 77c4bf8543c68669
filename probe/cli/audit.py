"""`audit`: diagnose many endpoints and models, keep every run, and write one matrix."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_process
import click
from sqlalchemy.exc import SQLAlchemyError

from probe import gate
from probe.catalogue import registry
from probe.cli import FOUND, INTERRUPTED, NO_CHAT, webhook
from probe.cli.audit_matrix import FORMATS, assemble, complete_reports, report_name, write_matrix, write_report
from probe.cli.options import Unusable, as_unusable, choice, number, several, write
from probe.cli.run import accepted_codes, check_folder
from probe.cli.settings import Configured
from probe.fleet import file
from probe.fleet.audit import Progress, audit
from probe.fleet.database import StoreError
from probe.fleet.executors import Executor, ExecutorError, LocalExecutor
from probe.fleet.job import Fleet, Outcome
from probe.fleet.job_runner import options_of
from probe.fleet.store import Audit, Store
from probe.fleet.time_spec import since
from probe.model import Depth
from probe.run.interruption import Interrupted, hush
from probe.wording import amount
from reports.matrix import formats
from reports.matrix.formats import as_json
from reports.matrix.table import Matrix, Row, headline
from reports.text import printable

_STORE_FILE = "history.sqlite3"
#: Errors whose message is for the user.
_EXPECTED = (StoreError, ExecutorError, Unusable, SQLAlchemyError)
_SEVERITIES = {"error": ("error",), "warning": ("error", "warning")}


@click.command("audit", cls=Configured, from_file=("accept", "fail-on"))
@click.argument("fleet", metavar="FLEET.toml")
@click.option("--resume", is_flag=True, help="Continue an audit that was interrupted; finished runs are not repeated.")
@click.option("--store", metavar="URL", help=f"Where history is kept; default: {_STORE_FILE} in the folder of --out.")
@click.option("--executor", metavar="WHERE", default="local", show_default=True, help="local, or dask://HOST:PORT.")
@click.option("--since", metavar="WHEN", help="Show what changed since then, as in --since tuesday; default: last run.")
@number("--concurrency", "endpoints", 1, 256, "16", "Endpoints and requests in flight; default: the file's, or 16.")
@click.option(
    "--out", "--output", "out", metavar="DIR", default="endpoint-audit", show_default=True, help="Folder for the files."
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(list(FORMATS)),
    multiple=True,
    help="Formats of the matrix; repeatable; default: all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print matrix.json on standard output and nothing else.")
@click.option("--metrics", metavar="FILE", help="Also write metrics, for node_exporter's textfile collector.")
@click.option("--webhook", metavar="URL", help="POST regressions there; ${VAR} is replaced from the environment.")
@click.option("--webhook-secret-env", metavar="NAME", help="Variable with the secret that signs the webhook's body.")
@choice(
    "--fail-on",
    ["error", "warning", "expectation", "regression", "never"],
    "When the exit status is 1: a finding of this severity, a missed expectation, a regression.",
    "error",
)
@several("--accept", "CODE[=DAY]", "A finding that does not count for --fail-on, until a day; repeatable.")
@click.option("--dry-run", is_flag=True, help="Show what would be probed and spent at most; send nothing.")
@click.option("--quiet", "-q", is_flag=True, help="No progress: one line with the result.")
def audit_command(fleet: str, **given: Any) -> int:
    """Diagnose every endpoint and model of a fleet file and write one matrix.

    Every run is kept in the store, so the next audit shows what changed.  A verdict that
    changed is tried again before it is reported.
    """
    plan = _checked(Path(fleet), given)
    if given["dry_run"]:
        _show_plan(plan.fleet)
        return 0
    check_folder(plan.out)
    with as_unusable(StoreError, ExecutorError), Store.open(plan.store) as store:
        return _audit(plan, store)


@dataclass(frozen=True)
class _Plan:
    """The settings of an audit, all of them checked before anything is sent."""

    fleet: Fleet
    out: Path
    store: str
    executor: str
    since: str | None
    webhook: tuple[str, bytes | None] | None
    formats: tuple[str, ...]
    given: Mapping[str, Any]


def _checked(path: Path, given: Mapping[str, Any]) -> _Plan:
    fleet = file.load(path)
    if given["concurrency"]:
        fleet = replace(fleet, settings=replace(fleet.settings, concurrency=int(given["concurrency"])))
    executor = given["executor"]
    if executor != "local" and not executor.startswith("dask://"):
        raise Unusable(f"--executor cannot be '{executor[:40]}'; write local, or dask://HOST:PORT")
    if executor == "local":
        _check_references(path, fleet)
    accepted_codes(given["accept"])
    out = Path(given["out"])
    return _Plan(
        fleet,
        out,
        given["store"] or str(out / _STORE_FILE),
        executor,
        since(given["since"]),
        webhook.resolve(given["webhook"], given["webhook_secret_env"]),
        tuple(dict.fromkeys(given["formats"])) or tuple(FORMATS),
        given,
    )


def _check_references(path: Path, fleet: Fleet) -> None:
    """Every key and variable must be there before the first request is sent.

    Raises:
        Unusable: one is missing; the line of its target is named.
    """
    for target in fleet.targets:
        try:
            options = options_of(target, None)
            registry.select(options.depth, options.only, options.skip, options.also)
        except (Unusable, registry.RegistryError) as error:
            line = file.line_of(path, target.name)
            raise Unusable(f"{path}:{line}: target '{target.name}': {error}") from None
    for target in fleet.targets:
        if target.vantage:
            line = file.line_of(path, target.name)
            raise Unusable(
                f"{path}:{line}: '{target.name}' has a vantage, which needs workers: --executor dask://HOST:PORT"
            )


def _show_plan(fleet: Fleet) -> None:
    """Print what would be probed and the most it can cost."""
    requests = 0
    for target in fleet.targets:
        models = "the models it lists" if target.discover else ", ".join(target.models) or "its only or first model"
        depth = Depth(target.options.get("depth", "standard"))
        checks = registry.select(depth, tuple(target.options.get("only", ())), tuple(target.options.get("skip", ())))
        # A verdict that changed is tried again, as often as the fleet file says.
        each = sum(check.max_requests for check in checks) * (1 + fleet.settings.confirm)
        limit = target.options.get("max_requests")
        requests += min(each, limit or each) * max(1, len(target.models)) * max(1, len(target.vantage))
        print(printable(f"{target.name}: {target.endpoint}: {models} (depth {depth})"))
    print(f"\nNothing is sent. At most {amount(requests, 'request')}; models yet to be discovered are not counted.")


# Running -------------------------------------------------------------------------------------------------


def _audit(plan: _Plan, store: Store) -> int:
    try:
        found = anyio.run(_run, plan, store)
    except BaseExceptionGroup as group:
        raise _cause(group) from None
    if found is None:
        begun = store.unfinished(plan.fleet.name)
        if begun is not None:
            write_matrix(assemble(store, begun, plan.since), plan.out, plan.formats)
        print("endpoint-probe: interrupted; --resume continues it", file=sys.stderr)
        return INTERRUPTED
    complete_reports(store, found, plan.out)  # before old runs are forgotten, whose files are known by them
    if plan.fleet.settings.keep_days is not None:
        store.prune(plan.fleet.name, plan.fleet.settings.keep_days)
    matrix = assemble(store, found, plan.since)
    written = write_matrix(matrix, plan.out, plan.formats)
    if plan.given["metrics"]:
        shown = formats.as_metrics(matrix)
        write(plan.given["metrics"], shown, "name another file with --metrics", named=True)
    delivered = _alarm(plan, store, found, matrix)
    _print_result(matrix, plan.given, written)
    return max(_status(matrix, plan.given["fail_on"], plan.given["accept"]), 0 if delivered else FOUND)


def _cause(error: BaseException) -> BaseException:
    """The exception to report of a group: one whose message is for the user, if there is one."""
    if not isinstance(error, BaseExceptionGroup):
        return Unusable(f"cannot write the reports ({error.strerror})") if isinstance(error, OSError) else error
    causes = [_cause(item) for item in error.exceptions]
    return next((item for item in causes if isinstance(item, _EXPECTED)), causes[0])


async def _run(plan: _Plan, store: Store) -> Audit | None:
    """Run the audit; None when a signal ended it."""
    found: Audit | None = None
    hush()

    interrupted = Interrupted()
    with interrupted.listening():
        async with anyio.create_task_group() as group:
            group.start_soon(interrupted.end, group.cancel_scope)
            async with anyio.create_task_group() as writing, _executor(plan, interrupted) as executor:

                async def keep_report(outcome: Outcome) -> None:
                    assert outcome.summary is not None
                    stem = str(plan.out / "reports" / report_name(outcome.cell, outcome.summary.run_id))
                    await anyio.to_process.run_sync(
                        write_report, outcome.report, stem, cancellable=True, limiter=executor.clerk
                    )

                def kept(outcome: Outcome) -> None:
                    if outcome.summary is not None:
                        writing.start_soon(keep_report, outcome)

                progress = _PrintedProgress(kept, quiet=plan.given["quiet"])
                found = await audit(plan.fleet, store, executor, progress, resume=plan.given["resume"])
            group.cancel_scope.cancel()
    return found


def _executor(plan: _Plan, interrupted: Interrupted) -> AbstractAsyncContextManager[Executor]:
    if plan.executor == "local":
        return LocalExecutor.open(plan.fleet.settings, interrupted)
    from probe.fleet.dask import DaskExecutor

    return DaskExecutor.open(plan.executor.removeprefix("dask://"))


class _PrintedProgress(Progress):
    """Progress on standard error: a line for each finished run, with an estimate of the time left.

    Args:
        kept: called with each outcome.
        quiet: print nothing.
    """

    def __init__(self, kept: Any, *, quiet: bool) -> None:
        self._kept = kept
        self._quiet = quiet
        self._begin = time.monotonic()
        self._done_before = 0

    def note(self, text: str) -> None:
        if not self._quiet:
            print(printable(text, 240), file=sys.stderr, flush=True)

    def started(self, done: int, total: int) -> None:
        self._begin = time.monotonic()
        self._done_before = done
        self.note(f"{amount(total, 'run')} to do" + (f", {done} of them done before" if done else ""))

    def finished(self, done: int, total: int, outcome: Outcome) -> None:
        elapsed = time.monotonic() - self._begin
        each = elapsed / max(1, done - self._done_before)
        left = f"; about {duration(each * (total - done))} left" if done < total else ""
        result = outcome.problem
        if outcome.summary is not None:
            errors = sum(item.severity == "error" for item in outcome.summary.findings)
            result = ("usable" if outcome.summary.usable else "not usable") + (
                f", {amount(errors, 'error')}" if errors else ""
            )
        place = f" on {outcome.place}" if outcome.place else ""
        self.note(f"[{elapsed:6.1f} s] {done}/{total} {outcome.cell}{place}: {result}{left}")
        self._kept(outcome)


def duration(seconds: float) -> str:
    """A time in seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# The result ----------------------------------------------------------------------------------------------


def _alarm(plan: _Plan, store: Store, found: Audit, matrix: Matrix) -> bool:
    """Send the alarm where a capability regressed; False when it could not be delivered."""
    if plan.webhook is None:
        return True
    # With --since the matrix may show old changes again; an alarm is only about those since the run before.
    content = webhook.body(matrix if plan.since is None else assemble(store, found))
    if content is None:
        return True
    problem = webhook.send(*plan.webhook, content)
    if problem is not None:
        print(f"endpoint-probe: the webhook could not be delivered ({printable(problem)})", file=sys.stderr)
    return problem is None


def _print_result(matrix: Matrix, given: Mapping[str, Any], written: list[Path]) -> None:
    if given["as_json"]:
        sys.stdout.buffer.write(as_json(matrix))
        sys.stdout.flush()
        return
    lines = [f"{matrix.fleet}: {headline(matrix)}"]
    if not given["quiet"]:
        changes = [
            f"{item.kind}: {item.name}: {item.capability} {item.before} -> {item.after}, {item.trial_words}"
            + (f" ({item.finding})" if item.finding else "")
            for item in matrix.changes
        ]
        rows = []
        for row in matrix.rows:
            for name in row.unmet:
                mark = row.marks[name]
                rows.append(f"expected: {row.name}: {name} {' or '.join(mark.expected)}, found {mark.state}")
            if row.state == "failed":
                rows.append(f"failed: {row.name}: {row.problem}")
            elif row.state == "done" and not row.usable:
                rows.append(f"not usable: {row.name}: {row.cause}")
        paths = [f"path: {text}" for text in matrix.paths]
        lines = [*changes, *paths, *rows, *lines, f"Written: {', '.join(map(str, written))}"]
    for line in lines:
        print(printable(line))


def _status(matrix: Matrix, fail_on: str, accept: Sequence[str] = ()) -> int:
    """The exit status: 3 when no row is usable, 1 for what ``--fail-on`` names, else 0.

    A missed expectation and a row that could not be probed count for everything but ``never``.
    """
    if not any(row.usable for row in matrix.rows):
        return NO_CHAT
    if fail_on == "never":
        return 0
    failed = any(row.unmet or row.state == "failed" or _counted(row, fail_on, accept) for row in matrix.rows)
    return FOUND if failed or (fail_on == "regression" and matrix.changed("regression")) else 0


def _counted(row: Row, fail_on: str, accept: Sequence[str]) -> bool:
    known = gate.in_force(accept, row.started_at)
    levels = _SEVERITIES.get(fail_on, ())
    return any(item.severity in levels and item.code not in known for item in row.findings)
