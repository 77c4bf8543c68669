"""Exchanges made by hand, for tests of pure diagnosis."""

from __future__ import annotations

import json
from typing import Any

from probe.model import Exchange, Failure, Request, Response, Timeline

URL = "http://127.0.0.1:9/v1/chat/completions"


def exchange(
    status: int, body: Any, *, content_type: str = "application/json", number: int = 1, url: str = URL
) -> Exchange:
    """An exchange with this status and body (a JSON value, or bytes as they are)."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = Response(status, "", "HTTP/1.1", (("Content-Type", content_type),), content)
    return Exchange(f"x{number:03d}", "test", Request("POST", url, {}, {}), response, Timeline(end_s=0.1))


def chat(
    text: str | None,
    *,
    finish: str | None = "stop",
    prompt: int | None = None,
    written: int = 5,
    number: int = 1,
    **message: Any,
) -> Exchange:
    """A chat completion with this text; without ``prompt`` it has no usage."""
    body: dict[str, Any] = {
        "object": "chat.completion",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
        ],
    }
    if prompt is not None:
        body["usage"] = {"prompt_tokens": prompt, "completion_tokens": written}
    return exchange(200, body, number=number)


def refusal(status: int, text: str, *, number: int = 1) -> Exchange:
    """An error in the OpenAI shape."""
    error = {"message": text, "type": "invalid_request_error", "param": None, "code": None}
    return exchange(status, {"error": error}, number=number)


def events(*data: Any, done: bool = True, named: bool = False, number: int = 1) -> Exchange:
    """An event stream of these JSON values; ``named`` writes an ``event:`` line from their type."""
    lines = []
    for item in data:
        if named:
            lines.append(f"event: {item.get('type')}\n")
        lines.append(f"data: {json.dumps(item)}\n\n")
    if done:
        lines.append("data: [DONE]\n\n")
    return exchange(200, "".join(lines).encode(), content_type="text/event-stream", number=number)


def lost(kind: str = "reset") -> Exchange:
    """An exchange without a response."""
    return Exchange("x001", "test", Request("POST", URL, {}, {}), None, Timeline(), Failure(kind, "headers", kind))
