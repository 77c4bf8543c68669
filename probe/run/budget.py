"""The budget of a run: requests, tokens and time; and how fast requests may follow each other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from probe.run.outcomes import BudgetExceeded
from probe.wording import amount, form


class Budget:
    """Counts what is spent, and reserves tokens before a request is sent.

    Args:
        max_requests: requests of the run, or None.
        max_tokens: prompt and completion tokens of the run, or None.
        deadline_s: seconds from now to the end of the run.
    """

    def __init__(self, max_requests: int | None, max_tokens: int | None, deadline_s: float) -> None:
        self.max_requests = max_requests
        self.max_tokens = max_tokens
        self.started = time.monotonic()
        self.ends = self.started + deadline_s
        self.requests = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.uncounted_tokens = 0
        self._reserved = 0
        self._pauses = 0
        self._paused_at = 0.0

    @property
    def tokens(self) -> int:
        """Tokens spent: those that the endpoint counted, and an estimate where it counted none."""
        return self.prompt_tokens + self.completion_tokens + self.uncounted_tokens

    @property
    def left_s(self) -> float:
        """Seconds to the deadline."""
        return max(0.0, self.ends - (self._paused_at if self._pauses else time.monotonic()))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The time of the block does not count; overlapping blocks count from the first begin to the last end."""
        if not self._pauses:
            self._paused_at = time.monotonic()
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                self.ends += time.monotonic() - self._paused_at

    def fits(self, requests: int, tokens: int = 0) -> str | None:
        """The reason why so much more does not fit, or None."""
        if self.max_requests is not None and self.requests + requests > self.max_requests:
            left = self.max_requests - self.requests
            return f"needs {amount(requests, 'request')}, {left} {form(left, 'is', 'are')} left in the budget"
        if self.max_tokens is not None and self.tokens + self._reserved + tokens > self.max_tokens:
            left = max(0, self.max_tokens - self.tokens - self._reserved)
            return f"needs up to {amount(tokens, 'token')}, {left} {form(left, 'is', 'are')} left in the budget"
        if self.left_s <= 0:
            return "the deadline of the run has passed"
        return None

    def reserve(self, tokens: int) -> None:
        """Reserve one request and up to so many tokens, before it is sent.

        Raises:
            BudgetExceeded: it does not fit; nothing is reserved.
        """
        if reason := self.fits(1, tokens):
            raise BudgetExceeded(reason)
        self.requests += 1
        self._reserved += tokens

    def settle(self, reserved: int, prompt: int, completion: int, uncounted: int = 0) -> None:
        """Replace a reservation by the tokens that the endpoint counted, and by an estimate of those it did not."""
        self._reserved -= reserved
        self.prompt_tokens += prompt
        self.completion_tokens += completion
        self.uncounted_tokens += uncounted


class Pace:
    """A ceiling on requests: so many at once, and after those so many a second.

    An endpoint can make the checks ask again; it must not make them a storm.
    """

    def __init__(self, burst: int = 40, per_second: float = 10.0) -> None:
        self._gap_s = 1 / per_second
        self._ahead_s = burst / per_second
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until the next request may be sent (the generic cell rate algorithm, ITU-T I.371)."""
        now = time.monotonic()
        self._next = max(self._next, now - self._ahead_s) + self._gap_s
        await anyio.sleep(max(0.0, self._next - now))
