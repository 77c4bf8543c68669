"""The requests of the family.  Prompts are short and ordinary, so that weak models get somewhere too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from probe.api import Exchange, completion

if TYPE_CHECKING:
    from probe.api import Context, Wire

COUNT_50 = "Count from 1 to 50, one number per line, nothing else."
COUNT_10 = "Count from 1 to 10, one number per line, nothing else."
#: Small models do not count far; this they go on with up to any limit.
STORY = "Write a long story about the sea."
WITH_USAGE = {"include_usage": True}
BASIC_LIMIT = 200


@dataclass(frozen=True)
class Question:
    """A prompt and how many visible tokens its answer may have."""

    prompt: str
    tokens: int


FIRST = Question(COUNT_50, BASIC_LIMIT)


def count_to_fill(tokens: int) -> str:
    """A counting prompt whose answer has at least so many tokens; a number and its line end are two."""
    last = max(400, -(-tokens // 180) * 100)
    return f"Count from 1 to {last}, one number per line, nothing else."


@dataclass(frozen=True)
class Basic:
    """The first streamed request, and what was tried beside it.

    ``refused`` is the try with stream_options, where that was refused.
    """

    exchange: Exchange
    refused: Exchange | None = None


def refuses(exchange: Exchange) -> bool:
    """Whether this is an answer that says no, in its status or in an error object under 200."""
    if exchange.error is not None or exchange.status is None:
        return False
    if 200 <= exchange.status < 300:
        return completion.has_error_body(exchange)
    return exchange.status >= 400


async def basic(ctx: Context) -> Basic:
    """The stream that every check of the run may look at, asked for once.

    Where it is refused it is asked for again without ``stream_options``, which older
    servers do not know.
    """
    first = await ctx.chat(COUNT_50, limit=BASIC_LIMIT, stream=True, stream_options=WITH_USAGE, share="stream.basic")
    if not refuses(first):
        return Basic(first)
    plain = await ctx.chat(COUNT_50, limit=BASIC_LIMIT, stream=True, share="stream.plain")
    return Basic(plain, first)


async def whole(ctx: Context) -> Exchange:
    """The same question without streaming."""
    return await ctx.chat(COUNT_50, limit=BASIC_LIMIT, share="stream.whole")


async def timed(ctx: Context, question: Question, *, wire: Wire | None = None, options: bool = True) -> Exchange:
    """One streamed run.

    Not through ``ctx.chat``, which would ask again where thinking used the tokens up: here
    only the clock matters.
    """
    url = ctx.target.chat_url
    assert url is not None  # the checks that call this require "chat"
    extra: dict[str, Any] = {"stream": True}
    if options:
        extra["stream_options"] = WITH_USAGE
    body = ctx.chat_body(question.prompt, limit=question.tokens, **extra)
    room = 1024 if ctx.target.thinks else 0
    headers = {"Accept": "text/event-stream"}
    return await ctx.send("POST", url, body=body, headers=headers, wire=wire, tokens=question.tokens + room + 60)


def wire_of(ctx: Context, **changes: Any) -> Wire:
    """How requests of this run travel, with something changed."""
    return replace(ctx.options.transport.wire, **changes)
