"""The search for the base URL that works, in as few requests as possible.

The typed URL is tried first, joined as a simple client joins it.  Only where that fails are others tried, the
likeliest first.  A refusal is examined once: another parameter name, another header for the key, no key.  What the
endpoint then accepts is used for the whole run.  A rule of a gateway, a sign-in page or a redirect to https end the
search, since they do not depend on the path.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from checks.shared import client_headers, refusal
from checks.shared.chat_reply import (
    ANY_MODEL,
    SAYS_NOTHING_OF_KEY,
    Reply,
    classify,
    exists,
    names_rule,
    refused_parameter,
)
from checks.shared.first_request import first_look, models_url
from checks.shared.near_answer import Near, near_answer
from checks.shared.redirects import redirect_base, redirect_goal
from checks.shared.refusal import differs
from probe.api import Auth, Exchange, Throttled, completion, member, urls

if TYPE_CHECKING:
    from probe.api import Context

#: Refusals that may be about a path without a version, where many gateways refuse everything.
_MAY_BE_OF_PATH = (Reply.KEY, Reply.ROUTE, Reply.BROKEN, Reply.DENIED, Reply.UPSTREAM)
#: Replies that no other path would change.
_FINAL = (Reply.KEY, Reply.DENIED, Reply.BUSY, Reply.BROKEN, Reply.UPSTREAM, Reply.LOST)
#: Requests of a search that finds no chat completion.
MAX_REQUESTS = 6
#: The limit of the first answer, in tokens: a code, and a few words around it.
FIRST_LIMIT = 48
#: Base paths of known hosts, tried right after the typed one.
HOST_BASES = {
    "api.groq.com": "/openai/v1",
    "openrouter.ai": "/api/v1",
    "api.fireworks.ai": "/inference/v1",
    "api.deepinfra.com": "/v1/openai",
    "generativelanguage.googleapis.com": "/v1beta/openai",
    **dict.fromkeys(("api.z.ai", "open.bigmodel.cn"), "/api/paas/v4"),
    **dict.fromkeys(("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com"), "/compatible-mode/v1"),
    "ark.cn-beijing.volces.com": "/api/v3",
    "qianfan.baidubce.com": "/v2",
    "api.kimi.com": "/coding/v1",
    **dict.fromkeys(("api.cohere.ai", "api.cohere.com"), "/compatibility/v1"),
}
_PROMPT = "Repeat exactly: {}"
#: The version of Azure OpenAI's API with which a path is tried that is typed without one.
AZURE_VERSION = "api-version=2024-10-21"
#: Base paths of servers with a web interface of their own, by the heading of its page.
SITE_BASES = {"open webui": "/api"}


@dataclass
class Trial:
    """One base path that was tried, and the reply.

    ``url`` is set where a redirect of the operation itself had to be followed.
    """

    path: str
    exchange: Exchange
    reply: Reply
    url: str | None = None


@dataclass
class Found:
    """The results of the search.

    Attributes:
        trials: every base path tried, the typed one first.
        chat: the trial that gave a chat completion, or None.
        models: ids in the first model list, or None without one.
        model: the model id that was sent.
        named: it was typed or listed, and is not the placeholder.
        limit_param: the parameter that limits the output.
        dropped: parameters that the endpoint refused.
        refused: the exchanges in which a parameter was refused.
        auth: the header for the key that was accepted in place of the given one.
        keyless: the reply without any key, where it was tried.
        dummy: the reply to an invented key, tried where none was given.
        schemes: the trials of other headers for the key.
        key_refusal: the refusal of the key in the header it was first sent in.
        root: the start page of the host, requested if every path of an API was answered with 404.
        versioned: the reply with the query ``AZURE_VERSION``, where it differs from a 404 without a query.
        foreign: the refusal of this program, where the same request with another client's headers was not refused.
        another_key: the refusal shows parts of a key that is not the one sent.
        others: all exchanges of the run so far.
        unasked: a request that left ``stream`` out was answered by an event stream.
        whole_refused: the refusal of a whole answer, where the same request was answered by a stream.
        stream_false: with ``stream: false`` the answer is one object, so that this is sent from then on.
    """

    first: Exchange
    trials: list[Trial] = field(default_factory=list)
    chat: Trial | None = None
    models: list[str] | None = None
    model: str = ANY_MODEL
    named: bool = True
    limit_param: str = "max_tokens"
    dropped: list[str] = field(default_factory=list)
    refused: list[Exchange] = field(default_factory=list)
    auth: Auth | None = None
    keyless: Exchange | None = None
    dummy: Exchange | None = None
    schemes: list[Trial] = field(default_factory=list)
    key_refusal: Exchange | None = None
    root: Exchange | None = None
    versioned: Exchange | None = None
    foreign: Exchange | None = None
    another_key: bool = False
    others: tuple[Exchange, ...] = ()
    unasked: bool = False
    stream_false: bool = False
    whole_refused: Exchange | None = None

    @property
    def typed(self) -> Trial:
        return self.trials[0]

    def first_with(self, *replies: Reply) -> Trial | None:
        return next((trial for trial in self.trials if trial.reply in replies), None)


def listed_ids(exchange: Exchange) -> list[str] | None:
    """The model ids of a list in the OpenAI shape or as a bare array, or None."""
    if not completion.ok(exchange):
        return None
    body = completion.body_of(exchange)
    items = member(body, "data") if isinstance(body, dict) else body
    if not isinstance(items, list):
        return None
    return [item["id"] for item in items if isinstance(item, dict) and isinstance(item.get("id"), str)]


_OTHER_KINDS = "embed whisper tts rerank dall-e moderation guard image audio realtime".split()
#: The longest listed model id that is chosen (characters): each request and the report contain it.
LONGEST_ID = 1_000


def pick(ids: list[str]) -> str | None:
    """The only listed model, or the first whose name does not suggest another kind of model."""
    ids = [name for name in ids if 0 < len(name) <= LONGEST_ID]
    return next(
        (name for name in ids if not any(word in name.lower() for word in _OTHER_KINDS)), ids[0] if ids else None
    )


class Search:
    """The search for a chat completion, through the context of one check."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.endpoint = ctx.options.endpoint
        self.spent = 0
        self.patient = True

    async def run(self) -> Found:
        """Search until a chat completion is found or the requests are used up."""
        found = Found(await first_look(self.ctx))
        self.spent = 1
        needed = self.ctx.options.model is None and found.first.status in (429, 529)
        starting = found.first.status == 503 and completion.waiting_helps(found.first)
        if needed or (starting and not refusal.is_page(found.first)):  # a gateway's page says nothing of a start
            await self._wait_for_list(found)
        found.models = listed_ids(found.first)
        known = self.ctx.options.model or pick(found.models or [])
        found.model, found.named = known or ANY_MODEL, bool(known)
        await self._search(found)
        self._reconsider(found)
        if found.chat is None and all(trial.reply is Reply.NONE for trial in found.trials):
            url = self.endpoint.origin + "/"
            found.root = await self.ctx.send("GET", url, auth=Auth("none"), patient=False)
        found.others = tuple(self.ctx.exchanges)
        return found

    @staticmethod
    def _reconsider(found: Found) -> None:
        """Find the chat operation by what its answer has and no other path's.

        A success at the typed URL alone, or together with a model list, is an answer of the chat operation.  So is a
        404 that says more than "not found" where every other path is answered with another one: the operation looked
        for a model, a deployment or a provider.
        """
        if not found.chat and _is_of_operation(found):
            found.typed.reply = Reply.MODEL
            del found.trials[1:]
        if found.chat or found.typed.reply not in (Reply.ODD, Reply.PAGE) or not completion.ok(found.typed.exchange):
            return
        alone = len(found.trials) > 1 and all(trial.reply is Reply.NONE for trial in found.trials[1:])
        if found.models or (alone and found.typed.reply is Reply.ODD):
            found.typed.reply = Reply.NEAR

    async def _wait_for_list(self, found: Found) -> None:
        """Read the model list again once a server that is still starting, or was busy, answers."""
        self.ctx.note("waiting for the model list")
        try:
            found.first = await self.ctx.send("GET", models_url(self.ctx))
        except Throttled:
            self.patient = False  # the chat request is not waited for as long again

    async def _search(self, found: Found) -> None:
        for path in self._paths(found):
            if self.spent >= MAX_REQUESTS:
                break
            trial = await self._try(path, found)
            if len(found.trials) == 1 and trial.reply in _MAY_BE_OF_PATH:
                trial = await self._try_v1(trial, found)
            if trial.reply is Reply.REDIRECT and self._ends_search(trial, found):
                break
            if trial.reply is Reply.DENIED:
                trial = await self._denied_to_all(trial, found)
            elif _may_be_of_client(trial):
                trial = await self._as_another_client(trial, found, client_headers.SDK) or trial
            if len(found.trials) == 1 and trial.reply in (Reply.ROUTE, Reply.BROKEN, Reply.NONE):
                await self._depends_on_model(trial, found)
            if len(found.trials) == 1 and trial.reply is Reply.NONE:
                await self._try_version(found)
            if trial.reply is Reply.KEY:
                trial = await self._key_refused(trial, found)
            elif trial.reply in (Reply.ROUTE, Reply.BROKEN) and len(found.trials) == 1:
                trial = await self._depends_on_key(trial, found)
            if trial.reply is Reply.MODEL and not found.named:
                trial = await self._with_listed_model(trial, found)
            if trial.reply is Reply.CHAT or (trial.reply is Reply.STREAM and found.whole_refused is not None):
                found.chat = trial
                break
            if exists(trial.reply) or trial.reply in _FINAL:
                break
            target = redirect_base(trial.exchange)
            if target == path:
                found.chat = await self._follow(trial, found)
                if found.chat is not None:
                    break
            if target is not None and self.spent < MAX_REQUESTS and target != path:
                followed = await self._try(target, found)
                if followed.reply is Reply.CHAT:
                    found.chat = followed
                    break

    def _ends_search(self, trial: Trial, found: Found) -> bool:
        """Whether a redirect leads to https or to a sign-in, which only a path of the web site may be spared."""
        cause = refusal.read(trial.exchange).cause
        of_site = len(found.trials) == 1 and urls.is_versionless(trial.path)
        return cause is refusal.Cause.HTTPS or (cause is refusal.Cause.SIGN_IN and not of_site)

    def _paths(self, found: Found) -> list[str]:
        paths = list(urls.candidates(self.endpoint))
        heading = completion.page_heading(found.first).lower()
        site = next((base for name, base in SITE_BASES.items() if name in heading), None)
        known = HOST_BASES.get(self.endpoint.host.lower(), site)
        if known and known in paths:
            paths.remove(known)
            paths.insert(1, known)
        return paths

    def _body(self, found: Found) -> dict[str, Any]:
        code = self.ctx.nonce("chat")
        body: dict[str, Any] = {
            "model": found.model,
            "messages": [{"role": "user", "content": _PROMPT.format(code)}],
            found.limit_param: FIRST_LIMIT + (1024 if self.ctx.target.thinks else 0),
            "temperature": 0,
        }
        for name in found.dropped:
            body.pop(name, None)
        return body

    async def _post(self, path: str, found: Found, auth: Auth | None = None) -> Exchange:
        self.spent += 1
        body = self._body(found)
        url = self.endpoint.at(path, "/chat/completions")
        thinks = self.ctx.target.thinks  # which the first answer may show
        exchange = await self.ctx.send("POST", url, body=body, auth=auth, tokens=320, patient=self.patient)
        while (name := refused_parameter(exchange, body)) and name not in found.dropped and len(found.refused) < 3:
            found.refused.append(exchange)
            if name == found.limit_param == "max_tokens":
                found.limit_param = "max_completion_tokens"
            else:
                found.dropped.append(name)
            self.spent += 1
            body = self._body(found)
            exchange = await self.ctx.send("POST", url, body=body, auth=auth, tokens=320, patient=self.patient)
        if completion.is_completion(exchange) and completion.starved(exchange) and not thinks:
            self.ctx.target.thinks = True
            exchange = await self.ctx.send("POST", url, body=self._body(found), auth=auth, tokens=1344)
        if completion.wants_stream(exchange) and found.whole_refused is None:
            self.spent += 1
            body = self._body(found) | {"stream": True}
            streamed = await self.ctx.send("POST", url, body=body, auth=auth, tokens=320, patient=self.patient)
            if completion.read_stream(streamed).text:
                found.whole_refused = exchange
                return streamed
        if completion.is_unasked_stream(exchange) and not found.unasked:
            found.unasked = True
            self.spent += 1
            body = self._body(found) | {"stream": False}
            whole = await self.ctx.send("POST", url, body=body, auth=auth, tokens=320, patient=self.patient)
            found.stream_false = completion.is_completion(whole) and not completion.is_unasked_stream(whole)
            return whole if found.stream_false else exchange
        return exchange

    async def _try(self, path: str, found: Found) -> Trial:
        self.ctx.note(f"trying {self.endpoint.origin}{path}/chat/completions")
        try:
            exchange = await self._post(path, found, found.auth)
        except Throttled:
            exchange = self.ctx.throttled[-1]
        listed = found.models if urls.clean_path(self.endpoint.path) == urls.clean_path(path) else None
        trial = Trial(path, exchange, classify(exchange, found.model, listed))
        code = self.ctx.nonce("chat")
        if trial.reply in (Reply.ODD, Reply.PAGE) and near_completion(exchange, code):
            trial.reply = Reply.NEAR
        found.trials.append(trial)
        return trial

    async def _try_v1(self, trial: Trial, found: Found) -> Trial:
        """Try ``/v1`` before a refusal at a path without a version is believed.

        Some gateways refuse every unknown path: AWS API Gateway with 403 "Missing Authentication Token", others with
        400 or 500.  The reply at ``/v1`` counts only where it is more specific.
        """
        if not urls.is_versionless(trial.path):
            return trial
        further = await self._try(urls.clean_path(trial.path) + "/v1", found)
        more_specific = further.reply is Reply.CHAT or (
            trial.reply in _MAY_BE_OF_PATH
            and further.reply in (Reply.KEY, Reply.MODEL)
            and further.reply is not trial.reply
            and differs(trial.exchange, further.exchange)
        )
        if more_specific:
            trial.reply = Reply.NONE  # the refusal was about the path
            return further
        found.trials.remove(further)
        return trial

    async def _follow(self, trial: Trial, found: Found) -> Trial | None:
        """Follow a redirect of the operation to itself (with a trailing slash) on the same origin."""
        goal = redirect_goal(trial.exchange)
        if goal is None or goal == trial.exchange.request.url:
            return None
        self.spent += 1
        exchange = await self.ctx.send("POST", goal, body=self._body(found), auth=found.auth, tokens=320)
        reply = classify(exchange, found.model)
        return Trial(trial.path, exchange, reply, goal) if reply is Reply.CHAT else None

    async def _key_refused(self, trial: Trial, found: Found) -> Trial:
        """Find out whether a refused key is due to the path, to its header, to the model, or to chance.

        A gateway may refuse every route but those of its own API; and one member of a pool may not know the key.
        """
        path = urls.clean_path(trial.path)
        if len(found.trials) == 1 and path not in ("", "/v1") and urls.is_versionless(path):
            further = await self._try("/v1", found)
            if further.reply is Reply.CHAT:
                trial.reply = Reply.NONE
                return further
            found.trials.remove(further)
        trial = await self._why_refused(trial, found)
        if trial.reply is Reply.KEY and self.ctx.options.auth.key and self.spent < MAX_REQUESTS:
            exchange = await self._post(trial.path, found)
            again = Trial(trial.path, exchange, classify(exchange, found.model))
            if again.reply is Reply.CHAT:
                found.key_refusal = None
                found.trials[-1] = again
                return again
        return trial

    async def _why_refused(self, trial: Trial, found: Found) -> Trial:
        """Find out whether the key, its header or the model id was refused.

        A key that opens the model list, which stays closed without it, is valid: a model that is not listed is then
        the cause (a gateway that answers 401 to an unknown model).
        """
        found.key_refusal = found.key_refusal or trial.exchange
        if refusal.other_scheme(trial.exchange) not in ("", refusal.TOKEN) or refusal.missing_header(trial.exchange):
            return trial
        if found.models and found.model not in found.models and self.ctx.options.auth.key:
            self.spent += 1
            url = models_url(self.ctx)
            closed = await self.ctx.send("GET", url, auth=Auth("none"), share="models.nokey", patient=False)
            if closed.status in (401, 403):
                trial.reply = Reply.MODEL
                return trial
        return await self._try_other_headers(trial, found)

    async def _try_other_headers(self, trial: Trial, found: Found) -> Trial:
        """Try the key in other headers, first in those that the answer names.

        An answer that is about something else, even 404, shows that the header is right: gateways check the key
        before they look at the path.
        """
        given = self.ctx.options.auth
        if not given.key:
            return trial
        others = [
            *(
                Auth("api-key-header", name, given.key, given.source)
                for name in refusal.key_headers(trial.exchange)[:2]
            ),
            Auth("bearer", "Authorization", given.key, given.source),
            Auth("api-key-header", "X-API-Key", given.key, given.source),
            Auth("api-key-header", "api-key", given.key, given.source),
            Auth("api-key-header", "Authorization", given.key, given.source),
        ]
        tried = {(given.scheme, given.header.lower())}
        for auth in others:
            if self.spent >= MAX_REQUESTS or len(tried) > 4:
                break
            if (auth.scheme, auth.header.lower()) in tried:
                continue
            tried.add((auth.scheme, auth.header.lower()))
            exchange = await self._post(trial.path, found, auth)
            again = Trial(trial.path, exchange, classify(exchange, found.model))
            found.schemes.append(again)
            if again.reply in SAYS_NOTHING_OF_KEY or not differs(trial.exchange, exchange):
                continue
            found.auth = auth
            if again.reply is Reply.NONE:
                trial.reply = Reply.NONE  # the header is right, and the path is not
                return trial
            found.trials[-1] = again
            return again
        return trial

    async def _denied_to_all(self, trial: Trial, found: Found) -> Trial:
        """Test what a rule depends on: the key, its header, or the headers that name the client program.

        AWS API Gateway answers 403 "Forbidden" to a key in the wrong header; a page has been written by a gateway
        that never looked at the key.
        """
        keyed = bool(self.ctx.options.auth.key)
        if keyed and self.spent < MAX_REQUESTS:
            found.keyless = await self._post(trial.path, found, Auth("none"))
            of_key = found.keyless.status == 401 and not names_rule(trial.exchange)
            if of_key and not await self._knows_key(trial, found):
                trial.reply = Reply.KEY
                found.key_refusal = trial.exchange
                return trial
        allowed = await self._as_another_client(trial, found, client_headers.SDK)
        of_key = keyed and not (
            refusal.is_page(trial.exchange) or differs(trial.exchange, found.keyless or trial.exchange)
        )
        if allowed is None and of_key:
            found.key_refusal = trial.exchange
            with_header = await self._try_other_headers(trial, found)
            if with_header is not trial:
                return with_header
        return allowed or await self._as_another_client(trial, found, client_headers.BROWSER) or trial

    async def _knows_key(self, trial: Trial, found: Found) -> bool:
        """Whether an invented key is refused in another way than the given one, which is then known."""
        if self.spent >= MAX_REQUESTS:
            return False
        given = self.ctx.options.auth
        invented = Auth(given.scheme, given.header, f"sk-invalid-{secrets.token_hex(12)}", "invented")
        found.dummy = await self._post(trial.path, found, invented)
        return found.dummy.status == 401

    async def _as_another_client(self, trial: Trial, found: Found, headers: Mapping[str, str]) -> Trial | None:
        """Send a refused request with another client's headers, and keep them if they are not refused."""
        if self.spent >= MAX_REQUESTS or trial.reply is Reply.NONE:
            return None
        self.ctx.target.client_headers = headers
        try:
            exchange = await self._post(trial.path, found)
        except Throttled:
            exchange = self.ctx.throttled[-1]
        again = Trial(trial.path, exchange, classify(exchange, found.model))
        if again.reply in SAYS_NOTHING_OF_KEY - {Reply.KEY} or not differs(trial.exchange, exchange):
            self.ctx.target.client_headers = {}
            return None
        if again.reply is Reply.CHAT:  # the headers are the cause only if the first request is refused once more
            self.ctx.target.client_headers = {}
            own = await self._post(trial.path, found)
            if classify(own, found.model) is Reply.CHAT:
                found.trials[-1] = Trial(trial.path, own, Reply.CHAT)
                return found.trials[-1]
            self.ctx.target.client_headers = headers
        found.foreign = trial.exchange
        found.trials[-1] = again
        return again

    async def _depends_on_key(self, trial: Trial, found: Found) -> Trial:
        """Test whether an unexplained refusal depends on the key: sent without it, or with an invented one.

        LiteLLM without its database package answers 500 "Internal Server Error" to a request without a key.  Where
        a missing key is refused in another way, an invented one shows whether the given one was accepted.
        """
        given = self.ctx.options.auth
        if self.spent >= MAX_REQUESTS:
            return trial
        dummy = Auth("bearer", "Authorization", f"sk-invalid-{secrets.token_hex(12)}", "invented")
        if given.key:
            found.keyless = await self._post(trial.path, found, Auth("none"))
            if not differs(trial.exchange, found.keyless) or classify(found.keyless) is not Reply.KEY:
                return trial
            if self.spent < MAX_REQUESTS:
                found.dummy = await self._post(trial.path, found, dummy)
            if not refusal.key_was_taken(trial.exchange, found.keyless, found.dummy):
                trial.reply = Reply.KEY
                return await self._why_refused(trial, found)
            return trial
        found.dummy = await self._post(trial.path, found, dummy)
        if differs(trial.exchange, found.dummy) and classify(found.dummy) is Reply.KEY:
            trial.reply = Reply.KEY
        return trial

    async def _depends_on_model(self, trial: Trial, found: Found) -> None:
        """Test an unexplained refusal of an id that is not listed with one that is: if that answers, the id is why."""
        named, listed = found.model, pick(found.models or [])
        if listed is None or named in (found.models or []) or self.spent >= MAX_REQUESTS:
            return
        found.model = listed
        exchange = await self._post(trial.path, found)
        if classify(exchange, listed) is Reply.CHAT:
            trial.reply = Reply.MODEL
        found.model = named

    async def _try_version(self, found: Found) -> None:
        """Try a path that is like one of Azure OpenAI, which answers 404 to a request without its version, with it."""
        typed = found.typed.exchange
        named = typed.response is not None and typed.response.header("apim-request-id")
        if "api-version" in self.endpoint.query or not ("/deployments/" in self.endpoint.path or named):
            return
        url = f"{typed.request.url}{'&' if self.endpoint.query else '?'}{AZURE_VERSION}"
        self.spent += 1
        exchange = await self.ctx.send("POST", url, body=self._body(found), tokens=320, patient=False)
        if classify(exchange, found.model) not in (Reply.NONE, Reply.LOST):
            found.versioned = exchange

    async def _with_listed_model(self, trial: Trial, found: Found) -> Trial:
        """Read the model list under the base path that was found, and try a model of it.  Raises Throttled."""
        self.spent += 1
        url = self.endpoint.at(trial.path, "/models")
        listing = await self.ctx.send("GET", url, auth=found.auth, share=f"models:{trial.path}")
        found.models = listed_ids(listing) or found.models
        model = pick(found.models or [])
        if model is None:
            return trial
        found.model, found.named = model, True
        exchange = await self._post(trial.path, found, found.auth)
        again = Trial(trial.path, exchange, classify(exchange, model))
        found.trials[-1] = again
        return again


#: Words of a 404 that say nothing of what was not found.
_NOT_FOUND = frozenset(
    "a an the error status code message detail gone not no such found exist exists does is was be could can cannot "
    "http https post get method page file path route resource url uri request requested endpoint api server on this "
    "at for here nothing unknown invalid null true false v1 chat completions".split()
)


def _is_of_operation(found: Found) -> bool:
    """Whether the typed URL alone was answered with a 404 or 410 that names more than a missing page."""
    typed, others = found.typed, found.trials[1:]
    said = completion.error_text(typed.exchange)[:500]
    if typed.reply is not Reply.NONE or typed.exchange.status not in (404, 410) or len(others) < 2:
        return False
    if not completion.error_in(completion.body_of(typed.exchange)) or len(set(_words(said)) - _NOT_FOUND) < 3:
        return False
    texts = {" ".join(_words(completion.error_text(trial.exchange)[:500])) for trial in others}
    return (
        len(texts) == 1 and all(trial.reply is Reply.NONE for trial in others) and " ".join(_words(said)) not in texts
    )


def _words(text: str) -> list[str]:
    """The words of an error, without paths and ids, which differ from request to request."""
    plain = (word for word in text.lower().split() if "/" not in word and not re.search(r"\d", word))
    return re.findall(r"[a-z]{2,40}", " ".join(plain))


def _may_be_of_client(trial: Trial) -> bool:
    """Whether a rule on clients may be behind a closed connection, or a refusal without JSON."""
    error = trial.exchange.error
    closed = trial.reply is Reply.LOST and error is not None and error.kind in ("reset", "closed")
    return closed or (trial.reply is Reply.ROUTE and refusal.is_page(trial.exchange))


def near_completion(exchange: Exchange, code: str) -> Near | None:
    """How the answer to a request of the search misses being a chat completion, or None where it holds none."""
    return near_answer(exchange, code, _PROMPT.format(code))
