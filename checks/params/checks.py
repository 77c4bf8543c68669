"""Which request parameters are accepted, and which have an effect.

The two names of the output limit are tested one by one.  All other parameters are sent in one request; only if
it is refused are the responsible ones searched for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from checks.params.catalogue import (
    CUT_UNREPORTED,
    DEFAULT_LIMIT,
    LOGPROBS_IGNORED,
    MAX_COMPLETION_TOKENS_REJECTED,
    MAX_TOKENS_IGNORED,
    MAX_TOKENS_REJECTED,
    SAMPLING_REJECTED,
    STOP_IGNORED,
    STOP_IN_THINKING,
    UNKNOWN_REJECTED,
)
from checks.params.reading import (
    Limit,
    Logprobs,
    SecondTry,
    Stop,
    cut_unreported,
    ends_in_thinking,
    limit_of,
    logprobs_of,
    named,
    stop_of,
    word_within,
)
from checks.shared import stream_requests
from checks.shared.outcome import Answer, outcome, words_of
from checks.shared.trials import repeat_unclear
from checks.tools.call_limits import CUT_LIMIT, calls_by_choice, limited_call
from probe.api import (
    Depth,
    Diagnosis,
    Exchange,
    Finding,
    Inconclusive,
    Result,
    Severity,
    Skip,
    State,
    Verdict,
    check,
    completion,
    member,
    unknown,
    wording,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

#: Even very small models count; the answer needs far more tokens than the limit.
COUNT_40 = "Count from 1 to 40."
COUNT_30 = "Count from 1 to 30."
LIMIT = 16
NAMES = ("max_tokens", "max_completion_tokens")


@check(
    "params.limit",
    title="Limit the length of the answer",
    proves="max_tokens limits the answer; whether max_completion_tokens does.",
    requires={"chat"},
    after={"tools"},
    emits=(MAX_TOKENS_REJECTED, MAX_COMPLETION_TOKENS_REJECTED, MAX_TOKENS_IGNORED, CUT_UNREPORTED),
    max_requests=5,
    max_tokens=1400,
)
async def limit(ctx: Context) -> Result:
    answers: dict[str, Sequence[Exchange]] = {}
    for name in NAMES:
        # The first chat request of the run may have been refused because of this name already.
        before = refusals(ctx.exchanges, name) if ctx.target.limit_param not in (name, None) else []
        if name == ctx.target.limit_param and (cut := await _call_cut_off(ctx)):
            before = [cut]
        answers[name] = before or await repeat_unclear(lambda name=name: _limited(ctx, name), name)  # type: ignore[misc]
    for name, asked in answers.items():
        if cut_unreported(asked[-1]):
            answers[name] = [*asked, await _limited(ctx, name)]
            break
    return diagnose_limit(answers)


async def _call_cut_off(ctx: Context) -> Exchange | None:
    """A call that the limit cuts off, which proves the limit and is judged by tools.cut; None where it does not."""
    if not calls_by_choice(ctx) or ctx.target.thinks:
        return None
    exchange = await limited_call(ctx)
    cut = completion.is_completion(exchange) and completion.finish_reason(exchange) == "length"
    return exchange if cut and completion.usage(exchange)[1] in (None, CUT_LIMIT) else None


async def _limited(ctx: Context, name: str) -> Exchange:
    """A long answer under one name of the limit; not through ``ctx.chat``, which would repeat it with more room."""
    url = ctx.target.chat_url
    if url is None:
        raise Skip("no URL for chat completions is known")
    parameters: dict[str, Any] = {**dict.fromkeys(NAMES), name: LIMIT}
    return await ctx.send("POST", url, body=ctx.chat_body(COUNT_40, **parameters), tokens=LIMIT + 40)


def refusals(exchanges: Sequence[Exchange], name: str) -> list[Exchange]:
    """Requests of the run that were refused because of this parameter, except those that have to be refused."""
    return [
        one
        for one in exchanges
        if not one.check.startswith("errors.")
        and not completion.is_completion(one)
        and not completion.is_stream(one)
        and ((one.status or 0) >= 400 or completion.has_error_body(one))
        and not completion.obstacle(one)
        and member(one.request.body, name) is not None
        and named(one, (name,))
    ]


# All other parameters -------------------------------------------------------------------------------

#: A parameter that servers do not know.
INVENTED = "endpoint_probe_unknown"
OTHERS: Mapping[str, Any] = {
    "logprobs": True,
    "top_logprobs": 2,
    "seed": 7,
    "user": "endpoint-probe",
    "top_p": 0.9,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "store": False,
    "reasoning_effort": "low",
    INVENTED: True,
}
#: The two that are refused only if they are sent together (Claude models on Bedrock and Vertex AI).
PAIR = "temperature and top_p"
#: Left out together if a refusal names no parameter, the likeliest group first.
GROUPS = (
    (INVENTED, "store", "reasoning_effort"),
    ("logprobs", "top_logprobs"),
    ("presence_penalty", "frequency_penalty", "top_p"),
    ("seed", "user"),
    ("stop",),
)
_MOST_TRIES = 9
#: Asked for where the answer ends with the first sequence, at which a model may stop by itself.
EARLIER = "4"
#: An answer of so many tokens was not cut by a limit that hurts (the answer asked for has fewer).
_ROOM = 120


@check(
    "params.others",
    title="Send the other parameters",
    proves="Stop sequences end the answer, log probabilities are returned, and no common parameter is refused.",
    requires={"chat"},
    provides={"stop", "logprobs"},
    emits=(STOP_IGNORED, STOP_IN_THINKING, LOGPROBS_IGNORED, DEFAULT_LIMIT),
    max_requests=_MOST_TRIES + 4,
    max_tokens=2500,
)
async def others(ctx: Context) -> Result:
    stops = stop_sequences(ctx.target.thinks)
    refused: dict[str, Exchange] = {}
    wanted: dict[str, Any] = {**OTHERS, "stop": list(stops)}
    if _stops_by_itself(ctx):
        wanted |= dict.fromkeys(NAMES)
    asked = await repeat_unclear(lambda: _with(ctx, wanted), *wanted)
    tries = len(asked)
    last = asked[-1]
    while _refused(last, wanted) and tries < _MOST_TRIES:
        names = responsible(last, wanted)
        if not names:
            found, last = await _search(ctx, wanted, last, _MOST_TRIES - tries)
            refused |= found
            break
        refused |= dict.fromkeys(names, last)
        wanted = {name: value for name, value in wanted.items() if name not in names}
        last = await _with(ctx, wanted)
        tries += 1
    short = last if own_limit(last) else None
    if short is not None:
        wanted = {name: value for name, value in wanted.items() if name not in NAMES}
        last = await _with(ctx, wanted)
    if "top_p" in refused and "temperature" not in ctx.target.dropped_params:
        alone = await ctx.chat("Say hello.", limit=20, temperature=None, top_p=OTHERS["top_p"])
        if completion.is_completion(alone):
            refused[PAIR] = refused.pop("top_p")
    if "stop" in wanted and ends_in_thinking(last):
        plain = {name: value for name, value in wanted.items() if name != "stop"}
        again = [await _with(ctx, plain), await _with(ctx, wanted)]
        if completion.answer(again[0]) and ends_in_thinking(again[1]):
            known = _judge_logprobs(again[0], refused) | Result(settles={"refused_params": dict(refused)})
            return known | _stopped_thinking(last)
    second = None
    if "stop" in wanted and not ctx.target.thinks and completion.is_completion(last):
        effect, sequence = stop_of(last, stops)
        word = word_within(completion.answer(last)) if effect is Stop.UNKNOWN or sequence != stops[0] else EARLIER
        if word is not None and effect in (Stop.UNKNOWN, Stop.KEPT):
            second = SecondTry(await _with(ctx, {**wanted, "stop": [word]}), word)
    return diagnose_others(last, refused, stops, second) | diagnose_own_limit(short, last)


def _stops_by_itself(ctx: Context) -> bool:
    """Whether the model ended a count of this run by itself, so that no limit is needed to end one."""
    ended = (
        completion.finish_reason(one) == "stop" and stream_requests.counts(one)
        for one in ctx.exchanges
        if stream_requests.prompt_of(one) == stream_requests.FIRST.prompt
    )
    return not ctx.target.thinks and not ctx.slow and any(ended)


def own_limit(exchange: Exchange) -> bool:
    """Whether an answer to a request without a limit was ended by one, after few tokens."""
    if completion.token_limit(exchange) is not None or completion.finish_reason(exchange) != "length":
        return False
    return len(completion.answer(exchange)) > 0 and (completion.usage(exchange)[1] or 0) < _ROOM


def diagnose_own_limit(short: Exchange | None, limited: Exchange) -> Result:
    """Judge an answer that was cut without a limit by the same with one.  Pure."""
    if short is None or len(completion.answer(limited)) <= len(completion.answer(short)):
        return Result()
    text = completion.answer(short)
    finding = DEFAULT_LIMIT.found(
        f"Without a limit in the request the answer to {COUNT_30!r} ends with finish_reason length after "
        f"{wording.amount(completion.usage(short)[1] or len(text.split()), 'token')}, at "
        f"{wording.quote(text[-12:], 20)}; with `max_tokens` it goes on.",
        short.shows("/response/body/choices/0/finish_reason", expected="stop", actual="length"),
    )
    return Result((finding,))


def _stopped_thinking(exchange: Exchange) -> Result:
    thought = completion.reasoning_of(exchange)[1]
    finding = STOP_IN_THINKING.found(
        f"With `stop` two answers end inside the thinking, at {wording.quote(thought[-40:], 60)}, and have no text; "
        "without it the same question is answered.",
        exchange.shows("/response/body/choices/0/message/content", expected="text", actual=""),
    )
    return Result.of(finding, stop=State.BROKEN)


def stop_sequences(thinks: bool) -> tuple[str, ...]:
    """A number that counting reaches, and a word that occurs in other answers.

    Without the word for a model that thinks, and with a smaller number, since some servers stop inside the thinking.
    """
    return ("7",) if thinks else ("29", " the ")


async def _with(ctx: Context, parameters: Mapping[str, Any]) -> Exchange:
    return await ctx.chat(COUNT_30, limit=150, **parameters)


def _refused(exchange: Exchange, about: Collection[str]) -> bool:
    return outcome(exchange, *about) is not Answer.DONE


def responsible(exchange: Exchange, sent: Mapping[str, Any]) -> list[str]:
    """The parameters that a refusal names; both log probability parameters if it names one of them."""
    found = named(exchange, sent)
    pair = [name for name in ("logprobs", "top_logprobs") if name in sent]
    return list(dict.fromkeys([*found, *pair])) if set(found) & set(pair) else found


async def _search(
    ctx: Context, sent: Mapping[str, Any], refusal: Exchange, tries: int
) -> tuple[dict[str, Exchange], Exchange]:
    """The parameters to leave out so that the request is answered, if the refusal names none, and the last answer.

    One group at a time, then each of its members alone; if no single one helps, the whole group is returned.
    """
    last = refusal

    async def passes(left_out: Collection[str]) -> bool:
        nonlocal last
        rest = {name: value for name, value in sent.items() if name not in left_out}
        last = await _with(ctx, rest)
        return not _refused(last, rest)

    for group in GROUPS:
        present = [name for name in group if name in sent]
        if tries <= 0 or not present:
            continue
        tries -= 1
        if not await passes(present):
            continue
        singles = present if len(present) > 1 and "logprobs" not in present else []
        for name in singles[:tries]:
            if await passes((name,)):
                return {name: refusal}, last
        if _refused(last, sent):
            await passes(present)
        return dict.fromkeys(present, refusal), last
    return {}, last


@check(
    "params.seen",
    title="Collect refused parameters",
    proves="No parameter that clients commonly send was refused in this run.",
    requires={"base-url"},
    after={"*"},
    emits=(UNKNOWN_REJECTED, SAMPLING_REJECTED),
    max_requests=0,
    depth=Depth.QUICK,
)
async def seen(ctx: Context) -> Result:
    known = dict(ctx.target.refused_params or {})
    for name in ("stream_options", "parallel_tool_calls"):
        found = refusals(ctx.exchanges, name)
        if found:
            known[name] = found[0]
    auto = [one for one in refusals(ctx.exchanges, "tool_choice") if member(one.request.body, "tool_choice") == "auto"]
    if auto:
        known["tool_choice"] = auto[0]
    if "temperature" in ctx.target.dropped_params and (found := refusals(ctx.exchanges, "temperature")):
        known["temperature"] = found[0]
    before = ctx.facts.get("rejected_params")
    return diagnose_refused(known, [str(name) for name in before] if isinstance(before, list | tuple) else [])


@check(
    "params.sampling",
    title="Repeat a seed, and request two choices",
    proves="Whether a seed makes answers repeatable, and whether n returns several choices.",
    requires={"chat"},
    max_requests=3,
    max_tokens=600,
    depth=Depth.DEEP,
)
async def sampling(ctx: Context) -> Result:
    question = "Write one sentence about the sea."
    seeded = [await ctx.chat(question, limit=60, temperature=1, seed=4711) for _ in range(2)]
    several = await ctx.chat(question, limit=30, temperature=1, n=2)
    return diagnose_sampling(seeded, several)


def diagnose_limit(answers: Mapping[str, Sequence[Exchange]]) -> Result:
    """Judge the two names of the limit.

    Args:
        answers: by name, the answer to a request for a long text under a limit of ``LIMIT`` tokens, once or
            twice; or a recorded refusal.
    """
    judged: dict[str, Limit] = {}
    notes = []
    for name, asked in answers.items():
        try:
            judged[name] = limit_of(asked[-1], member(asked[-1].request.body, name) or LIMIT, name)
        except Inconclusive as reason:
            judged[name] = Limit.UNKNOWN
            notes.append(f"{name}: {reason}")
    old, new = (judged[name] for name in NAMES)
    last = {name: answers[name][-1] for name in NAMES}
    findings = []
    if old is Limit.REFUSED:
        findings.append(_limit_refused(MAX_TOKENS_REJECTED, "max_tokens", last["max_tokens"]))
    if new is Limit.REFUSED:
        exchange = last["max_completion_tokens"]
        findings.append(_limit_refused(MAX_COMPLETION_TOKENS_REJECTED, "max_completion_tokens", exchange))
    if old is Limit.EXCEEDED or (new is Limit.EXCEEDED and old in (Limit.REFUSED, Limit.KEPT)):
        exceeded = {name: last[name] for name in NAMES if judged[name] is Limit.EXCEEDED}
        findings.append(_too_long(exceeded, next((name for name in NAMES if judged[name] is Limit.KEPT), "")))
    cut = [one for asked in answers.values() for one in asked if cut_unreported(one)]
    if len(cut) > 1:
        findings.append(_unreported(cut))
    best = "max_tokens" if old is Limit.KEPT else "max_completion_tokens" if new is Limit.KEPT else None
    if best is None and old is Limit.REFUSED and new is not Limit.REFUSED:
        best = "max_completion_tokens"
    notes = notes or [f"{name} {judged[name]}" for name in NAMES]
    return Result(tuple(findings), facts={"max_tokens_param": best}, note="; ".join(notes))


def _limit_refused(diagnosis: Diagnosis, name: str, exchange: Exchange) -> Finding:
    return diagnosis.found(
        f"A request with `{name}` was refused: {words_of(exchange)}.",
        exchange.shows_status(200),
        exchange.shows(f"/request/body/{name}", expected="accepted", actual=member(exchange.request.body, name)),
    )


def _unreported(cut: Sequence[Exchange]) -> Finding:
    limit, text = completion.token_limit(cut[0]), completion.answer(cut[0])
    finish = "/response/body/choices/0/finish_reason"
    return CUT_UNREPORTED.found(
        f"Asked to count to 40 in at most {limit} tokens, {len(cut)} answers used all {limit}, end at "
        f"{wording.quote(text[-12:], 20)} and have finish_reason {completion.finish_reason(cut[0])}.",
        *(one.shows(finish, expected="length", actual=completion.finish_reason(one)) for one in cut[:2]),
    )


def _too_long(exceeded: Mapping[str, Exchange], instead: str) -> Finding:
    name, exchange = next(iter(exceeded.items()))
    written = completion.usage(exchange)[1]
    length = f"{written} tokens" if written else f"{len(completion.answer(exchange).split())} words"
    finish = "/response/body/choices/0/finish_reason"
    return MAX_TOKENS_IGNORED.found(
        f"With `{name}: {LIMIT}` the answer has {length} and ends with finish_reason "
        f"{completion.finish_reason(exchange)}{f'; {instead} limits it' if instead else ''}.",
        *(one.shows(finish, expected="length", actual=completion.finish_reason(one)) for one in exceeded.values()),
        remedy=f"Configure the client to send `{instead}`, which has an effect." if instead else None,
    )


def diagnose_others(
    answered: Exchange, refused: Mapping[str, Exchange], stops: Sequence[str], second: SecondTry | None = None
) -> Result:
    """Judge the last request with the other parameters.

    Args:
        answered: the last request.
        refused: the parameters that were left out of it, each with the refusal.
        stops: the stop sequences.
        second: the request with another sequence, if the answer reached none of them.

    Raises:
        Inconclusive: the last request was refused as well, or lost.
    """
    if _refused(answered, OTHERS):
        raise Inconclusive(f"refused, and no single parameter is responsible: {words_of(answered)}")
    result = _judge_logprobs(answered, refused) | Result(settles={"refused_params": dict(refused)})
    if "stop" in refused:
        return result | Result(verdicts={"stop": _rejected(refused["stop"])})
    effect, sequence = stop_of(answered, stops)
    kept = False
    if second is not None and not _refused(second.exchange, OTHERS):
        kept = effect is Stop.KEPT
        effect, sequence = second.effect(completion.answer(answered)), second.word
        answered = second.exchange
    if effect is Stop.IGNORED:
        text = completion.answer(answered)
        content = "/response/body/choices/0/message/content"
        finding = STOP_IGNORED.found(
            f"The answer contains the stop sequence {sequence!r}, with {len(text) - text.index(sequence)} characters "
            "from there on.",
            answered.shows(content, expected=f"nothing after {sequence!r}", actual=text[:160]),
        )
        return result | Result.of(finding, stop=State.IGNORED)
    if effect is Stop.UNKNOWN:
        return result | Result(verdicts={"stop": unknown("the answer does not reach a stop sequence")})
    if kept and effect is Stop.KEPT:
        text = completion.answer(answered)
        finding = STOP_IGNORED.found(
            f"Answers end with the stop sequence itself: {wording.quote(text[-20:], 30)} with {sequence!r}. The API "
            "leaves it out.",
            answered.shows("/response/body/choices/0/message/content", expected="no stop sequence", actual=text[:160]),
            remedy="Let the server leave the sequence out (vLLM: `include_stop_str_in_output: false`, the default), or "
            "let the client cut it off.",
        )
        return result | Result.of(finding, stop=State.BROKEN)
    note = "the sequence itself is left in the text" if effect is Stop.KEPT else ""
    return result | Result(verdicts={"stop": works(note)})


def _rejected(exchange: Exchange) -> Verdict:
    return Verdict(State.REJECTED, note=f"refused: {words_of(exchange)}")


def _judge_logprobs(answered: Exchange, refused: Mapping[str, Exchange]) -> Result:
    form = logprobs_of(answered)
    if "logprobs" in refused:
        return Result(verdicts={"logprobs": _rejected(refused["logprobs"])})
    if form is Logprobs.GIVEN:
        return Result(verdicts={"logprobs": works()})
    if form is Logprobs.NONE and not completion.content_text(answered):
        return Result(verdicts={"logprobs": unknown("the answer is empty")})
    if completion.is_stream(answered):
        return Result(verdicts={"logprobs": unknown("the answer came as a stream that was not asked for")})
    where = "/response/body/choices/0/logprobs"
    finding = LOGPROBS_IGNORED.found(
        f"With `logprobs: true` the answer has {'none' if form is Logprobs.NONE else f'them {form}'}.",
        answered.shows(where, expected="content with tokens", actual=form.value),
    )
    return Result.of(finding, logprobs=State.IGNORED if form is Logprobs.NONE else State.BROKEN)


def diagnose_refused(refused: Mapping[str, Exchange], before: Sequence[str]) -> Result:
    """Name the refused parameters, except log probabilities (a capability) and limits (codes of their own).

    Args:
        refused: by name, the refusal of a request with it.
        before: what is known to be refused already.
    """
    names_only = {"top_p" if name == PAIR else name for name in refused if name != INVENTED}
    facts = {"rejected_params": sorted({*before, *names_only}) or None}
    sampling = [name for name in ("temperature", "top_p", PAIR) if name in refused]
    findings = [_sampling_refused(name, refused[name]) for name in sampling[:1]]
    reported = [name for name in refused if name not in ("logprobs", "top_logprobs", *sampling, *NAMES)]
    if not reported:
        return Result(tuple(findings), facts=facts)
    names = ", ".join("an invented one" if name == INVENTED else f"`{name}`" for name in reported)
    finding = UNKNOWN_REJECTED.found(
        f"Refused parameters: {names} ({words_of(refused[reported[0]])}).",
        *(
            refused[name].shows(f"/request/body/{name}", expected="accepted or ignored", actual="refused")
            for name in reported[:6]
        ),
        severity=Severity.WARNING if {"stream_options", "tool_choice"} & set(reported) else Severity.INFO,
    )
    return Result((*findings, finding), facts=facts)


def _sampling_refused(name: str, exchange: Exchange) -> Finding:
    """The finding for a refused sampling parameter, or for the pair of which each alone is accepted."""
    field = "top_p" if name == PAIR else name
    what = "`temperature` together with `top_p` is" if name == PAIR else f"`{name}` is"
    do = "Send `temperature` or `top_p`, not both." if name == PAIR else f"Configure the client not to send `{name}`."
    return SAMPLING_REJECTED.found(
        f"{what} refused ({words_of(exchange)}); without it the request is answered.",
        exchange.shows(f"/request/body/{field}", expected="accepted", actual=member(exchange.request.body, field)),
        remedy=do,
    )


def diagnose_sampling(seeded: Sequence[Exchange], several: Exchange) -> Result:
    """Whether one seed returned the same answer twice, and how many choices n=2 returned; facts only."""
    facts: dict[str, Any] = {}
    if all(completion.is_completion(one) for one in seeded):
        texts = {completion.content_text(one) for one in seeded}
        facts["seed_repeatable"] = len(texts) == 1
    choices = member(completion.body_of(several), "choices")
    if completion.is_completion(several) and isinstance(choices, list):
        facts["choices_for_n_2"] = len(choices)
    return Result(facts=facts, note="" if completion.ok(several) else f"n=2: {words_of(several)}")
