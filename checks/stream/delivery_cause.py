"""Why a stream arrives as it does: one thing changed at a time, only where something is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from checks.shared import stream_requests
from checks.stream.arrivals import Look, Run, held_back, look_of, measure
from checks.stream.delivery_reading import Delivery, Runs
from probe.api import BudgetExceeded, Exchange, Throttled, completion, count_at, member

if TYPE_CHECKING:
    from probe.api import Context, Wire


@dataclass(frozen=True)
class Tried:
    """The experiments that were made: the same run with one thing changed, or without streaming."""

    identity: Exchange | None = None
    other_http: Exchange | None = None
    whole: Exchange | None = None


async def explain(
    ctx: Context, delivery: Delivery, basic: Exchange, question: stream_requests.Question, options: bool
) -> Tried:
    """Repeat a run with one thing changed at a time.

    Without compression it is the run that was judged that is repeated, since for a held
    stream this also is the second look that an accusation needs.
    """
    encoded = bool(basic.response and basic.response.header("content-encoding"))
    holding = delivery in (Delivery.HELD, Delivery.REPLAYED)
    identity = other = whole = None
    if encoded or holding:
        identity = await _repeat(ctx, question, stream_requests.wire_of(ctx, accept_encoding="identity"), options)
    wire = _other_http(ctx, basic)
    if wire is not None and delivery is not Delivery.COALESCED and delivery is not Delivery.REPLAYED:
        other = await _repeat(ctx, stream_requests.FIRST, wire, options)
    if holding:
        whole = await _try_whole(ctx)
    return Tried(identity, other, whole)


async def _repeat(ctx: Context, question: stream_requests.Question, wire: Wire, options: bool) -> Exchange | None:
    try:
        found = await stream_requests.timed(ctx, question, wire=wire, options=options)
    except (BudgetExceeded, Throttled):
        return None
    return found if completion.is_stream(found) and found.error is None else None


async def _try_whole(ctx: Context) -> Exchange | None:
    try:
        found = await stream_requests.whole(ctx)
    except (BudgetExceeded, Throttled):
        return None
    return found if completion.is_completion(found) else None


def _other_http(ctx: Context, basic: Exchange) -> Wire | None:
    """The wire with the other HTTP version, where the endpoint may speak it (over TLS only)."""
    response = basic.response
    if response is None or response.tls is None:
        return None
    if response.http_version == "HTTP/2":
        return stream_requests.wire_of(ctx, http="1")
    if ctx.options.transport.wire.http == "1":
        return stream_requests.wire_of(ctx, http="2")
    return None


def named_without_coding(delivery: Delivery, tried: Tried) -> Delivery:
    """What bunches the events, as seen without compression, whose blocks end where they like."""
    if tried.identity is None or delivery not in (Delivery.SIZE_BUFFERED, Delivery.COALESCED):
        return delivery
    names = {Look.SIZED: Delivery.SIZE_BUFFERED, Look.TIMED: Delivery.COALESCED}
    return names.get(look_of(measure(tried.identity)), delivery)


def cured(runs: Runs, delivery: Delivery, changed: Exchange | None) -> bool:
    """Whether the fault is gone in a run with one thing changed."""
    if changed is None:
        return False
    run = measure(changed)
    look = look_of(run)
    if delivery in (Delivery.HELD, Delivery.REPLAYED):
        return look is Look.SMOOTH and _comes_early(runs.short, run)
    return look is Look.SMOOTH


def _comes_early(short: Run | None, run: Run) -> bool:
    return run.at_once or (short is not None and not held_back(short, run))


def confirmed(runs: Runs, delivery: Delivery, again: Exchange | None) -> bool:
    """Whether a repetition shows the same thing; where none could be had it counts as shown.

    So does one in which the model wrote much less, as it may.
    """
    if again is None or delivery not in (Delivery.HELD, Delivery.REPLAYED) or runs.short is None:
        return True
    run = measure(again)
    return run.tokens < 0.6 * runs.best.tokens or held_back(runs.short, run)


def on_the_path(exchange: Exchange) -> str | None:
    """Evidence by the server's own clock that the tokens left it one by one, or None.

    Some servers stamp every chunk (llama.cpp and Ollama write the second into ``created``),
    and llama.cpp counts the milliseconds of generation in ``timings``.
    """
    run = measure(exchange)
    reading = completion.read_stream(exchange)
    stamps = [stamp for stamp in (count_at(chunk.body, "created") for chunk in reading.chunks) if stamp is not None]
    spread = max(stamps) - min(stamps) if stamps else 0
    if 2 <= spread < 600 and run.span_s < 0.25 * spread:
        return f"The server stamped the chunks over {spread} s and they arrived within {run.span_s:.2f} s"
    for chunk in reversed(reading.chunks[-3:]):
        took = member(chunk.body, "timings", "predicted_ms")
        if isinstance(took, int | float) and took > 400 and run.span_s * 1000 < 0.25 * took:
            return (
                f"The server took {took / 1000:.1f} s to generate the tokens, and they arrived within "
                f"{run.span_s:.2f} s"
            )
    return None
