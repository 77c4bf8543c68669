"""tools.call: one question that needs the tool, and the verdict on its answer.

A sound call settles it.  Where the call is in the text or has a fault, the question is repeated with longer tools,
which shows whether it was chance and whether the prompt grows with the tools.  Where no call comes, three causes are
distinguished: the tools never reach the model, a forced choice has no effect, or the model declines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from checks.shared.evidence import counts_live
from checks.shared.first_request import first_chat
from checks.shared.trials import FLAKY_TRIALS, ROUNDS, Count
from checks.tools import requests
from checks.tools.catalogue import CALL_FAULTS, IGNORED, NOT_CALLED, NOT_ENABLED, REJECTED
from checks.tools.leaked_calls import facts, leak_finding, leak_with_calls, server_of
from checks.tools.markup import judge
from checks.tools.model_text import as_calls
from checks.tools.prompt_growth import Growth, Shown, Signs, growth, names_code, reached
from checks.tools.reading import Kind, Reading, read
from checks.tools.refusal import NO_FORCED_CALL, examine_refusal
from checks.tools.replay import answers_question, city_of, other_city
from checks.tools.state import settled
from checks.tools.structured_calls import Fault, faults
from probe.api import (
    BudgetExceeded,
    Depth,
    Finding,
    Inconclusive,
    Owner,
    Result,
    Severity,
    State,
    Throttled,
    Verdict,
    because,
    check,
    unknown,
    wording,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

#: Output limit (tokens) for a model that reasons at length before it calls.
MORE_ROOM = 1500


@check(
    "tools.call",
    title="Call a tool",
    proves="A question that needs the offered tool returns a structured call with usable arguments and an id.",
    requires={"chat"},
    provides={"tools"},
    emits=(REJECTED, NOT_ENABLED, IGNORED, NOT_CALLED, *CALL_FAULTS),
    max_requests=15,
    max_tokens=8000,
    depth=Depth.QUICK,
)
async def call(ctx: Context) -> Result:
    first = read(await requests.auto(ctx))
    if not first.answered:
        return await examine_refusal(ctx, first)
    asked = [first]
    try:
        if ctx.slow and ctx.options.soon_s is not None and not first.has_call:
            # Repetitions take too long there; a call that is forced proves tools and parser.
            return diagnose_silence(asked, Signs(forced=(read(await requests.required(ctx)),)))
        while len(asked) < (ctx.options.trials or _enough(asked)):
            asked.append(read(await _ask_again(ctx, asked)))
        if any(reading.has_call for reading in asked):
            signs = await _leak_signs(ctx, asked)
            return diagnose_calls(asked, server_of(ctx, *asked), signs, written=await _is_written_right(ctx, asked))
        if not any(reading.kind is Kind.CUT for reading in asked):
            explicit = await _with_explicit_auto(ctx)
            if explicit:
                return diagnose_explicit(asked, explicit)
        signs = await _silence_signs(ctx, asked)
    except (BudgetExceeded, Throttled) as stopped:
        if not first.has_call:
            raise Inconclusive(f"no call came back at first, and then {stopped}") from None
        return diagnose_calls(asked, server_of(ctx, *asked), None)
    if any(reading.has_call for reading in signs.others):
        known = {reading.exchange.id for reading in asked}
        every = [*asked, *(reading for reading in signs.others if reading.exchange.id not in known)]
        return diagnose_calls(every, server_of(ctx, *every), signs)
    return diagnose_silence(asked, signs, able=_is_able(ctx, asked))


def _is_able(ctx: Context, asked: Sequence[Reading]) -> bool:
    """Whether the model follows a plain request: it repeated the first code, or mentions the subject."""
    if any(re.search(r"paris|weather|celsius|tool|function", reading.text, re.IGNORECASE) for reading in asked):
        return True
    basic = first_chat(ctx)
    return basic is None or names_code(basic, ctx.nonce("chat"))


# Requests ------------------------------------------------------------------------------------------


def _enough(asked: Sequence[Reading]) -> int:
    """How often to ask in all, by the answers so far."""
    if asked[0].kind is Kind.CUT and len(asked) == 1:
        return 2
    if not is_chancy(asked[0]):
        return 1
    if len(asked) < 2:
        return 2
    calls = [reading for reading in asked if reading.has_call]
    clean = [reading for reading in calls if is_sound(reading)]
    return FLAKY_TRIALS if 0 < len(clean) < len(calls) else 2


async def _ask_again(ctx: Context, asked: Sequence[Reading]) -> Any:
    """The question again: with room for more tokens, the second time with longer tools, then unchanged."""
    if asked[-1].kind is Kind.CUT:
        return await ctx.chat(requests.QUESTION, limit=MORE_ROOM, tools=[requests.weather()])
    if len(asked) == 1 and not ctx.options.trials:
        return await _with_longer_tools(ctx)
    return await ctx.chat(requests.QUESTION, limit=requests.LIMIT, tools=[requests.weather()])


async def _with_explicit_auto(ctx: Context) -> list[Reading]:
    """The question twice with ``tool_choice: auto``, the API's default, and once more without.

    Empty where that makes no difference: the first two have to bring sound calls, and the last one none.
    """
    found: list[Reading] = []
    for choice in ("auto", "auto", None):
        asked = ctx.chat(requests.QUESTION, limit=requests.LIMIT, tools=[requests.weather()], tool_choice=choice)
        reading = read(await asked)
        if is_sound(reading) is (choice is None):
            return []
        found.append(reading)
    return found


async def _with_longer_tools(ctx: Context) -> Any:
    return await ctx.chat(requests.QUESTION, limit=requests.LIMIT, share="tools.wordy", tools=requests.wordy())


async def _is_written_right(ctx: Context, asked: Sequence[Reading]) -> bool:
    """Whether the model writes as text the call whose arguments do not fit the schema in any structured one."""
    calls = [reading for reading in asked if reading.kind is Kind.CALLED]
    if len(calls) < 2 or not all(any(fault.by_server for fault in faults(reading)) for reading in calls):
        return False
    tool = requests.weather()
    made = await as_calls(ctx, tool, requests.QUESTION, requests.LONG_LIMIT)
    return any(
        judge(one.arguments, tool["function"]["parameters"]).ok
        and city_of({"function": {"arguments": one.arguments}}, "") == "Paris"
        for one in made
    )


def _growth(asked: Sequence[Reading], longer: Reading) -> Growth | None:
    """Growth of the prompt between the first answer and the one with longer tools."""
    return growth(asked[0].exchange, longer.exchange) if longer.answered else None


async def _leak_signs(ctx: Context, asked: Sequence[Reading]) -> Signs | None:
    """Whether the model was shown the tools, where its call is in the text.

    The question names the tool, so a model that was not shown it may invent a call.
    """
    if any(reading.kind is Kind.CALLED for reading in asked):
        return None
    grown = _growth(asked, read(await _with_longer_tools(ctx)))
    if grown is None or not grown.stayed:
        return None
    return replace(await _code_signs(ctx, 1), growth=grown, counted=counts_live(ctx.exchanges))


async def _silence_signs(ctx: Context, asked: Sequence[Reading]) -> Signs:
    """The evidence where no call came."""
    longer = read(await _with_longer_tools(ctx))
    grown = _growth(asked, longer)
    others = [longer]
    signs = Signs(growth=grown)
    if longer.has_call:
        return replace(signs, others=(longer,))
    if grown is not None and grown.grew:
        others.append(read(await ctx.chat(requests.ORDER, limit=requests.LIMIT, tools=[requests.weather()])))
        if others[-1].has_call:
            return replace(signs, others=tuple(others))
    else:
        stayed = grown is not None and grown.stayed and counts_live(ctx.exchanges)
        signs = replace(await _code_signs(ctx, 1 if stayed else ROUNDS), growth=grown)
        if signs.described and signs.described[0].has_call:
            return replace(signs, others=(*others, signs.described[0]))
    forced = [read(await requests.required(ctx))]
    if forced[0].kind is not Kind.CALLED:
        forced.append(read(await requests.by_name(ctx)))
    return replace(signs, forced=tuple(forced), others=tuple(others), counted=counts_live(ctx.exchanges))


async def _code_signs(ctx: Context, rounds: int) -> Signs:
    """Ask for a code in the tool's description; where the model misses it, whether it can find one in a definition.

    The control shows a definition as chat templates do: a small model that repeats a sentence may fail to read it.

    Args:
        rounds: how often the code must be missed there and found in the control to count as evidence.
    """
    signs = Signs()
    for place in range(rounds):
        code = ctx.nonce(f"tool-description-{place}")
        answer = read(await ctx.chat(requests.NAME_THE_CODE, limit=requests.LIMIT, tools=[requests.coded(code)]))
        signs = replace(signs, described=(answer, code))
        if signs.code_named is not False:
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


# Diagnosis -----------------------------------------------------------------------------------------


def is_sound(reading: Reading) -> bool:
    """Whether an answer is a structured call that a client can use."""
    if reading.kind is not Kind.CALLED:
        return False
    return not any(fault.breaks for fault in faults(reading)) and leak_with_calls(reading, "unknown") is None


def is_chancy(reading: Reading) -> bool:
    """Whether another answer to the same question may be different."""
    if reading.kind is not Kind.CALLED:
        return True
    if not answers_question(reading):
        return True
    return any(fault.chancy for fault in faults(reading)) or leak_with_calls(reading, "unknown") is not None


def by_server(fault: Fault) -> Fault:
    """The fault where the model itself writes the call right."""
    if fault.by_server is None:
        return fault
    detail = f"{fault.detail} Asked to write the call as text, the same model writes it right."
    return Fault(fault.by_server, detail, fault.evidence, breaks=False, severity=Severity.WARNING, owner=Owner.SERVER)


@dataclass(frozen=True)
class Counted:
    """A finding, the number of calls it was found in, and whether it makes a call unusable."""

    finding: Finding
    count: Count
    breaks: bool


def diagnose_explicit(asked: Sequence[Reading], explicit: Sequence[Reading]) -> Result:
    """The finding where calls come only with ``tool_choice: auto`` written out.  Pure."""
    silent = len(asked) + 1
    finding = IGNORED.found(
        f"Without `tool_choice` the question was answered without a call {wording.amount(silent, 'time')}; with "
        '`tool_choice: "auto"`, which is the default, the call comes back.',
        explicit[-1].exchange.shows("/response/body/choices/0/message/tool_calls", expected="a call", actual=None),
        explicit[0].exchange.shows("/request/body/tool_choice", expected="no difference", actual="auto"),
        remedy='Send `tool_choice: "auto"` in every request with tools, in the client or by a rule of the gateway; the '
        "server does not apply the default.",
        confidence=0.95,
    )
    verdict = because(State.IGNORED, finding)
    return Result((finding,), {"tools": verdict}, settles=settled("explicit", "called", explicit[0]))


def diagnose_calls(asked: Sequence[Reading], server: str, signs: Signs | None, *, written: bool = False) -> Result:
    """Judge answers with calls, structured or in the text.

    Args:
        written: the model writes a call as text right that is never right where it is structured.
    """
    calls = [reading for reading in asked if reading.has_call]
    if signs is not None and not any(reading.kind is Kind.CALLED for reading in calls):
        reach = reached(signs)
        if reach.shown is Shown.NO and signs.growth is not None:
            detail = f"The model invented a call in the text, but {reach.why}."
            return _ignored(detail, reach.confidence, reach.evidence)
    counted = _count_findings(calls, server, written)
    structured = [reading for reading in calls if reading.kind is Kind.CALLED]
    best = next((reading for reading in structured if is_sound(reading)), next(iter(structured), None))
    broken = next((one for one in counted if one.breaks and one.count.breaks()), None)
    leak = next((reading.leak for reading in calls if reading.kind is Kind.LEAKED), None)
    if broken is not None:
        verdict = because(State.BROKEN, broken.finding)
    elif structured and not any(answers_question(reading) for reading in structured):
        verdict = unknown(other_city(structured[0]))
    else:
        notes = [one.finding.title for one in counted]
        if len(calls) < len(asked):
            notes.append(f"the model called in {len(calls)} of {len(asked)} trials")
        verdict = works("; ".join(notes))
    return Result(
        findings=tuple(one.finding for one in counted),
        verdicts={"tools": verdict},
        facts=facts(leak, server) if leak is not None else {},
        settles=settled("auto", "called" if best is not None else "leaked", best),
    )


def _count_findings(calls: Sequence[Reading], server: str, written: bool) -> list[Counted]:
    """Every finding once, counted over the calls."""
    found: dict[str, list[tuple[Finding, bool, bool]]] = {}  # finding, breaks, from a structured call
    for reading in calls:
        if reading.kind is Kind.LEAKED:
            items = [(leak_finding(reading, server), True, False)]
        else:
            found_here = [by_server(fault) if written else fault for fault in faults(reading)]
            items = [(fault.finding(), fault.breaks, True) for fault in found_here]
            if (leak := leak_with_calls(reading, server)) is not None:
                items.append((*leak, False))
        for item in items:
            found.setdefault(item[0].code, []).append(item)
    counted = []
    for items in found.values():
        finding, breaks, structured = items[0]
        count = Count(len(items), len(calls))
        finding = replace(
            finding,
            detail=f"{finding.detail} {count.sentence()}".strip(),
            confidence=count.confidence if structured else finding.confidence,
            severity=Severity.WARNING if breaks and not count.breaks() else finding.severity,
        )
        counted.append(Counted(finding, count, breaks))
    return counted


def diagnose_silence(asked: Sequence[Reading], signs: Signs, *, able: bool = True) -> Result:
    """Judge answers without a call.

    Args:
        able: the model followed the plainest request without tools; a weaker one's silence proves nothing.
    """
    reach = reached(signs)
    if reach.shown is Shown.NO:
        return _ignored(f"Tools were accepted, but {reach.why}.", reach.confidence, reach.evidence)
    way, forced = _forced_call(signs)
    if all(reading.kind is Kind.CUT for reading in asked):
        verdict = _with_forced(unknown("the token limit cut every answer off before a call"), forced)
        return Result(verdicts={"tools": verdict}, settles=settled(way, "cut", forced))
    odd = [fault for reading in asked for fault in faults(reading)]
    if odd:
        finding = odd[0].finding()
        return Result((finding,), {"tools": because(State.BROKEN, finding)}, settles=settled(way, "lost", forced))
    if reach.shown is Shown.UNSURE or not able:
        why = reach.why if able else "it does not follow plain requests without tools either"
        verdict = _with_forced(unknown(f"the model answered without a call, and {why}"), forced)
        return Result(verdicts={"tools": verdict}, settles=settled(way, "unsure", forced))
    detail = f"{reach.why[0].upper()}{reach.why[1:]}. It answered {wording.quote(asked[0].text, 100, 'with nothing')} "
    detail += "and made no call"
    detail += ", not even when instructed to." if len(signs.others) > 1 else "."
    if forced is not None:
        detail += " A forced call works."
    finding = NOT_CALLED.found(
        detail,
        asked[0].exchange.shows("/response/body/choices/0/message/tool_calls", expected="a call", actual=None),
        *reach.evidence,
        remedy=None if forced is not None or not signs.forced else NO_FORCED_CALL,
        confidence=reach.confidence,
    )
    verdict = _with_forced(unknown("the tools reach the model, which answers in prose"), forced)
    return Result((finding,), {"tools": verdict}, settles=settled(way, "declined", forced))


def _ignored(detail: str, confidence: float, evidence: Sequence[Any]) -> Result:
    finding = IGNORED.found(detail, *evidence, confidence=confidence)
    return Result((finding,), {"tools": because(State.IGNORED, finding)}, settles=settled("", "ignored"))


def _forced_call(signs: Signs) -> tuple[str, Reading | None]:
    """The tool_choice that brings a sound call, and that call."""
    for reading in signs.forced_calls:
        if not any(fault.breaks for fault in faults(reading, forced=True, lenient=True)):
            choice = reading.exchange.request.body.get("tool_choice")
            return ("required" if choice == "required" else "named"), reading
    return "", None


def _with_forced(verdict: Verdict, forced: Reading | None) -> Verdict:
    """``works`` where a forced call works, which proves the tools and the parser."""
    if forced is None:
        return verdict
    return works(f"{verdict.note}; a forced call works", confidence=0.8)
