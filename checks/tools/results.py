"""tools.results: whether the result of a call reaches the model.

The result is a plain sentence with a number nobody can guess; the answer has to hold it.
Where it does not, the prompt tells: it must grow with a longer result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checks._evidence import counts_live
from checks._history import history, number_of
from checks.tools import asks
from checks.tools.codes_reach import RESULT_IGNORED, RESULT_REJECTED
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
    max_requests=5,
    max_tokens=4000,
)
async def results(ctx: Context) -> Result:
    refused = refused_tools(ctx)
    if refused is not None:
        return Result(verdicts={"tool_results": refused})
    made = call_to_answer(ctx)
    call: dict[str, Any] = asks.spare_call()
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
    if not any(turn.answered for turn in turns) and not isinstance(ctx.target.extra.get("tools"), dict):
        raise Inconclusive("the question alone, with the tool on offer, was not answered either")
    counted = counts_live(ctx.exchanges)
    grew = _grew(turns) if counted else None
    control = None
    if not grew and turns[-1].answered and not any(turn.told or turn.garbled for turn in turns):
        control = await _control(ctx, counted=grew is False)
    return diagnose_results(turns, control, counted=counted)


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


async def _control(ctx: Context, *, counted: bool) -> tuple[Exchange, str]:
    """The same sentence where it surely arrives: can this model repeat its number at all?

    Where prompt tokens tell, a user message will do.  Where nothing but the model's word tells, it must be
    as hard to use as a result: what a chat template makes of the conversation (that of Hermes and Qwen).
    """
    number = asks.number_of(ctx, "tool-result-control")
    sentence = asks.reading("Paris", number)
    if counted:
        return await ctx.chat(f"{sentence} What is the weather in Paris?", limit=200), number
    made = asks.spare_call()
    call = f'{{"name": "{made["name"]}", "arguments": {made["arguments"]}}}'
    messages = [
        {"role": "user", "content": asks.QUESTION},
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
    answered = [turn.reading.exchange for turn in turns if turn.answered]
    if len(answered) < 2:
        return None
    before, after = (completion.prompt_tokens(exchange) for exchange in answered[-2:])
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
    answered = [turn for turn in turns if turn.answered]
    if not answered:
        if turns[-1].reading.kind is Kind.LOST:
            raise Inconclusive(turns[-1].reading.why)
        return _refused(turns)
    # Later turns of this kind do not have to find out again what content is taken.
    taken = answered[0].reading.exchange.request.body["messages"][1]["content"]
    return _answered(turns, answered, control, counted) | Result(settles={"tool_turn_content": taken})


def _answered(turns: list[Turn], answered: list[Turn], control: tuple[Exchange, str] | None, counted: bool) -> Result:
    """Whether the answers hold the result."""
    if any(turn.told for turn in answered):
        return Result(verdicts={"tool_results": works(_how(turns))})
    grew = _grew(turns) if counted else None
    if grew or any(turn.garbled for turn in answered):
        return Result(verdicts={"tool_results": unknown(_unused(answered, grew))})
    repeats = control is not None and says_number(*control)
    if len(answered) > 1 and repeats:
        return _ignored(answered, grew)
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


def _ignored(turns: list[Turn], grew: bool | None) -> Result:
    first, last = (turn.reading for turn in turns[-2:])
    tokens = [completion.prompt_tokens(reading.exchange) for reading in (first, last)]
    detail = f"The answer does not hold the number {turns[-2].number} of the result"
    if grew is False:
        detail += f", and a longer result leaves the prompt at {tokens[1]} tokens (before: {tokens[0]})"
        where = "it stands in a user message"
    else:
        where = "the conversation is written as a chat template would write it"
    detail += f", while the model repeats the same sentence when {where}"
    evidence = [
        first.exchange.shows(
            "/response/body/choices/0/message/content", expected=turns[-2].number, actual=first.text[:160]
        )
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
