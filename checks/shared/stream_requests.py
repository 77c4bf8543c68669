"""Requests for streams, shared by the stream and idle checks.  Prompts are plain, for weak models."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from probe.api import Exchange, completion, text_at

if TYPE_CHECKING:
    from probe.api import Context, Wire

COUNT_40 = "Count from 1 to 40, one number per line, nothing else."
COUNT_10 = "Count from 1 to 10, one number per line, nothing else."
#: Small models stop counting early; a story they continue up to any limit.
STORY = "Write a long story about the sea."
WITH_USAGE = {"include_usage": True}
BASIC_LIMIT = 200


@dataclass(frozen=True)
class Question:
    """A prompt and the limit of its answer in visible tokens."""

    prompt: str
    tokens: int


FIRST = Question(COUNT_40, BASIC_LIMIT)
#: The same for an endpoint that would write for half a minute.
SHORT = Question("Count from 1 to 20, one number per line, nothing else.", 64)


def count_to_fill(tokens: int) -> str:
    """A counting prompt whose answer has at least this many tokens (two for a number and its line feed)."""
    last = max(400, -(-tokens // 180) * 100)
    return f"Count from 1 to {last}, one number per line, nothing else."


def first(ctx: Context) -> Question:
    """The question of the first stream, the same throughout a run."""
    asked = {prompt_of(item) for item in ctx.exchanges}
    return SHORT if SHORT.prompt in asked or (ctx.slow and FIRST.prompt not in asked) else FIRST


def prompt_of(exchange: Exchange) -> str:
    """The text of the last message of a request; empty without one."""
    return text_at(exchange.request.body, "messages", -1, "content")


def counts(basic: Exchange) -> bool:
    """Whether the model counts as requested, so that it can be made to write long answers."""
    end = r"\b(38\D{1,12}39\D{1,12}40|18\D{1,12}19\D{1,12}20)\b"
    return re.search(end, completion.answer(basic)) is not None


@dataclass(frozen=True)
class Basic:
    """The first streamed request; ``refused`` is the one with stream_options, where that was refused."""

    exchange: Exchange
    refused: Exchange | None = None


def refuses(exchange: Exchange) -> bool:
    """Whether the request was refused, by its status or by an error object under status 200."""
    if exchange.error is not None or exchange.status is None:
        return False
    if 200 <= exchange.status < 300:
        return completion.has_error_body(exchange)
    return exchange.status >= 400


async def basic(ctx: Context) -> Basic:
    """The stream that every check of the run may read, sent once.

    Where it is refused it is sent again without ``stream_options``, which older servers do not know.
    """
    ask = partial(ctx.chat, first(ctx).prompt, limit=first(ctx).tokens, stream=True)
    usual = await ask(stream_options=WITH_USAGE, share="stream.basic")
    return Basic(await ask(share="stream.plain"), usual) if refuses(usual) else Basic(usual)


async def whole(ctx: Context) -> Exchange:
    """The same question without streaming."""
    return await ctx.chat(first(ctx).prompt, limit=first(ctx).tokens, share="stream.whole")


async def timed(ctx: Context, question: Question, *, wire: Wire | None = None, options: bool = True) -> Exchange:
    """A stream for its timing; unlike ``ctx.chat`` not repeated where reasoning used up the tokens."""
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
    """The transport settings of this run with changes."""
    return replace(ctx.options.transport.wire, **changes)
