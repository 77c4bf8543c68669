"""Whether a check waits for the endpoint, and for how long it has been doing something else.

A check that waits for nothing and does not end is hung, however much time its requests
would have been allowed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Activity:
    """One check's waiting."""

    def __init__(self) -> None:
        self._waiting = 0
        self._since = time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The block waits for an answer, or for a turn to ask."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            self._since = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Seconds for which it has waited for nothing."""
        return 0.0 if self._waiting else time.monotonic() - self._since
