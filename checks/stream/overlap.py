"""Whether a stream goes on when another request arrives.

A server that generates one answer at a time may end the running one for a new request (llama-cpp-python:
`interrupt_requests`).  A stream that broke off soon after another request began is sent again, alone and then with a
request during it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from checks.shared import stream_requests
from checks.stream.catalogue import INTERRUPTED
from checks.stream.reading import broke_off, ran_out_of_time
from probe.api import Depth, Exchange, Inconclusive, Result, check, completion

if TYPE_CHECKING:
    from probe.api import Context

#: A stream that another request cuts ends within this time after that request began (seconds).
SOON_S = 1.0
#: The other request begins this long after the stream (seconds).
AFTER_S = 0.3


@check(
    "stream.overlap",
    title="Search for streams cut by another request",
    proves="A stream goes on when another request arrives.",
    requires={"chat"},
    after={"*"},
    emits=(INTERRUPTED,),
    max_requests=3,
    max_tokens=900,
    depth=Depth.QUICK,
    exclusive=True,
)
async def overlap(ctx: Context) -> Result:
    pair = cut_by_another(ctx.exchanges)
    if pair is None:
        return Result()
    ctx.note("a stream broke off when another request began: asking alone, and then two at once")
    alone = await stream_requests.timed(ctx, stream_requests.first(ctx))
    if broken(alone):
        raise Inconclusive("streams break off without another request as well")
    return diagnose_overlap(pair, await _two_at_once(ctx))


async def _two_at_once(ctx: Context) -> tuple[Exchange, Exchange]:
    """A stream, and a short request that begins while it runs."""
    from anyio import create_task_group, sleep

    streams: list[Exchange] = []

    async def stream() -> None:
        question = stream_requests.first(ctx)
        body = ctx.chat_body(question.prompt, limit=question.tokens, stream=True)
        streams.append(await ctx.send("POST", ctx.target.chat_url or "", body=body, patient=False, tokens=300))

    with ctx.two_at_once():
        async with create_task_group() as group:
            group.start_soon(stream)
            await sleep(AFTER_S)
            other = await ctx.chat("Say hello.", limit=16)
    return streams[0], other


def diagnose_overlap(pair: tuple[Exchange, Exchange], again: tuple[Exchange, Exchange]) -> Result:
    """The finding where streams broke off twice during another request; alone the stream was complete."""
    if cut_by_another(again) is None:
        return Result(note="a stream broke off once when another request began, and not when that was repeated")
    stream, other = again
    took = stream.timeline.end_s - (other.timeline.started_s - stream.timeline.started_s)
    finding = INTERRUPTED.found(
        f"A stream broke off {took:.1f} s after another request began, twice in this run; alone it is complete.",
        stream.shows("/response/body", expected="finish_reason and data: [DONE]", actual="the stream breaks off"),
        other.shows("/timeline/started_s", expected="no effect on the stream", actual=other.timeline.started_s),
        pair[0].shows("/response/body", expected="finish_reason and data: [DONE]", actual="the stream breaks off"),
    )
    return Result((finding,))


def cut_by_another(exchanges: Sequence[Exchange]) -> tuple[Exchange, Exchange] | None:
    """A chat stream that broke off, and the request that began shortly before its end; None without such a pair."""
    posts = [item for item in exchanges if item.request.method == "POST"]
    for stream in filter(broken, posts):
        begin = stream.timeline.started_s
        ended = begin + stream.timeline.end_s
        for other in posts:
            at = other.timeline.started_s
            if other is not stream and other.status == 200 and begin < at < ended <= at + SOON_S:
                return stream, other
    return None


def broken(exchange: Exchange) -> bool:
    """Whether a stream of chunks broke off, other than by a time limit of this program."""
    if not completion.is_stream(exchange) or ran_out_of_time(exchange):
        return False
    return any(chunk.delta for chunk in completion.read_stream(exchange).chunks) and broke_off(exchange)
