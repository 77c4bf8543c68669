"""tools.agent: tools as agents offer them, in one request.

A long and a hyphenated name, a tool without parameters, the schema keywords that generators of schemas write, and
values of every type.  A refusal is narrowed down to the keyword, the name or the tool; an answer is compared with the
values that were asked for, and what looks changed is asked once more.  A long text (tools.long) is compared likewise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from checks.shared.outcome import words_of
from checks.tools import requests
from checks.tools.agent_values import (
    AS_STRINGS,
    BARE_NAME,
    LONG_NAME,
    LONG_TEXT,
    REPLACED,
    VALUES,
    Sign,
    agent_question,
    agent_tools,
    are_right,
    arguments_of,
    likely_first,
    other_values,
    signs,
)
from checks.tools.catalogue import (
    NAME_ALTERED,
    NAME_REJECTED,
    NO_ARGUMENTS,
    NOT_JSON,
    NOT_STRING,
    OFF_SCHEMA,
    REJECTED,
    SCHEMA_REJECTED,
    STREAM_FRAGMENTS,
    VALUES_ALTERED,
)
from checks.tools.model_text import as_calls, as_json
from checks.tools.reading import Kind, Reading, read
from checks.tools.refusal import Refusal, is_overflow, meaning, refusal_of, speaks_of_schema
from probe.api import (
    BudgetExceeded,
    Depth,
    Finding,
    Inconclusive,
    Owner,
    Result,
    Severity,
    Skip,
    State,
    Throttled,
    check,
    wording,
)

if TYPE_CHECKING:
    from probe.api import Context

#: Output limit (tokens) of the two calls.
LIMIT = 400
#: Requests that narrow a refusal down.
MOST_BISECTIONS = 5
_BY_CODE = {item.code: item for item in (VALUES_ALTERED, NAME_ALTERED, NO_ARGUMENTS, OFF_SCHEMA)}
#: Findings that already say what is wrong with every call.
_KNOWN = {
    NO_ARGUMENTS.code: frozenset({NOT_JSON.code, NOT_STRING.code, VALUES_ALTERED.code}),
    VALUES_ALTERED.code: frozenset({NOT_STRING.code}),
}


@dataclass(frozen=True)
class Variant:
    """A form of the request, and its answer."""

    tools: tuple[requests.Tool, ...]
    reading: Reading


@check(
    "tools.agent",
    title="Offer tools as agents do",
    proves="Usual schema keywords, names and tools without parameters are accepted, and values come back unchanged.",
    requires={"chat"},
    after={
        "tools",
        "tool_results",
        "streaming_tools",
        "tool_choice_required",
        "tool_choice_named",
        "stream.characters",
    },
    emits=(
        *(SCHEMA_REJECTED, REJECTED, NAME_REJECTED, NO_ARGUMENTS, VALUES_ALTERED, OFF_SCHEMA, NAME_ALTERED),
        STREAM_FRAGMENTS,
    ),
    max_requests=9,
    max_tokens=10_000,
    least_requests=1,
)
async def agent(ctx: Context) -> Result:
    state = ctx.target.tools
    if state is None or state["way"] not in ("auto", "explicit") or state["outcome"] != "called":
        raise Skip("a plain tool is not called of the model's own choice")
    streaming = ctx.verdicts.get("streaming_tools")
    stream = streaming is not None and streaming.verdict is State.WORKS
    first = await _send(ctx, agent_tools(), stream=stream)
    if first.reading.refused:
        return await _narrow_down(ctx, first, stream=stream)
    if not first.reading.answered:
        raise Inconclusive(first.reading.why)
    asked = [(first.reading, signs(first.reading))]
    if asked[0][1]:
        try:
            await _ask_again(ctx, asked, stream=stream)
        except (BudgetExceeded, Throttled):
            return Result(note="a changed call was seen once and could not be asked for again")
    elif ctx.options.depth is Depth.DEEP and stream:
        whole = await _send(ctx, agent_tools(), stream=False)
        asked.append((whole.reading, signs(whole.reading)))
        if asked[1][1]:
            again = await _send(ctx, agent_tools(), stream=False)
            asked.append((again.reading, signs(again.reading)))
    with suppress(BudgetExceeded, Throttled):  # what could not be decided stays a note
        asked = await _decided(ctx, asked)
    kinds = {kind for kind, count in Counter(sign.kind for _, seen in asked for sign in seen).items() if count > 1}
    if (strings := {kind for kind in kinds if kind.endswith(AS_STRINGS)}) and not await _server_writes(ctx, strings):
        asked = [(one, [sign for sign in seen if sign.kind not in strings]) for one, seen in asked]
        return diagnose_agent(asked, ctx.codes) | Result(
            note=f"{wording.listing(sorted(strings))}: it may be the model"
        )
    return diagnose_agent(asked, ctx.codes)


async def _decided(ctx: Context, asked: list[tuple[Reading, list[Sign]]]) -> list[tuple[Reading, list[Sign]]]:
    """The answers with those signs sure that the model refutes by what it writes as text: at most two requests.

    It has the same values right as JSON; and where models have such habits in calls, in a call that is text too.
    """
    counted = Counter(sign.kind for _, seen in asked for sign in seen)
    open_signs = {
        sign.kind: sign
        for _, seen in asked
        for sign in seen
        if sign.names
        and sign.code not in ctx.codes
        and counted[sign.kind] > 1
        and not _is_sure(sign, _where(sign, asked), asked)
    }
    if not open_signs:
        return asked
    written = await as_json(ctx, VALUES, LIMIT)
    known = {kind: sign for kind, sign in open_signs.items() if are_right(written, sign.names)}
    if any(sign.habit for sign in known.values()):
        tools = agent_tools(bare=False)
        calls = await as_calls(ctx, tools[0], agent_question(tools), LIMIT)
        made = [value for call in calls if isinstance(value := arguments_of(call), dict)]
        known = {
            kind: sign
            for kind, sign in known.items()
            if not sign.habit or any(are_right(one, sign.names) for one in made)
        }
    told = ". Asked for them as text, the same model writes the right values"
    return [
        (reading, [replace(s, sure=True, detail=s.detail + told) if s.kind in known else s for s in seen])
        for reading, seen in asked
    ]


async def _server_writes(ctx: Context, kinds: set[str]) -> bool:
    """Whether values in strings are the doing of the server: the model and a forced call have them right.

    Hardly any model writes its lists and objects as strings too; a parser without types does it to all.
    A forced call is written under a grammar or by another parser.  What the model itself writes shows a call as text;
    where it writes none, the forced one decides alone.
    """
    if len(kinds) > 1 and any(kind.startswith(("arrays", "objects")) for kind in kinds):
        return True
    tools = agent_tools(bare=False)
    question = agent_question(tools)
    forced = read(await ctx.chat(question, limit=LIMIT, tools=tools, tool_choice="required"))
    if not forced.calls or kinds & {sign.kind for sign in signs(forced)}:
        return False
    calls = await as_calls(ctx, tools[0], question, LIMIT)
    return not kinds & {sign.kind for sign in signs(replace(forced, calls=tuple(calls)))}


async def _send(ctx: Context, tools: list[requests.Tool], *, stream: bool) -> Variant:
    more: dict[str, Any] = {"stream": True} if stream else {}
    if ctx.target.tools and ctx.target.tools["way"] == "explicit":
        more["tool_choice"] = "auto"
    exchange = await ctx.chat(agent_question(tools), limit=LIMIT, tools=tools, **more)
    return Variant(tuple(tools), read(exchange))


async def _ask_again(ctx: Context, asked: list[tuple[Reading, list[Sign]]], *, stream: bool) -> None:
    """Ask without streaming; where that shows nothing and the first was streamed, streamed once more."""
    whole = await _send(ctx, agent_tools(), stream=False)
    asked.append((whole.reading, signs(whole.reading)))
    kinds = {sign.kind for sign in asked[0][1]}
    if stream and not kinds & {sign.kind for sign in asked[1][1]}:
        again = await _send(ctx, agent_tools(), stream=True)
        asked.append((again.reading, signs(again.reading)))


# Diagnosis of an answer ----------------------------------------------------------------------------


def diagnose_agent(asked: Sequence[tuple[Reading, Sequence[Sign]]], codes: frozenset[str] = frozenset()) -> Result:
    """Judge answers to the same question.

    Args:
        asked: each answer and its signs, in order.
        codes: the findings so far, so that one cause gives one finding.
    """
    findings: dict[str, Finding] = {}
    once = []
    for reading, seen in asked:
        for sign in seen:
            if sign.code in codes or _KNOWN.get(sign.code, frozenset()) & codes or sign.code in findings:
                continue
            where = _where(sign, asked)
            if len(where) < 2 or not _is_sure(sign, where, asked):
                once.append(sign.kind)
                continue
            if sign.kind == REPLACED and "stream.utf8" in codes and all(other.streamed for other in where):
                continue
            findings[sign.code] = _finding(sign, reading, where, asked)
    note = ""
    if once:
        times = wording.amount(len(asked), "answer")
        note = (
            f"not seen in each of {times}, or perhaps the model's own: {wording.listing(list(dict.fromkeys(once))[:3])}"
        )
    elif not findings and not any(reading.calls for reading, _ in asked):
        note = "the model made no call with these tools"
    elif not findings and (names := sorted({name for reading, _ in asked for name in other_values(reading)})):
        note = f"the model's own, or changed in a way that shows no cause: {wording.listing(names[:3])}"
    return Result(tuple(findings.values()), note=note)


def _where(sign: Sign, asked: Sequence[tuple[Reading, Sequence[Sign]]]) -> list[Reading]:
    """The answers that have a sign of this kind."""
    return [other for other, marks in asked if any(mark.kind == sign.kind for mark in marks)]


def _is_sure(sign: Sign, where: Sequence[Reading], asked: Sequence[tuple[Reading, Sequence[Sign]]]) -> bool:
    """Whether a sign is not a model's own: by its form, or because the other mode has the text right."""
    modes = {other.streamed for other in where}
    right = any(reading.calls and reading.streamed not in modes for reading, _ in asked)
    return sign.sure or (len(modes) == 1 and right)


def _finding(
    sign: Sign, reading: Reading, where: Sequence[Reading], asked: Sequence[tuple[Reading, Sequence[Sign]]]
) -> Finding:
    modes = {other.streamed for other in where}
    every = {other.streamed for other, _ in asked}
    how = ", streamed and whole" if len(modes) == 2 else ""
    if len(modes) == 1 and len(every) == 2:
        how = ", only streamed" if True in modes else ", only without streaming"
    times = wording.amount(len(where), "answer")
    detail = f"In {times} to the same question{how}, the call {sign.detail}."
    evidence = [
        other.exchange.shows(mark.pointer, expected=mark.expected, actual=mark.actual)
        for other, marks in asked
        for mark in marks
        if mark.kind == sign.kind
    ]
    lost_in_stream = (sign.lost or sign.kind == LONG_TEXT) and modes == {True} and len(every) == 2
    diagnosis = STREAM_FRAGMENTS if lost_in_stream else _BY_CODE[sign.code]
    return diagnosis.found(detail, *evidence[:2], confidence=0.9, owner=Owner.SERVER)


# Diagnosis of a refusal ----------------------------------------------------------------------------


async def _narrow_down(ctx: Context, first: Variant, *, stream: bool) -> Result:
    """Leave out the keywords, the names and one tool in turn, at most six requests."""
    if first.reading.kind is Kind.FAILED:
        first = await _send(ctx, agent_tools(), stream=stream)
        if not first.reading.refused:
            return Result(note="the request failed once and was answered when it was repeated")
    said = words_of(first.reading.exchange)
    plain = await _send(ctx, agent_tools(()), stream=stream)
    if plain.reading.answered:
        return await _keyword(ctx, first, stream=stream)
    named = await _send(ctx, agent_tools(odd_names=False), stream=stream)
    if named.reading.answered:
        short = await _send(ctx, agent_tools(long_name=False), stream=stream)
        return Result((_refused_name(first, short),))
    alone = await _send(ctx, agent_tools(bare=False), stream=stream)
    if not alone.reading.answered:
        if read(await ctx.chat(agent_question(list(alone.tools)), limit=LIMIT)).refused:
            return Result(note=f"the same words are refused without tools too ({said})")
        return _refused_always(alone.reading, "Tools as agents offer them were refused in every form that was tried")
    # Without it there are fewer tools too, which may be what counts.
    bare = await _send(ctx, agent_tools(odd_names=False)[1:], stream=stream)
    if bare.reading.answered:
        return _refused_always(first.reading, "Two tools in one request were refused, each of them alone was answered")
    if not bare.reading.refused:
        return Result(note=f"two tools were refused, and the answer to one of them was lost ({said})")
    detail = f"A request with {BARE_NAME}, a tool without parameters, was refused: {words_of(bare.reading.exchange)}. "
    detail += "Without it the same request was answered."
    return Result((NO_ARGUMENTS.found(detail, refusal_of(bare.reading.exchange)),))


def _refused_always(reading: Reading, what: str) -> Result:
    """A refusal whose reason only its words tell; a note where they are about the model's output or the context."""
    exchange = reading.exchange
    said = f"{what}: {words_of(exchange)}"
    if not reading.refused or meaning(exchange) is Refusal.MODEL_FAILED or is_overflow(exchange):
        return Result(note=said)
    finding = (SCHEMA_REJECTED if speaks_of_schema(exchange) else REJECTED).found(
        f"{said}. A plain tool is accepted.",
        refusal_of(exchange),
        severity=Severity.WARNING,
        remedy="Change what the error text names at the server or the gateway. Until then let the client offer fewer "
        "and simpler tools.",
    )
    return Result((finding,))


async def _keyword(ctx: Context, first: Variant, *, stream: bool) -> Result:
    """Which keyword is refused: each alone, the one that the error names first; the last one by elimination."""
    order = likely_first(words_of(first.reading.exchange))
    for place, keyword in enumerate(order[: MOST_BISECTIONS - 1]):
        alone = await _send(ctx, agent_tools((keyword,)), stream=stream)
        if alone.reading.refused:
            return Result((refused_keyword(keyword, alone.reading, order[:place]),))
    return Result((refused_keyword(order[-1], first.reading, order[:-1], confidence=0.8),))


def refused_keyword(keyword: str, reading: Reading, accepted: Sequence[str], *, confidence: float = 1.0) -> Finding:
    """The finding for a schema keyword.

    Args:
        reading: the refusal.
        accepted: the keywords that are accepted alone.
    """
    shown = "`$ref` with `$defs`" if keyword == "$ref" else f"`{keyword}`"
    what = "with `strict: false`" if keyword == "strict" else f"whose parameters use {shown}"
    detail = f"A tool {what} was refused: {words_of(reading.exchange)}. Without it the same tool was "
    detail += "accepted."
    if accepted:
        detail += f" Accepted: {wording.listing([f'`{one}`' for one in accepted])}."
    return SCHEMA_REJECTED.found(detail, refusal_of(reading.exchange), confidence=confidence)


def _refused_name(first: Variant, short: Variant) -> Finding:
    """The finding for a name.

    Args:
        first: the refusal of both names.
        short: the hyphenated name without the long one.
    """
    hyphen = short.reading.refused
    shown = f"{BARE_NAME} (with hyphens)" if hyphen else f"{LONG_NAME} ({len(LONG_NAME)} characters)"
    reading = short.reading if hyphen else first.reading
    detail = (
        f"A tool with the name {shown} was refused: {words_of(reading.exchange)}. With a short name of letters and "
    )
    detail += "underscores the same tool was accepted."
    return NAME_REJECTED.found(detail, refusal_of(reading.exchange))
