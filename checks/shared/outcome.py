"""Whether a chat request with one optional feature was answered or refused, and the words of a refusal.  Pure.

Plain chat works when these requests are sent, so a difference is due to the feature.  A refusal is a 4xx, an error
object under status 200 (LM Studio) or a 5xx that names the cause (llama.cpp answers 500 to a picture it has no
projector for).  Another such error, or a 2xx without a body, counts only when it comes twice.  An error of a hop or a
limit is not a verdict about the feature.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from probe.api import Exchange, Inconclusive, completion, member, wording

#: What servers of every kind write when they lack a feature.
_UNSUPPORTED = (
    "not support",
    "n't support",
    "unsupported",
    "not implemented",
    "not allowed",
    "validation error",
    "must be",
)
#: Where error objects carry codes and parameter names besides their text.
_CODES = (
    ("error", "code"),
    ("error", "type"),
    ("error", "param"),
    ("code",),
    ("type",),
    ("error_code",),
    ("error_type",),
)


class Answer(StrEnum):
    """The result of a request with the feature in it."""

    DONE = "answered"
    REFUSED = "refused"
    FAILED = "failed without a reason"


def outcome(exchange: Exchange, *about: str) -> Answer:
    """Judge one exchange.

    Args:
        about: words of the feature; a 5xx, or an error under a 2xx, that contains one of them has named its cause.

    Raises:
        Inconclusive: the request was lost, throttled, unpaid, redirected or answered by another operation.
    """
    status = exchange.status
    if exchange.error is not None or status is None:
        kind = exchange.error.kind if exchange.error else "no response"
        raise Inconclusive(f"the request was lost ({kind})")
    if obstacle := completion.obstacle(exchange):
        raise Inconclusive(f"the answer (status {status}) is about {obstacle}, not about the feature")
    if 200 <= status < 300:
        if has_failed_as_success(exchange):
            named = completion.speaks_of(exchange, *about, *_UNSUPPORTED)
            return Answer.REFUSED if named and not is_blank(exchange) else Answer.FAILED
        if not completion.is_completion(exchange):
            raise Inconclusive("the response is not a chat completion")
        return Answer.DONE
    if status < 400:
        raise Inconclusive(f"the request was redirected ({status})")
    if status < 500 or status == 501 or completion.speaks_of(exchange, *about, *_UNSUPPORTED):
        return Answer.REFUSED
    return Answer.FAILED


def last_outcome(exchanges: Sequence[Exchange], *about: str) -> Answer:
    """Judge a request that was sent once or twice: a second failure is a refusal.

    Raises:
        Inconclusive: as ``outcome``; or it failed once and was not repeated.
    """
    answer = outcome(exchanges[-1], *about)
    if answer is not Answer.FAILED:
        return answer
    if not any((item.status or 0) >= 500 or has_failed_as_success(item) for item in exchanges[:-1]):
        raise Inconclusive(f"status {exchanges[-1].status} once, without a reason")
    return Answer.REFUSED


def is_blank(exchange: Exchange) -> bool:
    """Whether a success status came without a body."""
    return completion.ok(exchange) and exchange.response is not None and not exchange.response.content.strip()


def has_choices(exchange: Exchange) -> bool:
    """Whether a stream holds a chunk of a completion."""
    return any(chunk.body.get("choices") for chunk in completion.read_stream(exchange).chunks)


def error_alone(exchange: Exchange, error: Any) -> Exchange:
    """The exchange as if this error, which came in its stream, were its whole answer."""
    if exchange.response is None:
        return exchange
    content = json.dumps({"error": error}, default=str).encode()
    plain = replace(exchange.response, headers=(("content-type", "application/json"),), content=content)
    return replace(exchange, response=plain)


def has_failed_as_success(exchange: Exchange) -> bool:
    """Whether a success status came with an error, without a body, or with a stream that holds errors only."""
    if not completion.ok(exchange) or exchange.error is not None:
        return False
    if completion.is_stream(exchange):
        return bool(completion.read_stream(exchange).errors) and not has_choices(exchange)
    return is_blank(exchange) or completion.has_error_body(exchange)


def is_answered(exchange: Exchange, *about: str) -> bool:
    """Whether the request was answered with a chat completion."""
    try:
        return outcome(exchange, *about) is Answer.DONE
    except Inconclusive:
        return False


def error_with_codes(exchange: Exchange, limit: int = 3000) -> str:
    """The error text, its codes and the parameter it names; or the errors inside a stream.

    Args:
        limit: the longest text to return, in characters (codes come after it).
    """
    if completion.is_stream(exchange):
        return " ".join(text for _, text in completion.read_stream(exchange).errors)[:limit]
    body = completion.body_of(exchange)
    body = body[0] if isinstance(body, list) and body else body
    codes = [str(code)[:200] for path in _CODES if (code := member(body, *path))]
    return " ".join([completion.error_text(exchange)[:limit], *codes])


#: A sentence of an error that says what to do instead.
_WAY_OUT = re.compile(
    r"(?:\A|(?<=[.;:!] )|(?<=\n))((?:To [^.,;]{3,60}, )?(?:please |instead,? )?"
    r"(?:add|disable|enable|leave|omit|pass|provide|remove|send|set|switch|try|update|upgrade|use) "
    r"(?:[^.]|\.(?! |\Z)){6,200})",
    re.IGNORECASE,
)


def way_out(exchange: Exchange) -> str:
    """What an error asks its reader to do, quoted in a sentence; empty where it asks nothing."""
    found = _WAY_OUT.search(completion.error_text(exchange)[:1500])
    return f"Do what the error text says: {wording.quote(found[1], 240)}." if found else ""


def answered(exchange: Exchange) -> str:
    """The URL, the status and the error text of an answer, or the heading of its page, for a detail sentence."""
    if completion.is_html(exchange):
        heading = wording.quote(completion.page_heading(exchange), 80, empty="")
        text = f"a page with the heading {heading}" if heading else ""
    else:
        text = completion.error_text(exchange)[:200]
    return f"{exchange.request.url} answered {exchange.status}{': ' + text if text else ''}"


def size_of(exchange: Exchange) -> int:
    """The size of a request's body in bytes, as it was sent; 0 without one."""
    body = exchange.request.body
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return 0 if body is None else len(text.encode("utf-8", "replace"))


def refused_for_size(exchanges: Sequence[Exchange]) -> tuple[Exchange, Exchange] | None:
    """The request of ``limits.body`` that was always refused, and the same without its spaces, which was answered."""
    asked = [one for one in exchanges if one.check == "limits.body"]
    small = next((one for one in asked if completion.ok(one)), None)
    large = [one for one in asked if not completion.ok(one)]
    if small is None or completion.ok(asked[-1]) or size_of(small) >= size_of(asked[-1]):
        return None
    return (large[-1], small) if len({one.status for one in large}) == 1 else None


def not_of_size(exchanges: Sequence[Exchange]) -> Sequence[Exchange]:
    """The exchanges that no limit on the body explains: those not larger than the largest that was answered."""
    if refused_for_size(exchanges) is None:
        return exchanges
    largest = max((size_of(one) for one in exchanges if completion.ok(one)), default=0)
    return [one for one in exchanges if size_of(one) <= largest]


def words_of(exchange: Exchange) -> str:
    """Status and error text of a refusal, shortened for a detail sentence."""
    if completion.is_html(exchange):
        heading = wording.quote(completion.page_heading(exchange), 80, empty="")
        return f"status {exchange.status}: a web page{f' with the heading {heading}' if heading else ''}"
    text = error_with_codes(exchange) if completion.is_stream(exchange) else completion.error_text(exchange)
    quoted = wording.quote(text, 240, empty="")
    return f"status {exchange.status}: {quoted}" if quoted else f"status {exchange.status} without a text"
