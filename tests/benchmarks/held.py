"""Holds a process back to a share of one core, as a laptop or a busy machine would."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_WINDOW_S = 0.1
_STEP_S = 0.002


def cpu_s(pid: int) -> float:
    """Seconds of CPU that all threads of a process have used."""
    used = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            used += int(task.read_text().split()[0])
    return used / 1e9


@contextlib.contextmanager
def held(pid: int, share: float) -> Iterator[None]:
    """Let a process use ``share`` seconds of CPU each second, by stopping it for the rest of each tenth of a second."""
    ended = threading.Event()

    def hold() -> None:
        left = 0.0
        while not ended.is_set():
            begin, used = time.monotonic(), cpu_s(pid)
            left = min(left, 0.0) + share * _WINDOW_S  # what was used too much is taken off, idle time is not saved up
            if left > 0:
                os.kill(pid, signal.SIGCONT)
                while time.monotonic() - begin < _WINDOW_S and cpu_s(pid) - used < left:
                    time.sleep(_STEP_S)
                os.kill(pid, signal.SIGSTOP)
            left -= cpu_s(pid) - used
            time.sleep(max(0.0, begin + _WINDOW_S - time.monotonic()))
        os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=hold, name="held", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
