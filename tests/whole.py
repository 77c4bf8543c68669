"""Every test, in four sessions: ``python -m tests.whole [pytest's options]``; what ``make test`` runs.

What only computes shares the processors.  What mostly waits for a clock has them three at a
time, since each test sleeps most of it.  Real servers come next, file by file, since a small
model needs a processor to itself.  The browser comes last: its driver keeps an event loop
open until its session ends, beside which no other can be run.

The exit status is 1 when a session failed; all are run in any case.
"""

from __future__ import annotations

import subprocess
import sys
import time

SESSIONS = (
    ("-n2", "tests/unit", "tests/contract", "tests/hostile"),
    ("-n3", "tests/wire", "tests/scenarios"),
    ("-n2", "--dist=loadfile", "tests/live", "tests/benchmarks"),
    ("tests/browser",),
)


def main(options: list[str]) -> int:
    failed = []
    for session in SESSIONS:
        begin = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "--durations=8", *session, *options], check=False)
        print(f"{' '.join(session)}: status {done.returncode} after {time.monotonic() - begin:.0f} s", flush=True)
        if done.returncode not in (0, 5):  # 5: nothing chosen (pytest, "Exit codes")
            failed.append(" ".join(session))
    print(f"failed: {'; '.join(failed)}" if failed else "all sessions passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
