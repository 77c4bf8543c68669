"""The speed of the endpoint as the exchanges of a run show it, and the limits that follow from it.

A model on a laptop writes 3 to 5 tokens a second, where a hosted one writes 50 to 100.  For the slow one answers are
kept short, limits of time are extended, few requests are sent at once, and what a client has no switch for comes last.
"""

from __future__ import annotations

from math import ceil

from probe.exchange import Exchange
from probe.parsing import chat_completion

#: Tokens per second below which an endpoint counts as slow.
SLOW_RATE = 12.0
#: A slow endpoint's answers are limited to what it writes in this time, in seconds, and to no less than these tokens.
ANSWER_S = 10.0
LEAST_TOKENS = 48
#: The same for thinking in addition to the answer.
THINKING_S = 60.0
LEAST_THINKING = 192
#: Prompt tokens are read so many times faster than tokens are written (llama.cpp on a busy CPU: 2 to 6).
READING = 4.0
#: Requests that took much longer together with others than alone, until fewer are sent at once.
QUEUED = 2


class Speed:
    """What is known of the speed.

    Attributes:
        rate: tokens per second, or None before the first answer; a lower bound until a stream was seen.
        first_s: the least time of the first text of a stream, in seconds.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self.first_s = 0.0
        self._streamed = False
        self._queued = 0

    @property
    def slow(self) -> bool:
        return self.rate is not None and self.rate < SLOW_RATE

    def observe(self, exchange: Exchange) -> None:
        """Learn from an exchange; other exchanges than complete answers say nothing."""
        timeline = exchange.timeline
        if exchange.error is not None or timeline.sent_s is None:
            return
        if chat_completion.is_stream(exchange):
            reading = chat_completion.read_stream(exchange)
            at = [chunk.at_s for chunk in reading.chunks if chunk.delta]
            if len(at) < 8 or at[-1] - at[0] < 0.2:
                return
            tokens = reading.usage[1] or len(at)
            live = at[0] - timeline.sent_s < 0.5 * (at[-1] - timeline.sent_s)
            self._learn(tokens / (at[-1] - (at[0] if live else timeline.sent_s)), streamed=True)
            first_s = at[0] - timeline.sent_s
            self.first_s = min(self.first_s, first_s) if self.first_s else first_s
        elif chat_completion.is_completion(exchange):
            tokens = chat_completion.usage(exchange)[1] or len(chat_completion.answer(exchange)) // 4
            took = timeline.end_s - timeline.sent_s
            # A short answer that came within a second may be all latency.
            if tokens >= 4 and (took > 1 or tokens >= took * SLOW_RATE > 0):
                self._learn(tokens / took, streamed=False)

    def _learn(self, rate: float, *, streamed: bool) -> None:
        """A stream shows the rate; whole answers, and requests together with others, show a lower bound of it."""
        if self.rate is None or (streamed and not self._streamed) or rate > self.rate:
            self.rate = rate
        self._streamed = self._streamed or streamed

    def expected_s(self, tokens: int, prompt: int = 0) -> float:
        """Seconds that an answer of so many tokens takes; 0 if the speed is not known."""
        return self.first_s + tokens / self.rate + prompt / (READING * self.rate) if self.rate else 0.0

    def answer(self, limit: int) -> int:
        """The limit of an answer, in tokens: for a slow endpoint no more than it writes in some seconds."""
        if not self.slow or self.rate is None:
            return limit
        return min(limit, max(LEAST_TOKENS, ceil(ANSWER_S * self.rate)))

    def thinking(self, room: int) -> int:
        """The tokens for thinking, in the same way."""
        if not self.slow or self.rate is None:
            return room
        return min(room, max(LEAST_THINKING, ceil(THINKING_S * self.rate)))

    def queued(self, exchange: Exchange) -> bool:
        """Whether concurrent requests wait for each other, as at a server with one slot; asked after each of them."""
        prompt, tokens = chat_completion.usage(exchange)
        if not self._streamed or not tokens:
            return False
        expected = self.expected_s(tokens, prompt or 0)
        if exchange.timeline.end_s - (exchange.timeline.sent_s or 0.0) > 1.7 * expected + 1.0:
            self._queued += 1
        if self._queued < QUEUED:
            return False
        self._queued = 0
        return True
