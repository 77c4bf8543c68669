"""How an exchange ended, read from its timeline: by a timer, a reset, a loss, or completely.  Pure.

A proxy whose timer fires answers 504 (Apache: 502, Cloudflare: 524) before it has sent headers, and closes the
connection without the last chunk afterwards; Envoy closes it a second later.  Timers at the HTTP level end connections
with FIN; a TCP reset after a silence comes from below HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from checks.shared.timers import L7_TIMEOUT, TOTAL_DEADLINE, WRITE_DEADLINE
from probe.api import Diagnosis, Exchange, Result, completion

#: Statuses of a hop whose timer fired.
GAVE_UP = (408, 502, 504, 524, 598, 599)
#: Statuses of a hop that lost the other side (AWS ALB, nginx), which is a timer where it comes again at the same time.
SIDE_GONE = (460, 499)
#: An exchange that ends sooner was not ended by a timer.
LEAST_S = 0.9
#: How late a close may be: Envoy closes a cut response 1 s after the timer (nginx fires up to 0.3 s early).
LATE_S = 1.25


@dataclass(frozen=True)
class Death:
    """How an exchange was ended before its answer was complete.

    Attributes:
        how: ``status``, ``cut`` (FIN), ``reset`` (RST) or ``lost`` (no answer from the peer).
        total_s: seconds from the request to the end.
        silent_s: seconds from the last byte (or the request) to the end.
        pointer, actual: the evidence.
    """

    how: str
    total_s: float
    silent_s: float
    pointer: str
    actual: object

    @property
    def from_a_timer(self) -> bool:
        """Whether a timer at the HTTP level may have ended it."""
        return self.how in ("status", "cut")

    @property
    def flowing(self) -> bool:
        """Whether bytes were arriving until the end."""
        return self.silent_s < min(LATE_S, self.total_s / 2)


def sent_at(exchange: Exchange) -> float:
    """When the request was sent, in seconds after the start of the exchange."""
    timeline = exchange.timeline
    return timeline.sent_s if timeline.sent_s is not None else timeline.connect_s or 0.0


def last_byte_at(exchange: Exchange) -> float:
    """When the last byte of the response arrived; the time of the request without one."""
    timeline = exchange.timeline
    if timeline.reads:
        return timeline.reads[-1][0]
    return timeline.headers_s if timeline.headers_s is not None else sent_at(exchange)


def longest_silence(exchange: Exchange) -> float:
    """The longest silence between the request and the last byte, in seconds."""
    timeline = exchange.timeline
    moments = [sent_at(exchange)]
    if timeline.headers_s is not None:
        moments.append(timeline.headers_s)
    moments += [at for at, size in timeline.reads if size]
    return max((later - earlier for earlier, later in pairwise(moments)), default=0.0)


def death_of(exchange: Exchange) -> Death | None:
    """How a hop or the network ended the exchange early; None where it did not."""
    timeline, error = exchange.timeline, exchange.error
    sent = sent_at(exchange)
    status = exchange.status
    if error is None and timeline.headers_s is not None and _gave_up(exchange):
        waited = timeline.headers_s - sent
        if waited < LEAST_S:
            return None
        return Death("status", waited, waited, "/response/status", status)
    if error is None:
        return _clean_cut(exchange)
    total, silent = timeline.end_s - sent, timeline.end_s - last_byte_at(exchange)
    autopsy = timeline.autopsy
    how = {"truncated": "cut", "closed": "cut", "stream-reset": "cut", "reset": "reset"}.get(error.kind)
    if error.kind == "timeout" and (error.errno is not None or (autopsy and autopsy.verdict == "no-answer")):
        how = "lost"
    if autopsy and autopsy.verdict == "reset":
        how = "reset"
    if how is None or total < LEAST_S:
        return None
    if how in ("reset", "lost") and autopsy and autopsy.verdict in ("reset", "no-answer"):
        silent = autopsy.silent_s
    return Death(how, total, silent, "/error/kind", error.kind)


def late_failure(exchange: Exchange) -> Death | None:
    """How an exchange was ended, as ``death_of``; or a late answer of any kind that is not a completion.

    Such an answer is that of a timer where it comes again after the same time, whatever its status: gateways answer
    500, or 200 with a page.  Refusals (4xx) are none.
    """
    death = death_of(exchange)
    response, waited = exchange.response, (exchange.timeline.headers_s or 0.0) - sent_at(exchange)
    if death is not None or exchange.error is not None or response is None or waited < LEAST_S:
        return death
    refused = 400 <= response.status < 500 and response.status not in SIDE_GONE
    if refused or completion.is_completion(exchange) or completion.is_stream(exchange):
        return None
    return Death("status", waited, waited, "/response/status", response.status)


def _gave_up(exchange: Exchange) -> bool:
    """Whether the status is that of a hop whose timer fired.

    Varnish answers 503 after its first_byte_timeout, and others answer 500 with a text that says so.  A 503 about
    load, or a model that is loading, is none.
    """
    status = exchange.status
    if status in GAVE_UP or 520 <= (status or 0) <= 530:
        return True
    if status == 503:
        return not completion.is_throttled(exchange)
    return status == 500 and completion.speaks_of(exchange, "timeout", "timed out", "time-out")


def _clean_cut(exchange: Exchange) -> Death | None:
    """A stream with a clean end in the middle: some hops pass a cut on like this."""
    if not completion.is_stream(exchange) or (exchange.response is not None and exchange.response.cut):
        return None  # a body that was not read to its end was cut here
    reading = completion.read_stream(exchange)
    if reading.stream.done or reading.finish_reason or reading.errors:
        return None
    sent, end = sent_at(exchange), exchange.timeline.end_s
    if end - sent < LEAST_S:
        return None
    silent = end - last_byte_at(exchange)
    return Death("cut", end - sent, silent, "/response/body", "no finish_reason, no [DONE]")


def error_at_end(stream: Exchange) -> Death | None:
    """The end of a stream by an event with an error in place of the rest: some gateways say a timeout like this."""
    reading = completion.read_stream(stream) if completion.is_stream(stream) else None
    if reading is None or reading.finish_reason or not reading.errors:
        return None
    total_s = stream.timeline.end_s - sent_at(stream)
    return Death("cut", total_s, stream.timeline.end_s - last_byte_at(stream), "/response/body", "an error event")


def near(limit_s: float, seen_s: float) -> bool:
    """Whether an end after ``seen_s`` fits a timer of ``limit_s``, with an early or late close."""
    return -0.4 <= seen_s - limit_s <= LATE_S


def explain_cut(stream: Exchange, whole: Exchange | None, longer: Exchange | None = None) -> Result | None:
    """The timer that cut a stream; None where no timer did.

    The unstreamed answer ends at the limit of either timer, since it is silent.  The stream ends at the limit after the
    request (a deadline) or after its last byte (an idle timeout).

    Args:
        whole: the same question without streaming.
        longer: a stream of another length.
    """
    cut = death_of(stream)
    limit = death_of(whole) if whole is not None else None
    if cut is not None and limit is not None and limit.from_a_timer and whole is not None:
        if cut.silent_s < limit.total_s - 0.5 and near(limit.total_s, cut.total_s):
            return timer_result(TOTAL_DEADLINE, min(limit.total_s, cut.total_s), whole, limit, stream, cut)
        if near(limit.total_s, cut.silent_s):
            return timer_result(L7_TIMEOUT, limit.total_s, whole, limit, stream, cut)
    return constant_end(stream, longer, whole)


def constant_end(stream: Exchange, longer: Exchange | None, whole: Exchange | None) -> Result | None:
    """The deadline that ended two streams of different length at one time after the request; None where none did.

    A write deadline (net/http, Server.WriteTimeout) is noticed when something is written, so that an answer without
    streaming is lost only when it is complete.  A hop that stops after so many bytes ends both streams at one size;
    where they have one size, only a limit of whole seconds is taken for a timer.
    """
    cut = death_of(stream)
    again = death_of(longer) if longer is not None else None
    if cut is None or again is None or longer is None or not (cut.flowing and again.flowing):
        return None
    limit_s = min(cut.total_s, again.total_s)
    if abs(cut.total_s - again.total_s) > max(0.2, 0.05 * limit_s):
        return None
    lost = death_of(whole) if whole is not None else None
    whole_s = next((end for end in (cut.total_s, again.total_s) if abs(end - round(end)) < 0.04 * end), 0.0)
    events = [len(completion.read_stream(item).stream.events) for item in (stream, longer)]
    sizes = [item.timeline.wire_bytes for item in (stream, longer)]
    remedy = None
    if lost is not None and lost.from_a_timer and lost.total_s > limit_s - 0.4:
        confidence, remedy = 0.95, WRITE_DEADLINE
        detail = f" Without streaming the answer was lost after {lost.total_s:.1f} s, when it was complete."
    elif abs(sizes[0] - sizes[1]) > max(sizes) / max(*events, 1) or whole_s:
        limit_s = whole_s or limit_s
        confidence = 0.9 if abs(events[0] - events[1]) > 2 else 0.75
        detail = f" They had {sizes[0]} and {sizes[1]} bytes by then."
    else:
        return None
    finding = TOTAL_DEADLINE.found(
        f"Two streams of different length ended {cut.total_s:.1f} s and {again.total_s:.1f} s after the request, while "
        f"tokens were arriving.{detail}",
        *(
            item.shows("/timeline/end_s", expected="its own end", actual=round(item.timeline.end_s, 2))
            for item in (stream, longer)
        ),
        confidence=confidence,
        remedy=remedy,
    )
    return Result((finding,), facts=limit_facts("total", limit_s))


def timer_result(
    diagnosis: Diagnosis,
    limit_s: float,
    silent: Exchange,
    death: Death,
    flowing: Exchange | None = None,
    flowing_death: Death | None = None,
    *,
    confidence: float = 0.95,
    why: str = "",
    remedy: str | None = None,
) -> Result:
    """The finding and the facts for a timer at the HTTP level.

    Args:
        limit_s: the limit, seconds.
        silent, death: the exchange that was ended during a silence.
        flowing, flowing_death: the streamed one, and its end where it was cut too.
        why: a sentence on how the kind of timer is known.
    """
    total = diagnosis is TOTAL_DEADLINE
    end = f"status {death.actual}" if death.how == "status" else f"a broken response ({death.actual})"
    detail = f"A request without streaming ended in {end} after {death.total_s:.1f} s without a byte."
    if flowing is not None and flowing_death is not None:
        detail += f" The streamed one ended {flowing_death.total_s:.1f} s after the request, "
        detail += "while tokens were arriving." if total else f"{flowing_death.silent_s:.1f} s after its last byte."
    if why:
        detail += f" {why}"
    evidence = [
        silent.shows(death.pointer, expected="a complete answer", actual=death.actual),
        silent.shows("/timeline/end_s", expected="the answer, however late", actual=round(death.total_s, 2)),
    ]
    if flowing is not None:
        evidence.append(
            flowing.shows("/timeline/end_s", expected="its own end", actual=round(flowing.timeline.end_s, 2))
        )
    finding = diagnosis.found(detail, *evidence, confidence=confidence, remedy=remedy)
    return Result((finding,), facts=limit_facts("total" if total else "idle", limit_s))


def limit_facts(kind: str, limit_s: float) -> dict[str, object]:
    """The facts about a limit, rounded to the precision of the measurement."""
    return {"idle_limit_s": round(limit_s, 1), "idle_limit_kind": kind}
