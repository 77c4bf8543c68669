"""The Node clients: their pinned versions, where they are installed, and the process that drives them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.mutations.drive_python import QUESTION, Shown
from tests.benchmarks.mutations.healthy import MODEL, TOOL
from tests.benchmarks.mutations.table import Mutation

#: The one place where the versions stand. The AI SDK's packages declare Node 22 and run on Node 20 as well.
PACKAGES = {"openai": "7.57.0", "ai": "7.0.173", "@ai-sdk/openai-compatible": "3.0.92", "zod": "4.6.7"}
ROOT = Path(__file__).resolve().parents[3]
#: Git ignores it; `--node-modules` names another folder.
FOLDER = Path(os.environ.get("ENDPOINT_PROBE_PARTS") or ROOT / ".parts") / "mutations"
DRIVER = Path(__file__).with_name("drive_node.mjs")
_INSTALL_SECONDS = 600
_DRIVE_SECONDS = 600


class NodeMissing(Exception):
    """Node, npm or the packages could not be had; the text is one line that says why."""


def installed(folder: Path) -> bool:
    """Whether exactly the pinned versions are in the folder."""
    for name, version in PACKAGES.items():
        try:
            found = json.loads((folder / "node_modules" / name / "package.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        if found.get("version") != version:
            return False
    return True


def install(folder: Path = FOLDER) -> None:
    """Install the pinned packages unless they are there.  Raises NodeMissing."""
    if not shutil.which("node"):
        raise NodeMissing("node is not installed")
    if installed(folder):
        return
    npm = shutil.which("npm")
    if not npm:
        raise NodeMissing("npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    command = [npm, "install", "--no-audit", "--no-fund", "--save-exact", "--prefix", str(folder), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    if done.returncode or not installed(folder):
        raise NodeMissing(f"npm install failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")


def versions() -> dict[str, str]:
    """Versions of the driven packages and of Node."""
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "openai-node": PACKAGES["openai"],
        "ai": PACKAGES["ai"],
        "@ai-sdk/openai-compatible": PACKAGES["@ai-sdk/openai-compatible"],
        "node": node.removeprefix("v"),
    }


def drive(base: str, mutations: Sequence[Mutation], folder: Path = FOLDER) -> list[dict[str, Shown]]:
    """What the Node clients show for every mutation served at `base`, by column.  Raises NodeMissing."""
    cases = [
        {
            "number": number,
            "streamed": mutation.kind.streamed,
            "calls": mutation.kind.calls,
            "asksUsage": mutation.asks_usage,
        }
        for number, mutation in enumerate(mutations)
    ]
    given: dict[str, Any] = {"base": base, "model": MODEL, "question": QUESTION, "tool": TOOL, "cases": cases}
    done = subprocess.run(
        ["node", str(DRIVER), str(folder.resolve())],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=_DRIVE_SECONDS,
        check=False,
    )
    rows: list[dict[str, Shown]] = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or len(rows) != len(mutations):
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NodeMissing(f"the Node driver ended after {len(rows)} of {len(mutations)} mutations: {reason}")
    return rows
