"""tools.none and tools.cut: a choice that forbids calls, and a call that the token limit cuts off.

The cut call is asked for by params.limit, which needs an answer that its limit cuts off anyway.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from checks.tools import requests
from checks.tools.catalogue import CALL_CUT, NONE_IGNORED
from checks.tools.reading import Kind, Reading, read
from checks.tools.refusal import Refusal, meaning
from probe.api import Depth, Exchange, Finding, Result, Skip, State, check, completion, member, wording

if TYPE_CHECKING:
    from probe.api import Context

#: Tokens that the arguments below need several times over, and more than a call with a short text takes.
CUT_LIMIT = 48
CUT_TOOL = "save_text"
SENTENCE = (
    "The ferry to the northern islands leaves at seven in the morning, stops at two small harbours on the way, and "
    "arrives shortly before noon; bring warm clothes, a map, some bread and cheese, and enough water for two days."
)


@check(
    "tools.none",
    title="Forbid calls with tool_choice none",
    proves="tool_choice `none` is answered with text.",
    requires={"chat"},
    after={"tools", "streaming_tools"},
    emits=(NONE_IGNORED,),
    max_requests=4,
    max_tokens=2500,
    least_requests=1,
)
async def none(ctx: Context) -> Result:
    if not calls_by_choice(ctx):
        raise Skip("a plain tool is not called of the model's own choice")
    streaming = ctx.verdicts.get("streaming_tools")
    modes = [streaming is not None and streaming.verdict is State.WORKS]
    if modes[0] and ctx.options.depth is Depth.DEEP:
        modes.append(False)
    for stream in modes:
        asked = [await _with_choice(ctx, "none", stream=stream)]
        if asked[0].refused and meaning(asked[0].exchange) is Refusal.CHOICE:
            await _with_choice(ctx, "auto", stream=stream)  # params.seen reports that the default is refused too
        if called(asked[0]):
            asked.append(await _with_choice(ctx, "none", stream=stream))
        result = diagnose_none(asked)
        if result.findings:
            return result
    return result


@check(
    "tools.cut",
    title="Cut a call off",
    proves="A call that the token limit cuts off is not reported as complete.",
    requires={"chat"},
    after={"tools", "streaming_tools", "params.limit"},
    emits=(CALL_CUT,),
    max_requests=4,
    max_tokens=6000,
    least_requests=0,
)
async def cut(ctx: Context) -> Result:
    """Judge the call of params.limit; at depth deep one that is streamed too."""
    if not calls_by_choice(ctx):
        raise Skip("a plain tool is not called of the model's own choice")
    modes: list[tuple[bool, list[Reading]]] = [(False, [read(one) for one in ctx.exchanges if is_cut_call(one)][:1])]
    if ctx.options.depth is Depth.DEEP:
        modes.append((True, []))
    result = Result(note="no call was cut off")
    for stream, asked in modes:
        if not asked and ctx.options.depth is Depth.DEEP:
            asked.append(read(await limited_call(ctx, stream=stream)))
        if asked and cut_reported_complete(asked[0]):
            asked.append(read(await limited_call(ctx, stream=stream)))
        if asked and (result := diagnose_cut(asked)).findings:
            break
    return result


def calls_by_choice(ctx: Context) -> bool:
    """Whether the model calls a plain tool of its own choice."""
    state = ctx.target.tools
    return state is not None and state["way"] == "auto" and state["outcome"] == "called"


async def _with_choice(ctx: Context, choice: str, *, stream: bool) -> Reading:
    more: dict[str, Any] = {"stream": True} if stream else {}
    tools = [requests.weather()]
    return read(await ctx.chat(requests.QUESTION, limit=requests.LIMIT, tools=tools, tool_choice=choice, **more))


def text_tool() -> requests.Tool:
    """A tool with one long argument."""
    return requests.function(CUT_TOOL, "Save a text.", {"text": {"type": "string"}}, ["text"])


async def limited_call(ctx: Context, *, stream: bool = False) -> Exchange:
    """Ask for a call that its limit cuts off; not through ``ctx.chat``, which would repeat it with more room.

    Raises:
        Skip: the model thinks before it calls, so the limit that cuts the call is not known.
    """
    url = ctx.target.chat_url
    if url is None or ctx.target.thinks:
        raise Skip("the model thinks before it calls, so the limit that cuts the call is not known")
    more: dict[str, Any] = {"stream": True} if stream else {}
    body = ctx.chat_body(f"Call {CUT_TOOL} with text `{SENTENCE}`", limit=CUT_LIMIT, tools=[text_tool()], **more)
    return await ctx.send("POST", url, body=body, tokens=len(str(body)) // 3 + CUT_LIMIT)


def is_cut_call(exchange: Exchange) -> bool:
    """Whether an exchange of the run is such a request without streaming."""
    body = exchange.request.body
    return member(body, "tools", 0, "function", "name") == CUT_TOOL and not member(body, "stream")


# Diagnosis -----------------------------------------------------------------------------------------


def called(reading: Reading) -> bool:
    """Whether the answer has a structured call."""
    return reading.kind in (Kind.CALLED, Kind.CUT) and bool(reading.calls)


def diagnose_none(asked: Sequence[Reading]) -> Result:
    """Judge answers to a question that forbids calls."""
    if asked[0].refused:
        return Result(note="tool_choice none is refused")
    if not all(map(called, asked)):
        return Result(note="a call came in one of two answers" if len(asked) > 1 else "")
    name = wording.shown(asked[-1].calls[0].name)
    how = "streamed " if asked[-1].streamed else ""
    detail = f'With `tool_choice: "none"` each of {len(asked)} {how}answers has a call of {name}.'
    evidence = [one.exchange.shows(one.calls[0].pointer, expected="text", actual="a call") for one in asked]
    return Result((NONE_IGNORED.found(detail, *evidence),))


def arguments_state(arguments: Any) -> str:
    """How much of the sentence a call has: ``half`` JSON, a ``shortened`` text, ``whole``, or empty for neither."""
    if not isinstance(arguments, str):
        value: Any = arguments
    else:
        try:
            value = json.loads(arguments)
        except (ValueError, RecursionError):
            begun = arguments.lstrip().startswith("{")
            return "half" if begun and arguments.count('"') >= 3 else ""
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        return ""
    text = text.strip(" `\"'.")
    full = SENTENCE.strip(".")
    if text == full:
        return "whole"
    return "shortened" if text and len(text) < len(full) - 20 and full.startswith(text) else ""


def cut_reported_complete(reading: Reading) -> bool:
    """Whether the answer used up its limit, and its finish reason hides that the call was cut off."""
    if reading.finish in (None, "length") or not reading.calls:
        return False
    state = arguments_state(reading.calls[-1].arguments)
    return state in ("half", "shortened") and used_up(reading)


def used_up(reading: Reading) -> bool:
    """Whether the tokens of the answer reach the limit, as far as they are counted."""
    limit = completion.token_limit(reading.exchange)
    _, counted = completion.usage(reading.exchange)
    return limit is None or not counted or counted >= limit - 2


def diagnose_cut(asked: Sequence[Reading]) -> Result:
    """Judge answers with a limit that is too small for the call."""
    if not all(map(cut_reported_complete, asked)):
        return Result(note="" if len(asked) == 1 else "the call was cut and reported as complete in one of two answers")
    return Result((_cut_finding(asked[-1]),))


def _cut_finding(reading: Reading) -> Finding:
    call = reading.calls[-1]
    how = "are not JSON" if arguments_state(call.arguments) == "half" else "end in the middle of the text"
    detail = (
        f"The token limit cut a call off, its arguments {how} ({wording.shown(call.arguments)}), and the finish reason "
        f"is {wording.shown(reading.finish)} instead of length."
    )
    pointer = "/response/events" if reading.streamed else "/response/body/choices/0/finish_reason"
    evidence = reading.exchange.shows(pointer, expected="length", actual=reading.finish)
    return CALL_CUT.found(detail, evidence)
