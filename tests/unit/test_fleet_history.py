"""What `history` cannot find is one line and exit status 2, never the status of a finding."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from probe.cli import UNUSABLE, main
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
