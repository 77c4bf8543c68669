"""The lag of the event loop, so that a stalled loop is not mistaken for a slow proxy.

A stall of 200 ms in this program makes a perfect stream look coalesced; checks that measure time
discard a run with too much lag.
"""

from __future__ import annotations

import time
from bisect import bisect_left

import anyio


class LagMonitor:
    """Sleeps for short intervals and notes by how much each was too long.

    Args:
        interval_s: the time between two samples.
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
        # One sample past the end, for a stall that began inside the window.
        return self._lags[bisect_left(self._times, begin) : bisect_left(self._times, end) + 1]

    def worst(self, begin: float, end: float) -> float | None:
        """The largest lag, in seconds, between two monotonic times; None without samples."""
        return max(self._window(begin, end), default=None)

    def stalled(self, begin: float, end: float) -> float | None:
        """The sum of the lags over 10 ms between two monotonic times, in seconds; None without samples."""
        window = self._window(begin, end)
        return sum(lag for lag in window if lag > 0.010) if window else None

    def p99_ms(self) -> float | None:
        """The 99th percentile of all samples, in milliseconds."""
        if not self._lags:
            return None
        ordered = sorted(self._lags)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 3)
