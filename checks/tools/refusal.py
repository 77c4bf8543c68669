"""The meaning of a refused request with tools, read from its error text.

The patterns match general meanings, not one server's wording.  They were drawn from: vLLM `"auto" tool choice requires
--enable-auto-tool-choice and --tool-call-parser to be set` and ``When using `tool_choice`, `tools` must be set``;
llama.cpp `tools param requires --jinja flag`; LMDeploy `Please launch the api_server with --tool-call-parser`; Ollama
`… does not support tools`; Groq `` `tool calling` is not supported with this model `` and `tool_use_failed`;
OpenRouter `No endpoints found that support tool use`; LM Studio `Invalid tool_choice type: 'object'`; DeepSeek
`Thinking mode does not support this tool_choice`; xAI `A tool_choice was set on the request but no tools were
specified.`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from checks.shared.outcome import error_with_codes, is_blank, way_out, words_of
from checks.tools import requests
from checks.tools.catalogue import NOT_CALLED, NOT_ENABLED, REJECTED
from checks.tools.reading import Kind, Reading, read
from checks.tools.structured_calls import faults
from probe.api import (
    Evidence,
    Exchange,
    Inconclusive,
    Owner,
    Result,
    Severity,
    State,
    because,
    completion,
    unknown,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context


class Refusal(StrEnum):
    """The reason that the endpoint gives."""

    SWITCHED_OFF = "the server was not started for tools"
    NO_TOOLS = "tools are not supported"
    TOOLS_LOST = "a tool_choice arrived without tools"
    CHOICE = "the tool_choice is not supported"
    PARALLEL = "the parameter parallel_tool_calls is not supported"
    MODEL_FAILED = "the model's output was not a usable call"
    UNCLEAR = "no reason is given"


def _any(*parts: str) -> re.Pattern[str]:
    return re.compile("|".join(parts), re.IGNORECASE)


_TOOLS = _any(r"\btools?\b", r"\btool[ _-]?(?:use|calls?|calling|choice)", r"\bfunctions?\b", r"\bfunction[ _-]?call")
# A flag, a start option or a setting of the server, named together with tools.
_SWITCH = _any(
    r"--[a-z][a-z_-]{2,}",
    r"\b(?:launch|start|restart|run|serve|compile|configure|deploy)e?d?(?:ed)?\b[^.]{0,60}\bwith(?:out)?\b",
    r"\bparser (?:is |was )?(?:not|n't) (?:set|given|specified|found|available)",
    r"\b(?:not|n't)(?: been| yet| currently)? (?:enabled|configured|activated|turned on|switched on|started|set up)\b",
    r"\b(?:is|are|was|were|has been|have been) (?:currently )?(?:disabled|turned off|switched off)\b",
    r"\b(?:must|needs?|has|have)(?: to)? be (?:enabled|switched on|turned on|activated)\b",
    r"\bto enable\b",
    r"\benable_[a-z_]*tool",
    r"\brequires?\b[^.]{0,80}\b(?:flag|option|argument|parser|to be (?:set|enabled))\b",
    r"\bno tool[ _-]?(?:call[ _-]?)?parser\b",
)
_Q = "[`'\"]?"
_LOST = _any(
    rf"{_Q}tools{_Q}(?: parameter| field| list| array)? (?:must be|(?:is|are) (?:also )?(?:required|needed))",
    r"\bno tools? (?:(?:were|was|are|is|has been|have been) )?(?:specified|given|provided|set|sent|supplied)",
    r"\bno tools? (?:(?:were|was|are|is) )?(?:defined|available|present|found)",
    rf"\bonly (?:be )?(?:(?:allowed|valid|used|set|specified|supported) )?(?:when|if|with|alongside) {_Q}tools",
    rf"\bwithout (?:any |providing |specifying |setting )*{_Q}tools",
    rf"{_Q}tools{_Q} (?:cannot|can not|must not|may not|should not|can't) be (?:empty|missing|null|none)",
    rf"\b(?:requires?|needs?) (?:the )?{_Q}tools{_Q} (?:to be|parameter|field|array|list)",
    r"\btools? (?:list )?(?:is|are) (?:empty|missing|not (?:set|given|provided|specified|present))",
    rf"\bnot found in (?:the )?{_Q}tools?\b",
)
_NO = _any(
    r"\bnot (?:currently |yet )?(?:support|allow|permit|implement|available|accept|possible|valid)",
    r"n't (?:currently |yet )?(?:support|allow|permit|accept|have)",
    r"\bunsupported|\bno endpoints? found|\bno support|\bunavailable|\bincapable|\bunable to",
    r"\bcannot (?:use|handle|call)",
    r"\binvalid|\bunexpected|\bunknown|\bunrecogni[sz]ed|extra_forbidden|\bextra (?:inputs|fields)|\bforbidden",
    r"\bonly .{0,40}support|\bmust be|\brequires?\b",
)
_CHOICE = _any(r"tool[ _-]?choice", r"\bfunction_call\b")
_CALL = r"(?:tool|function|model)[ _-]?(?:calls?|output|response)?"
_MODEL_FAILED = _any(
    r"tool_use_failed|failed_generation|malformed_function_call|empty grammar stack|tool call validation failed",
    r"\bfailed to call a function|\bmodel did not call|\bmalformed (?:tool|function) call",
    r"\bdid not (?:produce|generate|return|make) (?:a|any) (?:valid )?(?:tool|function)",
    r"\bmodel(?:'s)? (?:(?:produced|generated|returned) )?(?:an? )?(?:output|response|generation)[^.]{0,60}"
    r"(?:not match|invalid|malformed)",
    rf"\bfailed to parse (?:the )?(?:input at pos|{_CALL})",
    rf"\b(?:could not|cannot|unable to) parse (?:the )?{_CALL}",
)


def meaning(exchange: Exchange) -> Refusal:
    """The reason for which a request with tools was refused."""
    return meaning_of(error_with_codes(exchange))


def meaning_of(said: str) -> Refusal:
    """The reason in an error text."""
    if _MODEL_FAILED.search(said):
        return Refusal.MODEL_FAILED
    if "parallel_tool_calls" in said:
        return Refusal.PARALLEL
    if not _TOOLS.search(said):
        return Refusal.UNCLEAR
    # LiteLLM names its setting drop_params, which does not enable tools.
    plain = re.sub(r"(?:to )?drop[^.]{0,60}drop_params.*", "", said, flags=re.IGNORECASE | re.DOTALL)
    if _SWITCH.search(plain):
        return Refusal.SWITCHED_OFF
    if _CHOICE.search(plain) and _LOST.search(plain):
        return Refusal.TOOLS_LOST
    if _CHOICE.search(plain) and _NO.search(plain):
        return Refusal.CHOICE
    if _NO.search(plain):
        return Refusal.NO_TOOLS
    return Refusal.UNCLEAR


#: The remedy of tools.not-called where a forced choice was tried too.
NO_FORCED_CALL = (
    "Use a model that was trained for tool calling; forcing the call with tool_choice brought none in this run either."
)
_MODEL = _any(
    r"\bmodel\b", r"^\S{1,128} does(?: not|n't) support", r"/\S{1,128} does(?: not|n't) support", r"no endpoints? found"
)
_SCHEMA = _any("schema|parameter|propert|enum|description|additional|keyword|field")
_TYPE = _any(r"\btypes?\b|definition")
_OVERFLOW = _any(
    r"context_length_exceeded|exceed_context_size",
    r"(?:maximum|available|model'?s?) context (?:length|size|window)",
    r"exceeds? (?:the )?(?:maximum |available )?(?:context|number of tokens)|prompt is too long|too many tokens",
)


def blames_model(exchange: Exchange) -> bool:
    """Whether the refusal is about this model rather than the server."""
    return bool(_MODEL.search(error_with_codes(exchange)))


def is_overflow(exchange: Exchange) -> bool:
    """Whether the request did not fit the context."""
    return bool(_OVERFLOW.search(error_with_codes(exchange)))


def speaks_of_schema(exchange: Exchange) -> bool:
    """Whether the refusal is about the definition of a tool."""
    return bool(_SCHEMA.search(error_with_codes(exchange)) or _TYPE.search(error_with_codes(exchange)))


def refusal_of(exchange: Exchange) -> Evidence:
    """Evidence of a refusal: its status, or the error object that came under status 200."""
    if completion.ok(exchange):
        return exchange.shows("/response/body", expected="a chat completion", actual=words_of(exchange))
    return exchange.shows("/response/status", expected=200, actual=exchange.status)


async def examine_refusal(ctx: Context, first: Reading) -> Result:
    """Diagnose a first request with tools that was not answered.

    Raises:
        Inconclusive: the request was lost, or the same question is refused without tools too.
    """
    asked = [first]
    if first.kind is Kind.LOST:
        raise Inconclusive(first.why)
    if first.kind is Kind.FAILED:
        asked.append(read(await ctx.chat(requests.QUESTION, limit=requests.LIMIT, tools=[requests.weather()])))
        if not asked[-1].refused:
            raise Inconclusive(f"status {first.exchange.status} once, and another answer to the same request later")
    last = asked[-1].exchange
    text = error_with_codes(last)
    if is_overflow(last):
        raise Inconclusive(f"the request did not fit the context ({words_of(last)})")
    reason = meaning(last)
    plain = simple = forced = None
    if reason is Refusal.MODEL_FAILED:
        forced = read(await requests.required(ctx))
    if reason in (Refusal.UNCLEAR, Refusal.CHOICE, Refusal.PARALLEL, Refusal.TOOLS_LOST):
        plain = read(await ctx.chat(requests.QUESTION, limit=requests.LIMIT))
    about_schema = reason is Refusal.UNCLEAR or (reason is Refusal.NO_TOOLS and _SCHEMA.search(text))
    if about_schema and (plain is None or plain.answered):
        tools = [requests.simplest()]
        simple = read(await ctx.chat(requests.QUESTION, limit=requests.LIMIT, share="tools.simplest", tools=tools))
    return diagnose_refusal(asked, plain, simple, forced)


def diagnose_refusal(
    asked: Sequence[Reading], plain: Reading | None, simple: Reading | None, forced: Reading | None = None
) -> Result:
    """Judge a refused request with tools.

    Args:
        asked: the request, once or twice.
        plain: the same question without tools, where the refusal did not mention tools.
        simple: the same question with the simplest tool.
        forced: a forced call, where the server could not parse the model's output.

    Raises:
        Inconclusive: the question is refused without tools too.
    """
    last = asked[-1].exchange
    reason = meaning(last)
    if plain is not None and not plain.answered:
        raise Inconclusive(f"the same question is refused without tools as well ({words_of(last)})")
    status = refusal_of(last)
    settles: dict[str, Any] = {"tools": {"way": "", "outcome": "refused", "call": None}}
    got = "got an empty answer" if is_blank(last) else "was refused"
    detail = f"A request with one tool {got}: {words_of(last)}."
    if reason is Refusal.SWITCHED_OFF:
        finding = NOT_ENABLED.found(detail, status)
        return Result((finding,), {"tools": because(State.REJECTED, finding)}, settles=settles)
    if reason is Refusal.MODEL_FAILED:
        detail = (
            f"The tools reached the model, and the server could not parse its output as a call: {words_of(last)}. "
            "The model and its chat template or parser do not match."
        )
        called = forced is not None and forced.kind is Kind.CALLED
        finding = NOT_CALLED.found(detail, status, remedy=None if called else NO_FORCED_CALL, confidence=0.8)
        note = "the server could not parse the model's output as a call"
        if forced is not None and forced.kind is Kind.CALLED and not any(item.breaks for item in faults(forced)):
            note += "; a forced call works"
            settles = {"tools": {"way": "required", "outcome": "declined", "call": None}}
        return Result((finding,), {"tools": unknown(note)}, settles=settles)
    if simple is not None and simple.answered:
        note = f"a tool with an enum and descriptions was refused ({words_of(last)}), a plain one was accepted"
        if simple.kind is Kind.CALLED and not any(fault.breaks for fault in faults(simple)):
            settles = {"tools": {"way": "simple", "outcome": "called", "call": None}}
            return Result(verdicts={"tools": works(note)}, settles=settles, note=note)
        return Result(verdicts={"tools": unknown(note)}, settles=settles)
    clear = reason in (Refusal.NO_TOOLS, Refusal.CHOICE) and (last.status or 0) < 500
    if not clear:
        detail += " The text does not mention tools as the cause; the same question without them is answered."
    told = way_out(last)
    finding = REJECTED.found(
        detail,
        status,
        remedy=f"{told} Until then turn tools off in the client." if told else None,
        severity=Severity.ERROR if is_blank(last) else None if clear else Severity.WARNING,
        owner=Owner.MODEL if blames_model(last) else None,
    )
    return Result(
        (finding,), {"tools": because(State.BROKEN if is_blank(last) else State.REJECTED, finding)}, settles=settles
    )
