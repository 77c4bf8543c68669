"""Audits on a Dask cluster: the same results as here, a lost worker made good, and paths told apart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audits import fleet_file, matrix, run_ids, said
from tests.contract.running import run, start
from tests.fleetfarm import farm
from tests.live.dask_cluster import cluster
from tests.live.processes import Running

pytest.importorskip("distributed", reason="the extra 'distributed' is not installed")
pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(600)]
HEAD = '[defaults]\nidle = 0\nonly = ["models.list", "tools.*", "stream.shape"]\n'
FAULTS = ([], ["tools-ignored"], ["auth-rejected"], ["stream-no-done"])
STORE = Path("endpoint-audit/history.sqlite3")


def test_the_results_are_those_of_a_local_audit_though_a_worker_dies(tmp_path: Path) -> None:
    specs = [{"style": "openai", "faults": FAULTS[number % 4]} for number in range(12)]
    here, there, logs = (tmp_path / name for name in ("here", "there", "logs"))
    for folder in (here, there, logs):
        folder.mkdir()
    with farm(specs, rate_tokens_s=500.0) as served:
        _, keys = fleet_file(here, served, head=HEAD)
        fleet_file(there, served, head=HEAD)
        local = run("audit", "fleet.toml", "-q", "--fail-on", "never", cwd=here, env=keys)
        assert local.status == 0, local.err
        # The keys are in the environment of the workers and not in that of the audit.
        with cluster(logs, dict.fromkeys(("one", "two", "three"), keys)) as dask:
            options = ["--executor", f"dask://{dask.address}", "--fail-on", "never"]
            process = start("audit", "fleet.toml", *options, cwd=there)
            end = time.monotonic() + 120
            while len(run_ids(there / STORE)) < 3 and process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            assert process.poll() is None, process.communicate()
            dask.kill("two")
            _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert "Traceback" not in err
    assert said(there / STORE) == said(here / STORE)
    assert {line.split(" on ")[1].split(":")[0] for line in err.splitlines() if " on " in line} >= {"one", "three"}
    for file in (there / "endpoint-audit").rglob("*"):
        if file.is_file():
            assert not any(key.encode() in file.read_bytes() for key in keys.values()), file


def test_two_vantage_points_and_the_report_names_the_path(nginx: Callable[..., Running], tmp_path: Path) -> None:
    with farm([{"style": "vllm", "faults": []}], rate_tokens_s=100.0) as (one,):
        origin = one.url.removesuffix("/v1")
        slow = nginx("buffered-http10", origin, buffer_size="8k")
        plain = nginx("unbuffered", origin)
        (tmp_path / "fleet.toml").write_text(
            '[defaults]\nidle = 0\nonly = ["stream.*"]\n[[target]]\nname = "gw"\n'
            f'endpoint = "http://gateway.test/v1"\nmodels = ["{one.model}"]\napi_key_env = "K"\n'
            'vantage = ["dmz", "office"]\n'
        )
        workers = {
            "w1": {"http_proxy": slow.origin, "K": one.key or ""},
            "w2": {"http_proxy": plain.origin, "K": one.key or ""},
        }
        with cluster(tmp_path, workers, {"w1": "dmz", "w2": "office"}) as dask:
            options = ("--executor", f"dask://{dask.address}", "--fail-on", "never")
            done = run("audit", "fleet.toml", *options, cwd=tmp_path)
    assert done.status == 0, done.err
    rows = {row["vantage"]: row for row in matrix(tmp_path)["rows"]}
    assert set(rows) == {"dmz", "office"}
    assert "stream.size-buffered" in [item["code"] for item in rows["dmz"]["findings"]]
    assert "stream.size-buffered" not in [item["code"] for item in rows["office"]["findings"]]
    paths = matrix(tmp_path)["paths"]
    assert any("stream.size-buffered" in text and "dmz" in text for text in paths), paths
    assert "path: gw" in done.out
    assert json.dumps(paths[0])[1:-1] in json.dumps((tmp_path / "endpoint-audit" / "matrix.md").read_text())


@pytest.mark.parametrize(
    ("places", "vantage", "said_"),
    [
        (None, "dmz", "no worker is at the vantage point dmz"),
        ({"w": "lab"}, "dmz", "no worker is at the vantage point dmz"),
    ],
)
def test_a_place_without_a_worker_is_said(
    places: dict[str, str] | None, vantage: str, said_: str, tmp_path: Path
) -> None:
    (tmp_path / "fleet.toml").write_text(f'[[target]]\nendpoint = "http://127.0.0.1:9"\nvantage = ["{vantage}"]\n')
    with cluster(tmp_path, {"w": {}}, places) as dask:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            done = run("audit", "fleet.toml", "--executor", f"dask://{dask.address}", cwd=tmp_path)
            if "has no workers" not in done.err:
                break
    assert done.status == 2
    assert said_ in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_no_scheduler_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text('[[target]]\nendpoint = "http://127.0.0.1:9"\n')
    begin = time.monotonic()
    done = run("audit", "fleet.toml", "--executor", "dask://127.0.0.1:9", cwd=tmp_path)
    assert done.status == 2
    assert "no Dask scheduler answers at 127.0.0.1:9" in done.err
    assert done.err.count("\n") == 1
    assert time.monotonic() - begin < 60
