"""Interrupting a check that blocks the event loop, so that time limits hold.

The time limits of an event loop apply between two of its steps.  A check that sleeps or computes
without end inside one step would outlast them and keep every other check waiting.  A timer's signal
detects that and raises ``Stalled`` inside the check: the interpreter handles signals between any two
instructions, and ``re`` does so while it matches (CPython, Modules/_sre), which no thread can do,
since a pattern at work does not release the interpreter's lock.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, Protocol

import anyio

#: Seconds for which a check may block the loop, and after the run should have ended.
PATIENCE_S = 20.0
IMPATIENCE_S = 0.75
#: One that blocked it for so long, or waited for no answer, would not have ended by itself: an error of this program.
HUNG_S = 4.0
_BEAT_S = 0.1
_TICK_S = 0.25


class Function(Protocol):
    """A function written in Python."""

    @property
    def __code__(self) -> CodeType: ...


class Stalled(Exception):
    """A check blocked the event loop for too long.

    Attributes:
        hung: whether it would not have ended by itself; otherwise only the run's time was over.

    Args:
        blocked_s, processor_s: for how long it blocked the loop, and the processor time of this process meanwhile: one
            that computes and seldom has a processor is not hung.
    """

    def __init__(self, blocked_s: float, processor_s: float) -> None:
        super().__init__(f"it blocked the event loop for {blocked_s:.1f} s")
        starved = blocked_s / 10 < processor_s < HUNG_S / 2
        self.hung = blocked_s >= HUNG_S and not starved


class Watchdog:
    """Interrupts code that blocks the event loop; the watchdogs of a process share one timer.

    Args:
        inside: the method that runs one check; code outside it is not interrupted.
        whose: the object of the method, one for each run.
        over: whether the run should have ended by now.
    """

    _watching: list[Watchdog] = []  # noqa: RUF012 - one timer a process, so one list
    _seen = -1
    _silent = 0
    _processor_s = 0.0
    _hook: Any = sys.unraisablehook

    def __init__(self, inside: Function, whose: object, over: Callable[[], bool]) -> None:
        self.inside = inside.__code__
        self.whose = whose
        self.over = over
        self._beats = 0

    async def beat(self) -> None:
        """Count the steps of the loop until cancelled."""
        while True:
            self._beats += 1
            await anyio.sleep(_BEAT_S)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs; only the main thread can, where signals are handled."""
        alarm = getattr(signal, "SIGALRM", None)  # Windows has none
        free = alarm is not None and (self._watching or signal.getsignal(alarm) is signal.SIG_DFL)
        if not free or threading.current_thread() is not threading.main_thread():
            yield
            return
        assert alarm is not None
        self._watching.append(self)
        if len(self._watching) == 1:
            signal.signal(alarm, self._tick)
            signal.setitimer(signal.ITIMER_REAL, _TICK_S, _TICK_S)
            Watchdog._hook, sys.unraisablehook = sys.unraisablehook, self._unraisable
        try:
            yield
        finally:
            self._watching.remove(self)
            if not self._watching:
                sys.unraisablehook = Watchdog._hook
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(alarm, signal.SIG_DFL)

    @staticmethod
    def _unraisable(lost: Any) -> None:
        if lost.exc_type is not Stalled:  # in a callback of the garbage collector it is lost, and raised once more
            Watchdog._hook(lost)

    @classmethod
    def _tick(cls, _number: int, frame: FrameType | None) -> None:
        """Raise ``Stalled`` in the check that has blocked the loop for too long, if there is one."""
        beats = sum(item._beats for item in cls._watching)
        # Ticks are counted and not seconds, since a stopped and continued process has not stalled.
        if beats != cls._seen:
            cls._silent, cls._processor_s = -1, time.process_time()
        cls._silent += 1
        cls._seen = beats
        blocked_s = cls._silent * _TICK_S
        while frame is not None and blocked_s >= IMPATIENCE_S:
            for item in cls._watching:
                if frame.f_code is item.inside and frame.f_locals.get("self") is item.whose:
                    if blocked_s < (IMPATIENCE_S if item.over() else PATIENCE_S):
                        return
                    cls._silent -= int(1 / _TICK_S)  # the next one in a second, where this one is not heeded
                    raise Stalled(blocked_s, time.process_time() - cls._processor_s)
            if frame.f_code.co_name == "__del__" or frame.f_code.co_filename.endswith("weakref.py"):
                return  # an exception would be lost there; the next tick is soon enough
            frame = frame.f_back


class Activity:
    """For how long a check has not waited for the endpoint: one that does not wait and does not end is hung."""

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
