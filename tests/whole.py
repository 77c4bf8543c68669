"""Every test, lint and types: ``python -m tests.whole [pytest's options]``; what ``make test`` runs.

There are four sessions.  What mostly waits for a clock comes first, ten at a time (a run computes for a fifth of its
time), and what measures time before the rest; meanwhile ruff, mypy and the installation of the real parts run, which
nothing needs before the third session.
What mostly computes follows, five at a time, since some of its tests wait for processes.  Real servers come next,
file by file, so that the tests of a file share the servers they start; four files at a time, since a server waits for
its files while it starts and a proxy's timers run out while nothing computes.  The browser comes last: its driver
keeps an event loop open until its session ends, and no other loop can be run meanwhile.

After each, everything that it left in its temporary folder is searched for the keys of the tests.  The exit status is
1 when lint, types or a session failed or a key was found; all are run in any case.  A part that cannot be installed
fails nothing here: its tests are skipped with the reason, and fail where CI is true.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.beside import Beside, joined, start
from tests.contract import keygrep

WAITING = ("-n10", "--dist=loadscope", "--no-loadscope-reorder", "tests/wire", "tests/scenarios")
COMPUTING = ("-n5", "--dist=loadscope", "--no-loadscope-reorder", "tests/unit", "tests/contract", "tests/hostile")
LIVE = ("-n4", "--dist=loadfile", "--no-loadscope-reorder", "tests/live", "tests/benchmarks")
BROWSER = ("tests/browser",)
SESSIONS = (WAITING, COMPUTING, LIVE, BROWSER)


def session(words: tuple[str, ...], options: list[str]) -> list[str]:
    """Run one session; what failed in it."""
    name = " ".join(words)
    failed = []
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="endpoint-probe-tests-") as folder:
        left = Path(folder) / "left"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rfER",
            "--durations=8",
            f"--basetemp={left}",
            *words,
            *options,
        ]
        done = subprocess.run(command, check=False)
        print(f"{name}: status {done.returncode} after {time.monotonic() - begin:.0f} s", flush=True)
        if done.returncode not in (0, 5):  # 5: nothing chosen (pytest, "Exit codes")
            failed.append(name)
        if keygrep.main([str(left)]) == 1:
            failed.append(f"{name}: a key was left")
    return failed


def main(options: list[str]) -> int:
    begin = time.monotonic()
    lint = [start("ruff", "ruff", "check", "."), start("mypy", "mypy")]
    parts: Beside | None = start("parts", "tests.live.parts", "install")
    failed = []
    for words in SESSIONS:
        if words is LIVE and parts is not None:
            parts.join()
            parts = None
        failed += session(words, options)
        failed += joined(lint)
        lint = []
    print(f"failed: {'; '.join(failed)}" if failed else "all sessions passed", flush=True)
    print(f"make test: {time.monotonic() - begin:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
