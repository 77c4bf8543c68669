"""Whether the endpoint also offers the Responses API, whole and streamed.

A missing Responses API is no finding, but some clients use no other API, and need the stream.  Shapes follow
the OpenAI API reference, "The response object" and "Streaming events".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from probe.api import (
    Exchange,
    Inconclusive,
    Obstacle,
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
    wording,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

#: Tokens of the visible answer, and of the thinking before it.
_LIMIT, _THINKING = 100, 1024
_NO_OPERATION = ("not support", "n't support", "unsupported", "not implemented", "no route")


@check(
    "responses.create",
    title="Request the Responses API",
    proves="POST /responses returns a response object, and streams typed events with a proper end.",
    requires={"chat"},
    provides={"responses_api"},
    max_requests=2,
    max_tokens=400,
)
async def create(ctx: Context) -> Result:
    url = responses_url(ctx.target.chat_url or "")
    if not url:
        raise Skip("the URL for chat completions does not end in /chat/completions")
    thinks = ctx.target.thinks or any(completion.reasoning_of(item)[0] for item in ctx.exchanges)
    limit = _LIMIT + (_THINKING if thinks else 0)
    body: dict[str, Any] = {
        "model": ctx.target.model or "default",
        "input": f"Repeat exactly: {ctx.nonce('responses')}",
        "max_output_tokens": limit,
    }
    verdict = diagnose_whole(await ctx.send("POST", url, body=body, tokens=limit + 100))
    if verdict.verdict is State.WORKS:
        headers = {"Accept": "text/event-stream"}
        streamed = await ctx.send("POST", url, body={**body, "stream": True}, headers=headers, tokens=limit + 100)
        verdict = diagnose_streamed(streamed)
    return Result(verdicts={"responses_api": verdict})


def responses_url(chat_url: str) -> str | None:
    """The URL of the Responses API on the base of a chat URL, with its query; None for a URL of another form."""
    parts = urlsplit(chat_url)
    base, found, _ = parts.path.rpartition("/chat/completions")
    return urlunsplit(parts._replace(path=f"{base}/responses")) if found else None


def diagnose_whole(exchange: Exchange) -> Verdict:
    """The verdict on a whole answer; Inconclusive if it was lost, or is not about the operation."""
    refused = _refused(exchange)
    if refused is not None:
        return refused
    body = completion.body_of(exchange)
    text = output_text(body)
    if text is None:
        if completion.has_error_body(exchange) or completion.is_html(exchange):
            return Verdict(State.REJECTED, 0.9, note=f"no such operation: {_words(exchange)}")
        kind = str(member(body, "object"))[:40]
        return Verdict(State.BROKEN, 0.9, note=f"success without a response object (object: {kind})")
    if text.strip():
        return works("answers whole")
    if member(body, "status") == "incomplete":
        return unknown("the output limit was used up before any text")
    return Verdict(State.BROKEN, 0.6, note="a response object without text")


def diagnose_streamed(exchange: Exchange) -> Verdict:
    """The verdict on a streamed answer, after the whole one worked."""
    try:
        refused = _refused(exchange)
    except Inconclusive as reason:
        return works(f"answers whole; the streamed request was inconclusive: {reason}", 0.6)
    if refused is not None and refused.verdict is State.UNKNOWN:  # about the way and not about the operation
        return works(f"answers whole; the streamed request was inconclusive: {refused.note}", 0.6)
    if refused is not None:
        return Verdict(State.BROKEN, 0.9, note=f"answers whole, but not streamed: {refused.note}")
    response = exchange.response
    stream = sse.parse(response.content if response else b"", exchange.timeline.reads)
    kinds = [text_at(event.json, "type") or event.event for event in stream.data]
    if not kinds:
        return Verdict(State.BROKEN, 0.9, note="answers whole; the streamed answer has no events")
    if "response.failed" in kinds or "error" in kinds:
        return Verdict(State.BROKEN, 0.7, note="answers whole; the stream ends in an error event")
    deltas = [event for event, kind in zip(stream.data, kinds, strict=True) if kind == "response.output_text.delta"]
    has_text = any(text_at(event.json, "delta") for event in deltas)
    ends = [kind for kind in kinds if kind in ("response.completed", "response.incomplete")]
    if ends == ["response.incomplete"] and not has_text:
        return works("answers whole; the streamed answer used up its limit before any text", 0.6)
    missing = [] if has_text else ["text deltas"]
    missing += [] if ends else ["the response.completed event"]
    if missing:
        return Verdict(State.BROKEN, 0.9, note=f"answers whole; the stream lacks {' and '.join(missing)}")
    return works("answers, whole and streamed")


def output_text(body: Any) -> str | None:
    """The text of a response object, or None for anything else."""
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
    """``rejected`` or ``unknown`` if the request was not answered with success."""
    status = exchange.status
    if exchange.error is not None or status is None:
        raise Inconclusive(f"the request was lost ({exchange.error.kind if exchange.error else 'no response'})")
    obstacle = completion.obstacle(exchange)
    if obstacle in (Obstacle.ACCESS, Obstacle.PAYMENT):
        return unknown(f"status {status} on this path only: {_words(exchange)}")
    if obstacle:
        raise Inconclusive(f"the answer (status {status}) is about {obstacle}, not about the operation")
    if 200 <= status < 300:
        return None
    if status in (404, 405, 410, 501):
        return Verdict(State.REJECTED, note=f"no such operation (status {status}); chat completions work")
    if status < 400:
        return unknown(f"status {status} on this path only: {_words(exchange)}")
    if status < 500 or completion.speaks_of(exchange, *_NO_OPERATION):
        return Verdict(State.REJECTED, 0.9, note=f"refused with status {status}: {_words(exchange)}")
    return unknown(f"status {status} once: {_words(exchange)}")


def _words(exchange: Exchange) -> str:
    if completion.is_html(exchange):
        return "a web page"
    return wording.cut(completion.error_text(exchange), 160) or "no text"
