"""Every test, in four sessions: ``python -m tests.whole [pytest's options]``; what ``make test`` runs.

What mostly computes has the processors three at a time, since some of its tests wait for
processes; what mostly waits for a clock four at a time.  Real servers come next, two at a
time and file by file, since a small model needs a processor to itself.  The browser comes
last: its driver keeps an event loop open until its session ends, beside which no other can be
run.

After each, everything that it left in its temporary folder is searched for the keys of the
tests.  The exit status is 1 when a session failed or a key was found; all are run in any case.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.contract import keygrep

SESSIONS = (
    ("-n3", "tests/unit", "tests/contract", "tests/hostile"),
    ("-n4", "tests/wire", "tests/scenarios"),
    ("-n2", "--dist=loadfile", "tests/live", "tests/benchmarks"),
    ("tests/browser",),
)


def main(options: list[str]) -> int:
    failed = []
    for session in SESSIONS:
        name = " ".join(session)
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="endpoint-probe-tests-") as folder:
            left = Path(folder) / "left"
            words = ["-q", "--durations=8", f"--basetemp={left}", *session, *options]
            done = subprocess.run([sys.executable, "-m", "pytest", *words], check=False)
            print(f"{name}: status {done.returncode} after {time.monotonic() - begin:.0f} s", flush=True)
            if done.returncode not in (0, 5):  # 5: nothing chosen (pytest, "Exit codes")
                failed.append(name)
            if keygrep.main([str(left)]) == 1:
                failed.append(f"{name}: a key was left")
    print(f"failed: {'; '.join(failed)}" if failed else "all sessions passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
