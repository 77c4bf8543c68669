"""Judging JSON mode and schemas by what came back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.output import begins_object, diagnose_json, diagnose_tokens, misfit, schema_format
from probe.api import Exchange, Inconclusive, Result, State
from tests.unit.answers import chat, lost, refusal

CODES = ("ZEBRA-11111", "AMBER-22222", "COPPER-33333", "FALCON-44444")
RECORD: dict[str, Any] = {
    "area": {"zone": "AMBER-22222"},
    "code": "COPPER-33333",
    "enabled": True,
    "level": 3,
    "marks": ["low"],
}
GOOD = json.dumps(RECORD)
FENCED = f"Here you are:\n```json\n{GOOD}\n```"


def codes_of(result: Result) -> list[str]:
    return [item.code for item in result.findings]


def schema(answer: Exchange, *, thinks: bool = False) -> Result:
    return diagnose_json([answer], CODES, thinks=thinks)


# JSON mode ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ['{"answer": "JavaScript Object Notation"}', " \n{}\n", '<think>hm</think>{"a": 1}'])
def test_any_object_satisfies_json_mode(text: str) -> None:
    result = diagnose_json([chat(text)])
    assert result.verdicts["json_object"].verdict is State.WORKS
    assert not result.findings


@pytest.mark.parametrize(
    "text",
    [
        "JSON stands for JavaScript Object Notation.",
        '```json\n{"answer": "JavaScript Object Notation"}\n```',
        '["JavaScript", "Object", "Notation"]',
        '"JavaScript Object Notation"',
        'Sure! {"answer": 1}',
    ],
)
@pytest.mark.parametrize("finish", ["stop", None])
def test_anything_else_that_ended_by_itself_is_not(text: str, finish: str | None) -> None:
    result = diagnose_json([chat(text, finish=finish)])
    assert codes_of(result) == ["output.json-object-ignored"]
    assert result.verdicts["json_object"].verdict is State.IGNORED


def test_json_in_the_thinking_leaves_nothing_to_parse() -> None:
    result = diagnose_json([chat("", reasoning_content='{"answer": 1}')])
    assert codes_of(result) == ["output.json-object-ignored"]
    assert result.verdicts["json_object"].verdict is State.BROKEN


def test_json_that_was_cut_is_json_so_far() -> None:
    result = diagnose_json([chat('{"answer": "JavaScript Obj', finish="length")])
    assert result.verdicts["json_object"].verdict is State.WORKS
    assert result.verdicts["json_object"].confidence < 1


def test_json_that_was_cut_in_silence_cannot_be_parsed() -> None:
    for result, name in (
        (diagnose_json([chat('{"answer": "JavaScript Obj')]), "json_object"),
        (schema(chat(GOOD[:-8])), "json_schema"),
    ):
        assert [code.rpartition("-")[2] for code in codes_of(result)] == ["ignored"]
        assert result.verdicts[name].verdict is State.BROKEN


def test_prose_that_was_cut_began_as_no_json_can() -> None:
    cut = chat("JSON stands for", finish="length")
    assert codes_of(diagnose_json([cut])) == ["output.json-object-ignored"]
    assert diagnose_json([cut], thinks=True).verdicts["json_object"].verdict is State.UNKNOWN


@pytest.mark.parametrize(
    "answer",
    [
        chat(None, refusal="I cannot help with that."),
        chat("I must not", finish="content_filter"),
        chat(""),
        chat("", finish="length"),
        chat("<think>so", finish="length"),
    ],
    ids=["refusal", "filter", "empty", "cut empty", "cut thinking"],
)
def test_refusal_and_truncation_are_no_violation(answer: Exchange) -> None:
    for result, name in (
        (diagnose_json([answer]), "json_object"),
        (schema(answer), "json_schema"),
    ):
        assert not result.findings
        assert result.verdicts[name].verdict is State.UNKNOWN


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "'response_format.type' must be 'json_schema' or 'text'"),
        (400, "This response_format type is unavailable now"),
        (422, "Unexpected fields in the request: {'response_format'}"),
        (500, "1 validation error: ('body', 'response_format', 'type')"),
    ],
)
def test_an_honest_refusal_is_only_information(status: int, text: str) -> None:
    for result, name, code in (
        (diagnose_json([refusal(status, text)]), "json_object", "output.json-object-rejected"),
        (diagnose_json([refusal(status, text)], CODES), "json_schema", "output.schema-rejected"),
    ):
        assert codes_of(result) == [code]
        assert str(result.findings[0].severity) == "info"
        assert text in result.findings[0].detail
        assert result.verdicts[name].verdict is State.REJECTED


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "Failed to generate JSON. Please adjust your prompt. See 'failed_generation' for more details."),
        (500, "The model produced output that does not match the expected peg-native format"),
    ],
)
def test_a_model_that_fails_the_servers_own_check_is_no_refusal(status: int, text: str) -> None:
    answer = refusal(status, text)
    for result, name in (
        (diagnose_json([answer, answer]), "json_object"),
        (diagnose_json([answer, answer], CODES), "json_schema"),
    ):
        assert not result.findings
        assert result.verdicts[name].verdict is State.UNKNOWN


def test_a_lost_request_tells_nothing() -> None:
    with pytest.raises(Inconclusive):
        diagnose_json([lost()])
    with pytest.raises(Inconclusive):
        diagnose_json([lost("timeout")], CODES)


# Schemas --------------------------------------------------------------------------------


def test_the_schema_is_strict_throughout() -> None:
    form = schema_format(CODES)
    assert form["json_schema"]["strict"] is True
    inner = form["json_schema"]["schema"]
    assert list(inner["properties"]) == sorted(inner["properties"]) == inner["required"]
    for item in (inner, inner["properties"]["area"]):
        assert item["additionalProperties"] is False
        assert set(item["required"]) == set(item["properties"])


def test_a_fitting_record_works() -> None:
    assert schema(chat(GOOD)).verdicts["json_schema"].verdict is State.WORKS


@pytest.mark.parametrize(
    "change",
    [
        {"area": {"zone": "NORTH"}},
        {"area": {}},
        {"area": {"zone": "AMBER-22222", "more": 1}},
        {"code": "A-1"},
        {"enabled": "yes"},
        {"level": 1.5},
        {"marks": "low"},
        {"marks": ["medium"]},
        {"name": "sample"},
    ],
)
def test_every_part_of_the_schema_counts(change: dict[str, Any]) -> None:
    value = {**RECORD, **change}
    assert misfit(value, CODES) is not None
    result = schema(chat(json.dumps(value)))
    assert codes_of(result) == ["output.schema-ignored"]
    assert result.verdicts["json_schema"].verdict is State.BROKEN  # the schema was told, and not held to


@pytest.mark.parametrize("text", ["Here is a sample record.", '{"id": 1, "name": "Jane"}', "[1]", "{}"])
def test_an_answer_that_knows_nothing_of_the_schema_means_ignored(text: str) -> None:
    result = schema(chat(text))
    assert codes_of(result) == ["output.schema-ignored"]
    assert result.verdicts["json_schema"].verdict is State.IGNORED


def test_a_fitting_record_in_a_code_fence_cannot_be_parsed() -> None:
    result = schema(chat(FENCED))
    assert codes_of(result) == ["output.schema-ignored"]
    assert result.verdicts["json_schema"].verdict is State.BROKEN


def test_a_record_that_was_cut_shows_its_codes() -> None:
    cut = GOOD[: GOOD.index("COPPER-33333") + 14]
    assert schema(chat(cut, finish="length")).verdicts["json_schema"].verdict is State.WORKS
    assert schema(chat('{ "area"', finish="length")).verdicts["json_schema"].verdict is State.UNKNOWN


def test_a_schema_that_is_not_strict_may_be_all_there_is() -> None:
    refused = refusal(400, "additionalProperties is not supported")
    result = diagnose_json([refused], CODES, chat(GOOD))
    assert result.verdicts["json_schema"].verdict is State.WORKS
    assert "additionalProperties" in result.verdicts["json_schema"].note
    result = diagnose_json([refused], CODES, chat("prose"))
    assert codes_of(result) == ["output.schema-rejected"]


# Cut JSON -------------------------------------------------------------------------------

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(), _VALUES), st.data())
def test_every_beginning_of_an_object_is_recognised(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans()))
    assert begins_object(text[: data.draw(st.integers(1, len(text)))])


@pytest.mark.parametrize("text", ["", "Sure: {", "{a", "{'a': 1", '{"a": treu', '{"a" 1', "[{", '{"a": 1,,'])
def test_what_is_wrong_before_its_end_is_not(text: str) -> None:
    assert not begins_object(text)


def test_deep_nesting_is_no_traceback() -> None:
    assert begins_object('{"a":' * 100_000) in (True, False)


# Template tokens and misplaced objects --------------------------------------------------


def test_an_object_behind_a_token_or_a_word_reached_the_model() -> None:
    header = schema(chat(f"<|start_header_id|>assistant<|end_header_id|>\n\n{GOOD}"))
    assert codes_of(header) == ["output.template-tokens"]
    assert header.verdicts["json_schema"].verdict is State.BROKEN
    for answer in (chat(f"thought\n{GOOD}"), chat("", reasoning_content=GOOD), chat(None, prompt=9, written=40)):
        result = schema(answer)
        assert codes_of(result) == ["output.schema-ignored"]
        assert result.verdicts["json_schema"].verdict is State.BROKEN
        assert "reaches the model" in result.findings[0].remedy


def test_template_tokens_have_to_come_twice_and_not_from_the_question() -> None:
    left = [chat("Hi<|im_end|>", number=number) for number in (1, 2)]
    assert codes_of(diagnose_tokens(left)) == ["output.template-tokens"]
    assert not diagnose_tokens(left[:1]).findings
    quoted = {"messages": [{"role": "user", "content": "Say Hi<|im_end|>"}]}
    assert not diagnose_tokens([replace(one, request=replace(one.request, body=quoted)) for one in left]).findings
    turns = {"messages": [{"role": "assistant", "content": "Hello"}]}
    role = [chat("assistant\nHi", number=number) for number in (1, 2)]
    role = [replace(one, request=replace(one.request, body=turns)) for one in role]
    assert codes_of(diagnose_tokens(role)) == ["output.template-tokens"]
