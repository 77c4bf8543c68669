"""What the endpoint allows: how often, how much, and how long a prompt.

429 and 503 are waited out wherever they come; here they are only told.  The context length is
read from the model list and from refusals; whether a prompt that does not fit is refused or
cut in silence is tried at the deepest level, since it costs thousands of tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from checks.shared import conversation as talk
from checks.shared.chat_reply import Reply, classify
from checks.shared.evidence import counts_live, repeats
from checks.shared.outcome import words_of
from probe.api import (
    Depth,
    Diagnosis,
    Exchange,
    Finding,
    Inconclusive,
    Owner,
    Result,
    Severity,
    check,
    completion,
    count_at,
    member,
)

if TYPE_CHECKING:
    from probe.api import Context


# The catalogue entries of the limits family. -------------------------------------------------------

RATE_LIMITED = Diagnosis(
    code="limits.rate-limited",
    severity=Severity.INFO,
    owner=Owner.KEY,
    title="Requests are turned away for a while",
    what="Some requests were answered with 429 (or, without end, with 503). They were waited out and sent again; what "
    "never came through in time is a warning, since nothing could be told of it.",
    why="A client that sends several requests at once, as agents do, meets the same limit and has to wait as well.",
    remedy="Raise the limit of this key or deployment, or let the client send fewer requests at once and honour "
    "Retry-After; run endpoint-probe with --concurrency 1 for the rest.",
    verify="A run ends without a 429.",
    sources=("RFC 6585 section 4", "RFC 9110 section 10.2.3", "BerriAI/litellm docs: cooldowns"),
)
QUOTA = Diagnosis(
    code="limits.quota",
    severity=Severity.ERROR,
    owner=Owner.KEY,
    title="The account's quota or credit is used up",
    what="Requests were refused because the account has no credit or quota left.",
    why="No request will be answered until the account is topped up; waiting does not help.",
    remedy="Top the account up, raise its budget, or use the key of another one.",
    verify="A chat request is answered with status 200.",
    sources=("OpenAI API error codes: insufficient_quota", "RFC 9110 section 15.5.3", "BerriAI/litellm docs: budgets"),
)
CONTEXT_SILENT = Diagnosis(
    code="limits.context-silent",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="A prompt that is too long is cut without a word",
    what="A long prompt was answered with success, and its token count is much lower than its length: a part of it was "
    "thrown away before the model saw it.",
    why="Long conversations lose their beginning (often the instructions or the file in question), and the model "
    "answers as if they had never been there. A client cannot notice, so it never shortens the conversation itself.",
    remedy="Raise the server's context length, or let it refuse prompts that do not fit; set the context length in the "
    "client to what the server really takes.",
    verify="The prompt in the evidence is answered with all its tokens counted, or refused with status 400.",
    sources=("ollama/ollama docs: context length", "ollama/ollama#2722", "sgl-project/sglang --allow-auto-truncate"),
)


# What the endpoint allows: how often, how much, and how long a prompt. -----------------------------

_SENTENCE = "The quick brown fox jumps over the lazy dog.\n"
#: How often the sentence stands in the prompt that gives its price, about 10 tokens each.
SMALL = 60
#: Tokens of the long prompt where no context length is known, and where it is too long to fill:
#: well over 8,192, so that a cut to that can be seen.
GUESS = 10_500
#: A long prompt overfills the known length by this factor.  Cut to that length, it loses a fifth.
OVERFILL = 1.25
#: A prompt whose count is below this share of what it must be was cut.  The same sentence repeated has
#: a constant price, so the estimate is good to some percent.
WHOLE = 0.9
#: The same where the model still knows what stood at the start: then only a count far too low tells.
WHOLE_AND_KNOWN = 0.75
#: The longest context that is filled.
LONGEST = 16_384
#: A long prompt takes its time on a small machine (seconds).
PATIENCE_S = 180.0


@check(
    "limits.seen",
    title="Look at rate limits and quotas",
    proves="The run was not held up by rate limits, nor stopped by a quota.",
    after={"*"},
    emits=(RATE_LIMITED, QUOTA),
    max_requests=0,
    depth=Depth.QUICK,
)
async def seen(ctx: Context) -> Result:
    known = ctx.facts.get("context_length")
    facts = {
        "context_length": known or declared_context(ctx.exchanges, ctx.target.model),
        "rate_limits": rate_limits(ctx.exchanges),
    }
    return diagnose_limits(ctx.exchanges, ctx.throttled) | Result(facts=facts)


@check(
    "limits.context",
    title="Send a prompt that is too long",
    proves="A prompt that does not fit is refused, and none is cut in silence.",
    requires={"chat"},
    after={"model_list"},
    emits=(CONTEXT_SILENT,),
    max_requests=2,
    max_tokens=LONGEST * 5 // 4 + 2_000,
    max_seconds=2 * PATIENCE_S,
    depth=Depth.DEEP,
    exclusive=True,  # a long prompt keeps a small server from answering anybody else
)
async def context(ctx: Context) -> Result:
    declared = declared_context(ctx.exchanges, ctx.target.model)
    code = ctx.nonce("context")
    small = await ctx.chat(long_prompt(code, SMALL), limit=talk.LIMIT)
    tokens = completion.prompt_tokens(small)
    if not completion.is_completion(small) or tokens is None or not counts_live(ctx.exchanges):
        raise Inconclusive("prompt tokens are not counted, so nothing tells whether a prompt was cut")
    basic = next((item for item in ctx.exchanges if item.id == ctx.target.extra.get("chat_exchange")), None)
    fixed = (completion.prompt_tokens(basic) if basic is not None else None) or 0
    times = repetitions(declared, tokens, fixed)
    patience = max(PATIENCE_S, ctx.options.timeout_s)
    big = await ctx.chat(long_prompt(code, times), limit=talk.LIMIT, timeout_s=patience)
    return diagnose_context(small, big, times, code, declared, fixed)


def expected_tokens(price: int, fixed: int, times: int) -> int:
    """Prompt tokens that a prompt with ``times`` sentences must have.

    Args:
        price: prompt tokens with ``SMALL`` sentences.
        fixed: prompt tokens of a short question: what the template, or a system prompt that the
            server adds, costs every request, and which does not grow with the sentences.
    """
    return price + max(price - fixed, 0) * (times - SMALL) // SMALL


def long_prompt(code: str, times: int) -> str:
    """A code, so many times the same sentence, and the question for the code."""
    return f"{talk.secret(code)}\n{_SENTENCE * times}{talk.QUESTION}"


def repetitions(declared: int | None, small_tokens: int, fixed: int = 0) -> int:
    """How often the sentence has to stand in a prompt that overfills the context, as far as it is known.

    Args:
        declared: the context length in tokens, or None.
        small_tokens: prompt tokens of the prompt with ``SMALL`` sentences.
        fixed: prompt tokens of a short question, 0 where they are not known.
    """
    wanted = int(declared * OVERFILL) if declared and declared <= LONGEST else GUESS
    return max(2 * SMALL, (wanted - fixed) * SMALL // max(small_tokens - fixed, 1))


# What is declared and told -------------------------------------------------------------------------

_LENGTHS = ("max_model_len", "context_length", "context_window", "max_context_length", "max_input_tokens")
_PLACES: Sequence[tuple[str, ...]] = (
    *((name,) for name in _LENGTHS),
    ("top_provider", "context_length"),
    ("meta", "n_ctx"),
    ("metadata", "context_length"),
    ("parameters", "max_seq_len"),
)


def declared_context(exchanges: Iterable[Exchange], model: str | None) -> int | None:
    """The context length in tokens that a model list or a server's own page gives for the model.

    Where an entry gives several, the smallest counts (OpenRouter: the model's and the provider's).
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


_NUMBER = r"\D{0,40}?(\d[\d,]{2,8})"
_TOLD = tuple(
    re.compile(text + _NUMBER, re.IGNORECASE)
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


def told_context(exchange: Exchange) -> int | None:
    """The context length in tokens that a refusal names, or None."""
    counted = count_at(completion.body_of(exchange), "error", "n_ctx")
    if counted:
        return counted
    text = completion.error_text(exchange)
    for pattern in _TOLD:
        match = pattern.search(text)
        if match:
            return int(match[1].replace(",", ""))
    return None


def rate_limits(exchanges: Iterable[Exchange]) -> dict[str, str] | None:
    """The rate-limit fields of the newest response that has some, or None."""
    for exchange in reversed(list(exchanges)):
        headers: Iterable[tuple[str, str]] = exchange.response.headers if exchange.response else ()
        found = {
            name.lower(): value[:100] for name, value in headers if re.match(r"(x-)?ratelimit", name, re.IGNORECASE)
        }
        if found:
            return found
    return None


# Diagnosis ---------------------------------------------------------------------------------------


def diagnose_limits(exchanges: Sequence[Exchange], throttled: Sequence[Exchange]) -> Result:
    """What rate limits and quotas did to the run.

    Args:
        exchanges: all of the run.
        throttled: those that were answered 429 or 503.
    """
    findings = []
    spent = [one for one in exchanges if completion.is_quota(one)]
    if spent:
        findings.append(
            QUOTA.found(
                f"{len(spent)} requests were refused for it: {words_of(spent[0])}.",
                spent[0].shows("/response/status", expected=200, actual=spent[0].status),
            )
        )
    # A refused model id that is given status 503 (one-api) is no sign of load.
    waits = [one for one in throttled if one not in spent and _not_now(one)]
    lost = [one for one in waits if not _came_through(one, exchanges)]
    shown = [one for one in waits if one.status == 429] or lost
    if shown:
        findings.append(_turned_away(shown, lost))
    return Result(tuple(findings), note=f"{len(waits)} requests had to wait" if waits else "")


def _not_now(turned: Exchange) -> bool:
    model = member(turned.request.body, "model")
    return classify(turned, model if isinstance(model, str) else None) is not Reply.MODEL


def _came_through(turned: Exchange, exchanges: Sequence[Exchange]) -> bool:
    """Whether the same request was answered later.  A look at the model list is not asked for again."""
    if turned.request.method != "POST":
        return True
    wanted = _same(turned)
    return any(
        _same(one) == wanted
        and not completion.is_throttled(one)
        and one.timeline.started_s >= turned.timeline.started_s
        for one in exchanges
    )


def _same(exchange: Exchange) -> str:
    request = exchange.request
    return json.dumps([request.method, request.url, request.body], sort_keys=True, default=str)


def _turned_away(shown: Sequence[Exchange], lost: Sequence[Exchange]) -> Finding:
    first = shown[0]
    after = first.response.header("retry-after") if first.response else None
    detail = (
        f"{len(shown)} requests were turned away ({words_of(first)}{f'; Retry-After {after[:40]}' if after else ''})"
    )
    detail += ", and some never came through." if lost else ", and came through later."
    return RATE_LIMITED.found(
        detail,
        *(one.shows("/response/status", expected=200, actual=one.status) for one in shown[:3]),
        severity=Severity.WARNING if lost else Severity.INFO,
    )


def diagnose_context(
    small: Exchange, big: Exchange, times: int, code: str, declared: int | None, fixed: int = 0
) -> Result:
    """Whether a long prompt was read whole, refused, or cut in silence.

    Args:
        small: the prompt with ``SMALL`` sentences, answered and counted.
        big: the prompt with ``times`` sentences.
        code: what stands at the start of both.
        declared: the context length that the endpoint declares, in tokens.
        fixed: prompt tokens of a short question, 0 where they are not known.

    Raises:
        Inconclusive: the long prompt was lost on the way, or its tokens were not counted.
    """
    price = completion.prompt_tokens(small) or 0
    expected = expected_tokens(price, fixed, times)
    if big.status is None or big.error is not None:
        raise Inconclusive(f"a prompt of some {expected} tokens was lost ({big.error.kind if big.error else ''})")
    if not 200 <= big.status < 300:
        told = told_context(big)
        if told is None and not completion.speaks_of(big, "context", "token", "too long", "length"):
            raise Inconclusive(f"a prompt of some {expected} tokens: {words_of(big)}")
        return Result(facts={"context_length": told}, note=f"refused clearly: {words_of(big)}")
    tokens = completion.prompt_tokens(big)
    if tokens is None:
        raise Inconclusive("prompt tokens are not counted")
    known = repeats(big, code)
    if tokens >= (WHOLE_AND_KNOWN if known else WHOLE) * expected:
        whole = f"a prompt of {tokens} tokens was read whole"
        return Result(note=f"{whole}; {declared} are declared" if declared and declared > tokens else whole)
    finding = CONTEXT_SILENT.found(
        f"A prompt of some {expected} tokens was answered with success, and {tokens} were counted"
        f"{'' if known else '; the model does not know what stood at its start'}."
        f"{f' The endpoint declares a context of {declared} tokens.' if declared else ''}",
        big.shows("/response/body/usage/prompt_tokens", expected=f"some {expected}, or status 400", actual=tokens),
        small.shows("/response/body/usage/prompt_tokens", expected=price, actual=price),
    )
    facts: Mapping[str, Any] = {} if known else {"context_length": tokens}
    return Result((finding,), facts=facts)
