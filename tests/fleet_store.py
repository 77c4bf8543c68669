"""What every store must do, whatever the database: subclassed once for each."""

from __future__ import annotations

import gzip
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from probe.fleet import database, tables
from probe.fleet.database import StoreError
from probe.fleet.job import Cell, Found, Judged, Outcome, Summary
from probe.fleet.store import DONE, FAILED, PLANNED, Audit, Planned, Store

FLAP = {"tools": "broken", "vision": "works", "flapping": "yes"}
CELLS = [Cell("a", "m1"), Cell("a", "m2"), Cell("b", "m1", "dmz")]


def outcome(cell: Cell, run: str, **states: str) -> Outcome:
    """A run of a cell with these verdicts; its id is filled up to its length."""
    agreed = 2 if states.pop("flapping", "") else 3
    verdicts = tuple(Judged(name, state, 0.9, None, "a note", 3, agreed) for name, state in states.items())
    found = (Found("tools.ignored", "error", "server", "tools.auto", "Ä title", "detail", "remedy"),)
    at = f"2026-11-{int(run):02d}T00:00:00.000+00:00"
    summary = Summary(
        run.zfill(32), at, at, 1.5, "standard", True, True, "https://x/v1", None, "m", 20, 100, 200, "vllm", "1.0",
        ("nginx",), verdicts, found,
    )  # fmt: skip
    return Outcome(cell, summary, gzip.compress(b"{}", mtime=0))


def plan() -> list[Planned]:
    return [Planned(cell, "https://x/v1?k=${K}", {"site": "ams"}, {"tools": ["works"]}) for cell in CELLS]


def at_once(work: Callable[[int], None], count: int) -> list[str]:
    """Do something in so many threads that begin together; what went wrong, in words that tell where."""
    wrong: list[str] = []
    together = threading.Barrier(count)

    def one(number: int) -> None:
        try:
            together.wait()
            work(number)
        except BaseException:
            wrong.append(traceback.format_exc())

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


class StoreContract:
    """The tests; a subclass gives the fixture ``url``."""

    @pytest.fixture
    def store(self, url: str) -> Iterator[Store]:
        with Store.open(url) as opened:
            yield opened

    def begun(self, store: Store, fleet: str = "f") -> Audit:
        return store.begin(fleet, "d" * 64, "local", plan())

    def test_the_schema_is_the_one_of_the_tables(self, store: Store, url: str) -> None:
        engine = create_engine(database.parse(url))
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
        engine.dispose()

    def test_a_plan_comes_back_in_order(self, store: Store) -> None:
        audit = self.begun(store)
        planned = store.plan(audit)
        assert [item.cell for item in planned] == CELLS
        assert planned[0].labels == {"site": "ams"}
        assert planned[0].expect == {"tools": ["works"]}
        assert {item.state for item in planned} == {PLANNED}
        assert store.unfinished("f") == audit
        assert store.unfinished("g") is None

    def test_an_outcome_is_kept_once_and_whole(self, store: Store) -> None:
        audit = self.begun(store)
        assert store.record(audit, outcome(CELLS[0], "1", tools="works", chat="works"))
        assert not store.record(audit, outcome(CELLS[0], "2", tools="broken"))
        assert not store.record(audit, outcome(Cell("nobody"), "3", tools="broken"))
        (run,) = store.runs(audit=audit)
        assert run.cell == CELLS[0]
        assert run.verdicts["tools"] == Judged("tools", "works", 0.9, None, "a note", 3, 3)
        assert run.findings[0].title == "Ä title"
        assert run.hops == ("nginx",)
        assert store.report(run.id) == gzip.compress(b"{}", mtime=0)
        assert store.run_ids(run.id[:30]) == [run.id]
        assert [item.state for item in store.plan(audit)] == [DONE, PLANNED, PLANNED]

    def test_a_job_that_failed_is_done_with_its_reason(self, store: Store) -> None:
        audit = self.begun(store)
        assert store.record(audit, Outcome(CELLS[1], problem="the variable K is not set"))
        assert store.plan(audit)[1].state == FAILED
        assert store.plan(audit)[1].problem == "the variable K is not set"
        assert store.runs(audit=audit) == []

    def test_what_fails_half_way_leaves_nothing(self, store: Store) -> None:
        audit = self.begun(store)
        good = outcome(CELLS[0], "1", tools="works")
        assert good.summary is not None
        twice = replace(good.summary, verdicts=good.summary.verdicts * 2)
        with pytest.raises(Exception, match=r"UNIQUE|[Uu]nique"):
            store.record(audit, replace(good, summary=twice))
        assert store.runs(audit=audit) == []
        assert store.plan(audit)[0].state == PLANNED
        assert store.record(audit, good)

    def test_finished_is_finished(self, store: Store) -> None:
        audit = self.begun(store)
        store.finish(audit)
        assert store.unfinished("f") is None
        assert store.audits("f")[0].finished_at is not None

    def test_the_last_definite_verdict_is_found_across_runs(self, store: Store) -> None:
        for day, states in (("1", {"tools": "works", "vision": "rejected"}), ("2", {"tools": "unknown"}), ("3", FLAP)):
            audit = self.begun(store)
            store.record(audit, outcome(CELLS[0], day, **states))
        now = self.begun(store)
        store.record(now, outcome(CELLS[0], "4", tools="broken"))
        assert {name: item.state for name, item in store.before(now, CELLS[0]).items()} == {
            "tools": "works",
            "vision": "rejected",
        }
        assert store.before(now, CELLS[1]) == {}
        assert store.before(now, CELLS[0], "2026-10-01T00:00:00.000+00:00") == {}

    def test_fleets_do_not_mix(self, store: Store) -> None:
        one, two = self.begun(store, "one"), self.begun(store, "two")
        store.record(one, outcome(CELLS[0], "1", tools="works"))
        assert store.fleets() == ["one", "two"]
        assert store.before(two, CELLS[0]) == {}
        assert store.runs(fleet="two") == []

    def test_retention_forgets_all_but_the_newest(self, store: Store) -> None:
        audits = [self.begun(store) for _ in range(3)]
        for number, audit in enumerate(audits, 1):
            store.record(audit, outcome(CELLS[0], str(number), tools="works"))
        assert store.prune("f", 1) == 0
        assert store.prune("f", 0) == 2
        assert [item.id for item in store.audits("f")] == [audits[-1].id]
        assert [run.audit_id for run in store.runs(fleet="f")] == [audits[-1].id]
        assert store.report("1".zfill(32)) is None

    def test_two_audits_may_write_at_once(self, store: Store, url: str) -> None:
        audits = [self.begun(store, name) for name in ("one", "two")]

        def write(number: int) -> None:
            with Store.open(url) as own:
                for day, cell in enumerate(CELLS, 1 + 10 * number):
                    assert own.record(audits[number], outcome(cell, str(day), tools="works"))

        assert at_once(write, 2) == []
        assert [len(store.runs(audit=audit)) for audit in audits] == [3, 3]

    @pytest.mark.parametrize("version", [None, "1"])
    def test_several_may_open_a_store_that_is_yet_to_be_made_or_upgraded(self, url: str, version: str | None) -> None:
        if version is not None:
            engine = create_engine(database.parse(url))
            with engine.begin() as connection:
                database.upgrade(connection, version)
            engine.dispose()

        def begin(number: int) -> None:
            with Store.open(url) as own:
                own.finish(self.begun(own, f"fleet{number}"))

        assert at_once(begin, 4) == []
        with Store.open(url) as store:
            assert store.fleets() == [f"fleet{number}" for number in range(4)]

    def test_a_store_of_the_first_schema_is_brought_here(self, url: str) -> None:
        engine = create_engine(database.parse(url))
        with engine.begin() as connection:
            database.upgrade(connection, "1")
            connection.execute(text(_FIRST_AUDIT))
            connection.execute(text(_FIRST_RUN), {"yes": True})
            connection.execute(text("INSERT INTO verdict VALUES ('r1', 'tools', 'works', 1.0, NULL, 'seen')"))
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "1"
        with Store.open(url) as store:
            (run,) = store.runs(fleet="old")
            assert run.verdicts["tools"] == Judged("tools", "works", 1.0, None, "seen", 1, 1)
            audit = self.begun(store, "old")
            assert store.before(audit, Cell("a", "m1"))["tools"].state == "works"
            assert store.record(audit, outcome(CELLS[0], "9", tools="works"))
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
        engine.dispose()

    def test_a_store_of_a_later_version_is_left_alone(self, url: str) -> None:
        Store.open(url).__exit__(None, None, None)
        engine = create_engine(database.parse(url))
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '999'"))
        engine.dispose()
        with pytest.raises(StoreError, match="later version"):
            Store.open(url)


_FIRST_AUDIT = "INSERT INTO audit VALUES ('a1', 'old', 'd', '2026-01-01T00:00:00.000+00:00', NULL, '0.1', 'local')"
_FIRST_RUN = (
    "INSERT INTO run (id, audit_id, fleet, target, model, vantage, place, started_at, finished_at, duration_s, depth, "
    "complete, usable, endpoint, requests, prompt_tokens, completion_tokens, software, hops) VALUES "
    "('r1', 'a1', 'old', 'a', 'm1', '', '', '2026-01-01T00:00:00.000+00:00', '2026-01-01T00:00:00.000+00:00', 1.0, "
    "'quick', :yes, :yes, 'https://x', 1, 1, 1, 'vllm', '[]')"
)
