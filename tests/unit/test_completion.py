"""Reading completions and errors of every shape; nothing a stranger sends may raise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model import Exchange, Request, Response, Timeline
from probe.parsing import chat_completion
from probe.parsing.strict_json import count_at, member, parse, parse_or_reason

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "delta",
                    "error",
                    "tool_calls",
                    "usage",
                    "type",
                    "text",
                    "detail",
                    "loc",
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def answer(body: Any, status: int = 200, kind: str = "application/json") -> Exchange:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange(
        "x001",
        "test",
        Request("POST", "http://h/v1/chat/completions", {}),
        Response(status, "", "HTTP/1.1", (("Content-Type", kind),), content),
        Timeline(),
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "bad", "type": "t"}}, "bad"),
        ({"error": "Unauthorized"}, "Unauthorized"),
        ({"object": "error", "message": "flat"}, "flat"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]}, "Field required (body.messages)"),
        ([{"error": {"code": 400, "message": "array"}}], "array"),
        ({"detail": {"msg": "nested", "type": "x"}}, "nested"),
        ({"error": {"message": "acme error"}, "message": "acme error: no such model"}, "acme error: no such model"),
        ({"title": "Forbidden", "status": 403}, "Forbidden"),
        ({"errors": [{"code": 7003, "message": "no route"}]}, "no route"),
        ({"fault": {"faultstring": "gateway"}}, "gateway"),
    ],
)
def test_error_text_of_every_shape(body: Any, said: str) -> None:
    assert chat_completion.error_text(answer(body, 400)) == said
    assert chat_completion.has_error_body(answer(body, 200)) or "title" in body or "fault" in body or "message" in body


def test_plain_text_errors_are_their_own_text() -> None:
    assert chat_completion.error_text(answer(b"404 page not found\n", 404, "text/plain")) == "404 page not found"


@given(JSON, st.sampled_from([200, 400, 500]))
def test_no_body_raises(body: Any, status: int) -> None:
    exchange = answer(body, status)
    chat_completion.answer(exchange)
    chat_completion.error_text(exchange)
    chat_completion.finish_reason(exchange)
    chat_completion.usage(exchange)
    chat_completion.tool_calls(exchange)
    chat_completion.reasoning_of(exchange)
    chat_completion.is_quota(exchange)
    chat_completion.has_error_body(exchange)
    chat_completion.speaks_of(exchange, "x")


@given(st.lists(JSON, max_size=6), st.sampled_from(["\n\n", "\r\n\r\n", "\r\r", "\n"]))
def test_no_stream_raises(bodies: list[Any], end: str) -> None:
    content = "".join(f"data: {json.dumps(body)}{end}" for body in bodies).encode()
    exchange = answer(content, 200, "text/event-stream")
    reading = chat_completion.read_stream(exchange)
    assert len(reading.chunks) + len(reading.malformed) + len(reading.errors) >= 0
    chat_completion.answer(exchange)


@given(st.binary(max_size=200))
def test_no_bytes_raise(content: bytes) -> None:
    for kind in ("application/json", "text/event-stream", "text/html"):
        exchange = answer(content, 200, kind)
        chat_completion.answer(exchange)
        chat_completion.error_text(exchange)
        chat_completion.is_html(exchange)


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("<think>hm</think>yes", "yes"),
        ("hm</think>yes", "yes"),
        ("<think>never closed", ""),
        ("<mm:think>hm</mm:think>yes", "yes"),
        ("[THINK]hm[/THINK]yes", "yes"),
        ("plain", "plain"),
        ("<thinking>a</thinking> b <think>c</think> d", "b  d"),
    ],
)
def test_thinking_is_no_answer(text: str, visible: str) -> None:
    assert chat_completion.answer(answer({"choices": [{"message": {"content": text}}]})) == visible


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"content": "x", "reasoning_content": "hm"}, "reasoning_content"),
        ({"content": "x", "reasoning": "hm"}, "reasoning"),
        ({"content": "<think>hm</think>x"}, "think_tags"),
        ({"content": "x", "reasoning_content": None}, None),
    ],
)
def test_where_reasoning_comes(message: dict[str, Any], field: str | None) -> None:
    assert chat_completion.reasoning_of(answer({"choices": [{"message": message}]}))[0] == field


def test_a_starved_answer_is_told_from_an_empty_one() -> None:
    assert chat_completion.starved(answer({"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}))
    assert not chat_completion.starved(answer({"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}))


@pytest.mark.parametrize(
    ("status", "body", "quota"),
    [
        (429, {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}, True),
        (429, {"error": {"code": "rate_limit_exceeded", "message": "Rate limit reached for requests"}}, False),
        (402, {"error": {"message": "Insufficient Balance"}}, True),
        (400, {"error": {"type": "budget_exceeded", "message": "Budget has been exceeded"}}, True),
        (400, {"error": {"message": "billing is a word here"}}, False),
    ],
)
def test_quota_is_told_from_a_rate_limit(status: int, body: Any, quota: bool) -> None:
    assert chat_completion.is_quota(answer(body, status)) is quota


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": Infinity}', "Infinity is not a JSON number"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "a number is too long"),
        (b'\xff{"a":1}', "invalid UTF-8 at byte 0"),
    ],
)
def test_json_a_strict_client_refuses(content: bytes, reason: str) -> None:
    value, said = parse_or_reason(content)
    assert value is None
    assert said == reason


def test_members_never_raise() -> None:
    body = parse(b'{"a": [{"b": 3}], "n": true, "m": -1}')
    assert member(body, "a", 0, "b") == 3
    assert member(body, "a", 5, "b") is None
    assert member(body, "n", "x") is None
    assert count_at(body, "n") is None
    assert count_at(body, "m") is None


def test_a_whole_number_may_be_written_as_a_fraction() -> None:
    body = parse(b'{"a": 12.0, "b": 12.5, "c": "12", "d": -1.0}')
    assert [count_at(body, name) for name in "abcd"] == [12, None, None, None]


@pytest.mark.parametrize(
    ("text", "tokens", "rest"),
    [
        ("<|start_header_id|>assistant<|end_header_id|>\n\nHi", ["<|start_header_id|>", "<|end_header_id|>"], "Hi"),
        ("Hi<|im_end|>", ["<|im_end|>"], "Hi"),
        ("Hi<｜end▁of▁sentence｜>", ["<｜end▁of▁sentence｜>"], "Hi"),
        ("assistant\nHi", ["assistant"], "Hi"),
        ("An assistant\nmay <b>help</b> with a | b, x < y and [INSTALL]", [], None),
        ("assistant professors", [], None),
    ],
)
def test_tokens_of_a_template_are_no_text(text: str, tokens: list[str], rest: str | None) -> None:
    assert chat_completion.template_tokens(text) == tokens
    assert chat_completion.without_template_tokens(text) == (text if rest is None else rest)
