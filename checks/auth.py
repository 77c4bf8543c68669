"""Whether a key is needed, whether it is checked, and how a refused key is answered.

The same chat request is sent without a key and with an invented one.  The invented key is no
secret, so an error text that repeats it shows how a real one would leak.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from checks.shared import refusal
from checks.shared.chat_reply import Reply, classify, of_account
from checks.shared.client_headers import GROUPS, SDK
from checks.shared.discovery import listed_ids
from checks.shared.outcome import answered
from probe.api import (
    Auth,
    Depth,
    Diagnosis,
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
    too_common,
    urls,
    wording,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from checks.shared.discovery import Found
    from probe.api import Context

REQUIRED = Diagnosis(
    code="auth.required",
    severity=Severity.ERROR,
    owner=Owner.KEY,
    title="API key missing",
    what="The request was sent without a key and refused.",
    why="Clients cannot use the endpoint without a key.",
    remedy="Put the key into an environment variable (`read -rs LLM_KEY; export LLM_KEY` takes it from the keyboard) "
    "and run endpoint-probe again with `--api-key-env LLM_KEY`.",
    verify="The chat request with the key is answered with status 200.",
    sources=("RFC 9110 section 15.5.2",),
)
REJECTED = Diagnosis(
    code="auth.rejected",
    severity=Severity.ERROR,
    owner=Owner.KEY,
    title="API key rejected",
    what="The endpoint refused the key in every header that was tried.",
    why="Clients cannot use the endpoint with this key.",
    remedy="Check that the key is complete, belongs to this host, and has not expired or been revoked: many providers "
    "have several hosts (regions, platforms, plans), and a key of one is refused at the others. Create a new one if in "
    "doubt. If a proxy is in front, check that it forwards the Authorization header.",
    verify="The chat request with the new key is answered with status 200.",
    sources=("RFC 9110 section 15.5.2",),
)
WRONG_SCHEME = Diagnosis(
    code="auth.wrong-scheme",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="API key sent in the wrong header",
    what="The key was refused in the header it was sent in, and accepted in another one.",
    why="Clients that use the first header are refused although the key is valid.",
    remedy="Send the key in the header that the finding names.",
    verify="The chat request with the key in that header is answered with status 200.",
    sources=("RFC 6750 section 2.1",),
)
NOT_CHECKED = Diagnosis(
    code="auth.not-checked",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Invalid API keys are accepted",
    what="A request with an invented key was answered with a completion.",
    why="Anybody who can reach the endpoint can use it, and a client cannot test whether its key is valid.",
    remedy="Enable key checking in the server or the gateway, or accept that the endpoint is open.",
    verify="The chat request with an invented key is answered with status 401.",
    sources=("RFC 9110 section 11.6.2",),
)
MODELS_EXEMPT = Diagnosis(
    code="auth.models-exempt",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Model list needs no key, chat does",
    what="GET /models is answered without a key; chat completions are not.",
    why="A client that tests a key by listing models accepts any key.",
    remedy="Test keys with a chat request, or protect /models as well.",
    verify="GET /models without a key is answered with status 401.",
    sources=("text-generation-inference router/src/server.rs guards only its generating routes",),
)
WRONG_STATUS = Diagnosis(
    code="auth.wrong-status",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Rejected key not answered with 401",
    what="A request with an invalid key, or without a key, was refused with a status other than 401.",
    why="Clients report the wrong cause (an invalid request, a server error) and may retry needlessly.",
    remedy="Configure the server or gateway to answer invalid and missing keys with status 401.",
    verify="The chat request with an invented key is answered with status 401.",
    sources=("RFC 9110 sections 15.5.2 and 15.5.4",),
)
KEY_REFLECTED = Diagnosis(
    code="auth.key-reflected",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="API key repeated in a response",
    what="The endpoint sent the complete key back in a body or a header.",
    why="Responses are kept in logs, bug reports and chat transcripts, and the key is kept with them.",
    remedy="Mask keys in the server's error texts, and rotate a key that may have been logged.",
    verify="The error for an invented key does not contain that key.",
    sources=("OWASP Logging Cheat Sheet: data to exclude",),
)

DENIED = Diagnosis(
    code="auth.denied",
    severity=Severity.ERROR,
    owner=Owner.GATEWAY,
    title="Access denied by a rule",
    what="Requests were refused by an access rule (allow list, deny list, firewall, policy), with the key as without.",
    why="Clients at this address cannot use the endpoint, whatever key they send.",
    remedy="Allow this client at the gateway: its address, its user agent or the path is excluded by a rule. Neither "
    "another key nor another URL changes the answer.",
    verify="The chat request is answered with status 200, or without a key with 401.",
    sources=("RFC 9110 section 15.5.4", "nginx documentation: ngx_http_access_module", "Envoy documentation: RBAC"),
)
SIGN_IN = Diagnosis(
    code="auth.sign-in",
    severity=Severity.ERROR,
    owner=Owner.GATEWAY,
    title="Sign-in page in front of the API",
    what="The request was redirected to a sign-in service, or answered with a page that asks for a password.",
    why="API clients cannot sign in on a page; they fail or report that the answer is not JSON.",
    remedy="Exempt the API's path from the sign-in at the gateway, or let clients send a token that it "
    "accepts without a browser (of a service or a service account; endpoint-probe: --header 'NAME: ${VARIABLE}').",
    verify="`curl -i BASE/models` is answered with JSON and not with a redirect.",
    sources=("Cloudflare documentation: Access service tokens", "oauth2-proxy documentation: --skip-auth-route"),
)

#: How gateways forward a provider's refusal (LiteLLM, Portkey).
_UPSTREAM = re.compile(r"litellm\.AuthenticationError|Exception - |^\w+ error: ")

#: An account or key that is known and may not do this (Amazon Bedrock).
_LACKS_RIGHT = re.compile(
    r"\b(?:account|key|token|user|role|organi[sz]ation|project|caller)\b.{0,40}(?:\bnot|n't) (?:\w{1,20} )?"
    r"(?:authori[sz]ed|permitted|allowed|entitled) to\b",
    re.IGNORECASE,
)


def diagnose_refusal(found: Found, endpoint: urls.Endpoint) -> tuple[Finding, ...]:
    """The findings for a key that was refused, or refused in the header it was first sent in."""
    exchange = found.key_refusal or next(item for item in found.trials if item.reply is Reply.KEY).exchange
    evidence = exchange.shows_status(200)
    text = completion.error_text(exchange)[:200]
    said = answered(exchange)
    if found.auth is not None and found.auth.key:
        scheme, header = found.auth.scheme, found.auth.header
        name, value = ("Authorization: Bearer", " KEY") if scheme == "bearer" else (header, ": KEY")
        finding = WRONG_SCHEME.found(
            f"The key was refused as first sent ({exchange.status}: {text}) and accepted in the header {name}.",
            evidence,
            remedy=f"Send the key as `{name}{value}` (endpoint-probe: --auth {scheme} --auth-header {header}).",
        )
        return (finding,)
    asks = refusal.read(exchange, found.others, model=found.model, listed=found.models).asks
    if asks:
        return (_asks_for(exchange, asks),)
    if wanted := _wanted(exchange):
        return (DENIED.found(said, evidence, **wanted),)
    if found.another_key or _UPSTREAM.search(text):
        finding = REJECTED.found(
            said,
            evidence,
            owner=Owner.GATEWAY,
            remedy="The gateway accepted the key, and the provider behind it refused the gateway's own: correct the "
            "provider's key in the gateway's configuration.",
        )
        return (finding,)
    if of_account(exchange):
        do = "Ask the provider why the account of this key is closed or limited, or use a key of another account."
        return (REJECTED.found(said, evidence, remedy=do),)
    carried = any("${API_KEY}" in value for value in exchange.request.headers.values())
    names = [name for name in refusal.key_headers(exchange) if carried][:1]
    remedy = f"Send the key as `{names[0]}: KEY`, which the answer asks for. {REJECTED.remedy}" if names else None
    return ((REJECTED if carried else REQUIRED).found(said, evidence, remedy=remedy), *_wrong_status(exchange))


def _wanted(exchange: Exchange) -> dict[str, Any]:
    """Owner and remedy of a refusal that names a header, other than the key's, that the request lacks; or nothing."""
    name = refusal.missing_header(exchange)
    remedy = f"Send the header `{name}` that the answer requires (endpoint-probe: --header '{name}: VALUE')."
    return {"owner": Owner.CLIENT, "remedy": remedy} if name else {}


def _asks_for(exchange: Exchange, asks: str) -> Finding:
    """The finding for a challenge that asks for a password or names a header."""
    response = exchange.response
    challenge = (response.header("www-authenticate") or "")[:200] if response else ""
    named = refusal.hop(exchange)
    if asks == "Basic":
        what = "user name and password (Basic)"
        do = (
            f"{named or 'A gateway'} in front of the API asks for user name and password. Encode them with `printf "
            "'USER:PASSWORD' | base64`, put `Basic ` and the result into an environment variable, and send it as "
            "`Authorization` (endpoint-probe: --header 'Authorization: ${VARIABLE}'); or exempt the API from the "
            "password at the gateway and let the server check keys."
        )
    elif asks == refusal.TOKEN:
        what = "the key as `Authorization: Token KEY`"
        do = (
            "Put `Token ` and the key into an environment variable, and send it as `Authorization` (endpoint-probe: "
            "--header 'Authorization: ${VARIABLE}')."
        )
    elif asks in refusal.SCHEMES.values():
        what = f"a login by the scheme {asks}"
        do = (
            f"{named or 'A gateway'} in front of the API asks for a login ({asks}) that API clients cannot send: "
            "exempt the API from it at the gateway and let the server check keys."
        )
    else:
        what = f"the key in the header {asks}"
        do = f"Send the key as `{asks}: KEY` (endpoint-probe: --auth api-key-header --auth-header {asks})."
    return WRONG_SCHEME.found(
        f"{exchange.request.url} answered {exchange.status} and asks for {what}: {challenge}.",
        exchange.shows("/response/headers/www-authenticate", expected="no challenge", actual=challenge),
        remedy=do,
    )


def diagnose_denied(exchange: Exchange, keyless: Exchange | None, invented: Exchange | None = None) -> Finding:
    """The finding for an access rule, with the gateway that the answer names.

    Args:
        keyless: the answer to the same request without a key, where it was sent.
        invented: the same with an invented key, which shows whether the given one is known.
    """
    named = refusal.hop(exchange)
    same = keyless is not None and not refusal.differs(exchange, keyless)
    known = invented is not None and invented.status == 401 and exchange.status != 401
    detail = (
        f"{answered(exchange)}{f'; the answer names {named}' if named else ''}"
        f"{'; without the key the answer is the same' if same else ''}"
        f"{'; an invented key is refused with 401, so this one is known' if known else ''}."
    )
    more = _wanted(exchange)
    if (known or _LACKS_RIGHT.search(completion.error_text(exchange)[:1000])) and not more:
        remedy = "Give this key, or its account, the right to use the model or the endpoint; another URL or header "
        more = {"owner": Owner.KEY, "remedy": f"{remedy}does not change the answer."}
    return DENIED.found(detail, exchange.shows_status(200), **more)


def diagnose_foreign(refused: Exchange, answered: Exchange) -> Finding:
    """The finding for a rule that refuses one client program by its headers and lets another one through."""
    own, other = (one.request.headers.get("User-Agent", "none") for one in (refused, answered))
    named = refusal.hop(refused)
    how = f"answered {refused.status}" if refused.status else "closed the connection"
    return DENIED.found(
        f"{refused.request.url} {how} for the User-Agent `{own}` and answered {answered.status} for `{other}`"
        f"{f'; the refusal names {named}' if named else ''}. The rest of the run was sent with the latter.",
        refused.shows("/request/headers/user-agent", expected="answered like other clients", actual=own),
        answered.shows_status(answered.status),
        remedy="Exempt the API at the gateway from its rule on the User-Agent header (bot protection), which refuses "
        f"programs; or let clients send one that passes (endpoint-probe: --header 'User-Agent: {other}').",
    )


def diagnose_sign_in(exchange: Exchange) -> Finding:
    """The finding for a sign-in page, or for a redirect to one."""
    response = exchange.response
    goal = (response.header("location") or "")[:200] if response else ""
    named = refusal.hop(exchange)
    names = f"; the answer names {named}" if named else ""
    if goal:
        evidence = exchange.shows("/response/headers/location", expected="no redirect", actual=goal)
        detail = f"{exchange.request.url} redirects ({exchange.status}) to a sign-in: {goal}{names}."
        return SIGN_IN.found(detail, evidence)
    media_type = response.media_type if response else None
    return SIGN_IN.found(
        f"{exchange.request.url} answered {exchange.status} with a page that asks for a sign-in{names}.",
        exchange.shows("/response/headers/content-type", expected="application/json", actual=media_type),
        owner=Owner.NETWORK if exchange.status == 511 else None,  # a captive portal (RFC 6585 section 6)
    )


def _wrong_status(exchange: Exchange) -> tuple[Finding, ...]:
    """The finding for a refused key with a status other than 401; 403 is information only."""
    if exchange.status in (401, None) or (completion.ok(exchange) and completion.is_html(exchange)):
        return ()  # a page with a success status is errors.success-status
    finding = WRONG_STATUS.found(
        f"The refusal has status {exchange.status}: {completion.error_text(exchange)[:160]}",
        exchange.shows_status(401),
        severity=Severity.INFO if exchange.status == 403 else Severity.WARNING,
    )
    return (finding,)


@check(
    "auth.enforced",
    title="Chat without a key and with an invented one",
    proves="A key is needed, and an invalid one is refused with 401.",
    requires={"chat"},
    provides={"auth"},
    emits=(NOT_CHECKED, WRONG_STATUS, KEY_REFLECTED),
    max_requests=3,
    least_requests=2,
    max_tokens=150,
)
async def enforced(ctx: Context) -> Result:
    given = ctx.options.auth
    if not given.key:
        raise Skip("no key was given")
    header = ctx.target.auth_header or given.header
    scheme = ctx.target.auth_scheme or given.scheme
    invented = Auth(scheme, header, f"sk-invalid-{secrets.token_hex(16)}", "invented")
    prompt = f"Repeat exactly: {ctx.nonce('auth')}"
    keyless = await ctx.chat(prompt, limit=32, auth=Auth("none"), share="chat.nokey")
    wrong = await ctx.chat(prompt, limit=32, auth=invented, share="chat.wrongkey")
    if _is_odd(wrong):  # once may be a hiccup
        wrong = await ctx.chat(prompt, limit=32, auth=invented)
    elif _is_odd(keyless):
        keyless = await ctx.chat(prompt, limit=32, auth=Auth("none"))
    return diagnose_enforced(keyless, wrong, invented.key or "", ctx.options.endpoint.loopback, ctx.exchanges)


def _is_odd(exchange: Exchange) -> bool:
    """Whether a request was refused in another way than a missing or wrong key is."""
    return exchange.status not in (401, 403, None) and not completion.is_completion(exchange)


def diagnose_enforced(
    keyless: Exchange, wrong: Exchange, invented: str, loopback: bool, others: Sequence[Exchange] = ()
) -> Result:
    """How the endpoint answers a request without a key and one with an invented key.

    Args:
        others: the exchanges of the run; a refusal that the right key got too is not about the key.
    """
    told = {
        (one.status, completion.error_text(one))
        for one in others
        if one.request.method == "POST" and any("${API_KEY}" in value for value in one.request.headers.values())
    }
    facts = {"key_needed": not completion.is_completion(keyless)}
    if completion.is_completion(wrong):
        is_open = completion.is_completion(keyless)
        detail = "so is a request without a key" if is_open else f"a missing key is refused ({keyless.status})"
        finding = NOT_CHECKED.found(
            f"An invented key was accepted; {detail}.",
            wrong.shows_status(401),
            # A key given to a server on this machine that checks none is usually a placeholder.
            severity=Severity.INFO if is_open and loopback else Severity.WARNING,
        )
        return Result((finding,), facts=facts, provides=frozenset({"auth"}))
    if wrong.response is None:
        return Result(facts=facts, note="the request with an invented key got no answer")
    findings: tuple[Finding, ...] = ()
    for exchange in (wrong, keyless):
        refused = exchange.response is not None and not completion.is_completion(exchange)
        same = (exchange.status, completion.error_text(exchange)) in told
        if refused and not findings and not same and classify(exchange) not in (Reply.BUSY, Reply.UPSTREAM):
            findings = _wrong_status(exchange)
    return Result((*findings, *_reflected(wrong, invented)), facts=facts, provides=frozenset({"auth"}))


def _reflected(exchange: Exchange, key: str) -> tuple[Finding, ...]:
    response = exchange.response
    if response is None or not key:
        return ()
    header = next((name for name, value in response.headers if key in value), None)
    if key.encode() in response.content:
        where, pointer = "the body", "/response/body"
    elif header is not None:
        where, pointer = f"the header {header}", f"/response/headers/{header.lower()}"
    else:
        return ()
    finding = KEY_REFLECTED.found(
        f"The refusal of an invented key repeats it in {where}.",
        exchange.shows(pointer, expected="no key", actual="the key that was sent"),
    )
    return (finding,)


@check(
    "auth.client-headers",
    title="Read the answer to an SDK's headers",
    proves="Requests with the headers of the OpenAI SDKs are answered like others.",
    requires={"chat"},
    after={"limits.body"},
    emits=(DENIED,),
    max_requests=4,
    least_requests=0,
    max_tokens=200,
)
async def of_sdks(ctx: Context) -> Result:
    asked = [one for one in ctx.exchanges if _is_of_sdk(one)]
    if not asked:
        raise Skip("no request was sent with these headers")
    larger = asked[0]
    if not all(map(_may_be_of_headers, asked)):
        return Result(note="a request with these headers was not refused")
    prompt = f"Repeat exactly: {ctx.nonce('sdk')}"
    whole = await ctx.chat(prompt, limit=32, headers=SDK)
    if not _may_be_of_headers(whole):
        return Result(note="a shorter request with these headers was not refused")
    parts = {name: await ctx.chat(prompt, limit=32, headers=headers) for name, headers in GROUPS.items()}
    plain = await ctx.chat(prompt, limit=32)
    if whole.status != larger.status or not completion.is_completion(plain):
        raise Inconclusive("requests with these headers and without them are refused by turns")
    return diagnose_of_sdks(whole, parts)


def _is_of_sdk(exchange: Exchange) -> bool:
    return "X-Stainless-Lang" in exchange.request.headers


def _may_be_of_headers(exchange: Exchange) -> bool:
    """Whether a request was refused, or its connection closed, for a reason that may be its headers."""
    if exchange.response is None:
        return exchange.error is not None and exchange.error.kind in ("reset", "closed")
    about = completion.obstacle(exchange)
    return about is Obstacle.ACCESS or (about is Obstacle.NONE and 400 <= (exchange.status or 0) < 500)


def diagnose_of_sdks(whole: Exchange, parts: Mapping[str, Exchange]) -> Result:
    """Which headers of an SDK are refused, where a request without them is answered.

    Args:
        whole: the refusal of a request with all of them.
        parts: the answer to each group of them alone, by its name.
    """
    refused = [name for name, one in parts.items() if _may_be_of_headers(one)]
    which = wording.listing(f"`{name}`" for name in refused) or "them together, each of them alone is answered"
    named = refusal.hop(whole)
    ending = f"status {whole.status}" if whole.status else f"a connection that was {whole.error and whole.error.kind}"
    finding = DENIED.found(
        f"The headers of the OpenAI SDKs are refused with {ending}: {which}; the same request without them is "
        f"answered{f'; the refusal names {named}' if named else ''}.",
        whole.shows_status(200),
        remedy="Exempt the API at the gateway from the rule that refuses these headers (bot protection, allow list of "
        "headers), or let the SDK send others: `default_headers` (Python), `defaultHeaders` (JavaScript).",
    )
    return Result((finding,), facts={"refused_client_headers": refused or list(parts)})


@check(
    "auth.reflected",
    title="Search every response for the key",
    proves="No response of the run contained the key.",
    after={"*"},
    emits=(KEY_REFLECTED,),
    max_requests=0,
    depth=Depth.QUICK,
)
async def reflected(ctx: Context) -> Result:
    key = ctx.options.auth.key or ""
    if key and too_common(key, (ctx.options.model or "", ctx.options.endpoint.origin)):
        raise Inconclusive(
            "the key is too short or too common a word, so it was looked for only where it is a value of its own: in a "
            "header, a query, a string that is equal to it"
        )
    return Result() if KEY_REFLECTED.code in ctx.codes else diagnose_reflected(ctx.exchanges)


def diagnose_reflected(exchanges: Sequence[Exchange]) -> Result:
    """The first response that contained the key, as noted when it was removed at capture."""
    for exchange in exchanges:
        if exchange.response is not None and "API_KEY" in exchange.response.reflected:
            finding = KEY_REFLECTED.found(
                f"The response to {exchange.request.method} {exchange.request.url} contained the key.",
                exchange.shows("/response/reflected", expected=[], actual=list(exchange.response.reflected)),
            )
            return Result((finding,))
    return Result()


@check(
    "auth.models-open",
    title="List models without a key",
    proves="The model list is protected as chat is.",
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
    if ctx.target.models_url is None:
        raise Skip("the URL of the model list is not known")
    return diagnose_models_open(await ctx.send("GET", ctx.target.models_url, auth=Auth("none"), share="models.nokey"))


def diagnose_models_open(exchange: Exchange) -> Result:
    """The list is open if it names ids without a key although chat needs one."""
    if not listed_ids(exchange):
        return Result(provides=frozenset({"models-auth"}))
    finding = MODELS_EXEMPT.found(
        f"{exchange.request.url} answered {exchange.status} with a list, without a key.", exchange.shows_status(401)
    )
    return Result((finding,))
