"""tools.stream: the same question streamed, joined as clients join it, and compared with the unstreamed answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from checks.shared.outcome import words_of
from checks.shared.trials import Count
from checks.stream.catalogue import NOT_SSE, TRUNCATED
from checks.tools import requests
from checks.tools.catalogue import (
    CALL_FAULTS,
    IGNORED,
    PARSER_MISSING,
    REJECTED,
    STREAM_FRAGMENTS,
    STREAM_INDEX,
    STREAM_LEAK,
    TEXT_CALL,
    VALUES_ALTERED,
)
from checks.tools.leaked_calls import diagnosis, facts, leak_finding, server_of
from checks.tools.reading import Call, Kind, Reading, read
from checks.tools.refusal import Refusal, meaning, refusal_of
from checks.tools.replay import answers_question, city_of, other_city
from checks.tools.state import call_parameters, state_of, unusable_verdict
from checks.tools.stream_assembly import parsable, stream_faults
from checks.tools.structured_calls import Fault, faults, findings_of
from probe.api import (
    Depth,
    Inconclusive,
    Owner,
    Result,
    Severity,
    State,
    Verdict,
    because,
    check,
    completion,
    unknown,
    wording,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context, ToolState

#: So many prompt tokens fewer than without streaming mean that the tools were left out.
LEFT_OUT = 20
#: The unstreamed requests where a call can only be had by force.
_FORCED = {"required": requests.required, "named": requests.by_name}


@check(
    "tools.stream",
    title="Stream a call",
    proves="The streamed call joins to the same call that comes without streaming.",
    requires={"chat"},
    after={"tools"},
    provides={"streaming_tools"},
    emits=(NOT_SSE, TRUNCATED, STREAM_LEAK, STREAM_INDEX, STREAM_FRAGMENTS, *CALL_FAULTS, IGNORED, REJECTED),
    max_requests=6,
    max_tokens=4000,
    depth=Depth.QUICK,
)
async def stream(ctx: Context) -> Result:
    unusable = unusable_verdict(ctx)
    if unusable is not None:
        return Result(verdicts={"streaming_tools": unusable})
    state = state_of(ctx)
    parameters = call_parameters(state)
    if parameters is None:
        return Result(verdicts={"streaming_tools": unknown("no call came without streaming either")})
    asked = [await _first(ctx, state, parameters)]
    whole = read(await requests.auto(ctx)) if state["way"] == "auto" else None
    if state["way"] == "explicit":
        whole = read(await ctx.chat(requests.QUESTION, limit=requests.LIMIT, **parameters))
    unstreamed = whole
    if state["way"] in _FORCED:
        unstreamed = read(await _FORCED[state["way"]](ctx))
    if _is_chancy(asked[0], state):
        # Usage is requested only now: some endpoints refuse stream_options.
        asked.append(read(await _send(ctx, parameters, stream_options={"include_usage": True})))
    # Sooner than a stream that came to its end, so that no timer cut it.
    ends = [one.timeline.end_s for one in ctx.exchanges if completion.ok(one) and completion.finish_reason(one)]
    if _breaks_off(asked[-1]) and asked[-1].exchange.timeline.end_s < max(ends, default=0.0):
        asked.append(read(await _send(ctx, parameters)))
    both = asked[-1].kind is Kind.CALLED
    if unstreamed is not None and unstreamed.kind is Kind.CALLED and both and differing_calls(unstreamed, asked[-1]):
        again = read(await _send(ctx, parameters))
        if again.kind is Kind.CALLED and (what := differing_calls(unstreamed, again)):
            return diagnose_difference(unstreamed, again, what)
    control = None
    if asked[-1].refused or asked[-1].kind is Kind.EMPTY:
        control = read(await ctx.chat(requests.UNRELATED, limit=100, stream=True))
    clean = unstreamed is not None and unstreamed.leak is None and bool(unstreamed.calls)
    server = server_of(ctx, *asked)
    return diagnose_stream(asked, whole, control, ctx.codes, server, sound=parsable(unstreamed), clean=clean)


async def _first(ctx: Context, state: ToolState, parameters: dict[str, Any]) -> Reading:
    """The streamed answer to judge: to the question for two calls, which tools.parallel needs too, where that brings
    different calls; else to the question that was asked without streaming."""
    if ctx.options.depth is not Depth.QUICK and state["outcome"] != "leaked":
        two = read(await requests.two_streamed(ctx, parameters))
        if two.kind is Kind.CALLED and len({_key(call) for call in two.calls}) == len(two.calls):
            return two
    return read(await _send(ctx, parameters, share="tools.stream"))


async def _send(ctx: Context, parameters: dict[str, Any], share: str | None = None, **more: Any) -> Any:
    return await ctx.chat(requests.QUESTION, limit=requests.LIMIT, share=share, stream=True, **parameters, **more)


def _is_chancy(first: Reading, state: ToolState) -> bool:
    """Whether another answer to the same request may be different."""
    if first.kind is Kind.LEAKED:
        return state["outcome"] == "called"
    return first.kind in (Kind.PROSE, Kind.EMPTY, Kind.FAILED)


def differing_calls(whole: Reading | None, streamed: Reading) -> str:
    """How the streamed calls differ from those without streaming, in a sentence; empty where they agree.

    Compared is what the question fixes: how often the tool is called, and the city of the call.  Arguments that
    cannot be read are judged by other rules.
    """
    if whole is None:
        return ""
    if len(whole.calls) == 1 and len(streamed.calls) > 1 and len({_key(call) for call in streamed.calls}) == 1:
        times = wording.amount(len(streamed.calls), "time")
        return f"Streamed, the same call comes {times}; without streaming it comes once"
    if (unfit := _unfit(streamed)) is not None and _unfit(whole) is None:
        return f"{unfit.detail.rstrip('.')}; without streaming the arguments fit the schema"
    cities = [
        city_of({"function": {"arguments": call.arguments}}, "") for call in (*whole.calls[:1], *streamed.calls[:1])
    ]
    if len(cities) == 2 and all(cities) and cities[0] == "Paris" and cities[0] != cities[1]:
        return f"Streamed, the city of the call is {wording.shown(cities[1], 60)}; without streaming it is {cities[0]}"
    return ""


def _unfit(reading: Reading) -> Fault | None:
    """The fault that arguments do not fit the schema, where that may be the server's doing."""
    return next((fault for fault in faults(reading) if fault.by_server), None)


def _key(call: Call) -> tuple[str, str]:
    return str(call.name), str(call.arguments)


def diagnose_difference(whole: Reading, streamed: Reading, what: str) -> Result:
    """The finding for streamed calls that differ twice from the whole ones.  Pure."""
    unfit = _unfit(streamed)
    diagnosis_of = unfit.by_server if unfit is not None and unfit.by_server is not None else VALUES_ALTERED
    if len(streamed.calls) > len(whole.calls):
        diagnosis_of = STREAM_FRAGMENTS
    finding = diagnosis_of.found(
        f"{what}, twice.",
        streamed.exchange.shows(
            "/response/events", expected=whole.calls[0].arguments, actual=streamed.calls[0].arguments
        ),
        severity=Severity.ERROR,
        owner=Owner.SERVER,
    )
    return Result.of(finding, streaming_tools=State.BROKEN)


# Diagnosis -----------------------------------------------------------------------------------------


def diagnose_stream(
    asked: Sequence[Reading],
    whole: Reading | None,
    control: Reading | None,
    codes: frozenset[str],
    server: str,
    *,
    sound: bool,
    clean: bool = False,
) -> Result:
    """Judge the streamed question.

    Args:
        asked: the question streamed, once or twice.
        whole: the same question without streaming, where no force was needed.
        control: a plain question streamed, where the one with tools was refused or empty.
        codes: the findings so far, so that one cause gives one finding.
        sound: without streaming the arguments of the call are JSON.
        clean: without streaming no markup is left in the text of an answer with calls.
    """
    last = asked[-1]
    if not any(reading.streamed for reading in asked) and completion.ok(last.exchange):
        return _not_streamed(asked, codes)
    called = [reading for reading in asked if reading.kind is Kind.CALLED]
    leaked = [reading for reading in asked if reading.kind is Kind.LEAKED]
    if leaked:
        return _leaked(leaked, len(called), codes, server)
    if called:
        return _called(called[0], sound, server, clean=clean)
    if last.refused:
        return _refused(last, control)
    if last.kind is Kind.LOST and len(asked) > 1 and all(map(_breaks_off, asked[-2:])):
        return _broken_off(last)
    if last.kind is Kind.LOST:
        raise Inconclusive(last.why)
    if last.kind is Kind.CUT:
        return _unknown("the token limit cut the stream off before a call")
    return _without_call(asked, whole, control)


def _breaks_off(reading: Reading) -> bool:
    """Whether a stream ended as HTTP has it, in the middle of a call, without a finish reason and [DONE]."""
    lost = reading.kind is Kind.LOST and reading.exchange.error is None
    return lost and bool(_call_deltas(reading)) and not completion.read_stream(reading.exchange).errors


def _call_deltas(reading: Reading) -> int:
    return len(completion.read_stream(reading.exchange).calls)


def _broken_off(last: Reading) -> Result:
    finding = TRUNCATED.found(
        f"Streamed, the answer with a call ends after {wording.amount(_call_deltas(last), 'delta')} of it, without a "
        "finish reason and without [DONE], twice; without streaming the call comes back.",
        last.exchange.shows("/response/body", expected="finish_reason and data: [DONE]", actual="neither"),
    )
    return Result((finding,), {"streaming_tools": because(State.BROKEN, finding)})


def _not_streamed(asked: Sequence[Reading], codes: frozenset[str]) -> Result:
    """A streamed request with tools that was answered by one object."""
    if NOT_SSE.code in codes:
        return Result(
            verdicts={"streaming_tools": Verdict(State.BROKEN, 1.0, NOT_SSE.code, note="nothing is streamed")}
        )
    exchange = asked[-1].exchange
    if obstacle := completion.obstacle(exchange):
        raise Inconclusive(f"the answer to the streamed request is about {obstacle}")
    kind = exchange.response.header("content-type") if exchange.response else None
    finding = NOT_SSE.found(
        f"With tools the streaming request was answered with {kind or 'a body without a type'}; without tools it is "
        "streamed.",
        exchange.shows("/response/headers/content-type", expected="text/event-stream", actual=kind),
    )
    return Result((finding,), {"streaming_tools": because(State.BROKEN, finding)})


def _unknown(note: str) -> Result:
    return Result(verdicts={"streaming_tools": unknown(note)})


def _leaked(leaked: Sequence[Reading], called: int, codes: frozenset[str], server: str) -> Result:
    leak = leaked[0].leak
    assert leak is not None
    known = (diagnosis(leak).code, PARSER_MISSING.code, TEXT_CALL.code)
    earlier = next((code for code in known if code in codes), None)
    if earlier is not None:
        verdict = Verdict(State.BROKEN, leak.confidence, earlier, note="the streamed call too")
        return Result(verdicts={"streaming_tools": verdict})
    count = Count(len(leaked), len(leaked) + called)
    finding = leak_finding(leaked[0], server, count.sentence(), streaming_only=True)
    verdict = because(State.BROKEN, finding) if count.breaks() else works(finding.title)
    return Result((finding,), {"streaming_tools": verdict}, facts(leak, server))


def _called(reading: Reading, whole_sound: bool, server: str, *, clean: bool) -> Result:
    """Judge a streamed answer with calls; ``clean``: without streaming no markup is left in the text."""
    forced = reading.exchange.request.body.get("tool_choice") is not None
    found = stream_faults(reading, whole_sound=whole_sound, forced=forced)
    findings, breaking = findings_of(found, reading, server)
    if clean and reading.leak is not None:
        finding = replace(
            leak_finding(reading, server, streaming_only=True),
            detail="Streamed, the call comes structured and once more in the text, as markup; without streaming the "
            "text is clean.",
        )
        findings = [item for item in findings if item.code not in (PARSER_MISSING.code, TEXT_CALL.code)] + [finding]
        breaking = breaking if breaking in findings else finding
    verdict = works("; ".join(finding.title for finding in findings))
    if breaking is not None:
        verdict = because(State.BROKEN, breaking)
    elif not forced and not answers_question(reading):
        verdict = unknown(other_city(reading))
    return Result(tuple(findings), {"streaming_tools": verdict})


def _refused(last: Reading, control: Reading | None) -> Result:
    """Tools are accepted without streaming: is the combination refused, or streaming as such?"""
    if control is not None and not (control.answered and control.streamed):
        return _unknown("streams without tools are refused as well")
    reason = meaning(last.exchange)
    if reason is Refusal.MODEL_FAILED:
        return _unknown(f"the server could not parse the model's output ({words_of(last.exchange)})")
    clear = reason is not Refusal.UNCLEAR and (last.exchange.status or 500) < 500
    finding = REJECTED.found(
        f"Tools are accepted without streaming; the streamed request was refused: {words_of(last.exchange)}.",
        refusal_of(last.exchange),
        severity=None if clear else Severity.WARNING,
        remedy="Turn streaming off in the client for requests with tools.",
    )
    return Result((finding,), {"streaming_tools": because(State.REJECTED, finding)})


def _without_call(asked: Sequence[Reading], whole: Reading | None, control: Reading | None) -> Result:
    """No streamed call: was it lost, were the tools left out, or was it the model's choice?"""
    last = asked[-1]
    if whole is None or whole.kind is not Kind.CALLED or len(asked) < 2:
        return _unknown("streamed, the model answered without a call")
    if control is not None and control.kind not in (Kind.PROSE, Kind.CUT):
        return _unknown("streams without tools are empty as well")
    if last.kind is Kind.EMPTY or last.finish == "tool_calls":
        finding = STREAM_FRAGMENTS.found(
            f"Without streaming the call comes back; streamed, {len(asked)} times, the answer ends with finish_reason "
            f"{last.finish} and no delta has a part of it. A client that joins by index gets no call.",
            last.exchange.shows("/response/events", expected="deltas with tool_calls", actual="none"),
        )
        return Result((finding,), {"streaming_tools": because(State.BROKEN, finding)})
    before, after = completion.prompt_tokens(whole.exchange), completion.prompt_tokens(last.exchange)
    if before is not None and after is not None and before - after >= LEFT_OUT:
        finding = IGNORED.found(
            f"Without streaming the prompt has {before} tokens and the call comes back; streamed it has {after} and no "
            "call comes: the tools are left out when streaming.",
            last.exchange.shows("/response/events", expected=f"prompt_tokens {before}", actual=after),
            confidence=0.9,
        )
        return Result((finding,), {"streaming_tools": because(State.IGNORED, finding)})
    return _unknown(f"streamed, the model answered in prose {len(asked)} times; without streaming it made a call")
