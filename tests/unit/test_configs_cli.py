"""`export` on the command line: where it writes, what it says, and how it refuses."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from probe.cli import main
from probe.model import Report, State
from probe.report import encode
from reports.clients.kenaz import violations
from reports.clients.registry import CLIENTS
from tests.contract.running import Done
from tests.unit.configs_cases import BASE, MODEL, case

FAULTY = case({"tools": (State.BROKEN, "tools.parser-missing"), "vision": (State.REJECTED, "vision.rejected")})


class Folder:
    """A folder with a report in it, and `export` run there in this process."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(path)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(path / "config"))
        monkeypatch.delenv("LAB_API_KEY", raising=False)
        self.write(FAULTY)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write(self, report: Report) -> None:
        (self.path / "report.json").write_bytes(encode(report))

    def run(self, *words: str, **env: str) -> Done:
        for name, value in env.items():
            self._monkeypatch.setenv(name, value)
        self._capsys.readouterr()
        status = main(["export", *words])
        said = self._capsys.readouterr()
        return Done(status, said.out, said.err)


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path, capsys, monkeypatch)


def export(folder: Folder, *words: str, report: str = "report.json", **env: str) -> Done:
    return folder.run(report, *words, **env)


def refused(done: Done, said: str) -> None:
    assert done.status == 2, done
    assert done.out == ""
    assert len(done.lines) == 1 and said in done.err, done.err


def test_standard_output_has_the_file_and_standard_error_the_rest(folder: Folder) -> None:
    done = export(folder, "--to", "kenaz", "--name", "lab")
    assert done.status == 0
    assert violations(json.loads(done.out)) == []
    assert done.lines[0] == "Kenaz: yes, with these settings: Tool Use off; Vision off"
    assert "note: export LAB_API_KEY with the key" in done.err
    done = export(folder, "--to", "opencode")
    assert done.lines[0].startswith("opencode: no, because tools.parser-missing")
    assert "every request has tools" in done.err


def test_a_folder_is_as_good_as_its_report(folder: Folder) -> None:
    assert export(folder, "--to", "zed", report=".").out == export(folder, "--to", "zed").out


def test_output_is_a_file_and_kenaz_keeps_its_own_private(folder: Folder) -> None:
    done = export(folder, "--to", "kenaz", "--output", "providers.json")
    assert (done.status, done.out) == (0, "")
    assert stat.S_IMODE((folder / "providers.json").stat().st_mode) == 0o600
    assert export(folder, "--to", "zed", "--output", "-").out.startswith("{")


def test_merge_changes_the_file_and_leaves_it_where_it_cannot(folder: Folder) -> None:
    settings = folder / "settings.json"
    settings.write_text('// mine\n{\n  "theme": "x"\n}\n')
    settings.chmod(0o640)
    done = export(folder, "--to", "zed", "--name", "lab", "--merge", "settings.json")
    assert (done.status, done.out) == (0, "")
    text = settings.read_text()
    assert text.startswith('// mine\n{\n  "theme": "x",\n  "language_models"')
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    again = export(folder, "--to", "zed", "--name", "lab", "--merge", "settings.json")
    assert again.status == 0 and settings.read_text() == text
    settings.write_text("{ broken")
    refused(export(folder, "--to", "zed", "--merge", "settings.json"), "left unchanged")
    assert settings.read_text() == "{ broken"


def test_merge_into_another_file_leaves_the_first(folder: Folder) -> None:
    (folder / "a.json").write_text('{"version": 1, "providers": []}')
    done = export(folder, "--to", "kenaz", "--merge", "a.json", "--output", "b.json")
    assert done.status == 0
    assert json.loads((folder / "a.json").read_text())["providers"] == []
    assert len(json.loads((folder / "b.json").read_text())["providers"]) == 1


def test_set_gives_what_the_report_does_not_know(folder: Folder) -> None:
    folder.write(replace(FAULTY, facts={}))
    done = export(folder, "--to", "zed", "--set", "context=4096", "--set", "vision=on")
    (model,) = json.loads(done.out)["language_models"]["openai_compatible"]["local-9999"]["available_models"]
    assert model["max_tokens"] == 4096 and model["capabilities"]["images"] is True
    assert "is not known" not in done.err
    assert "is not known" in export(folder, "--to", "zed").err


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_can_be_asked_for(folder: Folder, name: str) -> None:
    extras = ["--set", "release_date=2026-01-31", "--set", "open_weights=true"] if name == "models.dev" else []
    done = export(folder, "--to", name, *extras)
    assert done.status == 0, done.err
    assert done.out
    assert BASE in done.out + done.err or name in ("codex", "claude-code", "aider-metadata")
    assert MODEL in done.out


def test_the_list_names_every_client(folder: Folder) -> None:
    done = folder.run("--list")
    assert done.status == 0
    assert [line.split()[0] for line in done.out.splitlines()] == list(CLIENTS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name the report and the client"),
        (["--to", "kenas"], "did you mean 'kenaz'"),
        (["--to", "kenaz", "--name", "a b"], "is not usable"),
        (["--to", "kenaz", "--key-env", "sk-abcdefghijklmnopqrstuvwx"], "--key-env takes the name"),
        (["--to", "kenaz", "--merge", "none.json"], "there is no file none.json"),
        (["--to", "pydantic-ai", "--merge", "report.json"], "cannot be merged"),
        (["--to", "kenaz", "--output", "report.json/x"], "cannot write"),
        (["--to", "kenaz", "--set", "context"], "NAME=VALUE"),
        (["--to", "kenaz", "--set", "context=many"], "whole number"),
        (["--to", "kenaz", "--set", "context=0"], "whole number"),
        (["--to", "kenaz", "--set", "tools=maybe"], "on or off"),
        (["--to", "kenaz", "--set", "colour=red"], "cannot set 'colour'"),
        (["--to", "models.dev"], "--set release_date"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(folder: Folder, words: list[str], said: str) -> None:
    refused(export(folder, *words), said)


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ("none.json", "cannot read none.json"),
        ("nobody", "no saved provider 'nobody'"),
        ("broken.json", "cannot use broken.json"),
    ],
)
def test_a_report_that_is_none(folder: Folder, report: str, said: str) -> None:
    (folder / "broken.json").write_text("{}")
    refused(export(folder, "--to", "kenaz", report=report), said)


def test_an_endpoint_without_chat_gives_nothing(folder: Folder) -> None:
    folder.write(case(codes=("auth.rejected",), base_url=None))
    refused(export(folder, "--to", "kenaz"), "auth.rejected")


def test_a_key_in_the_environment_that_would_be_written_stops_it(folder: Folder) -> None:
    refused(export(folder, "--to", "kenaz", LAB_API_KEY=MODEL), "looks like a key")
    assert export(folder, "--to", "kenaz", LAB_API_KEY="another-secret-0123").status == 0
