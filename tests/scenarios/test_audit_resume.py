"""An audit that is killed goes on where it was: nothing lost, nothing done twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audits import audit, fleet_file, matrix, run_ids, said
from tests.contract.running import start
from tests.fleetfarm import Served, farm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
HEAD = '[fleet]\nconcurrency = 2\n[defaults]\nidle = 0\ndepth = "quick"\nonly = ["models.list", "stream.shape"]\n'
FAULTS = ([], ["stream-no-done"], [], ["auth-rejected"])
STORE = Path("endpoint-audit/history.sqlite3")


@pytest.fixture(scope="module")
def served() -> Iterator[list[Served]]:
    specs = [{"style": "openai", "faults": FAULTS[number % 4]} for number in range(24)]
    with farm(specs, rate_tokens_s=400.0) as found:
        yield found


def wait_for_runs(store: Path, least: int, process: subprocess.Popen[str]) -> None:
    """Until so many runs are kept, or the process has ended."""
    end = time.monotonic() + 120
    while len(run_ids(store)) < least and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    """The processes whose parent this is (Linux)."""
    file = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in file.read_text().split()] if file.exists() else []


def gone(pid: int) -> bool:
    """Whether a process has ended; one that waits to be collected has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_killed_three_times_and_resumed_the_store_is_an_undisturbed_one(served: list[Served], tmp_path: Path) -> None:
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    for folder in (calm, rough):
        folder.mkdir()
    _, env = fleet_file(calm, served, head=HEAD)
    fleet_file(rough, served, head=HEAD)
    assert audit(calm, "-q", "--fail-on", "never", env=env).status == 0
    seed = random.randrange(1_000_000)
    source = random.Random(seed)
    kept: dict[str, str] = {}
    targets = [source.randint(0, 3), source.randint(5, 9), source.randint(11, 15)]
    for least in targets:
        process = start("audit", "fleet.toml", "-q", "--resume", cwd=rough, env=env)
        wait_for_runs(rough / STORE, least, process)
        time.sleep(source.random() * 0.6)
        workers = children(process.pid)
        assert process.poll() is None, (seed, process.communicate())
        os.kill(process.pid, signal.SIGKILL)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (-signal.SIGKILL, ""), (seed, err)
        now = run_ids(rough / STORE)
        assert now.items() >= kept.items(), seed
        assert len(now) < len(served), seed
        kept = now
        end = time.monotonic() + 20
        while not all(gone(pid) for pid in workers) and time.monotonic() < end:
            time.sleep(0.05)
        assert all(gone(pid) for pid in workers), "a worker outlived the audit it worked for"
    if not (rough / STORE).exists() or not kept:
        pytest.fail(f"nothing was done before the kills (seed {seed})")
    done = audit(rough, "-q", "--resume", "--fail-on", "never", env=env)
    assert done.status == 0, (seed, done.err)
    assert run_ids(rough / STORE).items() >= kept.items(), "what was done was done again"
    assert said(rough / STORE) == said(calm / STORE), seed
    rows = matrix(rough)["rows"]
    assert [row["target"] for row in rows] == [row["target"] for row in matrix(calm)["rows"]]
    reports = {file.name for file in (rough / "endpoint-audit/reports").glob("*.html")}
    assert reports == {Path(row["report"]).name for row in rows}


def test_ctrl_c_leaves_a_partial_matrix_and_resume_ends_it(served: list[Served], tmp_path: Path) -> None:
    _, env = fleet_file(tmp_path, served[:6], head=HEAD)
    process = start("audit", "fleet.toml", cwd=tmp_path, env=env)
    wait_for_runs(tmp_path / STORE, 2, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "--resume" in err
    shutil.copy(tmp_path / STORE, tmp_path / "copy.sqlite3")
    states = [row["state"] for row in matrix(tmp_path)["rows"]]
    assert 2 <= states.count("done") < 6
    (tmp_path / "fleet.toml").write_text((tmp_path / "fleet.toml").read_text() + "# changed\n")
    changed = start("audit", "fleet.toml", "--resume", "--store", "copy.sqlite3", cwd=tmp_path, env=env)
    assert changed.stderr is not None
    assert "has changed" in changed.stderr.readline()
    changed.kill()
    changed.communicate(timeout=30)
    (tmp_path / "fleet.toml").write_text((tmp_path / "fleet.toml").read_text().removesuffix("# changed\n"))
    done = audit(tmp_path, "--resume", "--fail-on", "never", env=env)
    assert done.status == 0, done.err
    assert f"{states.count('done')} of them done before" in done.err
    assert {row["state"] for row in matrix(tmp_path)["rows"]} == {"done"}
