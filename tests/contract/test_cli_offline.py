"""The commands that send nothing: checks, explain, simulate --list, render; and simulate itself."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from probe.catalogue import registry
from probe.report import encode
from tests.contract.running import run, start
from tests.reports_fixtures import faulty


def test_help_names_every_command(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert done.status == 0
    for name in ("run", "demo", "simulate", "checks", "explain", "export", "render", "diff", "provider"):
        assert f"  {name} " in done.out
        assert run(name, "--help", cwd=tmp_path).status == 0


def test_run_and_demo_have_every_shared_option(tmp_path: Path) -> None:
    shared = (
        "--model --api-key-env --api-key-file --api-key-stdin --auth --auth-header --header --depth --only --skip "
        "--idle --keepalive --trials --timeout --deadline --max-requests --max-tokens --concurrency --ca-bundle "
        "--insecure --proxy --http --out --format --json --fail-on --dry-run"
    ).split()
    for name in ("run", "demo"):
        words = run(name, "--help", cwd=tmp_path).out.replace(",", " ").split()
        assert not [option for option in shared if option not in words]


def test_the_version(tmp_path: Path) -> None:
    done = run("--version", cwd=tmp_path)
    assert done.out.startswith("endpoint-probe 0.")


def test_checks_as_json_says_what_each_proves_and_spends(tmp_path: Path) -> None:
    done = run("checks", "--format", "json", cwd=tmp_path)
    rows = {row["id"]: row for row in json.loads(done.out)}
    assert set(rows) == {check.id for check in registry.checks()}
    resolve = rows["url.resolve"]
    assert resolve["proves"]
    assert resolve["max_requests"] >= 1
    assert "url.missing-v1" in resolve["codes"]


def test_checks_as_text_names_them_all(tmp_path: Path) -> None:
    done = run("checks", cwd=tmp_path)
    assert done.status == 0
    assert all(f"{check.id}  (at most " in done.out for check in registry.checks())


def test_explain_has_every_section(tmp_path: Path) -> None:
    done = run("explain", "url.missing-v1", cwd=tmp_path)
    assert done.status == 0
    for heading in ("What it means", "Why it matters", "How to fix it", "How to verify the fix", "Sources"):
        assert heading in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_explain_for_one_server(tmp_path: Path) -> None:
    diagnosis = registry.catalogue()["url.missing-v1"]
    done = run("explain", "URL.missing-v1", "--server", "vLLM", "--format", "json", cwd=tmp_path)
    assert done.status == 0, done
    told = json.loads(done.out)
    assert told["remedy"] == diagnosis.remedies["vllm"]
    assert told["server"] == "vllm"


def test_every_code_is_explained_in_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    from probe.cli import main

    for code, diagnosis in registry.catalogue().items():
        assert main(["explain", code]) == 0
        assert diagnosis.title in capsys.readouterr().out
        assert main(["explain", code, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["code"] == code


def test_simulate_lists_styles_and_faults_with_their_codes(tmp_path: Path) -> None:
    listed = json.loads(run("simulate", "--list", "--format", "json", cwd=tmp_path).out)
    assert "openai" in {style["name"] for style in listed["styles"]}
    faults = {fault["name"]: fault["yields"] for fault in listed["faults"]}
    assert faults["missing-v1"] == ["url.missing-v1"]
    text = run("simulate", "--list", cwd=tmp_path).out
    assert "missing-v1" in text
    assert "-> url.missing-v1" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_simulate_serves_until_it_is_stopped(number: signal.Signals, tmp_path: Path) -> None:
    process = start("simulate", "--style", "openai", cwd=tmp_path)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/models", timeout=5)
    assert refused.value.code == 401
    refused.value.close()
    process.send_signal(number)
    begin = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert time.monotonic() - begin < 10
    assert out == ""
    assert "key: " in err
    assert "model: " in err


def test_simulate_says_when_the_port_is_taken(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("simulate", "--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert done.status == 2
    assert len(done.lines) == 1
    assert "--port" in done.err


@pytest.mark.parametrize("form", ["json", "html", "markdown", "junit", "sarif", "terminal"])
def test_render_writes_a_saved_report_in_each_format(form: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(encode(faulty()))
    printed = run("render", "report.json", "--format", form, cwd=tmp_path)
    assert printed.status == 0, printed
    done = run("render", "report.json", "--format", form, "--output", "new/file", cwd=tmp_path)
    assert done == type(done)(0, "", "")
    assert (tmp_path / "new" / "file").read_text() == printed.out
    assert "stream.replayed" in printed.out
    if form == "json":
        assert printed.out.encode() == encode(faulty())


def test_demo_ends_with_the_reports_path(tmp_path: Path) -> None:
    done = run("demo", "--only", "url.*", cwd=tmp_path)
    assert done.status == 0, done
    assert done.out.splitlines()[-1] == "Report: endpoint-report/report.html, endpoint-report/report.json"


def test_demo_with_a_fault_finds_it(tmp_path: Path) -> None:
    done = run("demo", "--fault", "missing-v1", "--only", "url.*", "--json", cwd=tmp_path)
    assert done.status == 1, done
    assert [finding["code"] for finding in json.loads(done.out)["findings"]] == ["url.missing-v1"]
