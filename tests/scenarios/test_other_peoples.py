"""What belongs to others: files that are not the program's, providers that were not tested, shells and chat systems."""

from __future__ import annotations

import errno
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checks.models import diagnose_unknown_id
from checks.shared.redirects import redirect_base, redirect_goal
from checks.url.checks import _upgraded
from probe import files
from probe.cli import audit_matrix, main, provider, webhook
from probe.cli import run as run_module
from probe.fleet.job import Cell
from probe.fleet.store import Planned, Store
from probe.model import Exchange, Report, Response
from probe.provider import store
from probe.provider.saved_provider import Found, Provider
from probe.report import decode
from probe.simulator import Simulator
from probe.version import VERSION
from reports.matrix.table import ChangeLine
from tests.fleet_store import outcome
from tests.matrix_fixtures import matrix, row
from tests.scenarios.runs import against, diagnose
from tests.unit.answers import exchange, refusal

MINE = ("sales-20250101-20250131.html", "sales-20250101-20250131.json", "notes-abcdefgh-ijklmnop.html", "index.html")


# Files ---------------------------------------------------------------------------------------------------


def test_an_audit_deletes_only_what_its_store_recorded(tmp_path: Path) -> None:
    cell = Cell("a", "m1")
    with Store.open(f"sqlite:///{tmp_path / 'audit.db'}") as kept:
        audits = []
        for number in ("1", "2"):
            audits.append(kept.begin("fleet", "digest", "local", [Planned(cell, "https://x/v1", {}, {})]))
            kept.record(audits[-1], outcome(cell, number, chat="works"))
            kept.finish(audits[-1])
        first, second = (audit_matrix.report_name(cell, number.zfill(32)) for number in ("1", "2"))
        folder = tmp_path / "reports"
        folder.mkdir()
        for name in (*MINE, *(f"{stem}.{end}" for stem in (first, second) for end in ("html", "json"))):
            (folder / name).write_text("mine")
        audit_matrix.complete_reports(kept, audits[-1], tmp_path)
    assert {path.name for path in folder.iterdir()} == {*MINE, f"{second}.html", f"{second}.json"}


@pytest.fixture
def chowned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The owners that files were given; root may give any."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "chown", lambda _, user, group: given.append((user, group)))
    return given


def test_a_file_keeps_its_owner_its_permissions_and_its_other_names(
    tmp_path: Path, chowned: list[tuple[int, int]]
) -> None:
    file = tmp_path / "client.json"
    file.write_text("{}")
    file.chmod(0o640)
    files.overwrite(file, b'{"a": 1}', None)
    found = file.stat()
    assert (file.read_text(), found.st_mode & 0o777) == ('{"a": 1}', 0o640)
    assert chowned == [(found.st_uid, found.st_gid)]
    (tmp_path / "other").hardlink_to(file)
    files.overwrite(file, b"[]", 0o600)
    assert (tmp_path / "other").read_text() == "[]"
    assert file.stat().st_ino == (tmp_path / "other").stat().st_ino
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_failure_leaves_a_file_with_other_names_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "client.json"
    file.write_text("before")
    (tmp_path / "other").hardlink_to(file)
    plain = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if content == b"after":
            plain(path, b"aft")
            raise OSError(errno.ENOSPC, "No space left on device")
        return plain(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        files.overwrite(file, b"after", None)
    assert file.read_text() == (tmp_path / "other").read_text() == "before"


def test_a_full_disk_does_not_cost_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write_whole", full)
    with Simulator(key=None) as sim:
        status = main(["run", sim.base_url, "--only", "url.*", "--out", str(tmp_path / "out"), "--idle", "0"])
    told = capsys.readouterr()
    assert status == 0
    assert "chat" in told.out and "No findings" in told.out
    assert told.err.count("cannot write") == 1  # the others would fail as it did
    assert "internal error" not in told.err


# Providers -----------------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Provider]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def add(name: str, endpoint: str, **more: Any) -> Provider:
        made = Provider(name, endpoint, **more)
        store.Store().add(made, replace=True)
        return made

    return add


def _report(base_url: str) -> Report:
    report = diagnose(only=("url.*",))
    return replace(report, target=replace(report.target, endpoint=base_url, base_url=base_url))


def test_two_tests_in_one_folder_are_not_mixed_up(
    saved: Callable[..., Provider], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file of the other test lies in the folder by the time that this one ends."""
    a, b = "http://127.0.0.1:9/a/v1", "http://127.0.0.1:9/b/v1"
    saved("a", a)
    saved("b", b)
    reports = {url: _report(url) for url in (a, b)}

    def run_of(options: Any, given: Any) -> tuple[int, Report]:
        from probe.report import encode

        own = options.endpoint.typed
        (tmp_path / "report.json").write_bytes(encode(reports[b if own == a else a]))
        return 0, reports[own]

    monkeypatch.setattr(run_module, "diagnose", run_of)
    for name in ("a", "b"):
        assert main(["provider", "test", name, "--out", str(tmp_path)]) == 0
    for name, url in (("a", a), ("b", b)):
        found = store.Store().get(name).found
        assert found is not None and found.base_url == url
        assert decode(store.report_path(name).read_bytes()).target.base_url == url


def test_a_provider_that_was_replaced_meanwhile_is_given_no_verdicts(
    saved: Callable[..., Provider], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved("a", "http://127.0.0.1:9/v1")
    report = _report("http://127.0.0.1:9/v1")

    def run_of(options: Any, given: Any) -> tuple[int, Report]:
        saved("a", "http://127.0.0.1:8/v1")
        return 0, report

    monkeypatch.setattr(run_module, "diagnose", run_of)
    assert main(["provider", "test", "a"]) == 2
    assert "was replaced while it was tested" in capsys.readouterr().err
    now = store.Store().get("a")
    assert (now.endpoint, now.found, dict(now.toggles)) == ("http://127.0.0.1:8/v1", None, {})
    assert not store.report_path("a").exists()


def test_the_report_of_a_replaced_provider_is_not_exported(
    saved: Callable[..., Provider], capsys: pytest.CaptureFixture[str]
) -> None:
    saved("a", "http://127.0.0.1:9/v1")
    provider._save(store.Store().get("a"), _report("http://127.0.0.1:9/v1"))
    assert main(["export", "a", "--to", "llm"]) == 0
    saved("a", "http://127.0.0.1:8/v1")
    capsys.readouterr()
    assert main(["export", "a", "--to", "llm"]) == 2
    told = capsys.readouterr()
    assert "was not tested yet" in told.err and told.out == ""


@pytest.mark.parametrize(
    "base_url",
    [
        "http://127.0.0.1:8/v1",
        "https://127.0.0.1:9/v1",
        "http://localhost:9/v1",
        "http://127.0.0.1:9@evil.example/v1",
        "file:///x",
    ],
)
def test_verify_sends_nothing_to_another_origin_than_the_endpoint(
    base_url: str, saved: Callable[..., Provider], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved("a", "http://127.0.0.1:9/v1", found=Found("2026-11-27T00:00:00", base_url, "m"))
    monkeypatch.setattr("probe.provider.verify.verify", lambda session: pytest.fail("a session was begun"))
    assert main(["provider", "verify", "a"]) == 2
    told = capsys.readouterr()
    assert "not on the origin of its endpoint" in told.err
    assert told.err.count("\n") == 1


# Shells, clients and chat systems ------------------------------------------------------------------------


def _moved(location: str, url: str = "http://h.example/v1/chat/completions") -> Exchange:
    made = exchange(307, b"", url=url)
    return replace(made, response=Response(307, "", "HTTP/1.1", (("Location", location),)))


@pytest.mark.parametrize(
    "path",
    [
        "/$HOME/v1",
        "/$(id)/v1",
        "/`id`/v1",
        "/${API_KEY}/v1",
        "/a;b/v1",
        "/a%24b/v1",
        "/{env:HOME}/v1",
        "/a'b/v1",
        "/a b/v1",
    ],
)
def test_a_redirect_puts_nothing_into_a_base_url_that_a_client_expands(path: str) -> None:
    moved = _moved(f"{path}/chat/completions")
    assert redirect_goal(moved) is None
    assert redirect_base(moved) is None
    upgraded = _upgraded(_moved(f"https://u:p@h.example{path}/chat/completions"))
    assert upgraded.settles["base_url"] == "https://h.example/v1"
    assert path not in upgraded.findings[0].remedy


@pytest.mark.parametrize(
    "location",
    [
        "//user:word@h.example/v1/chat/completions/",
        "//evil.example\\@h.example/v1/chat/completions/",
        "/v1/chat/completions/?x={env:HOME}",
        "/v1/chat/completions/?x=%7Bfile:~/.ssh/id_rsa%7D",
        "/v1/chat/completions/?key=other",
    ],
)
def test_a_redirect_brings_no_login_and_no_query(location: str) -> None:
    assert redirect_goal(_moved(location)) is None


def test_a_redirect_may_keep_the_query_that_was_typed() -> None:
    asked = "http://h.example/v1/chat/completions?api-version=1"
    goal = "http://h.example/v1/chat/completions/?api-version=1"
    assert redirect_goal(_moved("/v1/chat/completions/?api-version=1#top", asked)) == goal


def test_a_plain_redirect_is_still_followed() -> None:
    assert redirect_base(_moved("/a-b_c.d~e/v1/chat/completions")) == "/a-b_c.d~e/v1"
    assert _upgraded(_moved("https://h.example:8443/x/v1/chat/completions")).settles["base_url"] == (
        "https://h.example:8443/x/v1"
    )


@pytest.mark.parametrize("id", ["m; rm -rf ~", "$(id)", "`id`", "a b", "it's", "m\nx", "--help"])
def test_a_model_id_in_a_remedy_is_one_word_of_a_shell(id: str) -> None:
    finding = diagnose_unknown_id(refusal(404, "no such model"), f"{id}x", [id, "other"], named=True)
    command = finding.remedy.removeprefix("Use ")
    assert shlex.split(command) == ["--model", id]


@pytest.mark.parametrize("name", ["<!channel>", "<http://evil.example|here>", "@channel", "@here now", "a & b"])
def test_a_webhook_calls_nobody_by_a_models_name(name: str) -> None:
    change = ChangeLine("regression", "gw", f"m {name}", "", "tools", "works", "broken", 3, 3, None, "2026")
    content = webhook.body(matrix(row(1), fleet=f"fleet {name}", changes=(change,)))
    assert content is not None
    text = json.loads(content)["text"]
    assert not any(call in text for call in ("<", "@channel", "@here", " & "))
    assert json.loads(content)["regressions"][0]["model"] == f"m {name}"


@pytest.mark.parametrize("only", [(), ("url.*", "errors.*", "responses.*")])
def test_every_request_says_who_sends_it(only: tuple[str, ...]) -> None:
    with Simulator("openai", rate_tokens_s=5000) as sim:
        against(sim, only=only, skip=("idle.*", "limits.*"))
        agents = [{value for name, value in item.headers if name.lower() == "user-agent"} for item in sim.journal]
    assert len(agents) > 10
    assert all(item == {f"endpoint-probe/{VERSION}"} for item in agents)
