"""From measured runs to one word about the delivery, or to the run that is still missing.

Pure.  One run is enough where the text came as it was written; whether it was held back
takes a short and a long one, since only then does the first event move with the length of
the answer.  What is over too soon is called so, and nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from checks.stream.arrivals import Look, Run, held_back, look_of, slope

#: A long run should last so long beyond the short one (facts of the method: 1 s and more).
LONG_S = 1.6
#: Where the two runs lie closer together, what looks held may also be a timer that flushes that seldom.
SURE_S = 1.0
#: A slope between these may be a slow playback, or the weather; a longer run shows it more clearly.
DOUBTFUL = (0.2, 0.55)
#: A longer run that would still be over in this time tells nothing new.
WORTH_S = 0.6
#: What was held comes in one piece: its second half takes less than this share of the longer run's time beyond
#: the short one's.
SPREAD = 0.25
#: So many flushes show the size of a buffer.
FLUSHES = 3.5


class Delivery(StrEnum):
    """How the stream arrives; the values of ``facts.delivery``."""

    STREAMING = "streaming"
    HELD = "held"
    REPLAYED = "replayed"
    SIZE_BUFFERED = "size-buffered"
    COALESCED = "coalesced"
    TOO_FAST = "too-fast"


@dataclass(frozen=True)
class Need:
    """A run that is missing: a short one, or a long one of so many tokens."""

    short: bool = False
    tokens: int = 0


@dataclass(frozen=True)
class Untold:
    """It could not be told, and why."""

    reason: str


@dataclass(frozen=True)
class Runs:
    """The runs so far; ``most`` is how many tokens a long run may have, 0 for none."""

    basic: Run
    short: Run | None = None
    long: Run | None = None
    most: int = 0

    @property
    def best(self) -> Run:
        """The run with more of the answer in it."""
        if self.long is not None and self.long.events > self.basic.events:
            return self.long
        return self.basic


def judge(runs: Runs) -> Delivery | Need | Untold:
    """The delivery, the run that is missing, or why it cannot be told."""
    best = runs.best
    look = look_of(best)
    if look is Look.SIZED:
        return Delivery.SIZE_BUFFERED
    if look is Look.TIMED:
        return Delivery.COALESCED
    if look is Look.SMOOTH:
        return Delivery.STREAMING if best.at_once else _late(runs)
    if look is Look.LUMP:
        return _lump(runs)
    if look is Look.EMPTY:
        return Untold("no event of the stream held any text")
    return _longer(runs, best.tokens * LONG_S / max(best.last_s, 0.01)) or Delivery.TOO_FAST


def _late(runs: Runs) -> Delivery | Need | Untold:
    """Smooth, after a wait: a slow first token, or a replay."""
    best = runs.best
    if runs.short is None:
        return Need(short=True)
    found = slope(runs.short, best)
    if found is None:
        if not runs.short.events:
            return _hidden(best)
        rate = best.tokens / max(best.span_s, 0.05)
        return _longer(runs, best.tokens + rate) or Delivery.TOO_FAST
    if DOUBTFUL[0] < found < DOUBTFUL[1]:
        need = _longer(runs, 2.5 * best.tokens)
        if need is not None:
            return need
    return Delivery.REPLAYED if held_back(runs.short, best) else Delivery.STREAMING


def _hidden(best: Run) -> Delivery | Untold:
    """The short run was used up by something that is not shown."""
    if best.tokens > 1.5 * best.events:
        return Delivery.STREAMING  # counted and not shown: thinking, which explains the wait
    return Untold("the short run showed no text")


def _lump(runs: Runs) -> Delivery | Need | Untold:
    best = runs.best
    if runs.short is None:
        return Need(short=True)
    apart = best.last_s - runs.short.last_s
    rate = (best.tokens - runs.short.tokens) / max(apart, 0.01)
    if _in_pieces(best):
        share = best.first_bytes / best.total_bytes
        need = _longer(runs, max(best.tokens * max(2.0, FLUSHES * share), best.tokens + rate * LONG_S))
        if need is not None:
            return need
        if _ticked(best):
            return Delivery.COALESCED
        if runs.long is not None and best.midcut and _same_size(runs.basic, runs.long):
            return Delivery.SIZE_BUFFERED
        return Untold("the text came in a few pieces, and a longer answer that would explain them could not be had")
    if not held_back(runs.short, best):
        return _longer(runs, best.tokens + rate * LONG_S) or Delivery.TOO_FAST
    if apart < SURE_S:
        need = _longer(runs, best.tokens + rate * LONG_S)
        if need is not None:
            return need
    if best.last_s - best.main_s > max(0.1, SPREAD * apart):
        return Untold("the text came in a few pieces with pauses between them, as through a network that stalls")
    return Delivery.REPLAYED if _played(best) else Delivery.HELD


def _played(run: Run) -> bool:
    """Whether the events of a short span came one after the other, and not as one body."""
    return run.span_s > 0.08 and (run.bursts >= 6 or run.duty >= 0.3)


def _in_pieces(run: Run) -> bool:
    """Whether there were a few pieces of some size, and pauses between them."""
    substantial = 0.15 * run.total_bytes < run.first_bytes < 0.9 * run.total_bytes
    return run.bursts >= 2 and substantial and run.span_s > 0.1


def _same_size(one: Run, other: Run) -> bool:
    """Whether the first piece of both runs had the same size, as a full buffer has."""
    return one.bursts >= 2 and abs(one.first_bytes - other.first_bytes) <= 0.05 * one.first_bytes


def _ticked(run: Run) -> bool:
    """Whether whole events came at the ticks of a slow timer, counted from the request.

    A buffer of some size would end inside an event, and fill up later after a wait for the
    first token.
    """
    even = abs(run.first_s - run.tick_s) <= 0.1 * run.tick_s
    return run.bursts >= 3 and run.midcut == 0 and run.per_burst >= 4 and run.tick_s >= 0.4 and even


def _longer(runs: Runs, wanted: float) -> Need | None:
    """A long run of about so many tokens, where one may be had and would tell more."""
    if runs.long is not None or not runs.most:
        return None
    tokens = min(runs.most, ceil(wanted))
    best = runs.best
    lasting = tokens * best.last_s / max(best.tokens, 1)
    if tokens < 1.3 * best.tokens or lasting < WORTH_S:
        return None
    return Need(tokens=tokens)


def judged_gap(runs: Runs, delivery: Delivery) -> float:
    """The gap in time, in seconds, that an unfavourable word rests on."""
    best = runs.best
    if delivery in (Delivery.SIZE_BUFFERED, Delivery.COALESCED):
        return best.period_s or best.span_s
    if runs.short is None:
        return best.first_s
    return max(best.main_s - runs.short.main_s, 0.0)


def tokens_per_s(runs: Runs) -> float | None:
    """The speed of generation, from the run with more in it; None where it cannot be told."""
    best = runs.best
    if look_of(best) in (Look.SMOOTH, Look.TIMED, Look.SIZED) and best.span_s > 0.1 and best.at_once:
        return (best.tokens - 1) / best.span_s if best.tokens > 1 else None
    if runs.short is not None and runs.short.events:
        more = best.tokens - runs.short.tokens
        # What is played back shows its first event when the generation is over.
        took = [best.last_s - runs.short.last_s]
        if held_back(runs.short, best):
            took.append(best.first_s - runs.short.first_s)
        found = max((more / seconds for seconds in took if seconds > 0.2), default=0.0)
        if found > 0:
            return found
    if look_of(best) is Look.SMOOTH and best.span_s > 0.1:
        return max(best.events - 1, 1) / best.span_s
    return best.tokens / best.last_s if best.last_s > 0.05 and best.tokens else None
