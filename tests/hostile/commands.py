"""The program as another process: what it said, how long it took, and how much memory it had at most.

The process tells its own peak (proc(5), VmHWM): what wait4(2) says of a child includes
the size of the parent it was forked from.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.contract.running import environment

_TELLING = """
import re, sys
from pathlib import Path
from probe.cli import main
status = main()
Path(PEAK).write_text(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
sys.exit(status)
"""


@dataclass(frozen=True)
class Ran:
    """How a process ended; ``peak_mb`` is its largest resident size in MiB."""

    status: int
    out: bytes
    err: bytes
    seconds: float
    peak_mb: float


def measured(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None, given: bytes = b"") -> Ran:
    """Run the program to its end."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="endpoint-probe-tests-") as folder:
        peak = Path(folder) / "peak"
        done = subprocess.run(
            [sys.executable, "-c", _TELLING.replace("PEAK", repr(str(peak))), *arguments],
            check=False,
            input=given,
            capture_output=True,
            cwd=cwd,
            env=environment(env),
            timeout=180,
        )
        seconds = time.monotonic() - begin
        return Ran(done.returncode, done.stdout, done.stderr, seconds, int(peak.read_text()) / 1024)
