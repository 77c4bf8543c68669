"""Rate limits, quotas, and the longest prompt that an endpoint accepts.

Answers with 429 and 503 are waited out wherever they occur and only reported here.  The context
length is read from model lists and refusals.  Whether a prompt that does not fit is refused or
silently truncated is tested in deep runs only, since it costs thousands of tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from checks.shared import conversation as talk
from checks.shared import refusal
from checks.shared.chat_reply import Reply, classify
from checks.shared.evidence import counts_live, repeats
from checks.shared.first_request import first_chat
from checks.shared.outcome import refused_for_size, size_of, words_of
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
    check,
    completion,
    count_at,
    member,
    wording,
)

if TYPE_CHECKING:
    from probe.api import Context

RATE_LIMITED = Diagnosis(
    code="limits.rate-limited",
    severity=Severity.INFO,
    owner=Owner.KEY,
    title="Requests rejected by a rate limit",
    what="Some requests were answered with 429, or with an error that speaks of a rate limit. They were repeated after "
    "a pause. Requests that were never answered in time make this a warning, since what they were to test is unknown.",
    why="A client that sends several requests at once, as agents do, reaches the same limit and has to wait as well.",
    remedy="Raise the limit of this key or deployment, or let the client send fewer requests at once and honour "
    "Retry-After. Run endpoint-probe with --concurrency 1 to complete the report.",
    verify="A run ends without a 429.",
    sources=("RFC 6585 section 4", "RFC 9110 section 10.2.3", "BerriAI/litellm docs: cooldowns"),
)
QUOTA = Diagnosis(
    code="limits.quota",
    severity=Severity.ERROR,
    owner=Owner.KEY,
    title="Quota or credit used up",
    what="Requests were refused because the account has no credit or quota left.",
    why="Requests are refused until the account is topped up; waiting does not help.",
    remedy="Top up the account, raise its budget, or use the key of another account.",
    verify="A chat request is answered with status 200.",
    sources=("OpenAI API error codes: insufficient_quota", "RFC 9110 section 15.5.3", "BerriAI/litellm docs: budgets"),
)
LOADING = Diagnosis(
    code="limits.loading",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Model still loading",
    what="Requests were answered with 503 while the server loaded the model. They were repeated for up to 45 seconds. "
    "Requests that were not answered in that time make this an error.",
    why="A client that does not repeat a 503 fails after every start of the server, or after every change of model.",
    remedy="Keep the model in memory or load it before the first request, and let clients repeat a 503. If requests "
    "were not answered, run endpoint-probe again once the model is loaded.",
    verify="The first request of a run is answered with status 200.",
    sources=("ggml-org/llama.cpp tools/server/README.md: 503 Loading model", "mostlygeek/llama-swap#146"),
)
OVERLOADED = Diagnosis(
    code="limits.overloaded",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Server overloaded",
    what="Requests were answered with 503 or 529, or with a 429 that speaks of a busy server. They were repeated after "
    "a pause, for up to 45 seconds. If all were answered in that time, this is information only.",
    why="A client sees errors although its request is correct, and has to repeat it.",
    remedy="Give the server more capacity or a queue, or let fewer clients use it at once. Run endpoint-probe with "
    "--concurrency 1, or at another time.",
    verify="A run ends without a 503 or 529.",
    sources=("RFC 9110 section 15.6.4", "Anthropic API documentation: 529 overloaded_error"),
)
BODY_SIZE = Diagnosis(
    code="limits.body-size",
    severity=Severity.ERROR,
    owner=Owner.GATEWAY,
    title="Request body limit too low",
    what="Requests were refused because of their size (413, an error that says so, or twice where the same request "
    "without its spaces was answered), by a limit of a gateway or of the server.",
    why="Conversations, tool definitions and pictures are part of the body; clients fail once it exceeds the limit.",
    remedy="Raise the limit on the body at the gateway or its web application firewall, to 32 MB where pictures are "
    "sent.",
    verify="The request in the evidence is answered with status 200.",
    sources=("RFC 9110 section 15.5.14", "nginx documentation: client_max_body_size"),
)
CONTEXT_SILENT = Diagnosis(
    code="limits.context-silent",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Long prompts silently truncated",
    what="A long prompt was answered with success, and its token count is much lower than its length: part of it was "
    "removed before the model read it.",
    why="Long conversations lose their beginning (often the instructions or the file in question) without an error, so "
    "clients do not shorten them in time.",
    remedy="Raise the server's context length, or configure it to refuse prompts that do not fit. Set the context "
    "length in the client to the server's real one.",
    verify="The prompt in the evidence is answered with all its tokens counted, or refused with status 400.",
    sources=("ollama/ollama docs: context length", "ollama/ollama#2722", "sgl-project/sglang --allow-auto-truncate"),
)

CONTEXT_SMALL = Diagnosis(
    code="limits.context-small",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Context too small for agents",
    what="The endpoint names a context length, for the prompt and the answer together, that cannot hold what coding "
    "agents send before the user's first word: 5,000 to 22,000 tokens of instructions and tools.",
    why="The first request of an agent is refused or cut. A chat without tools works until it has grown so long.",
    remedy="Start the server with a context of at least 16,384 tokens, 32,768 for large agents. Set the same context "
    "length in the client.",
    verify="The list of models, or the refusal in the evidence, names the larger length.",
    sources=("docs/clients.md: what agents send", "charmbracelet/crush#3134", "ollama/ollama docs: context length"),
)

_SENTENCE = "The quick brown fox jumps over the lazy dog.\n"
#: Sentences in the prompt that shows what one costs (about 10 tokens each).
SMALL = 60
#: Tokens of the long prompt if the context length is unknown or above ``LONGEST``: well over 8,192, so that
#: truncation to that length shows.
GUESS = 10_500
#: The long prompt is this much longer than the known context length; truncated, it loses a fifth.
OVERFILL = 1.25
#: A prompt was truncated if fewer than this share of the expected tokens are counted.  A repeated sentence always
#: costs the same, so the estimate is good to a few percent.
WHOLE = 0.9
#: The same if the model still knows the start of the prompt, which only a much lower count contradicts.
WHOLE_AND_KNOWN = 0.75
#: The longest context that is filled, in tokens.
LONGEST = 16_384
#: Tokens of instructions and tools that every coding agent sends before the user's first word (docs/clients.md).
AGENTS_SEND = 5_000
#: Time for a long prompt on a small machine, in seconds.
PATIENCE_S = 180.0


@check(
    "limits.seen",
    title="Collect rate limits and quotas",
    proves="The run was neither delayed by rate limits nor stopped by a quota.",
    after={"*"},
    emits=(RATE_LIMITED, QUOTA, LOADING, OVERLOADED, BODY_SIZE, CONTEXT_SMALL),
    max_requests=0,
    depth=Depth.QUICK,
)
async def seen(ctx: Context) -> Result:
    length = ctx.facts.get("context_length") or declared_context(ctx.exchanges, ctx.target.model)
    facts = {"context_length": length, "rate_limits": rate_limits(ctx.exchanges)}
    result = diagnose_limits(ctx.exchanges, ctx.throttled) | Result(facts=facts)
    # A length that was only seen in prompts that were cut is reported as such.
    if (
        CONTEXT_SILENT.code in ctx.codes
        or "chat" not in ctx.verdicts
        or ctx.verdicts["chat"].verdict is not State.WORKS
    ):
        return result
    return result | diagnose_size(ctx.exchanges, length, ctx.target.model)


def diagnose_size(exchanges: Sequence[Exchange], length: int | None, model: str | None) -> Result:
    """Whether the first request of an agent fits into a context of this many tokens."""
    if length is None or length >= AGENTS_SEND:
        return Result()
    named = (one for one in exchanges if length in (declared_context((one,), model), context_in_refusal(one)))
    shown = next(named, None)
    return Result() if shown is None else Result((CONTEXT_SMALL.found(
        f"The context holds {length:,} tokens, and agents send at least {AGENTS_SEND:,} before the first word.",
        shown.shows("/response/body", expected=f"at least {AGENTS_SEND}", actual=length),
    ),))  # fmt: skip


@check(
    "limits.context",
    title="Send a prompt that is too long",
    proves="A prompt that does not fit is refused, not silently truncated.",
    requires={"chat"},
    after={"model_list"},
    emits=(CONTEXT_SILENT,),
    max_requests=2,
    max_tokens=LONGEST * 5 // 4 + 2_000,
    max_seconds=2 * PATIENCE_S,
    depth=Depth.DEEP,
    exclusive=True,  # a long prompt keeps a small server from answering other requests
)
async def context(ctx: Context) -> Result:
    declared = declared_context(ctx.exchanges, ctx.target.model)
    code = ctx.nonce("context")
    small = await ctx.chat(long_prompt(code, SMALL), limit=talk.LIMIT)
    tokens = completion.prompt_tokens(small)
    if not completion.is_completion(small) or tokens is None or not counts_live(ctx.exchanges):
        raise Inconclusive("prompt tokens are not counted, so truncation cannot be detected")
    first = first_chat(ctx)
    fixed = (completion.prompt_tokens(first) if first is not None else None) or 0
    times = repetitions(declared, tokens, fixed)
    patience = max(PATIENCE_S, ctx.options.timeout_s)
    big = await ctx.chat(long_prompt(code, times), limit=talk.LIMIT, timeout_s=patience)
    return diagnose_context(small, big, times, code, declared, fixed)


def expected_tokens(price: int, fixed: int, times: int) -> int:
    """Prompt tokens that a prompt with ``times`` sentences must have.

    Args:
        price: prompt tokens with ``SMALL`` sentences.
        fixed: prompt tokens of a short question: the cost of the template, or of a system prompt that the
            server adds, which does not grow with the sentences.
    """
    return price + max(price - fixed, 0) * (times - SMALL) // SMALL


def long_prompt(code: str, times: int) -> str:
    """A code, the sentence repeated, and the question for the code."""
    return f"{talk.secret(code)}\n{_SENTENCE * times}{talk.QUESTION}"


def repetitions(declared: int | None, small_tokens: int, fixed: int = 0) -> int:
    """How many sentences overfill the context, as far as its length is known.

    Args:
        declared: the context length in tokens, or None.
        small_tokens: prompt tokens with ``SMALL`` sentences.
        fixed: prompt tokens of a short question, 0 if unknown.
    """
    wanted = int(declared * OVERFILL) if declared and declared <= LONGEST else GUESS
    return max(2 * SMALL, (wanted - fixed) * SMALL // max(small_tokens - fixed, 1))


# Reading limits from answers ------------------------------------------------------------------------

_LENGTHS = ("max_model_len", "context_length", "context_window", "max_context_length", "max_input_tokens")
_PLACES: Sequence[tuple[str, ...]] = (
    *((name,) for name in _LENGTHS),
    ("top_provider", "context_length"),
    ("meta", "n_ctx"),
    ("metadata", "context_length"),
    ("parameters", "max_seq_len"),
)


def declared_context(exchanges: Iterable[Exchange], model: str | None) -> int | None:
    """The context length in tokens that a model list or a page of the server declares for the model.

    The smallest one if an entry has several (OpenRouter: the model's and the provider's).
    """
    for exchange in exchanges:
        if exchange.request.method != "GET" or not completion.ok(exchange):
            continue
        body = completion.body_of(exchange)
        served = count_at(body, "default_generation_settings", "n_ctx")
        if served:
            return served
        listed = member(body, "data") if isinstance(body, dict) else body
        entries = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
        fitting = [item for item in entries if item.get("id") == model] or (entries if len(entries) == 1 else [])
        found = [count for item in fitting for place in _PLACES if (count := count_at(item, *place))]
        if found:
            return min(found)
    return None


_REFUSED_LENGTH = tuple(
    re.compile(text + r"\D{0,40}?(\d[\d,]{2,8})", re.IGNORECASE)
    for text in (
        r"n_ctx['\":= ]",
        r"max_model_len[= ]",
        r"maximum context (?:length|size|window)",
        r"(?:loaded|available|model'?s?) [^.\d]{0,30}context (?:length|size|window)",
        r"context (?:length|size|window)",
        r"maximum number of tokens allowed",
        r"must be <=",
        r"must have less than",
    )
)


def context_in_refusal(exchange: Exchange) -> int | None:
    """The context length in tokens that a refusal names, or None."""
    counted = count_at(completion.body_of(exchange), "error", "n_ctx")
    if counted:
        return counted
    text = completion.error_text(exchange)
    match = next(filter(None, (pattern.search(text) for pattern in _REFUSED_LENGTH)), None)
    return int(match[1].replace(",", "")) if match else None


def rate_limits(exchanges: Sequence[Exchange]) -> dict[str, str] | None:
    """The rate-limit headers of the latest response that has any, or None."""
    for exchange in reversed(exchanges):
        headers: Iterable[tuple[str, str]] = exchange.response.headers if exchange.response else ()
        fields = ((name.lower(), value[:100]) for name, value in headers)
        found = {name: value for name, value in fields if re.match(r"(x-)?ratelimit", name)}
        if found:
            return found
    return None


def diagnose_limits(exchanges: Sequence[Exchange], throttled: Sequence[Exchange]) -> Result:
    """How rate limits and quotas affected the run.

    Args:
        exchanges: all of the run.
        throttled: those that were answered with 429 or 503.
    """
    findings = []
    spent = [one for one in exchanges if completion.is_quota(one)]
    if spent:
        refused = f"{wording.amount(len(spent), 'request')} {wording.form(len(spent), 'was', 'were')} refused"
        findings.append(QUOTA.found(f"{refused}: {words_of(spent[0])}.", spent[0].shows_status(200)))
    # A refused model id with status 503 (one-api) is not a sign of load.
    waits = [one for one in throttled if one not in spent and not _refuses_model(one)]
    by_cause: dict[refusal.Cause, list[Exchange]] = {}
    for one in waits:
        by_cause.setdefault(refusal.read(one, exchanges).cause, []).append(one)
    if refusal.Cause.UPSTREAM in by_cause:  # the pages of a gateway whose backend never came back
        busy = by_cause.get(refusal.Cause.OVERLOAD, [])
        by_cause[refusal.Cause.OVERLOAD] = [one for one in busy if not refusal.is_page(one)]
    for cause, make in _WAITED_FOR.items():
        shown = by_cause.get(cause, [])
        if shown:
            found = make(shown, [one for one in shown if not _answered_later(one, exchanges)])
            remedy = refusal.passed_on(shown[0], found.remedy) or found.remedy
            findings.append(replace(found, detail=found.detail + _by_the_run(shown[0], exchanges), remedy=remedy))
    large = [one for one in exchanges if completion.obstacle(one) is Obstacle.SIZE]
    if large:
        findings.append(_too_large(large, exchanges))
    elif tried := refused_for_size(exchanges):
        findings.append(_refused_in_other_words(*tried))
    return Result(tuple(findings), note=f"{wording.amount(len(waits), 'request')} had to wait" if waits else "")


def _refuses_model(exchange: Exchange) -> bool:
    model = member(exchange.request.body, "model")
    return classify(exchange, model if isinstance(model, str) else None) is Reply.MODEL


def _answered_later(throttled: Exchange, exchanges: Sequence[Exchange]) -> bool:
    """Whether the same request was answered later; for a model list, under any base path.

    A request without a body is not always repeated: asked once, it is taken as answered.
    """
    wanted = _same(throttled)
    same = [one for one in exchanges if _same(one) == wanted]
    if throttled.request.method != "POST" and len(same) == 1:
        return True
    return any(
        not completion.is_throttled(one) and one.timeline.started_s >= throttled.timeline.started_s for one in same
    )


def _same(exchange: Exchange) -> str:
    request = exchange.request
    url = request.url if request.method == "POST" else request.url.partition("?")[0].rstrip("/").rpartition("/")[2]
    return json.dumps([request.method, url, request.body], sort_keys=True, default=str)


_COOLDOWN = re.compile(r"cool-?down|no deployments available", re.IGNORECASE)
#: Limits are counted in windows of up to a minute.
_WINDOW_S = 60.0


def _by_the_run(first: Exchange, exchanges: Sequence[Exchange]) -> str:
    """A sentence on the part of the run's own requests in a first "not now", or an empty text."""
    cause = refusal.read(first, exchanges).cause
    began = first.timeline.started_s
    before = [
        one
        for one in exchanges
        if one.request.method == "POST" and 0 < began - one.timeline.started_s <= _WINDOW_S and one.status is not None
    ]
    if _COOLDOWN.search(completion.error_text(first)[:1000]):
        failed = [one for one in before if one.status in (401, 404, 408) or (one.status or 0) >= 500]
        if not failed:
            return " No request of this run failed before, so another client caused it."
        return (
            f" The run itself caused it: the gateway takes a backend out of service after a failure, and "
            f"{failed[-1].check} was answered with {failed[-1].status} just before."
        )
    if cause not in (refusal.Cause.RATE, refusal.Cause.OVERLOAD) or not before:
        return ""
    since = wording.seconds(began - before[0].timeline.started_s)
    return f" The run itself took part in it, with {wording.amount(len(before), 'request')} in the {since} before."


def _rate_limited(shown: Sequence[Exchange], lost: Sequence[Exchange]) -> Finding:
    first = shown[0]
    after = first.response.header("retry-after") if first.response else None
    count = f"{wording.amount(len(shown), 'request')} {wording.form(len(shown), 'was', 'were')} rejected"
    answer = f"{words_of(first)}{f'; Retry-After {after[:40]}' if after else ''}"
    return RATE_LIMITED.found(
        f"{count} ({answer}), {'and some were never answered' if lost else 'and answered later'}.",
        *(one.shows_status(200) for one in shown[:3]),
        severity=Severity.WARNING if lost else Severity.INFO,
    )


def _loading(shown: Sequence[Exchange], lost: Sequence[Exchange]) -> Finding:
    return LOADING.found(
        f"{_rejected(shown)}, {'and some were never answered' if lost else 'and answered later'}.",
        *(one.shows_status(200) for one in shown[:3]),
        severity=Severity.ERROR if lost else Severity.INFO,
    )


def _overloaded(shown: Sequence[Exchange], lost: Sequence[Exchange]) -> Finding:
    named = refusal.hop(shown[0])
    return OVERLOADED.found(
        f"{_rejected(shown)}, {'and some were never answered' if lost else 'and answered later'}"
        f"{f'; the answer names {named}' if named else ''}.",
        *(one.shows_status(200) for one in shown[:3]),
        severity=Severity.WARNING if lost else Severity.INFO,
        owner=Owner.GATEWAY if refusal.is_page(shown[0]) else None,
    )


_WAITED_FOR: Mapping[refusal.Cause, Callable[[Sequence[Exchange], Sequence[Exchange]], Finding]] = {
    refusal.Cause.RATE: _rate_limited,
    refusal.Cause.LOADING: _loading,
    refusal.Cause.OVERLOAD: _overloaded,
}


def _rejected(shown: Sequence[Exchange]) -> str:
    count = f"{wording.amount(len(shown), 'request')} {wording.form(len(shown), 'was', 'were')} rejected"
    return f"{count} ({words_of(shown[0])})"


def _too_large(large: Sequence[Exchange], exchanges: Sequence[Exchange]) -> Finding:
    """The finding for requests refused because of their size, between the largest accepted and the smallest refused."""
    least = min(large, key=size_of)
    passed = max((size_of(one) for one in exchanges if completion.ok(one) and one.request.body), default=0)
    named = refusal.hop(least)
    accepted = f"; one with {passed} bytes was answered" if passed else ""
    text = completion.error_text(least)[:1000]
    of_tokens = "Send shorter conversations, or use a model or a plan with a higher limit: what is counted are tokens."
    return BODY_SIZE.found(
        f"A request with a body of {size_of(least)} bytes was refused with {least.status}{accepted}"
        f"{f'; the answer names {named}' if named else ''}{f': {text[:200]}' if 'token' in text.lower() else ''}.",
        *(one.shows_status(200) for one in large[:3]),
        owner=None if refusal.is_page(least) else Owner.SERVER,
        remedy=of_tokens if "token" in text.lower() else refusal.passed_on(least, BODY_SIZE.remedy),
    )


def _refused_in_other_words(large: Exchange, small: Exchange) -> Finding:
    """The finding for a request that is refused only with spaces in it, in words that do not speak of its size."""
    ending = words_of(large) if large.response else f"the connection was {large.error.kind if large.error else 'lost'}"
    return BODY_SIZE.found(
        f"A request with a body of {size_of(large)} bytes, most of them spaces, was refused twice ({ending}); without "
        f"the spaces, with {size_of(small)} bytes, it was answered.",
        large.shows_status(200),
        small.shows_status(200),
        owner=None if large.response is None or refusal.is_page(large) else Owner.SERVER,
        remedy=refusal.passed_on(large, BODY_SIZE.remedy),
    )


def diagnose_context(
    small: Exchange, big: Exchange, times: int, code: str, declared: int | None, fixed: int = 0
) -> Result:
    """Whether a long prompt was read completely, refused, or silently truncated.

    Args:
        small: the prompt with ``SMALL`` sentences, answered and counted.
        big: the prompt with ``times`` sentences.
        code: the code at the start of both.
        declared: the context length that the endpoint declares, in tokens.
        fixed: prompt tokens of a short question, 0 if unknown.

    Raises:
        Inconclusive: the long prompt was lost, or its tokens were not counted.
    """
    price = completion.prompt_tokens(small) or 0
    expected = expected_tokens(price, fixed, times)
    if big.status is None or big.error is not None:
        raise Inconclusive(f"a prompt of about {expected} tokens was lost ({big.error.kind if big.error else ''})")
    if not 200 <= big.status < 300:
        length = context_in_refusal(big)
        if length is None and not completion.speaks_of(big, "context", "token", "too long", "length"):
            raise Inconclusive(f"a prompt of about {expected} tokens: {words_of(big)}")
        return Result(facts={"context_length": length}, note=f"clearly refused: {words_of(big)}")
    tokens = completion.prompt_tokens(big)
    if tokens is None:
        raise Inconclusive("prompt tokens are not counted")
    known = repeats(big, code)
    if tokens >= (WHOLE_AND_KNOWN if known else WHOLE) * expected:
        whole = f"a prompt of {tokens} tokens was read completely"
        return Result(note=f"{whole}; {declared} are declared" if declared and declared > tokens else whole)
    finding = CONTEXT_SILENT.found(
        f"A prompt of about {expected} tokens was answered with success, and {tokens} were counted"
        f"{'' if known else '; the model does not know the start of the prompt'}."
        f"{f' The endpoint declares a context of {declared} tokens.' if declared else ''}",
        big.shows("/response/body/usage/prompt_tokens", expected=f"about {expected}, or status 400", actual=tokens),
        small.shows("/response/body/usage/prompt_tokens", expected=price, actual=price),
    )
    facts: Mapping[str, Any] = {} if known else {"context_length": tokens}
    return Result((finding,), facts=facts)
