"""The endpoint's own answers handed back: what is in them, what a refusal means."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from checks.tools import requests
from checks.tools.echo import handed_back
from checks.tools.reading import read
from checks.tools.replay import (
    answers_question,
    city_of,
    extras,
    meant,
    plain_answer,
    received_call,
    received_in,
    shown_path,
    without_extras,
)
from checks.tools.structured_calls import is_altered
from probe.model import Exchange
from tests.unit import answers

SIGNATURE = {"google": {"thought_signature": "Cs8="}}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}


def asked(exchange: Exchange, **body: Any) -> Exchange:
    body = {"messages": [{"role": "user", "content": requests.QUESTION}], "tools": [requests.weather()], **body}
    return replace(exchange, request=replace(exchange.request, body=body))


def called(*calls: Any, **message: Any) -> Exchange:
    return asked(answers.chat(None, finish="tool_calls", tool_calls=list(calls or (CALL,)), **message))


def test_a_message_is_received_with_every_field() -> None:
    signed = {**CALL, "extra_content": SIGNATURE}
    received = received_in(called(signed, reasoning_content="Hm.", vendor={"x": 1}))
    assert received is not None
    assert received.message["vendor"] == {"x": 1}
    assert received.calls[0]["extra_content"] == SIGNATURE
    conversation = received.conversation(["It is 5 degrees."])
    assert conversation[1] == received.message
    assert conversation[2] == {"role": "tool", "tool_call_id": "call_1", "content": "It is 5 degrees."}
    assert extras(received.message) == ("reasoning_content", "vendor", "tool_calls[].extra_content")


def test_a_streamed_message_is_joined_with_its_unknown_fields() -> None:
    deltas = [
        {"role": "assistant", "reasoning_content": "H"},
        {"reasoning_content": "m.", "reasoning_details": [{"text": "a"}]},
        {"reasoning_details": [{"text": "b"}]},
        {"tool_calls": [{"index": 0, "id": "c", "extra_content": SIGNATURE, "function": {"name": "get_weather"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": "Paris"}'}}]},
    ]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    received = received_in(asked(answers.events(*chunks), stream=True))
    assert received is not None
    assert received.message["reasoning_content"] == "Hm."
    assert received.message["reasoning_details"] == [{"text": "a"}, {"text": "b"}]
    assert received.calls[0]["extra_content"] == SIGNATURE


@pytest.mark.parametrize(
    "exchange",
    [
        asked(answers.chat("It is sunny.")),
        called({**CALL, "id": ""}),
        called({**CALL, "function": {"name": "get_weather", "arguments": "{"}}),
        called(CALL, CALL),
        replace(called(), request=replace(called().request, body={"messages": []})),
        asked(answers.refusal(400, "no")),
        answers.lost(),
    ],
    ids=["prose", "no id", "half arguments", "one id twice", "no tools", "refused", "lost"],
)
def test_what_cannot_be_handed_back(exchange: Exchange) -> None:
    assert received_in(exchange) is None


def test_a_whole_answer_is_preferred_to_a_streamed_one() -> None:
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [{**CALL, "index": 0}]}, "finish_reason": None}]}
    streamed = asked(answers.events(chunk, number=1), stream=True)
    found = received_call([streamed, called()])
    assert found is not None
    assert found.exchange.request.body.get("stream") is None
    assert received_call([]) is None


def test_the_members_of_the_api_stay() -> None:
    message = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [{**CALL, "extra_content": SIGNATURE}],
    }
    assert without_extras(message) == {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert without_extras({"role": "assistant", "content": "a", "tool_calls": []}) == {
        "role": "assistant",
        "content": "a",
    }
    assert extras(message) == ("tool_calls[].extra_content",)
    assert "refusal" in extras(message, empty=True)


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ("missing a thought_signature", ("tool_calls[].extra_content",)),
        ("The `reasoning_content` must be passed back", ("reasoning_content",)),
        ("bad request", ("reasoning_content", "tool_calls[].extra_content")),
    ],
)
def test_a_refusal_names_its_field(said: str, fields: tuple[str, ...]) -> None:
    message = {"reasoning_content": "Hm.", "tool_calls": [{**CALL, "extra_content": SIGNATURE}]}
    assert meant(said, message, extras(message)) == fields


def test_a_field_is_shown_with_its_only_members() -> None:
    message = {"tool_calls": [{**CALL, "extra_content": SIGNATURE}]}
    assert shown_path("tool_calls[].extra_content", message) == "extra_content.google.thought_signature"
    assert shown_path("reasoning_content", {"reasoning_content": "Hm."}) == "reasoning_content"


def test_the_city_of_a_call() -> None:
    assert city_of(CALL, "Rome") == "Paris"
    assert city_of({"function": {"arguments": "["}}, "Rome") == "Rome"
    assert city_of({"function": {"arguments": json.dumps({"city": "x" * 99})}}, "Rome") == "Rome"


@pytest.mark.parametrize(
    ("name", "altered"),
    [
        ("get_weather", False),
        ("get_weather<|channel|>commentary", True),
        ("functions.get_weather", True),
        ("get-weather", True),
        ("GetWeather", True),
        ("weather", False),
        ("search", False),
        ("", False),
        (None, False),
    ],
)
def test_a_changed_name_is_told_from_an_invented_one(name: Any, altered: bool) -> None:
    assert is_altered(name, "get_weather") is altered


def test_only_an_answer_with_uncommon_fields_is_worth_a_request() -> None:
    usual = asked(answers.chat("Hello.", refusal=None, annotations=[]))
    assert plain_answer([usual]) is None
    odd = asked(answers.chat("Hello.", tool_calls=[]))
    assert plain_answer([usual, odd]) is odd
    thinking = asked(answers.chat("Hello.", reasoning_content="Hm."))
    assert plain_answer([thinking]) is thinking


@pytest.mark.parametrize("calls", [None, {}, "x", {"id": "a"}, [None, 7]], ids=repr)
def test_calls_of_a_strange_type_do_no_harm(calls: Any) -> None:
    message = {"role": "assistant", "content": "Hello.", "tool_calls": calls}
    assert isinstance(extras(message, empty=True), tuple)
    assert without_extras(message) == {"role": "assistant", "content": "Hello."}
    assert shown_path("tool_calls[].x", message) == "x"


def test_a_field_inside_the_function_is_found() -> None:
    signed = {**CALL, "function": {**CALL["function"], "thought_signature": "Cs8="}}  # type: ignore[dict-item]
    message = {"role": "assistant", "content": None, "tool_calls": [signed]}
    assert extras(message) == ("tool_calls[].function.thought_signature",)
    assert without_extras(message)["tool_calls"] == [CALL]
    assert meant("missing thought_signature", message, extras(message)) == extras(message)


# What was handed back, and what a call asks for ----------------------------------------------------


def test_a_conversation_is_known_by_the_fields_of_its_call() -> None:
    received = received_in(called({**CALL, "extra_content": SIGNATURE}))
    assert received is not None
    whole = asked(answers.chat("5"), messages=received.conversation(["5"]))
    bare = asked(answers.chat("5"), messages=received.conversation(["5"], without_extras(received.message)))
    assert [one.bare for one in map(handed_back, (whole, bare)) if one is not None] == [False, True]
    assert handed_back(asked(answers.chat("Hi"))) is None
    own = requests.conversation("5")
    assert handed_back(asked(answers.chat("5"), messages=own)) is None  # a call of this program proves nothing


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"city": "Paris"}', True),
        ('{"city": "paris, FR"}', True),
        ('{"city": "巴黎"}', True),
        ('{"town": "Paris"}', True),
        ('{"city": 75000}', True),
        ("{", True),
        ('{"city": "test_city"}', False),
        ('{"city": "string"}', False),
        ('{"city": ""}', False),
        ("{}", False),
    ],
)
def test_a_canned_value_is_no_answer(arguments: str, expected: bool) -> None:
    call = {**CALL, "function": {"name": "get_weather", "arguments": arguments}}
    assert answers_question(read(called(call))) is expected
