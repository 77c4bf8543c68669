"""tools.results: whether the result of a call reaches the model.

The result is a plain sentence with a number that cannot be guessed, and the answer must hold the number.  Where it does
not, the prompt tokens must grow with a longer result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from checks.shared.evidence import counts_live, repeats
from checks.shared.outcome import words_of
from checks.shared.trials import ROUNDS
from checks.tools import requests
from checks.tools.catalogue import ECHO_REQUIRED, HISTORY_REJECTED, RESULT_IGNORED, RESULT_REJECTED
from checks.tools.echo import echo_required
from checks.tools.reading import Kind, Reading, read
from checks.tools.refusal import Refusal, meaning, refusal_of
from checks.tools.replay import (
    Received,
    city_of,
    extras,
    meant,
    plain_answer,
    plain_extras,
    received_call,
    send,
    shown_path,
    with_answer,
    without_extras,
)
from checks.tools.state import refused_verdict
from probe.api import (
    Exchange,
    Inconclusive,
    Owner,
    Result,
    State,
    because,
    check,
    completion,
    member,
    unknown,
    wording,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

#: What makes a result longer, so that the prompt has to grow.
MORE = (
    " The wind blows from the west with eleven kilometres an hour, the humidity is at sixty percent, the pressure is "
    "steady, the sky is clear over the whole city, and no rain is expected before the end of the week."
)


@dataclass(frozen=True)
class Turn:
    """One conversation with a result: the answer, and the number in the result."""

    reading: Reading
    number: str

    @property
    def longer(self) -> bool:
        """Whether it is the one with the longer result."""
        return bool(self.reading.exchange.request.body["messages"][-1]["content"].endswith(MORE))

    @property
    def content(self) -> str | None:
        """The content of the message that holds the call."""
        found: str | None = self.reading.exchange.request.body["messages"][1]["content"]
        return found

    @property
    def used(self) -> bool:
        """Whether the answer holds the number."""
        return self.reading.answered and repeats_number(self.reading.exchange, self.number)

    @property
    def garbled(self) -> bool:
        """Whether the answer holds the start of the number, as weak models write it: 20.46 degrees for 20462."""
        start = r"[,.'’\s]?".join(self.number[:3])
        return self.reading.answered and bool(re.search(start, completion.answer(self.reading.exchange)))


def repeats_number(exchange: Exchange, number: str) -> bool:
    """Whether the visible answer holds the number of a result."""
    return repeats(exchange, number, reasoning=False)


@check(
    "tools.results",
    title="Hand back a tool's result",
    proves="The result of a call, handed back under the call's id, reaches the model and is in its answer.",
    requires={"chat"},
    after={"tools"},
    provides={"tool_results"},
    emits=(RESULT_REJECTED, RESULT_IGNORED, ECHO_REQUIRED, HISTORY_REJECTED),
    max_requests=12,
    max_tokens=6000,
)
async def results(ctx: Context) -> Result:
    refused = refused_verdict(ctx)
    if refused is not None:
        return Result(verdicts={"tool_results": refused})
    received = received_call(ctx.exchanges)
    if received is not None and (result := await _sent_back(ctx, received)) is not None:
        return result
    made = ctx.target.tools["call"] if ctx.target.tools else None
    call: dict[str, Any] = requests.own_call()
    content: str | None = None
    turns = [Turn(read(await requests.result(ctx)), requests.number_of(ctx))]
    if (
        received is None
        and turns[0].reading.kind is Kind.REFUSED
        and (needed := await _with_plain_extras(ctx, turns[0]))
    ):
        return needed
    if turns[0].reading.kind is Kind.FAILED or (turns[0].reading.kind is Kind.REFUSED and made is not None):
        # A service may require a call of its own, with a signature.
        call = made or call
        turns.append(await _turn(ctx, call, content))
    if turns[-1].reading.refused:
        call, content = made or call, ""
        turns.append(await _turn(ctx, call, content))
    if turns[-1].reading.refused and (named := await _with_name(ctx, turns[-1], call)):
        return named
    if turns[-1].reading.answered and not turns[-1].used:
        turns.append(await _turn(ctx, call, content, longer=True))
    if not any(turn.reading.answered for turn in turns) and ctx.target.tools is None:
        raise Inconclusive("the question alone, with the tool on offer, was not answered either")
    counted = counts_live(ctx.exchanges)
    grew = _grew(turns) if counted else None
    controls: list[tuple[Exchange, str]] = []
    while not grew and turns[-1].reading.answered and not any(turn.used or turn.garbled for turn in turns):
        controls.append(await _control(ctx, len(controls), counted=grew is False))
        if grew is False or len(controls) == ROUNDS or not repeats_number(*controls[-1]):
            break
        turns.append(await _turn(ctx, call, content, place=len(controls)))
    return diagnose_results(turns, controls, counted=counted)


async def _sent_back(ctx: Context, received: Received) -> Result | None:
    """The endpoint's own call handed back as it came; None where that settles nothing."""
    number = requests.number_of(ctx, "tool-result-own")
    texts = [requests.report(city_of(call, "Paris"), number) for call in received.calls]
    plain = plain_answer(ctx.exchanges)
    own = Turn(read(await send(ctx, received, texts, before=with_answer(plain) if plain else ())), number)
    if plain is not None and own.reading.refused:
        own = Turn(read(await send(ctx, received, texts)), number)  # tools.history looks into the plain answer
    if failed := _failed_after_result(own.reading):
        return failed
    if own.reading.kind is Kind.REFUSED:
        return await _own_refused(ctx, received, own, texts)
    if not own.reading.answered:
        return None
    content = {"tool_turn_content": received.message.get("content")}
    if own.used:
        return Result(verdicts={"tool_results": works()}, settles=content)
    if extras(received.message) and read(await send(ctx, received, texts, without_extras(received.message))).refused:
        # tools.echo finds the field; calls of this program do not have it.
        verdict = unknown("the result reaches the endpoint, and the model does not use it")
        return Result(verdicts={"tool_results": verdict}, settles=content)
    return None


def _failed_after_result(reading: Reading) -> Result | None:
    """The result for an answer that ends with an error of the provider instead of text."""
    if not reading.answered or reading.finish != "error":
        return None
    native = member(completion.body_of(reading.exchange), "choices", 0, "native_finish_reason")
    also = f" (native_finish_reason {wording.shown(native)})" if native else ""
    pointer = "/response/body/choices/0/finish_reason"
    finding = RESULT_REJECTED.found(
        f'The conversation with a tool result was answered 200 with finish_reason "error"{also} and no text.',
        reading.exchange.shows(pointer, expected="stop", actual="error"),
        owner=Owner.GATEWAY,
        remedy="Choose another provider or model behind the gateway: this one fails on tool results. The gateway "
        "should answer with an error status.",
    )
    return Result((finding,), {"tool_results": because(State.BROKEN, finding)})


async def _own_refused(ctx: Context, received: Received, own: Turn, texts: Sequence[str]) -> Result | None:
    """The endpoint's own call was refused: because of a field that it wrote, or of its id; None where of neither."""
    if meaning(own.reading.exchange) is Refusal.MODEL_FAILED:
        return None
    fields = extras(received.message, empty=True)
    if fields:
        bare = read(await send(ctx, received, texts, without_extras(received.message)))
        if bare.answered:
            named = meant(completion.error_text(own.reading.exchange), received.message, fields)
            return rejected_fields(named, own.reading.exchange, received.message) | Result(
                verdicts={"tool_results": works("without fields that the endpoint itself wrote")}
            )
    content = received.message.get("content")
    taken = None if content == "" else ""
    other = Turn(read(await send(ctx, received, texts, {**received.message, "content": taken})), own.number)
    if other.reading.answered and not content:
        verdict = works("with other content next to the call") if other.used else unknown("the result was not used")
        works_so = Result(verdicts={"tool_results": verdict}, settles={"tool_turn_content": taken})
        if content is None:
            return works_so if other.used else None  # content.null reports that null is refused
        finding = HISTORY_REJECTED.found(
            f"An answer sent back as it came was refused: {words_of(own.reading.exchange)}. With `content` null in "
            "place of an empty string it was accepted.",
            refusal_of(own.reading.exchange),
        )
        return works_so | Result((finding,))
    cross = read(await requests.result(ctx))
    if not cross.answered:
        return None
    nine = re.search(r"\b(?:9|nine)\b", completion.error_text(own.reading.exchange)[:2000])
    finding = RESULT_REJECTED.found(
        f"The endpoint's own call, handed back under its own id {wording.shown(received.calls[0]['id'])}, was refused: "
        f"{words_of(own.reading.exchange)}. The same conversation with the id {requests.OWN_IDS[0]} was answered.",
        refusal_of(own.reading.exchange),
        remedy=None
        if not nine
        else "Let the server make the ids that its chat template accepts: use the tool-call parser and the tokenizer "
        "mode that belong to the template (vLLM: `--tokenizer-mode mistral --tool-call-parser mistral` for Mistral "
        "models, whose template takes ids of nine letters and digits), or a chat template without the check.",
    )
    return Result((finding,), {"tool_results": because(State.REJECTED, finding)})


def rejected_fields(fields: Sequence[str], exchange: Exchange, message: Mapping[str, Any]) -> Result:
    """The finding for fields that the endpoint writes and does not take back."""
    names = wording.listing([f"`{shown_path(field, message)}`" for field in fields[:4]])
    finding = HISTORY_REJECTED.found(
        f"An answer sent back as it came was refused: {words_of(exchange)}. Without {names} it was accepted.",
        refusal_of(exchange),
    )
    return Result((finding,))


async def _with_plain_extras(ctx: Context, refused: Turn) -> Result | None:
    """A call of this program with the members that plain answers have, where it was refused without; None if no help.

    For a model that makes no call of its own.
    """
    fields = plain_extras(ctx.exchanges)
    if not fields:
        return None
    messages = requests.conversation(refused.number)
    messages[1] = {**messages[1], **fields}
    own = Turn(read(await requests.send_history(ctx, messages)), refused.number)
    if not own.reading.answered:
        return None
    received = Received(own.reading.exchange, tuple(messages[:1]), (requests.weather(),), messages[1])
    needed = meant(completion.error_text(refused.reading.exchange), fields, tuple(fields))
    verdict = works("with a field that the endpoint itself wrote") if own.used else unknown("the result was not used")
    return Result(verdicts={"tool_results": verdict}) | echo_required(needed, received, own.reading, refused.reading)


async def _with_name(ctx: Context, refused: Turn, call: Mapping[str, Any]) -> Result | None:
    """The conversation with the tool's name in the message of the result, as Gemini's API needs it; None if no help."""
    messages = requests.conversation(refused.number, call)
    messages[-1]["name"] = call["name"]
    own = Turn(read(await requests.send_history(ctx, messages)), refused.number)
    if not own.reading.answered:
        return None
    finding = ECHO_REQUIRED.found(
        "Without `name` in the message of role `tool` the conversation was refused: "
        f"{words_of(refused.reading.exchange)}. With the name of the tool it was answered.",
        refusal_of(refused.reading.exchange),
        own.reading.exchange.shows("/response/status", expected=200, actual=own.reading.exchange.status),
        remedy="Use a client that sends the tool's name with its result (`name` in the message of role `tool`), or let "
        "the gateway add it from the call with the same id.",
    )
    verdict = works("with the tool's name in the result") if own.used else unknown("the result was not used")
    return Result((finding,), {"tool_results": verdict}, settles={"tool_turn_name": True})


async def _turn(
    ctx: Context, call: dict[str, Any], content: str | None, *, longer: bool = False, place: int = 0
) -> Turn:
    """Send the question with the call and its result; each place has another number."""
    label = "tool-result-long" if longer else f"tool-result-{place}" if place else "tool-result"
    number = requests.number_of(ctx, label)
    messages = requests.conversation(number, call, content)
    if longer:
        messages[-1]["content"] += MORE
    return Turn(read(await requests.send_history(ctx, messages)), number)


async def _control(ctx: Context, place: int, *, counted: bool) -> tuple[Exchange, str]:
    """The same sentence in a message that surely reaches the model, to see whether it can repeat the number.

    With prompt token counts a user message will do.  Without them the control must be as hard to use as a result: the
    conversation as the chat template of Hermes and Qwen writes it.
    """
    number = requests.number_of(ctx, f"tool-result-control-{place}")
    sentence = requests.report("Paris", number)
    if counted:
        return await ctx.chat(f"{sentence} What is the weather in Paris?", limit=requests.LIMIT), number
    own = requests.own_call()
    call = f'{{"name": "{own["name"]}", "arguments": {own["arguments"]}}}'
    messages = [
        {"role": "user", "content": requests.QUESTION},
        {"role": "assistant", "content": f"<tool_call>\n{call}\n</tool_call>"},
        {"role": "user", "content": f"<tool_response>\n{sentence}\n</tool_response>"},
    ]
    return await ctx.chat(messages, limit=requests.LONG_LIMIT), number


# Diagnosis -----------------------------------------------------------------------------------------


def _grew(turns: Sequence[Turn]) -> bool | None:
    """Whether the prompt grew with the longer result; None where that was not sent or the counts are unclear."""
    pair = _pair(turns)
    if pair is None:
        return None
    before, after = (completion.prompt_tokens(turn.reading.exchange) for turn in pair)
    if before is None or after is None:
        return None
    if after - before >= len(MORE) // 12:
        return True
    return False if abs(after - before) <= 2 else None


def _pair(turns: Sequence[Turn]) -> tuple[Turn, Turn] | None:
    """The first answered turn and the answered one with the longer result, where both exist."""
    answered = [turn for turn in turns if turn.reading.answered]
    longer = next((turn for turn in answered if turn.longer), None)
    return (answered[0], longer) if longer is not None and longer is not answered[0] else None


def diagnose_results(
    turns: Sequence[Turn], controls: Sequence[tuple[Exchange, str]] = (), *, counted: bool = True
) -> Result:
    """Judge conversations with a result.

    Args:
        turns: the conversation with a call of this program; where it was refused, with the model's own call, then with
            an empty string in place of null content; where the answer lacked the number, with a longer result; without
            counts, with other results.
        controls: the same sentence in a message that surely arrives, and its number: one with counts, else ``ROUNDS``.
        counted: the endpoint really counts prompt tokens.
    """
    answered = [turn for turn in turns if turn.reading.answered]
    if not answered:
        if turns[-1].reading.kind is Kind.LOST:
            raise Inconclusive(turns[-1].reading.why)
        return _refused(turns)
    # Later conversations use the content that was accepted.
    return _answered(turns, answered, controls, counted) | Result(settles={"tool_turn_content": answered[0].content})


def _answered(
    turns: Sequence[Turn], answered: Sequence[Turn], controls: Sequence[tuple[Exchange, str]], counted: bool
) -> Result:
    """Judge whether the answers hold the result."""
    if any(turn.used for turn in answered):
        return Result(verdicts={"tool_results": works(_condition(turns))})
    grew = _grew(turns) if counted else None
    if grew or any(turn.garbled for turn in answered):
        note = "the result reaches the model, which does not copy its number in full"
        if grew:
            again = all(turn.reading.kind is Kind.CALLED for turn in answered)
            note = "the prompt tokens show that the result reaches the model, which "
            note += "calls the tool again" if again else "does not use it in its answer"
        return Result(verdicts={"tool_results": unknown(note)})
    pair = _pair(turns)
    able = all(repeats_number(*control) for control in controls)
    if pair is not None and able and len(controls) >= (1 if grew is False else ROUNDS):
        return _ignored(*pair, grew)
    note = "the answer does not hold the result, and the model does not repeat the sentence from other messages either"
    return Result(verdicts={"tool_results": unknown(note)})


def _condition(turns: Sequence[Turn]) -> str:
    """The condition under which the result was used."""
    first = turns[0].reading
    if not first.refused:
        return "" if turns[0].used else "in the second of two trials"
    if next(turn for turn in turns if turn.used).content is None:
        return f"only with the call that the endpoint itself made ({words_of(first.exchange)})"
    return f'only with content "" in place of null ({words_of(first.exchange)})'


def _ignored(short: Turn, longer: Turn, grew: bool | None) -> Result:
    first, last = short.reading, longer.reading
    content = "/response/body/choices/0/message/content"
    evidence = [first.exchange.shows(content, expected=short.number, actual=first.text[:160])]
    detail = f"The answer does not hold the number {short.number} of the result"
    if grew is False:
        before, after = completion.prompt_tokens(first.exchange), completion.prompt_tokens(last.exchange)
        detail += (
            f", and a longer result leaves the prompt at {after} tokens (before: {before}), while the model repeats "
            "the same sentence from a user message."
        )
        pointer = "/response/body/usage/prompt_tokens"
        evidence.append(last.exchange.shows(pointer, expected=f"more than {before}", actual=after))
    else:
        detail += f", while the model repeats the same sentence in chat template form, {ROUNDS} times of {ROUNDS}."
    finding = RESULT_IGNORED.found(detail, *evidence, confidence=0.95 if grew is False else 0.75)
    return Result((finding,), {"tool_results": because(State.IGNORED, finding)})


def _refused(turns: Sequence[Turn]) -> Result:
    last = turns[-1].reading
    if meaning(last.exchange) is Refusal.MODEL_FAILED:
        note = f"the server could not parse the model's output ({words_of(last.exchange)})"
        return Result(verdicts={"tool_results": unknown(note)})
    if len(turns) < 2 and last.kind is Kind.FAILED:
        raise Inconclusive(f"status {last.exchange.status} once")
    finding = RESULT_REJECTED.found(
        "A conversation with a call and its result was refused, with null and with empty content next to the call: "
        f"{words_of(last.exchange)}.",
        refusal_of(last.exchange),
    )
    return Result((finding,), {"tool_results": because(State.REJECTED, finding)})
