"""What a refusal of a tools request means.  Pure; by general meaning, not by one server's wording.

Texts that the patterns were drawn from: vLLM `"auto" tool choice requires --enable-auto-tool-choice
and --tool-call-parser to be set`; llama.cpp `tools param requires --jinja flag`; LMDeploy `Please
launch the api_server with --tool-call-parser`; Ollama `… does not support tools`; Groq `` `tool
calling` is not supported with this model ``, `tool_use_failed`; OpenRouter `No endpoints found that
support tool use`; LM Studio `Invalid tool_choice type: 'object'`; DeepSeek `Thinking mode does not
support this tool_choice`; vLLM ``When using `tool_choice`, `tools` must be set``; xAI `A tool_choice
was set on the request but no tools were specified.`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

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
    member,
    unknown,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context


class Refusal(StrEnum):
    """What the endpoint minds, as far as it says so."""

    SWITCHED_OFF = "the server was not started for it"
    NO_TOOLS = "the tools are not supported"
    TOOLS_LOST = "it sees a tool_choice and no tools"
    CHOICE = "the tool_choice is not supported"
    PARALLEL = "the parameter parallel_tool_calls is not taken"
    MODEL_FAILED = "what the model wrote was no usable call"
    UNCLEAR = "it does not say what it minds"


def _any(*parts: str) -> re.Pattern[str]:
    return re.compile("|".join(parts), re.IGNORECASE)


_TOOLS = _any(r"\btools?\b", r"\btool[ _-]?(?:use|calls?|calling|choice)", r"\bfunctions?\b", r"\bfunction[ _-]?call")
# A flag, a start or a setting of the server, named together with tools.
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


def said_by(exchange: Exchange) -> str:
    """The error text with its codes and the parameter it names, or the error inside a stream."""
    if completion.is_stream(exchange):
        return " ".join(text for _, text in completion.read_stream(exchange).errors)[:3000]
    body = completion.body_of(exchange)
    body = body[0] if isinstance(body, list) and body else body
    paths = (("error", "code"), ("error", "type"), ("error", "param"), ("code",), ("type",), ("error_type",))
    codes = [member(body, *path) for path in paths]
    return " ".join([completion.error_text(exchange)[:3000], *(str(code) for code in codes if code)])


def meaning(exchange: Exchange) -> Refusal:
    """What a refused request with tools was refused for."""
    return meaning_of(said_by(exchange))


def meaning_of(said: str) -> Refusal:
    """The same, of an error text."""
    if _MODEL_FAILED.search(said):
        return Refusal.MODEL_FAILED
    if "parallel_tool_calls" in said:
        return Refusal.PARALLEL
    if not _TOOLS.search(said):
        return Refusal.UNCLEAR
    # LiteLLM names its own setting for dropping what a backend lacks; that switches no tools on.
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


_MODEL = re.compile(
    r"\bmodel\b|^\S+ does(?: not|n't) support|/\S+ does(?: not|n't) support|no endpoints? found", re.IGNORECASE
)


def blames_model(exchange: Exchange) -> bool:
    """Whether the refusal is of this model rather than of the server."""
    return bool(_MODEL.search(said_by(exchange)))


def quoted(exchange: Exchange) -> str:
    """What the endpoint said, short, for a detail sentence."""
    said = " ".join((said_by(exchange) if completion.is_stream(exchange) else completion.error_text(exchange)).split())
    if not said:
        return f"status {exchange.status} without a text"
    return f'status {exchange.status}: "{said[:240]}{"…" if len(said) > 240 else ""}"'


# A first request with tools that was not answered: is it the tools, this schema, or the way there?


async def look_into(ctx: Context, first: Reading) -> Result:
    """Tell what the refusal of the first request with tools means.

    Raises:
        Inconclusive: it was lost on the way, or the same question is refused without tools too.
    """
    asked = [first]
    if first.kind is Kind.LOST:
        raise Inconclusive(first.why)
    if first.kind is Kind.FAILED:
        asked.append(read(await ctx.chat(requests.QUESTION, limit=requests.LIMIT, tools=[requests.weather()])))
        if asked[-1].kind not in (Kind.REFUSED, Kind.FAILED):
            raise Inconclusive(f"status {first.exchange.status} once, and another answer to the same request later")
    if _OVERFLOW.search(said_by(asked[-1].exchange)):
        raise Inconclusive(f"the request did not fit the context ({quoted(asked[-1].exchange)})")
    said = meaning(asked[-1].exchange)
    plain = simple = forced = None
    if said is Refusal.MODEL_FAILED:
        forced = read(await requests.required(ctx))
    if said in (Refusal.UNCLEAR, Refusal.CHOICE, Refusal.PARALLEL, Refusal.TOOLS_LOST):
        plain = read(await ctx.chat(requests.QUESTION, limit=requests.LIMIT))
    minds_schema = said is Refusal.UNCLEAR or (said is Refusal.NO_TOOLS and _SCHEMA.search(said_by(asked[-1].exchange)))
    if minds_schema and _answered(plain):
        simple = read(
            await ctx.chat(requests.QUESTION, limit=requests.LIMIT, share="tools.simplest", tools=[requests.simplest()])
        )
    return diagnose_refusal(asked, plain, simple, forced)


_SCHEMA = re.compile(r"schema|parameter|propert|enum|description|additional|keyword|field", re.IGNORECASE)


_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|(?:maximum|available|model'?s?) context (?:length|size|window)|"
    r"exceeds? (?:the )?(?:maximum |available )?(?:context|number of tokens)|prompt is too long|too many tokens",
    re.IGNORECASE,
)


def _answered(plain: Reading | None) -> bool:
    return plain is None or plain.kind not in (Kind.REFUSED, Kind.FAILED, Kind.LOST)


def refusal_of(exchange: Exchange) -> Evidence:
    """Evidence of a refusal: its status, or the error object that came under status 200."""
    if completion.ok(exchange):
        return exchange.shows("/response/body", expected="a chat completion", actual=quoted(exchange))
    return exchange.shows("/response/status", expected=200, actual=exchange.status)


def diagnose_refusal(
    asked: Sequence[Reading], plain: Reading | None, simple: Reading | None, forced: Reading | None = None
) -> Result:
    """Judge a refused request with tools.

    Args:
        asked: the request, once or twice.
        plain: the same question without tools, where the refusal did not speak of tools.
        simple: the same question with the simplest tool.
        forced: a forced call, where the server could not read what the model wrote by itself.

    Raises:
        Inconclusive: the question is refused without tools too.
    """
    last = asked[-1].exchange
    said = meaning(last)
    if not _answered(plain):
        raise Inconclusive(f"the same question is refused without tools as well ({quoted(last)})")
    status = refusal_of(last)
    settles: dict[str, Any] = {"tools": {"way": "", "outcome": "refused", "call": None}}
    if said is Refusal.SWITCHED_OFF:
        finding = NOT_ENABLED.found(f"A request with one tool was refused: {quoted(last)}.", status)
        return Result((finding,), {"tools": because(State.REJECTED, finding)}, settles=settles)
    if said is Refusal.MODEL_FAILED:
        detail = (
            f"The tools reached the model, and what it wrote was no call that the server could read: {quoted(last)}. "
            "The model and the chat template (or parser) it runs with do not fit each other."
        )
        finding = NOT_CALLED.found(detail, status, confidence=0.8)
        note = "the server could not make a call of what the model wrote by itself"
        if forced is not None and forced.kind is Kind.CALLED and not any(item.breaks for item in faults(forced)):
            note += "; a forced call works"
            settles = {"tools": {"way": "required", "outcome": "declined", "call": None}}
        return Result((finding,), {"tools": unknown(note)}, settles=settles)
    if simple is not None and simple.kind not in (Kind.REFUSED, Kind.FAILED, Kind.LOST):
        note = f"a tool with an enum and descriptions was refused ({quoted(last)}), a plain one was taken"
        if simple.kind is Kind.CALLED and not any(fault.breaks for fault in faults(simple)):
            settles = {"tools": {"way": "simple", "outcome": "called", "call": None}}
            return Result(verdicts={"tools": works(note)}, settles=settles, note=note)
        return Result(verdicts={"tools": unknown(note)}, settles=settles)
    clear = said in (Refusal.NO_TOOLS, Refusal.CHOICE) and (last.status or 0) < 500
    detail = f"A request with one tool was refused: {quoted(last)}."
    if not clear:
        detail += " The text does not say that tools are the trouble; the same question without them is answered."
    finding = REJECTED.found(
        detail,
        status,
        severity=None if clear else Severity.WARNING,
        owner=Owner.MODEL if blames_model(last) else None,
    )
    return Result((finding,), {"tools": because(State.REJECTED, finding)}, settles=settles)
