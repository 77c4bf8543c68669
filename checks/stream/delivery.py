"""Whether the text arrives while it is written, judged by the clock.

The first stream of the run is enough where it came at once; otherwise a short and a long
answer are compared, and only where something is wrong one thing after the other is changed
to find out why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from checks.shared import stream_requests
from checks.stream.arrivals import Look, Run, held_back, lag_allowed, look_of, measure
from checks.stream.catalogue import COALESCED, COMPRESSED, DELIVERIES, HELD, REPLAYED, SIZE_BUFFERED
from checks.stream.delivery_reading import Delivery, Need, Runs, Untold, judge, judged_gap, tokens_per_s
from probe.api import (
    BudgetExceeded,
    Depth,
    Evidence,
    Exchange,
    Inconclusive,
    Owner,
    Result,
    State,
    Throttled,
    because,
    check,
    completion,
    count_at,
    member,
)

if TYPE_CHECKING:
    from probe.api import Context, Wire


# Why a stream arrives as it does: one thing changed at a time, only where something is wrong. ------


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


# Whether the text arrives while it is written, judged by the clock. --------------------------------

#: Tokens of a long run, by depth.
MOST = {Depth.QUICK: 0, Depth.STANDARD: 640, Depth.DEEP: 1600}
SHORT_TOKENS = 24
REPEATS = 2


@dataclass(frozen=True)
class Measured:
    """The exchanges behind the runs."""

    basic: Exchange
    runs: Runs
    long: Exchange | None = None
    long_question: stream_requests.Question = stream_requests.FIRST

    @property
    def by_long(self) -> bool:
        """Whether the long run is the one that was judged."""
        return self.long is not None and self.runs.best is self.runs.long

    @property
    def shown(self) -> Exchange:
        """The exchange of the run that was judged."""
        return self.long if self.by_long and self.long is not None else self.basic

    @property
    def question(self) -> stream_requests.Question:
        """What was asked in the run that was judged."""
        return self.long_question if self.by_long else stream_requests.FIRST

    def remade(self, exchange: Exchange) -> Measured:
        """The same with another exchange for the run that was judged."""
        run = measure(exchange)
        if self.by_long:
            return replace(self, runs=replace(self.runs, long=run), long=exchange)
        return replace(self, runs=replace(self.runs, basic=run), basic=exchange)


@check(
    "stream.delivery",
    title="See when the text arrives",
    proves="The text of a streamed answer arrives while it is written.",
    requires={"chat", "streaming"},
    after={"stream.shape"},
    provides={"streaming"},
    emits=(HELD, REPLAYED, SIZE_BUFFERED, COALESCED, COMPRESSED),
    max_requests=7,
    least_requests=1,
    max_tokens=2500,
    depth=Depth.QUICK,
    exclusive=True,
)
async def delivery(ctx: Context) -> Result:
    asked = await stream_requests.basic(ctx)
    options = asked.refused is None
    measured = await gather(ctx, asked.exchange, options)
    found = judge(measured.runs)
    tried = Tried()
    if isinstance(found, Delivery) and found.value in DELIVERIES:
        tried = await explain(ctx, found, measured.basic, measured.question, options)
    return diagnose_delivery(measured, found, tried)


async def gather(ctx: Context, basic: Exchange, options: bool) -> Measured:
    """Send the runs that are missing until the delivery can be judged.

    A run during which this program's own event loop was late is not believed where it
    speaks against the endpoint: it is made again.
    """
    measured = Measured(basic, Runs(measure(basic), most=MOST[ctx.options.depth]))
    repeats = 0
    while True:
        found = judge(measured.runs)
        if isinstance(found, Need):
            more = await _more(ctx, measured, found, options)
            if more is None:
                return measured
            measured = more
            continue
        if isinstance(found, Untold) or found.value not in DELIVERIES or repeats >= REPEATS:
            return measured
        gap = judged_gap(measured.runs, found)
        if lag_allowed(measured.runs.best, gap, patient=True):
            return measured
        ctx.note("this machine was busy during the measurement: measuring again")
        repeats += 1
        again = await stream_requests.timed(ctx, measured.question, options=options)
        if not usable(again):
            return measured
        measured = measured.remade(again)


async def _more(ctx: Context, measured: Measured, need: Need, options: bool) -> Measured | None:
    """The runs with the missing one added; None where it could not be had."""
    runs = measured.runs
    counted = counts(measured.basic)
    try:
        if need.short:
            question = stream_requests.Question(stream_requests.COUNT_10, SHORT_TOKENS)
        else:
            question = stream_requests.Question(
                stream_requests.count_to_fill(need.tokens) if counted else stream_requests.STORY, need.tokens
            )
        found = await stream_requests.timed(ctx, question, options=options)
    except BudgetExceeded:
        return None
    if not usable(found):
        return None
    run = measure(found)
    if need.short:
        return replace(measured, runs=replace(runs, short=run))
    return replace(measured, runs=replace(runs, long=run), long=found, long_question=question)


def usable(exchange: Exchange) -> bool:
    """Whether a run can be measured."""
    return exchange.error is None and completion.is_stream(exchange)


def counts(basic: Exchange) -> bool:
    """Whether this model counts as it is told, so that it can be made to write much."""
    return re.search(r"\b48\D{1,12}49\D{1,12}50\b", completion.answer(basic)) is not None


def diagnose_delivery(measured: Measured, found: Delivery | Need | Untold, tried: Tried) -> Result:
    """The findings and facts that follow.  Pure.

    Raises:
        Inconclusive: it could not be told; the reason says why.
    """
    runs = measured.runs
    facts = _facts(runs)
    if isinstance(found, Untold):
        raise Inconclusive(found.reason)
    if isinstance(found, Need):
        raise Inconclusive("a further run that is needed to tell could not be had")
    if found is Delivery.STREAMING or found is Delivery.TOO_FAST:
        note = "over too soon to tell" if found is Delivery.TOO_FAST else _praise(runs.best)
        return Result(facts={**facts, "delivery": found.value}, note=note)
    if not lag_allowed(runs.best, judged_gap(runs, found), patient=False):
        raise Inconclusive("this machine was too busy for a measurement of time")
    found = named_without_coding(found, tried)
    if cured(runs, found, tried.identity):
        return _compressed(measured, tried) | Result(facts={**facts, "delivery": found.value})
    if not confirmed(runs, found, tried.identity):
        raise Inconclusive("the stream came late once, and in time when it was asked for again")
    return _accuse(measured, found, tried) | Result(facts={**facts, "delivery": found.value})


def _facts(runs: Runs) -> dict[str, float]:
    best = runs.best
    facts = {}
    if best.events:
        facts["first_token_s"] = round(best.first_s, 3)
    rate = tokens_per_s(runs)
    if rate:
        facts["tokens_per_s"] = round(rate, 1)
    return facts


def _praise(run: Run) -> str:
    return f"first text after {run.first_s:.2f} s, then {run.events} events over {run.span_s:.1f} s"


def _compressed(measured: Measured, tried: Tried) -> Result:
    best = measured.runs.best
    changed = tried.identity
    assert changed is not None
    run = measure(changed)
    encoding = measured.shown.response.header("content-encoding") if measured.shown.response else None
    finding = COMPRESSED.found(
        f"With Accept-Encoding: gzip (answered with {encoding or 'no Content-Encoding'}) the text came in "
        f"{_pieces(best.bursts)}, the first after {best.first_s:.2f} s of {best.last_s:.2f} s; with identity in "
        f"{_pieces(run.bursts)}, the first after {run.first_s:.2f} s.",
        *_evidence(measured),
        changed.shows("/timeline/reads", expected="as before", actual=f"first text after {run.first_s:.2f} s"),
    )
    return Result((finding,))


def _accuse(measured: Measured, found: Delivery, tried: Tried) -> Result:
    runs = measured.runs
    detail = [_observed(runs, found)]
    by_version = cured(runs, found, tried.other_http)
    path = on_the_path(measured.shown)
    owner = None
    remedy = None
    if tried.identity is not None:
        detail.append("Asking for no compression changes nothing.")
    if by_version and tried.other_http is not None and tried.other_http.response is not None:
        version = tried.other_http.response.http_version
        detail.append(f"Over {version} the same request streams.")
        remedy = (
            f"Let the client speak {version}, and switch response buffering off at the proxy (nginx: "
            "`proxy_buffering off`): over TLS with HTTP/1.1 it collects a whole TLS record of 16 kB before it sends."
        )
    if path:
        detail.append(f"{path}: they were held on the way.")
    if tried.whole is not None:
        took = tried.whole.timeline.end_s - (tried.whole.timeline.sent_s or 0.0)
        detail.append(f"Without streaming the whole answer takes {took:.1f} s.")
    if found is Delivery.REPLAYED and path:
        owner = Owner.GATEWAY
    diagnosis = DELIVERIES[found.value]
    sure = lag_allowed(runs.best, judged_gap(runs, found), patient=True)
    if found in (Delivery.HELD, Delivery.REPLAYED) and tried.identity is None:
        sure = False  # seen once only
    finding = diagnosis.found(
        " ".join(detail), *_evidence(measured), owner=owner, remedy=remedy, confidence=0.95 if sure else 0.8
    )
    if found is Delivery.HELD and not by_version:
        return Result((finding,), {"streaming": because(State.IGNORED, finding)})
    return Result((finding,))


def _pieces(count: int) -> str:
    return "one piece" if count == 1 else f"{count} pieces"


def _observed(runs: Runs, found: Delivery) -> str:
    best = runs.best
    what = f"{best.events} events ({best.total_bytes} bytes) came in {_pieces(best.bursts)}"
    if found is Delivery.SIZE_BUFFERED:
        size = best.burst_bytes or best.first_bytes
        return f"{what} of about {size} bytes, the first after {best.first_s:.2f} s of {best.last_s:.2f} s."
    if found is Delivery.COALESCED:
        return f"{what}, one every {best.period_s * 1000:.0f} ms with about {best.per_burst:.0f} events in it."
    said = f"{what}, the first after {best.first_s:.2f} s of {best.last_s:.2f} s"
    if runs.short is None:
        return f"{said}."
    short = runs.short
    return (
        f"{said}; in an answer of {short.events} events the first came after {short.first_s:.2f} s of "
        f"{short.last_s:.2f} s. The first text waits for the length of the answer."
    )


def _evidence(measured: Measured) -> tuple[Evidence, ...]:
    best = measured.runs.best
    shown = measured.shown
    return (
        shown.shows(
            "/timeline/reads",
            expected=f"{best.events} events one after the other",
            actual=f"{_pieces(best.bursts)}, first text after {best.first_s:.2f} s of {best.last_s:.2f} s",
        ),
    )
