"""Reading a success that is no chat completion: what holds the model's answer, and what does not."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.errors.cors import diagnose_cors
from checks.shared.near_answer import near_answer
from probe.model import Exchange, Request, Response, Timeline
from probe.parsing import chat_completion as completion

CODE, PROMPT = "ZEBRA-48213", "Repeat exactly: ZEBRA-48213"
ANSWER = {"id": "c1", "choices": [{"index": 0, "message": {"role": "assistant", "content": CODE}}]}
TEXT = json.dumps(ANSWER)


def made(content: Any, status: int = 200, *headers: tuple[str, str], method: str = "POST") -> Exchange:
    body = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else b""
    body = body or (json.dumps(content).encode() if content else b"")
    response = Response(status, "", "HTTP/1.1", (("Content-Type", "application/json"), *headers), body)
    request = Request(method, "http://h.example/v1/chat/completions", {}, {"messages": []})
    return Exchange("x001", "test", request, response, Timeline(end_s=0.1))


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (TEXT[:-1] + ', "score": -Infinity}', "NaN or Infinity"),
        ({"payload": {"output": ANSWER}}, "inside `payload.output`"),
        ([ANSWER], "inside a list"),
        ({"body": TEXT}, "inside `body`"),
        (json.dumps(TEXT), "JSON string"),
        ("while(1);" + TEXT, '"while(1);" in front'),
        (TEXT + TEXT, "one after another"),
        (TEXT + "\nDone in 3 ms", "after it"),
        (gzip.compress(TEXT.encode(), mtime=0), "gzip"),
        (TEXT.encode("utf-16"), "UTF-16"),
        ({"message": {"role": "assistant", "content": CODE}, "done": True}, "members message and done"),
        ({"candidates": [{"content": {"parts": [{"text": CODE}]}}]}, "members candidates"),
        (CODE, "plain text"),
        ('{"choices":[{"delta":{"content":"ZE"}}]}\n{"choices":[{"delta":{"content":"BRA"}}]}', "chunks of a stream"),
    ],
)
def test_an_answer_in_another_form(body: Any, what: str) -> None:
    found = near_answer(made(body), CODE, PROMPT)
    assert found is not None
    assert what in found.what


@pytest.mark.parametrize(
    "body",
    [
        "",
        "OK",
        {"status": "healthy"},
        {"error": {"message": "no"}},
        {"messages": [{"role": "user", "content": PROMPT}]},  # an echo of the request
        "<html><body>Console</body></html>",
        gzip.compress(b"hello", mtime=0),
    ],
)
def test_what_holds_no_answer(body: Any) -> None:
    assert near_answer(made(body), CODE, PROMPT) is None


def test_an_error_status_is_not_looked_at() -> None:
    assert near_answer(made({"data": ANSWER}, 500), CODE, PROMPT) is None


_NOISE = st.binary(max_size=20)


@given(_NOISE, st.sampled_from((b"", TEXT.encode(), TEXT[:40].encode(), b"[" * 5000)), _NOISE)
def test_any_body_is_read(before: bytes, body: bytes, after: bytes) -> None:
    found = near_answer(made(before + body + after), CODE, PROMPT)
    assert found is None or (found.what and found.remedy.endswith("."))
    assert completion.is_block_page(made(before + body + after, 403)) is False


ALLOWED = ("Access-Control-Allow-Headers", "Authorization, Content-Type")


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (204, (("Access-Control-Allow-Origin", "*"), ALLOWED), ""),
        (200, (("Access-Control-Allow-Origin", "https://app.example"), ALLOWED), ""),
        (200, (("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Headers", "*")), "header authorization"),
        (200, (("Access-Control-Allow-Origin", "*"),), "headers authorization and content-type"),
        (200, (ALLOWED,), "no origin"),
        (200, (("Access-Control-Allow-Origin", "http://localhost"), ALLOWED), "http://localhost only"),
        (405, (), "status 405"),
        (301, (("Access-Control-Allow-Origin", "*"), ALLOWED), "status 301"),
    ],
)
def test_the_answer_to_a_preflight(status: int, headers: tuple[tuple[str, str], ...], said: str) -> None:
    found = diagnose_cors(made("", status, *headers, method="OPTIONS"), ["authorization", "content-type"]).findings
    assert bool(found) == bool(said)
    assert all(said in finding.detail for finding in found)
