"""Answers that are about access, limits or transport and not about a feature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checks.shared.chat_reply import Reply, classify
from checks.shared.outcome import Answer, last_outcome, outcome
from probe.api import Exchange, Inconclusive, Obstacle, completion
from tests.unit.answers import chat, exchange, lost

STATUSES = (401, 402, 403, 407, 408, 413, 425, 429, 499, 502, 503, 504, *range(520, 530))


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("body", [b"", {"error": {"message": "tools are not supported"}}, b"<html>no</html>"])
def test_a_status_of_the_list_is_never_about_a_feature(status: int, body: Any) -> None:
    made = exchange(status, body)
    assert completion.obstacle(made)
    with pytest.raises(Inconclusive):
        outcome(made, "tools")


@pytest.mark.parametrize("status", [400, 404, 405, 409, 415, 422, 424, 500, 501, 505])
def test_other_statuses_are_about_the_request(status: int) -> None:
    assert not completion.obstacle(exchange(status, {"error": {"message": "tools are not supported"}}))


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, Obstacle.LOADING),
        (503, {"error": "Model gpt2 is currently loading", "estimated_time": 20.0}, Obstacle.LOADING),
        (503, {"error": {"message": "The engine is busy"}}, Obstacle.OVERLOAD),
        (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Obstacle.OVERLOAD),
        (429, {"error": {"code": "insufficient_quota", "message": "You exceeded your quota"}}, Obstacle.PAYMENT),
        (
            500,
            {"error": {"message": "litellm.InternalServerError: Cannot connect to host vllm:8000"}},
            Obstacle.UPSTREAM,
        ),
        (500, {"error": {"message": "dial tcp 10.0.0.2:8000: connect: connection refused"}}, Obstacle.UPSTREAM),
        (500, b"upstream connect error or disconnect/reset before headers", Obstacle.UPSTREAM),
        (500, {"error": {"message": "can only concatenate str (not list) to str"}}, Obstacle.NONE),
        (500, {"error": {"message": "image input is not supported"}}, Obstacle.NONE),
        (200, {"error": {"code": 429}}, Obstacle.RATE),
        (200, {"error": {"code": "429", "message": "no"}}, Obstacle.RATE),
        (200, {"choices": None, "error": {"code": 429, "message": "Rate limit exceeded"}}, Obstacle.RATE),
        (200, {"choices": [], "error": {"code": 502, "message": "Provider returned error"}}, Obstacle.UPSTREAM),
        (200, {"code": 503, "message": "busy"}, Obstacle.OVERLOAD),
        (200, [{"error": {"code": 401, "message": "no"}}], Obstacle.ACCESS),
        (200, {"error": {"message": "Rate limit exceeded", "type": "rate_limit_error"}}, Obstacle.RATE),
        (200, {"error": {"code": 402, "message": "Insufficient credits"}}, Obstacle.PAYMENT),
        (
            200,
            {"code": "The service is currently unavailable", "error": "Timed out waiting for first token"},
            Obstacle.UPSTREAM,
        ),
        (200, {"choices": None}, Obstacle.UPSTREAM),
        (200, {"id": "x", "choices": []}, Obstacle.UPSTREAM),
        (200, {"error": "Model does not support images."}, Obstacle.NONE),
        (200, {"error": {"code": 400, "message": "tools are not supported"}}, Obstacle.NONE),
        (200, {"code": 0, "message": "success", "data": {"code": 429}}, Obstacle.NONE),
        (200, {"object": "list", "data": []}, Obstacle.NONE),
    ],
)
def test_what_an_answer_is_about(status: int, body: Any, expected: Obstacle) -> None:
    assert completion.obstacle(exchange(status, body)) is expected


def test_a_completion_is_about_the_feature_even_with_an_error_next_to_it() -> None:
    assert not completion.obstacle(chat("rate limit exceeded, upstream connect error"))
    body = {"choices": [{"message": {"content": "yes"}}], "error": None}
    assert outcome(exchange(200, body)) is Answer.DONE
    assert not completion.obstacle(lost())


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("This model only support stream mode, please enable the stream parameter", True),
        ("parameter.enable_thinking must be set to false for non-streaming calls", True),
        ("Non-streaming calls are not supported; set stream=true", True),
        ("Unsupported value: 'stream' does not support true with this model", False),
        ("stream must be a boolean", False),
    ],
)
def test_a_refusal_of_whole_answers(text: str, whole: bool) -> None:
    refused = exchange(400, {"error": {"message": text}})
    for body, expected in (({"messages": []}, whole), ({"messages": [], "stream": True}, False)):
        asked = replace(refused, request=replace(refused.request, body=body))
        assert completion.wants_stream(asked) is expected
        assert (completion.obstacle(asked) is Obstacle.STREAM) is expected


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b'data: {"error": {"message": "Rate limit reached"}}\n\ndata: [DONE]\n\n', Obstacle.RATE),
        (b'data: {"error": {"message": "the engine died"}}\n\n', Obstacle.NONE),
        (b'data: {"choices": [{"delta": {}}]}\n\ndata: {"error": {"code": 429}}\n\n', Obstacle.NONE),
    ],
)
def test_a_stream_that_holds_an_error_alone_is_read_like_it(stream: bytes, expected: Obstacle) -> None:
    assert completion.obstacle(exchange(200, stream, content_type="text/event-stream")) is expected


@pytest.mark.parametrize(
    ("status", "body", "waits"),
    [
        (429, {"error": {"message": "slow down"}}, True),
        (503, b"", True),
        (529, b"", True),
        (425, b"", True),
        (200, {"choices": None, "error": {"code": 429}}, True),
        (500, {"error": {"message": "Rate limit reached"}}, True),
        (429, {"error": {"code": "insufficient_quota"}}, False),
        (503, {"error": {"code": "model_not_found", "message": "no"}}, False),
        (401, b"", False),
        (413, b"", False),
        (413, {"error": {"message": "Request too large", "code": "rate_limit_exceeded"}}, False),
        (502, b"", False),
    ],
)
def test_where_waiting_helps(status: int, body: Any, waits: bool) -> None:
    assert completion.waiting_helps(exchange(status, body)) is waits


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"code": 429, "message": "Rate limit"}}, Reply.BUSY),
        ({"choices": None, "error": {"code": 503, "message": "no"}}, Reply.BUSY),
        ({"error": {"code": 401, "message": "no"}}, Reply.KEY),
        ({"choices": None}, Reply.UPSTREAM),
    ],
)
def test_an_error_under_200_is_read_like_its_status(body: Any, expected: Reply) -> None:
    assert classify(exchange(200, body), "model-x") is expected


def test_a_large_body_is_not_read_for_an_error() -> None:
    assert not completion.obstacle(exchange(200, {"error": {"code": 429, "message": "x" * 100_000}}))


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (200, {"message": "Capacity temporarily exceeded, please try again."}, Obstacle.OVERLOAD),
        (200, {"message": "The queue is full, retry after some seconds"}, Obstacle.OVERLOAD),
        (200, {"message": "Too much at once, retry later"}, Obstacle.RATE),
        (200, {"message": "Something went wrong on our side"}, Obstacle.NONE),
        (400, {"message": "The response was filtered", "code": "content_filter"}, Obstacle.ACCESS),
        (400, {"message": "Violated guardrail policy"}, Obstacle.ACCESS),
        (400, {"message": "tools are not supported", "code": "unsupported"}, Obstacle.NONE),
        (403, {"message": "your subscription payment is past due"}, Obstacle.PAYMENT),
        (401, {"message": "ExceededTokenBudget: Max Budget for Token: 2e-07"}, Obstacle.PAYMENT),
        (429, {"message": "reached the set inference limit, and the model service is paused"}, Obstacle.PAYMENT),
        (413, {"message": "Limit 7000, Requested 12903", "code": "rate_limit_exceeded"}, Obstacle.RATE),
        (500, {"message": "bad response status code 503"}, Obstacle.UPSTREAM),
        (500, {"message": "the model answered with status 400"}, Obstacle.NONE),
    ],
)
def test_words_of_load_and_of_filters(status: int, error: dict[str, str], expected: Obstacle) -> None:
    assert completion.obstacle(exchange(status, {"error": error})) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (exchange(200, {"error": {"message": "Something went wrong"}}), Answer.FAILED),
        (exchange(200, b""), Answer.FAILED),
        (exchange(204, b""), Answer.FAILED),
        (exchange(200, {"error": {"message": "this model takes no images"}}), Answer.REFUSED),
        (exchange(200, {"error": "Unsupported request"}), Answer.REFUSED),
    ],
)
def test_a_failure_under_a_success_status_is_a_refusal_if_it_says_so_or_comes_twice(
    answer: Exchange, expected: Answer
) -> None:
    assert outcome(answer, "image") is expected
    assert last_outcome([answer, answer], "image") is Answer.REFUSED
