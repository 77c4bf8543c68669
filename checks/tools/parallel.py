"""tools.parallel: two questions at once, two calls, two results.

Streamed where streamed calls arrive at all, since there parallel calls may be merged.  Both results are then handed
back in one turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checks.shared.outcome import words_of
from checks.stream.catalogue import TEXT_DIFFERS
from checks.tools import requests
from checks.tools.catalogue import (
    CALL_FAULTS,
    OFF_SCHEMA,
    RESULT_IGNORED,
    RESULT_REJECTED,
    STREAM_FRAGMENTS,
    STREAM_INDEX,
)
from checks.tools.leaked_calls import diagnosis, facts, leak_finding, server_of
from checks.tools.reading import Kind, Reading, read
from checks.tools.refusal import Refusal, meaning, refusal_of
from checks.tools.replay import Received, city_of, extras, received_in, send, without_extras
from checks.tools.results import MORE, repeats_number
from checks.tools.state import call_parameters, state_of, unusable_verdict
from checks.tools.stream_assembly import stream_faults
from checks.tools.structured_calls import faults, findings_of
from probe.api import Result, State, Verdict, because, check, completion, unknown, wording, works

if TYPE_CHECKING:
    from probe.api import Context

#: Findings with which streamed calls still arrive, so that parallel ones are streamed too.
_STILL_ARRIVE = ("tools.stream-index", "tools.stream-fragments", "tools.id-missing", "tools.finish-reason")


@dataclass(frozen=True)
class Both:
    """The turn that hands both results back: the answer, and the numbers in the results."""

    reading: Reading
    numbers: tuple[str, str]

    @property
    def used(self) -> int:
        """How many of the numbers the answer holds."""
        return sum(repeats_number(self.reading.exchange, number) for number in self.numbers)

    @property
    def unused(self) -> int:
        """The place of the first number that the answer lacks; the last place where it holds all."""
        return 0 if not repeats_number(self.reading.exchange, self.numbers[0]) else 1


@check(
    "tools.parallel",
    title="Make two calls at once",
    proves="Two questions return two calls with different ids that join correctly, and both results reach the model.",
    requires={"chat"},
    after={"tools", "streaming_tools", "tool_results"},
    provides={"parallel_tools", "streaming_tools", "tool_results"},
    emits=(STREAM_INDEX, STREAM_FRAGMENTS, *CALL_FAULTS, RESULT_REJECTED, RESULT_IGNORED, TEXT_DIFFERS),
    max_requests=8,
    max_tokens=9000,
)
async def parallel(ctx: Context) -> Result:
    unusable = unusable_verdict(ctx)
    if unusable is not None:
        return Result(verdicts={"parallel_tools": unusable})
    state = state_of(ctx)
    parameters = call_parameters(state)
    if parameters is None or state["outcome"] == "leaked":
        return _unknown("not even one call comes back structured")
    streams = _streams(ctx)
    if streams:
        asked = [read(await requests.two_streamed(ctx, parameters))]
    parameters |= {"limit": requests.LONG_LIMIT, "stream": True if streams else None}
    if not streams:
        asked = [read(await ctx.chat(requests.TWO_CITIES, parallel_tool_calls=True, **parameters))]
    if asked[0].refused:
        asked.append(read(await ctx.chat(requests.TWO_CITIES, **parameters)))
    compared = await _whole_too(ctx, asked, parameters)
    both: list[Both] = []
    streamed: list[Both] = []
    if "tools.result-rejected" not in ctx.codes and (received := answerable(compared[0] if compared else asked[-1])):
        message = _message(ctx, received)
        if streams:
            streamed.append(await _hand_back(ctx, received, message, stream=True))
        if not streamed or streamed[0].used < 2:
            both.append(await _hand_back(ctx, received, message))
            if both[0].reading.refused and extras(received.message) and message != received.message:
                message = received.message  # tools.echo finds the field
                both = [await _hand_back(ctx, received, message)]
                streamed = []
            if both[0].used == 2 and streamed and differs(streamed[0], both[0]):
                streamed.append(await _hand_back(ctx, received, message, stream=True))
            elif both[0].used < 2 and both[0].reading.answered:
                both.append(await _hand_back(ctx, received, message, longer=both[0].unused))
    result = diagnose_parallel(asked, server_of(ctx, *asked), ctx.codes) | diagnose_both(both)
    result |= diagnose_streamed_answer(streamed, both)
    result |= diagnose_lost_call(asked[-1], compared)
    if len(asked) == 2 and asked[0].kind is Kind.REFUSED and asked[1].answered:
        known = ctx.facts.get("rejected_params")
        listed = {*(known if isinstance(known, list | tuple) else ()), "parallel_tool_calls"}
        result |= Result(facts={"rejected_params": sorted(listed)})
    return result


def _unknown(note: str) -> Result:
    return Result(verdicts={"parallel_tools": unknown(note)})


def _streams(ctx: Context) -> bool:
    """Whether a streamed request with tools returns structured calls, sound or not."""
    verdict = ctx.verdicts.get("streaming_tools")
    if verdict is None:
        return False
    return verdict.verdict is State.WORKS or (verdict.verdict is State.BROKEN and verdict.finding in _STILL_ARRIVE)


def answerable(reading: Reading) -> Received | None:
    """Two sound calls to answer, in the message as it came; None without them."""
    received = received_in(reading.exchange) if reading.kind is Kind.CALLED else None
    return received if received is not None and len(received.calls) == 2 else None


async def _whole_too(ctx: Context, asked: list[Reading], parameters: dict[str, Any]) -> list[Reading]:
    """Where one call alone is streamed: the answer without streaming and, where that has two, the stream once more."""
    last = asked[-1]
    if not last.streamed or last.kind is not Kind.CALLED or len(last.calls) != 1:
        return []
    again = {**parameters, "stream": None}
    whole = read(await ctx.chat(requests.TWO_CITIES, **again))
    if whole.kind is not Kind.CALLED or len(whole.calls) < 2:
        return []
    return [whole, read(await ctx.chat(requests.TWO_CITIES, **parameters))]


def diagnose_lost_call(asked: Reading, compared: Sequence[Reading]) -> Result:
    """Judge a stream with one call against the whole answer with two, and the stream again.  Pure."""
    if len(compared) < 2 or compared[1].kind is not Kind.CALLED or len(compared[1].calls) != 1:
        return Result()
    whole = compared[0]
    finding = STREAM_FRAGMENTS.found(
        f"Without streaming the answer to two questions has {len(whole.calls)} calls; streamed, twice, it has one.",
        asked.exchange.shows("/response/events", expected=f"{len(whole.calls)} calls", actual="1 call"),
        whole.exchange.shows(
            "/response/body/choices/0/message/tool_calls", expected="2 calls", actual=f"{len(whole.calls)} calls"
        ),
    )
    broken = because(State.BROKEN, finding)
    return Result((finding,), {"streaming_tools": broken, "parallel_tools": works("without streaming")})


def _message(ctx: Context, received: Received) -> dict[str, Any]:
    """The message with the calls as clients with typed messages send it: the fields of the API alone."""
    message = without_extras(received.message)
    if message.get("content") is None:
        message["content"] = ctx.target.tool_turn_content
    return message


async def _hand_back(
    ctx: Context, received: Received, message: dict[str, Any], *, longer: int | None = None, stream: bool = False
) -> Both:
    """Hand both results back, the result at ``longer`` with more text."""
    first, second = (requests.number_of(ctx, label) for label in ("tool-result-first", "tool-result-second"))
    texts = [
        requests.report(city_of(call, city), number) + (MORE if longer == place else "")
        for place, (call, city, number) in enumerate(
            zip(received.calls, requests.CITIES, (first, second), strict=False)
        )
    ]
    return Both(read(await send(ctx, received, texts, message, stream=stream)), (first, second))


# Diagnosis -----------------------------------------------------------------------------------------


def differs(streamed: Both, whole: Both) -> bool:
    """Whether the streamed answer to the results is refused, empty, or the whole one with parts lost."""
    if streamed.reading.refused or streamed.reading.kind is Kind.EMPTY:
        return True
    if streamed.reading.kind is not Kind.PROSE:
        return False
    left = iter(whole.reading.text)
    return len(streamed.reading.text) < len(whole.reading.text) and all(one in left for one in streamed.reading.text)


def diagnose_streamed_answer(streamed: Sequence[Both], both: Sequence[Both]) -> Result:
    """Judge the streamed answers to two results where the whole one is right; empty without a second one.  Pure."""
    if len(streamed) < 2 or streamed[1].used == 2 or not differs(streamed[1], both[0]):
        return Result()
    last, whole = streamed[1].reading, both[0].reading
    if last.refused or last.finish == "error":
        how = (
            f"was refused: {words_of(last.exchange)}"
            if last.refused
            else 'ended with finish_reason "error" and no text'
        )
        finding = RESULT_REJECTED.found(
            f"Streamed, the conversation with results {how}, twice. Without streaming it was answered.",
            refusal_of(last.exchange),
        )
    else:
        finding = TEXT_DIFFERS.found(
            f"After tool results the streamed text is {wording.quote(last.text, 80, 'empty')}, twice; without "
            f"streaming it is {wording.quote(whole.text, 120)}.",
            last.exchange.shows("/response/events", expected=whole.text[:160], actual=last.text[:160]),
        )
    return Result((finding,), {"streaming_tools": because(State.BROKEN, finding)})


def diagnose_parallel(asked: Sequence[Reading], server: str, codes: frozenset[str]) -> Result:
    """Judge the answer to two questions at once (the last one, where the parameter was refused at first)."""
    last = asked[-1]
    if last.kind is Kind.LOST:
        return _unknown(last.why)
    if last.refused:
        failed = meaning(last.exchange) is Refusal.MODEL_FAILED
        what = "the server could not parse the model's output" if failed else "the request was refused"
        return _unknown(f"{what} ({words_of(last.exchange)})")
    if last.kind is Kind.LEAKED and last.leak is not None:
        known = diagnosis(last.leak).code
        if known in codes:
            return Result(verdicts={"parallel_tools": Verdict(State.BROKEN, last.leak.confidence, known)})
        finding = leak_finding(last, server, "A single call comes back structured; two at once do not.")
        return Result((finding,), {"parallel_tools": because(State.BROKEN, finding)}, facts(last.leak, server))
    if last.kind is not Kind.CALLED:
        return _unknown(f"asked for two calls, the model answered with {last.kind}")
    forced = last.exchange.request.body.get("tool_choice") is not None
    found = faults(last, forced=forced)
    if last.streamed:
        found = stream_faults(last, whole_sound="tools.arguments-not-json" not in codes, forced=forced)
    if STREAM_FRAGMENTS.code in codes:  # what the stream lost is not what the model left out
        found = [fault for fault in found if fault.diagnosis is not OFF_SCHEMA]
    findings, breaking = findings_of(found, last, server)
    if breaking is not None:
        names = ("parallel_tools", "streaming_tools") if last.streamed else ("parallel_tools",)
        return Result(tuple(findings), dict.fromkeys(names, because(State.BROKEN, breaking)))
    verdict = unknown("asked for two calls, the model made one at a time")
    if len(last.calls) > 1:
        verdict = works(f"{len(last.calls)} calls in one answer")
    return Result(tuple(findings), {"parallel_tools": verdict})


def diagnose_both(both: Sequence[Both]) -> Result:
    """Judge the turn with two results; an empty result where it was not sent or both were used."""
    if not both or any(one.used == 2 for one in both):
        return Result()
    last = both[-1].reading
    if last.refused:
        if meaning(last.exchange) is Refusal.MODEL_FAILED or (last.kind is Kind.FAILED and len(both) < 2):
            return Result()
        finding = RESULT_REJECTED.found(
            f"A conversation with two calls in one turn and their two results was refused: {words_of(last.exchange)}.",
            refusal_of(last.exchange),
        )
        return Result((finding,), {"tool_results": because(State.REJECTED, finding)})
    if len(both) < 2:
        return Result()
    before, after = (completion.prompt_tokens(one.reading.exchange) for one in both[:2])
    if both[0].used == 1 and before is not None and after is not None and abs(after - before) <= 2:
        finding = RESULT_IGNORED.found(
            f"The answer holds one of two results; a longer version of the other leaves the prompt at {after} tokens "
            f"(before: {before}): only one of several results reaches the model.",
            last.exchange.shows("/response/body/usage/prompt_tokens", expected=f"more than {before}", actual=after),
            confidence=0.85,
        )
        return Result((finding,), {"tool_results": because(State.IGNORED, finding)})
    return Result()
