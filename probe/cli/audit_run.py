"""An audit as a user sees it: what is checked first, what is written, and the exit status."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_process
from sqlalchemy.exc import SQLAlchemyError

from probe.catalogue import registry
from probe.cli.audit_files import FORMATS, complete_reports, write, write_matrix, write_report
from probe.cli.audit_matrix import assemble
from probe.cli.audit_progress import Teller
from probe.cli.options import Unusable
from probe.cli.run_and_report import FOUND, INTERRUPTED, NO_CHAT, check_folder
from probe.fleet import file, webhook
from probe.fleet.audit import audit
from probe.fleet.database import StoreError
from probe.fleet.executors import Executor, ExecutorError, LocalExecutor
from probe.fleet.job import Fleet, Outcome
from probe.fleet.job_options import BadTarget, options_of
from probe.fleet.store import Audit, Store, stamp
from probe.fleet.time_spec import moment
from reports.matrix import metrics
from reports.matrix.formats import as_json
from reports.matrix.table import Matrix, headline
from reports.text import printable

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
