"""tools.call: one question that wants the tool, and what becomes of it.

Where a sound call comes back, that is all.  Where the call stands in the text or is
unsound, the question is put once more, with longer tools: whether it was chance, and
whether the prompt grows with the tools.  Where no call comes, three things are told
apart: tools that never arrive, a choice that has no effect, and a model that declines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from checks.shared.evidence import ROUNDS, counts_live
from checks.shared.trials import FLAKY_TRIALS
from checks.tools import leaked_calls, refused_request, requests
from checks.tools.call_verdict import chancy, diagnose_calls, diagnose_silence, sound
from checks.tools.catalogue import (
    FINISH,
    ID_DUPLICATE,
    ID_MISSING,
    NOT_JSON,
    NOT_STRING,
    OFF_SCHEMA,
    PARSER_MISSING,
    TEXT_CALL,
)
from checks.tools.prompt_growth import Growth, Signs, growth, says
from checks.tools.reading import Kind, Reading, read
from checks.tools.refusal_catalogue import IGNORED, NOT_CALLED, NOT_ENABLED, REJECTED
from probe.api import (
    BudgetExceeded,
    Depth,
    Inconclusive,
    Result,
    Throttled,
    check,
)

if TYPE_CHECKING:
    from probe.api import Context

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
        return await refused_request.look_into(ctx, first)
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
    basic = next((item for item in ctx.exchanges if item.id == ctx.target.extra.get("chat_exchange")), None)
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
