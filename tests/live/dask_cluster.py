"""A Dask scheduler and workers on loopback, each a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.processes import serving, stop

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Cluster:
    """A running scheduler: its address, and its workers by name."""

    address: str
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def kill(self, name: str) -> None:
        """End a worker at once, without a word."""
        os.killpg(self.workers[name].pid, signal.SIGKILL)


@contextlib.contextmanager
def cluster(
    folder: Path, workers: Mapping[str, Mapping[str, str]], places: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """A scheduler and these workers for the length of the block.

    Args:
        workers: environment variables by the worker's name.
        places: the vantage point of a worker, by its name.
    """
    quiet = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error", "PYTHONPATH": str(ROOT)}

    def scheduler(port: int) -> list[str]:
        words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
        return [*words, "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]

    with serving("dask-scheduler", scheduler, folder, timeout=60, env=quiet) as running:
        made = Cluster(f"127.0.0.1:{running.port}")
        try:
            for name, extra in workers.items():
                made.workers[name] = _worker(folder, made.address, name, {**quiet, **extra}, (places or {}).get(name))
            yield made
        finally:
            for process in made.workers.values():
                stop(process)


def _worker(
    folder: Path, address: str, name: str, env: Mapping[str, str], place: str | None
) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://{address}", "--name", name, "--no-nanny"]
    words += ["--nthreads", "1", "--no-dashboard", "--local-directory", str(folder), "--host", "127.0.0.1"]
    if place:
        words += ["--resources", f"{place}=1"]
    with (folder / f"worker-{name}.log").open("wb") as log:
        return subprocess.Popen(
            words,
            cwd=folder,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
