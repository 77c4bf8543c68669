"""The unit of the timestamp in answers. A check to copy: CONTRIBUTING.md shows how.

A check is one module in this folder, found without a list. It consists of what it can find (`Diagnosis`), an async
function that gets the evidence (registered with `@check`), and a pure function that judges it. A check that sends
requests uses `ctx.chat`; this one reads the answers to the requests of the other checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from probe.api import Depth, Diagnosis, Exchange, Inconclusive, Owner, Result, Severity, check, completion, count_at

if TYPE_CHECKING:
    from probe.api import Context

#: Milliseconds in a second.
PER_SECOND = 1_000
#: Unix time from 2001 to 2286, in seconds: ten digits.
PLAUSIBLE = range(1_000_000_000, 10_000_000_000)

MILLISECONDS = Diagnosis(
    code="example.milliseconds",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Timestamps of answers in milliseconds",
    what="The field `created` of a chat completion counts milliseconds; OpenAI's API counts seconds.",
    why="Clients show dates far in the future, and typed clients such as .NET's refuse the answer as out of range.",
    remedy="Divide the time by 1,000 where the answer is made, or in the gateway in front.",
    verify="`created` in an answer has ten digits.",
    sources=("OpenAI API reference: the chat completion object", "EricLBuehler/mistral.rs issue 1805"),
)


@check(
    "example.created",
    title="Read the timestamps of answers",
    proves="The field `created` of answers counts seconds.",
    requires={"chat"},
    after={"*"},  # all other checks, whose answers it reads
    emits=(MILLISECONDS,),
    max_requests=0,
    depth=Depth.QUICK,
)
async def created(ctx: Context) -> Result:
    return diagnose_created(ctx.exchanges)


def diagnose_created(exchanges: Sequence[Exchange]) -> Result:
    """Judge the first timestamp in these exchanges; raises Inconclusive if there is none."""
    for exchange in exchanges:
        value = count_at(completion.body_of(exchange), "created") if completion.is_completion(exchange) else None
        if value and value // PER_SECOND in PLAUSIBLE:
            evidence = exchange.shows("/response/body/created", expected="seconds since 1970", actual=value)
            return Result((MILLISECONDS.found(f"`created` is {value}.", evidence),))
        if value:
            return Result(note=f"created is {value}")
    raise Inconclusive("no answer has a timestamp")
