"""Faults of tool calls, as seen on the wire."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import jsonschema
import pytest

from probe.simulator.markup import FORMATS
from tests.wire.test_simulator_client import CITY, CLOCK, WEATHER, Client
from tests.wire.test_simulator_effects import BOTH, OSLO, Effects, refused, with_result, works

effect = Effects()


# Tools ----------------------------------------------------------------------------------------------------


def streamed_calls(client: Client, question: str = OSLO) -> Any:
    return client.stream(question, tools=[WEATHER, CLOCK])


@effect("tools-rejected", "tools-rejected=ollama", "tools-rejected=openrouter", "tools-not-enabled=lmdeploy")
@effect("tools-not-enabled", "tools-not-enabled=llamacpp")
def _tools_refused(client: Client) -> None:
    works(client)
    refused(client.chat(OSLO, tools=[WEATHER]), 400, 404, 500)
    refused(client.chat(OSLO, tools=[WEATHER], tool_choice="required"), 400, 404, 500)


@effect("tools-ignored")
def _tools_dropped(client: Client) -> None:
    alone = client.chat(OSLO).json()["usage"]["prompt_tokens"]
    answer = client.chat(OSLO, tools=[WEATHER], tool_choice="required").json()
    assert "tool_calls" not in answer["choices"][0]["message"]
    assert answer["usage"]["prompt_tokens"] == alone


@effect("tools-not-called")
def _not_of_its_own_will(client: Client) -> None:
    alone = client.chat(OSLO).json()["usage"]["prompt_tokens"]
    answer = client.chat(OSLO, tools=[WEATHER]).json()
    assert "tool_calls" not in answer["choices"][0]["message"]
    assert answer["usage"]["prompt_tokens"] > alone + 30
    assert client.message(OSLO, tools=[WEATHER], tool_choice="required")["tool_calls"]


@effect("tools-never-called", "tool-choice-ignored")
def _choice_has_no_effect(client: Client) -> None:
    named = {"type": "function", "function": {"name": "get_weather"}}
    for choice in ("required", named):
        assert "tool_calls" not in client.message("Say hello", tools=[WEATHER], tool_choice=choice)
    calls = client.message(OSLO, tools=[WEATHER]).get("tool_calls")
    assert bool(calls) == (client.sim.faults[0].name == "tool-choice-ignored")


@effect(*[f"tools-as-{name}" for name in FORMATS], "tools-as-text", "tools-as-fenced-json")
def left_in_the_text(client: Client) -> None:
    for question, names in ((OSLO, ["get_weather"]), (BOTH, ["get_weather", "get_time"])):
        choice = client.chat(question, tools=[WEATHER, CLOCK]).json()["choices"][0]
        made = streamed_calls(client, question)
        assert "tool_calls" not in choice["message"]
        assert made.calls == {}
        assert choice["finish_reason"] == made.finish[0] == "stop"
        assert made.text == choice["message"]["content"]
        assert all(name in made.text for name in names)
        assert ("Oslo" if question == OSLO else "Tokyo") in made.text
    works(client)


@effect("tools-in-reasoning")
def _call_in_the_reasoning(client: Client) -> None:
    message = client.message(OSLO, tools=[WEATHER])
    assert "get_weather" in message["reasoning_content"]
    assert not message["content"]


@effect("tools-partial-leak")
def _call_and_markup(client: Client) -> None:
    message = client.message(OSLO, tools=[WEATHER])
    assert message["tool_calls"]
    assert "<tool_call>" in message["content"]
    made = streamed_calls(client)
    assert made.calls
    assert "<tool_call>" in made.text


@effect("tool-result-rejected")
def _result_refused(client: Client) -> None:
    refused(client.chat(with_result(), tools=[WEATHER]))


@effect("tool-result-ignored")
def _result_dropped(client: Client) -> None:
    assert "VX-9912" not in client.said(with_result(), tools=[WEATHER])


@effect("tool-parallel-never")
def _one_call(client: Client) -> None:
    assert len(client.message(BOTH, tools=[WEATHER, CLOCK])["tool_calls"]) == 1


@effect("arguments-not-json", "arguments-not-json=truncated")
def _no_json(client: Client) -> None:
    for text in (
        client.message(OSLO, tools=[WEATHER])["tool_calls"][0]["function"]["arguments"],
        streamed_calls(client).calls[0]["arguments"],
    ):
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            json.loads(text)


@effect("arguments-object")
def _object(client: Client) -> None:
    assert client.message(OSLO, tools=[WEATHER])["tool_calls"][0]["function"]["arguments"] == {"city": "Oslo"}
    parts = [part for delta in streamed_calls_raw(client) for part in delta.get("tool_calls") or []]
    assert [part["function"]["arguments"] for part in parts] == [{"city": "Oslo"}]


def streamed_calls_raw(client: Client, question: str = OSLO) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = client.stream(question, tools=[WEATHER, CLOCK]).deltas
    return deltas


@effect("arguments-off-schema")
def _off_schema(client: Client) -> None:
    text = client.message(OSLO, tools=[WEATHER])["tool_calls"][0]["function"]["arguments"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(text), {**CITY, "additionalProperties": False})


@effect("tool-id-missing", "tool-id-missing=empty")
def _no_id(client: Client) -> None:
    assert not client.message(OSLO, tools=[WEATHER])["tool_calls"][0].get("id")
    assert not streamed_calls(client).calls[0]["id"]


@effect("tool-id-duplicate")
def _one_id(client: Client) -> None:
    assert len({call["id"] for call in client.message(BOTH, tools=[WEATHER, CLOCK])["tool_calls"]}) == 1


@effect("tool-finish-reason")
def _finish(client: Client) -> None:
    choice = client.chat(OSLO, tools=[WEATHER]).json()["choices"][0]
    assert (bool(choice["message"]["tool_calls"]), choice["finish_reason"]) == (True, "stop")
    assert streamed_calls(client).finish == ["stop"]


@effect("tool-stream-leak")
def _leaks_only_streamed(client: Client) -> None:
    assert client.message(OSLO, tools=[WEATHER])["tool_calls"]
    made = streamed_calls(client)
    assert made.calls == {}
    assert "<tool_call>" in made.text


@effect("tool-stream-index", "tool-stream-index-zero", "tool-stream-fragments", "tool-stream-fragments=repeated")
def _does_not_join(client: Client) -> None:
    whole = client.message(BOTH, tools=[WEATHER, CLOCK])["tool_calls"]
    assert len(whole) == 2
    joined = streamed_calls(client, BOTH).calls
    wanted = {place: json.loads(call["function"]["arguments"]) for place, call in enumerate(whole)}
    with contextlib.suppress(ValueError):  # some do not even add up to JSON
        assert {place: json.loads(call["arguments"]) for place, call in joined.items()} != wanted


@effect("tool-stream-fragments=late")
def _names_come_late(client: Client) -> None:
    parts = [part for delta in streamed_calls_raw(client, BOTH) for part in delta.get("tool_calls") or []]
    named = [place for place, part in enumerate(parts) if part["function"].get("name")]
    assert len(named) == 2
    assert named[0] > 3
    assert {call["name"] for call in streamed_calls(client, BOTH).calls.values()} == {"get_weather", "get_time"}


@effect("tool-stream-whole")
def _one_delta_a_call(client: Client) -> None:
    parts = [part for delta in streamed_calls_raw(client, BOTH) for part in delta.get("tool_calls") or []]
    assert [json.loads(part["function"]["arguments"]) for part in parts] == [{"city": "Paris"}, {"city": "Tokyo"}]


test_effect = effect.test()
