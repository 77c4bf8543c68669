"""Which URL a client must be given, found from whatever was typed.

The typed text is joined as a simple client joins it (typed + ``/chat/completions``).
Where that works there is no finding; where it does not, the base that works is found, or
it is said that none does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.auth import REJECTED, REQUIRED, WRONG_SCHEME, WRONG_STATUS, diagnose_refusal
from checks.connect import DIAGNOSES as CONNECT
from checks.connect import unreachable
from checks.models import ID_UNKNOWN, NO_LIST, diagnose_unknown_id
from checks.shared.chat_reply import ANY_MODEL, Reply, classify
from checks.shared.discovery import Found, Search, redirect_base
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
    works,
)

if TYPE_CHECKING:
    from probe.api import Context


@check(
    "url.resolve",
    title="Find the base URL and get a chat completion",
    proves="A chat completion can be had at this URL, with this key and model.",
    requires={"reachable"},
    after={"tls"},
    provides={"chat", "base-url"},
    emits=(
        *(
            MISSING_V1,
            TRAILING_SLASH,
            OPERATION_PATH,
            DUPLICATE_PATH,
            REDIRECTS,
            NOT_AN_API,
            NO_CHAT,
            CLEARTEXT,
        ),
        *(REQUIRED, REJECTED, WRONG_SCHEME, WRONG_STATUS, ID_UNKNOWN, NO_LIST),
        *CONNECT,
    ),
    max_requests=9,
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
    result = diagnose_chat(found, endpoint, ctx.nonce("chat")) | diagnose_url(found, endpoint)
    if endpoint.scheme == "http" and not endpoint.loopback and ctx.options.auth.key:
        result = result | clear_text(endpoint, found.typed.exchange)
    return result


def diagnose_chat(found: Found, endpoint: urls.Endpoint, code: str) -> Result:
    """Whether a chat completion was had, what is settled by it, or who refused it."""
    if found.chat is None:
        return _no_chat(found, endpoint)
    exchange = found.chat.exchange
    said = completion.answer(exchange)
    settles = {
        "base_url": endpoint.origin + found.chat.path.rstrip("/"),
        "chat_url": found.chat.url or endpoint.at(found.chat.path, "/chat/completions"),
        "models_url": endpoint.at(found.chat.path, "/models"),
        "model": found.model,
        "limit_param": found.limit_param,
        "drop": tuple(found.dropped),
        "chat_exchange": exchange.id,
    }
    findings: tuple[Finding, ...] = ()
    if found.auth is not None:
        settles |= {"auth_scheme": found.auth.scheme, "auth_header": found.auth.header}
        findings = diagnose_refusal(found, endpoint)
    if not said and not completion.reasoning_of(exchange)[1]:
        verdict = unknown("a completion came, but no text in it")
    elif completion.repeats(said, code):
        verdict = works("the model repeated a code")
    else:
        verdict = works("a completion came; the model did not repeat the code it was given", 0.8)
    return Result(
        findings=findings,
        verdicts={"chat": verdict},
        facts={"rejected_params": sorted(found.dropped) or None},
        settles=settles,
        provides=frozenset({"base-url", "chat"}),
    )


def _no_chat(found: Found, endpoint: urls.Endpoint) -> Result:
    """Why there was no chat completion: the key, the model, the network, or nothing there."""
    trial = found.trials[-1]
    exchange = trial.exchange
    if trial.reply is Reply.LOST:
        lost = unreachable(exchange)
        if lost is None:
            return Result(verdicts={"chat": unknown("no response")})
        return Result(findings=(lost,), verdicts={"chat": because(State.REJECTED, lost)})
    if trial.reply is Reply.BUSY:
        said = completion.error_text(exchange)[:160]
        return Result(verdicts={"chat": unknown(f"the endpoint kept answering {exchange.status}: {said}")})
    if trial.reply is Reply.KEY:
        findings = diagnose_refusal(found, endpoint)
        return Result(findings=findings, verdicts={"chat": because(State.REJECTED, findings[0])})
    if trial.reply is Reply.MODEL:
        settles = {"base_url": endpoint.origin + trial.path.rstrip("/")}
        finding = diagnose_unknown_id(exchange, found.model, found.models, named=found.model != ANY_MODEL)
        return Result(
            findings=(finding,),
            verdicts={"chat": because(State.REJECTED, finding)},
            settles=settles,
            provides=frozenset({"base-url"}),
        )
    return Result(verdicts={"chat": Verdict(State.REJECTED, note=f"the best answer was {trial.reply}")})


def diagnose_url(found: Found, endpoint: urls.Endpoint) -> Result:
    """What is wrong with the URL as typed, judged against the one that works."""
    typed = found.typed
    reached = found.chat or found.first_with(Reply.MODEL, Reply.KEY, Reply.ROUTE, Reply.STREAM)
    if reached is not None and reached.url is not None:
        return Result(findings=(_redirects(typed.exchange, reached.url, None),))
    if reached is not None and reached is not typed and reached.path != typed.path:
        return Result(findings=(_moved(typed.exchange, endpoint, reached.path),))
    if reached is not None and reached.reply in (Reply.CHAT, Reply.MODEL, Reply.KEY):
        return Result()
    if any(
        trial.reply is Reply.LOST or trial.exchange.status == 429 or completion.is_quota(trial.exchange)
        for trial in found.trials
    ):
        return Result()
    return Result(findings=(_nothing(found, endpoint),))


def _moved(exchange: Exchange, endpoint: urls.Endpoint, path: str) -> Finding:
    """The finding for a typed URL that fails where another base works."""
    base = endpoint.origin + path.rstrip("/")
    typed = endpoint.path
    answer = f"status {exchange.status}"
    evidence = exchange.shows("/response/status", expected="a chat completion", actual=exchange.status)
    detail = f"{exchange.request.url} was answered with {answer}; {base} works."
    if urls.operation_in(typed):
        return OPERATION_PATH.found(detail, evidence, remedy=f"Use {base} as the base URL.")
    slashless = urls.clean_path(typed)
    if slashless == path.rstrip("/") and typed != slashless:
        return TRAILING_SLASH.found(detail, evidence, remedy=f"Use {base} as the base URL, without a slash at the end.")
    if urls.has_duplicate(typed) and urls.undouble(slashless) == path.rstrip("/"):
        return DUPLICATE_PATH.found(detail, evidence, remedy=f"Use {base} as the base URL.")
    if redirect_base(exchange) == path:
        return _redirects(exchange, f"{base}/chat/completions", base)
    return MISSING_V1.found(detail, evidence, remedy=f"Use {base} as the base URL.")


def _redirects(exchange: Exchange, goal: str, base: str | None) -> Finding:
    """A redirect within the origin, which a client may follow; ``base`` avoids it where there is one."""
    keeps = exchange.status in (307, 308)
    remedy = f"Use {base} as the base URL." if base else "Let the server answer the operation without a redirect."
    return REDIRECTS.found(
        f"{exchange.request.url} redirects ({exchange.status}) to {goal}.",
        exchange.shows("/response/status", expected="a chat completion", actual=exchange.status),
        severity=Severity.WARNING if keeps else Severity.ERROR,
        remedy=remedy,
        owner=None if base else Owner.SERVER,
    )


def _nothing(found: Found, endpoint: urls.Endpoint) -> Finding:
    """The finding where no candidate gave a chat completion."""
    typed = found.typed
    tried = ", ".join(trial.path or "/" for trial in found.trials)
    redirect = found.first_with(Reply.REDIRECT)
    if redirect is not None and redirect.exchange.response is not None:
        goal = redirect.exchange.response.header("location") or "nowhere"
        same = urls.same_origin(goal, endpoint.origin) or goal.startswith("/")
        fate = "" if same else " The key was not sent there."
        return REDIRECTS.found(
            f"{redirect.exchange.request.url} redirects ({redirect.exchange.status}) to {goal[:200]}.{fate}",
            redirect.exchange.shows("/response/headers/location", expected="no redirect", actual=goal[:200]),
        )
    pages = [trial for trial in found.trials if trial.reply in (Reply.PAGE, Reply.ODD)]
    if pages and len(pages) >= len(found.trials) / 2:
        kind = "a web page" if pages[0].reply is Reply.PAGE else "success without a chat completion"
        return NOT_AN_API.found(
            f"Tried under {endpoint.origin}: {tried}. The answer was {kind}, status {pages[0].exchange.status}.",
            pages[0].exchange.shows(
                "/response/headers/content-type",
                expected="application/json with choices",
                actual=pages[0].exchange.response.media_type if pages[0].exchange.response else None,
            ),
        )
    best = found.first_with(Reply.ROUTE, Reply.STREAM, Reply.BROKEN, Reply.BUSY) or typed
    said = "" if completion.is_html(best.exchange) else completion.error_text(best.exchange)[:200]
    detail = (
        f"Tried under {endpoint.origin}: {tried}. "
        f"{best.exchange.request.url} answered {best.exchange.status}{': ' + said if said else ''}."
    )
    seen = best.exchange.shows("/response/status", expected="a chat completion", actual=best.exchange.status)
    if best.exchange.status in (502, 503, 504):
        return NO_CHAT.found(
            detail,
            seen,
            owner=Owner.GATEWAY,
            remedy="A proxy answers and the server behind it does not: check that the server runs, and the address "
            "and the timeouts under which the proxy looks for it.",
        )
    if best.reply is Reply.ROUTE:
        return NO_CHAT.found(
            detail,
            seen,
            owner=Owner.SERVER,
            remedy="The URL is right and the server refuses an ordinary request; mend what its error text names.",
        )
    if best.reply is Reply.STREAM:
        return NO_CHAT.found(detail + " An event stream came although none was asked for.", seen, owner=Owner.SERVER)
    return NO_CHAT.found(detail, seen)


def withhold(endpoint: urls.Endpoint, why: str) -> Result:
    """The key is kept back because it would travel in clear text unasked."""
    finding = CLEARTEXT.found(
        f"{endpoint.typed} has no TLS, and the scheme was not typed: the key was not sent ({why}).",
        severity=Severity.ERROR,
        remedy=f"Type https:// in front of the endpoint, or {endpoint.typed} in full to send the key in clear text.",
    )
    return Result(findings=(finding,), verdicts={"chat": because(State.REJECTED, finding)})


def clear_text(endpoint: urls.Endpoint, exchange: Exchange) -> Result:
    """The key travels unencrypted to another machine, as the user asked."""
    finding = CLEARTEXT.found(
        f"The key goes to {endpoint.host} without encryption.",
        exchange.shows("/request/url", expected="https", actual=endpoint.scheme),
    )
    return Result(findings=(finding,))


@check(
    "url.control",
    title="Ask a path that cannot exist",
    proves="Success means something: a made-up path is not answered like the chat route.",
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
    basic = next((item for item in ctx.exchanges if item.id == ctx.target.extra.get("chat_exchange")), None)
    return diagnose_control(exchange, basic, code, ctx.nonce("chat"))


def diagnose_control(exchange: Exchange, basic: Exchange | None, code: str, basic_code: str) -> Result:
    """A canned answer to every path is no API; lax routing to a real model is one."""
    done = Result(provides=frozenset({"control"}))
    if basic is None or classify(exchange) is not Reply.CHAT:
        return done
    said = completion.answer(exchange)
    obeyed = completion.repeats(said, code) or completion.repeats(completion.answer(basic), basic_code)
    if obeyed or said != completion.answer(basic):
        finding = NOT_AN_API.found(
            f"{exchange.request.url} does not exist, and the model answered there as on the chat route.",
            exchange.shows("/response/status", expected="404", actual=exchange.status),
            severity=Severity.WARNING,
            remedy="Chat works, and so does every mistyped path: let the server answer 404 to paths it does not know.",
            owner=Owner.SERVER,
        )
        return done | Result(findings=(finding,))
    finding = NOT_AN_API.found(
        f"{exchange.request.url} does not exist and was answered with the same completion as the chat route.",
        exchange.shows("/response/status", expected="404", actual=exchange.status),
    )
    return Result(
        findings=(finding,),
        verdicts={"chat": because(State.BROKEN, finding)},
        settles={"base_url": None, "chat_url": None},
    )
