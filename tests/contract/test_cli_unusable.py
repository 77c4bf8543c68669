"""What cannot be used ends with status 2 and one line that says what to write instead.

The commands run in this process: what is said is the same, and there are many.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from probe.cli import main

HERE = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL", "NOT_SET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("NEWLINE", "sk-\nX-Evil: 1")
    monkeypatch.setenv("ACCENT", "sk-é")
    for name, value in {"SCHEME": "Bearer sk-1", "QUOTES": '"sk-1"', "NAMED": "LLM_KEY=sk-1", "BRACES": "${K}"}.items():
        monkeypatch.setenv(name, value)
    Path("empty").write_text("\n")
    Path("binary").write_bytes(b"\xff\xfe\x00")
    Path("big").write_text("k" * 20_000)
    Path("two-lines").write_text("one\ntwo\n")
    Path("file").write_text("x")
    Path("not-a-report.json").write_text('{"schema_version": "1.0"}')
    Path("newer.json").write_text('{"schema_version": "2.0"}')


CASES: list[tuple[list[str], str]] = [
    (["run"], "OPENAI_BASE_URL"),
    (["run", ""], "https://host.example/v1"),
    (["run", "ftp://host/v1"], "http:// or https://"),
    (["run", "http://user:pass@host/v1"], "--api-key-env"),
    (["run", "http://ho st/v1"], "https://host.example/v1"),
    (["run", "http://host:99999/v1"], "https://host.example/v1"),
    (["run", HERE, "extra"], "run --help"),
    (["run", HERE, "--modle", "x"], "--model"),
    (["run", HERE, "--model", ""], "--model"),
    (["run", HERE, "--model", "a\x1b[31mb"], "--model"),
    (["run", HERE, "--depth", "deeper"], "'standard'"),
    (["run", HERE, "--auth", "basic"], "'api-key-header'"),
    (["run", HERE, "--auth-header", "Bad Name"], "X-API-Key"),
    (["run", HERE, "--auth-header", "Content-Length"], "X-API-Key"),
    (["run", HERE, "--auth", "none", "--api-key-env", "HOME"], "--api-key-env"),
    (["run", HERE, "--auth", "none", "--auth-header", "X-K"], "api-key-header"),
    (["run", HERE, "--api-key-env", "NOT_SET"], "NOT_SET"),
    (["run", HERE, "--api-key-env", "EMPTY"], "EMPTY"),
    (["run", HERE, "--api-key-env", "NEWLINE"], "NEWLINE"),
    (["run", HERE, "--api-key-env", "ACCENT"], "ACCENT"),
    (["run", HERE, "--api-key-env", "SCHEME"], "`Bearer`"),
    (["run", HERE, "--api-key-env", "QUOTES"], "in quotes"),
    (["run", HERE, "--api-key-env", "NAMED"], "name of a variable"),
    (["run", HERE, "--api-key-env", "BRACES"], "nothing has replaced"),
    (["run", HERE, "--api-key-env", "sk-1234 5"], "--api-key-env MY_API_KEY"),
    (["run", HERE, "--api-key-file", "nowhere"], "nowhere"),
    (["run", HERE, "--api-key-file", "empty"], "is empty"),
    (["run", HERE, "--api-key-file", "binary"], "as text"),
    (["run", HERE, "--api-key-file", "big"], "16 KiB"),
    (["run", HERE, "--api-key-file", "two-lines"], "more than one line"),
    (["run", HERE, "--api-key-file", "."], "name a file"),
    (["run", HERE, "--api-key-env", "HOME", "--api-key-file", "file"], "one place only"),
    (["run", HERE, "--header", "no colon"], "Name: value"),
    (["run", HERE, "--header", "Bad Name: x"], "header name"),
    (["run", HERE, "--header", "X-A: a\nX-B: b"], "X-A"),
    (["run", HERE, "--header", "X-A: é"], "X-A"),
    (["run", HERE, "--header", "X-A: ${NOT_SET}"], "NOT_SET"),
    (["run", HERE, "--header", "X-A: ${not a name}"], "${MY_KEY}"),
    (["run", HERE, "--header", "Authorization: Bearer sk-literal"], "${MY_KEY}"),
    (["run", HERE, "--header", "Content-Length: 5"], "leave it out"),
    (["run", HERE, "--header", "X-A: 1", "--header", "x-a: 2"], "comma"),
    (["run", HERE, "--header", "Authorization: ${HOME}", "--api-key-env", "HOME"], "leave out"),
    (["run", HERE, "--only", "urk.*"], "a family is chosen as in"),
    (["run", HERE, "--skip", "url.resolv"], "url.resolve"),
    (["run", HERE, "--skip", "*"], "--only and --skip"),
    (["run", HERE, "--idle", "-1"], "--idle"),
    (["run", HERE, "--idle", "ten"], "--idle 75"),
    (["run", HERE, "--keepalive", "1.5"], "--keepalive 30"),
    (["run", HERE, "--trials", "0"], "--trials 5"),
    (["run", HERE, "--timeout", "nan"], "--timeout 60"),
    (["run", HERE, "--timeout", "0"], "--timeout 60"),
    (["run", HERE, "--deadline", "inf"], "--deadline 300"),
    (["run", HERE, "--max-requests", "0"], "--max-requests 40"),
    (["run", HERE, "--max-tokens", "many"], "--max-tokens 10000"),
    (["run", HERE, "--concurrency", "65"], "--concurrency 4"),
    (["run", HERE, "--ca-bundle", "nowhere.pem"], "PEM"),
    (["run", HERE, "--ca-bundle", "file"], "PEM"),
    (["run", HERE, "--proxy", "socks5://127.0.0.1:1080"], "http://proxy.example:3128"),
    (["run", HERE, "--proxy", "http://"], "http://proxy.example:3128"),
    (["run", HERE, "--http", "3"], "'2'"),
    (["run", HERE, "--out", "file/below"], "--out"),
    (["run", HERE, "--out", "file"], "--out"),
    (["run", HERE, "--out", "a\0b"], "leave it out"),
    (["run", HERE, "--format", "pdf"], "json, html, markdown, junit"),
    (["run", HERE, "--fail-on", "info"], "'warning'"),
    (["run", HERE, "--timeout"], "--timeout"),
    (["demo", "--style", "opena"], "openai"),
    (["demo", "--fault", "missing-v"], "missing-v1"),
    (["demo", "--real", "--fault", "missing-v1"], "leave them out"),
    (["simulate", "--fault", "qqq"], "simulate --list"),
    (["simulate", "--port", "70000"], "--port 8080"),
    (["explain", "url.missing"], "url.missing-v1"),
    (["explain", "url.missing-v1", "--server", "vlm"], "vllm"),
    (["render", "nowhere.json", "--format", "html"], "nowhere.json"),
    (["render", "not-a-report.json", "--format", "html"], "not-a-report.json"),
    (["render", "newer.json", "--format", "html"], "schema version is 2.0"),
    (["render", "file"], "--format"),
    (["render", "file", "--format", "pdf"], "json, html, markdown, junit"),
    (["rum", HERE], "'run'"),
    (["http://host/v1"], "endpoint-probe run http://host/v1"),
    (["--wrong"], "--help"),
]


@pytest.mark.parametrize(
    ("arguments", "instead"), CASES, ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else ""
)
def test_one_line_and_status_2(arguments: list[str], instead: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(arguments)
    told = capsys.readouterr()
    assert status == 2, told
    assert told.out == ""
    assert told.err.count("\n") == 1, told.err
    assert told.err.startswith("endpoint-probe: ")
    assert instead in told.err
    assert "\x1b" not in told.err
    assert not Path("endpoint-report").exists(), "nothing may be written before the command line is understood"


def test_a_key_is_never_repeated_in_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret-value with space")
    assert main(["run", HERE, "--api-key-env", "MY_KEY"]) == 2
    assert main(["run", HERE, "--header", "Authorization: Bearer sk-secret-value"]) == 2
    assert "sk-secret" not in capsys.readouterr().err


def test_an_internal_error_is_one_line_without_its_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from probe.catalogue import registry

    def broken() -> None:
        raise RuntimeError("sk-secret-value")

    monkeypatch.setattr(registry, "checks", broken)
    assert main(["checks"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "internal error: RuntimeError at probe/cli/catalogue.py" in told
    assert "sk-secret" not in told


@pytest.mark.parametrize("words", [["audit", "fleet.toml"], ["history"]])
def test_a_missing_extra_is_named_with_its_installation(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith(("probe.cli.", "probe.fleet."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    assert main(words) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert f"{words[0]} needs SQLAlchemy and alembic" in line and "pip install '.[fleet]'" in line
