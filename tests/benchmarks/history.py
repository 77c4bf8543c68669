"""How long `history` takes on a big store, and how much memory: ``python -m tests.benchmarks.history``.

A store is filled with audits of 100 targets (four verdicts a run, a finding in every tenth), and the command is run as
a user does, in a process of its own.  Limits: one second and 150 MB; processor time is printed too, for busy machines.
``--store`` names a database to fill, as in ``postgresql+psycopg://…``; without it a SQLite file in a temporary folder
is used.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, insert

from probe.fleet import database, tables
from probe.fleet.store import Store
from probe.fleet.time_spec import stamp

_CELLS = 100
_BATCH = 50
_NAMES = ("chat", "streaming", "tools", "vision")
_SECONDS, _MEGABYTES = 1.0, 150.0
#: Prints the largest size of its child in MB and its processor time, after the child's own output.
_MEASURE = (
    "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
    "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
    "print(used.ru_maxrss / 1024, used.ru_utime + used.ru_stime, done.returncode)"
)


def fill(url: str, audits: int) -> None:
    """Make the tables and insert the runs; the newest audit began a minute ago."""
    Store.open(url).__exit__(None, None, None)
    engine = create_engine(database.parse(url))
    newest = datetime.now(UTC) - timedelta(minutes=1)
    for first in range(0, audits, _BATCH):
        with engine.begin() as connection:
            for number in range(first, min(first + _BATCH, audits)):
                _audit(connection, number, stamp(newest - timedelta(hours=audits - number)))
    engine.dispose()


def _audit(connection: Connection, number: int, at: str) -> None:
    audit = f"{number:032x}"
    connection.execute(
        insert(tables.audit),
        {
            "id": audit,
            "fleet": "big",
            "digest": "d",
            "started_at": at,
            "finished_at": at,
            "tool": "0",
            "executor": "local",
        },
    )
    runs = list(_runs(audit, number, at))
    connection.execute(insert(tables.run), runs)
    verdicts = [
        {"run_id": run["id"], "capability": name, "state": state, "confidence": 1.0, "note": "a note of some length"}
        for place, run in enumerate(runs)
        for name in _NAMES
        for state in ["ignored" if name == "tools" and (number + place) % 50 == 0 else "works"]
    ]
    connection.execute(insert(tables.verdict), verdicts)
    words = {"severity": "warning", "owner": "gateway", "check": "stream.delivery", "title": "Held", "remedy": "Set it"}
    connection.execute(
        insert(tables.finding),
        [{"run_id": run["id"], "number": 0, "code": "stream.held", "detail": "Held.", **words} for run in runs[::10]],
    )


def _runs(audit: str, number: int, at: str) -> Iterator[dict[str, Any]]:
    for cell in range(_CELLS):
        yield {
            "id": f"{number * _CELLS + cell:032x}", "audit_id": audit, "fleet": "big", "target": f"t{cell}",
            "model": "m", "vantage": "", "place": "", "started_at": at,
            "finished_at": at, "duration_s": 1.0, "depth": "standard",
            "complete": True, "usable": True, "endpoint": "https://x/v1", "requests": 30, "prompt_tokens": 1,
            "completion_tokens": 1, "software": "vllm", "hops": [],
        }  # fmt: skip


def main(arguments: list[str]) -> int:
    """Fill, measure, print; 1 where a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500_000)
    parser.add_argument("--store", help="a database to fill instead of a temporary SQLite file")
    given = parser.parse_args(arguments)
    over = False
    with tempfile.TemporaryDirectory(prefix="endpoint-probe-history-") as folder:
        url = given.store or str(Path(folder) / "history.sqlite3")
        begin = time.monotonic()
        fill(url, given.runs // _CELLS)
        print(f"{given.runs} runs inserted in {time.monotonic() - begin:.0f} s")
        for words in ([], ["t7"], ["--since", "1d"], ["t7", "--limit", "1000"]):
            command = [sys.executable, "-m", "probe", "history", "--store", url, *words]
            times = []
            for _ in range(3):
                begin = time.monotonic()
                done = subprocess.run(
                    [sys.executable, "-c", _MEASURE, *command], check=True, capture_output=True, text=True
                )
                times.append(time.monotonic() - begin)
            size, busy, status = (float(word) for word in done.stdout.split())
            over |= min(times) > _SECONDS or size > _MEGABYTES or status != 0
            print(
                f"history {' '.join(words):<20} {min(times):5.2f} s ({busy:.2f} s busy)  "
                f"{size:5.0f} MB  status {status:.0f}"
            )
    return int(over)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
