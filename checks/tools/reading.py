"""The answer to a request with tools, read from one exchange.  Pure; never raises.

An answer has one of a few kinds.  The diagnosis is made elsewhere, since the same answer means different things for
different requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from checks.shared.outcome import Answer, outcome
from checks.tools.markup import FAMILIES, Assembly, Leak, assemble, find_calls
from checks.tools.requests import Tool, offered
from probe.api import Exchange, Inconclusive, completion, member

#: An answer with more calls is judged by its first ones.
MOST_CALLS = 64
_MESSAGE = "/response/body/choices/0/message"
#: Markers that occur only in markup: special tokens and tags.
_MARKERS = tuple(
    sorted(
        {hint for family in FAMILIES if not family.bare for hint in family.hints if len(hint) >= 9 and hint[0] in "<[]"}
    )
)


class Kind(StrEnum):
    """The kinds of answer."""

    CALLED = "a structured call"
    LEAKED = "a call left in the text"
    PROSE = "text without a call"
    EMPTY = "nothing"
    CUT = "an answer cut off by the token limit"
    REFUSED = "a refusal"
    FAILED = "a server error without a reason"
    LOST = "no usable answer"


@dataclass(frozen=True)
class Call:
    """One structured call with its raw values.

    ``pointer`` is its place in the exchange (that of its first delta in a stream).  ``more`` holds members that are not
    in the API, which some services need back (Gemini's thought signature in ``extra_content``).  ``elsewhere`` is the
    member that has the arguments, where that is not ``arguments``.
    """

    id: Any
    name: Any
    arguments: Any
    pointer: str
    more: Mapping[str, Any] = field(default_factory=dict)
    elsewhere: str = ""


@dataclass(frozen=True)
class Reading:
    """An answer.

    Attributes:
        leak: calls found in the text, with or without structured ones.
        leak_pointer: where that text is in the exchange.
        in_reasoning: that text is the model's reasoning.
        stray: a marker of call markup in the text of an answer with structured calls.
        cut: the token limit ended it.
        why: for LOST, the cause.
        legacy: the call came in the deprecated ``function_call`` member alone.
        assembly: the joined deltas of a stream.
    """

    exchange: Exchange
    kind: Kind
    calls: tuple[Call, ...] = ()
    leak: Leak | None = None
    leak_pointer: str = ""
    in_reasoning: bool = False
    stray: str = ""
    text: str = ""
    finish: str | None = None
    cut: bool = False
    streamed: bool = False
    legacy: bool = False
    why: str = ""
    assembly: Assembly | None = field(default=None, repr=False)

    @property
    def has_call(self) -> bool:
        """Whether the model made a call, structured or in the text."""
        return self.kind in (Kind.CALLED, Kind.LEAKED)

    @property
    def refused(self) -> bool:
        return self.kind in (Kind.REFUSED, Kind.FAILED)

    @property
    def answered(self) -> bool:
        return self.kind not in (Kind.REFUSED, Kind.FAILED, Kind.LOST)


def read(exchange: Exchange) -> Reading:
    """Read the answer to a request that offered tools."""
    if completion.is_stream(exchange):
        return _read_stream(exchange)
    try:
        answer = outcome(exchange, "tool", "function")
    except Inconclusive as why:
        return Reading(exchange, Kind.LOST, why=str(why))
    if answer is not Answer.DONE:
        return Reading(exchange, Kind.REFUSED if answer is Answer.REFUSED else Kind.FAILED)
    message = completion.message(exchange)
    calls = _calls(message)
    old = message.get("function_call")
    legacy = not calls and isinstance(old, dict) and bool(old.get("name"))
    if legacy and isinstance(old, dict):
        calls = (Call(None, old.get("name"), old.get("arguments"), f"{_MESSAGE}/function_call"),)
    name = next((name for name in completion.REASONING_FIELDS if isinstance(message.get(name), str)), "")
    reading = Reading(
        exchange,
        Kind.EMPTY,
        calls,
        leak_pointer=f"{_MESSAGE}/content",
        text=completion.content_text(exchange),
        finish=completion.finish_reason(exchange),
        legacy=legacy,
    )
    return _judged(reading, message[name] if name else "", f"{_MESSAGE}/{name}")


def _calls(message: Mapping[str, Any]) -> tuple[Call, ...]:
    """The structured calls of a message; also a single one without its list."""
    found = message.get("tool_calls")
    pointer = f"{_MESSAGE}/tool_calls"
    items: list[tuple[Any, str]] = [(found, pointer)]
    if isinstance(found, list):
        items = [(item, f"{pointer}/{place}") for place, item in enumerate(found[:MOST_CALLS])]
    return tuple(
        Call(
            item.get("id"),
            member(item, "function", "name"),
            member(item, "function", "arguments"),
            place,
            {key: item[key] for key in item if key not in ("id", "type", "index", "function")},
            _elsewhere(item.get("function")),
        )
        for item, place in items
        if isinstance(item, dict) and item
    )


#: Where other APIs have the arguments of a call (Gemini ``args``, Anthropic ``input``).
_OTHER_MEMBERS = ("parameters", "input", "args")


def _elsewhere(function: Any) -> str:
    """The member of a call's function that holds the arguments, where they are not in their place."""
    if not isinstance(function, dict) or function.get("arguments"):
        return ""
    return next((name for name in _OTHER_MEMBERS if isinstance(function.get(name), dict | str)), "")


def _read_stream(exchange: Exchange) -> Reading:
    stream = completion.read_stream(exchange)
    joined = assemble(chunk.delta for chunk in stream.chunks)
    begin = next((chunk.index for chunk in stream.chunks if chunk.delta.get("tool_calls")), 0)
    pointer = f"/response/events/{begin}/data/choices/0/delta/tool_calls"
    parts = [
        part for chunk in stream.chunks if isinstance(found := chunk.delta.get("tool_calls"), list) for part in found
    ]
    elsewhere = next(filter(None, (_elsewhere(member(part, "function")) for part in parts)), "")
    calls = tuple(
        Call(call.id or None, call.name or None, call.arguments, pointer, elsewhere="" if call.arguments else elsewhere)
        for call in joined.intended[:MOST_CALLS]
    )
    if stream.errors and not calls and not stream.text:
        return Reading(exchange, Kind.REFUSED, streamed=True, why=stream.errors[0][1])
    broken = _broken_off(exchange, stream)
    if broken and not stream.chunks and exchange.error is None and _is_blank(exchange):
        return Reading(exchange, Kind.EMPTY, streamed=True)
    if broken and not (calls and all(_is_whole(call.arguments) for call in calls)):
        return Reading(exchange, Kind.LOST, streamed=True, why=broken)
    first = next((chunk.index for chunk in stream.chunks if completion.joined(chunk.delta.get("content"))), 0)
    thought = next((chunk.index for chunk in stream.chunks if chunk.delta.get(stream.reasoning_field or "")), 0)
    old = None if calls else _function_call(stream)
    reading = Reading(
        exchange,
        Kind.EMPTY,
        calls if old is None else (old,),
        leak_pointer=f"/response/events/{first}/data/choices/0/delta/content",
        text=stream.text,
        finish=stream.finish_reason,
        streamed=True,
        legacy=old is not None,
        assembly=joined,
    )
    return _judged(
        reading, stream.reasoning, f"/response/events/{thought}/data/choices/0/delta/{stream.reasoning_field}"
    )


def _is_blank(exchange: Exchange) -> bool:
    """Whether a stream holds nothing but its ``[DONE]``."""
    text = exchange.response.text if exchange.response else ""
    return not text.replace("data:", "").replace("[DONE]", "").strip()


def _broken_off(exchange: Exchange, stream: completion.StreamReading) -> str:
    """Why the stream has no proper end, or an empty text; the finding is left to the stream checks."""
    if exchange.error is not None:
        return f"the stream was lost ({exchange.error.kind})"
    if stream.errors:
        return f"the stream ended in an error ({stream.errors[0][1][:160]})"
    if not stream.chunks:
        return "the stream held no completion chunk"
    if stream.finish_reason is None and not stream.done:
        return "the stream ended before its finish_reason"
    return ""


def delta_pointer(reading: Reading, delta: int | None) -> str:
    """Where in the exchange the delta of that number is (the calls as a whole for None)."""
    chunks = completion.read_stream(reading.exchange).chunks
    if delta is None or not 0 <= delta < len(chunks):
        return reading.calls[0].pointer if reading.calls else "/response/events"
    return f"/response/events/{chunks[delta].index}/data/choices/0/delta/tool_calls"


def _function_call(stream: completion.StreamReading) -> Call | None:
    """A call in deltas of the deprecated ``function_call`` member."""
    name, arguments, first = "", "", None
    for chunk in stream.chunks:
        part = chunk.delta.get("function_call")
        if isinstance(part, dict):
            first = chunk.index if first is None else first
            name += part["name"] if isinstance(part.get("name"), str) else ""
            arguments += part["arguments"] if isinstance(part.get("arguments"), str) else ""
    if not name:
        return None
    return Call(None, name, arguments, f"/response/events/{first}/data/choices/0/delta/function_call")


def _judged(reading: Reading, reasoning: str, reasoning_pointer: str) -> Reading:
    """The reading with its kind and the calls in its text; its text without the reasoning.

    Args:
        reading: calls, raw text, the pointer to that text, and finish reason.
        reasoning: reasoning that came in a field of its own.
    """
    calls, tools, pointer = reading.calls, offered(reading.exchange), reading.leak_pointer
    cut = reading.finish == "length"
    leak = find_calls(reading.text, tools) if reading.text else None
    in_reasoning = bool(leak and leak.inside_reasoning)
    visible = completion.without_thinking(reading.text)
    if in_reasoning and (calls or visible):
        leak = None  # reasoning about a call next to an actual answer is not a call
    if leak is None and not calls and not visible and reasoning:
        leak = _leak_in_reasoning(reasoning, tools)
        in_reasoning = leak is not None
        pointer = reasoning_pointer if leak else pointer
    begun = leak is not None and cut and _only_begun(leak, reading.streamed)
    if leak is not None and (leak.confidence < 0.4 or begun):
        leak = None
    if calls:
        kind = Kind.CUT if cut and not _is_whole(calls[-1].arguments) else Kind.CALLED
    elif leak is not None:
        kind = Kind.LEAKED
    else:
        kind = Kind.CUT if begun or (cut and not visible) else Kind.PROSE if visible else Kind.EMPTY
    opened = visible.replace("</", "<")  # a closing tag may be left alone
    stray = next((marker for marker in _MARKERS if marker in opened), "") if calls and leak is None else ""
    return replace(
        reading,
        kind=kind,
        leak=leak,
        leak_pointer=pointer if leak else "",
        in_reasoning=in_reasoning and leak is not None,
        stray=stray,
        text=visible,
        cut=cut,
    )


def _only_begun(leak: Leak, streamed: bool) -> bool:
    """Whether no call in a text that the limit cut off has its end: a parser leaves such a call in the text of a whole
    answer too, and in a stream before it knows the tool."""
    return not any(call.complete for call in leak.calls) and not (streamed and leak.calls[0].name)


def _leak_in_reasoning(reasoning: str, tools: list[Tool]) -> Leak | None:
    """A call that the reasoning parser swallowed: the answer is reasoning only, and it ends in call markup.

    Models often reason about JSON, so only known markup counts.
    """
    leak = find_calls(reasoning, tools)
    if leak is None or leak.kind != "marker" or not leak.offered:
        return None
    rest = reasoning[leak.calls[-1].end :].strip()
    return leak if len(rest) <= 80 else None


def _is_whole(arguments: Any) -> bool:
    """Whether the arguments of a call are complete: JSON, or a value of another type."""
    if not isinstance(arguments, str):
        return arguments is not None
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return True
