"""tools.call: one question that wants the tool, and what becomes of it.

Where a sound call comes back, that is all.  Where the call stands in the text or is
unsound, the question is put once more, with longer tools: whether it was chance, and
whether the prompt grows with the tools.  Where no call comes, three things are told
apart: tools that never arrive, a choice that has no effect, and a model that declines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from checks.shared.evidence import FLAKY_TRIALS, ROUNDS, Count, counts_live
from checks.tools import leaked_calls, refusal, requests
from checks.tools.catalogue import (
    FINISH,
    ID_DUPLICATE,
    ID_MISSING,
    IGNORED,
    NOT_CALLED,
    NOT_ENABLED,
    NOT_JSON,
    NOT_STRING,
    OFF_SCHEMA,
    PARSER_MISSING,
    REJECTED,
    TEXT_CALL,
)
from checks.tools.markup import judge
from checks.tools.prompt_growth import Growth, Shown, Signs, growth, reached, says
from checks.tools.reading import Kind, Reading, read
from checks.tools.structured_calls import Fault, faults
from probe.api import (
    BudgetExceeded,
    Depth,
    Finding,
    Inconclusive,
    Result,
    Severity,
    State,
    Throttled,
    Verdict,
    because,
    check,
    unknown,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context


# What the answers to the family's first question say: the verdict on tools, and what the other checks go by.  Pure.


def sound(reading: Reading) -> bool:
    """Whether an answer is a structured call that a client can use."""
    if reading.kind is not Kind.CALLED:
        return False
    return not any(fault.breaks for fault in faults(reading)) and leaked_calls.beside(reading, "unknown") is None


def chancy(reading: Reading) -> bool:
    """Whether another answer to the same question may come out differently."""
    if reading.kind is not Kind.CALLED:
        return True
    return any(fault.chancy for fault in faults(reading)) or leaked_calls.beside(reading, "unknown") is not None


@dataclass(frozen=True)
class Seen:
    """A finding with the number of calls it was seen in, and whether it makes the call unusable."""

    finding: Finding
    count: Count
    breaks: bool


def diagnose_calls(asked: Sequence[Reading], server: str, signs: Signs | None) -> Result:
    """What the calls that came back, structured or in the text, say."""
    calls = [reading for reading in asked if reading.tried]
    if signs is not None and not any(reading.kind is Kind.CALLED for reading in calls):
        reach = reached(signs)
        if reach.shown is Shown.NO and signs.growth is not None:
            detail = f"The model wrote a call of its own invention into the text, but {reach.why}."
            return _ignored(detail, reach.confidence, reach.evidence)
    seen = _gather(calls, server)
    best = next((reading for reading in calls if sound(reading)), None)
    structured = best or next((reading for reading in calls if reading.kind is Kind.CALLED), None)
    broken = next((one for one in seen if one.breaks and one.count.turns()), None)
    facts: dict[str, Any] = {}
    leaked = next((reading for reading in calls if reading.leak is not None and reading.kind is Kind.LEAKED), None)
    if leaked is not None and leaked.leak is not None:
        facts = leaked_calls.facts(leaked.leak, server)
    if broken is not None:
        verdict = because(State.BROKEN, broken.finding)
    else:
        declined = len(asked) - len(calls)
        notes = [one.finding.title for one in seen]
        if declined:
            notes.append(f"the model called in {len(calls)} of {len(asked)} tries")
        verdict = works("; ".join(notes))
    outcome = "called" if structured is not None else "leaked"
    return Result(
        findings=tuple(one.finding for one in seen),
        verdicts={"tools": verdict},
        facts=facts,
        settles=settled("auto", outcome, structured),
    )


def _gather(calls: Sequence[Reading], server: str) -> list[Seen]:
    """Every finding once, counted over the calls."""
    bad: dict[str, list[tuple[Reading, Fault | None]]] = {}
    for reading in calls:
        if reading.kind is Kind.LEAKED and reading.leak is not None:
            bad.setdefault(leaked_calls.diagnosis(reading.leak).code, []).append((reading, None))
            continue
        for fault in faults(reading):
            bad.setdefault(fault.diagnosis.code, []).append((reading, fault))
        if (also := leaked_calls.beside(reading, server)) is not None:
            bad.setdefault(also[0].code, []).append((reading, None))
    found = []
    for listed in bad.values():
        count = Count(len(listed), len(calls))
        reading, first = listed[0]
        more = count.sentence()
        if first is not None:
            made, breaks = first.finding(more, count.confidence), first.breaks
        elif reading.kind is Kind.LEAKED:
            made, breaks = leaked_calls.found(reading, server, more), True
        else:
            also = leaked_calls.beside(reading, server)
            assert also is not None
            made, breaks = replace(also[0], detail=f"{also[0].detail} {more}".strip()), also[1]
        if breaks and not count.turns():
            made = replace(made, severity=Severity.WARNING)
        found.append(Seen(made, count, breaks))
    return found


def diagnose_silence(asked: Sequence[Reading], signs: Signs, *, able: bool = True) -> Result:
    """No call came of the model's own accord: whose doing is it?

    Args:
        able: the model did the plainest thing it was asked before any tool came.  One that
            did not is too weak for its silence to mean anything.
    """
    reach = reached(signs)
    if reach.shown is Shown.NO:
        return _ignored(f"Tools were accepted, and {reach.why}.", reach.confidence, reach.evidence)
    way, forced = _forced(signs)
    if all(reading.kind is Kind.CUT for reading in asked):
        verdict = unknown("the output limit cut every answer off before a call")
        return Result(verdicts={"tools": _by_force(verdict, forced)}, settles=settled(way, "cut", forced))
    odd = [fault for reading in asked for fault in faults(reading)]
    if odd:
        finding = odd[0].finding()
        return Result(
            findings=(finding,),
            verdicts={"tools": because(State.BROKEN, finding)},
            settles=settled(way, "lost", forced),
        )
    if reach.shown is Shown.UNSURE or not able:
        why = reach.why if able else "it does not follow plain requests without tools either"
        verdict = unknown(f"the model answered without a call, and {why}")
        return Result(verdicts={"tools": _by_force(verdict, forced)}, settles=settled(way, "unsure", forced))
    text = asked[0].text
    detail = f"{reach.why[0].upper()}{reach.why[1:]}. It answered {_opening(text)} and made no call"
    detail += ", not even when told to." if len(signs.rest) > 1 else "."
    if forced is not None:
        detail += " A forced call works."
    finding = NOT_CALLED.found(
        detail,
        asked[0].exchange.shows("/response/body/choices/0/message/tool_calls", expected="a call", actual=None),
        *reach.evidence,
        confidence=reach.confidence,
    )
    note = "the tools reach the model, which answers in prose"
    verdict = _by_force(unknown(note), forced)
    return Result(findings=(finding,), verdicts={"tools": verdict}, settles=settled(way, "declined", forced))


def _ignored(detail: str, confidence: float, evidence: Sequence[Any]) -> Result:
    finding = IGNORED.found(detail, *evidence, confidence=confidence)
    return Result(
        findings=(finding,),
        verdicts={"tools": because(State.IGNORED, finding)},
        settles=settled("", "ignored", None),
    )


def _forced(signs: Signs) -> tuple[str, Reading | None]:
    """The way in which a sound call can be had by force, and that call."""
    for reading in signs.forced_calls:
        if not any(fault.breaks for fault in faults(reading, forced=True, lenient=True)):
            choice = reading.exchange.request.body.get("tool_choice")
            return ("required" if choice == "required" else "named"), reading
    return "", None


def _by_force(verdict: Verdict, forced: Reading | None) -> Verdict:
    """``works`` where a forced call works, since the tools and the parser are proved by it."""
    if forced is None:
        return verdict
    return works(f"{verdict.note}; a forced call works", confidence=0.8)


def _opening(text: str) -> str:
    short = " ".join(text.split())
    return f'"{short[:100]}{"…" if len(short) > 100 else ""}"' if short else "with nothing"


def settled(way: str, outcome: str, reading: Reading | None) -> dict[str, Any]:
    """What the family's other checks go by.

    ``way`` is how a call can be had: auto, required, named or empty; ``outcome`` is called,
    leaked, ignored, declined, unsure, cut, lost or refused; ``call`` is a call to answer.
    """
    made = reading.calls[0] if reading is not None and reading.calls else None
    call = None
    usable = made is not None and isinstance(made.id, str) and made.id and made.name == "get_weather"
    if made is not None and usable and judge(made.arguments, None).ok:
        call = {"id": made.id, "name": made.name, "arguments": made.arguments, "more": dict(made.more)}
    return {"tools": {"way": way, "outcome": outcome, "call": call}}


# tools.call: one question that wants the tool, and what becomes of it. -----------------------------

#: Room for a model that thinks long before it calls (tokens).
MORE_ROOM = 1500


@check(
    "tools.call",
    title="Call a tool",
    proves="A question that wants the offered tool comes back as a structured call with usable arguments and an id.",
    requires={"chat"},
    provides={"tools"},
    emits=(
        REJECTED,
        NOT_ENABLED,
        IGNORED,
        NOT_CALLED,
        PARSER_MISSING,
        TEXT_CALL,
        NOT_JSON,
        NOT_STRING,
        OFF_SCHEMA,
        ID_MISSING,
        ID_DUPLICATE,
        FINISH,
    ),
    max_requests=12,
    max_tokens=8000,
    depth=Depth.QUICK,
)
async def call(ctx: Context) -> Result:
    first = read(await requests.auto(ctx))
    if first.kind in (Kind.REFUSED, Kind.FAILED, Kind.LOST):
        return await refusal.look_into(ctx, first)
    asked = [first]
    try:
        await _ask_on(ctx, asked)
        if any(reading.tried for reading in asked):
            signs = await _doubt(ctx, asked)
            return diagnose_calls(asked, leaked_calls.server_of(ctx, *asked), signs)
        signs = await _signs(ctx, asked)
    except (BudgetExceeded, Throttled) as stopped:
        if not first.tried:
            raise Inconclusive(f"no call came back at first, and then {stopped}") from None
        return diagnose_calls(asked, leaked_calls.server_of(ctx, *asked), None)
    if any(reading.tried for reading in signs.rest):
        known = {reading.exchange.id for reading in asked}
        more = [reading for reading in signs.rest if reading.exchange.id not in known]
        every = [*asked, *more]
        return diagnose_calls(every, leaked_calls.server_of(ctx, *every), signs)
    return diagnose_silence(asked, signs, able=_able(ctx, asked))


def _able(ctx: Context, asked: Sequence[Reading]) -> bool:
    """Whether the model follows what it is asked: it repeated the first code, or speaks of the matter.

    A model that does neither writes noise, and its silence about a tool means nothing.
    """
    if any(re.search(r"paris|weather|celsius|tool|function", reading.text, re.IGNORECASE) for reading in asked):
        return True
    basic = next((item for item in ctx.exchanges if item.id == ctx.target.chat_exchange), None)
    return basic is None or says(basic, ctx.nonce("chat"))


# Asking ------------------------------------------------------------------------------------------


async def _ask_on(ctx: Context, asked: list[Reading]) -> None:
    """Ask until it is settled, or as often as the user said."""
    fixed = ctx.options.trials
    while len(asked) < (fixed or _enough(asked)):
        asked.append(read(await _again(ctx, asked)))


def _enough(asked: Sequence[Reading]) -> int:
    """How often to ask in all, going by the answers so far."""
    if asked[0].kind is Kind.CUT and len(asked) == 1:
        return 2
    if not chancy(asked[0]):
        return 1
    if len(asked) < 2:
        return 2
    calls = [reading for reading in asked if reading.tried]
    clean = [reading for reading in calls if sound(reading)]
    return FLAKY_TRIALS if 0 < len(clean) < len(calls) else 2


async def _again(ctx: Context, asked: Sequence[Reading]) -> Any:
    """The question again: the second time with longer tools, then as it was."""
    if asked[-1].kind is Kind.CUT:
        return await ctx.chat(requests.QUESTION, limit=MORE_ROOM, tools=[requests.weather()])
    if len(asked) == 1 and not ctx.options.trials:
        return await ctx.chat(requests.QUESTION, limit=requests.LIMIT, share="tools.wordy", tools=requests.wordy())
    return await ctx.chat(requests.QUESTION, limit=requests.LIMIT, tools=[requests.weather()])


async def _wordy(ctx: Context) -> Reading:
    return read(await ctx.chat(requests.QUESTION, limit=requests.LIMIT, share="tools.wordy", tools=requests.wordy()))


def _growth(asked: Sequence[Reading], wordy: Reading | None) -> Growth | None:
    """Growth between the first answer and the one with longer tools."""
    if wordy is None or wordy.kind in (Kind.REFUSED, Kind.FAILED, Kind.LOST):
        return None
    return growth(asked[0].exchange, wordy.exchange)


async def _doubt(ctx: Context, asked: list[Reading]) -> Signs | None:
    """For a call that stands in the text: was the model shown the tools, or does it make one up?

    A model that never saw the tools may still write a call, since the question names one.
    """
    if any(reading.kind is Kind.CALLED for reading in asked):
        return None
    grown = _growth(asked, await _wordy(ctx))
    if grown is None or not grown.stayed:
        return None
    return replace(await _code(ctx, 1), growth=grown, counted=counts_live(ctx.exchanges))


async def _signs(ctx: Context, asked: list[Reading]) -> Signs:
    """No call came: gather what tells why."""
    wordy = await _wordy(ctx)
    grown = _growth(asked, wordy)
    rest = [wordy]
    signs = Signs(growth=grown)
    if wordy.tried:
        return replace(signs, rest=tuple(rest))
    if grown is not None and grown.grew:
        rest.append(read(await ctx.chat(requests.ORDER, limit=requests.LIMIT, tools=[requests.weather()])))
        if rest[-1].tried:
            return replace(signs, rest=tuple(rest))
    else:
        stayed = grown is not None and grown.stayed and counts_live(ctx.exchanges)
        signs = replace(await _code(ctx, 1 if stayed else ROUNDS), growth=grown)
        if signs.told and signs.told[0].tried:
            return replace(signs, rest=(*rest, signs.told[0]))
    forced = [read(await requests.required(ctx))]
    if forced[0].kind is not Kind.CALLED:
        forced.append(read(await requests.by_name(ctx)))
    return replace(signs, forced=tuple(forced), rest=tuple(rest), counted=counts_live(ctx.exchanges))


async def _code(ctx: Context, rounds: int) -> Signs:
    """Ask for a code that only the tool's description holds; and where it is missed, whether it could be known.

    The model then has to find one in a tool's definition, shown as chat templates show it: a small
    model that repeats a sentence may make nothing of a definition.

    Args:
        rounds: how often it has to be missed there and found here before it is believed.
    """
    signs = Signs()
    for place in range(rounds):
        code = ctx.nonce(f"tool-description-{place}")
        told = read(await ctx.chat(requests.NAME_THE_CODE, limit=requests.LIMIT, tools=[requests.coded(code)]))
        signs = replace(signs, told=(told, code))
        if signs.code_named or signs.code_named is None:
            return signs
        other = ctx.nonce(f"tool-description-control-{place}")
        messages = [
            {"role": "system", "content": requests.as_template(requests.coded(other))},
            {"role": "user", "content": requests.NAME_THE_CODE},
        ]
        signs = replace(signs, control=(await ctx.chat(messages, limit=requests.LIMIT), other))
        if not signs.capable:
            return signs
    return signs
