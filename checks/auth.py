"""Whether a key is needed, whether it is looked at, and how a refusal is said.

Two requests tell: the same chat without a key and with an invented one.  The invented
key is no secret, so an error text that repeats it shows how real ones would leak.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from checks.shared.chat_reply import Reply, classify
from checks.shared.discovery import listed_ids
from probe.api import (
    Auth,
    Depth,
    Diagnosis,
    Exchange,
    Finding,
    Owner,
    Result,
    Severity,
    Skip,
    check,
    completion,
    urls,
)

if TYPE_CHECKING:
    from checks.shared.discovery import Found
    from probe.api import Context

REQUIRED = Diagnosis(
    code="auth.required",
    severity=Severity.ERROR,
    owner=Owner.KEY,
    title="A key is needed and none was given",
    what="The request without a key was refused.",
    why="No client can use the endpoint without one.",
    remedy="Give a key: put it into an environment variable and name that with --api-key-env.",
    verify="The chat request with the key answers 200.",
    sources=("RFC 9110 section 15.5.2",),
)
REJECTED = Diagnosis(
    code="auth.rejected",
    severity=Severity.ERROR,
    owner=Owner.KEY,
    title="The key is refused",
    what="The endpoint refused the key in every way of sending it.",
    why="No client can use the endpoint with this key.",
    remedy="Check that the key is whole, of this endpoint, and not expired or revoked; make a new one there. Where a "
    "proxy stands in front, check that it passes the Authorization header on.",
    verify="The chat request with the new key answers 200.",
    sources=("RFC 9110 section 15.5.2",),
)
WRONG_SCHEME = Diagnosis(
    code="auth.wrong-scheme",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="The key belongs in another header",
    what="The key was refused as it was sent, and accepted in another header.",
    why="Clients that send it the first way are refused although the key is right.",
    remedy="Send the key in the header that the finding names.",
    verify="The chat request with the key in that header answers 200.",
    sources=("RFC 6750 section 2.1",),
)
NOT_CHECKED = Diagnosis(
    code="auth.not-checked",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="A wrong key is accepted",
    what="A request with an invented key was answered like one with the right key.",
    why="Whoever reaches the endpoint can use it, and a client's test of the key proves nothing.",
    remedy="Switch key checking on at the server or the gateway, or accept that the endpoint is open.",
    verify="The chat request with an invented key answers 401.",
    sources=("RFC 9110 section 11.6.2",),
)
MODELS_EXEMPT = Diagnosis(
    code="auth.models-exempt",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="The model list is open while chat needs a key",
    what="GET /models answers without a key; chat completions do not.",
    why="A client that tests a key by listing models takes a wrong key for a right one.",
    remedy="Test keys with a chat request, or protect /models as well.",
    verify="GET /models without a key answers 401.",
    sources=("text-generation-inference router/src/server.rs guards only its generating routes",),
)
WRONG_STATUS = Diagnosis(
    code="auth.wrong-status",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="A refused key is not answered with 401",
    what="A wrong or missing key is answered with another status than 401.",
    why="Clients show the wrong cause (an invalid request, a server error) and may retry in vain.",
    remedy="Let the server or gateway answer 401 to a wrong or missing key.",
    verify="The chat request with an invented key answers 401.",
    sources=("RFC 9110 sections 15.5.2 and 15.5.4",),
)
KEY_REFLECTED = Diagnosis(
    code="auth.key-reflected",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="The key is repeated in a response",
    what="The endpoint sent the key back, in full, in a body or a header.",
    why="Responses end up in logs, bug reports and chat transcripts, and the key with them.",
    remedy="Let the server mask keys in its error texts, and rotate a key that may have been logged.",
    verify="The error for an invented key does not hold that key.",
    sources=("OWASP Logging Cheat Sheet: data to exclude",),
)


#: How gateways pass on a provider's refusal (LiteLLM, Portkey).
_UPSTREAM = re.compile(r"litellm\.AuthenticationError|Exception - |^\w+ error: ")


def diagnose_refusal(found: Found, endpoint: urls.Endpoint) -> tuple[Finding, ...]:
    """The findings for a key that was refused, or refused as it was first sent."""
    trial = next(item for item in found.trials if item.reply is Reply.KEY)
    exchange = trial.exchange
    seen = exchange.shows("/response/status", expected=200, actual=exchange.status)
    said = completion.error_text(exchange)[:200]
    if found.auth is not None and found.auth.key and found.chat is not None:
        way = "Authorization: Bearer" if found.auth.scheme == "bearer" else str(found.auth.header)
        finding = WRONG_SCHEME.found(
            f"As first sent the key was refused ({exchange.status}: {said}); in the header {way} it is accepted.",
            seen,
            remedy=f"Send the key as `{way}{' KEY' if found.auth.scheme == 'bearer' else ': KEY'}` "
            f"(endpoint-probe: --auth {found.auth.scheme} --auth-header {found.auth.header}).",
        )
        return (finding,)
    if _UPSTREAM.search(said):
        finding = REJECTED.found(
            f"{exchange.request.url} answered {exchange.status}: {said}",
            seen,
            owner=Owner.GATEWAY,
            remedy="The gateway took the key, and the provider behind it refused the gateway's own: correct the "
            "provider's key in the gateway's configuration.",
        )
        return (finding,)
    carried = any("${API_KEY}" in value for value in exchange.request.headers.values())
    first = (REJECTED if carried else REQUIRED).found(
        f"{exchange.request.url} answered {exchange.status}{': ' + said if said else ''}", seen
    )
    return (first, *_status(exchange))


def _status(exchange: Exchange) -> tuple[Finding, ...]:
    """A refused key answered with something other than 401; 403 is only worth knowing."""
    if exchange.status in (401, None):
        return ()
    severity = Severity.INFO if exchange.status == 403 else Severity.WARNING
    finding = WRONG_STATUS.found(
        f"The refusal has status {exchange.status}: {completion.error_text(exchange)[:160]}",
        exchange.shows("/response/status", expected=401, actual=exchange.status),
        severity=severity,
    )
    return (finding,)


@check(
    "auth.enforced",
    title="Ask without a key and with an invented one",
    proves="The key is needed, and another one is refused with 401.",
    requires={"chat"},
    provides={"auth"},
    emits=(NOT_CHECKED, WRONG_STATUS, KEY_REFLECTED),
    max_requests=2,
    max_tokens=100,
)
async def enforced(ctx: Context) -> Result:
    given = ctx.options.auth
    if not given.key:
        raise Skip("no key was given")
    header = ctx.target.auth_header or given.header
    scheme = ctx.target.auth_scheme or given.scheme
    invented = Auth(scheme, header, f"sk-invalid-{secrets.token_hex(16)}", "invented")
    ask = f"Repeat exactly: {ctx.nonce('auth')}"
    keyless = await ctx.chat(ask, limit=32, auth=Auth("none"), share="chat.nokey")
    wrong = await ctx.chat(ask, limit=32, auth=invented, share="chat.wrongkey")
    return diagnose_enforced(keyless, wrong, invented.key or "", ctx.options.endpoint.loopback)


def diagnose_enforced(keyless: Exchange, wrong: Exchange, invented: str, loopback: bool) -> Result:
    """What the endpoint makes of no key and of a wrong one."""
    facts = {"key_needed": not completion.is_completion(keyless)}
    if completion.is_completion(wrong):
        open_to_all = completion.is_completion(keyless)
        # A key given to a server on this machine that checks none is usually a placeholder.
        severity = Severity.INFO if open_to_all and loopback else Severity.WARNING
        detail = "without any key as well" if open_to_all else f"although a missing one is refused ({keyless.status})"
        finding = NOT_CHECKED.found(
            f"An invented key was accepted, {detail}.",
            wrong.shows("/response/status", expected=401, actual=wrong.status),
            severity=severity,
        )
        return Result(findings=(finding,), facts=facts, provides=frozenset({"auth"}))
    if wrong.response is None:
        return Result(facts=facts, note="the request with an invented key got no answer")
    findings: list[Finding] = []
    if classify(wrong) is not Reply.BUSY:
        findings += _status(wrong)
    if not findings and keyless.response is not None and not completion.is_completion(keyless):
        findings += _status(keyless) if classify(keyless) is not Reply.BUSY else ()
    findings += _reflected(wrong, invented)
    return Result(findings=tuple(findings), facts=facts, provides=frozenset({"auth"}))


def _reflected(exchange: Exchange, key: str) -> list[Finding]:
    response = exchange.response
    if response is None or not key:
        return []
    in_body = key.encode() in response.content
    where = next((name for name, value in response.headers if key in value), None)
    if not in_body and where is None:
        return []
    finding = KEY_REFLECTED.found(
        f"The refusal of an invented key repeats it in {'the body' if in_body else f'the header {where}'}.",
        exchange.shows(
            "/response/body" if in_body else f"/response/headers/{str(where).lower()}",
            expected="no key",
            actual="the key that was sent",
        ),
    )
    return [finding]


@check(
    "auth.reflected",
    title="Look for the key in every response",
    proves="No response of the run held the key.",
    after={"*"},
    emits=(KEY_REFLECTED,),
    max_requests=0,
    depth=Depth.QUICK,
)
async def reflected(ctx: Context) -> Result:
    if KEY_REFLECTED.code in ctx.codes:
        return Result()
    return diagnose_reflected(ctx.exchanges)


def diagnose_reflected(exchanges: tuple[Exchange, ...] | list[Exchange] | object) -> Result:
    """The first response that held a secret; capture has noted which and removed it."""
    for exchange in exchanges if isinstance(exchanges, list | tuple) else ():
        if exchange.response is not None and "API_KEY" in exchange.response.reflected:
            finding = KEY_REFLECTED.found(
                f"The response to {exchange.request.method} {exchange.request.url} held the key.",
                exchange.shows("/response/reflected", expected=[], actual=list(exchange.response.reflected)),
            )
            return Result(findings=(finding,))
    return Result()


@check(
    "auth.models-open",
    title="List models without a key",
    proves="The model list is as protected as chat is.",
    requires={"chat"},
    after={"auth", "model_list"},
    provides={"models-auth"},
    emits=(MODELS_EXEMPT,),
    max_requests=1,
)
async def models_open(ctx: Context) -> Result:
    if not ctx.options.auth.key:
        raise Skip("no key was given")
    if ctx.facts.get("key_needed") is False:
        raise Skip("chat needs no key either")
    url = ctx.target.models_url
    if url is None:
        raise Skip("no URL for the model list is known")
    exchange = await ctx.send("GET", url, auth=Auth("none"), share="models.nokey")
    return diagnose_models_open(exchange)


def diagnose_models_open(exchange: Exchange) -> Result:
    """Open when it lists ids although chat was closed to the same request."""
    if not listed_ids(exchange):
        return Result(provides=frozenset({"models-auth"}))
    finding = MODELS_EXEMPT.found(
        f"{exchange.request.url} answered {exchange.status} with a list, without a key.",
        exchange.shows("/response/status", expected=401, actual=exchange.status),
    )
    return Result(findings=(finding,))
