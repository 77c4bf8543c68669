"""Whether a chat request with one optional feature was answered, refused, or lost on the way.

Pure.  Plain chat works when these are asked, so what differs is the feature.  A refusal is a
4xx, an error object under status 200 (LM Studio), or a 5xx that says what it minds
(llama.cpp answers 500 to a picture it has no projector for); a 5xx that says nothing counts
only when it comes twice.  Trouble on the way tells nothing about the feature.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum

from probe.api import Exchange, Inconclusive, completion

#: What servers of every kind write when they do not have something.
_SAYS_NO = (
    "not support",
    "n't support",
    "unsupported",
    "not implemented",
    "not allowed",
    "validation error",
    "must be",
)


class Answer(StrEnum):
    """What became of a request with the feature in it."""

    DONE = "answered"
    REFUSED = "refused"
    FAILED = "failed without saying why"


def outcome(exchange: Exchange, *about: str) -> Answer:
    """Judge one exchange.

    Args:
        about: words of the feature; a 5xx that names one of them has said what it minds.

    Raises:
        Inconclusive: it was lost, throttled, unpaid, redirected or answered by something else.
    """
    status = exchange.status
    if exchange.error is not None or status is None:
        kind = exchange.error.kind if exchange.error else "no response"
        raise Inconclusive(f"the request was lost ({kind})")
    if obstacle := completion.obstacle(exchange):
        raise Inconclusive(f"the answer (status {status}) is about {obstacle}, not about the feature")
    if 200 <= status < 300:
        if completion.has_error_body(exchange):
            return Answer.REFUSED
        if not completion.is_completion(exchange):
            raise Inconclusive("the answer is no chat completion")
        return Answer.DONE
    if status < 400:
        raise Inconclusive(f"the request was redirected ({status})")
    if status < 500 or status == 501 or completion.speaks_of(exchange, *about, *_SAYS_NO):
        return Answer.REFUSED
    return Answer.FAILED


def last_outcome(exchanges: Sequence[Exchange], *about: str) -> Answer:
    """Judge the same request sent once or twice: failing twice is a refusal.

    Raises:
        Inconclusive: as ``outcome``; or it failed once and was not tried again.
    """
    answer = outcome(exchanges[-1], *about)
    if answer is not Answer.FAILED:
        return answer
    before = [item for item in exchanges[:-1] if (item.status or 0) >= 500]
    if not before:
        raise Inconclusive(f"status {exchanges[-1].status} once, without saying why")
    return Answer.REFUSED


async def until_told(send: Callable[[], Awaitable[Exchange]], *about: str) -> list[Exchange]:
    """Send a request, and once more where it failed without saying why."""
    asked = [await send()]
    try:
        again = outcome(asked[0], *about) is Answer.FAILED
    except Inconclusive:
        again = False
    if again:
        asked.append(await send())
    return asked


def words_of(exchange: Exchange) -> str:
    """What the endpoint said, quoted for a detail sentence; it is a stranger's text, so short."""
    said = " ".join(completion.error_text(exchange).split())
    if not said:
        return f"status {exchange.status} without a text"
    return f'status {exchange.status}: "{said[:240]}{"…" if len(said) > 240 else ""}"'
