"""tools.held: whether text arrives while it is written where tools are offered, as it does without them.

A server with a tool-call parser, or a gateway that looks for calls, may keep text back until it knows that no call
comes.  Every streamed text of the run to a request with tools is looked at; only where one came much faster than the
model writes is the question of the stream checks asked with a tool, which compares like with like.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from checks.shared import stream_requests
from checks.stream.arrivals import Pattern, Run, measure, pattern_of
from checks.tools import requests
from checks.tools.catalogue import HELD_WITH_TOOLS
from probe.api import Depth, Exchange, Result, check, completion, wording

if TYPE_CHECKING:
    from probe.api import Context

#: A text that would take less time to write is too short to show anything (seconds).
LEAST_S = 0.06
#: A text that arrives in less than this share of the time that it takes to write was held back.
SHARE = 0.3
#: The same of the long text, which begins to arrive after this share of the time of the other one.
SURE_SHARE = 0.4
#: Characters of a token, at the most.
TOKEN_CHARS = 6


@check(
    "tools.held",
    title="Measure when text arrives with tools",
    proves="Streamed text arrives while it is written where tools are offered.",
    requires={"chat"},
    after={"stream.delivery", "streaming_tools", "parallel_tools", "tools.none"},
    emits=(HELD_WITH_TOOLS,),
    max_requests=2,
    max_tokens=1200,
    least_requests=0,
    exclusive=True,
)
async def held(ctx: Context) -> Result:
    plain = first_stream(ctx.exchanges)
    if plain is None:
        return Result(note="without tools the text does not arrive while it is written, or too fast to measure")
    suspect = any(looks_held(one, plain) for one in texts_with_tools(ctx.exchanges))
    if not suspect and ctx.options.depth is not Depth.DEEP:
        return Result()
    more: dict[str, Any] = {"stream": True, "tools": [requests.weather()]}
    if "stream_options" in plain.request.body:
        more["stream_options"] = stream_requests.WITH_USAGE
    asked: list[Exchange] = []
    while len(asked) < 2:
        asked.append(await ctx.chat(stream_requests.prompt_of(plain), limit=stream_requests.BASIC_LIMIT, **more))
        if not is_held(asked[-1], plain):
            return Result()
    return diagnose_held(asked, plain)


def first_stream(exchanges: Iterable[Exchange]) -> Exchange | None:
    """The stream that the checks of streams judge, where its text arrived while it was written."""
    for one in exchanges:
        plain = completion.is_stream(one) and one.error is None and not requests.offered(one)
        if plain and stream_requests.prompt_of(one) in (stream_requests.FIRST.prompt, stream_requests.SHORT.prompt):
            run = measure(one)
            return one if pattern_of(run) is Pattern.SMOOTH and run.at_once else None
    return None


def texts_with_tools(exchanges: Iterable[Exchange]) -> list[Exchange]:
    """The complete streams of text, without a call, that answer a request with tools."""
    return [
        one
        for one in exchanges
        if requests.offered(one)
        and one.error is None
        and completion.is_stream(one)
        and completion.answer(one)
        and not completion.read_stream(one).calls
    ]


def _tokens(exchange: Exchange, run: Run) -> float:
    return max(run.tokens, run.events, len(completion.answer(exchange)) / TOKEN_CHARS)


def looks_held(exchange: Exchange, plain: Exchange) -> bool:
    """Whether a text came in much less time than writing it takes, by the pace of the stream without tools."""
    run, other = measure(exchange), measure(plain)
    due = (_tokens(exchange, run) - 1) * other.span_s / max(_tokens(plain, other) - 1, 1)
    return due >= LEAST_S and run.span_s < SHARE * due


def is_held(exchange: Exchange, plain: Exchange) -> bool:
    """Whether the same question with tools is answered as long, and its text begins to arrive near the end."""
    if exchange.error is not None or not completion.is_stream(exchange) or completion.read_stream(exchange).calls:
        return False
    run, other = measure(exchange), measure(plain)
    as_long = 2 * len(completion.answer(exchange)) >= len(completion.answer(plain)) > 0
    late = run.first_s > other.first_s + SURE_SHARE * other.span_s
    return as_long and late and run.span_s < SURE_SHARE * other.span_s


def diagnose_held(asked: Sequence[Exchange], plain: Exchange) -> Result:
    """The finding for two answers with tools that were held back.  Pure."""
    runs, other = [measure(one) for one in asked], measure(plain)
    detail = (
        f"With a tool on offer the text of a streamed answer arrives between {wording.seconds(runs[-1].first_s)} and "
        f"{wording.seconds(runs[-1].last_s)} after the request, {len(asked)} of {len(asked)} times; without tools the "
        f"same answer arrives between {wording.seconds(other.first_s)} and {wording.seconds(other.last_s)}."
    )
    evidence = asked[-1].shows(
        "/timeline", expected=f"first text after {other.first_s:.2f} s", actual=f"after {runs[-1].first_s:.2f} s"
    )
    return Result((HELD_WITH_TOOLS.found(detail, evidence, confidence=0.95),))
