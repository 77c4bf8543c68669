"""Whether the endpoint also speaks the Responses API, whole and streamed.

Its absence is no fault; but some clients speak nothing else, and need the stream.  Shapes are
those of the OpenAI API reference, "The response object" and "Streaming events".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from probe.api import (
    Exchange,
    Inconclusive,
    Result,
    Skip,
    State,
    Verdict,
    check,
    completion,
    member,
    sse,
    text_at,
    unknown,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

_ON_THE_WAY = (408, 425, 429, 502, 503, 504, 524, 529)
_LIMIT = 100  # tokens of the visible answer
_THINKING = 1024  # and of the thinking before it


@check(
    "responses.create",
    title="Ask the Responses API",
    proves="POST /responses answers with a response object, and streams typed events that end properly.",
    requires={"chat"},
    provides={"responses_api"},
    max_requests=2,
    max_tokens=400,
)
async def create(ctx: Context) -> Result:
    url = responses_url(ctx.target.chat_url or "")
    if not url:
        raise Skip("the URL for chat completions does not end in /chat/completions")
    body: dict[str, Any] = {
        "model": ctx.target.model or "default",
        "input": f"Repeat exactly: {ctx.nonce('responses')}",
        "max_output_tokens": _LIMIT + (_THINKING if _thinks(ctx) else 0),
    }
    cost = body["max_output_tokens"] + 100
    whole = await ctx.send("POST", url, body=body, tokens=cost)
    verdict = diagnose_whole(whole)
    if verdict.verdict is State.WORKS:
        streamed = await ctx.send(
            "POST", url, body={**body, "stream": True}, headers={"Accept": "text/event-stream"}, tokens=cost
        )
        verdict = diagnose_streamed(streamed)
    return Result(verdicts={"responses_api": verdict})


def _thinks(ctx: Context) -> bool:
    return ctx.target.thinks or any(completion.reasoning_of(item)[0] for item in ctx.exchanges)


def responses_url(chat_url: str) -> str | None:
    """The URL of the Responses API beside a chat URL, query kept; None where it has another form."""
    parts = urlsplit(chat_url)
    base, found, _ = parts.path.rpartition("/chat/completions")
    return urlunsplit(parts._replace(path=f"{base}/responses")) if found else None


def diagnose_whole(exchange: Exchange) -> Verdict:
    """The verdict on an answer that is not streamed.

    Raises:
        Inconclusive: the request was lost, or the answer speaks of the way there.
    """
    refused = _refused(exchange)
    if refused is not None:
        return refused
    body = completion.body_of(exchange)
    text = output_text(body)
    if text is None:
        if completion.has_error_body(exchange) or completion.is_html(exchange):
            return Verdict(State.REJECTED, 0.9, note=f"no such operation: {_words(exchange)}")
        kind = member(body, "object")
        return Verdict(State.BROKEN, 0.9, note=f"success, but no response object came (object: {str(kind)[:40]})")
    if not text.strip():
        if member(body, "status") == "incomplete":
            return unknown("the output limit was used up before any text")
        return Verdict(State.BROKEN, 0.6, note="a response object without any text")
    return works("answers whole")


def diagnose_streamed(exchange: Exchange) -> Verdict:
    """The verdict on a streamed answer, after the whole one worked."""
    try:
        refused = _refused(exchange)
    except Inconclusive as said:
        return works(f"answers whole; the streamed request told nothing: {said}", 0.6)
    if refused is not None:
        return Verdict(State.BROKEN, 0.9, note=f"answers whole, but not streamed: {refused.note}")
    response = exchange.response
    stream = sse.parse(response.content if response else b"", exchange.timeline.reads)
    kinds = [text_at(event.json, "type") or event.event for event in stream.data]
    text = "".join(
        text_at(event.json, "delta")
        for event, kind in zip(stream.data, kinds, strict=True)
        if kind == "response.output_text.delta"
    )
    if not kinds:
        return Verdict(State.BROKEN, 0.9, note="answers whole; asked to stream, it sends no events")
    if "response.failed" in kinds or "error" in kinds:
        return Verdict(State.BROKEN, 0.7, note="answers whole; the stream ends in an error event")
    ends = [kind for kind in kinds if kind in ("response.completed", "response.incomplete")]
    missing = [
        what for what, there in (("text deltas", bool(text)), ("the response.completed event", bool(ends))) if not there
    ]
    if ends == ["response.incomplete"] and not text:
        return works("answers whole; the streamed answer used up its limit before any text", 0.6)
    if missing:
        return Verdict(State.BROKEN, 0.9, note=f"answers whole; the stream lacks {' and '.join(missing)}")
    return works("answers, whole and streamed")


def output_text(body: Any) -> str | None:
    """The text of a response object, or None where it is none."""
    output = member(body, "output")
    if not isinstance(output, list):
        return None
    parts = [
        part
        for item in output
        if member(item, "type") == "message" and isinstance(member(item, "content"), list)
        for part in item["content"]
    ]
    return "".join(text_at(part, "text") for part in parts if member(part, "type") == "output_text")


def _refused(exchange: Exchange) -> Verdict | None:
    """``rejected`` or ``unknown`` where the request was not answered with success."""
    status = exchange.status
    if exchange.error is not None or status is None:
        raise Inconclusive(f"the request was lost ({exchange.error.kind if exchange.error else 'no response'})")
    if status in _ON_THE_WAY:
        raise Inconclusive(f"status {status} speaks of the way there, not of the operation")
    if 200 <= status < 300:
        return None
    if status in (404, 405, 410, 501):
        return Verdict(State.REJECTED, note=f"no such operation here (status {status}); chat completions work")
    if status in (401, 402, 407) or status < 400:
        return unknown(f"status {status} on this path alone: {_words(exchange)}")
    said = completion.speaks_of(exchange, "not support", "n't support", "unsupported", "not implemented", "no route")
    if status < 500 or said:
        return Verdict(State.REJECTED, 0.9, note=f"refused with status {status}: {_words(exchange)}")
    return unknown(f"status {status} once: {_words(exchange)}")


def _words(exchange: Exchange) -> str:
    if completion.is_html(exchange):
        return "a web page"
    return " ".join(completion.error_text(exchange).split())[:160] or "no text"
