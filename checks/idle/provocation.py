"""Requests that provoke a silence: a long answer without streaming, or a long prompt.

Without streaming the whole generation is one silence, whose length follows from the answer's length in tokens.
Requests that distinguish the causes (the same answer streamed, or with TCP keepalive) are sent only if the silent
one was ended.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from checks.shared.endings import death_of, longest_silence
from checks.shared.stream_requests import STORY, WITH_USAGE, count_to_fill
from probe.api import BudgetExceeded, Depth, Exchange, Throttled, completion

if TYPE_CHECKING:
    from probe.api import Context

#: The most tokens of the long answer, by depth; a longer --idle than the standard one also allows the deep amount.
STANDARD_TOKENS = 720
DEEP_TOKENS = 6000
#: The silence of a standard run, in seconds.
STANDARD_S = 10.0
#: The speed if none was measured, in tokens per second.
ASSUMED_RATE = 50.0
#: The answer is planned to last a little longer than the wanted silence, in seconds.
MARGIN_S = 0.6
#: Time beyond the plan before an answer is considered lost, in seconds.
GRACE_S = 20.0
#: Tokens of the long prompt of a deep run if the context length is unknown, and at most.
PREFILL_TOKENS = 3000
MOST_PREFILL_TOKENS = 12000


@dataclass(frozen=True)
class Plan:
    """A silence to provoke: tokens of the answer, and the expected seconds."""

    tokens: int
    seconds: float
    rate: float


def plan(wanted_s: float, rate: float | None, first_s: float, depth: Depth) -> Plan | str:
    """The answer that causes a silence of ``wanted_s`` seconds, or why it is not worth requesting.

    Args:
        rate: tokens per second, or None if unknown.
        first_s: the time of the first token, in seconds.
    """
    speed = rate or ASSUMED_RATE
    most = DEEP_TOKENS if depth is Depth.DEEP or wanted_s > STANDARD_S else STANDARD_TOKENS
    needed = ceil((wanted_s + MARGIN_S - min(first_s, wanted_s / 2)) * speed)
    tokens = max(64, min(needed, most))
    seconds = first_s + tokens / speed
    if rate is not None and seconds < wanted_s / 2:
        return (
            f"the model writes {speed:.0f} tokens/s, so {tokens} tokens, the most this check requests, cause a silence "
            f"of only {seconds:.1f} s"
        )
    return Plan(tokens, seconds, speed)


@dataclass(frozen=True)
class Provoked:
    """The silent request, the same streamed, another longer stream, and the same with keepalive.

    ``keepalive_s`` is the keepalive of the last one; ``delivery`` is the fact, if known.
    """

    wanted_s: float
    silent: Exchange
    flowing: Exchange | None = None
    longer: Exchange | None = None
    kept: Exchange | None = None
    keepalive_s: int = 0
    client_keepalive_s: int = 0
    delivery: str | None = None


async def provoke(ctx: Context, wanted: float, planned: Plan) -> Provoked:
    """Send the long request, and those that distinguish the causes if it was ended."""
    client = ctx.options.keepalive_s
    count = count_to_fill(planned.tokens)
    first, second = (count, STORY) if _counts(ctx) else (STORY, count)
    silent = await _ask(ctx, first, planned, wanted, client)
    if _too_short(silent, wanted):
        silent = await _again(ctx, silent, second, planned, wanted, client)
    else:
        more = _larger(silent, wanted, planned, ctx.options.depth)
        if more is not None:
            planned = more
            silent = await _again(ctx, silent, first, more, wanted, client)
    death = death_of(silent)
    if death is None:
        tried = Provoked(wanted, silent, client_keepalive_s=client)
        short = completion.is_completion(silent) and longest_silence(silent) < wanted
        return await prefilled(ctx, wanted, tried) if short and ctx.options.depth is Depth.DEEP else tried
    prompt = _prompt_of(silent)
    flowing = longer = kept = None
    keepalive = max(1, int(death.silent_s / 3))
    with suppress(BudgetExceeded, Throttled):  # the judgement is less sure without them
        if death.from_a_timer or not lost_on_probe(silent):
            # Tokens for some seconds more than the limit, since a hop may close late.
            enough = min(planned.tokens, max(64, int((death.total_s + 2.5) * planned.rate)))
            flowing = await _ask(ctx, prompt, replace(planned, tokens=enough), wanted, client, stream=True)
            cut = death_of(flowing)
            if cut is not None and cut.flowing and cut.total_s < death.total_s - 0.4:
                other = STORY if prompt == count else count
                plenty = replace(planned, tokens=int((cut.total_s + 2.5) * 1.5 * planned.rate))
                longer = await _ask(ctx, other, plenty, wanted, client, stream=True)
        if not death.from_a_timer:
            kept = await _ask(ctx, prompt, planned, wanted, keepalive, autopsy=False)
    return Provoked(wanted, silent, flowing, longer, kept, keepalive, client)


async def prefilled(ctx: Context, wanted: float, tried: Provoked | None) -> Provoked:
    """A silence caused by a long prompt, which the server reads before its first token.

    For models that write too fast or stop too soon.  The prompt begins with a code, so that it is in no cache.
    The earlier attempt is returned if its silence was longer.
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
    if tried is None or _longer(silent, tried.silent):
        return Provoked(wanted, silent, client_keepalive_s=client)
    return tried


def lost_on_probe(silent: Exchange) -> bool:
    """Whether a keepalive probe revealed that the connection was lost."""
    autopsy = silent.timeline.autopsy
    return autopsy is not None and autopsy.verdict in ("reset", "no-answer")


def _longer(exchange: Exchange, other: Exchange) -> bool:
    """Whether an exchange was ended by a limit, or was silent for longer than the other."""
    return death_of(exchange) is not None or longest_silence(exchange) > longest_silence(other)


def _counts(ctx: Context) -> bool:
    """Whether the first stream of the run shows a model that counts as requested."""
    return any(completion.is_stream(item) and "49" in completion.answer(item)[-40:] for item in ctx.exchanges)


def _too_short(silent: Exchange, wanted: float) -> bool:
    """Whether the model ended by itself long before the wanted silence."""
    return (
        completion.is_completion(silent)
        and longest_silence(silent) < wanted / 2
        and completion.finish_reason(silent) != "length"
    )


def _larger(silent: Exchange, wanted: float, planned: Plan, depth: Depth) -> Plan | None:
    """A larger plan, if the tokens were written faster than assumed."""
    lasted = longest_silence(silent)
    if not completion.is_completion(silent) or completion.finish_reason(silent) != "length":
        return None
    if lasted >= 0.98 * wanted or lasted <= 0:
        return None
    more = plan(wanted, planned.tokens / lasted, 0.0, depth)
    return more if isinstance(more, Plan) and more.tokens > planned.tokens else None


async def _again(ctx: Context, silent: Exchange, prompt: str, planned: Plan, wanted: float, keepalive: int) -> Exchange:
    try:
        again = await _ask(ctx, prompt, planned, wanted, keepalive)
    except BudgetExceeded:
        return silent
    return again if _longer(again, silent) else silent


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
    """One long answer on its own connection."""
    url = ctx.target.chat_url
    assert url is not None  # the check requires "chat"
    wire = replace(
        ctx.options.transport.wire,
        keepalive_s=keepalive_s,
        fresh=True,
        silence_s=max(1.0, wanted) if autopsy and not stream else None,
    )
    extra = {"stream": True, "stream_options": WITH_USAGE} if stream else {}
    return await ctx.send(
        "POST",
        url,
        body=ctx.chat_body(prompt, limit=planned.tokens, **extra),
        headers={"Accept": "text/event-stream"} if stream else None,
        timeout_s=max(planned.seconds, wanted) * 1.5 + GRACE_S,
        wire=wire,
        tokens=planned.tokens + 60 + (1024 if ctx.target.thinks else 0),
    )
