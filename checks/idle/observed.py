"""What the requests of the run show about silence: heartbeats, and requests that were ended.  Sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from checks.idle.catalogue import L4_RESET, L7_TIMEOUT, TOTAL_DEADLINE
from checks.idle.reading import heartbeat_of, survived
from checks.shared.endings import death_of, limit_facts, near, sent_at, timer_result
from probe.api import Depth, Exchange, Result, check, completion, works

if TYPE_CHECKING:
    from probe.api import Context

#: How many requests must be ended alike to prove a limit.
ALIKE = 2


@check(
    "idle.observed",
    title="Search all requests for silences and heartbeats",
    proves="No ordinary request of the run was ended because of a silence.",
    requires={"base-url"},
    after={"*"},
    provides={"long_silence"},
    emits=(L7_TIMEOUT, TOTAL_DEADLINE, L4_RESET),
    max_requests=0,
    depth=Depth.QUICK,
)
async def observed(ctx: Context) -> Result:
    result = diagnose_observed(ctx.exchanges, ctx.options.idle_s, ctx.codes)
    beat = heartbeat_of(ctx.exchanges)
    return result if beat is None else result | Result(facts={"heartbeat_s": round(beat[0], 2)}, note=beat[1])


def diagnose_observed(exchanges: Sequence[Exchange], wanted_s: float, codes: frozenset[str]) -> Result:
    """The longest silence that was survived, and a limit that ended several requests."""
    lasted = survived(exchanges)
    result = Result(facts={"silence_s": round(lasted, 1)}, note=f"the longest silence survived was {lasted:.1f} s")
    if 0 < wanted_s <= lasted:
        result |= Result(verdicts={"long_silence": works(f"a silence of {lasted:.1f} s survived")})
    if any(code.startswith("idle.") or code == "errors.upstream" for code in codes):
        return result  # a gateway that cannot reach its backend gives up after a time of its own
    return result | _common_limit(exchanges, lasted)


def _common_limit(exchanges: Sequence[Exchange], lasted: float) -> Result:
    """A limit that ended at least two silent requests and that none exceeded."""
    ends = [(item, death) for item in exchanges if (death := death_of(item)) and death.silent_s >= 0.8 * death.total_s]
    for exchange, death in sorted(ends, key=lambda item: item[1].silent_s):
        alike = sum(other.how == death.how and near(death.silent_s, other.silent_s) for _, other in ends)
        if alike < ALIKE or lasted > death.silent_s + 0.3:
            continue
        if death.how == "reset":
            finding = L4_RESET.found(
                f"{alike} requests were reset after about {death.silent_s:.1f} s of silence.",
                exchange.shows(death.pointer, expected="an answer", actual=death.actual),
                confidence=0.8,
            )
            return Result((finding,), facts=limit_facts("l4", death.silent_s))
        if death.from_a_timer:
            longer = any(
                completion.is_stream(item)
                and item.error is None
                and item.timeline.end_s - sent_at(item) > death.total_s + 0.5
                for item in exchanges
            )
            why = f"{alike} requests ended alike.{' Streams that lasted longer were completed.' if longer else ''}"
            confidence = 0.9 if longer else 0.7
            return timer_result(L7_TIMEOUT, death.total_s, exchange, death, confidence=confidence, why=why)
    return Result()
