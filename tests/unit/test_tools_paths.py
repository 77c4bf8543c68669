"""Whole and streamed compared where tools are offered: long texts, answers to results, thinking, and arrival times."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from checks.reasoning import diagnose_places
from checks.shared import stream_requests
from checks.stream.agreement import counted_to_the_end
from checks.tools import requests
from checks.tools.agent_tools import diagnose_agent
from checks.tools.agent_values import BODY, LONG_NAME, REPLACED, VALUES, agent_tools, damage, signs
from checks.tools.held import first_stream, is_held, looks_held
from checks.tools.long_arguments import SIZE, long_text
from checks.tools.parallel import Both, diagnose_streamed_answer
from checks.tools.reading import read
from probe.model import Exchange, Request, Severity
from tests.unit import answers, streams, tool_answers

NUMBERS = ("18111", "29222")
RIGHT = "It is 18111 degrees in Paris and 29222 in Rome."


# Long texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (BODY, ""),
        (f" {BODY}\n", ""),
        (BODY[:100] + BODY[117:], "lost characters"),
        (BODY.replace(" ", ""), "lost characters"),
        (BODY[:200], "lost characters"),
        (BODY[:100] + BODY[80:], "repeated pieces"),
        (BODY.replace("é", "\ufffd"), REPLACED),
        (BODY.replace("é", "\ufffd\ufffd"), REPLACED),
        ("A plan for the week.", ""),
        (BODY.replace("pump", "engine"), ""),
        (BODY[:80], ""),
    ],
)
def test_what_happened_to_a_text(given: str, expected: str) -> None:
    assert damage(given, BODY) == expected


def test_the_long_text_has_no_repetition_and_the_size_of_a_buffer() -> None:
    text = long_text()
    assert SIZE - 4 <= len(text) <= SIZE
    pieces = [text[start : start + 120] for start in range(0, len(text) - 120)]
    assert len(set(pieces)) == len(pieces)
    assert json.loads(json.dumps(text)) == text


def noted(body: str, *, stream: bool) -> Any:
    """An answer with this text in its call, and its signs."""
    arguments = json.dumps({**VALUES, "body": body}, ensure_ascii=False)
    if stream:
        parts = [tool_answers.part("", LONG_NAME, "call_1"), tool_answers.part(arguments)]
        reading = read(tool_answers.streamed(*parts, tools=agent_tools()))
    else:
        made = tool_answers.called(tool_answers.call(arguments, LONG_NAME), tools=agent_tools())
        reading = read(made)
    return reading, signs(reading)


IN_A_WORD, BETWEEN_WORDS = BODY[:103] + BODY[130:], BODY.replace("bring the keys, ", "")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            [noted(IN_A_WORD, stream=True), noted(BODY, stream=False), noted(IN_A_WORD, stream=True)],
            ["stream-fragments"],
        ),
        (
            [noted(BETWEEN_WORDS, stream=True), noted(BODY, stream=False), noted(BETWEEN_WORDS, stream=True)],
            ["stream-fragments"],
        ),
        (
            [noted(BODY, stream=True), noted(IN_A_WORD, stream=False), noted(IN_A_WORD, stream=False)],
            ["values-altered"],
        ),
        ([noted(IN_A_WORD, stream=True), noted(IN_A_WORD, stream=False)], ["values-altered"]),
        # A model that copies badly does so both times, and between words.
        ([noted(BETWEEN_WORDS, stream=True), noted(BETWEEN_WORDS, stream=False)], []),
        ([noted(IN_A_WORD, stream=True), noted(BODY, stream=False), noted(BODY, stream=True)], []),
    ],
)
def test_a_long_text_is_compared_with_itself(asked: Any, expected: list[str]) -> None:
    assert [item.code for item in diagnose_agent(asked).findings] == [f"tools.{code}" for code in expected]


# The streamed answer to results --------------------------------------------------------------------


def told(text: str, *, stream: bool, finish: str = "stop") -> Both:
    """An answer to two results."""
    if stream:
        deltas = [{"content": text[start : start + 9]} for start in range(0, len(text), 9)] or [{"role": "assistant"}]
        return Both(read(tool_answers.streamed(*deltas, finish=finish)), NUMBERS)
    return Both(read(tool_answers.said(text)), NUMBERS)


@pytest.mark.parametrize(
    ("text", "finish", "expected"),
    [
        ("", "stop", ["stream.text-differs"]),
        (RIGHT[10:], "stop", ["stream.text-differs"]),
        (RIGHT.replace("1", ""), "stop", ["stream.text-differs"]),
        ("", "error", ["tools.result-rejected"]),
        (RIGHT, "stop", []),
        ("I cannot say.", "stop", []),
    ],
)
def test_the_streamed_answer_to_results(text: str, finish: str, expected: list[str]) -> None:
    both, once = [told(RIGHT, stream=False)], told(text, stream=True, finish=finish)
    assert [item.code for item in diagnose_streamed_answer([once, once], both).findings] == expected
    assert diagnose_streamed_answer([once], both).findings == ()


# Thinking and finish reasons -----------------------------------------------------------------------

TAGS = {"content": "<think>Hm.</think>Paris."}
FIELD = {"content": "Paris.", "reasoning_content": "Hm."}
PLAIN = {"content": "Paris."}


def whole(message: dict[str, Any]) -> Exchange:
    return tool_answers.asked(
        answers.chat(**{"text": message["content"]}, **{k: v for k, v in message.items() if k != "content"})
    )


def stream(message: dict[str, Any]) -> Exchange:
    return tool_answers.streamed(*({name: value} for name, value in message.items()), finish="stop")


@pytest.mark.parametrize(
    ("wholes", "streamed", "found"),
    [
        ([FIELD] * 2, [TAGS] * 2, True),
        ([TAGS] * 2, [FIELD] * 2, True),
        ([PLAIN] * 3, [TAGS] * 3, True),
        ([TAGS] * 3, [PLAIN] * 3, True),
        ([TAGS] * 3, [TAGS] * 3, False),
        ([FIELD] * 3, [FIELD, PLAIN], False),
        ([TAGS, PLAIN, PLAIN], [PLAIN] * 3, False),
        ([PLAIN], [TAGS], False),
        ([PLAIN] * 3, [PLAIN] * 3, False),
    ],
)
def test_thinking_is_in_the_same_place_on_both_paths(wholes: Any, streamed: Any, found: bool) -> None:
    result = diagnose_places([*map(whole, wholes), *map(stream, streamed)])
    assert [item.code for item in result.findings] == ["stream.text-differs"] * found
    assert all(item.severity is Severity.WARNING for item in result.findings)


@pytest.mark.parametrize(
    ("last", "used", "expected"), [(40, 150, True), (40, None, True), (40, 200, False), (39, 150, False)]
)
def test_a_count_to_its_end_was_not_cut(last: int, used: int | None, expected: bool) -> None:
    text = "\n".join(map(str, range(1, last + 1)))
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "length"}]}]
    if used is not None:
        chunks.append({"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": used}})
    made = answers.events(*chunks)
    body = {"messages": [{"role": "user", "content": stream_requests.COUNT_40}], "stream": True, "max_tokens": 200}
    assert counted_to_the_end(replace(made, request=Request("POST", answers.URL, {}, body))) is expected


# When the text arrives -----------------------------------------------------------------------------


def counted(times: list[float], *, tools: bool, question: str = stream_requests.COUNT_40) -> Exchange:
    """A stream with a token at each of these times."""
    made = streams.streamed(streams.answer(times))
    body: dict[str, Any] = {"messages": [{"role": "user", "content": question}], "stream": True}
    if tools:
        body["tools"] = [requests.weather()]
    return replace(made, request=Request("POST", answers.URL, {}, body))


LIVE = [0.2 + n * 0.02 for n in range(100)]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (LIVE, False),
        ([2.2] * 100, True),
        ([2.2 + n * 0.002 for n in range(100)], True),
        ([1.5 + n * 0.02 for n in range(100)], False),  # a slow first token
        ([2.2] * 30, False),  # another, shorter answer
        ([0.3] * 100, False),  # all at once, and early: from a cache
    ],
)
def test_text_held_back_arrives_near_the_end(times: list[float], expected: bool) -> None:
    assert is_held(counted(times, tools=True), counted(LIVE, tools=False)) is expected


def test_only_a_text_that_came_too_fast_is_a_reason_to_ask() -> None:
    plain = counted(LIVE, tools=False)
    question = "What is the weather?"
    assert looks_held(counted([0.6] * 20, tools=True, question=question), plain)
    assert not looks_held(counted([0.2 + n * 0.02 for n in range(20)], tools=True, question=question), plain)
    assert not looks_held(counted([0.2] * 2, tools=True, question=question), plain)


def test_the_pace_is_that_of_the_stream_without_tools() -> None:
    plain = counted(LIVE, tools=False)
    assert first_stream([counted(LIVE, tools=True), plain]) is plain
    assert first_stream([counted([2.2] * 100, tools=False)]) is None
    assert first_stream([counted(LIVE, tools=True)]) is None
