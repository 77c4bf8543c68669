"""Reading errors: their text, and what they are about.

``obstacle`` is the one classification of answers that are about access, limits or transport
and therefore say nothing about a feature.  Pure functions over exchanges, for any bytes:
they return a value or None and never raise.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from enum import StrEnum
from typing import Any

from probe.exchange import Exchange
from probe.parsing.strict_json import SMALL, member, text_at


class Obstacle(StrEnum):
    """What an answer is about if not about a feature; the value completes "the answer is about ...".

    The empty value, NONE, is false.
    """

    NONE = ""
    ACCESS = "access"
    PAYMENT = "payment or quota"
    SIZE = "the size of the request"
    RATE = "a rate limit"
    OVERLOAD = "overload"
    LOADING = "a model that is still loading"
    UPSTREAM = "the server behind a proxy"
    STREAM = "streaming, without which the endpoint answers nothing"


#: Statuses that are never about a feature (RFC 9110; RFC 6585; nginx 499; Cloudflare 520 to 530; Anthropic 529).
#: 500 is not among them: only its text can decide.
_BY_STATUS = {
    **dict.fromkeys((401, 403, 407, 451, 511), Obstacle.ACCESS),
    402: Obstacle.PAYMENT,
    413: Obstacle.SIZE,
    **dict.fromkeys((425, 429), Obstacle.RATE),
    **dict.fromkeys((503, 529), Obstacle.OVERLOAD),
    **dict.fromkeys((408, 499, 502, 504, *range(520, 529), 530), Obstacle.UPSTREAM),
}
#: Codes and types of errors, as OpenAI, Anthropic, Google and llama.cpp name them.
_BY_CODE = {
    code: obstacle
    for obstacle, codes in {
        Obstacle.ACCESS: "authentication_error invalid_api_key permission_denied unauthenticated",
        Obstacle.RATE: "rate_limit_error rate_limit_exceeded resource_exhausted too_many_requests",
        Obstacle.OVERLOAD: "overloaded overloaded_error unavailable unavailable_error service_unavailable",
        Obstacle.UPSTREAM: "bad_gateway gateway_timeout",
    }.items()
    for code in codes.split()
}
_LOADING = (
    r"\bloading (?:the )?model|\bis (?:still |currently |being )*(?:loading|starting)|\bstill loading|\bwarming up|"
    r"\binitiali[sz]ing\b|\bstarting up\b|\bcold start|\bwaking(?: up)?\b|\bscal(?:ed|ing) (?:to|from) zero|"
    r"\b(?:asleep|sleeping)\b|\bspinning up\b|\bnot (?:yet )?ready\b|加载中|wird (?:noch |gerade )?geladen|"
    r"\b(?:weights|model|checkpoint)s? (?:(?:is|are|still|being) )+(?:fetch|download|load|pull)(?:ed|ing)"
)
_OVERLOAD = (
    r"\boverloaded\b(?! or there)|\b(?:at|over|out of) capacity|server (?:is )?(?:too )?busy|"
    r"(?:currently|temporarily) (?:unavailable|overloaded)|capacity .{0,20}exceeded|queue is full|"
    r"\bno (?:\w{1,20} ){0,2}(?:capacity|slots?)\b|\bhigh (?:traffic|demand|load)\b|\bqueue_exceeded\b|"
    r"\b(?:wait\w*|time ?d? ?out)\b.{0,40}\b(?:queue|slot)|\bqueue\b.{0,20}\b(?:time ?d? ?out|exceeded|limit)"
)
#: A model that the server has and cannot load, which waiting does not change.
_LOAD_FAILED = re.compile(
    r"\b(?:fail(?:ed|ure|s)?|error|could ?n[o']t|cannot|can't|unable)(?: to| in| while| when)? load(?:ing)?\b "
    r"(?:the |this |your )?(?:\S{1,80} )?(?:model|weights|checkpoint)s?\b|"
    r"\bmodel\b.{0,80}\b(?:requires more (?:\w{1,20} )?memory|failed to load|could not be loaded)|"
    r"\brunner (?:process )?(?:has )?(?:terminated|crashed|exited)",
    re.IGNORECASE,
)
#: A gateway that has no credentials of its own for a provider (CLIProxyAPI, LiteLLM, free-claude-code).
_NO_OWN_KEY = re.compile(
    r"\bno (?:auth|accounts?|credentials?) (?:is |are )?available|"
    r"\bno available (?:auth|accounts?|credentials?|keys?|tokens?)\b|"
    r"\bno (?:api )?keys? (?:found|available|configured) for\b|"
    r"\b(?:configure|set|export|provide|define) (?:the )?(?-i:[A-Z][A-Z0-9]*_[A-Z0-9_]*(?:KEY|TOKEN)\b)|"
    r"(?-i:\b[A-Z][A-Z0-9]*_[A-Z0-9_]*(?:KEY|TOKEN)\b)"
    r".{0,60}\b(?:not set|missing|unset|not configured|not found|environment)|"
    r"\bapi_key client option must be set",
    re.IGNORECASE,
)
#: A service for certain clients or networks (Kimi For Coding, sub2api); what is said of a model is about its rights.
_ONLY_FOR = re.compile(
    r"\bonly (?:\w+ )?(?:available|accessible|allowed|permitted|open) (?:for|to|from|via|through|within)\b|"
    r"\bonly (?:allow|accept|permit|serve|support)s? (?:\S{1,40} ){1,4}(?:client|app|application|agent|network)s?\b",
    re.IGNORECASE,
)
#: A request that lacks something, which no waiting adds.
_LACKS = re.compile(
    r"\brequest (?:is missing|lacks|requires)\b|\bmissing (?:the )?(?:required )?(?:\S{1,60} )?header", re.IGNORECASE
)
#: Words of a 429 that is about the client's own share, and not about a server that is busy with others.
_OF_CLIENT = re.compile(
    r"rate[ _-]?limit|\b(?:requests?|tokens?) per |\bquota\b|\b[rt]p[mds]\b|too many (?:\w+ )?requests|cool-?down|"
    r"no deployments",
    re.IGNORECASE,
)
_RATE = (
    r"rate[ _-]?limit(?:ed|s)?\b|too many (?:concurrent )?requests|requests per (?:second|minute|hour|day)|throttled|"
    r"(?:try again|retry) (?:after|later)|请求过多|稍后重试"
)
_UPSTREAM = (
    r"\bupstream\b|bad gateway|gateway time-?out|provider returned error|"
    r"(?:cannot|can't|could not|couldn't|failed to|unable to) (?:connect|reach)|"
    r"connection (?:error|refused|reset|aborted|timed out|closed)|apiconnectionerror|server disconnected|"
    r"dial tcp|no route to host|name or service not known|name resolution|getaddrinfo|"
    r"\be(?:connrefused|connreset|timedout|notfound|ai_again)\b|i/o timeout|context deadline exceeded|"
    r"\bfetch failed|socket hang up|connection attempts failed|max retries exceeded with url|"
    r"https?://\S{1,300} (?:unexpected )?eof\b|"
    r"\b(?:read|connect)(?: operation)? timed out|certificate verify failed|no (?:available |healthy )*workers?\b|"
    r"\bstatus(?:[ _]?code)?\W{1,3}(?:401|403|429|5\d\d)\b|"
    r"backend fetch failed|no available server|no server is available to handle|no healthy (?:upstream|backend|host)|"
    r"\b(?:endpoint|deployment|instance|service) (?:is |has been |was )?(?:currently )?(?:paused|stopped|suspended)\b|"
    r"backend (?:server )?(?:is )?(?:down|unavailable|unreachable|not (?:available|reachable|responding))"
)
#: An error of a provider that a gateway passes on with its kind (LiteLLM: "SagemakerException - ...").
_QUOTED = re.compile(r"\b[A-Z]\w{1,40}(?:Exception|Error) - ")
#: A 400 of a filter that judges what was written (Azure OpenAI, LiteLLM, Portkey).
_FILTERED = re.compile(
    r"content[_ -]filter|content (?:management )?policy|guardrail|safety policy|"
    r"\b(?:prompt|request|content|message|response|input)\b.{0,40}\bblocked by\b",
    re.IGNORECASE,
)
#: A 400 or a 500 in place of 413: the size of the body, and not that of the prompt in tokens.
_TOO_LARGE = re.compile(
    r"\b(?:body|payload|entity|content|request)(?: (?:size|length))?\b.{0,30}"
    r"(?:too (?:large|big|long)|exceed|larger than|bigger than|over the limit)|"
    r"(?:exceed|larger than|bigger than|too large|max(?:imum)?(?: allowed)?)\b.{0,30}"
    r"\b(?:body|payload|entity|content|request) (?:size|length)",
    re.IGNORECASE,
)
_OF_PROMPT = re.compile(r"token|context|prompt|message|conversation", re.IGNORECASE)
#: Words by which a 500, or an error object under a 2xx status, names its obstacle; the first that fits counts.
_BY_WORDS = (
    (re.compile(_LOADING, re.IGNORECASE), Obstacle.LOADING),
    (re.compile(_UPSTREAM, re.IGNORECASE), Obstacle.UPSTREAM),
    (re.compile(_OVERLOAD, re.IGNORECASE), Obstacle.OVERLOAD),
    (re.compile(_RATE, re.IGNORECASE), Obstacle.RATE),
    (re.compile(r"timed out waiting", re.IGNORECASE), Obstacle.UPSTREAM),
)
#: Refusals of whole answers by models that only stream (DashScope: qwq, qwen3 while it thinks).
_STREAM_ONLY = re.compile(
    r"\bonly (?:\w{1,30} ){0,4}stream|\bnon-?stream\w{0,10}\b.{0,50}\bnot (?:support|allow|available)|"
    r"\b(?:must|set|enable|use|require)\w{0,10} (?:the )?['\"`]?stream|\bstream\w{0,10} (?:mode )?(?:is )?required|"
    r"\bfor non-?stream\w{0,10} (?:calls|requests)",
    re.IGNORECASE,
)
#: Codes of wrappers that report success: ``{"code": 0, "message": "success", "data": ...}``.
_SUCCESS = frozenset(("", "0", "200", "ok", "success", "none", "false"))


def body_of(exchange: Exchange) -> Any:
    """The response's JSON value, or None."""
    return exchange.response.json if exchange.response else None


def error_text(exchange: Exchange) -> str:
    """The error message of a response, from any of the known shapes.

    Object, string, list and boolean ``error``; flat ``message``; FastAPI's ``detail``;
    problem+json's ``title``; Google's one-element array; else the text itself.
    """
    if exchange.response is None:
        return exchange.error.message if exchange.error else ""
    found = error_in(body_of(exchange))
    return found or exchange.response.text.strip()[:2000]


_TEXT_MEMBERS = (
    *("error", "errors", "fault", "detail", "message", "msg", "faultstring", "title"),
    *("error_msg", "error_message", "errorMessage", "base_resp", "status_msg"),
)


def error_in(body: Any, depth: int = 0) -> str:
    """The message of an error in a JSON value, or an empty text."""
    if depth > 4:
        return ""
    if isinstance(body, list):
        return "; ".join(filter(None, (error_in(item, depth + 1) for item in body[:5])))
    if isinstance(body, str):
        return body if depth else ""
    if not isinstance(body, dict):
        return ""
    for key in _TEXT_MEMBERS:
        value = body.get(key)
        if isinstance(value, str) and value.strip():
            if key == "error" and isinstance(body.get("message"), str):
                return f"{value}: {body['message']}"
            return value
        if isinstance(value, dict | list) and value:
            found = error_in(value, depth + 1)
            whole = body.get("message")  # a gateway's words around those of the error
            if found and isinstance(whole, str) and found in whole:
                return whole
            if found:
                where = value[0].get("loc") if isinstance(value, list) and isinstance(value[0], dict) else None
                return f"{found} ({'.'.join(map(str, where))})" if isinstance(where, list) else found
    return ""


def has_error_body(exchange: Exchange) -> bool:
    """Whether the JSON body is an error, whatever the status.

    Also with ``choices`` null or empty, and in the flat form with ``code`` and ``message``.
    """
    body = body_of(exchange)
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, dict) or body.get("choices"):
        return False
    if any(body.get(name) for name in ("error", "errors", "error_code", "error_msg", "errorMessage")):
        return True
    if body.get("object") == "error" or body.get("success") is False or member(body, "base_resp", "status_code"):
        return True
    if "choices" in body:
        return _is_flat(body)
    return ("detail" in body and len(body) <= 2) or _is_flat(body)


def _is_flat(body: dict[str, Any]) -> bool:
    """``{"code": 429, "message": "..."}``, but not a wrapper that reports success."""
    code, text = body.get("code"), body.get("message", body.get("msg"))
    if not isinstance(code, int | str) or not isinstance(text, str) or body.get("data"):
        return False
    return str(code).strip().lower() not in _SUCCESS


def _pretends_success(exchange: Exchange) -> bool:
    """Whether a short body is an error; no error is so long that reading it would take time."""
    return exchange.response is not None and len(exchange.response.content) <= SMALL and has_error_body(exchange)


def is_html(exchange: Exchange) -> bool:
    """Whether the response is a web page."""
    response = exchange.response
    if response is None:
        return False
    start = response.content[:300].lstrip().lower()
    return response.media_type in ("text/html", "application/xhtml+xml") or start.startswith(
        (b"<!doctype html", b"<html")
    )


_HEADING = re.compile(rb"<(title|h1|h2)\b[^>]{0,200}>(.{0,300}?)</\1\s*>", re.IGNORECASE | re.DOTALL)
_BLOCKED = re.compile(
    r"access (?:to .{0,40})?(?:(?:is|was|has been) )?(?:denied|blocked|restricted)|"
    r"\b(?:request|page|site|website|url|content)\b.{0,20}\b(?:blocked|rejected|denied|unsuccessful|forbidden)|"
    r"you (?:have been|are|were) blocked|human verification|(?:verify|confirm) (?:that )?you(?:'re| are) (?:a )?human|"
    r"zugriff (?:verweigert|gesperrt|blockiert)|seite (?:gesperrt|blockiert)|accès (?:refusé|bloqué)|acceso denegado|"
    r"访问(?:被拒绝|被阻断|受限)|禁止访问",
    re.IGNORECASE,
)
#: Headings of tests for browsers (Vercel, Cloudflare, Anubis).
_CHALLENGE = re.compile(
    r"security checkpoint|(?:verif|check)ing (?:if )?(?:you|your browser)\b|just a moment|you(?:'re| are) not a bot",
    re.IGNORECASE,
)
#: Parts of the pages of bot and attack filters, which have no such heading.
_FILTER = re.compile(
    rb"_incapsula_resource|_cf_chl_opt|awswafcaptcha|captcha-delivery\.com|mod_security|"
    rb"requested url was rejected\. please consult|(?:has been|was|is) blocked (?:by|in accordance|due to|because)",
    re.IGNORECASE,
)
#: Where filters of networks send a reader whose request they block.
_BLOCK_PLACE = re.compile(r"//block(?:ed|page)?\.|/block(?:ed|[_-]?page)?(?:[/?.]|$)", re.IGNORECASE)


def is_block_page(exchange: Exchange) -> bool:
    """Whether the answer is the block page or the test for humans of a filter, or leads to one, under any status."""
    response = exchange.response
    if response is None:
        return False
    if 300 <= response.status < 400:
        return bool(_BLOCK_PLACE.search((response.header("location") or "")[:500]))
    filters = (response.header(name) for name in ("cf-mitigated", "x-vercel-mitigated", "x-amzn-waf-action"))
    if any(filters):
        return True
    if not is_html(exchange):
        return False
    page = response.content[:SMALL]
    headings = [found[2].decode("utf-8", "replace") for found in _HEADING.finditer(page)]
    if any(_CHALLENGE.search(heading) for heading in headings):
        return True
    if response.status in (401, 407, 413, 429):  # these say themselves what they are about
        return False
    return bool(_FILTER.search(page)) or any(_BLOCKED.search(heading) for heading in headings)


def page_heading(exchange: Exchange) -> str:
    """The title or first heading of a web page, or an empty text."""
    found = _HEADING.search(exchange.response.content[:SMALL]) if exchange.response and is_html(exchange) else None
    return found[2].decode("utf-8", "replace").strip() if found else ""


def speaks_of(exchange: Exchange, *words: str) -> bool:
    """Whether the error text or its ``param`` names one of the words, case ignored."""
    text = error_text(exchange)
    parameter = text_at(body_of(exchange), "error", "param")
    haystack = f"{text} {parameter}".lower()
    return any(word.lower() in haystack for word in words)


def obstacle(exchange: Exchange) -> Obstacle:
    """What an answer is about if it is not about the requested feature.

    The page of a filter decides, then the status, and the text if it is more exact: a 503 about a loading
    model, a 429 about an empty account.  A 500 counts if it names an upstream server, a limit or a loading model; a 400
    if a filter of contents gave it; a 2xx status if its body is such an error or a chat completion without a choice.
    Of streams only those are read that hold an error and nothing else.
    """
    exchange = _error_of_stream(exchange)
    status = exchange.status
    if status is None or exchange.response is None:
        return Obstacle.NONE
    if is_block_page(exchange):
        return Obstacle.ACCESS
    if is_quota(exchange):
        return Obstacle.PAYMENT
    found = _BY_STATUS.get(status, Obstacle.NONE)
    said = error_text(exchange)[:2000] if status in (400, 404, 424) or status >= 500 else ""
    if status >= 500 and (only_for_others(said) or (found is Obstacle.OVERLOAD and _LACKS.search(said))):
        return Obstacle.ACCESS
    if _NO_OWN_KEY.search(said):
        return Obstacle.UPSTREAM
    if found is Obstacle.RATE and _is_busy(exchange):
        return Obstacle.OVERLOAD
    if found is Obstacle.SIZE and _by_code(exchange) is Obstacle.RATE:  # more tokens than a minute has (Groq)
        return Obstacle.RATE
    if found is Obstacle.OVERLOAD:
        named = _by_words(exchange) or (Obstacle.UPSTREAM if _QUOTED.search(said) else found)
        return named if named in (Obstacle.LOADING, Obstacle.UPSTREAM) else found
    if status in (400, 500) and _TOO_LARGE.search(text := error_text(exchange)[:2000]) and not _OF_PROMPT.search(text):
        return Obstacle.SIZE
    if status == 500:
        return _by_words(exchange)
    if wants_stream(exchange):
        return Obstacle.STREAM
    if status == 400:
        said = " ".join((error_text(exchange)[:2000], *_codes(body_of(exchange))))
        return Obstacle.ACCESS if _FILTERED.search(said) else Obstacle.NONE
    if found or not 200 <= status < 300 or len(exchange.response.content) > SMALL:
        return found
    if has_error_body(exchange):
        return _by_code(exchange) or _by_words(exchange)
    body = body_of(exchange)
    # A gateway whose backend failed sends the envelope without an answer in it (LiteLLM, OpenRouter).
    return Obstacle.UPSTREAM if isinstance(body, dict) and "choices" in body and not body["choices"] else Obstacle.NONE


def wants_stream(exchange: Exchange) -> bool:
    """Whether the endpoint only streams: a request for a whole answer was refused, or got an empty stream."""
    asked, response = exchange.request.body, exchange.response
    if response is None or not isinstance(asked, dict) or "messages" not in asked or asked.get("stream"):
        return False
    if response.status == 200:  # TabbyML/tabby issue 2807
        return response.media_type == "text/event-stream" and not response.content.strip()
    return exchange.status in (400, 422) and bool(_STREAM_ONLY.search(error_text(exchange)[:2000]))


def _error_of_stream(exchange: Exchange) -> Exchange:
    """The exchange with the error as its body where a stream under a 2xx status holds nothing else."""
    response = exchange.response
    if response is None or response.media_type != "text/event-stream" or len(response.content) > 4000:
        return exchange
    events = [line[5:].strip() for line in response.content.splitlines() if line.startswith(b"data:")]
    events = [data for data in events if data != b"[DONE]"]
    if len(events) != 1 or b'"error"' not in events[0]:
        return exchange
    whole = replace(response, headers=(("content-type", "application/json"),), content=events[0])
    return replace(exchange, response=whole)


def _by_code(exchange: Exchange) -> Obstacle:
    for code in _codes(body_of(exchange)):
        found = _BY_STATUS.get(int(code)) if code.isascii() and code.isdigit() else _BY_CODE.get(code)
        if found is Obstacle.OVERLOAD and _by_words(exchange) is Obstacle.LOADING:
            return Obstacle.LOADING
        if found:
            return found
    return Obstacle.NONE


def _by_words(exchange: Exchange) -> Obstacle:
    text = error_text(exchange)[:2000]
    found = next((found for pattern, found in _BY_WORDS if pattern.search(text)), Obstacle.NONE)
    return Obstacle.NONE if found is Obstacle.LOADING and load_failed(exchange) else found


def _is_busy(exchange: Exchange) -> bool:
    """Whether a 429 speaks of a full queue or a busy server, and of no limit of this client (TGI, Cerebras)."""
    text = " ".join((error_text(exchange)[:2000], *_codes(body_of(exchange))))
    return not is_html(exchange) and bool(re.search(_OVERLOAD, text, re.IGNORECASE)) and not _OF_CLIENT.search(text)


def lacks_own_key(exchange: Exchange) -> bool:
    """Whether a gateway says that it has no key, or no account, of its own for the provider behind it."""
    return bool(_NO_OWN_KEY.search(error_text(exchange)[:2000]))


def only_for_others(text: str) -> bool:
    """Whether an error says that a service is for certain clients or networks."""
    return bool(_ONLY_FOR.search(text)) and "model" not in text.lower()


def load_failed(exchange: Exchange) -> bool:
    """Whether an error says that the model could not be loaded (LocalAI, LM Studio, Ollama)."""
    return (exchange.status or 0) >= 400 and bool(_LOAD_FAILED.search(error_text(exchange)[:2000]))


def _codes(body: Any) -> list[str]:
    """The codes and types that an error object gives, in lower case."""
    body = body[0] if isinstance(body, list) and body else body
    places = (("error", "code"), ("error", "status"), ("error", "type"), ("code",), ("type",), ("status",))
    values = (member(body, *place) for place in places)
    return [str(value)[:60].strip().lower() for value in values if isinstance(value, int | str)]


def is_throttled(exchange: Exchange) -> bool:
    """Whether the endpoint says "not now": a rate limit, overload or a loading model, whatever the status."""
    not_now = obstacle(exchange) in (Obstacle.RATE, Obstacle.OVERLOAD, Obstacle.LOADING)
    return not_now or (exchange.status == 429 and not is_block_page(exchange))


def waiting_helps(exchange: Exchange) -> bool:
    """Whether the same request may be answered a little later."""
    return is_throttled(exchange) and exchange.status != 413 and not is_quota(exchange) and not has_no_model(exchange)


def has_no_model(exchange: Exchange) -> bool:
    """Whether an error says that no backend serves the model, or none can load it, which waiting does not change."""
    if exchange.status != 503 or load_failed(exchange):
        return load_failed(exchange)
    code = member(body_of(exchange), "error", "code")
    return code == "model_not_found" or bool(_NO_CHANNEL.search(error_text(exchange)[:2000]))


#: one-api, new-api.
_NO_CHANNEL = re.compile(r"no available channel|无可用渠道", re.IGNORECASE)
_QUOTA_CODE = re.compile(r"insufficient_(?:user_)?quota|billing|budget_exceeded|credit|arrear")
_QUOTA_TEXT = re.compile(
    r"exceeded your current quota|(?:insufficient|not enough) (?:\w+ )?(?:quota|balance|credit|funds)|"
    r"\b(?:balance|credits?|funds) (?:is |are )?(?:insufficient|not (?:enough|sufficient)|too low|used up)|"
    r"out of (?:\w+ ){0,2}(?:credits|quota)|credit balance is too low|key limit exceeded|budget (?:has been )?exceeded|"
    r"(?:spend(?:ing)?|usage) limit (?:reached|exceeded)|(?:free tier|quota|credits)\b.{0,40}\bexhausted|"
    r"(?:doesn't|does not|don't) have (?:any |enough )?(?:credits|balance)|arrear|余额不足|额度(?:不足|已用尽)|欠费|"
    r"\bpayment\b.{0,30}\b(?:past due|overdue|failed|declined|required)|"
    r"\b(?:unpaid|overdue) (?:account|invoice|bill|balance|payment)|"
    r"exceeded ?(?:token ?)?budget|max budget\b|"
    r"(?:reached|exceeded) (?:the|your) (?:set |free |monthly |daily )*(?:inference|spending|credit|usage) limit",
    re.IGNORECASE,
)


def is_quota(exchange: Exchange) -> bool:
    """Whether a refusal is about credit or quota used up, which waiting does not change."""
    status = exchange.status
    if status == 402:
        return True
    if status not in (200, 400, 401, 403, 429):
        return False
    if status == 200 and not _pretends_success(exchange):
        return False
    codes = _codes(body_of(exchange))
    if (status == 200 and "402" in codes) or _QUOTA_CODE.search(" ".join(codes)):
        return True
    if is_html(exchange):
        return False
    text = error_text(exchange)[:2000]
    if _QUOTA_TEXT.search(text):
        return True
    return (status == 429 or "429" in codes) and "billing" in text.lower()


def retry_after(exchange: Exchange) -> float | None:
    """The seconds that Retry-After names (RFC 9110, 10.2.3), or None."""
    value = exchange.response.header("retry-after") if exchange.response else None
    if not value:
        return None
    try:
        return min(max(0.0, float(value)), 3600.0)
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
