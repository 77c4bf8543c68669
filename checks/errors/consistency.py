"""Whether different questions get different answers, and the same request the same treatment.

A cache that answers POST requests, and a pool with a member that is down or configured differently, make every other
verdict doubtful.  So the cache is looked for before any other check of chat, and findings about features that one
member of a pool lacks are withdrawn.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from checks.errors.catalogue import CACHED, UNSTEADY
from checks.shared import conversation as talk
from checks.shared import refusal
from checks.shared.first_request import first_chat
from checks.shared.outcome import error_alone, has_choices, has_failed_as_success, words_of
from probe.api import (
    Depth,
    Exchange,
    Inconclusive,
    Obstacle,
    Owner,
    Result,
    Skip,
    State,
    check,
    completion,
    text_at,
    wording,
)

if TYPE_CHECKING:
    from probe.api import Context

#: Requests that are sent again, and how often each.
SUSPECTS = 2
TIMES = 2
#: Families whose requests have to be refused, or are judged by being refused.
_PROVOKING = ("errors", "models", "auth", "url", "limits", "fingerprint", "connect", "tls", "params")


@check(
    "errors.cached",
    title="Send a second, different question",
    proves="Different questions get different answers.",
    requires={"chat"},
    provides={"chat"},
    emits=(CACHED,),
    max_requests=2,
    max_tokens=400,
    depth=Depth.QUICK,
)
async def cached(ctx: Context) -> Result:
    first = first_chat(ctx)
    if first is None:
        raise Skip("there is no first answer to compare with")
    if ctx.options.depth is Depth.QUICK:
        code = ctx.nonce("cache")
        second = await ctx.chat(f"Repeat exactly: {code}", limit=32)
    else:  # a question that other checks ask anyway
        code = talk.codes_of(ctx)[1]
        second = await talk.plain(ctx)
    return diagnose_cached(first, second, ctx.nonce("chat"), code)


def diagnose_cached(first: Exchange, second: Exchange, first_code: str, code: str) -> Result:
    """Whether the second question got the answer to the first one.

    An id alone proves nothing, since some servers give all answers one id; nor does a text alone, since a weak model
    may say the same to everything.

    Raises:
        Inconclusive: the second question was not answered.
    """
    if not completion.is_completion(second):
        raise Inconclusive(f"the second question got no completion ({words_of(second)})")
    texts = completion.answer(first), completion.answer(second)
    ids = text_at(completion.body_of(first), "id"), text_at(completion.body_of(second), "id")
    swapped = completion.repeats(texts[1], first_code) and not completion.repeats(texts[1], code)
    same = bool(ids[0]) and ids[0] == ids[1] and texts[0] == texts[1] and not completion.repeats(texts[1], code)
    if not same and not swapped:
        return Result()
    named = refusal.hop(second)
    finding = CACHED.found(
        f"Two different questions got one answer{f' with the id {ids[1][:80]}' if ids[0] == ids[1] and ids[1] else ''}"
        f"{f'; the answer names {named}' if named else ''}.",
        first.shows("/response/body/id", expected="an id of its own", actual=ids[0]),
        second.shows("/response/body/id", expected="another id", actual=ids[1]),
    )
    return Result.of(finding, chat=State.BROKEN)


@check(
    "errors.unsteady",
    title="Send refused requests again",
    proves="The same request does not succeed and fail by turns.",
    requires={"chat"},
    after={"*"},
    emits=(UNSTEADY,),
    max_requests=SUSPECTS * TIMES,
    max_tokens=1600,
    depth=Depth.QUICK,
)
async def unsteady(ctx: Context) -> Result:
    url = ctx.target.chat_url
    if url is None:
        raise Skip("no URL for chat completions is known")
    for suspect in suspects(ctx.exchanges, url)[:SUSPECTS]:
        for _ in range(TIMES):
            if _succeeded(await ctx.send("POST", url, body=suspect.request.body, tokens=400)):
                break
    return diagnose_unsteady(ctx.exchanges, url)


def suspects(exchanges: Sequence[Exchange], chat_url: str) -> list[Exchange]:
    """Refused requests that may have met the wrong member of a pool, each body once, the clearest first.

    Those come first of which another request of the same form was answered; then those with tools, which a
    run otherwise asks for once only.
    """
    chats = [one for one in exchanges if one.request.method == "POST" and one.request.url == chat_url]
    answered = {_form(one.request.body) for one in chats if _succeeded(one)}
    refused = {_identity(one): one for one in chats if _refused(one) or _barred(one)}
    alike = [one for one in refused.values() if _form(one.request.body) in answered]
    return alike + [one for one in refused.values() if one not in alike and _has_tools(one.request.body)]


def diagnose_unsteady(exchanges: Sequence[Exchange], chat_url: str) -> Result:
    """Whether identical chat requests succeeded and failed.

    One failed connection of a gateway in a run is an accident; a refusal of what was answered is not.
    """
    by_request: dict[str, list[Exchange]] = {}
    for one in exchanges:
        if one.request.method == "POST" and one.request.url == chat_url:
            by_request.setdefault(_identity(one), []).append(one)
    mixed = [group for group in by_request.values() if any(map(_succeeded, group))]
    refused = [one for group in mixed for one in group if _refused(one)]
    broken = [one for group in mixed for one in group if completion.obstacle(one) is Obstacle.UPSTREAM]
    barred = [one for group in mixed for one in group if _barred(one) and any(_alike(one, other) for other in group)]
    failed = refused + barred + (broken if len(broken) > 1 or refused or barred else [])
    if not failed:
        return Result(note="a single connection of the gateway failed" if broken else "")
    first = failed[0]
    group = by_request[_identity(first)]
    good = next(one for one in group if _succeeded(one))
    named = refusal.hop(first)
    number = wording.amount(len(failed), "request")
    finding = UNSTEADY.found(
        f"The same request was answered, and refused with {words_of(first)}; {number} of the run failed "
        f"in this way{f', and the answers name {named}' if named else ''}.",
        good.shows_status(200),
        *(one.shows_status(200) for one in failed[:3]),
        owner=Owner.GATEWAY,
    )
    families = frozenset(
        family
        for one in exchanges
        if refused and _refused(one) and (family := one.check.partition(".")[0]) not in _PROVOKING
    )
    if any(one.check == "auth.enforced" and one.status not in (401, 403) and _failed(one) for one in exchanges):
        families |= {"auth.enforced"}
    if barred:
        families |= {"errors.refused"}
    return Result((finding,), note="the same request succeeds and fails by turns", retracts=families)


def _succeeded(exchange: Exchange) -> bool:
    if completion.is_completion(exchange):
        return True
    return completion.ok(exchange) and completion.is_stream(exchange) and has_choices(exchange)


def _refused(exchange: Exchange) -> bool:
    """Whether a request that need not be refused was refused as invalid, or failed under a success status."""
    if exchange.check.partition(".")[0] in _PROVOKING and exchange.check != "errors.unsteady":
        return False
    return _failed(exchange)


def _failed(exchange: Exchange) -> bool:
    """Whether the answer is an error that is not about access, limits or transport."""
    if completion.is_stream(exchange) and has_failed_as_success(exchange):
        stream = completion.read_stream(exchange)
        told = next((chunk.body["error"] for chunk in stream.chunks if chunk.body.get("error")), stream.errors[0][1])
        return not completion.obstacle(error_alone(exchange, told))
    failed = (exchange.status or 0) >= 400 or has_failed_as_success(exchange)
    return failed and not completion.obstacle(exchange)


def _barred(exchange: Exchange) -> bool:
    """Whether access was refused to the run, as by a member of a pool that does not know its key."""
    tests = exchange.check.partition(".")[0] in _PROVOKING and exchange.check not in ("errors.unsteady", "url.resolve")
    return (exchange.status or 0) >= 400 and completion.obstacle(exchange) is Obstacle.ACCESS and not tests


def _alike(refused: Exchange, other: Exchange) -> bool:
    """Whether another request was answered and had the same headers: the same key in the same place."""
    return _succeeded(other) and other.request.headers == refused.request.headers


def _has_tools(body: Any) -> bool:
    """Whether tools are offered and none is forced, which many servers honestly refuse."""
    return isinstance(body, dict) and bool(body.get("tools")) and body.get("tool_choice") in (None, "auto")


def _identity(exchange: Exchange) -> str:
    return json.dumps(exchange.request.body, sort_keys=True, default=str)


def _form(body: Any) -> str:
    """The form of a request: its fields, the choices among their kinds, the roles and the kinds of content."""
    if not isinstance(body, dict):
        return ""
    messages = body.get("messages")
    turns = [
        [message.get("role"), _kinds(message.get("content")), sorted(set(message) - {"role", "content"})]
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, dict)
    ]
    choice = body.get("tool_choice")
    kinds = [choice if isinstance(choice, str) else type(choice).__name__, text_at(body, "response_format", "type")]
    return json.dumps([sorted(body), turns, kinds, body.get("stream")], default=str)


def _kinds(content: Any) -> Any:
    """The type of a message's content; of a list the types of its parts."""
    if not isinstance(content, list):
        return type(content).__name__
    return [part.get("type") if isinstance(part, dict) else type(part).__name__ for part in content]
