"""Lint, types and the pure tests at the same time: ``python -m tests.quick [pytest's options]``; `make quick`.

Pure tests are those of tests/unit: no connection, no other process, no sleeping (tests/unit/conftest.py sees to it).
The exit status is 1 when one of the three failed.
"""

from __future__ import annotations

import sys
import time

from tests.beside import joined, start


def main(options: list[str]) -> int:
    begin = time.monotonic()
    failed = joined(
        [
            start("ruff", "ruff", "check", "."),
            start("mypy", "mypy"),
            start("pure tests", "pytest", "-q", "-n2", "--durations=3", "tests/unit", *options),
        ]
    )
    print(f"failed: {', '.join(failed)}" if failed else "all passed", f"after {time.monotonic() - begin:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
