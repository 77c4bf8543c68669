"""Whether a streaming request is answered by an event stream that clients can read.

One request tells: media type, framing, finish reason, ``[DONE]``, token counts, errors
inside the stream.  More is sent only where something is wrong.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from checks.shared import stream_requests
from checks.shared.endings import explain_cut
from checks.shared.timers import L7_TIMEOUT, TOTAL_DEADLINE
from checks.stream import framing
from checks.stream.catalogue import (
    CONTENT_TYPE,
    ERROR_IN_BAND,
    FRAMING,
    NO_DONE,
    NO_USAGE,
    NOT_SSE,
    REJECTED,
    TRUNCATED,
    UTF8,
)
from probe.api import (
    BudgetExceeded,
    Depth,
    Exchange,
    Inconclusive,
    Result,
    Severity,
    State,
    Throttled,
    because,
    check,
    completion,
    member,
    parse,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

#: A cut that comes sooner is no timer's doing.
TIMER_S = 0.8


@dataclass(frozen=True)
class Seen:
    """What was asked: the stream, the refused try before it, and the controls where there are any."""

    exchange: Exchange
    refused: Exchange | None = None
    again: Exchange | None = None
    whole: Exchange | None = None


@check(
    "stream.shape",
    title="Stream a chat completion",
    proves="A streaming request is answered by a well-formed event stream that ends properly and counts tokens.",
    requires={"chat"},
    provides={"streaming", "stream_usage"},
    emits=(
        *(REJECTED, NOT_SSE, CONTENT_TYPE, FRAMING, NO_DONE, TRUNCATED, NO_USAGE, ERROR_IN_BAND, UTF8),
        *(L7_TIMEOUT, TOTAL_DEADLINE),
    ),
    max_requests=4,
    least_requests=1,
    max_tokens=1100,
    depth=Depth.QUICK,
    exclusive=True,
)
async def shape(ctx: Context) -> Result:
    asked = await stream_requests.basic(ctx)
    seen = Seen(asked.exchange, asked.refused)
    if is_event_stream(seen.exchange):
        with suppress(BudgetExceeded, Throttled):  # judged without it, and so less surely
            seen = await _with_control(ctx, seen)
    return diagnose_shape(seen)


async def _with_control(ctx: Context, seen: Seen) -> Seen:
    """The same with the request that tells a fault of the moment, or a timer, from a lasting one."""
    if completion.read_stream(seen.exchange).errors:
        again = await stream_requests.timed(ctx, stream_requests.FIRST, options=seen.refused is None)
        return replace(seen, again=again)
    if broke_off(seen.exchange) and seen.exchange.timeline.end_s > TIMER_S:
        return replace(seen, whole=await stream_requests.whole(ctx))
    return seen


def is_event_stream(exchange: Exchange) -> bool:
    """Whether the answer is, or means to be, a stream of events or of bare chunks."""
    response = exchange.response
    if response is None or not 200 <= response.status < 300:
        return False
    if isinstance(response.json, dict):
        return False  # one JSON object, under whatever name
    return completion.is_stream(exchange) or bool(
        response.media_type == "text/event-stream" and framing.bare_lines(stream_of(exchange).stream)
    )


def stream_of(exchange: Exchange) -> completion.StreamReading:
    return completion.read_stream(exchange)


def broke_off(exchange: Exchange) -> bool:
    """Whether the stream came to no proper end."""
    reading = stream_of(exchange)
    if reading.errors:
        return False
    ended = bool(reading.finish_reason) or reading.stream.done
    return not ended and not framing.problem_of(reading, exchange.error is None)


def diagnose_shape(seen: Seen) -> Result:
    """Judge the first stream.  Pure.

    Raises:
        Inconclusive: the request was lost before anything could be judged.
    """
    exchange = seen.exchange
    if exchange.response is None or stream_requests.refuses(exchange) or not is_event_stream(exchange):
        return _no_stream(seen)
    if exchange.response.cut:
        raise Inconclusive(f"the stream went on beyond {len(exchange.response.content)} bytes, where reading stops")
    if exchange.error is not None and exchange.error.kind == "encoding":
        return _undecodable(exchange, exchange.error.message)
    reading = stream_of(exchange)
    result = _of_type(exchange)
    problem = framing.problem_of(reading, exchange.error is None)
    if problem is not None:
        return result | _of_framing(exchange, problem) | (_of_end(seen) if problem.readable else Result())
    if reading.stream.invalid_utf8:
        result |= spoilt_bytes(exchange)
    return result | _of_end(seen)


def _no_stream(seen: Seen) -> Result:
    exchange = seen.exchange
    if exchange.response is None or exchange.status is None:
        kind = exchange.error.kind if exchange.error else "no response"
        raise Inconclusive(f"the streamed request was lost ({kind})")
    if stream_requests.refuses(exchange):
        return _refused(seen)
    if 300 <= exchange.status < 400:
        raise Inconclusive(f"the streamed request was redirected ({exchange.status})")
    if exchange.error is not None and not exchange.response.content:
        raise Inconclusive(f"the streamed request was lost ({exchange.error.kind})")
    what = _what_came(exchange)
    finding = NOT_SSE.found(
        f"The streaming request was answered {exchange.status} with {what}.",
        exchange.shows(
            "/response/headers/content-type",
            expected="text/event-stream",
            actual=exchange.response.header("content-type"),
        ),
    )
    verdict = because(State.IGNORED if completion.is_completion(exchange) else State.BROKEN, finding)
    return Result((finding,), {"streaming": verdict, "stream_usage": framing.untold()})


def _refused(seen: Seen) -> Result:
    exchange = seen.exchange
    status = exchange.status or 0
    if obstacle := completion.obstacle(exchange):
        raise Inconclusive(f"the answer to the streamed request (status {status}) is about {obstacle}")
    if status >= 500 and (seen.refused is None or (seen.refused.status or 0) < 500):
        raise Inconclusive(f"the streamed request failed with status {status} once")
    finding = REJECTED.found(
        f"With `stream: true` the request was refused with {framing.words_of(exchange)}; "
        "without it the same endpoint answers.",
        exchange.shows("/response/status", expected=200, actual=status),
    )
    return Result((finding,), {"streaming": because(State.REJECTED, finding), "stream_usage": framing.untold()})


def _what_came(exchange: Exchange) -> str:
    response = exchange.response
    assert response is not None
    if completion.is_completion(exchange):
        return "one chat completion object: the wish for a stream was ignored"
    if completion.is_html(exchange):
        return "a web page"
    if not response.content:
        return "an empty body"
    lines = [line for line in response.content.split(b"\n") if line.strip()]
    if len(lines) > 1 and all(framing.looks_like_chunk(parse(line)) for line in lines[:3]):
        return "bare JSON lines, not server-sent events"
    return f"{len(response.content)} bytes of {response.media_type or 'no stated type'}"


def _of_type(exchange: Exchange) -> Result:
    response = exchange.response
    assert response is not None
    if response.media_type == "text/event-stream":
        return Result()
    said = response.header("content-type")
    finding = CONTENT_TYPE.found(
        f"The stream came as {said or 'a body without a Content-Type'}.",
        exchange.shows("/response/headers/content-type", expected="text/event-stream", actual=said),
    )
    return Result((finding,))


def _of_framing(exchange: Exchange, problem: framing.Problem) -> Result:
    finding = FRAMING.found(
        f"In the stream {problem.text}.",
        exchange.shows(f"/response/events/{problem.event}/data", expected=problem.expected, actual=problem.actual),
        severity=Severity.WARNING if problem.readable else None,
        remedy=problem.remedy,
    )
    if problem.readable:
        return Result((finding,))
    return Result((finding,), {"streaming": because(State.BROKEN, finding), "stream_usage": framing.untold()})


def _undecodable(exchange: Exchange, said: str) -> Result:
    finding = FRAMING.found(
        f"The body of the stream cannot be decoded: {said}.",
        exchange.shows("/error/kind", expected="a body in a coding that was offered", actual=said),
        remedy="Let the hop that compresses use a coding the client offered (Accept-Encoding), or leave event "
        "streams alone. Until then set Streaming off in the client.",
    )
    return Result((finding,), {"streaming": because(State.BROKEN, finding), "stream_usage": framing.untold()})


def spoilt_bytes(exchange: Exchange) -> Result:
    """The finding for bytes that are no UTF-8."""
    bad = stream_of(exchange).stream.invalid_utf8
    finding = UTF8.found(
        f"The stream holds {bad} byte sequences that are no UTF-8.",
        exchange.shows("/response/body", expected="UTF-8", actual=f"{bad} invalid sequences"),
    )
    return Result((finding,))


def ran_out_of_time(exchange: Exchange) -> bool:
    """Whether our own time limit ended a stream whose text was still coming."""
    error, times = exchange.error, exchange.timeline
    if error is None or error.kind != "timeout" or error.errno is not None or not times.reads:
        return False
    return times.end_s - times.reads[-1][0] < 0.3 * times.end_s


# How it ends ------------------------------------------------------------------------------


def _of_end(seen: Seen) -> Result:
    exchange = seen.exchange
    reading = stream_of(exchange)
    if reading.errors:
        return _error_inside(seen)
    if reading.stream.done or reading.finish_reason:
        return _ended(seen, reading)
    if ran_out_of_time(exchange):
        note = f"the answer was still coming when our own limit of {exchange.timeline.end_s:.0f} s ended it"
        return Result(verdicts={"streaming": works(note), "stream_usage": framing.untold(note)}, note=note)
    return _cut(seen, reading)


def _error_inside(seen: Seen) -> Result:
    exchange = seen.exchange
    index, said = stream_of(exchange).errors[0]
    again = seen.again
    lasting = again is None or not is_event_stream(again) or bool(stream_of(again).errors)
    if again is None:
        often = "the request was not repeated"
    else:
        often = "the same request failed again" if lasting else "the same request went through when it was repeated"
    finding = ERROR_IN_BAND.found(
        f'Event {index} of the stream holds the error "{framing.short(said)}"; {often}.',
        exchange.shows(f"/response/events/{index}/data", expected="a completion chunk", actual=said[:200]),
        severity=None if lasting else Severity.WARNING,
        confidence=0.6 if not lasting else 0.8 if again is None else 1.0,
    )
    if lasting:
        verdict = because(State.BROKEN, finding)
        return Result((finding,), {"streaming": verdict, "stream_usage": framing.untold()})
    assert again is not None
    return Result((finding,)) | diagnose_shape(Seen(again))


def _cut(seen: Seen, reading: completion.StreamReading) -> Result:
    exchange = seen.exchange
    timer = explain_cut(exchange, seen.whole)
    if timer is not None:
        return timer | Result(verdicts={"streaming": works("cut by a timer"), "stream_usage": framing.untold()})
    error = exchange.error
    said = f"broke ({error.kind})" if error else "ended cleanly"
    after = f"after {len(reading.chunks)} chunks and {exchange.timeline.end_s:.1f} s"
    pointer, actual = ("/error/kind", error.kind) if error else ("/response/body", "no finish_reason, no [DONE]")
    finding = TRUNCATED.found(
        f"The connection {said} {after}, without a finish reason and without [DONE].",
        exchange.shows(pointer, expected="finish_reason and data: [DONE]", actual=actual),
        remedy=None if error else framing.CLEAN_CUT_REMEDY,
    )
    return Result((finding,), {"streaming": because(State.BROKEN, finding), "stream_usage": framing.untold()})


def _ended(seen: Seen, reading: completion.StreamReading) -> Result:
    exchange = seen.exchange
    result = Result()
    stalled = exchange.error is not None
    if not reading.stream.done:
        how = f", and the connection did not end either ({exchange.error.kind})" if exchange.error else ""
        finding = NO_DONE.found(
            f"The last event has finish_reason {reading.finish_reason!r}, and no [DONE] follows{how}.",
            exchange.shows("/response/body", expected="data: [DONE] at the end", actual="none"),
            severity=Severity.ERROR if stalled else None,
        )
        result |= Result((finding,))
        if stalled:
            return result | Result(
                verdicts={"streaming": because(State.BROKEN, finding), "stream_usage": framing.untold()}
            )
    notes = _remarks(exchange, reading)
    return result | Result(verdicts={"streaming": works(notes)}, note=notes) | _of_usage(seen, reading)


def _of_usage(seen: Seen, reading: completion.StreamReading) -> Result:
    exchange = seen.exchange
    if reading.usage[1] is not None or reading.usage[0] is not None:
        note = "refused when asked for, and sent without being asked" if seen.refused else ""
        return Result(verdicts={"stream_usage": works(note)})
    if seen.refused is not None:
        finding = NO_USAGE.found(
            "A streaming request with `stream_options` was refused with "
            f"{framing.words_of(seen.refused)}; without it the stream comes, and counts no tokens.",
            seen.refused.shows("/response/status", expected=200, actual=seen.refused.status),
            remedy="Use a client that does not send `stream_options`, or update the server to one that takes it.",
        )
        return Result((finding,), {"stream_usage": because(State.REJECTED, finding)})
    last = len(reading.stream.events) - 1
    finding = NO_USAGE.found(
        "`stream_options.include_usage` was accepted, and no event of the stream holds token counts.",
        exchange.shows(
            f"/response/events/{last}/data",
            expected="a chunk with usage before [DONE]",
            actual=f"no usage in {len(reading.chunks)} chunks",
        ),
    )
    return Result((finding,), {"stream_usage": because(State.IGNORED, finding)})


def _remarks(exchange: Exchange, reading: completion.StreamReading) -> str:
    """What is in order and still worth knowing, for the note of the pass."""
    said = []
    if reading.stream.bom:
        said.append("it begins with a byte order mark, which readers by line take for text")
    if reading.stream.line_ends == {"\r"}:
        said.append("its lines end in CR alone, which readers by LF do not see")
    if reading.stream.done and not reading.finish_reason:
        said.append("no chunk has a finish reason")
    if exchange.timeline.open_after_done:
        said.append("the response stayed open after [DONE]")
    if reading.reasoning_field:
        said.append(f"thinking comes in {reading.reasoning_field}")
    if any(member(chunk.body, "choices") == [] for chunk in reading.chunks[:1]):
        said.append("the first chunk has no choices")
    return "; ".join(said)
