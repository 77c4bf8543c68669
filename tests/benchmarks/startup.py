"""CPU time of a start beside a bare `import click`: `python -m tests.benchmarks.startup [--times N]`.

CPU time (user and system, wait4(2)) and not wall time, so that other work on the machine disturbs it little; the
commands take turns, so that what does disturb it meets them all.  The exit status is 1 when `--help` takes more than
twice what `python -c "import click"` takes, in the median.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.contract.running import environment

TIMES = 15
MOST_RATIO = 2.0
BARE = 'python -c "import click"'
HELP = "endpoint-probe --help"


def commands() -> dict[str, list[str]]:
    """What is measured, by its name in the table; the console script as it is installed."""
    script = str(Path(sys.executable).parent / "endpoint-probe")
    return {
        BARE: [sys.executable, "-c", "import click"],
        HELP: [script, "--help"],
        "endpoint-probe --version": [script, "--version"],
        "endpoint-probe explain tools.ignored": [script, "explain", "tools.ignored"],
        "endpoint-probe checks": [script, "checks"],
    }


def cpu_s(command: list[str]) -> float:
    """CPU seconds of one process, its children included.

    Raises:
        subprocess.CalledProcessError: it ended with another status than 0.
    """
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return used.ru_utime + used.ru_stime


def medians(times: int = TIMES) -> dict[str, float]:
    """Median CPU seconds by command; each is run once before, so that its byte code is there."""
    wanted = commands()
    for command in wanted.values():
        cpu_s(command)
    measured: dict[str, list[float]] = {name: [] for name in wanted}
    for _ in range(times):
        for name, command in wanted.items():
            measured[name].append(cpu_s(command))
    return {name: statistics.median(values) for name, values in measured.items()}


def table(found: dict[str, float], times: int = TIMES) -> Table:
    """The medians, and each over the bare import."""
    shown = Table("command", "CPU ms", "over import click", title=f"Start-up, median of {times}")
    for name, seconds in found.items():
        shown.add_row(name, f"{seconds * 1000:.0f}", f"{seconds / found[BARE]:.2f}")
    return shown


def main(words: list[str] | None = None) -> int:
    """Print the table; 1 when the limit is passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.startup", description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES)
    given = parser.parse_args(words)
    found = medians(given.times)
    Console(width=100).print(table(found, given.times))
    return 1 if found[HELP] > MOST_RATIO * found[BARE] else 0


if __name__ == "__main__":
    sys.exit(main())
