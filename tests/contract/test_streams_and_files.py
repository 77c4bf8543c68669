"""Streams that are closed or full, and files that never end or were tampered with: one plain line, in bounded time."""

from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from probe.report import encode
from probe.simulator import Simulator
from tests.contract.running import Done, command, environment, run
from tests.reports_fixtures import healthy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full, pipes and resource limits of Linux")
KEY = "sk-streams-0123456789"


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with Simulator(faults=("models-no-list",), key=KEY, rate_tokens_s=0) as running:
        yield running


def shell(words: list[str], redirection: str, cwd: Path, limit: Callable[[], None] | None = None) -> Done:
    """A command as a shell runs it with a redirection."""
    done = subprocess.run(
        ["sh", "-c", f"exec {shlex.join(words)} {redirection}"],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment({"KEY": KEY, "HOME": str(cwd)}),
        timeout=60,
        preexec_fn=limit,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def diagnosis(sim: Simulator, *more: str) -> list[str]:
    return command("run", sim.base_url, "--api-key-env", "KEY", "--only", "models.list", "--fail-on", "warning", *more)


@pytest.mark.parametrize(
    ("more", "redirection"),
    [
        *((("--quiet",), way) for way in (">&-", ">/dev/full", "2>&-", "2>/dev/full", ">&- 2>&-", ">/dev/full 2>&1")),
        *((("--json", "--quiet"), way) for way in (">&-", ">/dev/full")),
        *(((), way) for way in (">&-", ">/dev/full")),
    ],
)
def test_a_run_keeps_its_status_whatever_its_streams_are(
    more: tuple[str, ...], redirection: str, sim: Simulator, tmp_path: Path
) -> None:
    done = shell(diagnosis(sim, *more), redirection, tmp_path)
    assert done.status == 3, done  # of all checks only the model list was chosen
    assert json.loads((tmp_path / "endpoint-report" / "report.json").read_text())["run"]["complete"]
    lines = [line for line in done.lines if line.startswith("endpoint-probe: ")]
    if redirection.startswith(">") and "2>" not in redirection:
        (line,) = lines
        assert "standard output could not be written" in line
    assert "Traceback" not in done.err
    assert "Exception ignored" not in done.err
    assert "internal error" not in done.err


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
def test_a_command_that_only_prints_says_that_it_could_not(redirection: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(encode(healthy()))
    done = shell(command("render", "report.json", "--format", "markdown"), redirection, tmp_path)
    assert done.status == 2
    (line,) = done.lines
    assert "standard output" in line
    assert "--output" in line


def test_a_full_disk_loses_neither_the_summary_nor_the_status(sim: Simulator, tmp_path: Path) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    done = shell(diagnosis(sim), "", tmp_path, small)
    assert done.status == 3, done
    assert "models" in done.out
    (line,) = [line for line in done.lines if line.startswith("endpoint-probe: ")]
    assert "cannot write" in line
    assert list((tmp_path / "endpoint-report").iterdir()) == []


def test_workers_are_waited_for_where_the_parent_ignores_its_children(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(
        f'[fleet]\nconcurrency = 1\n[[target]]\nname = "t"\nendpoint = "{sim.base_url}"\napi_key_env = "KEY"\n'
        'only = ["connect.*"]\n'
    )
    done = shell(
        command("audit", "fleet.toml", "-q"),
        "",
        tmp_path,
        lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN) and None,
    )
    assert done.err == ""


@pytest.mark.parametrize("kind", ["pipe", "zero", "folder", "large"])
def test_a_providers_file_that_never_ends_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ".config" / "endpoint-probe" / "providers.json"
    path.parent.mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(2**33)
    begin = time.monotonic()
    done = run("provider", "list", cwd=tmp_path, env={"HOME": str(tmp_path)})
    assert time.monotonic() - begin < 15
    assert done.status == 2
    (line,) = done.lines
    assert str(path) in line


def _changed(**changes: Any) -> bytes:
    report = json.loads(encode(healthy()))
    for place, value in changes.items():
        *steps, last = place.split("__")
        here = report
        for step in steps:
            here = here[step]
        here[last] = value
    return json.dumps(report).encode()


_DATES = ("99999-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "soon", "")


@pytest.mark.parametrize("form", ["junit", "html", "markdown", "sarif", "terminal"])
@pytest.mark.parametrize(
    "content",
    [
        *(_changed(run__started_at=date, run__finished_at=date) for date in _DATES),
        *(_changed(target__tls=tls) for tls in ({}, {"version": None}, {"version": ["x"], "not_after": 3})),
        _changed(run__duration_s=1e308, run__requests=10**18),
    ],
)
def test_a_tampered_report_is_shown_or_refused_in_one_line(content: bytes, form: str, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from probe.cli import cli
    from probe.cli.options import Unusable

    (tmp_path / "r.json").write_bytes(content)
    done = CliRunner().invoke(cli, ["render", str(tmp_path / "r.json"), "--format", form])
    assert done.exception is None or isinstance(done.exception, Unusable | SystemExit), done.exception


_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 12)
)


@pytest.mark.parametrize(
    ("client", "content"),
    [
        ("litellm", _BOMB),
        ("litellm", "".join(f"k{number}: 1\n" for number in range(300_000))),
        ("litellm", "[" * 100_000),
        ("zed", "{" + ",".join(f'"k{number}": 1' for number in range(300_000)) + "}"),
        ("zed", "{" + "/* " * 300_000),
        ("zed", " " * 60 + "/* " * 20),
        ("codex", "".join(f"k{number} = 1\n" for number in range(300_000))),
        ("zed", "\0" * (2**21 + 1)),
    ],
    ids=["aliases", "yaml", "deep", "json", "comments", "blanks", "toml", "large"],
)
def test_a_settings_file_that_would_take_for_ever_is_left_as_it_is(client: str, content: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(encode(healthy()))
    file = tmp_path / "settings"
    file.write_text(content)
    begin = time.monotonic()
    done = run("export", "report.json", "--to", client, "--merge", "settings", cwd=tmp_path)
    assert time.monotonic() - begin < 15
    assert done.status == 2, done
    (line,) = done.lines
    assert "settings" in line
    assert file.read_text() == content
