"""How late the event loop runs, so that a stalled loop is not taken for a slow proxy.

A 200 ms stall of our own makes a perfect stream look coalesced; runs with more lag than
the judged gaps allow are discarded by the checks that measure time.
"""

from __future__ import annotations

import time
from bisect import bisect_left

import anyio


class LagMonitor:
    """Sleeps for a short while again and again, and notes how much too long it slept.

    Args:
        interval_s: the pause between two samples.
    """

    def __init__(self, interval_s: float = 0.005) -> None:
        self.interval_s = interval_s
        self._times: list[float] = []
        self._lags: list[float] = []

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            begin = time.monotonic()
            await anyio.sleep(self.interval_s)
            end = time.monotonic()
            self._times.append(end)
            self._lags.append(max(0.0, end - begin - self.interval_s))
            if len(self._times) > 200_000:
                del self._times[:100_000], self._lags[:100_000]

    def _window(self, begin: float, end: float) -> list[float]:
        # One sample past the end: a stall that began inside the window is noted after it.
        return self._lags[bisect_left(self._times, begin) : bisect_left(self._times, end) + 1]

    def worst(self, begin: float, end: float) -> float | None:
        """The largest lag, in seconds, between two monotonic times; None without samples."""
        return max(self._window(begin, end), default=None)

    def stalled(self, begin: float, end: float) -> float | None:
        """How many of the seconds between two monotonic times the loop was late by more than 10 ms."""
        window = self._window(begin, end)
        return sum(lag for lag in window if lag > 0.010) if window else None

    def p99_ms(self) -> float | None:
        """The 99th percentile of all samples, in milliseconds."""
        if not self._lags:
            return None
        ordered = sorted(self._lags)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 3)
