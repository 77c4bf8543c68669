"""`run` as scripts rely on it: statuses, files, streams, the key's whereabouts."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from probe.cli.run import remove_stale
from probe.report import load
from probe.simulator import Simulator
from tests.contract.running import command, environment, run, start

KEY = "sk-contract-0123456789abcdef"
#: Enough to have a base URL and findings of the URL, in few requests.
FEW = ("--only", "url.*")


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with Simulator(key=KEY) as running:
        yield running


@dataclass
class Silent:
    """An endpoint that takes connections and never answers."""

    url: str
    asked: threading.Event


@pytest.fixture
def silent() -> Iterator[Silent]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held: list[socket.socket] = []
        asked = threading.Event()

        def take() -> None:
            while True:
                try:
                    held.append(listening.accept()[0])
                except OSError:
                    return
                asked.set()

        threading.Thread(target=take, daemon=True).start()
        yield Silent(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", asked)
        for connection in held:
            connection.close()


def test_a_good_endpoint_is_status_0_with_json_and_html(sim: Simulator, tmp_path: Path) -> None:
    done = run("run", sim.base_url, "--api-key-env", "K", *FEW, cwd=tmp_path, env={"K": KEY})
    assert done.status == 0, done
    assert sorted(path.name for path in (tmp_path / "endpoint-report").iterdir()) == ["report.html", "report.json"]
    report = load(tmp_path / "endpoint-report" / "report.json")
    assert report.run.complete
    assert report.target.base_url == sim.base_url
    assert report.target.auth.source == "env:K"
    assert "Report: endpoint-report/report.html" in done.out.splitlines()[-1]
    assert "chat" in done.out
    assert any("url.resolve: pass" in line for line in done.lines)


def test_each_format_has_its_file(sim: Simulator, tmp_path: Path) -> None:
    wanted = [word for form in ("json", "html", "markdown", "junit", "sarif") for word in ("--format", form)]
    done = run("run", sim.base_url, "--api-key-env", "K", *FEW, *wanted, "--out", "a/b", cwd=tmp_path, env={"K": KEY})
    assert done.status == 0, done
    names = sorted(path.name for path in (tmp_path / "a" / "b").iterdir())
    assert names == ["report.html", "report.json", "report.junit.xml", "report.md", "report.sarif"]


def test_json_prints_the_report_and_nothing_else(sim: Simulator, tmp_path: Path) -> None:
    done = run("run", sim.base_url, "--api-key-env", "K", *FEW, "--json", "-v", cwd=tmp_path, env={"K": KEY})
    assert done.status == 0, done
    assert json.loads(done.out)["schema_version"] == "1.0"
    assert done.out == (tmp_path / "endpoint-report" / "report.json").read_text()


def test_findings_are_status_1_unless_they_are_not_to_fail(tmp_path: Path) -> None:
    with Simulator(faults=["missing-v1"], key=KEY) as sim:
        line = ("run", sim.typed_url, "--api-key-env", "K", *FEW)
        assert run(*line, cwd=tmp_path, env={"K": KEY}).status == 1
        assert run(*line, "--fail-on", "never", cwd=tmp_path, env={"K": KEY}).status == 0
        report = load(tmp_path / "endpoint-report" / "report.json")
    assert [finding.code for finding in report.findings] == ["url.missing-v1"]


def test_no_chat_is_status_3_with_a_report(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = run("run", f"http://127.0.0.1:{port}/v1", cwd=tmp_path)
    assert done.status == 3, done
    report = load(tmp_path / "endpoint-report" / "report.json")
    assert report.target.base_url is None
    assert "connect.refused" in {finding.code for finding in report.findings}
    assert "connect.refused" in done.out
    assert run("run", f"http://127.0.0.1:{port}/v1", "--fail-on", "never", cwd=tmp_path).status == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_writes_what_it_knows_and_is_status_130(
    number: signal.Signals, silent: Silent, tmp_path: Path
) -> None:
    process = start("run", silent.url, "--json", "-v", cwd=tmp_path)
    assert silent.asked.wait(60)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert json.loads(out)["run"]["complete"] is False
    report = load(tmp_path / "endpoint-report" / "report.json")
    assert not report.run.complete
    assert all(check.outcome == "skip" for check in report.checks if check.requests == 0)
    assert not [path for path in (tmp_path / "endpoint-report").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("after_s", [0.02, 0.15])
def test_an_early_interrupt_is_quiet(after_s: float, silent: Silent, tmp_path: Path) -> None:
    process = start("run", silent.url, cwd=tmp_path)
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    # Before the interpreter has run a line of ours, the default handling is all there is.
    if process.returncode != 130:
        assert process.returncode in (-signal.SIGINT, 1), err
        assert "probe/cli/run_and_report.py" not in err
    else:
        assert "Traceback" not in err


def test_the_environment_names_endpoint_key_and_model(sim: Simulator, tmp_path: Path) -> None:
    env = {"OPENAI_BASE_URL": sim.base_url, "OPENAI_API_KEY": KEY, "OPENAI_MODEL": sim.model}
    assert run("run", *FEW, cwd=tmp_path, env=env).status == 0
    report = load(tmp_path / "endpoint-report" / "report.json")
    assert report.target.auth.source == "env:OPENAI_API_KEY"
    assert report.target.model == sim.model


def test_a_key_of_the_environment_goes_to_no_other_endpoint(tmp_path: Path) -> None:
    with Simulator(key=KEY) as sim:
        env = {"OPENAI_BASE_URL": "https://api.openai.com/v1", "OPENAI_API_KEY": KEY}
        done = run("run", sim.base_url, *FEW, cwd=tmp_path, env=env)
        assert done.status == 3, done
        assert len(sim.journal) > 0
        assert not any(KEY in f"{request.headers}" for request in sim.journal)
    assert load(tmp_path / "endpoint-report" / "report.json").target.auth.source == "none"


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_the_key_comes_from_a_file_or_standard_input(source: str, sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    options = ("--api-key-file", "key") if source == "file" else ("--api-key-stdin",)
    done = run("run", sim.base_url, *options, *FEW, cwd=tmp_path, given=f"{KEY}\n" if source == "stdin" else "")
    assert done.status == 0, done
    assert load(tmp_path / "endpoint-report" / "report.json").target.auth.source == source


def test_the_key_stands_in_nothing_that_is_written(sim: Simulator, tmp_path: Path) -> None:
    wanted = [word for form in ("json", "html", "markdown", "junit", "sarif") for word in ("--format", form)]
    done = run(
        "run", sim.base_url, "--header", "X-Token: ${K}", "--api-key-env", "K", *FEW, *wanted, "-v",
        cwd=tmp_path, env={"K": KEY},
    )  # fmt: skip
    assert done.status == 0, done
    written = [path.read_text() for path in (tmp_path / "endpoint-report").iterdir()]
    assert len(written) == 5
    assert not any(KEY in text for text in (*written, done.out, done.err))
    exchanges = json.loads((tmp_path / "endpoint-report" / "report.json").read_text())["exchanges"]
    assert exchanges[-1]["request"]["headers"]["X-Token"].startswith("${")


def test_a_dry_run_sends_nothing_and_writes_nothing(tmp_path: Path) -> None:
    with Simulator(key=KEY) as sim:
        done = run("run", sim.base_url, "--dry-run", cwd=tmp_path)
        planned = run("run", sim.base_url, "--dry-run", "--json", "--max-requests", "7", cwd=tmp_path)
        assert sim.journal == []
    assert done.status == planned.status == 0
    assert "url.resolve" in done.out
    plan = json.loads(planned.out)
    assert plan["at_most"]["requests"] == 7
    assert all({"id", "max_requests", "max_tokens", "waiting_s"} <= set(row) for row in plan["checks"])
    assert list(tmp_path.iterdir()) == []


def test_quiet_is_one_line_in_all(sim: Simulator, tmp_path: Path) -> None:
    done = run("run", sim.base_url, "--api-key-env", "K", *FEW, "--quiet", cwd=tmp_path, env={"K": KEY})
    assert done.status == 0, done
    assert done.err == ""
    assert done.out.count("\n") == 1


def test_verbose_shows_each_exchange_in_a_line(sim: Simulator, tmp_path: Path) -> None:
    done = run("run", sim.base_url, "--api-key-env", "K", *FEW, "-v", cwd=tmp_path, env={"K": KEY})
    report = load(tmp_path / "endpoint-report" / "report.json")
    for exchange in report.exchanges:
        assert sum(f"{exchange.id} " in line for line in done.lines) == 1, done.err


def test_a_reader_that_leaves_is_no_error(sim: Simulator, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*command("run", sim.base_url, "--api-key-env", "K", *FEW, "--json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment({"K": KEY}),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 0
    assert "Traceback" not in err
    assert "Broken" not in err
    assert (tmp_path / "endpoint-report" / "report.json").exists()


def _on_a_terminal(arguments: list[str], cwd: Path, env: dict[str, str]) -> tuple[int, str]:
    """Run with standard error on a terminal of 100 columns; returns its status and what was shown."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.DEVNULL, stderr=follower, stdin=follower, cwd=cwd,
        env=environment({"TERM": "xterm-256color", "COLUMNS": "100", **env}),
    )  # fmt: skip
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    return process.wait(60), shown.decode("utf-8", "replace")


def test_on_a_terminal_one_line_lives_and_is_taken_away(sim: Simulator, tmp_path: Path) -> None:
    status, shown = _on_a_terminal(["run", sim.base_url, "--api-key-env", "K", *FEW], tmp_path, {"K": KEY})
    assert status == 0, shown
    assert "checks" in shown
    assert "requests" in shown
    assert "\x1b[" in shown
    assert "url.resolve: pass" not in shown  # that is the form for pipes


def test_no_color_is_heeded_on_a_terminal(sim: Simulator, tmp_path: Path) -> None:
    import re

    status, shown = _on_a_terminal(
        ["run", sim.base_url, "--api-key-env", "K", *FEW], tmp_path, {"K": KEY, "NO_COLOR": "1"}
    )
    assert status == 0, shown
    assert not re.search(r"\x1b\[(?:3|4|9)\d", shown)


def test_reports_of_an_earlier_run_that_are_not_replaced_go(tmp_path: Path) -> None:
    """What another program wrote under such a name stays, and so does a link."""
    mine = {"report.md": "## endpoint-probe: Usable", "report.sarif": '{"name": "endpoint-probe"}', "report.json": "{}"}
    written = {"report.md": "# Third quarter\n\nMeasured with endpoint-probe.\n", "report.txt": "endpoint-probe says:"}
    (tmp_path / "own").mkdir()
    for name, text in written.items():
        (tmp_path / "own" / name).write_text(text)
    remove_stale(tmp_path / "own", set())
    assert {path.name for path in (tmp_path / "own").iterdir()} == set(written)
    (tmp_path / "own" / "report.txt").write_text("Endpoint  http://h/v1\n\nendpoint-probe 0.1.0, depth quick\n")
    remove_stale(tmp_path / "own", set())
    assert {path.name for path in (tmp_path / "own").iterdir()} == {"report.md"}
    for name, text in {**mine, "report.junit.xml": "<testsuites/>", "notes.md": "endpoint-probe"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "report.html").symlink_to(tmp_path / "notes.md")
    remove_stale(tmp_path, {"report.json"})
    left = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert left == {"report.json", "report.junit.xml", "report.html", "notes.md"}
