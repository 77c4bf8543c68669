"""tools.results: whether the result of a call reaches the model.

The result is a plain sentence with a number nobody can guess; the answer has to hold it.
Where it does not, the prompt tells: it must grow with a longer result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checks.shared.evidence import ROUNDS, counts_live
from checks.tools import requests
from checks.tools.catalogue import RESULT_IGNORED, RESULT_REJECTED
from checks.tools.history import history, number_of
from checks.tools.reading import Kind, Reading, read
from checks.tools.refusal import Refusal, meaning, quoted, refusal_of
from probe.api import Exchange, Inconclusive, Result, State, Verdict, because, check, completion, unknown, works

if TYPE_CHECKING:
    from probe.api import Context, ToolState

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
    def longer(self) -> bool:
        """Whether it is the one with the longer result."""
        return bool(self.reading.exchange.request.body["messages"][-1]["content"].endswith(MORE))

    @property
    def answered(self) -> bool:
        return self.reading.kind not in (Kind.REFUSED, Kind.FAILED, Kind.LOST)

    @property
    def told(self) -> bool:
        return self.answered and says_number(self.reading.exchange, self.number)

    @property
    def garbled(self) -> bool:
        """Whether the answer begins the number, as weak models do: 20.46 degrees for 20462."""
        return self.answered and says_number(self.reading.exchange, self.number[:3])


@check(
    "tools.results",
    title="Hand back a tool's result",
    proves="The result of a call, handed back under the call's id, reaches the model and is in its answer.",
    requires={"chat"},
    after={"tools"},
    provides={"tool_results"},
    emits=(RESULT_REJECTED, RESULT_IGNORED),
    max_requests=9,
    max_tokens=6000,
)
async def results(ctx: Context) -> Result:
    refused = refused_tools(ctx)
    if refused is not None:
        return Result(verdicts={"tool_results": refused})
    made = call_to_answer(ctx)
    call: dict[str, Any] = requests.spare_call()
    content: str | None = None
    turns = [Turn(read(await history(ctx)), number_of(ctx))]
    if turns[0].reading.kind is Kind.FAILED or (turns[0].reading.kind is Kind.REFUSED and made is not None):
        # That was a call of ours; a service may want its own back, signature and all.
        call = made or call
        turns.append(await _turn(ctx, call, content))
    if turns[-1].reading.kind in (Kind.REFUSED, Kind.FAILED):
        call, content = made or call, ""
        turns.append(await _turn(ctx, call, content))
    if turns[-1].answered and not turns[-1].told:
        turns.append(await _turn(ctx, call, content, longer=True))
    if not any(turn.answered for turn in turns) and ctx.target.tools is None:
        raise Inconclusive("the question alone, with the tool on offer, was not answered either")
    counted = counts_live(ctx.exchanges)
    grew = _grew(turns) if counted else None
    controls: list[tuple[Exchange, str]] = []
    while not grew and turns[-1].answered and not any(turn.told or turn.garbled for turn in turns):
        controls.append(await _control(ctx, len(controls), counted=grew is False))
        if grew is False or len(controls) == ROUNDS or not says_number(*controls[-1]):
            break
        turns.append(await _turn(ctx, call, content, place=len(controls)))
    return diagnose_results(turns, controls, counted=counted)


def refused_tools(ctx: Context) -> Verdict | None:
    """The verdict on everything that needs tools where the endpoint refuses them, else None."""
    for code in ("tools.not-enabled", "tools.rejected"):
        if code in ctx.codes:
            return Verdict(State.REJECTED, 1.0, code, note="requests with tools are refused")
    return None


def state_of(ctx: Context) -> ToolState:
    """What tools.call settled; raises Inconclusive where it could not tell anything.

    Raises:
        Inconclusive: the first request with tools was not answered.
    """
    if ctx.target.tools is None:
        raise Inconclusive("the first request with tools was not answered")
    return ctx.target.tools


def call_to_answer(ctx: Context) -> dict[str, Any] | None:
    """The model's own call, or None where it made none that can be sent back."""
    made = ctx.target.tools["call"] if ctx.target.tools else None
    return dict(made) if made else None


async def _turn(
    ctx: Context, made: dict[str, Any], content: str | None, *, longer: bool = False, place: int = 0
) -> Turn:
    """Ask the question with the call and its result already in the conversation; another number at every place."""
    number = requests.number_of(
        ctx, "tool-result-long" if longer else f"tool-result-{place}" if place else "tool-result"
    )
    text = requests.reading("Paris", number) + (MORE if longer else "")
    messages = [
        {"role": "user", "content": requests.QUESTION},
        requests.call_message([made], content),
        requests.result_message(made["id"], text),
    ]
    return Turn(read(await ctx.chat(messages, limit=300, tools=[requests.weather()])), number)


async def _control(ctx: Context, place: int, *, counted: bool) -> tuple[Exchange, str]:
    """The same sentence where it surely arrives: can this model repeat its number at all?

    Where prompt tokens tell, a user message will do.  Where nothing but the model's word tells, it must be
    as hard to use as a result: what a chat template makes of the conversation (that of Hermes and Qwen).
    """
    number = requests.number_of(ctx, f"tool-result-control-{place}")
    sentence = requests.reading("Paris", number)
    if counted:
        return await ctx.chat(f"{sentence} What is the weather in Paris?", limit=200), number
    made = requests.spare_call()
    call = f'{{"name": "{made["name"]}", "arguments": {made["arguments"]}}}'
    messages = [
        {"role": "user", "content": requests.QUESTION},
        {"role": "assistant", "content": f"<tool_call>\n{call}\n</tool_call>"},
        {"role": "user", "content": f"<tool_response>\n{sentence}\n</tool_response>"},
    ]
    return await ctx.chat(messages, limit=300), number


# Diagnosis ---------------------------------------------------------------------------------------


def says_number(exchange: Exchange, number: str) -> bool:
    """Whether the answer holds the digits, also written as 48,213 or 48 213 or 48.213."""
    return number in re.sub(r"(?<=\d)[,.'’\s](?=\d)", "", completion.answer(exchange))


def _grew(turns: list[Turn]) -> bool | None:
    """Whether the prompt grew with the longer result; None where that was not asked or cannot be told."""
    pair = _pair(turns)
    if pair is None:
        return None
    before, after = (completion.prompt_tokens(turn.reading.exchange) for turn in pair)
    if before is None or after is None:
        return None
    if after - before >= len(MORE) // 12:
        return True
    return False if abs(after - before) <= 2 else None


def _pair(turns: list[Turn]) -> tuple[Turn, Turn] | None:
    """The first turn that was answered and the one with the longer result, where both were."""
    answered = [turn for turn in turns if turn.answered]
    longer = next((turn for turn in answered if turn.longer), None)
    return (answered[0], longer) if longer is not None and longer is not answered[0] else None


def diagnose_results(
    turns: list[Turn], controls: Sequence[tuple[Exchange, str]] = (), *, counted: bool = True
) -> Result:
    """Judge conversations with a result.

    Args:
        turns: the conversation with a call of ours; where it was refused, with the model's own
            call, then with an empty string in place of null content; where the answer lacked the
            number, the same with a longer result; where no count tells, with other results.
        controls: the same sentence where it surely arrives, and its number; once where a count
            tells, else so often as it takes to believe the model.
        counted: the endpoint really counts prompt tokens.
    """
    answered = [turn for turn in turns if turn.answered]
    if not answered:
        if turns[-1].reading.kind is Kind.LOST:
            raise Inconclusive(turns[-1].reading.why)
        return _refused(turns)
    # Later turns of this kind do not have to find out again what content is taken.
    taken = answered[0].reading.exchange.request.body["messages"][1]["content"]
    return _answered(turns, answered, controls, counted) | Result(settles={"tool_turn_content": taken})


def _answered(
    turns: list[Turn], answered: list[Turn], controls: Sequence[tuple[Exchange, str]], counted: bool
) -> Result:
    """Whether the answers hold the result."""
    if any(turn.told for turn in answered):
        return Result(verdicts={"tool_results": works(_how(turns))})
    grew = _grew(turns) if counted else None
    if grew or any(turn.garbled for turn in answered):
        return Result(verdicts={"tool_results": unknown(_unused(answered, grew))})
    pair = _pair(turns)
    able = all(says_number(*control) for control in controls)
    if pair is not None and able and len(controls) >= (1 if grew is False else ROUNDS):
        return _ignored(*pair, grew)
    note = "the answer does not hold the result, and the model repeats the sentence from elsewhere no better"
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


def _unused(turns: list[Turn], grew: bool | None) -> str:
    if not grew:
        return "the result reaches the model, which does not copy its number whole"
    if all(turn.reading.kind is Kind.CALLED for turn in turns):
        return "by the count of prompt tokens the result reaches the model, which calls the tool again"
    return "by the count of prompt tokens the result reaches the model, which does not use it in its answer"


def _ignored(short: Turn, longer: Turn, grew: bool | None) -> Result:
    first, last = short.reading, longer.reading
    tokens = [completion.prompt_tokens(reading.exchange) for reading in (first, last)]
    detail = f"The answer does not hold the number {short.number} of the result"
    if grew is False:
        detail += f", and a longer result leaves the prompt at {tokens[1]} tokens (before: {tokens[0]})"
        where = "it stands in a user message"
    else:
        where = f"the conversation is written as a chat template would write it, {ROUNDS} times of {ROUNDS}"
    detail += f", while the model repeats the same sentence when {where}"
    evidence = [
        first.exchange.shows("/response/body/choices/0/message/content", expected=short.number, actual=first.text[:160])
    ]
    if grew is False:
        evidence.append(
            last.exchange.shows(
                "/response/body/usage/prompt_tokens", expected=f"more than {tokens[0]}", actual=tokens[1]
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
