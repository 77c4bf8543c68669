"""A first request with tools that was not answered: is it the tools, this schema, or the way there?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from checks.tools import requests
from checks.tools.reading import Kind, Reading, read
from checks.tools.refusal import Refusal, blames_model, meaning, quoted, said_by
from checks.tools.refusal_catalogue import NOT_CALLED, NOT_ENABLED, REJECTED
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
