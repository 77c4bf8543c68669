"""How long a silence can be provoked, and with what: a long answer asked for without streaming.

Pure.  Without streaming the whole generation is one silence on the wire, so the answer's
length in tokens sets the length of the silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from checks.shared.endings import longest_silence, sent_at
from probe.api import Depth, Exchange, completion

#: Without being told to, a standard run spends no more tokens on this.
STANDARD_TOKENS = 720
DEEP_TOKENS = 6000
#: The silence that a standard run looks for; more was asked for by name.
STANDARD_S = 10.0
#: The speed that is assumed where none was measured, tokens a second.
ASSUMED_RATE = 50.0
#: The answer is asked to last a little longer than the silence that is wanted.
MARGIN_S = 0.6


@dataclass(frozen=True)
class Plan:
    """A silence to provoke: the tokens to ask for and the seconds that should come of it."""

    tokens: int
    seconds: float
    rate: float


def speed_of(facts: object, exchanges: Iterable[Exchange]) -> float | None:
    """Tokens a second: the measured fact, else what the answers without streaming took."""
    if isinstance(facts, int | float) and facts > 0:
        return float(facts)
    rates = []
    for exchange in exchanges:
        if not completion.is_completion(exchange) or exchange.timeline.headers_s is None:
            continue
        tokens = completion.usage(exchange)[1] or 0
        took = exchange.timeline.headers_s - sent_at(exchange)
        if tokens >= 20 and took > 0.02:
            rates.append(tokens / took)
    return max(rates, default=None)


def latency_of(exchanges: Iterable[Exchange], rate: float) -> float:
    """What an answer takes beside its tokens, in seconds, thinking counted among the tokens."""
    spare = [
        exchange.timeline.headers_s - sent_at(exchange) - (completion.usage(exchange)[1] or 0) / rate
        for exchange in exchanges
        if completion.is_completion(exchange) and exchange.timeline.headers_s is not None
    ]
    return max(0.0, min(spare, default=0.0))


def plan(wanted_s: float, rate: float | None, first_s: float, depth: Depth) -> Plan | str:
    """What to ask for to have a silence of ``wanted_s`` seconds, or why it is not worth it.

    Args:
        rate: tokens a second, or None where not known.
        first_s: what the first token takes, seconds.
    """
    speed = rate or ASSUMED_RATE
    most = DEEP_TOKENS if depth is Depth.DEEP or wanted_s > STANDARD_S else STANDARD_TOKENS
    needed = ceil((wanted_s + MARGIN_S - min(first_s, wanted_s / 2)) * speed)
    tokens = max(64, min(needed, most))
    seconds = first_s + tokens / speed
    if rate is not None and seconds < wanted_s / 2:
        return (
            f"the model writes {speed:.0f} tokens/s, so that {tokens} tokens, the most that is spent on this, are a "
            f"silence of only {seconds:.1f} s"
        )
    return Plan(tokens, seconds, speed)


def survived(exchanges: Iterable[Exchange]) -> tuple[float, Exchange | None]:
    """The longest silence that an ordinary exchange came through, in seconds, and that exchange."""
    best: tuple[float, Exchange | None] = (0.0, None)
    for exchange in exchanges:
        if exchange.error is not None or exchange.response is None or exchange.response.status >= 500:
            continue
        silence = longest_silence(exchange)
        if silence > best[0]:
            best = (silence, exchange)
    return best
