"""Whether clients can understand errors: their status, and the shape of their bodies.

One request that every server has to refuse is sent; the other errors are those of the whole run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from checks.errors.catalogue import SERVER_ERROR, SHAPE, SUCCESS_STATUS
from checks.errors.malformed_requests import Case, sample
from checks.errors.reading import UNREADABLE, Shape, members_of, shape_of
from checks.shared import refusal
from checks.shared.outcome import not_of_size, words_of
from probe.api import (
    Depth,
    Exchange,
    Finding,
    Inconclusive,
    Obstacle,
    Owner,
    Result,
    Severity,
    Skip,
    check,
    completion,
    wording,
)

if TYPE_CHECKING:
    from probe.api import Context

CASES = 8
#: Server errors that are repeated before the sample ends: Envoy ejects a backend after five in a row.
REPEATS = 2
_NO_URL = "no URL for chat completions is known"


@check(
    "errors.invalid",
    title="Send an invalid request",
    proves="A request with a field of the wrong type is answered with a client error.",
    requires={"chat"},
    emits=(SERVER_ERROR,),
    max_requests=2,
    max_tokens=200,
    depth=Depth.DEEP,
)
async def invalid(ctx: Context) -> Result:
    _harmless(ctx)
    body = {**ctx.chat_body("Hello", limit=16), "messages": "Hello"}
    asked = [await _post(ctx, body)]
    if _is_server_error(asked[0]):
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
    _harmless(ctx)
    if SERVER_ERROR.code in ctx.codes:
        raise Skip("an invalid request was answered with a server error already")
    answers: list[tuple[Case, list[Exchange]]] = []
    repeats = REPEATS
    for case in sample(ctx.chat_body("Hello", limit=16), CASES):
        asked = [await _post(ctx, case.content)]
        if _is_server_error(asked[0]):
            repeats -= 1
            asked.append(await _post(ctx, case.content))
        answers.append((case, asked))
        if not repeats:
            break
    return diagnose_malformed(answers)


@check(
    "errors.seen",
    title="Read the errors of the run",
    proves="Clients can read the errors that the API returned in this run.",
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
        raise Skip(_NO_URL)
    return diagnose_seen(not_of_size(ctx.exchanges), chat)


def _harmless(ctx: Context) -> None:
    """Raise Skip if other clients would suffer: a gateway that takes its backend out of service after errors."""
    if any(map(refusal.keeps_in_service, ctx.exchanges)):
        raise Skip("the gateway takes its backend out of service after errors, for all its clients")


async def _post(ctx: Context, body: Mapping[str, Any] | bytes) -> Exchange:
    """Send a body unchanged; ``ctx.chat`` would correct it."""
    url = ctx.target.chat_url
    if url is None:
        raise Skip(_NO_URL)
    if isinstance(body, bytes):
        headers = {"Content-Type": "application/json"}
        return await ctx.send("POST", url, content=body, headers=headers, tokens=60)
    return await ctx.send("POST", url, body=dict(body), tokens=60)


def _is_server_error(exchange: Exchange) -> bool:
    return (exchange.status or 0) >= 500 and not completion.obstacle(exchange)


def diagnose_invalid(asked: Sequence[Exchange]) -> Result:
    """Whether a request with ``messages`` as a string is answered with a client error.

    Args:
        asked: the request, and its repetition if the first status was 5xx.

    Raises:
        Inconclusive: it was lost, or failed only once.
    """
    last = asked[-1]
    if last.status is None:
        raise Inconclusive("the request got no response")
    if obstacle := completion.obstacle(last):
        raise Inconclusive(f"the answer (status {last.status}) is about {obstacle}, not about the request")
    if completion.ok(last) and _is_disguised(last):
        return Result(note=f"answered by {_kind(last)} with a success status")
    if not _is_server_error(last):
        if len(asked) > 1:
            raise Inconclusive(f"status {asked[0].status} once, then {last.status}")
        return Result(note="`messages` as a string is accepted too" if completion.is_completion(last) else "")
    if len(asked) < 2:
        raise Inconclusive(f"status {last.status} once")
    detail = f"`messages` as a string was answered with {words_of(last)}, twice."
    return Result((SERVER_ERROR.found(detail, last.shows_status("400 or 422")),))


def diagnose_malformed(answers: Sequence[tuple[Case, Sequence[Exchange]]]) -> Result:
    """Which malformed requests are answered with a server error, each twice.

    For information only: the most common mistake is judged by ``errors.invalid``.
    """
    bad = [(case, asked[-1]) for case, asked in answers if len(asked) > 1 and all(map(_is_server_error, asked))]
    note = f"{len(answers)} malformed requests, {len(bad)} answered with 5xx"
    if not bad:
        return Result(note=note)
    names = "; ".join(f"{case.name}: {exchange.status}" for case, exchange in bad)
    finding = SERVER_ERROR.found(
        f"Of {len(answers)} malformed requests these were answered with a server error, twice: {names}.",
        *(one.shows_status("400 or 422") for _, one in bad),
        severity=Severity.INFO,
    )
    return Result((finding,), note=note)


def diagnose_seen(exchanges: Sequence[Exchange], chat_url: str) -> Result:
    """Judge the errors among all exchanges with the chat operation.

    Refused keys and errors of access, load or transport are left out: they often come from a proxy.
    """
    where = chat_url.partition("?")[0]
    chats = [one for one in exchanges if one.request.method == "POST" and one.request.url.partition("?")[0] == where]
    disguised = [one for one in chats if completion.ok(one) and _is_disguised(one)]
    errors = [
        one
        for one in chats
        if (one.status or 0) >= 400
        and one.error is None
        and completion.obstacle(one) in (Obstacle.NONE, Obstacle.RATE)
        and refusal.read(one).cause not in (refusal.Cause.POLICY, refusal.Cause.UPSTREAM)
    ]
    findings = []
    if disguised:
        count = wording.amount(len(disguised), "request")
        first = disguised[0]
        findings.append(
            SUCCESS_STATUS.found(
                f"{count} of the run got {_kind(first)} with a success status; the first: {words_of(first)}.",
                *(one.shows_status("4xx or 5xx") for one in disguised[:4]),
                owner=Owner.GATEWAY if completion.is_html(first) else None,
                remedy=refusal.passed_on(first, SUCCESS_STATUS.remedy),
            )
        )
    odd = [one for one in errors if shape_of(one) is not Shape.OPENAI]
    if odd:
        findings.append(_odd_shapes(odd))
    return Result(tuple(findings), note=f"{wording.amount(len(errors) + len(disguised), 'error')} read")


def _is_disguised(exchange: Exchange) -> bool:
    """Whether an answer with a success status is an error: an error object, or a web page in its place."""
    if completion.is_html(exchange):
        return True
    return not completion.is_stream(exchange) and completion.has_error_body(exchange)


def _kind(exchange: Exchange) -> str:
    return "a web page" if completion.is_html(exchange) else "an error object"


def _odd_shapes(odd: Sequence[Exchange]) -> Finding:
    """The finding for the worst of these errors; a 429 is understood by its status alone."""
    unreadable = [one for one in odd if shape_of(one) in UNREADABLE and one.status != 429]
    worst = (unreadable or list(odd))[0]
    kinds = sorted({f"{one.status}: {shape_of(one)}" for one in odd})
    members = members_of(worst)
    return SHAPE.found(
        f"Errors have these bodies: {'; '.join(kinds[:6])}{f' (members: {members})' if members else ''}.",
        *(
            one.shows("/response/body", expected='{"error": {"message": …}}', actual=one.response.text[:200])
            for one in [worst, *(item for item in odd if item is not worst)][:3]
            if one.response is not None
        ),
        severity=Severity.WARNING if unreadable else Severity.INFO,
        remedy=refusal.passed_on(worst, SHAPE.remedy),
    )
