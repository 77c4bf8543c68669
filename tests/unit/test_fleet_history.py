"""What `history` cannot find is one line and exit status 2, never the status of a finding."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from probe.cli import UNUSABLE, main
from probe.cli.audit_matrix import report_name
from probe.fleet import database
from probe.fleet.store import Store
from tests.fleet_store import CELLS, outcome, plan


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with one audit: targets a and b."""
    url = str(tmp_path / "history.sqlite3")
    with Store.open(url) as opened:
        audit = opened.begin("prod", "d" * 64, "local", plan())
        for day, cell in enumerate(CELLS, 1):
            assert opened.record(audit, outcome(cell, str(day), tools="ignored"))
        opened.finish(audit)
    return url


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["aa"], "no target 'aa' was ever probed; did you mean 'a'?"),
        (["gateway"], "no target 'gateway' was ever probed; 'endpoint-probe history' lists the audits"),
        (["a", "--model", "m9"], "the model 'm9' was never probed there"),
        (["--fleet", "prd"], "the store knows no fleet 'prd'; did you mean 'prod'?"),
        (["--report", "f"], "no run has the id 'f'"),
        (["--report", "0"], "3 runs begin with the id '0'"),
        (["--since", "someday"], "--since"),
    ],
)
def test_what_is_not_there_is_one_line(
    words: list[str], said: str, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", "--store", store, *words]) == UNUSABLE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert shown.err.count("\n") == 1


def test_no_store_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "--store", str(tmp_path / "none.sqlite3"), "a"]) == UNUSABLE
    assert "there is no history at" in capsys.readouterr().err
    assert not (tmp_path / "none.sqlite3").exists()


def test_what_is_there_is_shown(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "--store", store, "b"]) == 0
    assert "ignored" in capsys.readouterr().out


def test_the_newest_migration_is_the_one_that_the_store_compares_with() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == database.HEAD


STRANGE = "a\u202e\x1b[31m\n::error::x\n##[error]y<script>alert(1)</script>"


@pytest.mark.parametrize("value", [STRANGE, b"\xff\x00", "0001-01-01T00:00:00+23:59"])
@pytest.mark.parametrize("place", ["audit.id", "audit.started_at", "finding.code", "alembic_version.version_num"])
def test_a_store_that_somebody_wrote_to_is_shown_inert_or_refused_in_one_line(
    value: Any, place: str, store: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table, _, column = place.partition(".")
    connection = sqlite3.connect(store)
    connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,))
    connection.commit()
    connection.close()
    page = tmp_path / "page.html"
    for words in ([], ["a"], ["--format", "json"], ["--html", str(page)]):
        assert main(["history", "--store", store, *words]) in (0, UNUSABLE)
        shown = capsys.readouterr()
        assert "internal error" not in shown.err
        assert shown.err.count("\n") <= 1
        assert not {"\x1b", "\u202e"} & set(shown.out + shown.err)
        assert "\n::error" not in shown.out
    assert not page.exists() or "<script>alert" not in page.read_text()


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"\0" * (120 << 20), 1, mtime=0), gzip.compress(b"{}", mtime=0)[:-6], b""],
    ids=["no gzip", "a bomb", "cut off", "empty"],
)
def test_a_stored_report_that_is_none_is_one_line(
    content: bytes, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = sqlite3.connect(store)
    (run,) = connection.execute("SELECT id FROM run").fetchone()
    connection.execute("DELETE FROM report")
    connection.execute("INSERT INTO report VALUES (?, ?)", (run, content))
    connection.commit()
    connection.close()
    assert main(["history", "--store", store, "--report", run]) == UNUSABLE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "endpoint-probe: the stored report is damaged or too large\n"


def test_the_id_of_a_run_names_no_folder() -> None:
    assert report_name(CELLS[0], "../../../x") == f"{CELLS[0].slug}-________"
