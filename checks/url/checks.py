"""The base URL a client must be given, found from the URL as typed.

The typed text is joined as a simple client joins it (typed + ``/chat/completions``).  If that fails, the
base that works is searched for; a finding names it, or states that none works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from checks.auth import (
    DENIED,
    REJECTED,
    REQUIRED,
    SIGN_IN,
    WRONG_SCHEME,
    WRONG_STATUS,
    diagnose_denied,
    diagnose_foreign,
    diagnose_refusal,
    diagnose_sign_in,
)
from checks.connect import DIAGNOSES as CONNECT
from checks.connect import unreachable
from checks.errors.catalogue import SUCCESS_STATUS, UPSTREAM
from checks.models import ID_UNKNOWN, NO_LIST, NOT_ENABLED, diagnose_unknown_id
from checks.shape.catalogue import ANSWER
from checks.shared import refusal
from checks.shared.chat_reply import Reply, classify
from checks.shared.discovery import AZURE_VERSION, Found, Search, near_completion
from checks.shared.first_request import first_chat
from checks.shared.outcome import answered, way_out, words_of
from checks.shared.redirects import downgrades, redirect_base
from checks.shared.refusal import Cause
from checks.shared.tls_port import PLAIN_HTTP, plain_http, says_tls
from checks.stream.catalogue import REQUIRED as STREAM_REQUIRED
from checks.url.catalogue import (
    CLEARTEXT,
    DUPLICATE_PATH,
    MISSING_V1,
    NO_CHAT,
    NOT_AN_API,
    OPERATION_PATH,
    REDIRECTS,
    TRAILING_SLASH,
)
from probe.api import (
    Depth,
    Exchange,
    Finding,
    Obstacle,
    Owner,
    Result,
    Severity,
    State,
    Verdict,
    because,
    check,
    completion,
    unknown,
    urls,
    wording,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

IN_THINKING = (
    "Set the server's reasoning parser to the one of this model, or to none for a model that does not think or with "
    "its thinking switched off (vLLM and SGLang: `--reasoning-parser`, llama.cpp: `--reasoning-format none`), and "
    "update the server: its parser takes an answer without an end of thinking for thinking."
)


@check(
    "url.resolve",
    title="Find the base URL and request a chat completion",
    proves="This URL, key and model return a chat completion.",
    requires={"reachable"},
    after={"tls"},
    provides={"chat", "base-url"},
    emits=(
        *(MISSING_V1, TRAILING_SLASH, OPERATION_PATH, DUPLICATE_PATH, REDIRECTS, NOT_AN_API, NO_CHAT, CLEARTEXT),
        *(REQUIRED, REJECTED, WRONG_SCHEME, WRONG_STATUS, DENIED, SIGN_IN),
        *(ID_UNKNOWN, NOT_ENABLED, NO_LIST, UPSTREAM, ANSWER, SUCCESS_STATUS, STREAM_REQUIRED, PLAIN_HTTP),
        *CONNECT,
    ),
    max_requests=11,
    least_requests=1,
    max_tokens=1600,
    depth=Depth.QUICK,
)
async def resolve(ctx: Context) -> Result:
    endpoint = ctx.options.endpoint
    withheld = ctx.may_carry_key(endpoint.origin)
    if withheld and ctx.options.auth.key:
        return withhold(endpoint, withheld)
    found = await Search(ctx).run()
    found.another_key = refusal.shows_another_key(found.trials[-1].exchange, ctx.options.auth.key)
    result = diagnose_chat(found, endpoint, ctx.nonce("chat")) | diagnose_url(found, endpoint)
    if found.foreign is not None:
        other = found.trials[-1].exchange
        passing = other.request.headers.get("User-Agent")
        finding = diagnose_foreign(found.foreign, other)
        result = result | Result((finding,), facts={"passing_user_agent": passing})
    if endpoint.scheme == "http" and not endpoint.loopback and ctx.options.auth.key:
        result = result | clear_text(endpoint, found.typed.exchange)
    return result


def diagnose_chat(found: Found, endpoint: urls.Endpoint, code: str) -> Result:
    """Whether there is a chat completion; what it settles, or who refused it."""
    if found.chat is None:
        return _no_chat(found, endpoint, code)
    exchange = found.chat.exchange
    answer = completion.answer(exchange) or completion.read_stream(exchange).text
    settles = {
        "base_url": endpoint.origin + found.chat.path.rstrip("/"),
        "chat_url": found.chat.url or endpoint.at(found.chat.path, "/chat/completions"),
        "models_url": endpoint.at(found.chat.path, "/models"),
        "model": found.model,
        "limit_param": found.limit_param,
        "dropped_params": tuple(found.dropped),
        "chat_exchange": exchange.id,
        "stream_false": found.stream_false,
        "added": refusal.keeps_in_service(exchange),
    }
    findings: tuple[Finding, ...] = ()
    if found.auth is not None:
        settles |= {"auth_scheme": found.auth.scheme, "auth_header": found.auth.header}
        findings = diagnose_refusal(found, endpoint)
    if found.whole_refused is not None:
        findings = (*findings, _streams_only(found.whole_refused, exchange))
    place, thought = completion.reasoning_of(exchange)
    if not answer and thought.strip(" .\n") == code and completion.finish_reason(exchange) != "length":
        # A model that thinks writes more than the code that it was asked to repeat.
        finding = ANSWER.found(
            f"The answer, {code}, is in `message.{place}`, and `message.content` is empty: clients show nothing.",
            exchange.shows("/response/body/choices/0/message/content", expected=code, actual=""),
            remedy=IN_THINKING,
        )
        broken = Result.of(finding, chat=State.BROKEN)
        return broken | Result(findings, settles=settles, provides=frozenset({"base-url"}))
    if not answer:
        thinks = bool(thought)
        verdict = unknown("the completion has reasoning and no text" if thinks else "the completion has no text")
    elif completion.repeats(answer, code):
        verdict = works("the model repeated a code")
    else:
        verdict = works("a completion arrived; the model did not repeat the code in the prompt", 0.8)
    return Result(
        findings=findings,
        verdicts={"chat": verdict},
        facts={"rejected_params": sorted(found.dropped) or None},
        settles=settles,
        provides=frozenset({"base-url", "chat"}),
    )


def _streams_only(refused: Exchange, streamed: Exchange) -> Finding:
    """The finding for an endpoint that refuses whole answers, and gives the same answer as a stream."""
    return STREAM_REQUIRED.found(
        f"A chat request without `stream: true` was answered with {words_of(refused)}; with it the endpoint answers.",
        refused.shows_status(200),
        streamed.shows_status(200),
    )


def _no_chat(found: Found, endpoint: urls.Endpoint, code: str) -> Result:
    """Why there is no chat completion: the network, load, the key, the model, its form, or no API."""
    trial = found.first_with(Reply.NEAR) or found.trials[-1]
    exchange = trial.exchange
    if trial.reply is Reply.LOST:
        lost = unreachable(exchange)
        return (
            Result(verdicts={"chat": unknown("no response")}) if lost is None else Result.of(lost, chat=State.REJECTED)
        )
    cause = _cause(found)
    base = endpoint.origin + trial.path.rstrip("/")
    kept = Result(settles={"base_url": base})
    settled = kept | Result(provides=frozenset({"base-url"}))
    if trial.reply is Reply.NEAR:
        return _unreadable(exchange, code) | kept
    if cause is Cause.UPSTREAM:
        wrong_header = diagnose_refusal(found, endpoint) if found.auth else ()
        return Result(wrong_header) | Result.of(_upstream(exchange), chat=State.REJECTED) | settled
    if exchange.request.url.startswith("http:") and says_tls(exchange):
        why = "The answer says that the API wants https."
        return Result.of(plain_http(exchange, endpoint.base, why), chat=State.REJECTED)
    if cause is Cause.POLICY:
        return Result.of(diagnose_denied(exchange, found.keyless, found.dummy), chat=State.REJECTED)
    if trial.reply is Reply.ROUTE and refusal.missing_header(exchange):
        return Result.of(diagnose_denied(exchange, None), chat=State.REJECTED) | settled
    if cause is Cause.SIGN_IN:
        return Result.of(diagnose_sign_in(exchange), chat=State.REJECTED)
    if cause is Cause.HTTPS:
        return _upgraded(exchange)
    if trial.reply is Reply.BUSY:
        text = completion.error_text(exchange)[:160]
        return Result(verdicts={"chat": unknown(f"the endpoint kept answering {exchange.status}: {text}")}) | kept
    if trial.reply is Reply.KEY:
        findings = diagnose_refusal(found, endpoint)
        return Result(findings, {"chat": because(State.REJECTED, findings[0])})
    if trial.reply is Reply.MODEL:
        finding = diagnose_unknown_id(exchange, found.model, found.models, named=found.named)
        wrong_header = diagnose_refusal(found, endpoint) if found.auth else ()
        return Result(wrong_header) | Result.of(finding, chat=State.REJECTED) | settled
    rejected = Result(verdicts={"chat": Verdict(State.REJECTED, note=f"the best answer was {trial.reply}")})
    return rejected | kept if trial.reply in (Reply.ROUTE, Reply.BROKEN) else rejected


def _unreadable(exchange: Exchange, code: str) -> Result:
    """The finding for a success that clients cannot read: an answer in another form, an error, a page, or nothing."""
    near = near_completion(exchange, code)
    where = f"{exchange.request.url} answered {exchange.status}"
    response = exchange.response
    shown = exchange.shows("/response/body", expected="choices", actual=response.text[:200] if response else None)
    if near is not None:
        finding = ANSWER.found(f"{where}; the body is {near.what}.", shown, owner=near.owner, remedy=near.remedy)
        return Result.of(finding, chat=State.BROKEN)
    if completion.is_html(exchange) or completion.has_error_body(exchange):
        what = "a web page" if completion.is_html(exchange) else f"an error: {completion.error_text(exchange)[:200]}"
        owner = Owner.GATEWAY if completion.is_html(exchange) else None
        finding = SUCCESS_STATUS.found(f"{where} with {what}.", exchange.shows_status("4xx or 5xx"), owner=owner)
        return Result.of(finding, chat=State.REJECTED)
    if response is not None and response.cut:
        return Result(
            verdicts={"chat": unknown(f"{where} with more than {len(response.content):,} bytes, not read on")}
        )
    empty = response is None or not response.content.strip()
    finding = ANSWER.found(
        f"{where}; the body is {'empty' if empty else 'no chat completion'}.",
        shown,
        owner=Owner.GATEWAY if refusal.hop(exchange) else None,
        remedy="Let the server, or the gateway in front of it, send the completion, or an error with a status that "
        "says so; its log names what became of the request.",
    )
    return Result.of(finding, chat=State.BROKEN)


def _cause(found: Found) -> Cause:
    """The cause of the last refusal of the search, which ended it."""
    last = found.trials[-1]
    if last.reply is Reply.KEY and refusal.signs_in(last.exchange):
        return Cause.SIGN_IN
    if last.reply in (Reply.KEY, Reply.MODEL, Reply.CHAT):  # the search has examined these
        return Cause.NONE
    return refusal.read(last.exchange, found.others, model=found.model, listed=found.models).cause


#: Causes that the search stops at, and that say nothing of the URL.
_NOT_OF_URL = (Cause.UPSTREAM, Cause.POLICY, Cause.SIGN_IN, Cause.HTTPS, Cause.OVERLOAD, Cause.LOADING, Cause.SIZE)


def _upstream(exchange: Exchange) -> Finding:
    """The finding for a gateway whose backend does not answer."""
    named = refusal.hop(exchange)
    of_key = (
        "The gateway has no key or account of its own for the provider behind it: add one to its configuration, or "
    )
    of_key += "use a model of a provider that it has one for."
    return UPSTREAM.found(
        f"{answered(exchange)}{f'; the answer names {named}' if named else ''}.",
        exchange.shows_status("a chat completion"),
        remedy=of_key if completion.lacks_own_key(exchange) else None,
    )


def _upgraded(exchange: Exchange) -> Result:
    """An http URL that the host redirects to https.  The key stays with the typed origin, so nothing is sent there."""
    goal = refusal.https_goal(exchange) or ""
    parts = urlsplit(goal)
    path = parts.path if urls.is_plain(parts.path) else urlsplit(exchange.request.url).path
    base = urls.origin_of("https", parts.hostname or "", parts.port) + urls.clean_path(path)
    finding = REDIRECTS.found(
        f"{exchange.request.url} redirects ({exchange.status}) to {goal[:200]}. The key was not sent there.",
        exchange.shows("/response/headers/location", expected="no redirect", actual=goal[:200]),
        remedy=f"Use {base} as the base URL (https, not http), and run endpoint-probe again with it.",
    )
    settled = Result(settles={"base_url": base}, provides=frozenset({"base-url"}))
    return Result.of(finding, chat=State.REJECTED) | settled


def diagnose_url(found: Found, endpoint: urls.Endpoint) -> Result:
    """What is wrong with the typed URL, compared with the one that works."""
    typed = found.typed
    reached = found.chat or found.first_with(Reply.NEAR, Reply.MODEL, Reply.KEY, Reply.ROUTE, Reply.STREAM)
    if reached is not None and reached.url is not None:
        return Result((_redirects(typed.exchange, reached.url, None),))
    if reached is not None and reached is not typed and reached.path != typed.path:
        return Result((_moved(typed.exchange, endpoint, reached.path),))
    if found.chat is not None:
        return Result()
    if reached is not None and reached.reply in (Reply.NEAR, Reply.MODEL, Reply.KEY):
        return Result()
    if (
        _cause(found) in _NOT_OF_URL
        or says_tls(found.trials[-1].exchange)
        or refusal.missing_header(found.trials[-1].exchange)
    ):
        return Result()
    if any(
        trial.reply is Reply.LOST or completion.obstacle(trial.exchange) in (Obstacle.RATE, Obstacle.PAYMENT)
        for trial in found.trials
    ):
        return Result()
    return Result((_nothing(found, endpoint),))


def _moved(exchange: Exchange, endpoint: urls.Endpoint, path: str) -> Finding:
    """The finding for a typed URL that fails while another base works."""
    base = endpoint.origin + path.rstrip("/")
    typed = endpoint.path
    bare = urls.clean_path(typed)
    if urls.operation_in(typed):
        diagnosis = OPERATION_PATH
    elif bare == path.rstrip("/") and typed != bare:
        diagnosis = TRAILING_SLASH
    elif urls.has_duplicate(typed) and urls.undouble(bare) == path.rstrip("/"):
        diagnosis = DUPLICATE_PATH
    elif redirect_base(exchange) == path:
        return _redirects(exchange, f"{base}/chat/completions", base)
    else:
        diagnosis = MISSING_V1
    return diagnosis.found(
        f"{exchange.request.url} was answered with status {exchange.status}; {base} works.",
        exchange.shows_status("a chat completion"),
        remedy=f"Use {base} as the base URL{', without a final slash' if diagnosis is TRAILING_SLASH else ''}.",
    )


#: What to do about a server that redirects https to http, since it does not know of the TLS in front of it.
_TRUST_PROXY = (
    "Let the server trust the headers of the TLS proxy in front (X-Forwarded-Proto; uvicorn: --forwarded-allow-ips), "
    "so that it does not write http:// into its redirects, and answer this path without a redirect."
)


def _redirects(exchange: Exchange, goal: str, base: str | None) -> Finding:
    """A redirect on the same origin, which clients may follow; ``base`` avoids it if there is one."""
    clear = downgrades(exchange)
    if clear and exchange.response is not None:
        goal = f"{(exchange.response.header('location') or '')[:200]}, in clear text"
    remedy = f"Use {base} as the base URL." if base else "Configure the server to answer without a redirect."
    return REDIRECTS.found(
        f"{exchange.request.url} redirects ({exchange.status}) to {goal}.",
        exchange.shows_status("a chat completion"),
        severity=Severity.WARNING if exchange.status in (307, 308) and not clear else Severity.ERROR,
        remedy=_TRUST_PROXY if clear and not base else remedy,
        owner=None if base else Owner.SERVER,
    )


#: What to do where the URL is right and an ordinary request is not answered.
_ORDINARY = {
    Reply.ROUTE: "The URL is right and the server refuses an ordinary request; correct what its error text names.",
    Reply.BROKEN: "The server fails on an ordinary request: its log names the cause.",
}
_OF_HTTP = {
    415: "Let the server take the Content-Type `application/json`, which clients send, or send what it asks for.",
    421: "Use the host name for which the gateway at this address is configured, or add this name to it.",
    426: "Let the gateway accept this version of HTTP, or use the one that it asks for (endpoint-probe: --http 2).",
    431: "Raise the limit on the size of header fields at the gateway, or send fewer and shorter ones.",
}


def _nothing(found: Found, endpoint: urls.Endpoint) -> Finding:
    """The finding if no candidate returned a chat completion."""
    tried = f"Tried under {endpoint.origin}: {', '.join(trial.path or '/' for trial in found.trials)}."
    redirect = found.first_with(Reply.REDIRECT)
    if redirect is not None and redirect.exchange.response is not None:
        exchange = redirect.exchange
        goal = redirect.exchange.response.header("location") or "nowhere"
        same = urls.same_origin(goal, endpoint.origin) or goal.startswith("/")
        return REDIRECTS.found(
            f"{exchange.request.url} redirects ({exchange.status}) to {goal[:200]}."
            f"{'' if same else ' The key was not sent there.'}",
            exchange.shows("/response/headers/location", expected="no redirect", actual=goal[:200]),
            remedy=_TRUST_PROXY if downgrades(exchange) else None,
        )
    if found.versioned is not None:
        return NO_CHAT.found(
            f"{tried} {answered(found.typed.exchange)}; with the query {AZURE_VERSION} the answer is "
            f"{found.versioned.status}.",
            found.typed.exchange.shows_status("a chat completion"),
            found.versioned.shows_status(found.versioned.status),
            remedy=f"Azure OpenAI answers 404 without its version: add ?{AZURE_VERSION} to the URL, or use "
            f"{endpoint.origin}/openai/v1 with the deployment as the model, which needs none.",
        )
    signs_in = next((trial.exchange for trial in found.trials if refusal.signs_in(trial.exchange)), None)
    if signs_in is not None:
        return diagnose_sign_in(signs_in)
    if found.root is not None and completion.ok(found.root) and completion.is_html(found.root):
        return NOT_AN_API.found(
            f"{tried} All were answered like a missing page, and {found.root.request.url} is a web page.",
            found.typed.exchange.shows_status("a chat completion"),
            found.root.shows("/response/headers/content-type", expected="application/json", actual="text/html"),
        )
    pages = [trial for trial in found.trials if trial.reply in (Reply.PAGE, Reply.ODD)]
    if pages and len(pages) >= len(found.trials) / 2:
        exchange = pages[0].exchange
        kind = "success without a chat completion"
        if pages[0].reply is Reply.PAGE:
            kind = "a web page" if completion.is_html(exchange) else "the error of an object store, which holds files"
        named = refusal.hop(exchange)
        shown = wording.quote(completion.page_heading(exchange), 80, empty="")
        heading = f" with the heading {shown}" if shown else ""
        media_type = exchange.response.media_type if exchange.response else None
        names = f"; it names {named}" if named else ""
        return NOT_AN_API.found(
            f"{tried} The answer was {kind}{heading}, status {exchange.status}{names}.",
            exchange.shows(
                "/response/headers/content-type", expected="application/json with choices", actual=media_type
            ),
        )
    best = found.first_with(Reply.ROUTE, Reply.STREAM, Reply.BROKEN, Reply.BUSY) or found.typed
    exchange = best.exchange
    detail = f"{tried} {answered(exchange)}."
    owner = remedy = None
    if best.reply in (Reply.ROUTE, Reply.BROKEN):
        owner = Owner.GATEWAY if refusal.hop(exchange) and refusal.is_page(exchange) else Owner.SERVER
        failed = Reply.BROKEN if (exchange.status or 0) >= 500 else best.reply
        remedy = _OF_HTTP.get(exchange.status or 0, way_out(exchange) or _ORDINARY[failed])
        if cure := refusal.query_cure(exchange):
            owner, remedy = Owner.CLIENT, cure
    elif best.reply is Reply.NONE and (told := way_out(exchange)):
        remedy = f"{told} {NO_CHAT.remedy}"
    elif best.reply is Reply.STREAM:
        owner = Owner.SERVER
        detail += " The answer is an event stream although the request did not ask for one."
    return NO_CHAT.found(detail, exchange.shows_status("a chat completion"), owner=owner, remedy=remedy)


def withhold(endpoint: urls.Endpoint, why: str) -> Result:
    """The key was not sent, since it would have travelled in clear text without being asked for."""
    finding = CLEARTEXT.found(
        f"{endpoint.typed} has no TLS, and the scheme was not typed: the key was not sent ({why}).",
        severity=Severity.ERROR,
        remedy=f"Type https:// in front of the endpoint, or {endpoint.typed} in full to send the key in clear text.",
    )
    return Result.of(finding, chat=State.REJECTED)


def clear_text(endpoint: urls.Endpoint, exchange: Exchange) -> Result:
    """The key is sent unencrypted to another machine, as requested by the user."""
    finding = CLEARTEXT.found(
        f"The key is sent to {endpoint.host} without encryption.",
        exchange.shows("/request/url", expected="https", actual=endpoint.scheme),
    )
    return Result((finding,))


@check(
    "url.control",
    title="Request a path that does not exist",
    proves="Success is meaningful: an invented path is not answered like the chat route.",
    requires={"chat"},
    provides={"control", "chat"},
    emits=(NOT_AN_API,),
    max_requests=1,
    max_tokens=300,
)
async def control(ctx: Context) -> Result:
    code = ctx.nonce("control")
    url = ctx.options.endpoint.at(f"/{code.lower()}/no-such-path")
    body = ctx.chat_body(f"Repeat exactly: {code}", limit=32)
    exchange = await ctx.send("POST", url, body=body, share="control", tokens=100, patient=False)
    return diagnose_control(exchange, first_chat(ctx), code, ctx.nonce("chat"))


def diagnose_control(exchange: Exchange, first: Exchange | None, code: str, first_code: str) -> Result:
    """One fixed answer on every path is not an API; a real model on every path is one with lax routing."""
    done = Result(provides=frozenset({"control"}))
    if first is None or classify(exchange) is not Reply.CHAT:
        return done
    answer, evidence = completion.answer(exchange), exchange.shows_status("404")
    obeyed = completion.repeats(answer, code) or completion.repeats(completion.answer(first), first_code)
    if obeyed or answer != completion.answer(first):
        finding = NOT_AN_API.found(
            f"{exchange.request.url} does not exist, and the model answered there as on the chat route.",
            evidence,
            severity=Severity.WARNING,
            remedy="Chat works on every mistyped path too: configure the server to answer 404 to unknown paths.",
            owner=Owner.SERVER,
        )
        return done | Result((finding,))
    finding = NOT_AN_API.found(
        f"{exchange.request.url} does not exist and was answered with the same completion as the chat route.", evidence
    )
    return Result.of(finding, chat=State.BROKEN) | Result(settles={"base_url": None, "chat_url": None})
