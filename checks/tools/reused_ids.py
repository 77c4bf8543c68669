"""tools.ids: whether a later call of one conversation has the id of an earlier one.

Sent only where two answers of the run have calls with one id, as servers write them that count from zero in every
answer.  In separate conversations that harms nobody.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from checks.tools import requests
from checks.tools.catalogue import ID_DUPLICATE
from checks.tools.reading import read
from checks.tools.replay import Received, city_of, received_call, received_in
from probe.api import Exchange, Result, Severity, check, wording

if TYPE_CHECKING:
    from probe.api import Context

ANSWER = "It is warm in Paris."
NEXT = "What is the weather in Rome in celsius? Use the get_weather tool."


@check(
    "tools.ids",
    title="Call a tool twice in one conversation",
    proves="A later call of a conversation has another id than the earlier ones.",
    requires={"chat"},
    after={"tool_results", "parallel_tools"},
    emits=(ID_DUPLICATE,),
    max_requests=1,
    max_tokens=900,
    least_requests=0,
)
async def ids(ctx: Context) -> Result:
    received = received_call(ctx.exchanges)
    if received is None or not repeats_ids(list(ctx.exchanges)):
        return Result(note="no id came in two answers")
    texts = [requests.report(city_of(call, "Paris"), requests.number_of(ctx, "ids")) for call in received.calls]
    turns = [{"role": "assistant", "content": ANSWER}, {"role": "user", "content": NEXT}]
    messages = [*received.conversation(texts), *turns]
    return diagnose_ids(received, await ctx.chat(messages, limit=requests.LONG_LIMIT, tools=list(received.tools)))


def repeats_ids(exchanges: list[Exchange]) -> bool:
    """Whether two answers have calls with one id."""
    found = [one for exchange in exchanges if (one := received_in(exchange)) is not None]
    counted = Counter(identity for one in found for identity in {call["id"] for call in one.calls})
    return any(times > 1 for times in counted.values())


def diagnose_ids(received: Received, exchange: Exchange) -> Result:
    """Judge the second call of a conversation.  Pure."""
    known = {call["id"] for call in received.calls}
    again = next((call for call in read(exchange).calls if isinstance(call.id, str) and call.id in known), None)
    if again is None:
        return Result(note="no second call has the id of the first")
    finding = ID_DUPLICATE.found(
        f"The second call of a conversation has the id {wording.shown(again.id)}, as the first.",
        exchange.shows(again.pointer, expected="another id", actual=again.id),
        severity=Severity.WARNING,
    )
    return Result((finding,))
