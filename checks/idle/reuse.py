"""Whether a kept-alive connection still works after a pause.

A server may close idle connections with a FIN, which clients see before they send and answer by opening a new one.
A connection that looks open and is not loses the next request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from checks.idle.catalogue import L4_DROPPED, REUSE_CLOSED
from checks.shared.endings import limit_facts
from probe.api import Depth, Exchange, Inconclusive, Result, Skip, check

if TYPE_CHECKING:
    from probe.api import Context

#: The first pause of a deep run, in seconds: HTTPX and Node drop idle connections after 5 s themselves, so longer
#: pauses matter to other clients.
FIRST_S = 6.5
#: The time limit of a request on a kept connection, in seconds.
PATIENCE_S = 12.0
#: Pauses whose lengths differ by more than this do not mix their requests, repetitions included.
APART_S = 4 * PATIENCE_S


@dataclass(frozen=True)
class Reused:
    """One pause: its length in seconds, the request before it, and those after it in order."""

    pause_s: float
    before: Exchange
    after: tuple[Exchange, ...]

    @property
    def second(self) -> Exchange:
        """The first request after the pause, before any repetition."""
        return self.after[0]


@check(
    "idle.reuse",
    title="Reuse a kept connection after a pause",
    proves="A connection kept open after an answer works after a pause, or is closed visibly.",
    requires={"chat", "base-url"},
    after={"stream.delivery"},  # a pause must not delay the exclusive checks
    emits=(REUSE_CLOSED, L4_DROPPED),
    max_requests=10,
    least_requests=2,
    max_seconds=400.0,
    depth=Depth.STANDARD,
)
async def reuse(ctx: Context) -> Result:
    wanted = ctx.options.idle_s
    if wanted <= 0:
        raise Skip("no idle time was requested (--idle 0)")
    pauses = {min(FIRST_S, wanted), wanted} if ctx.options.depth is Depth.DEEP else {wanted}
    result = Result()
    for first in await _paused(ctx, sorted(pauses)):
        tried, pause = [first], first.pause_s
        if was_lost(first):
            # A single loss may be a close that crossed the request (RFC 9112, 9.6), so it is repeated.
            tried.append(await pause_between(ctx, pause + 0.7))
            if await lost_below_http(ctx):
                return Result(note="kept connections are lost as silent ones are: see idle.silence")
        result |= diagnose_reuse(tried)
        if result.findings:
            break
    return result


async def _paused(ctx: Context, pauses: Sequence[float]) -> Sequence[Reused]:
    """The pauses, all at once where the requests after one have ended long before those after the next."""
    if any(later - before < APART_S for before, later in pairwise(pauses)):
        return [await pause_between(ctx, pause) for pause in pauses]
    from anyio import create_task_group

    found: dict[float, Reused] = {}

    async def one(pause: float) -> None:
        found[pause] = await pause_between(ctx, pause)

    async with create_task_group() as group:
        for pause in pauses:
            group.start_soon(one, pause)
    return [found[pause] for pause in pauses]


async def pause_between(ctx: Context, pause_s: float) -> Reused:
    """Two requests on one connection with a pause between them."""
    url = ctx.target.models_url or f"{ctx.target.base_url}/models"
    # An idle time that no other check uses gets its own connection pool.
    wire = replace(
        ctx.options.transport.wire,
        keepalive_s=ctx.options.keepalive_s,
        pool_idle_s=3600.0 + pause_s,
    )
    before = await ctx.send("GET", url, wire=wire, patient=False)
    await ctx.pause("waiting with an idle connection", pause_s)
    count = len(_own(ctx))
    await ctx.send("GET", url, wire=wire, patient=False, timeout_s=min(PATIENCE_S, ctx.options.timeout_s))
    return Reused(pause_s, before, tuple(_own(ctx)[count:]))


async def lost_below_http(ctx: Context) -> bool:
    """Whether idle.silence, which runs at the same time, found connections lost below HTTP.

    A network that drops silent connections also drops kept ones: one cause, one finding.
    """
    for _ in range(60):
        verdict = ctx.verdicts.get("long_silence")
        if verdict is not None:
            return (verdict.finding or "").startswith("idle.l4-")
        await wait(0.25)
    return False


async def wait(seconds: float) -> None:
    """Sleep; anyio is imported late to keep the start of the program fast."""
    from anyio import sleep

    await sleep(seconds)


def _own(ctx: Context) -> list[Exchange]:
    return [exchange for exchange in ctx.exchanges if exchange.check == ctx.check]


def was_lost(tried: Reused) -> bool:
    """Whether the first request on the kept connection was lost."""
    second = tried.second
    return second.timeline.reused and second.response is None and second.error is not None


def diagnose_reuse(tried: Sequence[Reused]) -> Result:
    """Judge the pauses of one length; Inconclusive if a request was lost outside the pauses, or only once."""
    first = tried[0]
    if first.before.response is None:
        raise Inconclusive("the request before the pause was lost")
    if not was_lost(first):
        return Result(note=_kept(first))
    if len(tried) < 2 or not was_lost(tried[-1]):
        raise Inconclusive("a request on a kept connection was lost once and answered when repeated")
    second = first.second
    assert second.error is not None
    lost = second.shows("/error/kind", expected="an answer", actual=second.error.kind)
    if second.error.kind == "timeout":
        finding = L4_DROPPED.found(
            f"A request on a connection that had been idle for {first.pause_s:.1f} s got no answer, twice; new "
            "connections are answered.",
            lost,
        )
        return Result((finding,), facts=limit_facts("l4", first.pause_s))
    fresh = any(item.response is not None and not item.timeline.reused for item in first.after[1:])
    finding = REUSE_CLOSED.found(
        f"A connection idle for {first.pause_s:.1f} s was still open, and the next request on it was lost "
        f"({second.error.kind}), twice.{' A new connection was answered.' if fresh else ''}",
        lost,
        second.shows("/timeline/reused", expected=True, actual=True),
    )
    return Result((finding,))


def _kept(tried: Reused) -> str:
    if tried.second.response is None:
        return "the request after the pause was lost on a new connection"
    if tried.second.timeline.reused:
        return f"a connection idle for {tried.pause_s:.1f} s was reused"
    return f"the connection was closed visibly within {tried.pause_s:.1f} s"
