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
from checks.stream.arrivals import Run, lag_allowed, measure
from checks.stream.delivery_catalogue import COALESCED, COMPRESSED, DELIVERIES, HELD, REPLAYED, SIZE_BUFFERED
from checks.stream.delivery_cause import Tried, confirmed, cured, explain, named_without_coding, on_the_path
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
    because,
    check,
    completion,
)

if TYPE_CHECKING:
    from probe.api import Context

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
