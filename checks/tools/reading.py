"""One exchange read as the answer to a request with tools.  Pure; never raises.

An answer is one of few kinds; which finding follows is decided elsewhere, since the same
answer means different things beside different requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from checks.shared.outcome import Answer, outcome
from checks.tools.markup import FAMILIES, Assembly, Leak, assemble, find_calls
from checks.tools.requests import offered
from probe.api import Exchange, Inconclusive, completion, member


class Kind(StrEnum):
    """What came back."""

    CALLED = "a structured call"
    LEAKED = "a call left in the text"
    PROSE = "text without a call"
    EMPTY = "nothing"
    CUT = "cut off before anything could be told"
    REFUSED = "a refusal"
    FAILED = "a server error that says nothing"
    LOST = "no answer"


@dataclass(frozen=True)
class Call:
    """One structured call, as raw as it came.

    ``pointer`` points to it in the exchange (to its first delta in a stream);
    ``arguments`` is whatever stood in the field; ``more`` are members beside those of the
    API, which some services want back (Gemini's thought signature in ``extra_content``).
    """

    id: Any
    name: Any
    arguments: Any
    pointer: str
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """An answer.

    Attributes:
        leak: calls found in the text, also beside structured ones.
        leak_pointer: where that text stands in the exchange.
        in_reasoning: that text is the model's thinking.
        stray: a marker of some call markup that stands in the text beside structured calls.
        cut: the output limit ended it.
        why: for LOST, what happened.
        legacy: the call came in the deprecated ``function_call`` member alone.
        assembly: how the deltas of a stream join.
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
    def tried(self) -> bool:
        """Whether the model made a call, however it arrived."""
        return self.kind in (Kind.CALLED, Kind.LEAKED)


def read(exchange: Exchange) -> Reading:
    """Read the answer to a request that offered tools."""
    if completion.is_stream(exchange):
        return _streamed(exchange)
    try:
        answer = outcome(exchange, "tool", "function")
    except Inconclusive as why:
        return Reading(exchange, Kind.LOST, why=str(why))
    if answer is Answer.REFUSED:
        return Reading(exchange, Kind.REFUSED)
    if answer is Answer.FAILED:
        return Reading(exchange, Kind.FAILED)
    message = completion.message(exchange)
    calls = tuple(
        Call(
            member(item, "id"),
            member(item, "function", "name"),
            member(item, "function", "arguments"),
            pointer,
            {key: item[key] for key in item if key not in ("id", "type", "index", "function")},
        )
        for item, pointer in _raw_calls(message)
    )
    legacy = False
    old = message.get("function_call")
    if not calls and isinstance(old, dict) and old.get("name"):
        legacy = True
        calls = (Call(None, old.get("name"), old.get("arguments"), f"{_MESSAGE}/function_call"),)
    reasoning = next(
        ((name, message[name]) for name in completion.REASONING_FIELDS if isinstance(message.get(name), str)), None
    )
    return _judged(
        exchange,
        calls,
        completion.content_text(exchange),
        f"{_MESSAGE}/content",
        reasoning[1] if reasoning else "",
        f"{_MESSAGE}/{reasoning[0]}" if reasoning else "",
        completion.finish_reason(exchange),
        legacy=legacy,
    )


_MESSAGE = "/response/body/choices/0/message"
#: An answer with more calls than this is judged by its first ones.
MOST_CALLS = 64


def _raw_calls(message: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    found = message.get("tool_calls")
    if isinstance(found, dict) and found:  # a lone call without its list
        return [(found, f"{_MESSAGE}/tool_calls")]
    if not isinstance(found, list):
        return []
    return [
        (item, f"{_MESSAGE}/tool_calls/{place}")
        for place, item in enumerate(found[:MOST_CALLS])
        if isinstance(item, dict) and item
    ]


def _streamed(exchange: Exchange) -> Reading:
    """The answer of a stream, put together."""
    stream = completion.read_stream(exchange)
    put = assemble(chunk.delta for chunk in stream.chunks)
    begin = next((chunk.index for chunk in stream.chunks if chunk.delta.get("tool_calls")), 0)
    where = f"/response/events/{begin}/data/choices/0/delta/tool_calls"
    calls = tuple(Call(call.id or None, call.name or None, call.arguments, where) for call in put.intended[:MOST_CALLS])
    if stream.errors and not calls and not stream.text:
        return Reading(exchange, Kind.REFUSED, streamed=True, why=stream.errors[0][1])
    broken = _broken_off(exchange, stream)
    if broken and not stream.chunks and exchange.error is None and not _holds_anything(exchange):
        return Reading(exchange, Kind.EMPTY, streamed=True)
    if broken and not (calls and all(_whole(call.arguments) for call in calls)):
        return Reading(exchange, Kind.LOST, streamed=True, why=broken)
    first = next((chunk.index for chunk in stream.chunks if completion.joined(chunk.delta.get("content"))), 0)
    thought = next((chunk.index for chunk in stream.chunks if chunk.delta.get(stream.reasoning_field or "")), 0)
    legacy = False
    if not calls and (old := _old_stream(stream)) is not None:
        legacy = True
        calls = (old,)
    return _judged(
        exchange,
        calls,
        stream.text,
        f"/response/events/{first}/data/choices/0/delta/content",
        stream.reasoning,
        f"/response/events/{thought}/data/choices/0/delta/{stream.reasoning_field}",
        stream.finish_reason,
        streamed=True,
        legacy=legacy,
        assembly=put,
    )


def _holds_anything(exchange: Exchange) -> bool:
    """Whether there is more to a stream than its ``[DONE]``."""
    return bool(exchange.response and exchange.response.text.replace("data:", "").replace("[DONE]", "").strip())


def _broken_off(exchange: Exchange, stream: completion.StreamReading) -> str:
    """Why the stream has no proper end, or an empty text; whether it should have is another family's to say."""
    if exchange.error is not None:
        return f"the stream was lost ({exchange.error.kind})"
    if stream.errors:
        return f"the stream ended in an error ({stream.errors[0][1][:160]})"
    if not stream.chunks:
        return "the stream held no chunk of a completion"
    if stream.finish_reason is None and not stream.done:
        return "the stream ended before its finish_reason"
    return ""


def delta_pointer(reading: Reading, delta: int | None) -> str:
    """Where in the exchange the delta of that number stands (the calls as a whole for None)."""
    chunks = completion.read_stream(reading.exchange).chunks
    if delta is None or not 0 <= delta < len(chunks):
        return reading.calls[0].pointer if reading.calls else "/response/events"
    return f"/response/events/{chunks[delta].index}/data/choices/0/delta/tool_calls"


def _old_stream(stream: completion.StreamReading) -> Call | None:
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


def _judged(
    exchange: Exchange,
    calls: tuple[Call, ...],
    text: str,
    pointer: str,
    reasoning: str,
    reasoning_pointer: str,
    finish: str | None,
    *,
    streamed: bool = False,
    legacy: bool = False,
    assembly: Assembly | None = None,
) -> Reading:
    tools = offered(exchange)
    cut = finish == "length"
    leak = find_calls(text, tools) if text else None
    in_reasoning = bool(leak and leak.inside_reasoning)
    visible = completion.without_thinking(text)
    if in_reasoning and (calls or visible):
        leak = None  # thinking about a call is no call, when something else was said or done
    if leak is None and not calls and not visible and reasoning:
        leak = _leak_in_thinking(reasoning, tools)
        in_reasoning = leak is not None
        pointer = reasoning_pointer if leak else pointer
    if leak is not None and leak.confidence < 0.4:
        leak = None
    common: dict[str, Any] = {
        "exchange": exchange,
        "calls": calls,
        "leak": leak,
        "leak_pointer": pointer if leak else "",
        "in_reasoning": in_reasoning and leak is not None,
        "stray": _stray(visible) if calls and leak is None else "",
        "text": visible,
        "finish": finish,
        "cut": cut,
        "streamed": streamed,
        "legacy": legacy,
        "assembly": assembly,
    }
    if calls:
        unfinished = cut and not _whole(calls[-1].arguments)
        return Reading(kind=Kind.CUT if unfinished else Kind.CALLED, **common)
    if leak is not None:
        if cut and leak.partial and len(leak.calls) == 1 and not leak.calls[0].name:
            return Reading(kind=Kind.CUT, **common)
        return Reading(kind=Kind.LEAKED, **common)
    if visible:
        return Reading(kind=Kind.PROSE, **common)
    return Reading(kind=Kind.CUT if cut else Kind.EMPTY, **common)


def _leak_in_thinking(reasoning: str, tools: list[Any]) -> Leak | None:
    """A call that a reasoning parser swallowed: all that was said is thinking that ends in markup.

    Thinking aloud about JSON is common, so only known markup counts.
    """
    leak = find_calls(reasoning, tools)
    if leak is None or leak.kind != "marker" or not leak.offered:
        return None
    rest = reasoning[leak.calls[-1].end :].strip()
    return leak if len(rest) <= 80 else None


#: Markers that are nothing but markup: special tokens and tags, no ordinary punctuation.
_MARKERS = tuple(
    sorted(
        {hint for family in FAMILIES if not family.bare for hint in family.hints if len(hint) >= 9 and hint[0] in "<[]"}
    )
)


def _stray(text: str) -> str:
    return next((marker for marker in _MARKERS if marker in text), "")


def shown(value: Any, most: int = 200) -> str:
    """A stranger's value as a short text, for a detail or as evidence."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__} that is nested too deeply"
    return text if len(text) <= most else text[:most] + "…"


def _whole(arguments: Any) -> bool:
    if not isinstance(arguments, str):
        return arguments is not None
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return True
