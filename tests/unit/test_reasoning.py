"""Where thinking is found in recorded answers."""

from __future__ import annotations

from typing import Any

import pytest

from checks.reasoning import diagnose_reasoning, diagnose_tags, hidden_tokens
from probe.api import Exchange, State
from tests.unit.answers import chat, events, exchange, refusal


def chunk(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}], **more}


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (chat("391", reasoning_content="17 * 20 is 340"), "reasoning_content"),
        (chat("391", reasoning="17 * 20 is 340"), "reasoning"),
        (chat("<think>17 * 20 is 340</think>391"), "think_tags"),
        (chat("17 * 20 is 340</think>391"), "think_tags"),
        (events(chunk({"reasoning": "17 "}), chunk({"content": "391"})), "reasoning"),
        (events(chunk({"content": "<think>17 "}), chunk({"content": "</think>391"})), "think_tags"),
    ],
)
def test_thinking_is_found_where_it_is(answer: Exchange, field: str) -> None:
    result = diagnose_reasoning([chat("plain"), answer])
    assert result.facts == {"reasoning_field": field}
    assert result.verdicts["reasoning"].verdict is State.WORKS
    assert "1 of 2" in result.verdicts["reasoning"].note


def test_two_places_are_both_named() -> None:
    result = diagnose_reasoning([chat("a", reasoning="x"), chat("b", reasoning="y"), chat("<think>z</think>c")])
    assert result.facts == {"reasoning_field": "reasoning"}
    assert "think_tags" in result.verdicts["reasoning"].note


def test_an_answer_that_used_up_its_limit_is_noted() -> None:
    result = diagnose_reasoning([chat("", finish="length", reasoning="well")])
    assert "Small token limits" in result.verdicts["reasoning"].note


def test_hidden_thinking_is_counted() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 70, "completion_tokens_details": {"reasoning_tokens": 64}}
    whole = exchange(200, {"choices": [{"message": {"content": "391"}, "finish_reason": "stop"}], "usage": usage})
    streamed = events(chunk({"content": "391"}), {"choices": [], "usage": usage})
    for answer in (whole, streamed):
        assert hidden_tokens(answer) == 64
        result = diagnose_reasoning([answer])
        assert result.verdicts["reasoning"].verdict is State.WORKS
        assert "64" in result.verdicts["reasoning"].note
        assert not result.facts


def test_thinking_parts_are_thinking() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "391"}]
    result = diagnose_reasoning([chat(parts)])  # type: ignore[arg-type]
    assert result.verdicts["reasoning"].verdict is State.WORKS


@pytest.mark.parametrize("seen", [[], [refusal(400, "no")], [chat("391"), chat("I <think> so", finish=None)][:1]])
def test_no_thinking_is_no_fault(seen: list[Exchange]) -> None:
    result = diagnose_reasoning(seen)
    assert result.verdicts["reasoning"].verdict is State.UNKNOWN
    assert not result.findings
    assert not result.facts


@pytest.mark.parametrize("count", [None, "64", -3, 1.5, [], True])
def test_odd_counts_are_no_counts(count: Any) -> None:
    usage = {"completion_tokens_details": {"reasoning_tokens": count}, "reasoning_tokens": count}
    assert hidden_tokens(exchange(200, {"choices": [{"message": {"content": "x"}}], "usage": usage})) == 0


@pytest.mark.parametrize("stray", ["<think></think>391", "<think>\n\n</think>\n391", "</think>391", "391</think>"])
def test_one_stray_tag_changes_nothing(stray: str) -> None:
    answers = [chat(stray), *[chat("391")] * 5]
    assert diagnose_reasoning(answers).verdicts["reasoning"].verdict is State.UNKNOWN
    assert not diagnose_tags(answers).findings
    assert [item.code for item in diagnose_tags([*answers, chat(stray)]).findings] == ["reasoning.tags-in-text"]
