"""tools.history: whether plain answers are accepted in the history as they came.

Sends a request only where an answer holds members that clients with plain messages do not send, and no conversation
with it was answered before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.tools import requests
from checks.tools.catalogue import HISTORY_REJECTED
from checks.tools.reading import Kind, read
from checks.tools.replay import extras, meant, plain_answer, with_answer, without_extras
from checks.tools.results import rejected_fields
from probe.api import Result, check, completion, member

if TYPE_CHECKING:
    from probe.api import Context

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
    turns = with_answer(received)
    message = turns[-1]
    if any(message in (member(one.request.body, "messages") or ()) for one in ctx.exchanges if read(one).answered):
        return Result()
    messages = [*turns, {"role": "user", "content": _NEXT}]
    whole = await ctx.chat(messages, limit=requests.LIMIT)
    if read(whole).kind is not Kind.REFUSED:
        return Result()
    messages[-2] = without_extras(message)
    bare = await ctx.chat(messages, limit=requests.LIMIT)
    if not completion.is_completion(bare):
        return Result(note="the same conversation is refused without these fields as well")
    fields = extras(message, empty=True)
    return rejected_fields(meant(completion.error_text(whole), message, fields), whole, message)
