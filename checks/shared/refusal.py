"""Who refused a request, for which reason, and whether waiting helps.  Pure.

One answer is often ambiguous: a 401 may be about the key, about the header it was sent in, or about a model.  So the
reader also looks at the other exchanges of the run: an answer that changes with the header is about the header, a
server error is not about a key that is refused in another way when it is left out, and a model that is listed is
not an unknown model.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from checks.shared.chat_reply import SAYS_NOTHING_OF_KEY, Reply, classify, names_rule
from checks.shared.pages import hop as hop
from checks.shared.pages import is_page as is_page
from checks.shared.pages import passed_on as passed_on
from checks.shared.pages import signs_in as signs_in
from checks.shared.redirects import https_goal as https_goal
from probe.api import Exchange, Obstacle, completion


class Speaker(StrEnum):
    """Which program gave the answer."""

    SERVER = "the server"
    GATEWAY = "a gateway"
    PROXY = "a forward proxy"
    SIGN_IN = "a sign-in service"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """What a refusal is about."""

    NONE = "no refusal"
    LOST = "no response"
    HTTPS = "http in place of https"
    REDIRECT = "a redirect"
    SIGN_IN = "a sign-in"
    PROXY = "the login at a forward proxy"
    KEY = "the key"
    SCHEME = "the header of the key"
    POLICY = "an access rule"
    MODEL = "an unknown model id"
    NOT_ENABLED = "a listed model that is not enabled"
    PARAMETER = "a parameter or another part of the request"
    PATH = "the path"
    SIZE = "the size of the request"
    RATE = "a rate limit"
    QUOTA = "credit or quota"
    OVERLOAD = "overload"
    LOADING = "a model that is still loading"
    UPSTREAM = "the server behind a gateway"
    SERVER = "an error of the server"


@dataclass(frozen=True)
class Challenge:
    """One challenge of a ``WWW-Authenticate`` header (RFC 9110 section 11.6.1).

    ``header`` is the name of the header that has to carry the key, where the challenge names one (Azure API
    Management: ``name="Ocp-Apim-Subscription-Key",type="header"``).
    """

    scheme: str
    realm: str = ""
    header: str = ""
    error: str = ""


@dataclass(frozen=True)
class Refusal:
    """The cause of a refusal, who gave it, and whether the same request may succeed later.

    ``asks`` is what the server asks for if the cause is the header of the key: a header name, or one of ``SCHEMES``.
    """

    cause: Cause
    speaker: Speaker
    waiting_helps: bool = False
    asks: str = ""


_BY_OBSTACLE = {
    Obstacle.PAYMENT: Cause.QUOTA,
    Obstacle.SIZE: Cause.SIZE,
    Obstacle.RATE: Cause.RATE,
    Obstacle.OVERLOAD: Cause.OVERLOAD,
    Obstacle.LOADING: Cause.LOADING,
    Obstacle.UPSTREAM: Cause.UPSTREAM,
}
_BY_REPLY = {
    Reply.CHAT: Cause.NONE,
    Reply.STREAM: Cause.NONE,
    Reply.NEAR: Cause.NONE,
    Reply.KEY: Cause.KEY,
    Reply.DENIED: Cause.POLICY,
    Reply.MODEL: Cause.MODEL,
    Reply.PARAMETER: Cause.PARAMETER,
    Reply.ROUTE: Cause.PARAMETER,
    Reply.BUSY: Cause.OVERLOAD,
    Reply.UPSTREAM: Cause.UPSTREAM,
    Reply.REDIRECT: Cause.REDIRECT,
    Reply.PAGE: Cause.PATH,
    Reply.ODD: Cause.PATH,
    Reply.NONE: Cause.PATH,
    Reply.BROKEN: Cause.SERVER,
    Reply.LOST: Cause.LOST,
}
_WAIT = (Cause.RATE, Cause.OVERLOAD, Cause.LOADING)
_SPEAKERS = {
    Cause.NONE: Speaker.SERVER,
    Cause.LOST: Speaker.UNKNOWN,
    Cause.SIGN_IN: Speaker.SIGN_IN,
    Cause.PROXY: Speaker.PROXY,
    Cause.POLICY: Speaker.GATEWAY,
    Cause.UPSTREAM: Speaker.GATEWAY,
    Cause.HTTPS: Speaker.GATEWAY,
    Cause.REDIRECT: Speaker.GATEWAY,
}


def read(
    exchange: Exchange,
    others: Sequence[Exchange] = (),
    *,
    model: str | None = None,
    listed: Collection[str] | None = None,
) -> Refusal:
    """The cause of one answer, in the light of the run's other exchanges.

    Args:
        exchange: the answer to a chat request.
        others: further exchanges of the run, in order; ``exchange`` may be among them.
        model: the model id that was requested; default the one in the request.
        listed: the ids that the endpoint lists, or None without a list.
    """
    body = exchange.request.body
    if model is None and isinstance(body, dict) and isinstance(body.get("model"), str):
        model = body["model"]
    cause, asks = _cause(exchange, [one for one in others if one is not exchange], model, listed)
    speaker = _SPEAKERS.get(cause)
    if speaker is None:
        speaker = Speaker.GATEWAY if is_page(exchange) else Speaker.SERVER
    return Refusal(cause, speaker, cause in _WAIT and not completion.has_no_model(exchange), asks)


def _cause(
    exchange: Exchange, others: Sequence[Exchange], model: str | None, listed: Collection[str] | None
) -> tuple[Cause, str]:
    status = exchange.status
    if status is None or exchange.response is None:
        return Cause.LOST, ""
    if 300 <= status < 400 and not completion.is_block_page(exchange):
        return (Cause.SIGN_IN if signs_in(exchange) else Cause.HTTPS if https_goal(exchange) else Cause.REDIRECT), ""
    if signs_in(exchange):
        return Cause.SIGN_IN, ""
    if status == 407:
        return Cause.PROXY, ""
    reply = classify(exchange, model, listed)
    if completion.is_block_page(exchange):
        return Cause.POLICY, ""
    if reply is Reply.MODEL:
        return (Cause.NOT_ENABLED if listed and model in listed else Cause.MODEL), ""
    if reply in (Reply.KEY, Reply.DENIED):
        return _access(exchange, reply, others, model, listed)
    found = _BY_OBSTACLE.get(completion.obstacle(exchange), Cause.NONE)
    if found is Cause.OVERLOAD and is_page(exchange) and _repetitions(exchange, others) >= 2:
        return Cause.UPSTREAM, ""  # the page of a gateway; a rate limit would have passed in the meantime
    if found is not Cause.NONE:
        return found, ""
    return _BY_REPLY[reply], ""


def _access(
    exchange: Exchange,
    reply: Reply,
    others: Sequence[Exchange],
    model: str | None,
    listed: Collection[str] | None,
) -> tuple[Cause, str]:
    """The cause of a refused access: the key, its header, a rule, or after all the model."""
    asked = challenges(exchange)
    carried = {name.lower() for name, value in exchange.request.headers.items() if "${API_KEY}" in value}
    named = next((one.header for one in asked if one.header and one.header.lower() not in carried), "")
    if named:
        return Cause.SCHEME, named
    scheme = other_scheme(exchange)
    if scheme and (carried or scheme != TOKEN):
        return Cause.SCHEME, scheme
    twins = [one for one in others if _same_question(one, exchange)]
    for one in twins:
        header = _key_header(one)
        other = header and header != _key_header(exchange) and one.status not in (401, 403, 407, None)
        # LiteLLM answers another refusal of the key with 400, and 429 while the provider's refusal cools down.
        if other and classify(one, model, listed) not in SAYS_NOTHING_OF_KEY:
            return Cause.SCHEME, header
    keyless = [one for one in twins if carried and not _has_credentials(one)]
    if reply is Reply.DENIED:
        # With a key the rule applies to the key if a request without one is refused in another way, unless its words
        # name what it is about, or an invented key is refused in another way too.
        known = any(one.status == 401 for one in twins if _has_credentials(one) and not _key_header(one))
        of_key = not names_rule(exchange) and not known and any(one.status == 401 for one in keyless)
        return (Cause.KEY if of_key else Cause.POLICY), ""
    if carried and model and listed and model not in listed and key_opens_list(others):
        return Cause.MODEL, ""
    return Cause.KEY, ""


def key_opens_list(exchanges: Iterable[Exchange]) -> bool:
    """Whether the model list was given for the key and refused without it, so that the key is valid."""
    lists = [one for one in exchanges if one.request.method == "GET" and _path(one).endswith("/models")]
    opened = {_path(one) for one in lists if completion.ok(one) and _key_header(one)}
    return any(one.status in (401, 403) and _path(one) in opened and not _has_credentials(one) for one in lists)


def key_was_taken(exchange: Exchange, keyless: Exchange | None, invented: Exchange | None = None) -> bool:
    """Whether the key was accepted although the request failed.

    Without a key the same request is refused for want of one (401 or 403), with the key it fails in another way,
    and with an invented key, where one was tried, not in this way.
    """
    if keyless is None or keyless.status not in (401, 403) or exchange.status in (401, 403, 407, None):
        return False
    return invented is None or differs(exchange, invented)


def differs(left: Exchange, right: Exchange) -> bool:
    """Whether two refusals differ in status or text."""
    return left.status != right.status or completion.error_text(left) != completion.error_text(right)


# What one answer shows ---------------------------------------------------------------------------------

_CHALLENGE = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]*)(?=\s+[\w-]+\s*=|\s*(?:,|$))")
_PARAMETER = re.compile(r'(?<![\w-])([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_QUOTED = re.compile(r'(?<!\\)"(?:[^"\\]|\\.)*"')


def challenges(exchange: Exchange) -> tuple[Challenge, ...]:
    """The challenges of all ``WWW-Authenticate`` headers, in order."""
    response = exchange.response
    found: list[Challenge] = []
    for name, value in response.headers if response else ():
        if name.lower() != "www-authenticate":
            continue
        value = value[:1000]
        # Commas and words inside quotes do not begin a challenge.
        bare = _QUOTED.sub(lambda quoted: '"' + "_" * (len(quoted[0]) - 2) + '"', value)
        starts = [match for match in _CHALLENGE.finditer(bare) if not bare[match.end() :].startswith("=")]
        for number, match in enumerate(starts):
            end = starts[number + 1].start() if number + 1 < len(starts) else len(value)
            given = {
                name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(value[match.end() : end])
            }
            is_header = given.get("type", "").lower() == "header" or given.get("in", "").lower() == "header"
            header = given.get("name", "") if is_header else ""
            error = given.get("error_description", "") or given.get("error", "")
            valid = re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,60}", header)
            found.append(
                Challenge(match[1].lower(), given.get("realm", "")[:100], header if valid else "", error[:200])
            )
    return tuple(found[:8])


#: Schemes of a challenge that no bearer token meets: logins, and the one of Django REST framework.
TOKEN = "Token"
SCHEMES = {"basic": "Basic", "digest": "Digest", "negotiate": "Negotiate", "ntlm": "NTLM", "token": TOKEN}


def other_scheme(exchange: Exchange) -> str:
    """The first of ``SCHEMES`` that an answer asks for, or an empty text where it asks for others too."""
    found = [SCHEMES.get(one.scheme, "") for one in challenges(exchange)]
    return found[0] if found and all(found) else ""


_HEADER = re.compile(
    r"\brequest\.header\.([a-z][\w-]{1,40})(?![\w-])|"
    r"(?<![\w-])([a-z][\w-]{1,40})(?=['\"`]?:? (?:request |http )?header\b)|"
    r"(?<![\w-])(x-[a-z][\w-]{1,40})(?=['\"`]? (?:is|must|missing)\b)|"
    r"\bheader:? ['\"`]?([a-z][\w-]{1,40})(?![\w-])|\(header\.([\w-]{1,40})\)|"
    r"\b(?:missing|requires?|include|provide|without|send|set)(?: the| an?| your)?:? "
    r"['\"`]?(x-[a-z][\w-]{1,40})(?![\w-])",
    re.IGNORECASE | re.ASCII,
)
#: Names of headers that are no other words: with a prefix, or with the capitals of one (`Editor-Version`).
_PLAIN_NAME = re.compile(r"(?i:x-).*|[A-Z][\w]*(?:-[A-Z]\w*)+")
_KEY_HEADER = re.compile(
    r"(?!sec-|proxy-|idempotency|.*(?:[cx]srf|cache|session))[\w-]*(?:apikey|[-_](?:key|token))", re.IGNORECASE
)
_STANDARD = re.compile(
    r"(?:content|accept|user|www|proxy|if|cache|transfer|sec|x-forwarded|x-requested|x-real)-.*", re.IGNORECASE
)
_WANTED = re.compile(r"\brequire|\bmissing\b|\bmust\b|\bneed|\bprovide", re.IGNORECASE)


def _headers_in(text: str) -> list[str]:
    return ["".join(found) for found in _HEADER.findall(text)]


def key_headers(exchange: Exchange) -> list[str]:
    """The headers that a refusal names for the key, in its challenge or its text, and those of its gateway."""
    asked = challenges(exchange)
    text = completion.error_text(exchange)[:1000]
    names = [one.header for one in asked if one.header]
    names += [name for name in _headers_in(text) if _KEY_HEADER.fullmatch(name)]
    if hop(exchange) == "Kong" or any(one.scheme == "key" for one in asked) or "resolve API Key variable" in text:
        names.append("apikey")  # the defaults of Kong's key-auth and of Apigee's VerifyAPIKey
    if "unregistered callers" in text:
        names.append("x-goog-api-key")
    return list({name.lower(): name for name in reversed(names)}.values())[::-1]


_MASKED = re.compile(
    r"\bkey\b(?: (?:provided|is|was|=|used))?\W{0,6}([\w-]{0,24})(?:\*{3,200}|\.{3}|…)([\w-]{0,12})", re.IGNORECASE
)


def shows_another_key(exchange: Exchange, key: str | None) -> bool:
    """Whether a refusal shows parts of a key that is not the one sent: that of a gateway, which the server refuses.

    Servers show the first and last letters of the key that they refuse (OpenAI: ``sk-inv**********4242``).
    """
    shown = _MASKED.search(completion.error_text(exchange)[:1000]) if key else None
    if not key or shown is None or len(shown[1]) + len(shown[2]) < 4:
        return False
    return not (key.startswith(shown[1]) and key.endswith(shown[2]))


def missing_header(exchange: Exchange) -> str:
    """The header without a key that the text of a refusal requires and the request did not have, or an empty text."""
    text = completion.error_text(exchange)[:1000]
    sent = {name.lower() for name in exchange.request.headers}
    for name in _headers_in(text) if _WANTED.search(text) else ():
        # FastAPI: "Field required (header.tenant-name)"
        marked = "-" in name and re.search(rf"['\"`]{name}['\"`]|\(header\.{name}\)|(?<![\w-]){name}: header", text)
        if (
            (marked or _PLAIN_NAME.fullmatch(name))
            and name.lower() not in sent
            and not (_KEY_HEADER.fullmatch(name) or _STANDARD.fullmatch(name))
        ):
            return name
    return ""


_QUERY = re.compile(
    r"\bquery param(?:eter)?s?:? ['\"`]?([a-z][\w.-]{1,40})|(?<![\w-])([a-z][\w.-]{1,40})(?=['\"`]? query param)|"
    r"\(query\.([\w-]{1,40})\)|\brequest parameter '([\w.-]{1,40})'",
    re.IGNORECASE | re.ASCII,
)
_UNWANTED = re.compile(
    r"not (?:allowed|supported|permitted|valid)|unsupported|unknown|unexpected|invalid", re.IGNORECASE
)
_NO_NAME = frozenset("required missing the this an invalid unknown following is are was must in at api of for".split())


def query_cure(exchange: Exchange) -> str:
    """What to do about a query parameter that a refusal requires, or that it does not allow; or an empty text."""
    text = completion.error_text(exchange)[:1000]
    address, _, query = exchange.request.url.partition("?")
    base = address.removesuffix("/chat/completions")
    sent = {one.partition("=")[0].lower() for one in query.split("&")}
    for name in filter(None, ("".join(found) for found in _QUERY.findall(text))):
        if name.lower() in sent and _UNWANTED.search(text):
            return f"Leave out the query parameter `{name}` of the URL, which the answer does not allow: use {base}."
        if name.lower() not in sent | _NO_NAME and _WANTED.search(text):
            return (
                f"Add the query parameter that the answer requires to the URL: {base}?{name}=VALUE. Clients with a "
                "plain base URL need an option for it (`default_query` in openai-python)."
            )
    return ""


def keeps_in_service(exchange: Exchange) -> dict[str, float]:
    """What a request says so that a gateway does not take its backend out of service if the backend refuses it.

    LiteLLM, whose headers an answer carries, does so after a 401 or 404, and after a few 5xx where `allowed_fails` is
    set: every client of the model then gets 429 for `cooldown_time` seconds.  It reads that time from the request too
    and forwards it to nobody (BerriAI/litellm, litellm/main.py and router.py; measured with 1.106).
    """
    response = exchange.response
    named = any(name.lower().startswith("x-litellm-") for name, _ in response.headers) if response else False
    return {"cooldown_time": 0} if named else {}


# What other exchanges show -----------------------------------------------------------------------------


def _path(exchange: Exchange) -> str:
    return exchange.request.url.partition("?")[0]


def _same_question(left: Exchange, right: Exchange) -> bool:
    return left.request.method == right.request.method and left.request.url == right.request.url


def _key_header(exchange: Exchange) -> str:
    """The name of the header that carried the user's key, in lower case, with the scheme."""
    for name, value in exchange.request.headers.items():
        if "${API_KEY}" in value:
            return f"{name.lower()} {value.partition(' ')[0].lower()}" if " " in value else name.lower()
    return ""


_CREDENTIALS = ("authorization", "x-api-key", "api-key", "ocp-apim-subscription-key")


def _has_credentials(exchange: Exchange) -> bool:
    headers = exchange.request.headers.items()
    return any("${API_KEY}" in value or name.lower() in _CREDENTIALS for name, value in headers)


def _repetitions(exchange: Exchange, others: Iterable[Exchange]) -> int:
    """How often the same request got the same status; 0 if it was answered at another time."""
    same = [one for one in others if _same_question(one, exchange) and one.request.body == exchange.request.body]
    return 0 if any(map(completion.ok, same)) else sum(one.status == exchange.status for one in same)
