"""tools.parallel: two questions at once, two calls, two results.

Asked streamed where streamed calls arrive at all, since that is where parallel calls run
together; the results of both are then handed back in one turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checks.tools import leaked_calls, requests
from checks.tools.catalogue import (
    FINISH,
    ID_DUPLICATE,
    ID_MISSING,
    NOT_JSON,
    NOT_STRING,
    OFF_SCHEMA,
    PARSER_MISSING,
    RESULT_IGNORED,
    RESULT_REJECTED,
    STREAM_FRAGMENTS,
    STREAM_INDEX,
    TEXT_CALL,
)
from checks.tools.markup import judge as judge_arguments
from checks.tools.reading import Call, Kind, Reading, read
from checks.tools.refusal import Refusal, meaning, quoted, refusal_of
from checks.tools.results import MORE, refused_tools, says_number, state_of
from checks.tools.stream_assembly import judge
from checks.tools.streamed import forcing
from checks.tools.structured_calls import Fault, faults
from probe.api import Result, State, Verdict, because, check, completion, unknown, works

if TYPE_CHECKING:
    from probe.api import Context

#: Findings beside which streamed calls still arrive, so that parallel ones can be looked at streamed.
_STILL_ARRIVE = ("tools.stream-index", "tools.stream-fragments", "tools.id-missing", "tools.finish-reason")


@dataclass(frozen=True)
class Both:
    """The turn that hands both results back: the answer, and the numbers the results hold."""

    reading: Reading
    numbers: tuple[str, str]

    @property
    def told(self) -> int:
        """How many of the numbers the answer holds."""
        return sum(says_number(self.reading.exchange, number) for number in self.numbers)

    @property
    def untold(self) -> int:
        """The place of the first number that the answer does not hold; the last place where it holds all."""
        return next((i for i, number in enumerate(self.numbers) if not says_number(self.reading.exchange, number)), 1)


@check(
    "tools.parallel",
    title="Make two calls at once",
    proves="Two questions bring two calls with ids of their own that join rightly, and both results reach the model.",
    requires={"chat"},
    after={"tools", "streaming_tools", "tool_results"},
    provides={"parallel_tools", "streaming_tools", "tool_results"},
    emits=(
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
        RESULT_REJECTED,
        RESULT_IGNORED,
    ),
    max_requests=4,
    max_tokens=5000,
)
async def parallel(ctx: Context) -> Result:
    refused = refused_tools(ctx)
    if refused is not None:
        return Result(verdicts={"parallel_tools": refused})
    state = state_of(ctx)
    if "tools.ignored" in ctx.codes:
        note = "the tools do not reach the model"
        return Result(verdicts={"parallel_tools": Verdict(State.IGNORED, 0.9, "tools.ignored", note=note)})
    force = forcing(state)
    if force is None or state["outcome"] == "leaked":
        return Result(verdicts={"parallel_tools": unknown("not even one call comes back structured")})
    if streams(ctx):
        force = {**force, "stream": True}
    asked = [read(await ctx.chat(requests.TWO_CITIES, limit=requests.ROOM, parallel_tool_calls=True, **force))]
    if asked[0].kind in (Kind.REFUSED, Kind.FAILED):
        asked.append(read(await ctx.chat(requests.TWO_CITIES, limit=requests.ROOM, **force)))
    both: list[Both] = []
    if "tools.result-rejected" not in ctx.codes and (made := answerable(asked[-1])):
        both.append(await _both(ctx, made))
        if both[0].told < 2 and both[0].reading.kind not in (Kind.REFUSED, Kind.FAILED, Kind.LOST):
            both.append(await _both(ctx, made, longer=both[0].untold))
    result = diagnose_parallel(asked, leaked_calls.server_of(ctx, *asked), ctx.codes) | diagnose_both(both)
    return _with_params(ctx, result, asked)


def streams(ctx: Context) -> bool:
    """Whether a streamed request with tools brings structured calls here, sound or not."""
    verdict = ctx.verdicts.get("streaming_tools")
    if verdict is None:
        return False
    return verdict.verdict is State.WORKS or (verdict.verdict is State.BROKEN and verdict.finding in _STILL_ARRIVE)


def answerable(reading: Reading) -> list[dict[str, Any]]:
    """Two sound calls to answer, as the history takes them; empty where there are none."""
    made = [call for call in reading.calls if call.name == "get_weather" and _usable(call)]
    if reading.kind is not Kind.CALLED or len(made) < 2 or made[0].id == made[1].id:
        return []
    return [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in made[:2]]


def _usable(call: Call) -> bool:
    return isinstance(call.id, str) and bool(call.id) and judge_arguments(call.arguments, None).ok


async def _both(ctx: Context, made: Sequence[dict[str, Any]], *, longer: int | None = None) -> Both:
    """Hand both results back, in the order of the calls; the one at ``longer`` longer, to see whether it is read."""
    first, second = (requests.number_of(ctx, label) for label in ("tool-result-first", "tool-result-second"))
    cities = [_city(call, place) for place, call in enumerate(made)]
    messages = [
        {"role": "user", "content": requests.TWO_CITIES},
        requests.call_message(made, ctx.target.tool_turn_content),
        *(
            requests.result_message(made[i]["id"], requests.reading(cities[i], number) + (MORE if longer == i else ""))
            for i, number in enumerate((first, second))
        ),
    ]
    return Both(read(await ctx.chat(messages, limit=300, tools=[requests.weather()])), (first, second))


def _city(call: dict[str, Any], place: int) -> str:
    """The city a call asks for, so that its result fits it."""
    value = judge_arguments(call["arguments"], None).value
    city = value.get("city") if isinstance(value, dict) else None
    return city if isinstance(city, str) and 0 < len(city) <= 40 else requests.CITIES[place]


def _with_params(ctx: Context, result: Result, asked: Sequence[Reading]) -> Result:
    """Note that the parameter is refused, where the request is taken without it."""
    taken = len(asked) == 2 and asked[1].kind not in (Kind.REFUSED, Kind.FAILED, Kind.LOST)
    if not (taken and asked[0].kind is Kind.REFUSED):
        return result
    known = ctx.facts.get("rejected_params")
    listed = {*(known if isinstance(known, list | tuple) else ()), "parallel_tool_calls"}
    return result | Result(facts={"rejected_params": sorted(listed)})


# Diagnosis ---------------------------------------------------------------------------------------


def diagnose_parallel(asked: Sequence[Reading], server: str, codes: frozenset[str]) -> Result:
    """Judge the answer to two questions at once (and to the same without the parameter, where it was refused)."""
    last = asked[-1]
    name = "parallel_tools"
    if last.kind is Kind.LOST:
        return Result(verdicts={name: unknown(last.why)})
    if last.kind in (Kind.REFUSED, Kind.FAILED):
        failed = meaning(last.exchange) is Refusal.MODEL_FAILED
        what = "the server could not read what the model wrote" if failed else "the request was refused"
        return Result(verdicts={name: unknown(f"{what} ({quoted(last.exchange)})")})
    if last.kind is Kind.LEAKED and last.leak is not None:
        known = leaked_calls.diagnosis(last.leak).code
        if known in codes:
            return Result(verdicts={name: Verdict(State.BROKEN, last.leak.confidence, known)})
        finding = leaked_calls.found(last, server, "A single call comes back structured; two at once do not.")
        return Result((finding,), {name: because(State.BROKEN, finding)}, leaked_calls.facts(last.leak, server))
    if last.kind is not Kind.CALLED:
        return Result(verdicts={name: unknown(f"asked for two calls, the model answered with {last.kind}")})
    return _calls(last, server, codes)


def _calls(reading: Reading, server: str, codes: frozenset[str]) -> Result:
    forced = reading.exchange.request.body.get("tool_choice") is not None
    found: list[Fault] = faults(reading, forced=forced)
    if reading.streamed:
        found = judge(reading, whole_sound="tools.arguments-not-json" not in codes, forced=forced)
    findings = [fault.finding() for fault in found]
    breaking = next((fault.finding() for fault in found if fault.breaks), None)
    if (also := leaked_calls.beside(reading, server)) is not None:
        findings.append(also[0])
        breaking = breaking or (also[0] if also[1] else None)
    verdicts: dict[str, Verdict] = {}
    if breaking is not None:
        verdicts["parallel_tools"] = because(State.BROKEN, breaking)
        if reading.streamed:
            verdicts["streaming_tools"] = because(State.BROKEN, breaking)
    elif len(reading.calls) > 1:
        verdicts["parallel_tools"] = works(f"{len(reading.calls)} calls in one answer")
    else:
        verdicts["parallel_tools"] = unknown("asked for two calls, the model made one at a time")
    return Result(tuple(findings), verdicts)


def diagnose_both(both: Sequence[Both]) -> Result:
    """Judge the turn with two results; silent where it was not asked or both were used."""
    if not both or any(one.told == 2 for one in both):
        return Result()
    last = both[-1].reading
    if last.kind in (Kind.REFUSED, Kind.FAILED):
        said = meaning(last.exchange)
        if said is Refusal.MODEL_FAILED or (last.kind is Kind.FAILED and len(both) < 2):
            return Result()
        finding = RESULT_REJECTED.found(
            f"The conversation with two calls in one turn and their two results was refused: {quoted(last.exchange)}.",
            refusal_of(last.exchange),
        )
        return Result((finding,), {"tool_results": because(State.REJECTED, finding)})
    if len(both) < 2:
        return Result()
    before, after = (completion.prompt_tokens(one.reading.exchange) for one in both[:2])
    if both[0].told == 1 and before is not None and after is not None and abs(after - before) <= 2:
        finding = RESULT_IGNORED.found(
            f"Of two results the answer holds one; made longer, the other leaves the prompt at {after} tokens "
            f"(before: {before}): only one of several results reaches the model.",
            last.exchange.shows("/response/body/usage/prompt_tokens", expected=f"more than {before}", actual=after),
            confidence=0.85,
        )
        return Result((finding,), {"tool_results": because(State.IGNORED, finding)})
    return Result()
