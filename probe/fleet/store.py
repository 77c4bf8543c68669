"""The store: the jobs of each audit and the results of each run.

A run and the new state of its job are written in one transaction, so after an interruption a
job is either done, with all its results, or still planned.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Subquery,
    Table,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from probe.fleet import database, tables
from probe.fleet.database import StoreError
from probe.fleet.job import DEFINITE, Cell, Found, Judged, Outcome
from probe.fleet.time_spec import stamp
from probe.version import VERSION

PLANNED, DONE, FAILED = "planned", "done", "failed"
#: How many earlier runs are searched for the last definite verdict.
_LOOK_BACK = 50


@dataclass(frozen=True)
class Audit:
    """One audit of a fleet."""

    id: str
    fleet: str
    digest: str
    started_at: str
    finished_at: str | None
    executor: str


@dataclass(frozen=True)
class Planned:
    """One job of an audit and its state: planned, done, or failed with a problem."""

    cell: Cell
    endpoint: str
    labels: Mapping[str, str] = field(default_factory=dict)
    expect: Mapping[str, Sequence[str]] = field(default_factory=dict)
    state: str = PLANNED
    problem: str = ""


@dataclass(frozen=True)
class Ran:
    """One stored run with its verdicts by capability and its findings."""

    id: str
    audit_id: str
    fleet: str
    cell: Cell
    started_at: str
    finished_at: str
    duration_s: float
    depth: str
    complete: bool
    usable: bool
    endpoint: str
    base_url: str | None
    requests: int
    software: str
    version: str | None
    hops: tuple[str, ...]
    place: str
    verdicts: Mapping[str, Judged]
    findings: tuple[Found, ...]


def now() -> str:
    """The present time as the store keeps it."""
    return stamp(datetime.now(UTC))


class Store:
    """An open store; use as a context manager.

    Raises:
        StoreError: from every method, when the database fails.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> Store:
        """Open a store and bring it to the present schema.

        Raises:
            StoreError: it cannot be opened.
        """
        return cls(database.connect(database.parse(url)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.dispose()
        if isinstance(error, SQLAlchemyError):
            raise StoreError(f"the store failed ({database.reason(error)})") from None

    # Writing

    def begin(self, fleet: str, digest: str, executor: str, plan: Iterable[Planned]) -> Audit:
        """Insert a new audit and its jobs."""
        found = Audit(uuid.uuid4().hex, fleet, digest, now(), None, executor)
        rows = [
            {
                "audit_id": found.id,
                "target": item.cell.target,
                "model": item.cell.model,
                "vantage": item.cell.vantage,
                "position": number,
                "endpoint": item.endpoint,
                "labels": dict(item.labels),
                "expect": {name: list(states) for name, states in item.expect.items()},
                "state": item.state,
                "problem": item.problem,
            }
            for number, item in enumerate(plan)
        ]
        with self._engine.begin() as connection:
            connection.execute(
                insert(tables.audit).values(
                    id=found.id,
                    fleet=fleet,
                    digest=digest,
                    started_at=found.started_at,
                    tool=VERSION,
                    executor=executor,
                )
            )
            if rows:
                connection.execute(insert(tables.job), rows)
        return found

    def record(self, audit: Audit, outcome: Outcome) -> bool:
        """Keep an outcome; False where its job is done already, and nothing is kept twice."""
        job = tables.job
        mine = and_(job.c.audit_id == audit.id, _is_cell(job, outcome.cell), job.c.state == PLANNED)
        state = DONE if outcome.summary else FAILED
        with self._engine.begin() as connection:
            marked = connection.execute(update(job).where(mine).values(state=state, problem=outcome.problem))
            if marked.rowcount != 1:
                return False
            if outcome.summary is None:
                return True
            summary = outcome.summary
            connection.execute(insert(tables.run).values(_run_values(audit, outcome)))
            connection.execute(
                insert(tables.verdict),
                [
                    {"run_id": summary.run_id, **{name: getattr(item, name) for name in Judged.__dataclass_fields__}}
                    for item in summary.verdicts
                ],
            )
            if summary.findings:
                connection.execute(
                    insert(tables.finding),
                    [
                        {
                            "run_id": summary.run_id,
                            "number": number,
                            **{name: getattr(item, name) for name in Found.__dataclass_fields__},
                        }
                        for number, item in enumerate(summary.findings)
                    ],
                )
            if outcome.report:
                connection.execute(insert(tables.report).values(run_id=summary.run_id, content=outcome.report))
        return True

    def finish(self, audit: Audit) -> None:
        """Mark the audit as finished."""
        with self._engine.begin() as connection:
            connection.execute(update(tables.audit).where(tables.audit.c.id == audit.id).values(finished_at=now()))

    def prune(self, fleet: str, keep_days: float) -> int:
        """Delete the fleet's audits that began earlier, except the newest; returns how many."""
        table = tables.audit
        before = stamp(datetime.now(UTC) - timedelta(days=keep_days))
        with self._engine.begin() as connection:
            newest = select(table.c.id).where(table.c.fleet == fleet).order_by(table.c.started_at.desc()).limit(1)
            kept = connection.execute(newest).scalar()
            old = and_(table.c.fleet == fleet, table.c.started_at < before, table.c.id != kept)
            return connection.execute(delete(table).where(old)).rowcount

    # Reading

    def audits(self, fleet: str | None = None, limit: int | None = None) -> list[Audit]:
        """The audits, the newest first."""
        table = tables.audit
        wanted = select(table).order_by(table.c.started_at.desc()).limit(limit)
        if fleet is not None:
            wanted = wanted.where(table.c.fleet == fleet)
        with self._engine.connect() as connection:
            return [
                Audit(row.id, row.fleet, row.digest, row.started_at, row.finished_at, row.executor)
                for row in connection.execute(wanted)
            ]

    def fleets(self) -> list[str]:
        """The names of the fleets with a history."""
        with self._engine.connect() as connection:
            found = connection.execute(select(tables.audit.c.fleet).distinct().order_by(tables.audit.c.fleet))
            return [str(row.fleet) for row in found]

    def unfinished(self, fleet: str) -> Audit | None:
        """The newest audit of a fleet, if it was not finished."""
        found = self.audits(fleet, 1)
        return found[0] if found and found[0].finished_at is None else None

    def plan(self, audit: Audit) -> list[Planned]:
        """The jobs of an audit, in the order of the fleet file."""
        table = tables.job
        with self._engine.connect() as connection:
            rows = connection.execute(select(table).where(table.c.audit_id == audit.id).order_by(table.c.position))
            return [
                Planned(
                    Cell(row.target, row.model, row.vantage),
                    row.endpoint,
                    row.labels,
                    row.expect,
                    row.state,
                    row.problem,
                )
                for row in rows
            ]

    def runs(
        self,
        *,
        audit: Audit | None = None,
        fleet: str | None = None,
        cell: Cell | None = None,
        target: str | None = None,
        model: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        brief: bool = False,
    ) -> list[Ran]:
        """Stored runs that match every argument given, the newest first.

        Args:
            since, until: the first and the last moment of their start, as the store keeps times.
            brief: without the notes of verdicts and the details of findings, which are most of the text.
        """
        table = tables.run
        wanted = select(table).order_by(table.c.started_at.desc(), table.c.id).limit(limit)
        for column, value in (
            (table.c.audit_id, audit.id if audit else None),
            (table.c.fleet, fleet),
            (table.c.target, target),
            (table.c.model, model),
        ):
            wanted = wanted if value is None else wanted.where(column == value)
        if cell is not None:
            wanted = wanted.where(_is_cell(table, cell))
        if since is not None:
            wanted = wanted.where(table.c.started_at >= since)
        if until is not None:
            wanted = wanted.where(table.c.started_at <= until)
        # A subquery and no list of ids: PostgreSQL takes at most 65,535 parameters (its protocol, Bind).
        chosen = wanted.with_only_columns(table.c.id).subquery()
        with self._engine.connect() as connection:
            rows = connection.execute(wanted).all()
            verdicts = _rows_of(connection, tables.verdict, "capability", chosen, {"note"} if brief else set())
            findings = _rows_of(connection, tables.finding, "number", chosen, {"detail"} if brief else set())
        return [_ran(row, verdicts.get(row.id, []), findings.get(row.id, [])) for row in rows]

    def usable_counts(self, audits: Iterable[Audit]) -> dict[str, tuple[int, int]]:
        """The usable runs and all runs of each audit, by its id."""
        table = tables.run
        wanted = select(table.c.audit_id, func.count(), func.sum(case((table.c.usable, 1), else_=0)))
        wanted = wanted.where(table.c.audit_id.in_([item.id for item in audits])).group_by(table.c.audit_id)
        with self._engine.connect() as connection:
            return {row[0]: (int(row[2]), int(row[1])) for row in connection.execute(wanted)}

    def targets(self, fleet: str) -> list[str]:
        """The names of all targets of a fleet that were ever probed."""
        table = tables.job
        wanted = select(table.c.target).distinct().join(tables.audit).where(tables.audit.c.fleet == fleet)
        with self._engine.connect() as connection:
            return sorted(str(row.target) for row in connection.execute(wanted))

    def look_back(self, audit: Audit, cell: Cell, until: str | None = None) -> list[Ran]:
        """The last runs of a cell before an audit and a time, the newest first."""
        found = self.runs(fleet=audit.fleet, cell=cell, until=until, limit=_LOOK_BACK)
        return [item for item in found if item.audit_id != audit.id]

    def recorded(self, fleet: str) -> list[tuple[Cell, str]]:
        """The cell and the id of every run of a fleet."""
        table = tables.run.c
        wanted = select(table.target, table.model, table.vantage, table.id).where(table.fleet == fleet)
        with self._engine.connect() as connection:
            return [(Cell(row.target, row.model, row.vantage), row.id) for row in connection.execute(wanted)]

    def before(self, audit: Audit, cell: Cell, until: str | None = None) -> dict[str, Judged]:
        """The last definite verdict on each capability of a cell, before an audit and a time."""
        return definite(self.look_back(audit, cell, until))

    def run_ids(self, beginning: str) -> list[str]:
        """The ids of runs that begin with this text."""
        table = tables.run
        with self._engine.connect() as connection:
            found = connection.execute(select(table.c.id).where(table.c.id.startswith(beginning, autoescape=True)))
            return [str(row.id) for row in found]

    def report(self, run_id: str) -> bytes | None:
        """A run's report.json, compressed with gzip, or None."""
        with self._engine.connect() as connection:
            found = connection.execute(select(tables.report.c.content).where(tables.report.c.run_id == run_id))
            content = found.scalar()
            return None if content is None else bytes(content)


def definite(runs: Iterable[Ran]) -> dict[str, Judged]:
    """The last definite verdict on each capability.

    Flapping verdicts are left out, since a later verdict cannot differ from them.

    Args:
        runs: of one cell, the newest first.
    """
    known: dict[str, Judged] = {}
    for item in runs:
        for name, judged in item.verdicts.items():
            if judged.state in DEFINITE and judged.agreed == judged.trials:
                known.setdefault(name, judged)
    return known


def _is_cell(table: Any, cell: Cell) -> ColumnElement[bool]:
    return and_(table.c.target == cell.target, table.c.model == cell.model, table.c.vantage == cell.vantage)


def _run_values(audit: Audit, outcome: Outcome) -> dict[str, Any]:
    summary, cell = outcome.summary, outcome.cell
    assert summary is not None
    same = "started_at finished_at duration_s depth complete usable endpoint base_url requests prompt_tokens"
    return {
        "id": summary.run_id,
        "audit_id": audit.id,
        "fleet": audit.fleet,
        "target": cell.target,
        "model": cell.model,
        "vantage": cell.vantage,
        "place": outcome.place,
        "answered_model": summary.model,
        "hops": list(summary.hops),
        **{name: getattr(summary, name) for name in (same + " completion_tokens software version").split()},
    }


def _rows_of(
    connection: Connection, table: Table, order: str, chosen: Subquery, left_out: Set[str]
) -> dict[str, list[Row[Any]]]:
    """The rows of these runs, by run; columns that are left out are empty texts."""
    columns = [literal("").label(item.name) if item.name in left_out else item for item in table.c]
    wanted = select(*columns).join(chosen, chosen.c.id == table.c.run_id).order_by(table.c[order])
    found: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(wanted):
        found.setdefault(row.run_id, []).append(row)
    return found


def _ran(row: Row[Any], verdicts: list[Row[Any]], findings: list[Row[Any]]) -> Ran:
    judged = {
        item.capability: Judged(**{name: getattr(item, name) for name in Judged.__dataclass_fields__})
        for item in verdicts
    }
    found = tuple(Found(**{name: getattr(item, name) for name in Found.__dataclass_fields__}) for item in findings)
    return Ran(
        id=row.id,
        audit_id=row.audit_id,
        fleet=row.fleet,
        cell=Cell(row.target, row.model, row.vantage),
        started_at=row.started_at,
        finished_at=row.finished_at,
        duration_s=row.duration_s,
        depth=row.depth,
        complete=row.complete,
        usable=row.usable,
        endpoint=row.endpoint,
        base_url=row.base_url,
        requests=row.requests,
        software=row.software,
        version=row.version,
        hops=tuple(row.hops),
        place=row.place,
        verdicts=judged,
        findings=found,
    )
