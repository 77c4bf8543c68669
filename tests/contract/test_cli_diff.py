"""`diff` as scripts rely on it: statuses, formats, files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probe.report import encode
from tests.contract.running import Done, run
from tests.reports_fixtures import faulty, healthy


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A folder with two reports: `old.json`, and `new/report.json` as a run leaves it."""
    (tmp_path / "old.json").write_bytes(encode(healthy()))
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "report.json").write_bytes(encode(faulty()))
    return tmp_path


def test_a_regression_is_status_1_and_its_repair_is_0(pair: Path) -> None:
    worse = run("diff", "old.json", "new/report.json", cwd=pair)
    assert worse.status == 1, worse
    assert worse.err == ""
    assert "stream.replayed" in worse.out
    better = run("diff", "new/report.json", "old.json", cwd=pair)
    assert better.status == 0, better
    assert "Better" in better.out


def test_equal_reports_are_status_0(pair: Path) -> None:
    done = run("diff", "old.json", "old.json", cwd=pair)
    assert done.status == 0
    assert done.out.startswith("No change.")


def test_a_folder_stands_for_its_report(pair: Path) -> None:
    assert run("diff", "old.json", "new", cwd=pair) == run("diff", "old.json", "new/report.json", cwd=pair)


@pytest.mark.parametrize(("level", "status"), [("error", 1), ("warning", 1), ("never", 0)])
def test_fail_on_is_respected(level: str, status: int, pair: Path) -> None:
    assert run("diff", "old.json", "new", "--fail-on", level, cwd=pair).status == status


@pytest.mark.parametrize("form", ["text", "json", "html", "markdown"])
def test_each_format_is_printed_or_written(form: str, pair: Path) -> None:
    printed = run("diff", "old.json", "new", "--format", form, cwd=pair)
    assert printed.status == 1, printed
    assert "stream.replayed" in printed.out
    written = run("diff", "old.json", "new", "--format", form, "--output", "deep/er", cwd=pair)
    assert written == Done(1, "", "")
    assert (pair / "deep" / "er").read_text() == printed.out
    if form == "json":
        assert json.loads(printed.out)["regression"] == "error"


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"", "not JSON"), (b"{}", "schema_version"), (b'{"schema_version": "9.0"}', "9.0")],
)
@pytest.mark.parametrize("place", ["first", "second"])
def test_an_unusable_file_is_status_2_with_one_line(content: bytes | None, words: str, place: str, pair: Path) -> None:
    if content is not None:
        (pair / "bad.json").write_bytes(content)
    done = run("diff", *(["bad.json", "old.json"] if place == "first" else ["old.json", "bad.json"]), cwd=pair)
    assert done.status == 2, done
    assert done.out == ""
    assert len(done.lines) == 1
    assert "bad.json" in done.err
    assert words in done.err


def test_a_folder_without_a_report_is_status_2(pair: Path) -> None:
    (pair / "empty").mkdir()
    done = run("diff", "old.json", "empty", cwd=pair)
    assert (done.status, len(done.lines)) == (2, 1)
    assert "empty/report.json" in done.err


def test_an_output_that_cannot_be_written_is_status_2(pair: Path) -> None:
    done = run("diff", "old.json", "new", "--output", "old.json/x", cwd=pair)
    assert (done.status, done.out, len(done.lines)) == (2, "", 1)
    assert "--output" in done.err
