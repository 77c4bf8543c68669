"""Answers to requests with tools, made by hand, for tests of the tools family's pure functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from checks.tools import requests
from probe.model import Exchange, Request
from tests.unit import answers

_NUMBERS = count(1)
PARIS = '{"city": "Paris", "unit": "celsius"}'


def asked(exchange: Exchange, *, tools: Sequence[Any] | None = None, **body: Any) -> Exchange:
    """The exchange as the answer to a request with these tools (the weather tool where none are given)."""
    messages = body.pop("messages", [{"role": "user", "content": requests.QUESTION}])
    sent = {"model": "m", "messages": messages, "tools": [requests.weather()] if tools is None else list(tools), **body}
    if not sent["tools"]:
        del sent["tools"]
    return replace(exchange, id=f"x{next(_NUMBERS):03d}", request=Request("POST", answers.URL, {}, sent))


def call(arguments: Any = PARIS, name: Any = "get_weather", id: Any = "call_1", **more: Any) -> dict[str, Any]:
    """One entry of ``tool_calls``; an id of ``...`` leaves the member out."""
    made = {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}
    if id is ...:
        del made["id"]
    return made


def called(
    *calls: Any, text: str | None = None, finish: str | None = "tool_calls", prompt: int | None = 100, **body: Any
) -> Exchange:
    """An answer with these calls (one sound call where none are given)."""
    message = answers.chat(text, finish=finish, prompt=prompt, tool_calls=list(calls or (call(),)))
    return asked(message, **body)


def said(
    text: str | None, *, finish: str = "stop", prompt: int | None = 100, message: Any = None, **body: Any
) -> Exchange:
    """An answer in text alone; ``message`` adds members to it."""
    return asked(answers.chat(text, finish=finish, prompt=prompt, **(message or {})), **body)


def refused(text: str, status: int = 400, **body: Any) -> Exchange:
    """A refusal in the OpenAI shape."""
    return asked(answers.refusal(status, text), **body)


def streamed(
    *deltas: Mapping[str, Any],
    finish: str | None = "tool_calls",
    done: bool = True,
    prompt: int | None = None,
    **body: Any,
) -> Exchange:
    """A stream of these deltas, ended by the finish reason, and by usage where ``prompt`` is given."""
    chunks: list[Any] = [
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": dict(delta), "finish_reason": None}]}
        for delta in deltas
    ]
    if finish is not None:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if prompt is not None:
        chunks.append({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": 9}})
    return asked(answers.events(*chunks, done=done), stream=True, **body)


def part(arguments: Any = None, name: str | None = None, id: str | None = None, index: Any = 0) -> dict[str, Any]:
    """A delta with one piece of one call; an index of None is left out."""
    made: dict[str, Any] = {} if index is None else {"index": index}
    if id is not None:
        made |= {"id": id, "type": "function"}
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"tool_calls": [{**made, "function": function}]}


def pieces(
    arguments: str = PARIS, index: Any = 0, id: str = "call_1", name: str = "get_weather"
) -> list[dict[str, Any]]:
    """The deltas of a call as OpenAI sends them: id and name first, then the arguments in pieces."""
    cut = [arguments[start : start + 7] for start in range(0, len(arguments), 7)]
    return [part("", name, id, index), *(part(text, index=index) for text in cut)]


def hermes(city: str = "Paris") -> str:
    """A call in the markup of the Hermes family."""
    return f"<tool_call>\n{json.dumps({'name': 'get_weather', 'arguments': {'city': city}})}\n</tool_call>"
