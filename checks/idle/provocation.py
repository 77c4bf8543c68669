"""Requests that provoke a silence: a long answer without streaming, or a long prompt.

Without streaming the whole generation is one silence, whose length follows from the answer's length in tokens.
Requests that distinguish the causes (the same answer streamed, or with TCP keepalive) are sent only if the silent
one was ended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

from checks.fingerprint.checks import software
from checks.shared.endings import Death, death_of, late_failure, longest_silence
from checks.shared.stream_requests import STORY, WITH_USAGE, count_to_fill, counts, prompt_of
from probe.api import BudgetExceeded, Depth, Exchange, Throttled, completion

if TYPE_CHECKING:
    from probe.api import Context

#: The most tokens of the long answer, by depth; a longer --idle than the standard one also allows the deep amount.
STANDARD_TOKENS = 3300
DEEP_TOKENS = 6000
#: The most tokens of an answer for a silence that was asked for with --idle and is longer than that of a deep run.
MOST_TOKENS = 40_000
#: The silence of a standard run, in seconds.
STANDARD_S = 10.0
#: That of a deep run.
DEEP_S = 75.0
#: The speed if none was measured, in tokens per second.
ASSUMED_RATE = 50.0
#: The answer is planned to last a little longer than the wanted silence, in seconds; a long one by so great a part of
#: it, since the speed of one stream is a rough measure and a second try would take as long again.
MARGIN_S = 0.05
LONG_MARGIN = 0.1
#: Time beyond the plan before an answer is considered lost, in seconds.
GRACE_S = 20.0
#: Requests that each take longer than this to their end are sent at the same time (seconds).
BESIDE_S = 20.0
#: Tokens of a context that are left to the question, and how often an answer of fewer tokens is asked for.
QUESTION_TOKENS = 128
REFUSED = 3
#: Tokens of the long prompt of a deep run if the context length is unknown, and at most.
PREFILL_TOKENS = 3000
MOST_PREFILL_TOKENS = 12000


@dataclass(frozen=True)
class Plan:
    """A silence to provoke: tokens of the answer, and the expected seconds."""

    tokens: int
    seconds: float
    rate: float

    def lasting(self, seconds: float) -> Plan:
        """The plan for an answer that takes so long."""
        return Plan(max(16, int(seconds * self.rate)), seconds, self.rate)


def plan(wanted_s: float, rate: float | None, first_s: float, depth: Depth, context: object = None) -> Plan | str:
    """The answer that causes a silence of ``wanted_s`` seconds, or why it is not worth requesting.

    Args:
        rate: tokens per second, or None if unknown.
        first_s: the time of the first token, in seconds.
        context: the length of the context in tokens, if known.
    """
    speed = rate or ASSUMED_RATE
    most = DEEP_TOKENS if depth is Depth.DEEP or wanted_s > STANDARD_S else STANDARD_TOKENS
    most = MOST_TOKENS if wanted_s > DEEP_S else most
    if isinstance(context, int):
        most = min(most, context - QUESTION_TOKENS)
    margin = LONG_MARGIN * wanted_s if wanted_s > BESIDE_S else MARGIN_S
    needed = ceil((wanted_s + margin - min(first_s, wanted_s / 2)) * speed)
    tokens = max(64, min(needed, most))
    seconds = first_s + tokens / speed
    if rate is not None and seconds < wanted_s / 2:
        return (
            f"the model writes {speed:.0f} tokens/s, so {tokens} tokens, the most that can be requested, cause a "
            f"silence of only {seconds:.1f} s"
        )
    return Plan(tokens, seconds, speed)


@dataclass(frozen=True)
class Provoked:
    """The silent request, its repetition, and one that takes half the time to its end; the same streamed, another
    longer stream, and the same with keepalive.

    ``keepalive_s`` is the keepalive of the last one; ``delivery`` is the fact, if known.
    """

    wanted_s: float
    silent: Exchange
    again: Exchange | None = None
    half: Exchange | None = None
    flowing: Exchange | None = None
    longer: Exchange | None = None
    kept: Exchange | None = None
    keepalive_s: int = 0
    client_keepalive_s: int = 0
    delivery: str | None = None
    tries: int = 1


@dataclass(frozen=True)
class Way:
    """A question whose answer is long, and parameters that keep the model from ending it."""

    prompt: str
    extra: Mapping[str, Any] = field(default_factory=dict)


#: Parameters against an early end, by the server that takes them: vLLM's and SGLang's sampling parameters, and
#: llama.cpp's server (README of tools/server, `ignore_eos`).
NO_END = {
    "vllm": ("ignore_eos", "min_tokens"),
    "sglang": ("ignore_eos", "min_tokens"),
    "llamacpp": ("ignore_eos",),
}
WORDS = "Write the numbers from 1 to {} in English words, each followed by its square, nothing else."
TABLE = "Fill the table of squares: one row of ten numbers after the other, {} rows, nothing left out."


def ways(tokens: int, *, counts: bool, software: str) -> list[Way]:
    """Ways to a long answer, the likeliest first; the later ones are for models that end the earlier ones too soon."""
    count = count_to_fill(tokens)
    first, second = (count, STORY) if counts else (STORY, count)
    known = NO_END.get(software, ())
    unending = {name: tokens if name == "min_tokens" else True for name in known}
    rows = tokens // 15 + 1  # ten numbers with their commas have 20 tokens or more
    row = {"type": "array", "items": {"type": "integer"}, "minItems": 10, "maxItems": 10}
    table = {"type": "array", "items": row, "minItems": rows, "maxItems": rows}
    schema = {
        "type": "object",
        "properties": {"rows": table},
        "required": ["rows"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "table", "strict": True, "schema": schema}}
    return [
        Way(first),
        *([Way(first, unending)] if unending else []),
        Way(TABLE.format(rows), {"response_format": form}),
        Way(second),
        Way(WORDS.format(tokens // 8)),
    ]


async def provoke(ctx: Context, wanted: float, planned: Plan) -> Provoked:
    """Send the long request, and those that distinguish the causes if it was ended."""
    client = ctx.options.keepalive_s
    first = ways(planned.tokens, counts=_counts(ctx), software="")[0]
    silent = await _ask(ctx, first, planned, wanted, client)
    for _ in range(REFUSED):
        fewer = allowed_tokens(silent, planned.tokens) if silent.status in (400, 422) else None
        if fewer is None:
            break
        planned = replace(planned, tokens=fewer, seconds=planned.seconds * fewer / planned.tokens)
        silent = await _ask(ctx, first, planned, wanted, client)
    more = _larger(silent, wanted, planned, ctx.options.depth)
    if more is not None:
        planned = more
        silent = await _again(ctx, silent, first, more, wanted, client)
    tries = 1
    if _too_short(silent, wanted):
        for way in ways(planned.tokens, counts=_counts(ctx), software=software(ctx))[1:]:
            tries += 1
            silent = await _again(ctx, silent, way, planned, wanted, client)
            if not _too_short(silent, wanted):
                break
    death = late_failure(silent)
    if death is None:
        tried = Provoked(wanted, silent, client_keepalive_s=client, tries=tries)
        short = completion.is_completion(silent) and longest_silence(silent) < wanted
        return await prefilled(ctx, wanted, tried) if short and ctx.options.depth is Depth.DEEP else tried
    return await _explained(ctx, silent, death, planned, wanted)


async def _explained(ctx: Context, silent: Exchange, death: Death, planned: Plan, wanted: float) -> Provoked:
    """Repeat the request that was ended, with one thing changed at a time.

    Where the limit is long the repetitions run at the same time, so that they take no longer than one.
    """
    from anyio import create_task_group

    way, client = _way_of(silent), ctx.options.keepalive_s
    keepalive = max(1, int(death.silent_s / 3))
    found: dict[str, Exchange] = {}

    async def ask(name: str, way: Way, planned: Plan, keepalive_s: int = client, **more: bool) -> None:
        with suppress(BudgetExceeded, Throttled):  # the judgement is less sure without it
            found[name] = await _ask(ctx, way, planned, wanted, keepalive_s, **more)

    # Tokens for some seconds more than the limit, since a hop may close late.
    enough = min(planned.tokens, max(64, int((death.total_s + 2.5) * planned.rate)))
    asks = [partial(ask, "again", way, planned)]
    if death.how == "status":
        asks.append(partial(ask, "half", way, planned.lasting(death.total_s / 2)))
    if death.from_a_timer or not lost_on_probe(silent):
        asks.append(partial(ask, "flowing", way, replace(planned, tokens=enough), stream=True))
    if not death.from_a_timer:
        asks.append(partial(ask, "kept", way, planned, keepalive, autopsy=False))
    if death.total_s > BESIDE_S:
        async with create_task_group() as group:
            for one in asks:
                group.start_soon(one)
    else:
        for one in asks:
            await one()
            if "again" not in found or late_failure(found["again"]) is None:
                break
    cut = death_of(found["flowing"]) if "flowing" in found else None
    if cut is not None and cut.flowing and cut.total_s < death.total_s - 0.4:
        count = count_to_fill(planned.tokens)
        plenty = replace(planned, tokens=int((cut.total_s + 2.5) * 1.5 * planned.rate))
        await ask("longer", Way(STORY if way.prompt == count else count), plenty, stream=True)
    again, half, flowing, longer, kept = map(found.get, ("again", "half", "flowing", "longer", "kept"))
    return Provoked(wanted, silent, again, half, flowing, longer, kept, keepalive, client)


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
        silent = await _ask(ctx, Way(prompt), Plan(16, wanted, 1.0), wanted, client)
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
    return late_failure(exchange) is not None or longest_silence(exchange) > longest_silence(other)


def _counts(ctx: Context) -> bool:
    """Whether the first stream of the run shows a model that counts as requested."""
    return any(completion.is_stream(item) and counts(item) for item in ctx.exchanges)


def _too_short(silent: Exchange, wanted: float) -> bool:
    """Whether the model ended by itself long before the wanted silence."""
    return (
        completion.is_completion(silent)
        and longest_silence(silent) < 0.98 * wanted
        and completion.finish_reason(silent) != "length"
    )


def allowed_tokens(refused: Exchange, tokens: int) -> int | None:
    """The number of tokens to ask for after a refusal: the largest that it names, or half; None if that is too few.

    A context or a maximum of output tokens is named as a number (OpenAI: "supports at most 16384 completion tokens").
    """
    named = [int(number) for number in re.findall(r"\b\d{3,6}\b", completion.error_text(refused)[:2000])]
    fewer = max((number for number in named if number < 0.99 * tokens), default=tokens // 2 + QUESTION_TOKENS)
    fewer -= QUESTION_TOKENS
    return fewer if 64 <= fewer < tokens else None


def _larger(silent: Exchange, wanted: float, planned: Plan, depth: Depth) -> Plan | None:
    """A larger plan, if the tokens were written faster than assumed."""
    lasted = longest_silence(silent)
    if not completion.is_completion(silent) or completion.finish_reason(silent) != "length":
        return None
    written = completion.usage(silent)[1] or planned.tokens
    if lasted >= 0.98 * wanted or lasted <= 0 or written < 0.95 * planned.tokens:
        return None  # where it wrote fewer, that is the server's own limit
    more = plan(wanted, written / lasted, 0.0, depth)
    return more if isinstance(more, Plan) and more.tokens > planned.tokens else None


async def _again(ctx: Context, silent: Exchange, way: Way, planned: Plan, wanted: float, keepalive: int) -> Exchange:
    try:
        again = await _ask(ctx, way, planned, wanted, keepalive)
    except (BudgetExceeded, Throttled):
        return silent
    return again if _longer(again, silent) else silent


def _way_of(exchange: Exchange) -> Way:
    body = exchange.request.body
    kept = ("ignore_eos", "min_tokens", "response_format")
    return Way(prompt_of(exchange), {name: body[name] for name in kept if isinstance(body, dict) and name in body})


async def _ask(
    ctx: Context,
    way: Way,
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
        most_reads=max(ctx.options.transport.wire.most_reads, 2 * planned.tokens),
    )
    extra = {"stream": True, "stream_options": WITH_USAGE} if stream else {}
    ctx.waiting("waiting for a long answer", planned.seconds)
    return await ctx.send(
        "POST",
        url,
        body=ctx.chat_body(way.prompt, limit=planned.tokens, **way.extra, **extra),
        headers={"Accept": "text/event-stream"} if stream else None,
        timeout_s=max(planned.seconds, wanted) * 1.5 + GRACE_S,
        wire=wire,
        tokens=planned.tokens + 60 + (1024 if ctx.target.thinks else 0),
    )
