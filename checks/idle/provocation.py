"""Provoking a silence: a long answer without streaming, or, where none can be had, a long prompt.

What tells the ends of a silence apart is asked for only where it died: the same answer
streamed, and the same with TCP keepalive.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from checks.shared.endings import Death, death_of, longest_silence, sent_at
from checks.shared.stream_requests import STORY, WITH_USAGE, count_to_fill
from probe.api import BudgetExceeded, Depth, Exchange, Throttled, completion

if TYPE_CHECKING:
    from probe.api import Context


# How long a silence can be provoked, and with what: a long answer asked for without streaming. -----
#
# Pure.  Without streaming the whole generation is one silence on the wire, so the answer's
# length in tokens sets the length of the silence.

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


# Provoking a silence: a long answer without streaming, or, where none can be had, a long prompt. ---

#: What an answer may take beyond what was planned, before it counts as never coming.
GRACE_S = 20.0
#: Tokens of the long prompt of a deep run, where the length of the context is not known.
PREFILL_TOKENS = 3000
MOST_PREFILL_TOKENS = 12000


@dataclass(frozen=True)
class Provoked:
    """What was tried: the silent request, the same streamed, and the same with keepalive.

    ``keepalive_s`` is what the last one was sent with; ``delivery`` is the fact, where known.
    """

    wanted_s: float
    silent: Exchange
    flowing: Exchange | None = None
    kept: Exchange | None = None
    keepalive_s: int = 0
    client_keepalive_s: int = 0
    delivery: str | None = None


async def provoke(ctx: Context, wanted: float, planned: Plan) -> Provoked:
    """Send the long request, and what tells its ends apart where it died."""
    client = ctx.options.keepalive_s
    count = count_to_fill(planned.tokens)
    first, second = (count, STORY) if _counts(ctx) else (STORY, count)
    silent = await _ask(ctx, first, planned, wanted, client)
    if _too_short(silent, wanted):
        silent = await _again(ctx, silent, second, planned, wanted, client)
    else:
        more = _faster(silent, wanted, planned, ctx.options.depth)
        if more is not None:
            planned = more
            silent = await _again(ctx, silent, first, more, wanted, client)
    death = death_of(silent)
    if death is None:
        tried = Provoked(wanted, silent, client_keepalive_s=client)
        short = completion.is_completion(silent) and longest_silence(silent) < wanted
        return await prefilled(ctx, wanted, tried) if short and ctx.options.depth is Depth.DEEP else tried
    prompt = _prompt_of(silent)
    flowing = kept = None
    keepalive = max(1, int(death.silent_s / 3))
    with suppress(BudgetExceeded, Throttled):  # judged without them, and so less surely
        if death.from_a_timer or not asked_for(silent):
            flowing = await _ask(ctx, prompt, _beyond(planned, death), wanted, client, stream=True)
        if not death.from_a_timer:
            kept = await _ask(ctx, prompt, planned, wanted, keepalive, autopsy=False)
    return Provoked(wanted, silent, flowing, kept, keepalive, client)


async def prefilled(ctx: Context, wanted: float, tried: Provoked | None) -> Provoked:
    """A silence made by a long prompt, which the server reads before its first token.

    For models that write too fast or stop too soon.  The prompt begins with a code, so that
    no cache has it.  The attempt before it stands where this one is not longer.
    """
    length = ctx.facts.get("context_length")
    tokens = int(length * 0.7) if isinstance(length, int) else PREFILL_TOKENS
    count = min(tokens, MOST_PREFILL_TOKENS) // 2
    numbers = " ".join(str(number * 7919 % 10_000) for number in range(count // 2))
    prompt = f"{ctx.nonce('prefill')} {numbers}\nReply with the single word ZEBRA."
    client = ctx.options.keepalive_s
    try:
        silent = await _ask(ctx, prompt, Plan(16, wanted, 1.0), wanted, client)
    except BudgetExceeded:
        if tried is None:
            raise
        return tried
    if tried is None or death_of(silent) is not None or longest_silence(silent) > longest_silence(tried.silent):
        return Provoked(wanted, silent, client_keepalive_s=client)
    return tried


def asked_for(silent: Exchange) -> bool:
    """Whether the end came as an answer to a keepalive probe, which only a lost connection gives."""
    autopsy = silent.timeline.autopsy
    return autopsy is not None and autopsy.verdict in ("reset", "no-answer")


def _counts(ctx: Context) -> bool:
    """Whether the first stream of the run shows a model that counts as it is told."""
    return any(
        completion.is_stream(exchange) and "49" in completion.answer(exchange)[-40:] for exchange in ctx.exchanges
    )


def _beyond(planned: Plan, death: Death) -> Plan:
    """Tokens that flow for some seconds longer than the limit, late closes allowed for."""
    return replace(planned, tokens=min(planned.tokens, max(64, int((death.total_s + 2.5) * planned.rate))))


def _too_short(silent: Exchange, wanted: float) -> bool:
    """Whether the model ended by itself long before the silence was long enough."""
    return (
        completion.is_completion(silent)
        and longest_silence(silent) < wanted / 2
        and completion.finish_reason(silent) != "length"
    )


def _faster(silent: Exchange, wanted: float, planned: Plan, depth: Depth) -> Plan | None:
    """A larger plan, where the tokens asked for were written sooner than was thought."""
    lasted = longest_silence(silent)
    if not completion.is_completion(silent) or lasted >= 0.98 * wanted or lasted <= 0:
        return None
    if completion.finish_reason(silent) != "length":
        return None
    more = plan(wanted, planned.tokens / lasted, 0.0, depth)
    return more if isinstance(more, Plan) and more.tokens > planned.tokens else None


async def _again(ctx: Context, silent: Exchange, prompt: str, planned: Plan, wanted: float, keepalive: int) -> Exchange:
    try:
        again = await _ask(ctx, prompt, planned, wanted, keepalive)
    except BudgetExceeded:
        return silent
    longer = death_of(again) is not None or longest_silence(again) > longest_silence(silent)
    return again if longer else silent


def _prompt_of(exchange: Exchange) -> str:
    body = exchange.request.body
    return str(body["messages"][-1]["content"]) if isinstance(body, dict) else STORY


async def _ask(
    ctx: Context,
    prompt: str,
    planned: Plan,
    wanted: float,
    keepalive_s: int,
    *,
    stream: bool = False,
    autopsy: bool = True,
) -> Exchange:
    """One long answer on a connection of its own."""
    url = ctx.target.chat_url
    assert url is not None  # the check requires "chat"
    wire = replace(
        ctx.options.transport.wire,
        keepalive_s=keepalive_s,
        fresh=True,
        silence_s=max(1.0, wanted) if autopsy and not stream else None,
    )
    extra = {"stream": True, "stream_options": WITH_USAGE} if stream else {}
    body = ctx.chat_body(prompt, limit=planned.tokens, **extra)
    return await ctx.send(
        "POST",
        url,
        body=body,
        headers={"Accept": "text/event-stream"} if stream else None,
        timeout_s=max(planned.seconds, wanted) * 1.5 + GRACE_S,
        wire=wire,
        tokens=planned.tokens + 60 + (1024 if ctx.target.thinks else 0),
    )
