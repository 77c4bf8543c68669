"""Classes of reply to a chat request: what each says about the URL, the key and the model.  Pure.

The body counts as much as the status: servers answer an unknown path with 404, 405, 401 (llama.cpp and vLLM check the
key before the route), 200 with an error object (LM Studio) or 200 with a web page (one-api, nginx with a single-page
fallback).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum

from checks.shared.outcome import error_with_codes
from probe.api import Exchange, Obstacle, completion

#: The model id to send where none is known; servers with one model accept any name.
ANY_MODEL = "default"


class Reply(StrEnum):
    """The classes of reply, by the next step they lead to."""

    CHAT = "a chat completion"
    STREAM = "an event stream"
    KEY = "the key was refused"
    DENIED = "an access rule refused the request"
    MODEL = "the model id was refused"
    PARAMETER = "a parameter was refused"
    ROUTE = "an error of the chat operation"
    BUSY = "throttled or out of credit"
    REDIRECT = "a redirect"
    PAGE = "a web page"
    NEAR = "a chat completion that clients cannot read"
    ODD = "success without a chat completion"
    NONE = "no chat operation at this path"
    BROKEN = "a server error"
    UPSTREAM = "an error of the server behind a gateway"
    LOST = "no response"


#: Replies that do not show whether the header that carried the key was right.
SAYS_NOTHING_OF_KEY = frozenset({Reply.KEY, Reply.DENIED, Reply.BROKEN, Reply.LOST, Reply.BUSY})

_KEY_WORDS = re.compile(
    r"api[ _-]?key|unauthori[sz]ed|authenticat|authori[sz]ation|credential|access denied|"
    r"invalid (?:\w+ )?(?:token|key)|missing (?:\w+ )?(?:token|key)|bearer|令牌|密钥|no_db_connection|token_not_found|"
    r"subscription key|permission|\bjwt\b|\btoken (?:(?:is|has|was|been) ){0,2}(?:expired|revoked|missing|invalid)",
    re.IGNORECASE,
)
#: Words that gateways write in their own refusals, whatever was sent.
_DENIAL = re.compile(r"access (?:is )?denied|(?:don't|do not) have permission|permission[ _]denied", re.IGNORECASE)
_MODEL_GONE = re.compile(
    r"not found|does not exist|doesn't exist|not exist|unknown|invalid|not (?:a )?valid|unsupported|no such|no model\b|"
    r"unable to access|not recogni[sz]ed|unrecogni[sz]ed|decommissioned|no longer|retired|not served|"
    r"not available|unavailable|(?:not|n't) supported|could not find|cannot find|no available channel|no matching|"
    r"not loaded|no models loaded|disabled|please (?:load|specify)|required|missing|pinned|not allowed|allowed now|"
    r"no deployments?|not provided|must provide|not support (?:the )?chat|"
    r"deploymentnotfound|no (?:allowed )?providers|无可用渠道|不存在|未找到|不支持|无权|"
    r"nicht (?:gefunden|verfügbar)|unbekannt",
    re.IGNORECASE,
)
_KEY_REFUSED = re.compile(
    r"(?:incorrect|invalid|missing|wrong|no|unknown|expired|provide an?) (?:\w+ )?"
    r"(?:api[ _-]?key|access token|auth token|credentials?)|"
    r"api[ _-]?key (?:is )?(?:not valid|invalid|missing|required|expired)|unauthori[sz]ed|"
    r"(?:missing|no) (?:the )?(?:authorization|bearer)\b|authorization header (?:is |was )?(?:missing|required|not )|"
    r"authentication (?:error|failed|fails|required)|not authenticated|no_db_connection|no connected db|"
    r"authentication_error|invalid_api_key|auth_error|\blogin fail|令牌|\(header\.[\w-]*(?:authorization|key|token)\)|"
    r"\b(?:key|token) (?:format )?(?:(?:is|has|was|been) ){0,2}(?:expired|revoked|disabled|deactivated|invalid)",
    re.IGNORECASE,
)
#: A key that is known, and whose account is closed or limited (OpenAI, Groq).
_ACCOUNT = re.compile(
    r"\b(?:account|organi[sz]ation|workspace) (?:(?:is|has|was|been) ){0,2}"
    r"(?:deactivated|suspended|disabled|banned|terminated|restricted|not active)",
    re.IGNORECASE,
)
#: Rules of a firewall, an allow list or a policy on regions or contents, which no key changes.
_RULE = re.compile(
    r"\bips?\b.{0,40}(?:allow|white ?list|block|den(?:y|ied)|not (?:permitted|match|authori[sz]ed)|不在|限制)|"
    r"\bip_(?:not_)?\w*(?:authori[sz]ed|denied|allow)|\bipdenied|(?:allow|white|block|deny|black)[ -]?list|firewall|"
    r"(?:country|region|territor(?:y|ies)|location)\b.{0,60}\b"
    r"(?:not (?:supported|allowed|available|on)|restricted|blocked)|"
    r"\b(?:was|been|is|request) blocked\b|guardrail|content (?:management )?(?:policy|filter)|content_filter|"
    r"unsupported_country|user[ -]agent|public (?:network )?access is disabled|explicit deny",
    re.IGNORECASE,
)
#: Servers and tunnels that say of themselves, under a status of the client's, that they are switched off.
_OUT_OF_SERVICE = re.compile(
    r"\btunnel\b.{0,40}\b(?:not found|unavailable|offline)|\bis offline\b|err_ngrok_(?:3\d{3}|8012)|"
    r"\b(?:endpoint|deployment|instance|space|service|site|app) (?:is |has been |was )?(?:currently )?"
    r"(?:paused|stopped|sleeping|suspended|scaled to zero)|no available workers?|\bserver error \(\d+\) from|"
    r"\bno healthy (?:deployment|instance|server|backend|upstream|replica|node|endpoint|target|provider)s?\b|"
    r"\bapp(?:lication)? not found\b|\bno such app\b|network error due to high traffic",
    re.IGNORECASE,
)
#: The errors of object stores (Amazon S3, Google Cloud Storage, Azure Blob, MinIO), which hold files and no API.
_OF_STORE = re.compile(rb"<Error>\s*<Code>\w+</Code>")
#: Refusals of the HTTP of a request, and not of its path: length, type, host, version, headers.
_OF_HTTP = (411, 415, 417, 421, 426, 431, 494, 505)
#: Servers with GET /models/{id} read the rest of a wrong path as a model id.
_PATH_AS_MODEL = re.compile(r"model\W{1,4}(?:\w+/)?chat/completions", re.IGNORECASE)
_MODEL_CODE = re.compile(
    r"model[_ ]not[_ ](?:found|available|exist)|(?:invalid|unknown)[_ ]model|no endpoints (?:found|available)",
    re.IGNORECASE,
)
_PATH_WORDS = re.compile(
    r"unknown (?:request )?url|invalid url|path not found|unexpected endpoint|no route|cannot (?:post|get)|"
    r"file not found|unsupported path|could not route|page not found|unknown_url|resource not found|check the url",
    re.IGNORECASE,
)


#: Words of a refusal that concerns an account, a plan or a deployment of a listed model (NVIDIA, Azure, Bedrock).
_NOT_FOR_ACCOUNT = re.compile(
    r"\baccount\b|\borgani[sz]ation\b|\bproject\b|\bsubscription\b|\btenant\b|\bentitle|\bnot enabled\b|"
    r"\bdeployment\b|\bdon't have access\b|\bdo not have access\b|\bno access\b|\bmodel access\b|\bterms\b",
    re.IGNORECASE,
)
#: Texts in which a gateway repeats the error of the server behind it.
_GATEWAY_QUOTES = re.compile(r"litellm\.\w+(?:Error|Exception)|Received Model Group=|\bprovider returned error")
#: Refusals of a model by the rights of a key or a team (LiteLLM), or by a type of error of its own (opencode).
_MODEL_RIGHTS = re.compile(
    r"\bModelError\b|model_access_denied|tried to access|(?i:to (?:access|use) (?:this|the) model|"
    r"(?:access|entitled|authori[sz]ed|permitted|allowed) to (?:use )?(?:this |the )?model|"
    r"\bmodel\b.{0,80}\b(?:plan|tier|terms|approval|subscription)\b)"
)


def classify(exchange: Exchange, model: str | None = None, listed: Collection[str] | None = None) -> Reply:
    """The class of a reply to a chat request that asked for ``model``.

    Args:
        listed: the ids in the endpoint's model list, or None; an error about an account is about a listed model.
    """
    response = exchange.response
    if response is None:
        return Reply.LOST
    status = response.status
    if 200 <= status < 300:
        return Reply.DENIED if completion.is_block_page(exchange) else _success(exchange, model)
    if 300 <= status < 400:
        return Reply.DENIED if completion.is_block_page(exchange) else Reply.REDIRECT
    text = error_with_codes(exchange, 1500)
    if completion.is_block_page(exchange):
        return Reply.DENIED
    if status in (400, 403, 404, 405) and _OF_STORE.search(response.content[:500]):
        return Reply.PAGE
    if completion.is_quota(exchange):  # credit used up: no evidence about the URL or the model
        return Reply.BUSY
    if completion.wants_stream(exchange):
        return Reply.ROUTE
    if completion.load_failed(exchange):
        return Reply.MODEL
    if completion.is_throttled(exchange):
        return Reply.MODEL if model and _about_model(text, model) and not _loading(text) else Reply.BUSY
    if status in (401, 407):
        of_model = _about_model(text, model) and (_MODEL_RIGHTS.search(text) or not _KEY_WORDS.search(text))
        return Reply.MODEL if of_model else Reply.DENIED if _is_rule(text) else Reply.KEY
    if status == 403:
        return _forbidden(exchange, text, model)
    if status == 451 or (status == 406 and not re.search(r"\baccept\b", text, re.IGNORECASE)):
        return Reply.DENIED
    about = completion.obstacle(exchange)
    if about is Obstacle.ACCESS and status >= 500 and _is_rule(text):
        return Reply.DENIED
    if about is Obstacle.UPSTREAM or _OUT_OF_SERVICE.search(text):
        return Reply.UPSTREAM
    if status in _OF_HTTP:
        return Reply.ROUTE
    if completion.is_html(exchange):
        heading = completion.page_heading(exchange)
        if _names(heading, model) and _about_model(heading, model):
            return Reply.MODEL
        return Reply.BROKEN if status >= 500 else Reply.ROUTE if status == 400 else Reply.NONE
    if status in (405, 501):
        return Reply.NONE
    if status in (404, 410):
        of_path = bool(_PATH_WORDS.search(text) or _PATH_AS_MODEL.search(text))
        of_model = _names(text, model) or _about_model(text, model)
        if listed and model in listed and isinstance(response.json, dict | list):
            quotes = bool(_GATEWAY_QUOTES.search(text))
            of_path = of_path and not quotes
            of_model = of_model or quotes or bool(_NOT_FOR_ACCOUNT.search(text))
        return Reply.MODEL if of_model and not of_path else Reply.NONE
    if _PATH_WORDS.search(text) and not _about_model(text, model):
        return Reply.NONE
    if status in (400, 403, 422, 500) and _is_key_error(text):
        return Reply.KEY
    if status >= 500:
        of_model = _MODEL_RIGHTS.search(text) or (_names(text, model) and _about_model(text, model))
        return Reply.MODEL if of_model else Reply.BROKEN if response.json is None else Reply.ROUTE
    if _about_model(text, model) or _MODEL_RIGHTS.search(text):
        return Reply.MODEL
    return Reply.DENIED if _is_rule(text) else Reply.ROUTE


def _forbidden(exchange: Exchange, text: str, model: str | None) -> Reply:
    """The class of a reply with status 403: about the key only if it says so, otherwise a rule of a gateway."""
    is_page = completion.is_html(exchange)
    aws = (exchange.response.header("x-amzn-errortype") or "") if exchange.response else ""
    # Amazon API Gateway answers so to an unknown path; and to a request without a signature, which has no key either.
    if aws.startswith("MissingAuthenticationToken") and any(
        "${API_KEY}" in v for v in exchange.request.headers.values()
    ):
        return Reply.NONE
    if _OUT_OF_SERVICE.search(text):
        return Reply.UPSTREAM
    if not is_page and _is_rule(text) and not _MODEL_RIGHTS.search(text):
        return Reply.DENIED
    if not is_page and (_about_model(text, model) or _MODEL_RIGHTS.search(text)):
        return Reply.MODEL
    if not is_page and _PATH_WORDS.search(text):
        return Reply.NONE
    # A missing permission is one of a key that is known, which the caller tests with an invented key.
    of_key = _is_key_error(text) or ("permission" not in text.lower() and _KEY_WORDS.search(_DENIAL.sub(" ", text)))
    if not is_page and of_key:
        return Reply.KEY
    return Reply.DENIED


def _success(exchange: Exchange, model: str | None) -> Reply:
    if completion.is_completion(exchange):
        return Reply.CHAT
    if completion.is_html(exchange):
        return Reply.PAGE
    if completion.is_stream(exchange) and completion.read_stream(exchange).chunks:
        return Reply.STREAM
    if completion.has_error_body(exchange):
        text = error_with_codes(exchange, 1500)
        obstacle = completion.obstacle(exchange)
        if obstacle is Obstacle.ACCESS or _is_key_error(text):
            return Reply.KEY
        if obstacle is Obstacle.PAYMENT or completion.is_throttled(exchange):
            return Reply.BUSY
        if (_names(text, model) or _MODEL_CODE.search(text)) and not _PATH_WORDS.search(text):
            return Reply.MODEL
    return Reply.UPSTREAM if completion.obstacle(exchange) is Obstacle.UPSTREAM else Reply.ODD


def names_rule(exchange: Exchange) -> bool:
    """Whether a refusal names an address, a region, a list or a firewall as its reason."""
    return _is_rule(error_with_codes(exchange, 1500))


def _is_rule(text: str) -> bool:
    return bool(_RULE.search(text)) or completion.only_for_others(text)


def _is_key_error(text: str) -> bool:
    """Whether a text without status 401 is about the key; strict, since a 400 for a body may mention "tokens"."""
    return bool(_KEY_REFUSED.search(text) or _ACCOUNT.search(text))


def of_account(exchange: Exchange) -> bool:
    """Whether a refusal says that the account of the key is closed or limited."""
    return bool(_ACCOUNT.search(completion.error_text(exchange)[:1500]))


def _about_model(text: str, model: str | None) -> bool:
    # A quoted path may contain /models, and LiteLLM writes to every error from which of its models it is.
    text = re.sub(
        r"(?<!\w)/[\w./-]+|service ?unavailable|\bmodel group(?: fallbacks)?=", " ", text, flags=re.IGNORECASE
    )
    low = text.lower()
    if re.search(r"snapshot folder|repo(?:sitory)?[ _]id|hugging ?face", low):  # loaders that read the id as a path
        return True
    if _MODEL_CODE.search(text):
        return True
    if "model" not in low and "模型" not in text and "deployment" not in low:
        return _names(text, model) and bool(_MODEL_GONE.search(text))
    return bool(_MODEL_GONE.search(text)) and not re.search(r"max_tokens|temperature|parameter", low)


def _names(text: str, model: str | None) -> bool:
    """Whether an error quotes the requested model id, which only a server that read the body can do.

    Short ids and the placeholder do not count: ingress-nginx answers any unknown path "default backend - 404".
    """
    return bool(model and len(model) > 3 and model != ANY_MODEL and model.lower() in text.lower())


def _loading(text: str) -> bool:
    return bool(re.search(r"loading|starting|warming|overload|capacity|try again|rate", text, re.IGNORECASE))


def exists(reply: Reply) -> bool:
    """Whether the reply shows that the chat operation is at this URL."""
    return reply in (Reply.CHAT, Reply.STREAM, Reply.NEAR, Reply.MODEL, Reply.PARAMETER, Reply.ROUTE)


def refused_parameter(exchange: Exchange, sent: dict[str, object]) -> str | None:
    """The optional parameter of the request that an error names, in snake or camel case, or None.

    The status decides nothing: servers answer 400, 422, 500, or 200 with an error, to a value they cannot use.
    """
    if exchange.status is None or completion.is_completion(exchange) or completion.obstacle(exchange):
        return None
    text = error_with_codes(exchange, 1500)
    for name in ("max_tokens", "max_completion_tokens", "temperature"):
        if name in sent and re.search(rf"\b{name.replace('_', '_?')}\b", text, re.IGNORECASE):
            return name
    return None
