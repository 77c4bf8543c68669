"""What the answers to the family's first question say: the verdict on tools, and what the other checks go by.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from checks.shared.trials import Count
from checks.tools import leaked_calls
from checks.tools.markup import judge
from checks.tools.prompt_growth import Shown, Signs, reached
from checks.tools.reading import Kind, Reading
from checks.tools.refusal_catalogue import IGNORED, NOT_CALLED
from checks.tools.structured_calls import Fault, faults
from probe.api import Finding, Result, Severity, State, Verdict, because, unknown, works


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
