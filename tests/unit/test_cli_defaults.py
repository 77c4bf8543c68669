"""Options from a file and from the environment: what comes first, what is refused, and how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from probe.cli import main
from probe.cli.settings import NOT_FROM_A_FILE

URL = "http://127.0.0.1:9/v1"
REPORT = str(Path(__file__).parent.parent / "golden" / "healthy.report.json")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")


def plan(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["run", URL, "--dry-run", "--json", *words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["run", URL, "--dry-run", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_the_nearest_file_upward(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "endpoint-probe.toml").write_text('depth = "quick"\n')
    assert plan(capsys)["depth"] == "quick"
    (tmp_path / "deep" / "pyproject.toml").write_text('[tool.endpoint-probe]\ndepth = "deep"\n')
    assert plan(capsys)["depth"] == "deep"


def test_a_project_without_the_table_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "endpoint-probe.toml").write_text('depth = "quick"\n')
    (tmp_path / "deep" / "pyproject.toml").write_text("not = = toml")
    assert plan(capsys)["depth"] == "quick"


@pytest.mark.parametrize(
    "text", ["tool = 3 # [tool.endpoint-probe]\n", "# [tool.endpoint-probe]\n[tool]\nendpoint-probe = 3\n"]
)
def test_a_project_whose_table_is_none_is_passed_over(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert plan(capsys)["depth"] == "standard"


def test_a_file_that_anybody_may_have_put_there_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endpoint-probe.toml").write_text('depth = "quick"\n')
    below = tmp_path / "work"
    below.mkdir()
    monkeypatch.chdir(below)
    assert plan(capsys)["depth"] == "quick"
    tmp_path.chmod(0o1777)
    assert plan(capsys)["depth"] == "standard"
    monkeypatch.chdir(tmp_path)
    assert plan(capsys)["depth"] == "quick", "who works in that folder sees the file"


def test_typed_before_variable_before_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endpoint-probe.toml").write_text('depth = "quick"\nonly = ["url.*"]\nmax-requests = 7\n')
    assert plan(capsys)["at_most"]["requests"] <= 7
    monkeypatch.setenv("ENDPOINT_PROBE_DEPTH", "deep")
    assert plan(capsys)["depth"] == "deep"
    assert plan(capsys, "--depth", "standard")["depth"] == "standard"


def test_a_variable_of_a_repeatable_option(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT_PROBE_ONLY", "models.list, tls.*")
    assert {"models.list", "tls.certificate"} <= {check["id"] for check in plan(capsys)["checks"]}
    monkeypatch.setenv("ENDPOINT_PROBE_HEADER", "X-One: a, b\nX-Two: c")
    plan(capsys)
    monkeypatch.setenv("ENDPOINT_PROBE_INSECURE", "perhaps")
    assert "ENDPOINT_PROBE_INSECURE" in refusal(capsys)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accpt = []", "did you mean 'accept'?"),
        ('accept = ["connect.refusd"]', "did you mean 'connect.refused'?"),
        ('proxy = "http://evil.example"', "cannot be set in a file"),
        ("only = 3", "takes a list"),
        ("quiet = 3", "takes true or false"),
        ("depth = []", "takes a text or a number"),
        ('max-requests = "many"', "--max-requests"),
        ("not = = toml", "is not TOML"),
        ("a = " + "[" * 50_000, "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_used_gets_one_line(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "endpoint-probe.toml").write_text(text)
    assert said in refusal(capsys)


@pytest.mark.parametrize("key", sorted(NOT_FROM_A_FILE))
def test_a_file_cannot_say_who_gets_the_key(key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "endpoint-probe.toml").write_text(f'{key} = "x"\n')
    assert f"'{key}' cannot be set in a file" in refusal(capsys)


def test_help_reads_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "endpoint-probe.toml").write_text("not = = toml")
    assert main(["run", "--help"]) == 0
    assert "--accept" in capsys.readouterr().out


def test_a_key_on_the_command_line_is_refused_and_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "--api-key", "sk-0123456789abcdef")
    assert "--api-key-env" in line
    assert "0123456789" not in line


def test_every_option_of_run_is_in_a_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    out = capsys.readouterr().out
    other = out[out.index("Other:") : out.index("Examples:")]
    assert [line.split()[0] for line in other.splitlines()[1:] if line.startswith("  -")] == ["-h,"]


def test_help_and_version_are_commands_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("endpoint-probe ")
    assert main(["help", "export"]) == 0
    assert "Usage: endpoint-probe export" in capsys.readouterr().out


def test_a_key_that_is_set_and_not_sent_is_explained(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
    plan(capsys)
    assert main(["run", URL, "--dry-run"]) == 0
    assert "--api-key-env OPENAI_API_KEY" in capsys.readouterr().err
    assert main(["run", URL, "--dry-run", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("out", ["../../../elsewhere", "/elsewhere", "link/below", "a\\u0000b"])
def test_a_file_cannot_say_that_reports_go_out_of_its_folder(
    out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("link").symlink_to("/")
    (tmp_path / "endpoint-probe.toml").write_text(f'out = "{out}"\n')
    assert "out leads out of the folder of this file" in refusal(capsys)
    assert plan(capsys, "--out", "typed")
    monkeypatch.setenv("ENDPOINT_PROBE_OUT", "variable")
    assert plan(capsys)


@pytest.mark.parametrize("out", ["reports", "../reports", "."])
def test_reports_below_the_file_are_allowed(out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "endpoint-probe.toml").write_text(f'out = "{out}"\n')
    assert plan(capsys)


@pytest.mark.parametrize("word", ["\0", "a\0b", "\ud800"])
@pytest.mark.parametrize("option", ["--out", "--api-key-file", "--model", "--header"])
def test_what_no_argument_can_hold_gets_one_line(option: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "an argument holds a NUL or half a character" in refusal(capsys, option, word)


def test_an_error_that_quotes_an_argument_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(refusal(capsys, "--depth", "x" * 100_000)) < 2_100
    assert main(["history", "--store", "x" * 5_000]) == 2
    assert (
        capsys.readouterr().err == "endpoint-probe: there is no history at the path of --store (File name too long)\n"
    )


@pytest.mark.parametrize("words", [["render", REPORT, "--format", "markdown"], ["diff", REPORT, REPORT]])
def test_a_link_or_device_that_is_named_for_the_output_stays(words: list[str]) -> None:
    """As root a file that is renamed over /dev/stdout would replace it for every program."""
    link, behind = Path("link"), Path("behind")
    link.symlink_to("/dev/null")
    assert main([*words, "--output", str(link)]) == 0
    assert link.is_symlink()
    link.unlink()
    behind.write_text("")
    link.symlink_to(behind)
    assert main([*words, "--output", str(link)]) == 0
    assert link.is_symlink()
    assert behind.read_text()
