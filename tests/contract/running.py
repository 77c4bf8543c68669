"""Running the program as a user does: another process, its streams and its status."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
#: What a user's shell would pass on; nothing that names an endpoint, a key or a proxy.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | dict(extra or {})


def command(*arguments: str) -> list[str]:
    """The program with arguments."""
    return [sys.executable, "-m", "probe", *arguments]


def start(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a command; its streams are pipes."""
    return subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment(env),
    )


def run(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None, given: str = "") -> Done:
    """Run a command to its end."""
    done = subprocess.run(
        command(*arguments),
        check=False,
        input=given,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(env),
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr)


class Shell:
    """A shell in a folder where `endpoint-probe`, `pytest` and `python` are this checkout's and nothing is installed.

    Args:
        folder: where it works; it gets a folder `bin`.
        env: more variables; folders in PYTHONPATH come after this checkout.
    """

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.env = environment(env)
        self.env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), self.env.get("PYTHONPATH"))))
        self.env["PATH"] = os.pathsep.join((str(folder / "bin"), self.env.get("PATH", "")))
        (folder / "bin").mkdir()
        for name, words in (("endpoint-probe", "-m probe "), ("pytest", "-m pytest "), ("python", "")):
            program = folder / "bin" / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n')
            program.chmod(0o755)

    def __call__(self, script: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a script of bash to its end, or to the first command that fails."""
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.folder,
            env=self.env | dict(env or {}),
        )


def interpreter(folder: Path, *paths: Path) -> str:
    """The Python of a new virtual environment that sees this checkout, these folders and our dependencies.

    In isolated mode too, where PYTHONPATH counts for nothing.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = next((folder / "lib").glob("python3*/site-packages"))
    # Plain path lines: packages are found there, but the .pth files in those folders are not read.
    lines = [str(ROOT), *map(str, paths), sysconfig.get_path("purelib")]
    (site / "dependencies.pth").write_text("\n".join(lines) + "\n")
    return str(folder / "bin" / "python")
