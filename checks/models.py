"""What the endpoint says about its models, and whether the id asked for means anything."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from checks.shared.chat_reply import Reply, classify
from checks.shared.discovery import listed_ids
from probe.api import (
    Depth,
    Diagnosis,
    Exchange,
    Finding,
    Inconclusive,
    Owner,
    Result,
    Severity,
    State,
    because,
    check,
    completion,
    member,
    text_at,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

NO_LIST = Diagnosis(
    code="models.no-list",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="There is no usable model list",
    what="GET /models gives no list of models that a client can read.",
    why="Clients cannot offer a choice; the model id has to be typed by hand.",
    remedy="Type the model id by hand; at the gateway, route GET /models to the server.",
    verify='`curl BASE/models` prints {"object":"list","data":[{"id":…}]}.',
    sources=("OpenAI API reference, 'List models'",),
)
NOT_LISTED = Diagnosis(
    code="models.not-listed",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="The model works but is not in the list",
    what="Chat completions came for a model id that GET /models does not name.",
    why="A client that offers only listed models does not offer this one.",
    remedy="Type the id by hand, or use a listed id; at the gateway, add the alias to the list.",
    verify="`curl BASE/models` names the id.",
    sources=("OpenAI API reference, 'List models'",),
)
ID_UNKNOWN = Diagnosis(
    code="models.id-unknown",
    severity=Severity.ERROR,
    owner=Owner.CLIENT,
    title="The endpoint does not know this model",
    what="The chat request was refused because of the model id.",
    why="No client can use the endpoint with this id.",
    remedy="Use an id from the model list.",
    verify="The chat request with that id answers 200.",
    sources=("OpenAI API reference, error code model_not_found",),
)
ID_NOT_CHECKED = Diagnosis(
    code="models.id-not-checked",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Any model id is answered",
    what="A request for an invented model id was answered with a completion.",
    why="A mistyped id goes unnoticed: the client believes it talks to another model than it does.",
    remedy="Compare the id with the model list by eye; nothing else will.",
    verify="A request for an invented id answers 404.",
    sources=("llama.cpp tools/server/README.md",),
)
ID_DIFFERS = Diagnosis(
    code="models.id-differs",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="The answer names another model",
    what="The completion's `model` is not the id that was asked for, nor a version of it.",
    why="What answers may not be what was chosen; limits, prices and abilities may differ.",
    remedy="Ask for the id that the answer names, or check the gateway's aliases and fallbacks.",
    verify="The answer names the id that was asked for.",
    sources=("OpenAI API reference, 'The chat completion object'",),
)


@check(
    "models.list",
    title="List the models",
    proves="GET /models gives a list a client can read, and the model in use is in it.",
    requires={"chat"},
    provides={"model_list"},
    emits=(NO_LIST, NOT_LISTED),
    max_requests=1,
    depth=Depth.QUICK,
)
async def listing(ctx: Context) -> Result:
    url = ctx.target.models_url or ""
    first = next((item for item in ctx.exchanges if item.request.url == url and item.status == 200), None)
    exchange = first or await ctx.send("GET", url, share=f"models:{url}")
    return diagnose_list(exchange, ctx.target.model or "")


def diagnose_list(exchange: Exchange, model: str) -> Result:
    """Whether there is a list, whether it is a list for clients, and what it names."""
    if exchange.response is None:
        raise Inconclusive("the model list got no answer")
    ids = listed_ids(exchange)
    usable = isinstance(member(completion.body_of(exchange), "data"), list)
    seen = exchange.shows("/response/status", expected=200, actual=exchange.status)
    if not completion.ok(exchange):
        absent = exchange.status in (404, 405, 410, 501)
        finding = NO_LIST.found(
            f"{exchange.request.url} answered {exchange.status}.",
            seen,
            severity=Severity.INFO if absent else Severity.WARNING,
        )
        return Result(findings=(finding,), verdicts={"model_list": because(State.REJECTED, finding)})
    if not usable or not ids:
        what = "a web page" if completion.is_html(exchange) else "no object with a `data` list"
        what = "an empty list" if usable else "a bare array, without `data`" if ids else what
        finding = NO_LIST.found(
            f"{exchange.request.url} answered {exchange.status} with {what}.",
            exchange.shows("/response/body", expected='{"data": [{"id": …}]}', actual=what),
            # A readable list of another shape costs a client no more than an absent one.
            severity=Severity.INFO if ids else Severity.WARNING,
        )
        facts = {"models": ids[:500]} if ids else {}
        return Result(findings=(finding,), verdicts={"model_list": because(State.BROKEN, finding)}, facts=facts)
    result = Result(verdicts={"model_list": works(f"{len(ids)} listed")}, facts={"models": ids[:500]})
    if not model or any(_same(model, name) for name in ids):
        return result
    finding = NOT_LISTED.found(
        f"'{model}' answers, and is not among the {len(ids)} listed ids.",
        exchange.shows("/response/body/data", expected=model, actual=ids[:10]),
    )
    return result | Result(findings=(finding,))


@check(
    "models.identity",
    title="Ask for a model that cannot exist",
    proves="The model id matters, and the answer names the model that was asked for.",
    requires={"chat"},
    provides={"model-id"},
    emits=(ID_NOT_CHECKED, ID_DIFFERS),
    max_requests=2,
    max_tokens=80,
)
async def identity(ctx: Context) -> Result:
    basic = next((item for item in ctx.exchanges if item.id == ctx.target.extra.get("chat_exchange")), None)
    invented = f"no-such-model-{ctx.nonce('model').lower()}"
    ask = f"Repeat exactly: {ctx.nonce('model')}"
    # 503 may be the refusal (one-api: no channel for the model), so it is not waited out; 429 never is.
    exchange = await ctx.chat(ask, limit=32, share="chat.nomodel", patient=False, model=invented)
    if exchange.status == 429:
        exchange = await ctx.chat(ask, limit=32, model=invented)
    return diagnose_identity(exchange, basic, invented, ctx.target.model or "")


def diagnose_identity(exchange: Exchange, basic: Exchange | None, invented: str, model: str) -> Result:
    """Whether ids are checked, and whether the first answer named what was asked for."""
    findings: list[Finding] = []
    if completion.is_completion(exchange):
        named = text_at(completion.body_of(exchange), "model")
        findings.append(
            ID_NOT_CHECKED.found(
                f"The invented id '{invented}' was answered by '{named or 'an unnamed model'}'.",
                exchange.shows("/response/status", expected=404, actual=exchange.status),
            )
        )
    answered = text_at(completion.body_of(basic), "model") if basic is not None else ""
    if basic is not None and answered and model and not _same(model, answered):
        findings.append(
            ID_DIFFERS.found(
                f"'{model}' was asked for, and the answer names '{answered}'.",
                basic.shows("/response/body/model", expected=model, actual=answered),
            )
        )
    return Result(findings=tuple(findings), provides=frozenset({"model-id"}))


def diagnose_unknown_id(exchange: Exchange, model: str, known: list[str] | None, *, named: bool) -> Finding:
    """A refused model id, with the nearest listed one; or no id to be had from a list.

    Args:
        model: the id that was asked for.
        known: the listed ids, or None where there is no list.
        named: whether the user named the id; otherwise it was a placeholder.
    """
    near = difflib.get_close_matches(model, known or [], 1, 0.5)
    near = near or [name for name in known or [] if model.lower() in name.lower()][:1]
    said = completion.error_text(exchange)[:200]
    if not named:
        return NO_LIST.found(
            f"No model was named, and none could be taken from a list; the endpoint answered {exchange.status}: {said}",
            exchange.shows("/response/status", expected=200, actual=exchange.status),
            severity=Severity.ERROR,
            remedy="Name the model with --model.",
        )
    choice = near[0] if near else (known or [""])[0]
    remedy = f"Use --model {choice}" if choice else "Use an id from the provider's documentation."
    hint = f" The nearest listed id is '{near[0]}'." if near else ""
    detail = f"'{model}' was refused ({exchange.status}: {said}).{hint}"
    return ID_UNKNOWN.found(
        detail,
        exchange.shows("/request/body/model", expected=near[0] if near else "a known id", actual=model),
        remedy=remedy,
    )


def _same(asked: str, named: str) -> bool:
    """Whether two ids mean one model: case, folders, file endings, tags and dates aside."""

    def core(text: str) -> str:
        text = text.lower().rstrip("/").rpartition("/")[2]
        text = re.sub(r"\.(gguf|bin|safetensors)$", "", text)
        return re.sub(r"(:latest|@latest)$", "", text)

    left, right = core(asked), core(named)
    if left == right or asked.lower() in named.lower():
        return True
    return left.startswith(right) or right.startswith(left)


__all__ = ["Reply", "classify", "diagnose_identity", "diagnose_list", "diagnose_unknown_id", "listed_ids"]
