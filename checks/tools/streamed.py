"""tools.stream: the same question streamed, joined as clients join it, beside the answer that was not streamed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from checks.shared.evidence import Count
from checks.tools import leaked_calls, requests, stream_assembly
from checks.tools.catalogue import (
    FINISH,
    ID_DUPLICATE,
    ID_MISSING,
    IGNORED,
    NOT_JSON,
    NOT_STRING,
    OFF_SCHEMA,
    PARSER_MISSING,
    REJECTED,
    STREAM_FRAGMENTS,
    STREAM_INDEX,
    STREAM_LEAK,
    TEXT_CALL,
)
from checks.tools.reading import Kind, Reading, read
from checks.tools.refusal import Refusal, meaning, quoted, refusal_of
from checks.tools.results import refused_tools, state_of
from probe.api import (
    Depth,
    Finding,
    Inconclusive,
    Result,
    Severity,
    State,
    Verdict,
    because,
    check,
    completion,
    unknown,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context, ToolState

#: Fewer prompt tokens than without streaming, by as many, mean that the tools were left out.
LEFT_OUT = 20
#: What was asked without streaming where a call can be had by force alone.
_FORCED = {"required": requests.required, "named": requests.by_name}


@check(
    "tools.stream",
    title="Stream a call",
    proves="The same call, streamed, joins to the call that comes without streaming.",
    requires={"chat"},
    after={"tools"},
    provides={"streaming_tools"},
    emits=(
        STREAM_LEAK,
        STREAM_INDEX,
        STREAM_FRAGMENTS,
        PARSER_MISSING,
        TEXT_CALL,
        NOT_JSON,
        NOT_STRING,
        OFF_SCHEMA,
        ID_MISSING,
        ID_DUPLICATE,
        FINISH,
        IGNORED,
        REJECTED,
    ),
    max_requests=3,
    max_tokens=3000,
    depth=Depth.QUICK,
)
async def stream(ctx: Context) -> Result:
    refused = refused_tools(ctx)
    if refused is not None:
        return Result(verdicts={"streaming_tools": refused})
    state = state_of(ctx)
    if "tools.ignored" in ctx.codes:
        note = "the tools do not reach the model"
        return Result(verdicts={"streaming_tools": Verdict(State.IGNORED, 0.9, "tools.ignored", note=note)})
    force = forcing(state)
    if force is None:
        return Result(verdicts={"streaming_tools": unknown("no call could be had without streaming either")})
    asked = [read(await _ask(ctx, force, share="tools.stream"))]
    whole = read(await requests.auto(ctx)) if state["way"] == "auto" else None
    unstreamed = whole
    if state["way"] in _FORCED:
        unstreamed = read(await _FORCED[state["way"]](ctx))
    if _again(asked[0], state):
        # Usage is asked for only now: some endpoints refuse stream_options.
        asked.append(read(await _ask(ctx, force, stream_options={"include_usage": True})))
    control = None
    if asked[-1].kind in (Kind.REFUSED, Kind.FAILED, Kind.EMPTY):
        control = read(await ctx.chat(requests.UNRELATED, limit=100, stream=True))
    sound = stream_assembly.parsable(unstreamed)
    return diagnose_stream(asked, whole, control, ctx.codes, leaked_calls.server_of(ctx, *asked), sound=sound)


def forcing(state: ToolState) -> dict[str, Any] | None:
    """The parameters with which a call can be had: the tools, and a forced choice where it takes one."""
    if state["way"] == "auto":
        return {"tools": [requests.weather()]}
    if state["way"] == "simple":
        return {"tools": [requests.simplest()]}
    if state["way"] == "required":
        return {"tools": [requests.weather()], "tool_choice": "required"}
    if state["way"] == "named":
        return {"tools": [requests.weather()], "tool_choice": requests.named("get_weather")}
    return None


async def _ask(ctx: Context, force: dict[str, Any], share: str | None = None, **more: Any) -> Any:
    return await ctx.chat(requests.QUESTION, limit=requests.LIMIT, share=share, stream=True, **force, **more)


def _again(first: Reading, state: ToolState) -> bool:
    """Whether chance may have been at work."""
    if first.kind is Kind.LEAKED:
        return state["outcome"] == "called"
    return first.kind in (Kind.PROSE, Kind.EMPTY, Kind.FAILED)


# Diagnosis ---------------------------------------------------------------------------------------


def diagnose_stream(
    asked: Sequence[Reading],
    whole: Reading | None,
    control: Reading | None,
    codes: frozenset[str],
    server: str,
    *,
    sound: bool,
) -> Result:
    """Judge the streamed question.

    Args:
        asked: the question streamed, once or twice.
        whole: the same question without streaming, where the model called of its own accord.
        control: a plain question streamed, where the streamed one with tools was refused or empty.
        codes: the findings made so far, so that one cause gives one finding.
        sound: without streaming a call had in the same way has arguments that are JSON.
    """
    last = asked[-1]
    if not any(reading.streamed for reading in asked) and completion.ok(last.exchange):
        return Result(verdicts={"streaming_tools": unknown("the answer to a streamed request is not a stream")})
    called = [reading for reading in asked if reading.kind is Kind.CALLED]
    leaked = [reading for reading in asked if reading.kind is Kind.LEAKED]
    if leaked:
        return _leaked(leaked, len(called), codes, server)
    if called:
        return judge_call(called[0], sound, server)
    if last.kind in (Kind.REFUSED, Kind.FAILED):
        return _refused(last, control)
    if last.kind is Kind.LOST:
        raise Inconclusive(last.why)
    if last.kind is Kind.CUT:
        return Result(verdicts={"streaming_tools": unknown("the output limit cut the stream off before a call")})
    return _silent(asked, whole, control)


def _leaked(leaked: Sequence[Reading], called: int, codes: frozenset[str], server: str) -> Result:
    first = leaked[0]
    assert first.leak is not None
    known = leaked_calls.diagnosis(first.leak).code
    earlier = next((code for code in (known, PARSER_MISSING.code, TEXT_CALL.code) if code in codes), None)
    if earlier is not None:
        verdict = Verdict(State.BROKEN, first.leak.confidence, earlier, note="streamed, the call leaks as well")
        return Result(verdicts={"streaming_tools": verdict})
    count = Count(len(leaked), len(leaked) + called)
    finding = leaked_calls.found(first, server, count.sentence(), streaming_only=True)
    facts = leaked_calls.facts(first.leak, server)
    if not count.turns():
        return Result((finding,), {"streaming_tools": works(finding.title)}, facts)
    return Result((finding,), {"streaming_tools": because(State.BROKEN, finding)}, facts)


def judge_call(reading: Reading, whole_sound: bool, server: str) -> Result:
    """Judge a streamed answer that holds calls."""
    forced = reading.exchange.request.body.get("tool_choice") is not None
    found = stream_assembly.judge(reading, whole_sound=whole_sound, forced=forced)
    findings: list[Finding] = [fault.finding() for fault in found]
    breaking = next((fault.finding() for fault in found if fault.breaks), None)
    if (also := leaked_calls.beside(reading, server)) is not None:
        findings.append(also[0])
        breaking = breaking or (also[0] if also[1] else None)
    if breaking is not None:
        return Result(tuple(findings), {"streaming_tools": because(State.BROKEN, breaking)})
    note = "; ".join(finding.title for finding in findings)
    return Result(tuple(findings), {"streaming_tools": works(note)})


def _refused(last: Reading, control: Reading | None) -> Result:
    """Tools are taken without streaming; is it the two together, or streaming?"""
    if control is not None and (control.kind in (Kind.REFUSED, Kind.FAILED, Kind.LOST) or not control.streamed):
        return Result(verdicts={"streaming_tools": unknown("streams without tools are refused as well")})
    if meaning(last.exchange) is Refusal.MODEL_FAILED:
        note = f"the server could not read what the model wrote ({quoted(last.exchange)})"
        return Result(verdicts={"streaming_tools": unknown(note)})
    clear = meaning(last.exchange) is not Refusal.UNCLEAR and (last.exchange.status or 500) < 500
    finding = REJECTED.found(
        f"Tools are taken without streaming; with it the request was refused: {quoted(last.exchange)}.",
        refusal_of(last.exchange),
        severity=None if clear else Severity.WARNING,
    )
    return Result((finding,), {"streaming_tools": because(State.REJECTED, finding)})


def _silent(asked: Sequence[Reading], whole: Reading | None, control: Reading | None) -> Result:
    """Streamed, no call comes: lost, left out, or the model's mood?"""
    last = asked[-1]
    if whole is None or whole.kind is not Kind.CALLED or len(asked) < 2:
        return Result(verdicts={"streaming_tools": unknown("streamed, the model answered without a call")})
    if control is not None and control.kind not in (Kind.PROSE, Kind.CUT):
        return Result(verdicts={"streaming_tools": unknown("streams without tools are empty as well")})
    if last.kind is Kind.EMPTY or last.finish == "tool_calls":
        finding = STREAM_FRAGMENTS.found(
            f"Without streaming the call comes back; streamed, {len(asked)} times, the answer ends with finish_reason "
            f"{last.finish} and no delta holds a piece of it. A client that joins by index gets no call.",
            last.exchange.shows("/response/events", expected="deltas with tool_calls", actual="none"),
        )
        return Result((finding,), {"streaming_tools": because(State.BROKEN, finding)})
    before, after = completion.prompt_tokens(whole.exchange), completion.prompt_tokens(last.exchange)
    if before is not None and after is not None and before - after >= LEFT_OUT:
        finding = IGNORED.found(
            f"Without streaming the prompt has {before} tokens and the call comes back; streamed it has {after}, "
            f"and no "
            "call comes: the tools are left out when streaming.",
            last.exchange.shows("/response/events", expected=f"prompt_tokens {before}", actual=after),
            confidence=0.9,
        )
        return Result((finding,), {"streaming_tools": because(State.IGNORED, finding)})
    note = f"streamed, the model answered in prose {len(asked)} times, and without streaming it called"
    return Result(verdicts={"streaming_tools": unknown(note)})
