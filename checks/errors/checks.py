"""Whether errors can be understood: their status, and the shape of their bodies.

One request that every server has to refuse is sent; the rest is read from whatever was
refused in the course of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from checks.errors.catalogue import SERVER_ERROR, SHAPE, SUCCESS_STATUS
from checks.errors.malformed_requests import Case, sample
from checks.shared.outcome import words_of
from probe.api import (
    Depth,
    Exchange,
    Finding,
    Inconclusive,
    Result,
    Severity,
    Skip,
    check,
    completion,
    member,
    text_at,
)

if TYPE_CHECKING:
    from probe.api import Context

#: Statuses by which a hop tells of the way, not of the request.
_ON_THE_WAY = (408, 425, 499, 502, 503, 504, 520, 521, 522, 523, 524, 529)
_AUTH = (401, 402, 403, 407)
CASES = 8
REPEATS = 4


@check(
    "errors.invalid",
    title="Send a request that has to be refused",
    proves="A request with a field of the wrong type is answered with a client error.",
    requires={"chat"},
    emits=(SERVER_ERROR,),
    max_requests=2,
    max_tokens=200,
)
async def invalid(ctx: Context) -> Result:
    body = {**ctx.chat_body("Hello", limit=16), "messages": "Hello"}
    asked = [await _post(ctx, body)]
    if _blames_itself(asked[0]):
        asked.append(await _post(ctx, body))
    return diagnose_invalid(asked)


@check(
    "errors.malformed",
    title="Send a sample of malformed requests",
    proves="Malformed requests of several kinds are answered with a client error.",
    requires={"chat"},
    after={"errors.invalid"},
    emits=(SERVER_ERROR,),
    max_requests=CASES + REPEATS,
    max_tokens=1200,
    depth=Depth.DEEP,
)
async def malformed(ctx: Context) -> Result:
    told: list[tuple[Case, list[Exchange]]] = []
    repeats = REPEATS
    for case in sample(ctx.chat_body("Hello", limit=16), CASES):
        asked = [await _post(ctx, case.content)]
        if _blames_itself(asked[0]) and repeats:
            repeats -= 1
            asked.append(await _post(ctx, case.content))
        told.append((case, asked))
    return diagnose_malformed(told)


@check(
    "errors.seen",
    title="Look at the errors of the run",
    proves="The errors that the API answered in this run can be read by a client.",
    requires={"base-url"},
    after={"*"},
    emits=(SHAPE, SUCCESS_STATUS),
    max_requests=0,
    depth=Depth.QUICK,
)
async def seen(ctx: Context) -> Result:
    base = ctx.target.base_url
    chat = ctx.target.chat_url or (f"{base}/chat/completions" if base else None)
    if chat is None:
        raise Skip("no URL for chat completions is known")
    return diagnose_seen(ctx.exchanges, chat)


async def _post(ctx: Context, body: Mapping[str, Any] | bytes) -> Exchange:
    """Send a body as it is; without the care that ``ctx.chat`` takes of good ones."""
    url = ctx.target.chat_url
    if url is None:
        raise Skip("no URL for chat completions is known")
    if isinstance(body, bytes):
        headers = {"Content-Type": "application/json"}
        return await ctx.send("POST", url, content=body, headers=headers, tokens=60)
    return await ctx.send("POST", url, body=dict(body), tokens=60)


def _blames_itself(exchange: Exchange) -> bool:
    status = exchange.status or 0
    return status >= 500 and status not in _ON_THE_WAY


# Diagnosis ---------------------------------------------------------------------------------------


def diagnose_invalid(asked: Sequence[Exchange]) -> Result:
    """Whether a request with ``messages`` as a string is answered with a client error.

    Args:
        asked: the request, and once more where its status was 5xx.

    Raises:
        Inconclusive: it was lost on the way, or failed once only.
    """
    last = asked[-1]
    if last.status is None or last.status in _ON_THE_WAY:
        raise Inconclusive(f"the request was lost on the way ({last.status or 'no response'})")
    if not _blames_itself(last):
        if len(asked) > 1:
            raise Inconclusive(f"status {asked[0].status} once, then {last.status}")
        taken = completion.is_completion(last)
        return Result(note="a string is taken as messages, too" if taken else "")
    if len(asked) < 2:
        raise Inconclusive(f"status {last.status} once")
    return Result(
        (
            SERVER_ERROR.found(
                f"`messages` as a string was answered with {words_of(last)}, twice.",
                last.shows("/response/status", expected="400 or 422", actual=last.status),
            ),
        )
    )


def diagnose_malformed(told: Sequence[tuple[Case, Sequence[Exchange]]]) -> Result:
    """Which malformed requests are answered with a server error, each twice.

    A note and no more: the commoner mistake is judged by ``errors.invalid``.
    """
    bad = [(case, asked[-1]) for case, asked in told if len(asked) > 1 and all(map(_blames_itself, asked))]
    note = f"{len(told)} malformed requests, {len(bad)} answered with 5xx"
    if not bad:
        return Result(note=note)
    names = "; ".join(f"{case.name}: {exchange.status}" for case, exchange in bad)
    finding = SERVER_ERROR.found(
        f"Of {len(told)} malformed requests these were answered with a server error, twice: {names}.",
        *(one.shows("/response/status", expected="400 or 422", actual=one.status) for _, one in bad),
        severity=Severity.INFO,
    )
    return Result((finding,), note=note)


class Shape(StrEnum):
    """What the body of an error is."""

    OPENAI = "of the OpenAI shape"
    OTHER = "JSON of another shape"
    TEXT = "plain text"
    MUTE = "JSON without a text"
    PAGE = "a web page"
    EMPTY = "an empty body"


_UNREADABLE = (Shape.MUTE, Shape.PAGE, Shape.EMPTY)


def shape_of(exchange: Exchange) -> Shape:
    """The shape of an error's body."""
    response = exchange.response
    if response is None or not response.content.strip():
        return Shape.EMPTY
    if completion.is_html(exchange):
        return Shape.PAGE
    body = response.json
    if body is None:
        return Shape.TEXT
    if text_at(body, "error", "message").strip():
        return Shape.OPENAI
    if isinstance(body, str):
        return Shape.OTHER if body.strip() else Shape.MUTE
    said = completion.error_text(exchange)
    return Shape.OTHER if said and said != response.text.strip()[:2000] else Shape.MUTE


def diagnose_seen(exchanges: Sequence[Exchange], chat_url: str) -> Result:
    """Judge the errors among all exchanges with the chat operation.

    Refused keys and errors of the way (502, 503, 504 …) are left out: those often come from
    somebody else than the API.
    """
    where = chat_url.partition("?")[0]
    chats = [one for one in exchanges if one.request.method == "POST" and one.request.url.partition("?")[0] == where]
    pretended = [
        one for one in chats if completion.ok(one) and not completion.is_stream(one) and completion.has_error_body(one)
    ]
    errors = [
        one
        for one in chats
        if (one.status or 0) >= 400 and one.status not in (*_ON_THE_WAY, *_AUTH) and one.error is None
    ]
    findings = []
    if pretended:
        findings.append(_success(pretended))
    odd = [one for one in errors if shape_of(one) is not Shape.OPENAI]
    if odd:
        findings.append(_odd(odd))
    return Result(tuple(findings), note=f"{len(errors) + len(pretended)} errors looked at")


def _success(pretended: Sequence[Exchange]) -> Finding:
    return SUCCESS_STATUS.found(
        f"{len(pretended)} of the run's requests got an error object with a success status; the first: "
        f"{words_of(pretended[0])}.",
        *(one.shows("/response/status", expected="4xx or 5xx", actual=one.status) for one in pretended[:4]),
    )


def _odd(odd: Sequence[Exchange]) -> Finding:
    """A finding about the worst of the odd ones; a 429 is told well enough by its status."""
    unreadable = [one for one in odd if shape_of(one) in _UNREADABLE and one.status != 429]
    worst = (unreadable or list(odd))[0]
    kinds = sorted({f"{one.status}: {shape_of(one)}" for one in odd})
    keys = _keys(worst)
    return SHAPE.found(
        f"Errors came as {'; '.join(kinds[:6])}{f' (members: {keys})' if keys else ''}.",
        *(
            one.shows("/response/body", expected='{"error": {"message": …}}', actual=one.response.text[:200])
            for one in [worst, *(item for item in odd if item is not worst)][:3]
            if one.response is not None
        ),
        severity=Severity.WARNING if unreadable else Severity.INFO,
    )


def _keys(exchange: Exchange) -> str:
    body = completion.body_of(exchange)
    body = member(body, 0) if isinstance(body, list) else body
    return ", ".join(str(key)[:40] for key in list(body)[:6]) if isinstance(body, dict) else ""
