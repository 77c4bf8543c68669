"""Which request parameters are taken, and which have an effect.

The two names of the length limit are tried each by itself.  All other parameters go into one
request; only where that is refused is it found out which of them is to blame.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from checks.params.catalogue import (
    MAX_COMPLETION_TOKENS_REJECTED,
    MAX_TOKENS_IGNORED,
    MAX_TOKENS_REJECTED,
    STOP_IGNORED,
    UNKNOWN_REJECTED,
)
from checks.params.reading import Chances, Heeded, Second, Stopped, chances, heeded, named, stopped, word_within
from checks.shared.outcome import Answer, outcome, until_told, words_of
from probe.api import (
    Depth,
    Exchange,
    Finding,
    Inconclusive,
    Result,
    Severity,
    Skip,
    State,
    Verdict,
    because,
    check,
    completion,
    member,
    unknown,
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
    emits=(MAX_TOKENS_REJECTED, MAX_COMPLETION_TOKENS_REJECTED, MAX_TOKENS_IGNORED),
    max_requests=4,
    max_tokens=1000,
)
async def limit(ctx: Context) -> Result:
    told: dict[str, Sequence[Exchange]] = {}
    for name in NAMES:
        # The first chat of the run has found out already where one name is refused.
        before = refusals(ctx.exchanges, name) if ctx.target.limit_param not in (name, None) else []
        told[name] = before or await until_told(lambda name=name: _limited(ctx, name), name)  # type: ignore[misc]
    return diagnose_limit(told)


async def _limited(ctx: Context, name: str) -> Exchange:
    """A long answer under one name of the limit; a small one on purpose, so never asked again with room."""
    url = ctx.target.chat_url
    if url is None:
        raise Skip("no URL for chat completions is known")
    parameters: dict[str, Any] = {**dict.fromkeys(NAMES), name: LIMIT}
    body = ctx.chat_body(COUNT_40, **parameters)
    return await ctx.send("POST", url, body=body, tokens=LIMIT + 40)


def refusals(exchanges: Sequence[Exchange], name: str) -> list[Exchange]:
    """Requests of the run that were refused because of this parameter; those meant to be refused do not count."""
    return [
        one
        for one in exchanges
        if not one.check.startswith("errors.")
        and one.status in (400, 422)
        and member(one.request.body, name) is not None
        and named(one, (name,))
    ]


# All the others ------------------------------------------------------------------------------------

#: A parameter that no server knows.
INVENTED = "endpoint_probe_unknown"
OTHERS: Mapping[str, Any] = {
    "logprobs": True,
    "top_logprobs": 2,
    "seed": 7,
    "user": "endpoint-probe",
    "top_p": 0.9,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    INVENTED: True,
}
#: What is left out together where a refusal names nothing, the likeliest first.
GROUPS = (
    (INVENTED,),
    ("logprobs", "top_logprobs"),
    ("presence_penalty", "frequency_penalty", "top_p"),
    ("seed", "user"),
    ("stop",),
)
_MOST_TRIES = 9
#: What a right answer holds just before the stop sequence 7.
LAST = "6"


@check(
    "params.others",
    title="Send the other parameters",
    proves="Stop sequences end the answer, log probabilities are given, and no common parameter is refused.",
    requires={"chat"},
    provides={"stop", "logprobs"},
    emits=(STOP_IGNORED,),
    max_requests=_MOST_TRIES + 3,
    max_tokens=2500,
)
async def others(ctx: Context) -> Result:
    stops = stop_sequences(ctx.target.thinks)
    refused: dict[str, Exchange] = {}
    wanted: dict[str, Any] = {**OTHERS, "stop": list(stops)}
    asked = await until_told(lambda: _with(ctx, wanted), *wanted)
    tries = len(asked)
    while _refused(asked[-1], wanted) and tries < _MOST_TRIES:
        blamed = to_blame(asked[-1], wanted)
        if not blamed:
            extra, asked = await _bisect(ctx, wanted, asked[-1], _MOST_TRIES - tries)
            refused |= extra
            break
        refused |= dict.fromkeys(blamed, asked[-1])
        wanted = {name: value for name, value in wanted.items() if name not in blamed}
        asked = [await _with(ctx, wanted)]
        tries += 1
    last = asked[-1]
    second = None
    if "stop" in wanted and not ctx.target.thinks and completion.is_completion(last):
        word = word_within(completion.answer(last)) if stopped(last, stops, LAST)[0] is Stopped.UNTOLD else None
        if word is not None:
            second = Second(await _with(ctx, {**wanted, "stop": [word]}), word)
    return diagnose_others(last, refused, stops, second)


def stop_sequences(thinks: bool) -> tuple[str, ...]:
    """The 7 that counting must come to, and a word that other answers hold.

    Not the word for a model that thinks, since some servers stop inside the thinking.
    """
    return ("7",) if thinks else ("7", " the ")


async def _with(ctx: Context, parameters: Mapping[str, Any]) -> Exchange:
    return await ctx.chat(COUNT_30, limit=150, **parameters)


def _refused(exchange: Exchange, about: Collection[str]) -> bool:
    return outcome(exchange, *about) is not Answer.DONE


def to_blame(exchange: Exchange, sent: Mapping[str, Any]) -> list[str]:
    """The parameters that a refusal names; log probabilities go together."""
    found = named(exchange, sent)
    pair = [name for name in ("logprobs", "top_logprobs") if name in sent]
    return list(dict.fromkeys([*found, *pair])) if set(found) & set(pair) else found


async def _bisect(
    ctx: Context, sent: Mapping[str, Any], refusal: Exchange, tries: int
) -> tuple[dict[str, Exchange], list[Exchange]]:
    """Find what must be left out for the request to pass, where the refusal names nothing.

    A group at a time, then each of the group by itself; if none of them alone helps, the
    whole group is named.
    """
    last = [refusal]

    async def passes(left_out: Collection[str]) -> bool:
        left = {name: value for name, value in sent.items() if name not in left_out}
        last[:] = [await _with(ctx, left)]
        return not _refused(last[0], left)

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
        if _refused(last[0], sent):
            await passes(present)
        return dict.fromkeys(present, refusal), last
    return {}, last


@check(
    "params.seen",
    title="Look at refused parameters",
    proves="No parameter that clients commonly send was refused in this run.",
    requires={"base-url"},
    after={"*"},
    emits=(UNKNOWN_REJECTED,),
    max_requests=0,
    depth=Depth.QUICK,
)
async def seen(ctx: Context) -> Result:
    refused = ctx.target.extra.get("refused_params")
    known = dict(refused) if isinstance(refused, dict) else {}
    for name in ("stream_options", "parallel_tool_calls"):
        found = refusals(ctx.exchanges, name)
        if found:
            known[name] = found[0]
    before = ctx.facts.get("rejected_params")
    return diagnose_refused(known, [str(name) for name in before] if isinstance(before, list | tuple) else [])


@check(
    "params.sampling",
    title="Ask twice with one seed, and for two choices",
    proves="Whether a seed makes answers repeatable, and whether n gives several choices.",
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


# Diagnosis ---------------------------------------------------------------------------------------


def diagnose_limit(told: Mapping[str, Sequence[Exchange]]) -> Result:
    """Judge the two names of the limit.

    Args:
        told: by name, the answer to a request for a long text under a limit of ``LIMIT`` tokens,
            once or twice; or a recorded refusal.
    """
    judged: dict[str, Heeded] = {}
    notes = []
    for name, asked in told.items():
        try:
            judged[name] = heeded(asked[-1], LIMIT, name)
        except Inconclusive as said:
            judged[name] = Heeded.UNTOLD
            notes.append(f"{name}: {said}")
    old, new = (judged[name] for name in NAMES)
    findings = []
    if old is Heeded.REFUSED:
        findings.append(_no_limit(MAX_TOKENS_REJECTED.found, "max_tokens", told["max_tokens"][-1]))
    if new is Heeded.REFUSED:
        found = MAX_COMPLETION_TOKENS_REJECTED.found
        findings.append(_no_limit(found, "max_completion_tokens", told["max_completion_tokens"][-1]))
    if old is Heeded.NO or (old is Heeded.REFUSED and new is Heeded.NO):
        findings.append(_too_long({name: told[name][-1] for name in NAMES if judged[name] is Heeded.NO}, new))
    best = "max_tokens" if old is Heeded.YES else "max_completion_tokens" if new is Heeded.YES else None
    if best is None and old is Heeded.REFUSED and new is not Heeded.REFUSED:
        best = "max_completion_tokens"
    notes = notes or [f"{name} {judged[name]}" for name in NAMES]
    return Result(tuple(findings), facts={"max_tokens_param": best}, note="; ".join(notes))


def _no_limit(found: Any, name: str, exchange: Exchange) -> Finding:
    finding: Finding = found(
        f"A request with `{name}` was refused: {words_of(exchange)}.",
        exchange.shows("/response/status", expected=200, actual=exchange.status),
        exchange.shows(f"/request/body/{name}", expected="taken", actual=member(exchange.request.body, name)),
    )
    return finding


def _too_long(exceeded: Mapping[str, Exchange], new: Heeded) -> Finding:
    first, exchange = next(iter(exceeded.items()))
    written, finish = completion.usage(exchange)[1], completion.finish_reason(exchange)
    words = len(completion.answer(exchange).split())
    other = "; max_completion_tokens limits it" if new is Heeded.YES else ""
    return MAX_TOKENS_IGNORED.found(
        f"With `{first}: {LIMIT}` the answer has {f'{written} tokens' if written else f'{words} words'} and ends with "
        f"finish_reason {finish}{other}.",
        *(
            one.shows("/response/body/choices/0/finish_reason", expected="length", actual=completion.finish_reason(one))
            for one in exceeded.values()
        ),
        remedy="Let the client send `max_completion_tokens`, which has an effect here." if other else None,
    )


def diagnose_others(
    answered: Exchange, refused: Mapping[str, Exchange], stops: Sequence[str], second: Second | None = None
) -> Result:
    """Judge the request with the other parameters, or what was left of it.

    Args:
        answered: the last request.
        refused: the parameters that were left out of it, each with the refusal.
        stops: the stop sequences.
        second: where the answer came to none of them, what another told.

    Raises:
        Inconclusive: even what was left was refused, or it was lost on the way.
    """
    if outcome(answered, *OTHERS) is not Answer.DONE:
        raise Inconclusive(f"refused, and no single parameter is to blame: {words_of(answered)}")
    result = Result(
        verdicts={"logprobs": _judge_chances(answered, refused)},
        settles={"refused_params": dict(refused)},
    )
    if "stop" in refused:
        return result | Result(verdicts={"stop": _refusal(refused["stop"])})
    told, sequence = stopped(answered, stops, LAST)
    if told is Stopped.UNTOLD and second is not None and outcome(second.exchange, *OTHERS) is Answer.DONE:
        told, sequence = second.told(completion.answer(answered)), second.word
        answered = second.exchange
    if told is Stopped.NO:
        text = completion.answer(answered)
        finding = STOP_IGNORED.found(
            f"The answer holds the stop sequence {sequence!r}, with {len(text) - text.index(sequence)} characters from "
            "there on.",
            answered.shows(
                "/response/body/choices/0/message/content", expected=f"nothing after {sequence!r}", actual=text[:160]
            ),
        )
        return result | Result((finding,), {"stop": because(State.IGNORED, finding)})
    verdict = unknown("the answer does not come to a stop sequence") if told is Stopped.UNTOLD else works(_kept(told))
    return result | Result(verdicts={"stop": verdict})


def _kept(told: Stopped) -> str:
    return "the sequence itself is left in the text" if told is Stopped.KEPT else ""


def _refusal(exchange: Exchange) -> Verdict:
    return Verdict(State.REJECTED, 1.0, note=f"refused: {words_of(exchange)}")


def _judge_chances(answered: Exchange, refused: Mapping[str, Exchange]) -> Verdict:
    if "logprobs" in refused:
        return _refusal(refused["logprobs"])
    form = chances(answered)
    if form is Chances.GIVEN:
        return works()
    if form is Chances.OLD:
        return Verdict(State.BROKEN, 0.9, note=f"they come {form}")
    if not completion.content_text(answered):
        return unknown("the answer is empty")
    return Verdict(State.IGNORED, 1.0, note="asked for and not given")


def diagnose_refused(refused: Mapping[str, Exchange], before: Sequence[str]) -> Result:
    """Name the refused parameters.

    Args:
        refused: by name, the refusal of a request with it.
        before: what is known to be refused already.

    Refused log probabilities are told by their capability, a refused limit by its own code.
    """
    facts = {"rejected_params": sorted({*before, *(name for name in refused if name != INVENTED)}) or None}
    told = [name for name in refused if name not in ("logprobs", "top_logprobs", "temperature", *NAMES)]
    if not told:
        return Result(facts=facts)
    named_ones = ", ".join("one that no server knows" if name == INVENTED else f"`{name}`" for name in told)
    finding = UNKNOWN_REJECTED.found(
        f"Refused: {named_ones} ({words_of(refused[told[0]])}).",
        *(
            refused[name].shows(f"/request/body/{name}", expected="taken or left aside", actual="refused")
            for name in told[:6]
        ),
        severity=Severity.WARNING if "stream_options" in told else Severity.INFO,
    )
    return Result((finding,), facts=facts)


def diagnose_sampling(seeded: Sequence[Exchange], several: Exchange) -> Result:
    """Whether one seed gave one answer twice, and how many choices n=2 gave; facts only."""
    facts: dict[str, Any] = {}
    if all(completion.is_completion(one) for one in seeded):
        texts = {completion.content_text(one) for one in seeded}
        facts["seed_repeatable"] = len(texts) == 1
    choices = member(completion.body_of(several), "choices")
    if completion.is_completion(several) and isinstance(choices, list):
        facts["choices_for_n_2"] = len(choices)
    return Result(facts=facts, note="" if completion.ok(several) else f"n=2: {words_of(several)}")
