"""URL, key and model against real servers, through the command line as a user would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from probe.simulator.llamacpp_demo import RealServer
from tests.live.processes import Running

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(420)]

RIGHT = "sk-local-right-0001"
WRONG = "sk-local-wrong-0002"
#: What the access families need, with the checks that carry the acceptance list.
ONLY = ("url.*", "auth.*", "models.*", "content.blocks", "stream.shape", "connect.*", "tls.*")


def probe(
    url: str, out: Path, *, key: str | None = None, only: tuple[str, ...] = ONLY, model: str | None = None
) -> Any:
    """Run the command; returns (exit status, report, everything it wrote)."""
    command = [sys.executable, "-m", "probe", "run", url, "--out", str(out), "--timeout", "120", "--idle", "0"]
    for glob in only:
        command += ["--only", glob]
    if key:
        command += ["--api-key-env", "LIVE_KEY"]
    if model:
        command += ["--model", model]
    env = {**os.environ, "LIVE_KEY": key or ""}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=400, check=False)
    written = done.stdout + done.stderr + "".join(item.read_text() for item in out.iterdir())
    if key:
        assert key not in written
    return done.returncode, json.loads((out / "report.json").read_text()), written


def found(report: Any, *severities: str) -> set[str]:
    return {item["code"] for item in report["findings"] if not severities or item["severity"] in severities}


def verdicts(report: Any, *names: str) -> list[str]:
    return [report["capabilities"][name]["verdict"] for name in names]


@pytest.mark.parametrize("suffix", ["/v1", ""])
def test_llamacpp_answers_with_and_without_v1(llamacpp: Callable[..., RealServer], tmp_path: Path, suffix: str) -> None:
    server = llamacpp()
    status, report, _ = probe(server.origin + suffix, tmp_path / "out")
    assert verdicts(report, "chat", "streaming", "model_list", "block_content") == ["works"] * 4
    assert found(report, "error") == set()
    assert not {code for code in found(report) if code.startswith("url.")}
    assert report["target"]["base_url"] == server.origin + suffix
    assert status == 0


def test_llamacpp_with_a_slash_at_the_end(llamacpp: Callable[..., RealServer], tmp_path: Path) -> None:
    server = llamacpp()
    status, report, _ = probe(server.origin + "/v1/", tmp_path / "out", only=("url.*",))
    assert found(report) == {"url.trailing-slash"}
    assert report["target"]["base_url"] == server.origin + "/v1"
    assert status == 1


def test_behind_an_nginx_that_routes_only_v1(
    llamacpp: Callable[..., RealServer], nginx: Callable[..., Running], tmp_path: Path
) -> None:
    front = nginx("v1-only", llamacpp().origin)
    status, report, _ = probe(front.origin, tmp_path / "out", only=("url.*",))
    assert found(report) == {"url.missing-v1"}
    assert report["target"]["base_url"] == front.base_url
    assert status == 1


@pytest.mark.parametrize(
    ("key", "codes", "status"),
    [(RIGHT, set(), 0), (WRONG, {"auth.rejected"}, 3), (None, {"auth.required"}, 3)],
    ids=["right", "wrong", "none"],
)
def test_llamacpp_with_a_key(
    llamacpp: Callable[..., RealServer], tmp_path: Path, key: str | None, codes: set[str], status: int
) -> None:
    server = llamacpp(key=RIGHT)
    ended, report, _ = probe(server.base_url, tmp_path / "out", key=key, only=("url.*", "auth.*", "models.*"))
    assert found(report, "error", "warning") == codes
    assert ended == status
    assert status == 0 or report["run"]["requests"] <= 6


@pytest.mark.parametrize(
    ("key", "code", "status"),
    [("sk-local-master-0001", None, 0), (WRONG, "auth.rejected", 3), (None, "auth.required", 3)],
    ids=["right", "wrong", "none"],
)
def test_litellm_with_its_master_key(
    llamacpp: Callable[..., RealServer],
    litellm_proxy: Callable[..., Running],
    tmp_path: Path,
    key: str | None,
    code: str | None,
    status: int,
) -> None:
    gateway = litellm_proxy(upstream=llamacpp().base_url)
    ended, report, _ = probe(gateway.base_url, tmp_path / "out", key=key, only=("url.*", "auth.*", "models.*"))
    assert found(report, "error") == ({code} if code else set())
    # A wrong key is 400 there, which the run with the right key finds out as well.
    assert ("auth.wrong-status" in found(report)) == (key is not None)
    assert ended == status
    assert status == 0 or report["run"]["requests"] <= 6


def test_litellm_takes_a_wrong_model_for_what_it_is(
    llamacpp: Callable[..., RealServer], litellm_proxy: Callable[..., Running], tmp_path: Path
) -> None:
    gateway = litellm_proxy(upstream=llamacpp().base_url)
    status, report, _ = probe(
        gateway.base_url, tmp_path / "out", key="sk-local-master-0001", model="small-modle", only=("url.*", "models.*")
    )
    assert found(report, "error") == {"models.id-unknown"}
    assert "small-model" in report["findings"][0]["remedy"]
    assert status == 3
