"""tools.none and tools.cut, at depth deep: a choice that forbids calls, and a call that the token limit cuts off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from checks.tools import requests
from checks.tools.catalogue import CALL_CUT, NONE_IGNORED
from checks.tools.reading import Kind, Reading, read
from probe.api import Depth, Finding, Result, Skip, check, completion, wording

if TYPE_CHECKING:
    from probe.api import Context

#: Tokens that the arguments below need several times over, and more than a call with a short text takes.
CUT_LIMIT = 48
SENTENCE = (
    "The ferry to the northern islands leaves at seven in the morning, stops at two small harbours on the way, and "
    "arrives shortly before noon; bring warm clothes, a map, some bread and cheese, and enough water for two days."
)


@check(
    "tools.none",
    title="Forbid calls with tool_choice none",
    proves="tool_choice `none` is answered with text.",
    requires={"chat"},
    after={"tools"},
    emits=(NONE_IGNORED,),
    max_requests=2,
    max_tokens=1500,
    depth=Depth.DEEP,
)
async def none(ctx: Context) -> Result:
    _needs_calls(ctx)
    asked = [await _with_none(ctx)]
    if called(asked[0]):
        asked.append(await _with_none(ctx))
    return diagnose_none(asked)


@check(
    "tools.cut",
    title="Cut a call off",
    proves="A call that the token limit cuts off is not reported as complete.",
    requires={"chat"},
    after={"tools"},
    emits=(CALL_CUT,),
    max_requests=2,
    max_tokens=4000,
    depth=Depth.DEEP,
)
async def cut(ctx: Context) -> Result:
    _needs_calls(ctx)
    asked = [await _with_small_limit(ctx)]
    if cut_reported_complete(asked[0]):
        asked.append(await _with_small_limit(ctx))
    return diagnose_cut(asked)


def _needs_calls(ctx: Context) -> None:
    state = ctx.target.tools
    if state is None or state["way"] != "auto" or state["outcome"] != "called":
        raise Skip("a plain tool is not called of the model's own choice")


async def _with_none(ctx: Context) -> Reading:
    tools = [requests.weather()]
    return read(await ctx.chat(requests.QUESTION, limit=requests.LIMIT, tools=tools, tool_choice="none"))


def text_tool() -> requests.Tool:
    """A tool with one long argument."""
    return requests.function("save_text", "Save a text.", {"text": {"type": "string"}}, ["text"])


async def _with_small_limit(ctx: Context) -> Reading:
    """The request, without the second one with more room that a cut answer usually leads to."""
    url = ctx.target.chat_url
    if url is None or ctx.target.thinks:
        raise Skip("the model thinks before it calls, so the limit that cuts the call is not known")
    body = ctx.chat_body(f"Call save_text with text `{SENTENCE}`", limit=CUT_LIMIT, tools=[text_tool()])
    return read(await ctx.send("POST", url, body=body, tokens=len(str(body)) // 3 + CUT_LIMIT))


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
    detail = f'With `tool_choice: "none"` each of {len(asked)} answers has a call of {name}.'
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
    body = reading.exchange.request.body
    limit = next((body[name] for name in ("max_completion_tokens", "max_tokens") if name in body), None)
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
    evidence = reading.exchange.shows(
        "/response/body/choices/0/finish_reason", expected="length", actual=reading.finish
    )
    return CALL_CUT.found(detail, evidence)
