"""Interrupting a check that blocks the event loop, so that time limits hold.

The time limits of an event loop apply between two of its steps.  A check that sleeps or computes
without end inside one step would outlast them and keep every other check waiting.  A thread
detects that, and a signal raises ``Stalled`` inside the check.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Protocol

import anyio

#: Seconds for which a check may block the loop, and after the run should have ended.
PATIENCE_S = 20
IMPATIENCE_S = 5
_BEAT_S = 0.1
#: Ignored by default, and not used by terminals or test runners.
_SIGNAL = getattr(signal, "SIGURG", None)


class Function(Protocol):
    """A function written in Python."""

    @property
    def __code__(self) -> CodeType: ...


class Stalled(Exception):
    """A check blocked the event loop for too long."""


class Watchdog:
    """Interrupts code that blocks the event loop.

    Args:
        inside: the function that runs one check; code outside it is not interrupted.
        over: whether the run should have ended by now.
    """

    def __init__(self, inside: Function, over: Callable[[], bool]) -> None:
        self.inside = inside.__code__
        self.over = over
        self._beats = 0
        self._stalled = False
        self._ended = threading.Event()

    async def beat(self) -> None:
        """Count the steps of the loop until cancelled."""
        while True:
            self._beats += 1
            await anyio.sleep(_BEAT_S)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs; only the main thread can, where signals are handled."""
        free = _SIGNAL is not None and signal.getsignal(_SIGNAL) is signal.SIG_DFL
        if not free or threading.current_thread() is not threading.main_thread():
            yield
            return
        assert _SIGNAL is not None
        signal.signal(_SIGNAL, self._raise)
        thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(1)
            signal.signal(_SIGNAL, signal.SIG_DFL)

    def _watch(self) -> None:
        assert _SIGNAL is not None
        seen, silent = self._beats, 0
        # Seconds are counted and not measured, since a stopped and continued process has not stalled.
        while not self._ended.wait(1.0):
            silent = silent + 1 if self._beats == seen else 0
            seen = self._beats
            if silent >= (IMPATIENCE_S if self.over() else PATIENCE_S):
                self._stalled = True
                signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)

    def _raise(self, _number: int, frame: FrameType | None) -> None:
        stalled, self._stalled = self._stalled, False
        while stalled and frame is not None:
            if frame.f_code is self.inside:
                raise Stalled
            if frame.f_code.co_name == "__del__" or frame.f_code.co_filename.endswith("weakref.py"):
                return  # an exception would be lost there; the next second is soon enough
            frame = frame.f_back


class Activity:
    """For how long a check has not waited for the endpoint: one that waits for nothing and does not end is hung."""

    def __init__(self) -> None:
        self._waiting = 0
        self._since = time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The block waits for an answer, or for its turn to send."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            self._since = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Seconds without waiting; 0 while it waits."""
        return 0.0 if self._waiting else time.monotonic() - self._since
