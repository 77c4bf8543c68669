"""Whether there is a model list, and whether the model id of a request has an effect."""

from __future__ import annotations

import difflib
import re
import shlex
from typing import TYPE_CHECKING

from checks.shared.discovery import listed_ids
from checks.shared.first_request import first_chat
from checks.shared.outcome import words_of
from checks.shared.redirects import redirect_goal
from probe.api import (
    Depth,
    Diagnosis,
    Exchange,
    Finding,
    Inconclusive,
    Obstacle,
    Owner,
    Result,
    Severity,
    State,
    because,
    check,
    completion,
    member,
    text_at,
    unknown,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

NO_LIST = Diagnosis(
    code="models.no-list",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="No usable model list",
    what="GET /models does not return a list of models that a client can read.",
    why="Clients cannot offer a choice of models; the id has to be entered by hand.",
    remedy="Enter the model id by hand, or route GET /models to the server at the gateway.",
    verify='`curl BASE/models` prints {"object":"list","data":[{"id":…}]}.',
    sources=("OpenAI API reference, 'List models'",),
)
NOT_LISTED = Diagnosis(
    code="models.not-listed",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Model works but is not listed",
    what="The endpoint returned chat completions for a model id that is not in its model list.",
    why="A client that offers only listed models does not offer this one.",
    remedy="Enter the id by hand, use a listed id, or add the alias to the gateway's list.",
    verify="`curl BASE/models` lists the id.",
    sources=("OpenAI API reference, 'List models'",),
)
NOT_ENABLED = Diagnosis(
    code="models.not-enabled",
    severity=Severity.ERROR,
    owner=Owner.GATEWAY,
    title="Listed model refused",
    what="The model is in the endpoint's list, and a chat request for it was refused because of the model.",
    why="Clients offer the model and fail with every request for it.",
    remedy="Enable the model for this account (model access, plan, terms), or correct what the gateway maps the id to: "
    "the address and the model name of the server behind it. Until then use another listed model.",
    verify="The chat request with this id is answered with status 200.",
    sources=("NVIDIA API documentation: 404 Function not found for account", "BerriAI/litellm docs: litellm_params"),
)
ID_UNKNOWN = Diagnosis(
    code="models.id-unknown",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="Model id unknown to the endpoint",
    what="The chat request was refused because of the model id.",
    why="Clients cannot use the endpoint with this id.",
    remedy="Use an id from the model list.",
    verify="The chat request with that id is answered with status 200.",
    sources=("OpenAI API reference, error code model_not_found",),
)
ID_NOT_CHECKED = Diagnosis(
    code="models.id-not-checked",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Invented model ids are accepted",
    what="A request for an invented model id was answered with a completion.",
    why="A mistyped id goes unnoticed, and another model answers than the client shows.",
    remedy="Compare the id in the client with the model list by hand, since the endpoint does not check it.",
    verify="A request for an invented id is answered with status 404.",
    sources=("llama.cpp tools/server/README.md",),
)
ID_DIFFERS = Diagnosis(
    code="models.id-differs",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Completion names another model",
    what="The `model` of the completion is not the requested id, nor a version of it.",
    why="Another model may have answered, with other limits, prices and capabilities.",
    remedy="Request the id that the completion names, or check the gateway's aliases and fallbacks.",
    verify="The completion names the requested id.",
    sources=("OpenAI API reference, 'The chat completion object'",),
)
#: Ids that are compared with the one asked for, letter by letter: the longest lists have some hundreds.
_COMPARED = 2_000
#: A server that knows the model and has none in memory (LM Studio, TabbyAPI).
_UNLOADED = re.compile(
    r"\bno models? (?:(?:is|are|currently) )*loaded|model (?:(?:is|are|currently) )*not loaded|"
    r"load a model",
    re.IGNORECASE,
)
_OF_DISABLED = re.compile(r"\bmodel\b.{0,60}\bdisabled", re.IGNORECASE)
#: Settings of an account that leave no provider for a model (OpenRouter).
_OF_ACCOUNT = re.compile(r"data policy|privacy|guardrail restriction|your settings", re.IGNORECASE)
_WITHDRAWN = re.compile(
    r"end of life|no longer (?:available|supported)|retired|decommissioned|withdrawn", re.IGNORECASE
)
_CURES = (
    (_OF_DISABLED, "The provider or the gateway has switched the model off: switch it on there, or use another one."),
    (_UNLOADED, "Load the model in the server, or let the server load models when they are requested."),
    (
        _OF_ACCOUNT,
        "Change the settings of the account that the refusal names (data policy, privacy, guardrails): they leave no "
        "provider for this model. Or use another model.",
    ),
    (
        _WITHDRAWN,
        "The provider has withdrawn the model: use another one. Whoever keeps the list should remove this id.",
    ),
)


@check(
    "models.list",
    title="List the models",
    proves="GET /models returns a list that clients can read, and the model in use is in it.",
    requires={"chat"},
    provides={"model_list"},
    emits=(NO_LIST, NOT_LISTED),
    max_requests=2,
    least_requests=1,
    depth=Depth.QUICK,
)
async def listing(ctx: Context) -> Result:
    url = ctx.target.models_url or ""
    first = next((item for item in ctx.exchanges if item.request.url == url and item.status == 200), None)
    exchange = first or await ctx.send("GET", url, share=f"models:{url}")
    goal = redirect_goal(exchange, "/models")
    if goal is None or goal == exchange.request.url:
        return diagnose_list(exchange, ctx.target.model or "")
    result = diagnose_list(await ctx.send("GET", goal), ctx.target.model or "")
    return result | Result(note=f"{exchange.request.url} redirects to {goal}")


def diagnose_list(exchange: Exchange, model: str) -> Result:
    """Whether there is a list that clients can read, and whether it names the model."""
    if exchange.response is None:
        raise Inconclusive("the request for the model list got no answer")
    ids = listed_ids(exchange)
    body = completion.body_of(exchange)
    readable = isinstance(member(body, "data"), list)
    if not completion.ok(exchange):
        about = completion.obstacle(exchange)
        words = f"the request for the model list: {words_of(exchange)}"
        if about not in (Obstacle.NONE, Obstacle.ACCESS, Obstacle.UPSTREAM):
            raise Inconclusive(words)
        absent = exchange.status in (404, 405, 410, 501)
        finding = NO_LIST.found(
            f"{exchange.request.url} answered {exchange.status}.",
            exchange.shows_status(200),
            severity=Severity.INFO if absent else Severity.WARNING,
        )
        # A refused or failed request does not show whether there is a list.
        return Result((finding,), {"model_list": unknown(words) if about else because(State.REJECTED, finding)})
    if not readable or not ids:
        what = "a web page" if completion.is_html(exchange) else "no object with a `data` list"
        listed = "a list without entries that have an `id`" if member(body, "data") else "an empty list"
        what = listed if readable else "a bare array, without `data`" if ids else what
        finding = NO_LIST.found(
            f"{exchange.request.url} answered {exchange.status} with {what}.",
            exchange.shows("/response/body", expected='{"data": [{"id": …}]}', actual=what),
            # A list of another shape costs a client no more than a missing one.
            severity=Severity.INFO if ids else Severity.WARNING,
        )
        return Result.of(finding, model_list=State.BROKEN) | Result(facts={"models": ids[:500]} if ids else {})
    result = Result(verdicts={"model_list": works(f"{len(ids)} listed")}, facts={"models": ids[:500]})
    if not model or any(_core(model) == _core(name) for name in ids):
        return result
    version = next((name for name in ids if _same(model, name) or _same(name, model)), None)
    finding = NOT_LISTED.found(
        f"Model '{model}' answers and is not among the {len(ids)} listed ids"
        f"{f'; the list has {version!r}' if version else ''}.",
        exchange.shows("/response/body/data", expected=model, actual=ids[:10]),
    )
    return result | Result((finding,))


@check(
    "models.identity",
    title="Request a model that does not exist",
    proves="The model id has an effect, and the completion names the requested model.",
    requires={"chat"},
    provides={"model-id"},
    emits=(ID_NOT_CHECKED, ID_DIFFERS),
    max_requests=2,
    max_tokens=80,
)
async def identity(ctx: Context) -> Result:
    invented = f"no-such-model-{ctx.nonce('model').lower()}"
    prompt = f"Repeat exactly: {ctx.nonce('model')}"
    # A 503 may be the refusal (one-api: no channel for the model) and is not waited out; a 429 never is a refusal.
    exchange = await ctx.chat(prompt, limit=32, share="chat.nomodel", patient=False, model=invented)
    if completion.obstacle(exchange) is Obstacle.RATE:
        exchange = await ctx.chat(prompt, limit=32, model=invented)
    return diagnose_identity(exchange, first_chat(ctx), invented, ctx.target.model or "")


def diagnose_identity(exchange: Exchange, first: Exchange | None, invented: str, model: str) -> Result:
    """Whether ids are checked, and whether the run's first completion names the requested model."""
    findings: list[Finding] = []
    if completion.is_completion(exchange):
        named = text_at(completion.body_of(exchange), "model")
        detail = f"The invented id '{invented}' was answered by '{named or 'an unnamed model'}'."
        findings.append(ID_NOT_CHECKED.found(detail, exchange.shows_status(404)))
    answered = text_at(completion.body_of(first), "model") if first is not None else ""
    if first is not None and answered and model and not _same(model, answered):
        evidence = first.shows("/response/body/model", expected=model, actual=answered)
        findings.append(
            ID_DIFFERS.found(f"Model '{model}' was requested; the completion names '{answered}'.", evidence)
        )
    return Result(findings=tuple(findings), provides=frozenset({"model-id"}))


def diagnose_unknown_id(exchange: Exchange, model: str, known: list[str] | None, *, named: bool) -> Finding:
    """The finding for a refused model id, with the most similar listed id; or for an id that was not given.

    Args:
        model: the id in the request.
        known: the listed ids, or None without a list.
        named: whether the user named the id; otherwise it was a placeholder.
    """
    known = known or []
    if model in known or completion.load_failed(exchange) or _OF_ACCOUNT.search(completion.error_text(exchange)[:500]):
        return _not_enabled(exchange, model, known)
    near = difflib.get_close_matches(model, known[:_COMPARED], 1, 0.5)
    near = near or [name for name in known if model.lower() in name.lower()][:1]
    answer = f"{exchange.status}: {completion.error_text(exchange)[:200]}"
    if not named:
        return NO_LIST.found(
            f"No model was named, and no list offers one; the endpoint answered {answer}",
            exchange.shows_status(200),
            severity=Severity.ERROR,
            remedy="Name the model with --model.",
        )
    choice = (near or known or [""])[0]
    hint = f" The most similar listed id is '{near[0]}'." if near else ""
    return ID_UNKNOWN.found(
        f"Model '{model}' was refused ({answer}).{hint}",
        exchange.shows("/request/body/model", expected=near[0] if near else "a known id", actual=model),
        remedy=f"Use --model {shlex.quote(choice)}" if choice else "Use an id from the provider's documentation.",
    )


def _not_enabled(exchange: Exchange, model: str, known: list[str]) -> Finding:
    others = [name for name in known if name != model]
    text = completion.error_text(exchange)[:500]
    remedy = next((cure for pattern, cure in _CURES if pattern.search(text)), None)
    broken = completion.load_failed(exchange)
    if broken:
        remedy = "The server knows the model and cannot load it: its log has the reason (memory, a damaged or missing "
        remedy += "file, a format that it does not support). Until then use another model."
    listed = "is listed, and was" if known else "was"
    choice = f" Other listed ids: {', '.join(others[:3])}." if others else ""
    return NOT_ENABLED.found(
        f"Model '{model}' {listed} refused ({exchange.status}: {completion.error_text(exchange)[:200]}).{choice}",
        exchange.shows("/request/body/model", expected="answered, since it is listed", actual=model),
        owner=Owner.SERVER if broken or _UNLOADED.search(text) else None,
        remedy=remedy,
    )


def _same(asked: str, named: str) -> bool:
    """Whether two ids name one model, apart from case, folder, file ending, tag and date."""
    left, right = _core(asked), _core(named)
    return asked.lower() in named.lower() or left.startswith(right) or right.startswith(left)


def _core(model: str) -> str:
    """A model id without case, folder, file ending and the tag of the newest version."""
    text = model.lower().rstrip("/").rpartition("/")[2]
    text = re.sub(r"\.(gguf|bin|safetensors)$", "", text)
    return re.sub(r"(:latest|@latest)$", "", text)
