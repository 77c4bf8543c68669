"""What a reply to a chat request says about its URL, its key and its model.

Pure.  A route is judged from the body as much as from the status: servers answer an
unknown path with 404, 405, 401 (llama.cpp, vLLM: key before route), 200 with an error
object (LM Studio) or 200 with a web page (one-api, nginx with a single-page fallback).
"""

from __future__ import annotations

import re
from enum import StrEnum

from probe.api import Exchange, Obstacle, completion, member

#: Asked for where no model is known; servers with one model take any name.
ANY_MODEL = "default"


class Reply(StrEnum):
    """The classes of reply that lead to different next steps."""

    CHAT = "a chat completion"
    STREAM = "an event stream"
    KEY = "a refusal of the key"
    MODEL = "a refusal of the model id"
    PARAMETER = "a refusal of a parameter"
    ROUTE = "an error of the chat operation"
    BUSY = "not now"
    REDIRECT = "a redirect"
    PAGE = "a web page"
    ODD = "success without a chat completion"
    NONE = "no such path"
    BROKEN = "a server error"
    LOST = "no response"


_KEY_WORDS = re.compile(
    r"api[ _-]?key|unauthori[sz]ed|authenticat|authori[sz]ation|credential|access denied|"
    r"invalid (?:\w+ )?(?:token|key)|missing (?:\w+ )?(?:token|key)|bearer|令牌|no_db_connection|token_not_found|"
    r"subscription key|permission",
    re.IGNORECASE,
)
_MODEL_GONE = re.compile(
    r"not found|does not exist|doesn't exist|not exist|unknown|invalid|not a valid|unsupported|no such|"
    r"unable to access|"
    r"not available|unavailable|not supported|could not find|cannot find|no available channel|无可用渠道|no matching|"
    r"not loaded|no models loaded|please (?:load|specify)|required|missing|pinned|not allowed|deploymentnotfound",
    re.IGNORECASE,
)
_KEY_REFUSED = re.compile(
    r"(?:incorrect|invalid|missing|wrong|no|unknown|expired|provide an?) (?:\w+ )?"
    r"(?:api[ _-]?key|access token|auth token|credentials?)|"
    r"api[ _-]?key (?:is )?(?:not valid|invalid|missing|required|expired)|unauthori[sz]ed|"
    r"authentication (?:error|failed|fails|required)|not authenticated|no_db_connection|no connected db|"
    r"authentication_error|invalid_api_key|auth_error|令牌",
    re.IGNORECASE,
)
#: GET /models/{id} servers take the rest of a wrong path for a model id.
_PATH_AS_MODEL = re.compile(r"model\W{1,4}(?:\w+/)?chat/completions", re.IGNORECASE)
_MODEL_CODE = re.compile(r"model[_ ]not[_ ](?:found|available|exist)|(?:invalid|unknown)[_ ]model", re.IGNORECASE)
_PATH_WORDS = re.compile(
    r"unknown (?:request )?url|invalid url|path not found|unexpected endpoint|no route|cannot (?:post|get)|"
    r"file not found|unsupported path|could not route|page not found|unknown_url|resource not found|check the url",
    re.IGNORECASE,
)


def classify(exchange: Exchange, model: str | None = None) -> Reply:
    """The class of a reply to a chat request that asked for ``model``."""
    response = exchange.response
    if response is None:
        return Reply.LOST
    status = response.status
    if 200 <= status < 300:
        return _success(exchange, model)
    if 300 <= status < 400:
        return Reply.REDIRECT
    said = _said(exchange)
    if completion.is_quota(exchange):  # credit used up: the key is known, and says nothing of URL or model
        return Reply.BUSY
    if completion.is_throttled(exchange):
        return Reply.MODEL if model and _about_model(said, model) and not _loading(said) else Reply.BUSY
    if status in (401, 407):
        return Reply.KEY
    if status == 403 and not completion.is_html(exchange) and not _about_model(said, model):
        # An API that says 403 in JSON means the caller; an empty or plain 403 may mean the Host or the address.
        spoken = isinstance(response.json, dict | list) or _KEY_WORDS.search(said)
        return Reply.KEY if spoken and not _PATH_WORDS.search(said) else Reply.NONE
    if completion.is_html(exchange):
        return Reply.BROKEN if status >= 500 else Reply.NONE
    if status in (405, 501):
        return Reply.NONE
    if status in (404, 410):
        of_path = _PATH_WORDS.search(said) or _PATH_AS_MODEL.search(said)
        of_model = _names(said, model) or _about_model(said, model)
        return Reply.MODEL if of_model and not of_path else Reply.NONE
    if _PATH_WORDS.search(said) and not _about_model(said, model):
        return Reply.NONE
    if status in (400, 403, 422, 500) and _speaks_of_key(said):
        return Reply.KEY
    if status >= 500:
        of_gateway = status > 500 and completion.obstacle(exchange) is Obstacle.UPSTREAM
        return Reply.BROKEN if of_gateway or response.json is None else Reply.ROUTE
    return Reply.MODEL if _about_model(said, model) else Reply.ROUTE


def _success(exchange: Exchange, model: str | None) -> Reply:
    if completion.is_completion(exchange):
        return Reply.CHAT
    if completion.is_html(exchange):
        return Reply.PAGE
    if completion.is_stream(exchange) and completion.read_stream(exchange).chunks:
        return Reply.STREAM
    if completion.has_error_body(exchange):
        said = _said(exchange)
        obstacle = completion.obstacle(exchange)
        if obstacle is Obstacle.ACCESS or _speaks_of_key(said):
            return Reply.KEY
        if obstacle is Obstacle.PAYMENT or completion.is_throttled(exchange):
            return Reply.BUSY
        if (_names(said, model) or _MODEL_CODE.search(said)) and not _PATH_WORDS.search(said):
            return Reply.MODEL
    return Reply.ODD


def _said(exchange: Exchange) -> str:
    """The error text with its codes, which often say more than the text."""
    body = completion.body_of(exchange)
    body = body[0] if isinstance(body, list) and body else body
    codes = [
        member(body, *path)
        for path in (
            ("error", "code"),
            ("error", "type"),
            ("error", "param"),
            ("code",),
            ("type",),
            ("error_code",),
        )
    ]
    return " ".join([completion.error_text(exchange)[:1500], *(str(code) for code in codes if code)])


def _speaks_of_key(said: str) -> bool:
    """A refused key that was not given status 401.

    Only what can be about nothing else: a 400 for a body may well mention "tokens".
    """
    return bool(_KEY_REFUSED.search(said))


def _about_model(said: str, model: str | None) -> bool:
    said = re.sub(r"(?<!\w)/[\w./-]+", " ", said)  # a quoted path may hold /models
    low = said.lower()
    if re.search(r"snapshot folder|repo(?:sitory)?[ _]id|hugging ?face", low):  # loaders that take the id for a path
        return True
    if _MODEL_CODE.search(said):
        return True
    if "model" not in low and "模型" not in said and "deployment" not in low:
        return _names(said, model) and bool(_MODEL_GONE.search(said))
    return bool(_MODEL_GONE.search(said)) and not re.search(r"max_tokens|temperature|parameter", low)


def _names(said: str, model: str | None) -> bool:
    """Whether an error names the model id that was asked for; only one who read the request can.

    Not one of a few letters, and not our placeholder: ingress-nginx answers any unknown path "default backend - 404".
    """
    return bool(model and len(model) > 3 and model != ANY_MODEL and model.lower() in said.lower())


def _loading(said: str) -> bool:
    return bool(re.search(r"loading|starting|warming|overload|capacity|try again|rate", said, re.IGNORECASE))


def exists(reply: Reply) -> bool:
    """Whether this reply shows that the chat operation is at this URL."""
    return reply in (Reply.CHAT, Reply.STREAM, Reply.MODEL, Reply.PARAMETER, Reply.ROUTE)


def refused_parameter(exchange: Exchange, sent: dict[str, object]) -> str | None:
    """The optional parameter of ours that a 400 or 422 names, or None.

    ``max_tokens`` is only blamed where the text does not complain about its size.
    """
    if exchange.status not in (400, 422):
        return None
    said = _said(exchange).lower()
    for name in ("max_tokens", "max_completion_tokens", "temperature"):
        if name in sent and re.search(rf"\b{name}\b", said):
            return name
    return None
