"""Where a model's thinking is delivered: in its own field, in tags within the text, or not at all.

Models that do not think are equally usable; tags in the text are a finding, and a place that differs when streamed.
Servers deliver thinking in
``reasoning_content`` (llama.cpp, SGLang, DeepSeek), ``reasoning`` (vLLM, Ollama, OpenRouter), ``<think>``
tags (no reasoning parser configured), as content parts (Mistral), or only count it (OpenAI's
``completion_tokens_details.reasoning_tokens``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from checks.stream.catalogue import TEXT_DIFFERS
from probe.api import (
    Depth,
    Diagnosis,
    Exchange,
    Owner,
    Result,
    Severity,
    Skip,
    Verdict,
    check,
    completion,
    count_at,
    member,
    unknown,
    wording,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

#: Answers with a tag until it is reported; in more answers than these a single one with a tag proves no thinking.
TAGGED = 2
STRAY = 3
_TAG = re.compile(r"</?(?:[a-z]{1,12}:)?think(?:ing)?>|\[/?THINK\]", re.IGNORECASE)
TAGS_IN_TEXT = Diagnosis(
    code="reasoning.tags-in-text",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Thinking tags left in the text",
    what="The text of answers has the tags between which the model thinks, with the thinking or empty.",
    why="Clients that do not look for the tags show them, and send them back as part of the conversation.",
    remedy="Switch on the server's reasoning parser (vLLM and SGLang: `--reasoning-parser NAME`, llama.cpp: "
    "`--reasoning-format auto`), or the removal of tags in the client.",
    sources=("vLLM docs: Reasoning Outputs", "ggml-org/llama.cpp, tools/server/README.md: --reasoning-format"),
)
_CONTENT = "/response/body/choices/0/message/content"
QUESTION = "What is 17 * 23? Think step by step."
_WHERE = {
    "reasoning_content": "in the field reasoning_content",
    "reasoning": "in the field reasoning",
    "think_tags": "in tags within the text, which no parser extracts",
}


@check(
    "reasoning.asked",
    title="Ask a question that takes thinking",
    proves="A question of several steps makes the model think, and the thinking is delivered.",
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
    title="Search every answer for thinking",
    proves="Thinking in any answer of the run is recognised, with the field it is delivered in.",
    after={"*"},
    provides={"reasoning"},
    emits=(TAGS_IN_TEXT, TEXT_DIFFERS),
    max_requests=0,
)
async def seen(ctx: Context) -> Result:
    if not any(completion.is_completion(item) or _streamed_chat(item) for item in ctx.exchanges):
        raise Skip("there was no answer to search")
    found = diagnose_reasoning(ctx.exchanges)
    differing = Result() if TEXT_DIFFERS.code in ctx.codes else diagnose_places(ctx.exchanges)
    return found | (differing if differing.findings else diagnose_tags(ctx.exchanges))


def diagnose_tags(exchanges: Iterable[Exchange]) -> Result:
    """The finding for tags of thinking, with or without any thinking in them, in the text of several answers."""
    tagged = [item for item in exchanges if _TAG.search(completion.said(item)[:20_000])]
    if len(tagged) < TAGGED:
        return Result()
    found = _TAG.search(completion.said(tagged[0])[:20_000])
    finding = TAGS_IN_TEXT.found(
        f"The text of {len(tagged)} answers has the tag {found[0] if found else ''}.",
        tagged[0].shows(
            "/response/body", expected="text without tags", actual=wording.cut(completion.said(tagged[0])[:20_000], 80)
        ),
    )
    return Result((finding,))


def diagnose_places(exchanges: Iterable[Exchange]) -> Result:
    """Whether thinking is in the text of streamed answers and not of whole ones, or the other way.  Pure.

    Whole and streamed answers must each have it in one place; where one of them have none, three answers of each are
    needed, since models do not think before every answer.
    """
    by_mode: dict[bool, list[tuple[str | None, Exchange]]] = {True: [], False: []}
    for item in exchanges:
        streamed = _streamed_chat(item)
        if (streamed or completion.is_completion(item)) and completion.answer(item):
            by_mode[streamed].append((completion.reasoning_of(item)[0], item))
    places = {mode: {place for place, _ in found} for mode, found in by_mode.items()}
    for mode, other in ((True, False), (False, True)):
        tags = sum(place == "think_tags" for place, _ in by_mode[mode])
        elsewhere = sum(place not in (None, "think_tags") for place, _ in by_mode[other])
        in_field = tags >= 2 and elsewhere >= 2 and not {"think_tags"} & places[other]
        stripped = places[mode] == {"think_tags"} and places[other] == {None} and min(map(len, by_mode.values())) >= 3
        if not in_field and not stripped:
            continue
        shown = next(item for place, item in by_mode[mode] if place == "think_tags")
        how, otherwise = ("Streamed", "without streaming") if mode else ("Without streaming", "streamed")
        where = "it comes in a field of its own" if in_field else "there is none"
        finding = TEXT_DIFFERS.found(
            f"{how}, {wording.amount(tags, 'answer')} have the model's thinking between tags in the text; "
            f"{otherwise} {where}.",
            shown.shows("/response/events" if mode else _CONTENT, expected="the answer alone", actual="<think>"),
            severity=Severity.WARNING,
            remedy="Use the same reasoning parser for whole and for streamed answers: update the server or the gateway "
            "that removes the tags in one of the two.",
            confidence=0.95 if in_field else 0.85,
        )
        return Result((finding,))
    return Result()


def diagnose_reasoning(exchanges: Iterable[Exchange]) -> Result:
    """Where thinking occurs in the answers, whole or streamed; ``unknown`` if nowhere."""
    answers = [item for item in exchanges if completion.is_completion(item) or _streamed_chat(item)]
    fields = Counter(field for item in answers if (field := completion.reasoning_of(item)[0]))
    hint = " Small token limits are used up before the answer." if any(map(completion.starved, answers)) else ""
    if not fields:
        return Result(verdicts={"reasoning": _elsewhere(answers, hint)})
    field, times = fields.most_common(1)[0]
    if field == "think_tags" and times == 1 and len(answers) > STRAY:
        return Result(verdicts={"reasoning": unknown(f"a thinking tag in one of {len(answers)} answers")})
    often = "" if times == len(answers) else f" in {times} of {len(answers)} answers"
    note = f"Thinking is delivered {_WHERE[field]}{often}.{hint}"
    others = ", ".join(sorted(set(fields) - {field}))
    if others:
        note += f" Other answers have it in: {others}."
    return Result(verdicts={"reasoning": works(note)}, facts={"reasoning_field": field})


def _streamed_chat(exchange: Exchange) -> bool:
    return completion.is_stream(exchange) and any(
        member(chunk.body, "choices") is not None for chunk in completion.read_stream(exchange).chunks
    )


def _elsewhere(answers: Sequence[Exchange], hint: str) -> Verdict:
    if any(_thinking_parts(item) for item in answers):
        return works(f"Thinking is delivered as content parts of type thinking.{hint}")
    hidden = max(map(hidden_tokens, answers), default=0)
    if hidden:
        return works(f"The model thinks and does not show it: up to {hidden} reasoning tokens are counted.{hint}", 0.9)
    return unknown(f"no thinking in {wording.amount(len(answers), 'answer')}; many models do not think")


def hidden_tokens(exchange: Exchange) -> int:
    """Reasoning tokens as counted by the endpoint, 0 if it counts none."""
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
