"""The shape of answers and chunks, judged on answers made by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from checks.shape.checks import diagnose_shape
from checks.shape.reading import deviations, kind_of, values_at
from checks.shape.table import rule_for, rules
from probe.model import Exchange, Severity
from tests.unit import answers

BODY: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1760000000,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "A small room."}, "finish_reason": "stop"},
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14},
}
CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1760000000,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "A"}, "finish_reason": None}],
}


def asked(exchange: Exchange, **body: Any) -> Exchange:
    """The same exchange as the answer to a chat request."""
    return replace(exchange, request=replace(exchange.request, body={"messages": [], **body}))


def whole(**changes: Any) -> Exchange:
    return asked(answers.exchange(200, {**BODY, **changes}))


def message(**changes: Any) -> Exchange:
    choice = BODY["choices"][0]
    return whole(choices=[{**choice, "message": {**choice["message"], **changes}}])


def stream(*chunks: Any) -> Exchange:
    first = {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
    last = {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return asked(answers.events(first, *chunks, last))


def said(*exchanges: Exchange) -> dict[str, Severity]:
    return {item.code: item.severity for item in diagnose_shape(exchanges).findings}


def test_a_healthy_answer_and_a_healthy_stream_are_left_alone() -> None:
    assert deviations([whole(), stream(CHUNK)]) == []


@pytest.mark.parametrize(
    ("exchange", "severity", "names"),
    [
        (whole(created="1760000000"), Severity.ERROR, ("created", "AI SDK")),
        (whole(created=True), Severity.WARNING, ("created", "true")),
        (message(content=[{"type": "text", "text": "A small room."}]), Severity.ERROR, ("content", "openai-python")),
        (message(role="model"), Severity.ERROR, ("role", "model")),
        (message(content=None), Severity.ERROR, ("content", "null")),
        (whole(id=None), Severity.WARNING, ("id", "async-openai")),
        (whole(usage={**BODY["usage"], "prompt_tokens": "5"}), Severity.ERROR, ("prompt_tokens",)),
    ],
    ids=["created-text", "created-bool", "parts", "role", "content-lost", "id", "usage"],
)
def test_an_answer_that_breaks_a_client_is_named(
    exchange: Exchange, severity: Severity, names: tuple[str, ...]
) -> None:
    (finding,) = diagnose_shape([exchange]).findings
    assert (finding.code, finding.owner.value) == ("shape.answer", "server")
    assert finding.severity is severity
    for name in names:
        assert name in finding.detail
    assert finding.evidence[0].exchange == exchange.id


def test_an_empty_answer_of_a_model_that_wrote_nothing_is_no_fault() -> None:
    empty = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    choice = BODY["choices"][0]
    silent = whole(choices=[{**choice, "message": {"role": "assistant", "content": ""}}], usage=empty)
    assert said(silent) == {}


def test_hidden_thinking_explains_counted_tokens_without_text() -> None:
    usage = {**BODY["usage"], "completion_tokens_details": {"reasoning_tokens": 9}}
    choice = BODY["choices"][0]
    assert said(whole(choices=[{**choice, "message": {"role": "assistant", "content": ""}}], usage=usage)) == {}


@pytest.mark.parametrize(
    ("chunk", "severity"),
    [
        ({**CHUNK, "error": None}, Severity.ERROR),
        ({**CHUNK, "object": "chat.completion"}, Severity.WARNING),
        ({**CHUNK, "choices": [{"index": 0, "delta": {"content": 7}, "finish_reason": None}]}, Severity.ERROR),
        ({**CHUNK, "usage": {"prompt_tokens": "5"}, "choices": []}, Severity.ERROR),
    ],
    ids=["error-null", "object", "number", "usage"],
)
def test_a_chunk_that_breaks_a_client_is_named(chunk: Any, severity: Severity) -> None:
    assert said(stream(chunk)) == {"shape.chunk": severity}


def test_what_the_api_allows_is_no_deviation() -> None:
    azure = {**CHUNK, "choices": [], "prompt_filter_results": []}
    usage = {**CHUNK, "choices": [], "usage": BODY["usage"]}
    assert said(stream(azure, CHUNK, usage), message(refusal=None, annotations=[])) == {}


def test_events_that_are_no_chunks() -> None:
    found = diagnose_shape([stream(CHUNK, {"type": "ping"}, {"type": "ping"})]).findings
    assert [item.code for item in found] == ["stream.foreign-events"]
    assert "2 such events" in found[0].detail


def test_an_error_inside_a_stream_is_no_foreign_event() -> None:
    assert said(stream(CHUNK, {"error": {"message": "upstream"}})) in ({}, {"shape.chunk": Severity.ERROR})
    assert "stream.foreign-events" not in said(stream(CHUNK, {"error": {"message": "upstream"}}))


def test_a_field_that_another_finding_covers_is_not_reported_again() -> None:
    call = {"id": "", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    exchange = message(content=None, tool_calls=[call])
    assert said(exchange) == {"shape.answer": Severity.ERROR}
    assert diagnose_shape([exchange], frozenset({"tools.id-missing"})).findings == ()


def test_errors_and_other_requests_are_passed_over() -> None:
    assert said(answers.exchange(200, {"created": "x"}), asked(answers.exchange(500, {"created": "x"}))) == {}
    assert said(asked(answers.exchange(200, {"error": {"message": "busy"}, "choices": None}))) == {}


def test_the_clients_that_fail_are_a_fact() -> None:
    facts = diagnose_shape([whole(created="1")]).facts
    assert any(name.startswith("AI SDK") for name in facts["failing_clients"])


@pytest.mark.parametrize("value", [None, True, 0, 7, -1, 0.5, "", "x", [], [1], {}, {"a": 1}])
def test_every_json_value_has_a_kind(value: Any) -> None:
    assert kind_of(value)


def test_paths_reach_every_element_and_report_what_is_missing() -> None:
    body = {"choices": [{"message": {}}, {"message": {"role": "assistant"}}]}
    seen = [(pointer, kind_of(value)) for pointer, value in values_at(body, "choices[].message.role")]
    assert seen == [("/choices/0/message/role", "missing"), ("/choices/1/message/role", "string")]


def test_every_rule_can_be_looked_up() -> None:
    for (where, field), known in rules().items():
        for rule in known:
            for deviation in rule.deviations:
                value = rule.values[0] if rule.values else None
                chunks = frozenset(rule.chunks)
                found = rule_for(where, field, deviation, value, rule.answers[0], chunks)
                assert found is not None, (where, field, deviation)


def test_hostile_shapes_do_no_harm() -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    for body in ({"choices": deep}, {"choices": [deep]}, {"choices": [{"message": deep, "delta": deep}]}):
        diagnose_shape([asked(answers.exchange(200, body)), asked(answers.events(body, json.loads("[]"), 7, None))])
