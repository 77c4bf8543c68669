"""The delivery of a stream, from measured runs; or the run that is still missing.

One run is enough if text arrived as it was written.  Whether it was held back takes a short and a long one, since
only then does the first event move with the length of the answer.  Answers that end too soon are reported as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from checks.stream.arrivals import Pattern, Run, held_back, pattern_of, slope

#: How much longer than the short run a long one should last, in seconds.
LONG_S = 1.6
#: If the runs are closer together, a timer that flushes as rarely looks like a held stream (seconds).
SURE_S = 1.0
#: A slope in this range may be a slow replay or varying load; a longer run decides.
DOUBTFUL = (0.2, 0.55)
#: A longer run that ends sooner shows nothing new (seconds).
WORTH_S = 0.6
#: The second half of a held stream takes less than this share of the time between the two runs' ends.
SPREAD = 0.25
#: Flushes that show the size of a buffer.
FLUSHES = 3.5


class Delivery(StrEnum):
    """The values of ``facts.delivery``."""

    STREAMING = "streaming"
    HELD = "held"
    REPLAYED = "replayed"
    SIZE_BUFFERED = "size-buffered"
    COALESCED = "coalesced"
    TOO_FAST = "too-fast"


@dataclass(frozen=True)
class Need:
    """A missing run: a short one, or a long one of ``tokens`` tokens."""

    short: bool = False
    tokens: int = 0


@dataclass(frozen=True)
class Undecided:
    """The delivery could not be determined, and why."""

    reason: str


@dataclass(frozen=True)
class Runs:
    """The runs so far; ``most`` is the token limit of a long run, 0 for none."""

    basic: Run
    short: Run | None = None
    long: Run | None = None
    most: int = 0

    @property
    def best(self) -> Run:
        """The run with more text."""
        if self.long is not None and self.long.events > self.basic.events:
            return self.long
        return self.basic


def judge(runs: Runs) -> Delivery | Need | Undecided:
    """The delivery, the missing run, or why it cannot be determined."""
    best = runs.best
    match pattern_of(best):
        case Pattern.SIZED:
            return Delivery.SIZE_BUFFERED
        case Pattern.TIMED:
            return Delivery.COALESCED
        case Pattern.SMOOTH:
            return Delivery.STREAMING if best.at_once else _late(runs)
        case Pattern.ONE_PIECE:
            return _one_piece(runs)
        case Pattern.EMPTY:
            return Undecided("no event of the stream contains text")
    return _longer(runs, best.tokens * LONG_S / max(best.last_s, 0.01)) or Delivery.TOO_FAST


def _late(runs: Runs) -> Delivery | Need | Undecided:
    """A smooth run after a wait: a slow first token, or a replay."""
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


def _hidden(best: Run) -> Delivery | Undecided:
    """The short run's tokens were used up by something that is not shown."""
    if best.tokens > 1.5 * best.events:
        return Delivery.STREAMING  # tokens counted and not shown: thinking, which explains the wait
    return Undecided("the short run has no text")


def _one_piece(runs: Runs) -> Delivery | Need | Undecided:
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
        return Undecided("the text arrived in a few pieces, and no longer answer was available to explain them")
    if not held_back(runs.short, best):
        return _longer(runs, best.tokens + rate * LONG_S) or Delivery.TOO_FAST
    if apart < SURE_S:
        need = _longer(runs, best.tokens + rate * LONG_S)
        if need is not None:
            return need
    if best.last_s - best.main_s > max(0.1, SPREAD * apart):
        return Undecided("the text arrived in a few pieces with pauses, as over a network that stalls")
    return Delivery.REPLAYED if _replayed(best) else Delivery.HELD


def _replayed(run: Run) -> bool:
    """Whether the events of a short span arrived one after the other, not as one body."""
    return run.span_s > 0.08 and (run.bursts >= 6 or run.duty >= 0.3)


def _in_pieces(run: Run) -> bool:
    """Whether there are a few pieces of some size with pauses between them."""
    substantial = 0.15 * run.total_bytes < run.first_bytes < 0.9 * run.total_bytes
    return run.bursts >= 2 and substantial and run.span_s > 0.1


def _same_size(one: Run, other: Run) -> bool:
    """Whether the first pieces of both runs have the same size, as full buffers have."""
    return one.bursts >= 2 and abs(one.first_bytes - other.first_bytes) <= 0.05 * one.first_bytes


def _ticked(run: Run) -> bool:
    """Whether whole events arrived at the ticks of a slow timer, counted from the request.

    A size buffer would end inside an event, and fill later after a slow first token.
    """
    even = abs(run.first_s - run.tick_s) <= 0.1 * run.tick_s
    return run.bursts >= 3 and run.midcut == 0 and run.per_burst >= 4 and run.tick_s >= 0.4 and even


def _longer(runs: Runs, wanted: float) -> Need | None:
    """A long run of about ``wanted`` tokens, if it is allowed and would show more."""
    if runs.long is not None or not runs.most:
        return None
    tokens = min(runs.most, ceil(wanted))
    best = runs.best
    lasting = tokens * best.last_s / max(best.tokens, 1)
    if tokens < 1.3 * best.tokens or lasting < WORTH_S:
        return None
    return Need(tokens=tokens)


def judged_gap(runs: Runs, delivery: Delivery) -> float:
    """The gap in time, in seconds, that an unfavourable judgement rests on."""
    best = runs.best
    if delivery in (Delivery.SIZE_BUFFERED, Delivery.COALESCED):
        return best.period_s or best.span_s
    if runs.short is None:
        return best.first_s
    return max(best.main_s - runs.short.main_s, 0.0)


def tokens_per_s(runs: Runs) -> float | None:
    """The speed of generation, from the run with more text; None if unknown."""
    best = runs.best
    pattern = pattern_of(best)
    live = pattern in (Pattern.SMOOTH, Pattern.TIMED, Pattern.SIZED) and best.at_once
    if live and best.span_s > 0.1:
        return (best.tokens - 1) / best.span_s if best.tokens > 1 else None
    if runs.short is not None and runs.short.events:
        more = best.tokens - runs.short.tokens
        took = [best.last_s - runs.short.last_s]
        if held_back(runs.short, best):  # a replay shows its first event when the generation is complete
            took.append(best.first_s - runs.short.first_s)
        found = max((more / seconds for seconds in took if seconds > 0.2), default=0.0)
        if found > 0:
            return found
    if pattern is Pattern.SMOOTH and best.span_s > 0.1:
        return max(best.events - 1, 1) / best.span_s
    return best.tokens / best.last_s if best.last_s > 0.05 and best.tokens else None
