"""Healthy chat completion answers, whole and streamed, that the mutations start from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

#: One token looks like a number and one like zero, because servers that decode tokens as JSON turn them into numbers.
PIECES = ("Rooms ", "0", " and ", "42", ".")
TEXT = "".join(PIECES)
#: What the endpoint answers once it has the results of the tool calls.
CLOSING = "Done."
MODEL = "test-model"
ANSWER_ID = "chatcmpl-9f2c"
CREATED = 1760000000
USAGE = {"prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20}
CALLS = (("call_a1", "get_weather", '{"city": "Paris", "days": 3}'), ("call_b2", "get_weather", '{"city": "Rome"}'))
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        # The `.stream()` helper of the Python SDK accepts strict tools only.
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": ["integer", "null"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True)
class Situation:
    """One kind of healthy answer.

    streamed: an event stream. calls: how many tool calls it holds; 0 is a text answer.
    """

    name: str
    streamed: bool
    calls: int

    @property
    def finish(self) -> str:
        """The finish reason of the answer."""
        return "tool_calls" if self.calls else "stop"


SITUATIONS = {
    situation.name: situation
    for situation in (
        Situation("text", False, 0),
        Situation("text-stream", True, 0),
        Situation("tool", False, 1),
        Situation("tool-stream", True, 1),
        Situation("two-tools", False, 2),
        Situation("two-tools-stream", True, 2),
    )
}


def answer(situation: Situation, text: str = TEXT) -> dict[str, Any]:
    """The whole answer of a situation."""
    message: dict[str, Any] = {"role": "assistant", "content": None if situation.calls else text, "refusal": None}
    if situation.calls:
        message["tool_calls"] = [
            {"id": call, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call, name, arguments in CALLS[: situation.calls]
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": situation.finish}
    return {
        "id": ANSWER_ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": MODEL,
        "choices": [choice],
        "usage": dict(USAGE),
    }


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    """One chunk of a stream."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": ANSWER_ID,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": MODEL,
        "choices": [choice],
    }


def usage_chunk() -> dict[str, Any]:
    """The chunk that `stream_options.include_usage` asks for."""
    return {**chunk({}), "choices": [], "usage": dict(USAGE)}


def chunks(situation: Situation, pieces: tuple[str, ...] = PIECES) -> list[dict[str, Any]]:
    """The chunks of a streamed answer, without the usage chunk and the closing `[DONE]`."""
    if not situation.calls:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in pieces]
    else:
        deltas = [{"role": "assistant", "content": None}]
        for index, (call, name, arguments) in enumerate(CALLS[: situation.calls]):
            head = {"index": index, "id": call, "type": "function", "function": {"name": name, "arguments": ""}}
            deltas.append({"tool_calls": [head]})
            for start in range(0, len(arguments), 10):
                part = {"index": index, "function": {"arguments": arguments[start : start + 10]}}
                deltas.append({"tool_calls": [part]})
    return [*(chunk(delta) for delta in deltas), chunk({}, situation.finish)]


def event(data: Any) -> str:
    """A server-sent event with a JSON value."""
    return f"data: {json.dumps(data)}\n\n"


DONE = "data: [DONE]\n\n"
