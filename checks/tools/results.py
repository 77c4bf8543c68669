"""tools.results: whether the result of a call reaches the model.

The result is a plain sentence with a number nobody can guess; the answer has to hold it.
Where it does not, the prompt tells: it must grow with a longer result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checks._history import history, number_of
from checks.tools import asks
from checks.tools.codes_reach import RESULT_IGNORED, RESULT_REJECTED
from checks.tools.reach import counts
from checks.tools.reading import Kind, Reading, read
from checks.tools.refusals import Refusal, meaning, quoted
from checks.tools.refused import refusal_of
from probe.api import Exchange, Inconclusive, Result, State, Verdict, because, check, completion, unknown, works

if TYPE_CHECKING:
    from probe.api import Context

#: What makes a result longer, so that the prompt has to grow.
MORE = (
    " The wind blows from the west with eleven kilometres an hour, the humidity is at sixty percent, the pressure is "
    "steady, the sky is clear over the whole city, and no rain is expected before the end of the week."
)


@dataclass(frozen=True)
class Turn:
    """One conversation with a result: what was answered, and the number that the result holds."""

    reading: Reading
    number: str

    @property
    def told(self) -> bool:
        return says_number(self.reading.exchange, self.number)


@check(
    "tools.results",
    title="Hand back a tool's result",
    proves="The result of a call, handed back under the call's id, reaches the model and is in its answer.",
    requires={"chat"},
    after={"tools"},
    provides={"tool_results"},
    emits=(RESULT_REJECTED, RESULT_IGNORED),
    max_requests=4,
    max_tokens=4000,
)
async def results(ctx: Context) -> Result:
    refused = refused_tools(ctx)
    if refused is not None:
        return Result(verdicts={"tool_results": refused})
    made = call_to_answer(ctx)
    turns = [Turn(read(await history(ctx)), number_of(ctx))]
    refusals = (Kind.REFUSED, Kind.FAILED)
    if turns[0].reading.kind in refusals and made is not None:
        # That was a call of ours; a service may want its own back, signature and all.
        turns.append(await _turn(ctx, made, None))
    elif turns[0].reading.kind is Kind.FAILED:
        turns.append(await _turn(ctx, asks.spare_call(), None))
    if turns[-1].reading.kind in refusals:
        turns.append(await _turn(ctx, made or asks.spare_call(), ""))
    elif turns[-1].reading.kind is not Kind.LOST and not turns[-1].told:
        turns.append(await _turn(ctx, made or asks.spare_call(), None, longer=True))
    if turns[-1].reading.kind in refusals and not isinstance(ctx.target.extra.get("tools"), dict):
        raise Inconclusive("the question alone, with the tool on offer, was not answered either")
    control = None
    if not _grew(turns) and _answered(turns[-1]) and not any(turn.told for turn in turns):
        number = asks.number_of(ctx, "tool-result-control")
        question = f"{asks.reading('Paris', number)} What is the weather in Paris?"
        control = (await ctx.chat(question, limit=200), number)
    return diagnose_results(turns, control, counted=counts(ctx.exchanges))


def refused_tools(ctx: Context) -> Verdict | None:
    """The verdict on everything that needs tools where the endpoint refuses them, else None."""
    for code in ("tools.not-enabled", "tools.rejected"):
        if code in ctx.codes:
            return Verdict(State.REJECTED, 1.0, code, note="requests with tools are refused")
    return None


def state_of(ctx: Context) -> dict[str, Any]:
    """What tools.call settled; raises Inconclusive where it could not tell anything.

    Raises:
        Inconclusive: the first request with tools was not answered.
    """
    found = ctx.target.extra.get("tools")
    if not isinstance(found, dict):
        raise Inconclusive("the first request with tools was not answered")
    return found


def call_to_answer(ctx: Context) -> dict[str, Any] | None:
    """The model's own call, or None where it made none that can be sent back."""
    found = ctx.target.extra.get("tools")
    made = found.get("call") if isinstance(found, dict) else None
    return dict(made) if isinstance(made, dict) else None


async def _turn(ctx: Context, made: dict[str, Any], content: str | None, *, longer: bool = False) -> Turn:
    """Ask the question with the call and its result already in the conversation."""
    number = asks.number_of(ctx, "tool-result-long" if longer else "tool-result")
    text = asks.reading("Paris", number) + (MORE if longer else "")
    messages = [
        {"role": "user", "content": asks.QUESTION},
        asks.call_message([made], content),
        asks.result_message(made["id"], text),
    ]
    return Turn(read(await ctx.chat(messages, limit=300, tools=[asks.weather()])), number)


# Diagnosis ---------------------------------------------------------------------------------------


def says_number(exchange: Exchange, number: str) -> bool:
    """Whether the answer holds the number, also written as 48,213 or 48 213 or 48.213."""
    text = re.sub(r"(?<=\d)[,.   ](?=\d{3})", "", completion.answer(exchange))
    return number in text


def _answered(turn: Turn) -> bool:
    return turn.reading.kind not in (Kind.REFUSED, Kind.FAILED, Kind.LOST)


def _grew(turns: list[Turn]) -> bool | None:
    """Whether the prompt grew with the longer result, which is asked last; None where it is not counted or not "
    "asked."""
    if len(turns) < 2 or not (_answered(turns[-2]) and _answered(turns[-1])):
        return None
    before, after = (completion.prompt_tokens(turn.reading.exchange) for turn in turns[-2:])
    if before is None or after is None:
        return None
    if after - before >= len(MORE) // 12:
        return True
    return False if abs(after - before) <= 2 else None


def diagnose_results(turns: list[Turn], control: tuple[Exchange, str] | None, *, counted: bool = True) -> Result:
    """Judge conversations with a result.

    Args:
        turns: the conversation with a call of ours; where it was refused, with the model's own
            call, then with an empty string in place of null content; where its answer lacked the
            number, with a longer result.
        control: the same sentence in a user message, and its number.
        counted: the endpoint really counts prompt tokens.
    """
    last = turns[-1].reading
    if any(turn.told for turn in turns):
        told = next(turn.reading for turn in turns if turn.told)
        # Later turns of this kind do not have to find out again what content is taken.
        settles = {"tool_turn_content": told.exchange.request.body["messages"][1]["content"]}
        return Result(verdicts={"tool_results": works(_how(turns))}, settles=settles)
    if last.kind is Kind.LOST:
        raise Inconclusive(last.why)
    if last.kind in (Kind.REFUSED, Kind.FAILED):
        return _refused(turns)
    grew = _grew(turns) if counted else None
    if grew:
        return Result(verdicts={"tool_results": unknown(_unused(turns))})
    repeats = control is not None and says_number(*control)
    if len(turns) > 1 and repeats:
        return _ignored(turns, grew, repeats)
    note = "the answer does not hold the result, and the model repeats the sentence from a user message no better"
    return Result(verdicts={"tool_results": unknown(note)})


def _how(turns: list[Turn]) -> str:
    """Under what conditions the result was used."""
    first = turns[0].reading
    if first.kind not in (Kind.REFUSED, Kind.FAILED):
        return "" if turns[0].told else "in the second of two tries"
    told = next(turn.reading for turn in turns if turn.told)
    if told.exchange.request.body["messages"][1]["content"] is None:
        return f"only with the call that the endpoint itself made ({quoted(first.exchange)})"
    return f'only with content "" in place of null ({quoted(first.exchange)})'


def _unused(turns: list[Turn]) -> str:
    if all(turn.reading.kind is Kind.CALLED for turn in turns):
        return "the result reaches the model (the prompt grows with it), which calls the tool again"
    return "the result reaches the model (the prompt grows with it), which does not use it in its answer"


def _ignored(turns: list[Turn], grew: bool | None, repeats: bool) -> Result:
    first, last = turns[0].reading, turns[-1].reading
    counts = [completion.prompt_tokens(reading.exchange) for reading in (first, last)]
    detail = f"The answer does not hold the number {turns[0].number} of the result"
    if grew is False:
        detail += f", and a longer result leaves the prompt at {counts[1]} tokens (before: {counts[0]})"
    if repeats:
        detail += ", while the model repeats the same sentence when it stands in a user message"
    evidence = [
        first.exchange.shows(
            "/response/body/choices/0/message/content", expected=turns[0].number, actual=first.text[:160]
        )
    ]
    if grew is False:
        evidence.append(
            last.exchange.shows(
                "/response/body/usage/prompt_tokens", expected=f"more than {counts[0]}", actual=counts[1]
            )
        )
    finding = RESULT_IGNORED.found(f"{detail}.", *evidence, confidence=0.95 if grew is False else 0.75)
    return Result((finding,), {"tool_results": because(State.IGNORED, finding)})


def _refused(turns: list[Turn]) -> Result:
    last = turns[-1].reading
    if meaning(last.exchange) is Refusal.MODEL_FAILED:
        note = f"the server could not read what the model wrote ({quoted(last.exchange)})"
        return Result(verdicts={"tool_results": unknown(note)})
    if all(turn.reading.kind is Kind.FAILED for turn in turns) and len(turns) < 2:
        raise Inconclusive(f"status {last.exchange.status} once")
    finding = RESULT_REJECTED.found(
        f"The conversation with a call and its result was refused, with null and with empty content of the call's "
        f"turn: "
        f"{quoted(last.exchange)}.",
        refusal_of(last.exchange),
    )
    return Result((finding,), {"tool_results": because(State.REJECTED, finding)})
