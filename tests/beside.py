"""Commands that run at the same time, each with its output in a file until it is asked for."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO


@dataclass
class Beside:
    """A command that runs while something else does; made by `start`."""

    name: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    started: float

    def join(self) -> int:
        """Wait for its end, print what it wrote and how it ended; returns its status."""
        status = self.process.wait()
        self.output.seek(0)
        text = self.output.read().decode(errors="replace").rstrip()
        self.output.close()
        print(f"{text}\n" if text else "", end="")
        print(f"{self.name}: status {status}, joined after {time.monotonic() - self.started:.0f} s", flush=True)
        return status


def start(name: str, *words: str) -> Beside:
    """Start `python -m WORDS`."""
    output = tempfile.TemporaryFile()  # noqa: SIM115 - join closes it
    process = subprocess.Popen(
        [sys.executable, "-m", *words], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    )
    return Beside(name, process, output, time.monotonic())


def joined(running: Sequence[Beside]) -> list[str]:
    """Wait for all; the names of those that failed."""
    return [item.name for item in running if item.join()]
