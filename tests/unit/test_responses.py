"""Judging the Responses API by what came back."""

from __future__ import annotations

from typing import Any

import pytest

from checks.responses.checks import diagnose_streamed, diagnose_whole, output_text, responses_url
from probe.api import Exchange, Inconclusive, State
from tests.unit.answers import chat, events, exchange, lost, refusal

MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ZEBRA-11111"}]}
DELTA = {"type": "response.output_text.delta", "delta": "ZEBRA"}
DONE = {"type": "response.completed", "response": {"status": "completed"}}


def response(*output: Any, status: str = "completed") -> Exchange:
    return exchange(200, {"object": "response", "status": status, "output": list(output)})


@pytest.mark.parametrize(
    ("chat_url", "expected"),
    [
        ("http://h/v1/chat/completions", "http://h/v1/responses"),
        ("http://h/chat/completions", "http://h/responses"),
        ("https://h/openai/v1/chat/completions?api-version=v1", "https://h/openai/v1/responses?api-version=v1"),
        ("http://h/v1/generate", None),
        ("", None),
    ],
)
def test_the_url_shares_the_base_of_the_chat_url(chat_url: str, expected: str | None) -> None:
    assert responses_url(chat_url) == expected


def test_a_response_with_text_works() -> None:
    thought = {"type": "reasoning", "summary": []}
    made = response(thought, MESSAGE)
    assert output_text(made.response.json if made.response else None) == "ZEBRA-11111"
    assert diagnose_whole(made).verdict is State.WORKS


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (refusal(404, "Not Found"), State.REJECTED),
        (exchange(405, b"", content_type="text/plain"), State.REJECTED),
        (exchange(501, {"error": "not implemented"}), State.REJECTED),
        (exchange(200, {"error": "Unexpected endpoint or method. (POST /v1/responses)"}), State.REJECTED),
        (exchange(200, b"<!doctype html><html>", content_type="text/html"), State.REJECTED),
        (refusal(400, "this model is not supported by the responses API"), State.REJECTED),
        (refusal(500, "responses are not supported"), State.REJECTED),
        (refusal(500, "Internal server error"), State.UNKNOWN),
        (refusal(401, "who are you?"), State.UNKNOWN),
        (exchange(307, b""), State.UNKNOWN),
        (chat("a chat completion for any path"), State.BROKEN),
        (response(), State.BROKEN),
        (response(status="incomplete"), State.UNKNOWN),
    ],
)
def test_whole(answer: Exchange, state: State) -> None:
    verdict = diagnose_whole(answer)
    assert verdict.verdict is state
    assert verdict.note


@pytest.mark.parametrize("answer", [lost(), refusal(503, "busy"), refusal(429, "slow down")])
def test_trouble_on_the_way_tells_nothing(answer: Exchange) -> None:
    with pytest.raises(Inconclusive):
        diagnose_whole(answer)
    assert diagnose_streamed(answer).verdict is State.WORKS
    assert diagnose_streamed(answer).confidence < 1


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("done", [True, False])
def test_a_stream_of_typed_events_works(named: bool, done: bool) -> None:
    verdict = diagnose_streamed(events({"type": "response.created"}, DELTA, DONE, named=named, done=done))
    assert verdict.verdict is State.WORKS
    assert verdict.confidence == 1


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        (events(DELTA), "response.completed"),
        (events(DONE), "text deltas"),
        (events({"choices": [{"delta": {"content": "x"}}]}), "text deltas and"),
        (events(DELTA, {"type": "error", "message": "boom"}), "error"),
        (response(MESSAGE), "no events"),
        (refusal(400, "streaming is off"), "not streamed"),
    ],
)
def test_a_stream_a_client_cannot_use_is_broken(answer: Exchange, missing: str) -> None:
    verdict = diagnose_streamed(answer)
    assert verdict.verdict is State.BROKEN
    assert missing in verdict.note


@pytest.mark.parametrize("body", [None, [], {"output": "x"}, {"output": [None, {"type": "message", "content": 3}]}])
def test_odd_bodies_are_no_traceback(body: Any) -> None:
    assert output_text(body) in (None, "")
    assert diagnose_whole(exchange(200, body)).verdict is State.BROKEN
