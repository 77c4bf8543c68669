"""Starting and stopping the programs the live tests talk to: each in its own process group, with its log in a file."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RUNNING_LOGS: dict[str, Path] = {}
"""Log file of every program that runs now, by name and port; the conftest shows their ends when a test fails."""

_ATTEMPTS = 3


class StartFailed(Exception):
    """A program ended, or did not get ready in time; the text ends with the last lines it wrote."""


@dataclass(frozen=True)
class Running:
    """A program that listens on loopback: `port` its TCP port, `pid` also its process group, `log_path` its output."""

    name: str
    port: int
    pid: int
    log_path: Path
    scheme: str = "http"

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """The URL a client is given where the API is under /v1."""
        return f"{self.origin}/v1"

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")


def free_port() -> int:
    """A TCP port on loopback that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether something accepts TCP connections on this loopback port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def group_alive(pid: int) -> bool:
    """Whether any process is left in the process group `pid`."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so for a group of zombies
        return False
    return True


@contextlib.contextmanager
def serving(
    name: str,
    command: Callable[[int], Sequence[str | Path]],
    folder: Path,
    *,
    ready: Callable[[int], bool] = accepts,
    timeout: float = 30.0,
    env: Mapping[str, str] | None = None,
    scheme: str = "http",
) -> Iterator[Running]:
    """Run a server for the length of the `with` block and stop it, with all its children, at the end.

    command: given a port, writes what the server needs and returns its command line. folder: its working
    folder, which also receives its log. ready: given the port, whether it can be used (never raises).
    timeout: seconds it may take. env: variables added to this process's own. scheme: what it speaks.

    A port can be taken by another program between its choice and its use, so a server that ends at once is
    tried again on another port. Raises StartFailed.
    """
    for attempt in range(_ATTEMPTS):
        port = free_port()
        log_path = folder / f"{name}-{port}.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [str(word) for word in command(port)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        running = Running(name=name, port=port, pid=process.pid, log_path=log_path, scheme=scheme)
        deadline = time.monotonic() + timeout
        while process.poll() is None and time.monotonic() < deadline and not ready(port):
            time.sleep(0.05)
        if process.poll() is None and time.monotonic() < deadline:
            break
        stop(process)
        if time.monotonic() >= deadline or attempt == _ATTEMPTS - 1 or "in use" not in running.log:
            why = f"was not ready after {timeout:g} s" if time.monotonic() >= deadline else "ended while starting"
            raise StartFailed(f"{name} {why}:\n{tail(log_path, 15)}")
    label = f"{name} on port {port}"
    RUNNING_LOGS[label] = log_path
    try:
        yield running
    finally:
        RUNNING_LOGS.pop(label, None)
        stop(process)


def stop(process: subprocess.Popen[bytes], patience: float = 5.0) -> None:
    """End a process that leads its own group, and the whole group: asked first, killed after `patience` seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            process.poll()
            if not group_alive(process.pid):
                return
            time.sleep(0.02)
    process.wait(timeout=patience)


def tail(path: Path, lines: int) -> str:
    """The last lines of a text file, or a word that there are none."""
    with contextlib.suppress(OSError):
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        return "\n".join(text.splitlines()[-lines:]) or "(it wrote nothing)"
    return "(no log)"
