"""Real proxies and a real lossy network before the endpoint: each row of the table must come out right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from probe.simulator.llamacpp_demo import RealServer
from tests.live import netns
from tests.live.conftest import unavailable
from tests.live.parts import PartMissing
from tests.live.rows import DELIVERY, SILENCE, Row, probe, probe_at, said, wrong
from tests.live.servers import Certificate
from tests.live.simulated import ROOT, command

pytestmark = [pytest.mark.live, pytest.mark.slow]


def judge(row: Row, folder: Path, certificate: Certificate, capsys: pytest.CaptureFixture[str]) -> None:
    """Diagnose one row, print its line, and complain where it is wrong."""
    try:
        report = probe(row, folder, certificate)
    except PartMissing as missing:
        unavailable(str(missing))
    trouble = wrong(row, report)
    with capsys.disabled():
        print(f"\n{row.name:36} {said(report):56} {'WRONG' if trouble else 'right'}", end="")
    assert trouble is None


@pytest.mark.parametrize("row", DELIVERY, ids=lambda row: row.name)
def test_delivery(row: Row, tmp_path: Path, certificate: Certificate, capsys: pytest.CaptureFixture[str]) -> None:
    judge(row, tmp_path, certificate, capsys)


@pytest.mark.parametrize("row", SILENCE, ids=lambda row: row.name)
def test_silence(row: Row, tmp_path: Path, certificate: Certificate, capsys: pytest.CaptureFixture[str]) -> None:
    judge(row, tmp_path, certificate, capsys)


#: With a real server and a small model behind them; its speed is what it is.
REAL = {
    "direct",
    "nginx, buffering off",
    "nginx gzip, buffering on",
    "HAProxy",
    "Caddy",
    "Envoy",
    "nginx, read timeout",
    "Envoy, route timeout",
}


@pytest.mark.parametrize("row", [row for row in (*DELIVERY, *SILENCE) if row.name in REAL], ids=lambda row: row.name)
def test_the_same_before_a_real_model(
    row: Row,
    llamacpp: Callable[..., RealServer],
    tmp_path: Path,
    certificate: Certificate,
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        report = probe_at(llamacpp().origin, row, tmp_path, certificate)
    except PartMissing as missing:
        unavailable(str(missing))
    trouble = wrong(row, report)
    with capsys.disabled():
        print(f"\n{'llama.cpp: ' + row.name:36} {said(report):56} {'WRONG' if trouble else 'right'}", end="")
    assert trouble is None


# Connections lost below HTTP ----------------------------------------------------------------

PORT = 8080
FORGOTTEN_S = 2


@pytest.fixture
def network() -> Iterator[netns.Network]:
    """A client, a router and a server that writes 60 tokens a second, in namespaces."""
    reason = netns.available()
    if reason is not None:
        unavailable(reason)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with netns.network() as net:
        server = net.popen(net.server, command(PORT, 60.0, netns.SERVER), cwd=ROOT, env=env)
        try:
            deadline = time.monotonic() + 20
            while True:
                tried = subprocess.run(
                    net.command(net.client, [sys.executable, "-c", _KNOCK]), capture_output=True, check=False
                )
                if tried.returncode == 0:
                    break
                assert time.monotonic() < deadline, "the endpoint did not come up"
                time.sleep(0.2)
            yield net
        finally:
            server.kill()
            server.wait()


_KNOCK = f"import socket; socket.create_connection(({netns.SERVER!r}, {PORT}), 1)"


def from_the_client(net: netns.Network, folder: Path, *options: str) -> dict[str, Any]:
    """The report of a run inside the client's namespace."""
    words = [sys.executable, "-m", "probe", "run", f"http://{netns.SERVER}:{PORT}/v1", "--json", "--out", str(folder)]
    words += ["--only", "idle.silence", "--only", "idle.reuse", "--idle", "3", *options]
    done = subprocess.run(net.command(net.client, words), capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode in (0, 1), done.stderr[-500:]
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def idle_codes(report: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in report["findings"] if finding["code"].startswith("idle.")]


@pytest.mark.parametrize("reset", [False, True], ids=["dropped", "reset"])
def test_a_router_that_forgets_silent_connections(reset: bool, network: netns.Network, tmp_path: Path) -> None:
    network.forget_after(FORGOTTEN_S, answer_reset=reset)
    report = from_the_client(network, tmp_path, "--keepalive", "0")
    assert idle_codes(report) == ["idle.l4-reset" if reset else "idle.l4-dropped"]
    assert report["facts"]["idle_limit_kind"] == "l4"
    assert report["capabilities"]["long_silence"]["verdict"] == "broken", report["capabilities"]["long_silence"]
    finding = next(item for item in report["findings"] if item["code"].startswith("idle."))
    assert "keepalive solves it" in finding["detail"]
    assert "TCP keepalive" in finding["remedy"]


def test_the_clients_keepalive_cures_it(network: netns.Network, tmp_path: Path) -> None:
    network.forget_after(FORGOTTEN_S)
    report = from_the_client(network, tmp_path, "--keepalive", "1")
    assert idle_codes(report) == []
    assert report["capabilities"]["long_silence"]["verdict"] == "works", report["capabilities"]["long_silence"]


def test_a_sound_network_is_not_accused(network: netns.Network, tmp_path: Path) -> None:
    report = from_the_client(network, tmp_path, "--keepalive", "0")
    assert idle_codes(report) == []
    assert report["capabilities"]["long_silence"]["verdict"] == "works", report["capabilities"]["long_silence"]
