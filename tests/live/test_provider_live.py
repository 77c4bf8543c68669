"""From report to working client against real servers: add, test, export, verify."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from probe.model import CAPABILITIES, State
from probe.report import load
from probe.simulator.llamacpp_demo import RealServer
from reports.clients.kenaz import violations
from tests.contract.running import Done, command, environment
from tests.live.processes import Running

# A small machine with other work needs minutes for the standard checks of a real model.
pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(600)]

KEY = "sk-real-provider-0001"
MASTER = "sk-local-master-0001"
HINTS = {
    "streaming": "streaming",
    "vision": "vision",
    "json_mode": "json_object",
    "structured_output": "json_schema",
    "usage_reporting": "stream_usage",
    "reasoning": "reasoning",
}


def program(folder: Path, key: str) -> Callable[..., Done]:
    """The program with a user's folders of its own and the key in LAB_KEY."""
    env = {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state"), "LAB_KEY": key}

    def run(*words: str) -> Done:
        done = subprocess.run(
            command(*words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=environment(env),
            timeout=450,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


def flow(folder: Path, base_url: str, model: str, key: str) -> dict[str, Any]:
    """Add, test, export to Kenaz and verify; returns the exported provider and the steps of verify."""
    probe = program(folder, key)
    added = probe("provider", "add", "lab", base_url, "--model", model, "--api-key-env", "LAB_KEY")
    assert added.status == 0, added
    tested = probe("provider", "test", "lab", "--idle", "0", "--deadline", "420", "--fail-on", "never", "--out", "out")
    assert tested.status == 0, tested
    exported = probe("export", "lab", "--to", "kenaz")
    assert exported.status == 0, exported
    data = json.loads(exported.out)
    assert violations(data) == []
    report = load(folder / "out" / "report.json")
    saved = json.loads(probe("provider", "show", "lab", "--format", "json").out)
    for name in CAPABILITIES:
        verdict = report.capabilities[name].verdict
        toggle = saved["toggles"].get(name, {"on": None})["on"]
        assert toggle is (None if verdict is State.UNKNOWN else verdict is State.WORKS), name
    provider = data["providers"][0]
    for hint, name in HINTS.items():
        assert provider["capability_hints"].get(hint) is saved["toggles"].get(name, {"on": None})["on"], hint
    verified = probe("provider", "verify", "lab", "--timeout", "100", "--format", "json")
    assert verified.status == 0, verified
    for file in folder.rglob("*"):
        assert not file.is_file() or key.encode() not in file.read_bytes(), file
    return {"provider": provider, "verified": json.loads(verified.out), "fit": exported.lines[0]}


def test_llama_cpp_itself(llamacpp: Callable[..., RealServer], hermes_template: str, tmp_path: Path) -> None:
    server = llamacpp(key=KEY, template=hermes_template)
    done = flow(tmp_path, server.base_url, server.model, KEY)
    assert done["provider"]["endpoint"] == server.base_url
    assert done["provider"]["capability_hints"]["streaming"] is True
    assert done["provider"]["capability_hints"]["vision"] is False
    assert done["fit"].startswith("Kenaz: yes")
    assert done["verified"]["holds"] is True
    held = {step["name"]: step["held"] for step in done["verified"]["steps"]}
    assert held["chat"] == held["streamed chat"] == "held"
    assert held["picture"] == "left out"


def test_llama_cpp_through_litellm(
    llamacpp: Callable[..., RealServer], litellm_proxy: Callable[..., Running], tmp_path: Path
) -> None:
    server = llamacpp()
    proxy = litellm_proxy(upstream=server.base_url, upstream_model=server.model, master_key=MASTER)
    done = flow(tmp_path, proxy.base_url, "small-model", MASTER)
    assert done["provider"]["defaults"]["auth_scheme"] == "bearer"
    assert done["verified"]["holds"] is True
    held = {step["name"]: step["held"] for step in done["verified"]["steps"]}
    assert held["chat"] == held["streamed chat"] == "held"
