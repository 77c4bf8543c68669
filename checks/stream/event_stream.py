"""Whether a streaming request is answered by an event stream that clients can read.

One request shows media type, framing, finish reason, ``[DONE]``, token counts and errors inside the stream.  More
requests are sent only if something is wrong.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from checks.shared import stream_requests
from checks.shared.endings import explain_cut
from checks.shared.outcome import words_of
from checks.shared.timers import L7_TIMEOUT, TOTAL_DEADLINE
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
from checks.stream.reading import Problem, body_kind, broke_off, is_event_stream, problem_of, ran_out_of_time, remarks
from probe.api import (
    BudgetExceeded,
    Depth,
    Exchange,
    Finding,
    Inconclusive,
    Result,
    Severity,
    State,
    Throttled,
    check,
    completion,
    count_at,
    unknown,
    wording,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

#: A stream cut sooner was not cut by a timer (seconds).
TIMER_S = 0.8
#: The most tokens of a stream that shows whether a cut comes at a constant time.
MOST_TOKENS = 1000
CLEAN_CUT_REMEDY = (
    "A stream that ends cleanly too early usually comes from a proxy whose backend went away: check the logs of both, "
    "and let the proxy use HTTP/1.1 to its backend (nginx: `proxy_http_version 1.1`), so that a lost backend shows as "
    "a broken response. Until then set Streaming off in the client."
)


@dataclass(frozen=True)
class Seen:
    """The stream, the refused request before it, and the control requests, if any."""

    exchange: Exchange
    refused: Exchange | None = None
    again: Exchange | None = None
    whole: Exchange | None = None
    longer: Exchange | None = None


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
    max_tokens=2100,
    depth=Depth.QUICK,
    exclusive=True,
)
async def shape(ctx: Context) -> Result:
    asked = await stream_requests.basic(ctx)
    seen = Seen(asked.exchange, asked.refused)
    if is_event_stream(seen.exchange):
        with suppress(BudgetExceeded, Throttled):  # the judgement is less sure without it
            seen = await _with_control(ctx, seen)
    return diagnose_shape(seen)


async def _with_control(ctx: Context, seen: Seen) -> Seen:
    """Add the request that distinguishes a passing error, or a timer, from a permanent one."""
    if completion.read_stream(seen.exchange).errors:
        again = await stream_requests.timed(ctx, stream_requests.first(ctx), options=seen.refused is None)
        return replace(seen, again=again)
    if broke_off(seen.exchange) and not ran_out_of_time(seen.exchange):
        if seen.exchange.timeline.end_s > TIMER_S:
            seen = replace(seen, whole=await stream_requests.whole(ctx))
        if explain_cut(seen.exchange, seen.whole) is None:
            chunks = len(completion.read_stream(seen.exchange).chunks)
            question = stream_requests.Question(stream_requests.STORY, min(MOST_TOKENS, 2 * chunks + 64))
            return replace(seen, longer=await stream_requests.timed(ctx, question, options=seen.refused is None))
    return seen


def diagnose_shape(seen: Seen) -> Result:
    """Judge the first stream; Inconclusive if the request was lost before anything could be judged."""
    exchange = seen.exchange
    if exchange.response is None or stream_requests.refuses(exchange) or not is_event_stream(exchange):
        return _no_stream(seen)
    if never_ends(exchange):
        return _endless(exchange)
    if exchange.response.cut:
        raise Inconclusive(f"the stream is longer than {len(exchange.response.content)} bytes, where reading stops")
    if exchange.error is not None and exchange.error.kind == "encoding":
        return _undecodable(exchange, exchange.error.message)
    reading = completion.read_stream(exchange)
    result = _media_type(exchange)
    problem = problem_of(reading, exchange.error is None)
    if problem is not None:
        return result | _framing(exchange, problem) | (_end(seen) if problem.readable else Result())
    if reading.stream.invalid_utf8:
        result |= invalid_utf8(exchange)
    return result | _end(seen)


def never_ends(exchange: Exchange) -> bool:
    """Whether this program ended a stream whose events still came, long after the answer had to be complete.

    Complete means: a finish reason came, or three times as many events with text as the request allowed tokens.
    """
    response = exchange.response
    stopped = response is not None and (response.cut or ran_out_of_time(exchange))
    if not stopped:
        return False
    reading = completion.read_stream(exchange)
    allowed = max((count_at(exchange.request.body, name) or 0) for name in ("max_tokens", "max_completion_tokens"))
    texts = sum(bool(chunk.delta.get("content")) for chunk in reading.chunks)
    return not reading.stream.done and (bool(reading.finish_reason) or (allowed > 0 and texts > 3 * allowed))


def _endless(exchange: Exchange) -> Result:
    reading = completion.read_stream(exchange)
    finding = NO_DONE.found(
        f"The stream never ends: this program ended it after {wording.seconds(exchange.timeline.end_s)} and "
        f"{len(reading.stream.events)} events, with finish_reason {reading.finish_reason!r} and without [DONE].",
        exchange.shows("/response/body", expected="data: [DONE] at the end", actual="events without an end"),
        severity=Severity.ERROR,
    )
    return _unusable(finding)


def _unusable(finding: Finding, state: State = State.BROKEN) -> Result:
    """A finding that makes streaming unusable, so that usage in streams is unknown."""
    return Result.of(finding, streaming=state) | _usage_unknown()


def _usage_unknown(why: str = "the stream could not be read") -> Result:
    return Result(verdicts={"stream_usage": unknown(why)})


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
    if obstacle := completion.obstacle(exchange):
        raise Inconclusive(f"the answer to the streamed request is about {obstacle}")
    finding = NOT_SSE.found(
        f"The streaming request was answered {exchange.status} with {body_kind(exchange)}.",
        exchange.shows(
            "/response/headers/content-type",
            expected="text/event-stream",
            actual=exchange.response.header("content-type"),
        ),
    )
    return _unusable(finding, State.IGNORED if completion.is_completion(exchange) else State.BROKEN)


def _refused(seen: Seen) -> Result:
    exchange = seen.exchange
    status = exchange.status or 0
    if obstacle := completion.obstacle(exchange):
        raise Inconclusive(f"the answer to the streamed request (status {status}) is about {obstacle}")
    if status >= 500 and (seen.refused is None or (seen.refused.status or 0) < 500):
        raise Inconclusive(f"the streamed request failed with status {status} once")
    finding = REJECTED.found(
        f"With `stream: true` the request was refused with {words_of(exchange)}; without it the endpoint answers.",
        exchange.shows_status(200),
    )
    return _unusable(finding, State.REJECTED)


def _media_type(exchange: Exchange) -> Result:
    response = exchange.response
    assert response is not None
    if response.media_type == "text/event-stream":
        return Result()
    media_type = response.header("content-type")
    finding = CONTENT_TYPE.found(
        f"The stream was sent as {media_type or 'a body without a Content-Type'}.",
        exchange.shows("/response/headers/content-type", expected="text/event-stream", actual=media_type),
    )
    return Result((finding,))


def _framing(exchange: Exchange, problem: Problem) -> Result:
    finding = FRAMING.found(
        f"In the stream {problem.text}.",
        exchange.shows(f"/response/events/{problem.event}/data", expected=problem.expected, actual=problem.actual),
        severity=Severity.WARNING if problem.readable else None,
        remedy=problem.remedy,
    )
    return Result((finding,)) if problem.readable else _unusable(finding)


def _undecodable(exchange: Exchange, error: str) -> Result:
    finding = FRAMING.found(
        f"The body of the stream cannot be decoded: {error}.",
        exchange.shows("/error/kind", expected="a body in a coding that was offered", actual=error),
        remedy="Let the hop that compresses use a coding that the client offered (Accept-Encoding), or not compress "
        "event streams. Until then set Streaming off in the client.",
    )
    return _unusable(finding)


def invalid_utf8(exchange: Exchange) -> Result:
    """The finding for bytes that are not UTF-8."""
    bad = wording.amount(completion.read_stream(exchange).stream.invalid_utf8, "invalid sequence")
    finding = UTF8.found(
        f"The stream is not valid UTF-8: {bad}.", exchange.shows("/response/body", expected="UTF-8", actual=bad)
    )
    return Result((finding,))


# The end of the stream ------------------------------------------------------------------------------


def _end(seen: Seen) -> Result:
    exchange = seen.exchange
    reading = completion.read_stream(exchange)
    if reading.errors:
        return _error_inside(seen)
    if reading.stream.done or reading.finish_reason:
        return _ended(seen, reading)
    if ran_out_of_time(exchange):
        note = f"the answer was still arriving when this program's limit of {exchange.timeline.end_s:.0f} s ended it"
        return Result(verdicts={"streaming": works(note)}, note=note) | _usage_unknown(note)
    return _cut(seen, reading)


def _error_inside(seen: Seen) -> Result:
    exchange, again = seen.exchange, seen.again
    index, text = completion.read_stream(exchange).errors[0]
    repeated = again is None or not is_event_stream(again) or bool(completion.read_stream(again).errors)
    if again is None:
        outcome, confidence = "the request was not repeated", 0.8
    elif repeated:
        outcome, confidence = "the repeated request failed as well", 1.0
    else:
        outcome, confidence = "the repeated request was answered", 0.6
    finding = ERROR_IN_BAND.found(
        f"Event {index} of the stream contains the error {wording.quote(text, 200, 'without a text')}; {outcome}.",
        exchange.shows(f"/response/events/{index}/data", expected="a completion chunk", actual=text[:200]),
        severity=None if repeated else Severity.WARNING,
        confidence=confidence,
    )
    if again is None or repeated:
        return _unusable(finding)
    return Result((finding,)) | diagnose_shape(Seen(again))


def _cut(seen: Seen, reading: completion.StreamReading) -> Result:
    exchange = seen.exchange
    timer = explain_cut(exchange, seen.whole, seen.longer)
    if timer is not None:
        return timer | Result(verdicts={"streaming": works("cut by a timer")}) | _usage_unknown()
    error, longer = exchange.error, seen.longer
    once = longer is not None and longer.error is None and is_event_stream(longer) and not broke_off(longer)
    how = f"broke ({error.kind})" if error else "ended cleanly"
    pointer, actual = ("/error/kind", error.kind) if error else ("/response/body", "no finish_reason, no [DONE]")
    finding = TRUNCATED.found(
        f"The connection {how} after {wording.amount(len(reading.chunks), 'chunk')} and "
        f"{exchange.timeline.end_s:.1f} s, without a finish reason and without [DONE]"
        f"{', once; the next stream was complete' if once else ''}.",
        exchange.shows(pointer, expected="finish_reason and data: [DONE]", actual=actual),
        remedy=None if error else CLEAN_CUT_REMEDY,
        severity=Severity.WARNING if once else None,
        confidence=0.6 if once else 1.0,
    )
    if once and longer is not None:
        return Result((finding,)) | diagnose_shape(Seen(longer))
    return _unusable(finding)


def _ended(seen: Seen, reading: completion.StreamReading) -> Result:
    exchange = seen.exchange
    result = Result()
    if not reading.stream.done:
        stalled = exchange.error is not None
        how = f", and the connection did not end either ({exchange.error.kind})" if exchange.error else ""
        finding = NO_DONE.found(
            f"The last event has finish_reason {reading.finish_reason!r}, and no [DONE] follows{how}.",
            exchange.shows("/response/body", expected="data: [DONE] at the end", actual="none"),
            severity=Severity.ERROR if stalled else None,
        )
        if stalled:
            return _unusable(finding)
        result = Result((finding,))
    note = remarks(exchange, reading)
    return result | Result(verdicts={"streaming": works(note)}, note=note) | _usage(seen, reading)


def _usage(seen: Seen, reading: completion.StreamReading) -> Result:
    exchange = seen.exchange
    if reading.usage[1] == 0 and reading.text:
        prompt = reading.usage[0]
        finding = NO_USAGE.found(
            "The token counts of the stream are all 0."
            if not prompt
            else f"The stream has text, and its tokens are counted as 0 (those of the prompt as {prompt}).",
            exchange.shows("/response/events", expected="the tokens of prompt and answer", actual=f"{prompt} and 0"),
        )
        return Result.of(finding, stream_usage=State.BROKEN)
    if reading.usage[1] is not None or reading.usage[0] is not None:
        note = "refused when requested, and sent without a request" if seen.refused else ""
        return Result(verdicts={"stream_usage": works(note)})
    if seen.refused is not None:
        obstacle = completion.obstacle(seen.refused)
        if obstacle and not completion.speaks_of(seen.refused, "stream_options", "include_usage"):
            return _usage_unknown(f"the answer to `stream_options` (status {seen.refused.status}) is about {obstacle}")
        finding = NO_USAGE.found(
            f"A streaming request with `stream_options` was refused with {words_of(seen.refused)}; without it the "
            "answer is streamed without token counts.",
            seen.refused.shows_status(200),
            remedy="Use a client that does not send `stream_options`, or update the server to one that accepts it.",
        )
        return Result.of(finding, stream_usage=State.REJECTED)
    if any(isinstance(chunk.body.get("usage"), dict) and chunk.body["usage"] for chunk in reading.chunks):
        note = "token counts come in a form that cannot be read"
        return Result(verdicts={"stream_usage": unknown(note)}, note=note)
    finding = NO_USAGE.found(
        "`stream_options.include_usage` was accepted, and no event of the stream has token counts.",
        exchange.shows(
            f"/response/events/{len(reading.stream.events) - 1}/data",
            expected="a chunk with usage before [DONE]",
            actual=f"no usage in {len(reading.chunks)} chunks",
        ),
    )
    return Result.of(finding, stream_usage=State.IGNORED)
