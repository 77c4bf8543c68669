"""Requests of the run that a rule or a gateway refused, while others of the run were answered.  Sends nothing.

Such an answer says nothing of the feature that was asked for, so no verdict names it; a client that sends the same
is refused all the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from checks.auth import DENIED
from checks.errors.catalogue import UPSTREAM
from checks.shared import refusal
from checks.shared.outcome import not_of_size, words_of
from probe.api import Depth, Exchange, Finding, Obstacle, Result, check, completion, wording

if TYPE_CHECKING:
    from probe.api import Context

#: Families whose requests have to be refused, or go elsewhere; and the request with an SDK's headers.
_PROVOKING = ("auth", "connect", "errors", "fingerprint", "limits", "models", "tls", "url")
#: A backend that failed later than this, in seconds, was cut by a timer.
_AT_ONCE_S = 1.0


@check(
    "errors.refused",
    title="Collect requests refused for their content",
    proves="No rule and no gateway refused requests of the run because of what was in them.",
    requires={"chat"},
    after={"*"},
    emits=(DENIED, UPSTREAM),
    max_requests=0,
    depth=Depth.QUICK,
)
async def refused(ctx: Context) -> Result:
    return diagnose_refused(not_of_size(ctx.exchanges), ctx.target.chat_url or "", ctx.codes)


def diagnose_refused(exchanges: Sequence[Exchange], chat_url: str, codes: frozenset[str] = frozenset()) -> Result:
    """The findings for chat requests that were never answered because of a rule, or of a backend that fails at once.

    Args:
        codes: the finding codes given so far; a pool that fails by turns explains every refusal.
    """
    if "errors.unsteady" in codes:
        return Result()
    chats = [one for one in exchanges if one.request.method == "POST" and one.request.url == chat_url]
    answered = [one for one in chats if completion.is_completion(one) or completion.is_stream(one)]
    passed = {_key(one) for one in answered}
    asked = [one for one in chats if one.check.partition(".")[0] not in _PROVOKING and _key(one) not in passed]
    findings: list[Finding] = []
    denied = [one for one in asked if completion.obstacle(one) is Obstacle.ACCESS]
    if denied and DENIED.code not in codes:
        findings.append(
            DENIED.found(
                _detail(denied, answered),
                *(one.shows_status(200) for one in denied[:3]),
                remedy="Exempt the API at the gateway from the rule that refuses such requests (web application "
                "firewall, policy): it judges the body, and neither the key nor the URL.",
            )
        )
    failed = [one for one in asked if completion.obstacle(one) is Obstacle.UPSTREAM and one.timeline.end_s < _AT_ONCE_S]
    if failed and UPSTREAM.code not in codes:
        findings.append(
            UPSTREAM.found(
                _detail(failed, answered),
                *(one.shows_status(200) for one in failed[:3]),
                remedy="See the log of the server behind the gateway for these requests: it fails or closes the "
                "connection when it gets them.",
            )
        )
    return Result(tuple(findings))


def _key(exchange: Exchange) -> str:
    return json.dumps(exchange.request.body, sort_keys=True, default=str)


def _detail(refused: Sequence[Exchange], answered: Sequence[Exchange]) -> str:
    count = f"{wording.amount(len(refused), 'request')} {wording.form(len(refused), 'was', 'were')} refused"
    own = set.intersection(*(_parts(one.request.body) for one in refused))
    own -= set().union(*(_parts(one.request.body) for one in answered))
    what = wording.listing(f"`{name}`" for name in sorted(own))
    with_what = f"; only {wording.form(len(refused), 'it', 'they')} had {what}" if what else ""
    named = refusal.hop(refused[0])
    first = f"{', the first' if len(refused) > 1 else ''} with {words_of(refused[0])}"
    return (
        f"{count}{first}{with_what}; other requests with the same key are answered"
        f"{f'; the answer names {named}' if named else ''}."
    )


def _parts(body: Any) -> set[str]:
    """The members of a request, ``stream`` only where it is true, and the kinds of content in its messages."""
    if not isinstance(body, dict):
        return set()
    messages = body.get("messages")
    kinds = {
        str(part.get("type"))
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, dict) and isinstance(message.get("content"), list)
        for part in message["content"]
        if isinstance(part, dict)
    }
    return {name for name, value in body.items() if name != "stream" or value is True} | kinds
