"""Running a client's own package over a configuration file, each in the part's own environment."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.live.parts import ALL, program

_KEPT = ("PATH", "LANG", "TMPDIR")


@dataclass(frozen=True)
class Ran:
    """How a consumer ended; `said` is what its last line of output holds as JSON, or None."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> Any:
        lines = [line for line in self.out.splitlines() if line.strip()]
        return json.loads(lines[-1]) if lines else None

    @property
    def all(self) -> str:
        return self.out + self.err


def start(command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None, seconds: int = 150) -> Ran:
    """Run a command in a folder that is also its home; nothing of this process's settings goes along."""
    home = {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_STATE_HOME": str(folder / "state"),
        "NO_PROXY": "127.0.0.1,localhost",
    }
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**kept, **home, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def python(part: str, script: str, folder: Path, *words: str, env: Mapping[str, str] | None = None) -> Ran:
    """Run a Python script with the interpreter of a part, warnings being errors where the script asks for it."""
    program(part)
    path = folder / "consumer.py"
    path.write_text(script, encoding="utf-8")
    return start([ALL[part].folder / "bin" / "python", path, *words], folder, env)


def node(part: str, script: str, folder: Path, *words: str, env: Mapping[str, str] | None = None) -> Ran:
    """Run a JavaScript module that finds a part's packages."""
    program(part)
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(ALL[part].folder / "node_modules")
    path = folder / "consumer.mjs"
    path.write_text(script, encoding="utf-8")
    return start(["node", path, *words], folder, env)
