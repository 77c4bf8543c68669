"""The store in an SQLite file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from probe.fleet import database
from probe.fleet.database import StoreError
from probe.fleet.store import Store
from tests.fleet_store import StoreContract


class TestSqlite(StoreContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return str(tmp_path / "history.sqlite3")

    def test_it_is_one_file_in_wal_mode(self, url: str) -> None:
        Store.open(url).__exit__(None, None, None)
        connection = sqlite3.connect(url)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()

    def test_processes_that_begin_together_make_one_store(self, url: str) -> None:
        processes = [
            subprocess.Popen([sys.executable, "-c", _BEGIN, url, f"fleet{number}"], stdin=subprocess.PIPE)
            for number in range(3)
        ]
        for process in processes:
            process.communicate(b"\n", timeout=60)
        assert [process.returncode for process in processes] == [0, 0, 0]
        with Store.open(url) as store:
            assert store.fleets() == ["fleet0", "fleet1", "fleet2"]

    def test_a_file_whose_mode_is_being_changed_is_waited_for(self, url: str) -> None:
        """SQLite itself does not wait here: a second writer makes the change of the mode fail at once."""
        other = sqlite3.connect(url, isolation_level=None, check_same_thread=False)
        other.execute("CREATE TABLE held (number INTEGER)")
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, other.execute, ["ROLLBACK"])
        release.start()
        try:
            with Store.open(url) as store:
                assert store.audits() == []
        finally:
            release.join()
            other.close()


_BEGIN = """
import sys
from probe.fleet.store import Planned, Store
from probe.fleet.job import Cell
sys.stdin.readline()
with Store.open(sys.argv[1]) as store:
    store.finish(store.begin(sys.argv[2], "d" * 64, "local", [Planned(Cell("a"), "https://x/v1")]))
"""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://h/d", "there are sqlite and postgresql"),
        ("postgresql+psycopg://u:secret-pw@127.0.0.1:1/d", "cannot open the store postgresql+psycopg://u:***@"),
        ("postgresql+psycopg://u:${NO_SUCH_PW}@h/d", "NO_SUCH_PW"),
        ("://", "is not a URL"),
        ("/proc/nowhere/history.sqlite3", "cannot open the store"),
    ],
)
def test_an_unusable_store_is_one_line_without_its_password(url: str, said: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store.open(url)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret-pw" not in str(caught.value)


def test_no_database_at_all_is_said(tmp_path: Path) -> None:
    (tmp_path / "h.sqlite3").write_bytes(b"this is no database, but a text file that is long enough" * 40)
    with pytest.raises(StoreError, match="cannot open the store"):
        Store.open(str(tmp_path / "h.sqlite3"))


def test_a_password_may_be_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PW", "p1")
    url = database.parse("postgresql://u:${DB_PW}@h/d")
    assert url.password == "p1"
    assert url.drivername == "postgresql+psycopg"
    assert "p1" not in database.shown(url)
