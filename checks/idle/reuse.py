"""Whether a connection that was kept open still works after a pause.

A server may close idle connections: with a FIN, which clients see before they send, and
then they quietly open another.  What hurts is a connection that looks open and is not: the
next request on it is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from checks.idle.catalogue import L4_DROPPED, REUSE_CLOSED
from checks.shared.endings import limit_facts
from probe.api import Depth, Exchange, Inconclusive, Result, Skip, check

if TYPE_CHECKING:
    from probe.api import Context

#: Longest pause of a standard run; the first pause of a deep one (HTTPX and Node drop idle
#: connections after 5 s themselves, so what comes later matters to other clients).
STANDARD_S = 10.0
FIRST_S = 6.5
#: A request on a connection that the network has forgotten is given so long.
PATIENCE_S = 12.0


@dataclass(frozen=True)
class Reused:
    """One pause: the request before it, those after it in order, and the length in seconds."""

    pause_s: float
    before: Exchange
    after: tuple[Exchange, ...]

    @property
    def second(self) -> Exchange:
        """The first request after the pause, before anything was repeated."""
        return self.after[0]


@check(
    "idle.reuse",
    title="Use a kept connection after a pause",
    proves="A connection that is kept open after an answer can be used again after a pause, or is closed visibly.",
    requires={"chat", "base-url"},
    after={"stream.delivery"},  # a pause must not keep the checks waiting that want to be alone
    emits=(REUSE_CLOSED, L4_DROPPED),
    max_requests=10,
    least_requests=2,
    max_seconds=400.0,
    depth=Depth.STANDARD,
)
async def reuse(ctx: Context) -> Result:
    wanted = ctx.options.idle_s
    if wanted <= 0:
        raise Skip("no idle time was asked for (--idle 0)")
    if ctx.options.depth is Depth.DEEP:
        pauses = sorted({min(FIRST_S, wanted), wanted})
    else:
        pauses = [min(wanted, STANDARD_S)]
    result = Result()
    for pause in pauses:
        tried = [await pause_between(ctx, pause)]
        if was_lost(tried[0]):
            # Once may be a close that crossed the request on its way (RFC 9112, 9.6): again.
            tried.append(await pause_between(ctx, pause + 0.7))
            if await lost_below_http(ctx):
                return Result(note="kept connections are lost as silent ones are: see idle.silence")
        result |= diagnose_reuse(tried)
        if result.findings:
            break
    return result


async def pause_between(ctx: Context, pause_s: float) -> Reused:
    """Two requests on one connection with a pause between them."""
    url = ctx.target.models_url or f"{ctx.target.base_url}/models"
    # An idle time of its own makes a pool of its own, which no other check uses.
    wire = replace(
        ctx.options.transport.wire,
        keepalive_s=ctx.options.keepalive_s,
        pool_idle_s=3600.0 + pause_s,
    )
    before = await ctx.send("GET", url, wire=wire, patient=False)
    seen = len(_mine(ctx))
    await wait(pause_s)
    await ctx.send("GET", url, wire=wire, patient=False, timeout_s=min(PATIENCE_S, ctx.options.timeout_s))
    return Reused(pause_s, before, tuple(_mine(ctx)[seen:]))


async def lost_below_http(ctx: Context) -> bool:
    """Whether the check of silence, which goes on beside this one, found connections lost below HTTP.

    A network that forgets silent connections also forgets kept ones: one cause, one finding.
    """
    for _ in range(60):
        verdict = ctx.verdicts.get("long_silence")
        if verdict is not None:
            return (verdict.finding or "").startswith("idle.l4-")
        await wait(0.25)
    return False


async def wait(seconds: float) -> None:
    """Sleep.  The library is loaded only now, so that lists and explanations come at once."""
    from anyio import sleep

    await sleep(seconds)


def _mine(ctx: Context) -> list[Exchange]:
    return [exchange for exchange in ctx.exchanges if exchange.check == ctx.check]


def was_lost(tried: Reused) -> bool:
    """Whether the first request on the kept connection was lost."""
    second = tried.second
    return second.timeline.reused and second.response is None and second.error is not None


def diagnose_reuse(tried: Sequence[Reused]) -> Result:
    """Judge the pauses of one length.  Pure.

    Raises:
        Inconclusive: the first request did not go through.
    """
    first = tried[0]
    if first.before.response is None:
        raise Inconclusive("the request before the pause was lost")
    if not was_lost(first):
        return Result(note=_kept(first))
    if len(tried) < 2 or not was_lost(tried[-1]):
        raise Inconclusive("a kept connection was lost once, and not when it was tried again")
    second = first.second
    assert second.error is not None
    fresh = [item for item in first.after[1:] if item.response is not None and not item.timeline.reused]
    if second.error.kind == "timeout":
        finding = L4_DROPPED.found(
            f"A request on a connection that had been idle for {first.pause_s:.1f} s got no answer, twice; new "
            "connections are answered.",
            second.shows("/error/kind", expected="an answer", actual=second.error.kind),
        )
        return Result((finding,), facts=limit_facts("l4", first.pause_s))
    then = " A new connection was answered." if fresh else ""
    finding = REUSE_CLOSED.found(
        f"A connection that was idle for {first.pause_s:.1f} s was still open, and the next request on it was lost "
        f"({second.error.kind}), twice.{then}",
        second.shows("/error/kind", expected="an answer", actual=second.error.kind),
        second.shows("/timeline/reused", expected=True, actual=True),
    )
    return Result((finding,))


def _kept(tried: Reused) -> str:
    if tried.second.response is None:
        return "the request after the pause was lost on a new connection"
    if tried.second.timeline.reused:
        return f"a connection idle for {tried.pause_s:.1f} s was used again"
    return f"the connection was closed visibly within {tried.pause_s:.1f} s"
