"""What changed since the last audit: alarms, history, and flapping told from a change."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import anyio
import pytest

from probe.fleet import job_runner
from probe.fleet.job import Cell, Job, Target
from probe.model import Report, State, Verdict
from probe.simulator import Simulator
from tests.audits import audit, matrix
from tests.contract.running import run
from tests.reports_fixtures import healthy

HEAD = '[defaults]\nidle = 0\nonly = ["models.list", "tools.*"]\n'


class Hook:
    """A webhook that keeps what it is sent, and may fail first."""

    def __init__(self) -> None:
        self.got: list[tuple[Mapping[str, str], bytes]] = []
        self.fail = 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((dict(self.headers), body))
                hook.fail -= 1
                self.send_response(503 if hook.fail >= 0 else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return None

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def write(folder: Path, sim: Simulator) -> dict[str, str]:
    (folder / "fleet.toml").write_text(
        f'{HEAD}[[target]]\nname = "gw"\nendpoint = "{sim.base_url}"\nmodels = ["{sim.model}"]\napi_key_env = "K"\n'
    )
    return {"K": sim.key or "", "HOOK_TOKEN": "tok-1234567890", "HOOK_SECRET": "s3cret-of-the-hook"}


@pytest.mark.slow
def test_a_lost_capability_is_an_alarm_and_its_return_a_recovery(tmp_path: Path, hook: Hook) -> None:
    told = ("--webhook", hook.url + "/${HOOK_TOKEN}", "--webhook-secret-env", "HOOK_SECRET", "--fail-on", "regression")
    with Simulator(rate_tokens_s=2000) as sim:
        port = sim.site.port
        env = write(tmp_path, sim)
        first = audit(tmp_path, *told, env=env)
    assert first.status == 0, first.err
    assert hook.got == []
    assert matrix(tmp_path)["changes"] == []
    hook.fail = 1
    with Simulator(faults=["tools-ignored"], port=port, rate_tokens_s=2000):
        second = audit(tmp_path, *told, env=env)
    assert second.status == 1, second.err
    assert "regression: gw" in second.out
    changed = {item["capability"]: item for item in matrix(tmp_path)["changes"]}
    tools = changed["tools"]
    assert (tools["kind"], tools["before"], tools["after"]) == ("regression", "works", "ignored")
    assert (tools["trials"], tools["agreed"]) == (3, 3)
    assert len(hook.got) == 2  # the first was answered 503 and tried again
    headers, body = hook.got[-1]
    signature = hmac.new(b"s3cret-of-the-hook", body, hashlib.sha256).hexdigest()
    assert headers["X-Endpoint-Probe-Signature"] == f"sha256={signature}"
    sent = json.loads(body)
    assert sent["event"] == "regression"
    assert "tools" in {item["capability"] for item in sent["regressions"]}
    assert "gw" in sent["text"]
    for secret in env.values():
        assert secret not in body.decode()
        assert secret not in (tmp_path / "endpoint-audit" / "matrix.html").read_text()
    with Simulator(port=port, rate_tokens_s=2000):
        third = audit(tmp_path, *told, env=env)
    assert third.status == 0, third.err
    assert "recovery: gw" in third.out
    assert len(hook.got) == 2
    assert len(matrix(tmp_path)["trend"]) == 3
    history = run("history", "gw", "--format", "json", cwd=tmp_path)
    kinds = [item["kind"] for item in json.loads(history.out)["changes"] if item["capability"] == "tools"]
    assert kinds == ["recovery", "regression"]
    text = run("history", "--html", "history.html", cwd=tmp_path)
    assert text.out.count("1 of 1 usable") == 3
    assert "→ works, " in (tmp_path / "history.html").read_text(encoding="utf-8")
    long_ago = audit(tmp_path, "--since", "today", "--dry-run", env=env)
    assert long_ago.status == 0
    pruned = run("history", "--prune", "0.01", cwd=tmp_path)
    assert pruned.out.startswith("0 audits")


@pytest.mark.slow
def test_an_endpoint_that_went_down_is_one_alarm(tmp_path: Path, hook: Hook) -> None:
    with Simulator(rate_tokens_s=2000) as sim:
        env = write(tmp_path, sim)
        assert audit(tmp_path, env=env).status == 0
    gone = audit(tmp_path, "--webhook", hook.url, env=env)
    assert gone.status == 3, gone.err
    (sent,) = [json.loads(body) for _, body in hook.got]
    assert [item["capability"] for item in sent["regressions"]] == ["chat"]


def test_an_alarm_that_cannot_be_delivered_is_said_and_fails(tmp_path: Path) -> None:
    from probe.cli import webhook

    why = webhook.send("http://127.0.0.1:9/", None, b"{}")
    assert why == "refused"


def reports(*tools: State) -> Iterator[Report]:
    """Runs that differ in what they say of tools."""
    base = healthy()
    for state in tools:
        said = Verdict(state, 1.0, checks=("tools.call",))
        yield replace(base, capabilities={**base.capabilities, "tools": said})


@pytest.mark.parametrize(
    ("states", "trials", "agreed"),
    [
        ((State.BROKEN, State.BROKEN, State.BROKEN), 3, 3),
        ((State.BROKEN, State.WORKS, State.WORKS), 3, 1),
        ((State.BROKEN, State.UNKNOWN, State.BROKEN), 2, 2),
        ((State.WORKS,), 1, 1),
        ((State.UNKNOWN,), 1, 1),
    ],
)
def test_a_verdict_that_differs_is_tried_again(
    states: tuple[State, ...], trials: int, agreed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    coming = reports(*states)

    async def fake(*_: Any, **__: Any) -> Report:
        return next(coming)

    monkeypatch.setattr(job_runner, "run", fake)
    target = Target("gw", "http://127.0.0.1:9/v1")
    outcome = anyio.run(job_runner.probe, Job(Cell("gw"), target, {"tools": "works"}, confirm=2))
    assert outcome.summary is not None
    (found,) = [item for item in outcome.summary.verdicts if item.capability == "tools"]
    assert (found.state, found.trials, found.agreed) == (str(states[0]), trials, agreed)
    assert next(coming, None) is None
    assert json.loads(gzip.decompress(outcome.report))["schema_version"]
