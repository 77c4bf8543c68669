"""tools.history: whether plain answers are accepted in the history as they came.

Sends one request, and only where an answer holds members that clients with plain messages do not send.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from checks.tools import requests
from checks.tools.catalogue import HISTORY_REJECTED
from checks.tools.reading import Kind, read
from checks.tools.replay import extras, meant, without_extras
from checks.tools.results import rejected_fields
from probe.api import Exchange, Result, check, completion, member

if TYPE_CHECKING:
    from probe.api import Context

#: Members that hold nothing in the answers of most servers, and that every server takes back.
_USUAL = frozenset({"refusal", "annotations", "audio", "function_call", "reasoning_content", "reasoning"})
_NEXT = "Thank you. Say it once more."


@check(
    "tools.history",
    title="Send a plain answer back as it came",
    proves="An answer without calls is accepted in the history with every field that came.",
    requires={"chat"},
    after={"tool_results"},
    emits=(HISTORY_REJECTED,),
    max_requests=2,
    max_tokens=1000,
)
async def history(ctx: Context) -> Result:
    received = plain_answer(ctx.exchanges)
    if received is None or HISTORY_REJECTED.code in ctx.codes:
        return Result(note="no answer has a field that is not in every request")
    message = {**completion.message(received), "role": "assistant"}
    messages = [*received.request.body["messages"], message, {"role": "user", "content": _NEXT}]
    whole = await ctx.chat(messages, limit=requests.LIMIT)
    if read(whole).kind is not Kind.REFUSED:
        return Result()
    messages[-2] = without_extras(message)
    bare = await ctx.chat(messages, limit=requests.LIMIT)
    if not completion.is_completion(bare):
        return Result(note="the same conversation is refused without these fields as well")
    fields = extras(message, empty=True)
    return rejected_fields(meant(completion.error_text(whole), message, fields), whole, message)


def plain_answer(exchanges: Iterable[Exchange]) -> Exchange | None:
    """An answer to one user message without calls that holds members worth sending back, or None."""
    for exchange in exchanges:
        turns = member(exchange.request.body, "messages")  # none in a request made to be refused
        if not completion.is_completion(exchange) or not isinstance(turns, list) or len(turns) != 1:
            continue
        message = completion.message(exchange)
        fields = set(extras(message)) | (set(extras(message, empty=True)) - _USUAL)
        if completion.answer(exchange) and not message.get("tool_calls") and fields:
            return exchange
    return None
