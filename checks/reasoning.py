"""Where a model's thinking arrives: in a field of its own, in tags within the text, or not at all.

No fault is found here: a model that does not think is no worse an endpoint.  Servers deliver
thinking in ``reasoning_content`` (llama.cpp, SGLang, DeepSeek), ``reasoning`` (vLLM, Ollama,
OpenRouter), ``<think>`` tags (no reasoning parser configured), as parts of the content
(Mistral), or only count it (OpenAI's ``completion_tokens_details.reasoning_tokens``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from probe.api import Depth, Exchange, Result, Verdict, check, completion, count_at, member, unknown, works

if TYPE_CHECKING:
    from probe.api import Context

QUESTION = "What is 17 * 23? Think step by step."
_WHERE = {
    "reasoning_content": "in the field reasoning_content",
    "reasoning": "in the field reasoning",
    "think_tags": "in tags within the text, as no parser takes it out",
}


@check(
    "reasoning.asked",
    title="Ask for some thought",
    proves="A question that takes a few steps is thought about, and the thinking is delivered.",
    requires={"chat"},
    provides={"reasoning"},
    max_requests=2,
    max_tokens=1300,
    depth=Depth.DEEP,
)
async def asked(ctx: Context) -> Result:
    known = diagnose_reasoning(ctx.exchanges)
    if known.facts or known.verdicts["reasoning"].confidence:
        return known
    await ctx.chat(QUESTION, limit=100, share="chat.think")
    return diagnose_reasoning(ctx.exchanges)


@check(
    "reasoning.seen",
    title="Look for thinking in every answer",
    proves="Thinking in any answer of the run is noticed, and where it came.",
    after={"*"},
    provides={"reasoning"},
    max_requests=0,
)
async def seen(ctx: Context) -> Result:
    found = diagnose_reasoning(ctx.exchanges)
    if not found.verdicts["reasoning"].confidence:
        return Result(note=found.verdicts["reasoning"].note)
    return found


def diagnose_reasoning(exchanges: Iterable[Exchange]) -> Result:
    """Where thinking was seen in the answers, whole or streamed; ``unknown`` where it was not."""
    answers = [item for item in exchanges if completion.is_completion(item) or _streamed_chat(item)]
    places = Counter(field for item in answers if (field := completion.reasoning_of(item)[0]))
    hungry = " It uses up small token limits before it answers." if any(map(completion.starved, answers)) else ""
    if places:
        field, times = places.most_common(1)[0]
        often = "" if times == len(answers) else f" in {times} of {len(answers)} answers"
        note = f"Thinking came {_WHERE[field]}{often}.{hungry}"
        others = ", ".join(sorted(set(places) - {field}))
        if others:
            note += f" Others had it in: {others}."
        return Result(verdicts={"reasoning": works(note)}, facts={"reasoning_field": field})
    return Result(verdicts={"reasoning": _elsewhere(answers, hungry)})


def _streamed_chat(exchange: Exchange) -> bool:
    return completion.is_stream(exchange) and any(
        member(chunk.body, "choices") is not None for chunk in completion.read_stream(exchange).chunks
    )


def _elsewhere(answers: Sequence[Exchange], hungry: str) -> Verdict:
    if any(_thinking_parts(item) for item in answers):
        return works(f"Thinking came as parts of the content, of type thinking.{hungry}")
    hidden = max(map(hidden_tokens, answers), default=0)
    if hidden:
        return works(
            f"The model thinks and does not show it: up to {hidden} reasoning tokens were counted.{hungry}", 0.9
        )
    return unknown(f"no thinking was seen in {len(answers)} answers; many models do none")


def hidden_tokens(exchange: Exchange) -> int:
    """Reasoning tokens as the endpoint counted them, 0 where it counts none."""
    if completion.is_stream(exchange):
        bodies = [chunk.body for chunk in completion.read_stream(exchange).chunks]
    else:
        bodies = [completion.body_of(exchange)]
    found = [count_at(body, "usage", "completion_tokens_details", "reasoning_tokens") for body in bodies]
    found += [count_at(body, "usage", "reasoning_tokens") for body in bodies]
    return max((count for count in found if count), default=0)


def _thinking_parts(exchange: Exchange) -> bool:
    content = completion.message(exchange).get("content")
    return isinstance(content, list) and any(member(part, "type") == "thinking" for part in content)
