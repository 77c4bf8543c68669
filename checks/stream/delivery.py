"""Whether text arrives while it is written, judged by arrival times.

The first stream of the run is enough if its text arrived at once; otherwise a short and a long answer are compared.
Only if something is wrong are runs repeated with one thing changed, to find the cause.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from checks.shared import stream_requests
from checks.stream.arrivals import Pattern, Run, held_back, lag_allowed, measure, pattern_of
from checks.stream.catalogue import ACCEL, COALESCED, COMPRESSED, DELIVERIES, HELD, REPLAYED, SIZE_BUFFERED
from checks.stream.delivery_reading import Delivery, Need, Runs, Undecided, judge, judged_gap, tokens_per_s
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
    check,
    completion,
    count_at,
    member,
    wording,
)

if TYPE_CHECKING:
    from probe.api import Context, Wire

#: Tokens of a long run, by depth.
MOST = {Depth.QUICK: 0, Depth.STANDARD: 640, Depth.DEEP: 1600}
SHORT_TOKENS = 24
REPEATS = 2
_HOLDING = (Delivery.HELD, Delivery.REPLAYED)


@dataclass(frozen=True)
class Measured:
    """The exchanges behind the runs."""

    basic: Exchange
    runs: Runs
    long: Exchange | None = None
    first: stream_requests.Question = stream_requests.FIRST
    long_question: stream_requests.Question = stream_requests.FIRST

    @property
    def judged(self) -> Exchange:
        """The exchange of the judged run."""
        return self.long if self.long is not None and self.runs.best is self.runs.long else self.basic

    @property
    def question(self) -> stream_requests.Question:
        """The question of the judged run."""
        return self.first if self.judged is self.basic else self.long_question

    def remade(self, exchange: Exchange) -> Measured:
        """The same with another exchange for the judged run."""
        run = measure(exchange)
        if self.judged is self.basic:
            return replace(self, runs=replace(self.runs, basic=run), basic=exchange)
        return replace(self, runs=replace(self.runs, long=run), long=exchange)


@check(
    "stream.delivery",
    title="Measure when the text arrives",
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
    """Send the missing runs until the delivery can be judged.

    An unfavourable run during which this program's event loop was late is repeated.
    """
    runs = Runs(measure(basic), most=MOST[ctx.options.depth])
    measured = Measured(basic, runs, first=stream_requests.first(ctx))
    repeats = 0
    while True:
        found = judge(measured.runs)
        if isinstance(found, Need):
            more = await _more(ctx, measured, found, options)
            if more is None:
                return measured
            measured = more
            continue
        if isinstance(found, Undecided) or found.value not in DELIVERIES or repeats >= REPEATS:
            return measured
        if lag_allowed(measured.runs.best, judged_gap(measured.runs, found), patient=True):
            return measured
        ctx.note("this machine was busy during the measurement: measuring again")
        repeats += 1
        again = await stream_requests.timed(ctx, measured.question, options=options)
        if not usable(again):
            return measured
        measured = measured.remade(again)


async def _more(ctx: Context, measured: Measured, need: Need, options: bool) -> Measured | None:
    """The runs with the missing one added; None if it failed."""
    if need.short:
        question = stream_requests.Question(stream_requests.COUNT_10, SHORT_TOKENS)
    else:
        counts = stream_requests.counts(measured.basic)
        prompt = stream_requests.count_to_fill(need.tokens) if counts else stream_requests.STORY
        question = stream_requests.Question(prompt, need.tokens)
    try:
        found = await stream_requests.timed(ctx, question, options=options)
    except BudgetExceeded:
        return None
    if not usable(found):
        return None
    if need.short:
        return replace(measured, runs=replace(measured.runs, short=measure(found)))
    return replace(measured, runs=replace(measured.runs, long=measure(found)), long=found, long_question=question)


def usable(exchange: Exchange) -> bool:
    """Whether a run can be measured."""
    return exchange.error is None and completion.is_stream(exchange)


# The cause: one thing changed at a time -------------------------------------------------------------


@dataclass(frozen=True)
class Tried:
    """Repetitions of the run with one thing changed, or without streaming."""

    identity: Exchange | None = None
    other_http: Exchange | None = None
    whole: Exchange | None = None


async def explain(
    ctx: Context, delivery: Delivery, basic: Exchange, question: stream_requests.Question, options: bool
) -> Tried:
    """Repeat a run with one thing changed at a time.

    Without compression the judged run itself is repeated, which also confirms what was seen.
    """
    other = whole = None
    identity = await _repeat(ctx, question, stream_requests.wire_of(ctx, accept_encoding="identity"), options)
    wire = _other_http(ctx, basic)
    if wire is not None and delivery not in (Delivery.COALESCED, Delivery.REPLAYED):
        other = await _repeat(ctx, stream_requests.first(ctx), wire, options)
    if delivery in _HOLDING:
        whole = await _without_streaming(ctx)
    return Tried(identity, other, whole)


async def _repeat(ctx: Context, question: stream_requests.Question, wire: Wire, options: bool) -> Exchange | None:
    with suppress(BudgetExceeded, Throttled):
        found = await stream_requests.timed(ctx, question, wire=wire, options=options)
        return found if usable(found) else None
    return None


async def _without_streaming(ctx: Context) -> Exchange | None:
    with suppress(BudgetExceeded, Throttled):
        found = await stream_requests.whole(ctx)
        return found if completion.is_completion(found) else None
    return None


def _other_http(ctx: Context, basic: Exchange) -> Wire | None:
    """The wire with the other HTTP version, if the endpoint may support it (over TLS only)."""
    response = basic.response
    if response is None or response.tls is None:
        return None
    if response.http_version == "HTTP/2":
        return stream_requests.wire_of(ctx, http="1")
    return stream_requests.wire_of(ctx, http="2") if ctx.options.transport.wire.http == "1" else None


def without_coding(delivery: Delivery, tried: Tried) -> Delivery:
    """The delivery as seen without compression, whose blocks end anywhere."""
    if tried.identity is None or delivery not in (Delivery.SIZE_BUFFERED, Delivery.COALESCED):
        return delivery
    names = {Pattern.SIZED: Delivery.SIZE_BUFFERED, Pattern.TIMED: Delivery.COALESCED}
    return names.get(pattern_of(measure(tried.identity)), delivery)


def cured(runs: Runs, delivery: Delivery, changed: Exchange | None) -> bool:
    """Whether a run with one thing changed arrives while it is written."""
    if changed is None:
        return False
    run = measure(changed)
    early = run.at_once or (runs.short is not None and not held_back(runs.short, run))
    return pattern_of(run) is Pattern.SMOOTH and (early or delivery not in _HOLDING)


def confirmed(runs: Runs, delivery: Delivery, again: Exchange | None) -> bool:
    """Whether a repetition shows the same; also if there is none, or if the model wrote much less."""
    if again is None or delivery not in _HOLDING or runs.short is None:
        return True
    run = measure(again)
    return run.tokens < 0.6 * runs.best.tokens or held_back(runs.short, run)


def on_the_path(exchange: Exchange) -> str | None:
    """Evidence by the server's own clock that the tokens left it one by one, or None.

    Some servers stamp every chunk (llama.cpp and Ollama write the second into ``created``), and llama.cpp reports
    the milliseconds of generation in ``timings``.
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
            generated = f"The server took {took / 1000:.1f} s to generate the tokens"
            return f"{generated}, and they arrived within {run.span_s:.2f} s"
    return None


def diagnose_delivery(measured: Measured, found: Delivery | Need | Undecided, tried: Tried) -> Result:
    """The findings and facts about the delivery; Inconclusive, with the reason, if it is unknown."""
    runs = measured.runs
    best = runs.best
    if isinstance(found, Undecided):
        raise Inconclusive(found.reason)
    if isinstance(found, Need):
        raise Inconclusive("a further run that is needed was not available")
    if found is Delivery.STREAMING or found is Delivery.TOO_FAST:
        note = f"first text after {best.first_s:.2f} s, then {best.events} events over {best.span_s:.1f} s"
        note = "over too soon to judge" if found is Delivery.TOO_FAST else note
        return Result(facts={**_facts(runs), "delivery": found.value}, note=note)
    if not lag_allowed(best, judged_gap(runs, found), patient=False):
        raise Inconclusive("this machine was too busy for a time measurement")
    found = without_coding(found, tried)
    facts = Result(facts={**_facts(runs), "delivery": found.value})
    if cured(runs, found, tried.identity):
        if _was_compressed(measured.judged):
            return _compressed(measured, tried) | facts
        # Nothing was compressed, so that asking for no compression was a mere repetition, and it was on time.
        again = measured_once(tried.identity)
        return Result(
            facts={**again, "delivery": Delivery.STREAMING.value}, note="late once, and on time when repeated"
        )
    if not confirmed(runs, found, tried.identity):
        raise Inconclusive("the stream was late once, and on time when repeated")
    return _unfavourable(measured, found, tried) | facts


def _was_compressed(exchange: Exchange) -> bool:
    """Whether a Content-Encoding other than identity was seen."""
    coding = exchange.response.header("content-encoding") if exchange.response else None
    return coding is not None and coding.strip().lower() not in ("", "identity")


def measured_once(exchange: Exchange | None) -> dict[str, float]:
    """The time of the first text in one run, as a fact."""
    return {"first_token_s": round(measure(exchange).first_s, 3)} if exchange is not None else {}


def _facts(runs: Runs) -> dict[str, float]:
    facts = {"first_token_s": round(runs.best.first_s, 3)} if runs.best.events else {}
    rate = tokens_per_s(runs)
    return {**facts, "tokens_per_s": round(rate, 1)} if rate else facts


def _compressed(measured: Measured, tried: Tried) -> Result:
    best = measured.runs.best
    changed = tried.identity
    assert changed is not None
    run = measure(changed)
    encoding = measured.judged.response.header("content-encoding") if measured.judged.response else None
    finding = COMPRESSED.found(
        f"With Accept-Encoding: gzip (answered with {encoding or 'no Content-Encoding'}) the text arrived in "
        f"{_pieces(best)}, the first after {best.first_s:.2f} s of {best.last_s:.2f} s; with identity in "
        f"{_pieces(run)}, the first after {run.first_s:.2f} s.",
        _evidence(measured),
        changed.shows("/timeline/reads", expected="as before", actual=f"first text after {run.first_s:.2f} s"),
    )
    return Result((finding,))


def _unfavourable(measured: Measured, found: Delivery, tried: Tried) -> Result:
    runs = measured.runs
    detail = [_observed(runs, found)]
    by_version = cured(runs, found, tried.other_http)
    path = on_the_path(measured.judged)
    remedy = _without_what_is_in_force(measured, found)
    if tried.identity is not None:
        detail.append("Without compression the result is the same.")
    if by_version and tried.other_http is not None and tried.other_http.response is not None:
        version = tried.other_http.response.http_version
        detail.append(f"Over {version} the same request streams.")
        remedy = (
            f"Configure the client to use {version}, and disable response buffering at the proxy (nginx: "
            "`proxy_buffering off`): over TLS with HTTP/1.1 it collects a whole TLS record of 16 kB before it sends."
        )
    if path:
        detail.append(f"{path}: they were held back on the network path.")
    if tried.whole is not None:
        took = tried.whole.timeline.end_s - (tried.whole.timeline.sent_s or 0.0)
        detail.append(f"Without streaming the whole answer takes {took:.1f} s.")
    once = found in _HOLDING and tried.identity is None
    sure = not once and lag_allowed(runs.best, judged_gap(runs, found), patient=True)
    finding = DELIVERIES[found.value].found(
        " ".join(detail),
        _evidence(measured),
        owner=Owner.GATEWAY if found is Delivery.REPLAYED and path else None,
        remedy=remedy,
        confidence=0.95 if sure else 0.8,
    )
    if found is Delivery.HELD and not by_version:
        return Result.of(finding, streaming=State.IGNORED)
    return Result((finding,))


#: The sizes of nginx's buffers, in bytes: a page of memory (nginx.org, proxy_buffer_size).
_NGINX_BUFFERS = (4096, 8192)


def _without_what_is_in_force(measured: Measured, found: Delivery) -> str | None:
    """The remedy without a setting that is in force already, or None if none is known to be.

    nginx passes on what it gets in its buffers, and the first one holds the headers too.  So a whole answer in several
    pieces of exactly one buffer was given to it whole; and where it collects itself, the first piece of a stream is
    smaller than the others (measured with nginx 1.22).
    """
    response, best = measured.judged.response, measured.runs.best
    if response is None or found not in (Delivery.HELD, Delivery.SIZE_BUFFERED):
        return None
    lean = DELIVERIES[found.value].remedy.replace(ACCEL, "")
    named = re.match(r"nginx|openresty", response.header("server") or "")
    if named and not response.header("content-encoding"):
        full = sum(size in _NGINX_BUFFERS for _, size in measured.judged.timeline.reads)
        if full > 1 if found is Delivery.HELD else best.first_bytes >= best.burst_bytes > 0:
            return f"nginx passed on at once what it got, so the stream is held behind it. {lean}"
    return lean if (response.header("x-accel-buffering") or "").strip().lower() == "no" else None


def _pieces(run: Run) -> str:
    return "one piece" if run.bursts == 1 else wording.amount(run.bursts, "piece")


def _observed(runs: Runs, found: Delivery) -> str:
    best, short = runs.best, runs.short
    what = f"{best.events} events ({best.total_bytes} bytes) arrived in {_pieces(best)}"
    first = f"the first after {best.first_s:.2f} s of {best.last_s:.2f} s"
    if found is Delivery.SIZE_BUFFERED:
        return f"{what} of about {best.burst_bytes or best.first_bytes} bytes, {first}."
    if found is Delivery.COALESCED:
        return f"{what}, one every {best.period_s * 1000:.0f} ms with about {best.per_burst:.0f} events in it."
    if short is None:
        return f"{what}, {first}."
    return (
        f"{what}, {first}; in an answer of {short.events} events the first arrived after {short.first_s:.2f} s of "
        f"{short.last_s:.2f} s. The first text waits for the end of the answer."
    )


def _evidence(measured: Measured) -> Evidence:
    best = measured.runs.best
    return measured.judged.shows(
        "/timeline/reads",
        expected=f"{best.events} events one after the other",
        actual=f"{_pieces(best)}, first text after {best.first_s:.2f} s of {best.last_s:.2f} s",
    )
